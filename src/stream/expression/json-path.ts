// The value at a path of a JSON text, as DuckDB's `->>` gives it: strings without quotes, everything else as its printer
// writes it (numbers with their digits, no spaces), null for null and for what is not there. Of equal keys the first counts.
import { MillraceError } from '../../core/errors.ts'

type Json =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'list'; readonly of: readonly Json[] }
  | { readonly kind: 'object'; readonly of: readonly (readonly [string, Json])[] }

/** @throws MR_SQL_RUNTIME for a text that is no JSON. */
export function checkJson(text: string): void {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('MR_SQL_RUNTIME', 'a text from which JSON is extracted is no JSON', {
      cause,
      fix: 'declare the column as json',
    })
  }
}

/** Of a text that is JSON. */
export function jsonAt(text: string, path: readonly (string | number)[]): string | null {
  const reader = new Reader(text)
  for (const step of path) if (!reader.enter(step)) return null
  const found = reader.value()
  if (found.kind === 'plain' && found.text === 'null') return null
  return found.kind === 'text' ? found.text : print(found)
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [LEFT_BRACKET, RIGHT_BRACKET, LEFT_BRACE, RIGHT_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d]

/** Reads a value where it stands; what lies before it is passed over. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Goes to the start of an item by its place, or of a member by its key; false where there is none. */
  enter(step: string | number): boolean {
    const isList = typeof step === 'number'
    if (!this.#begins(isList ? LEFT_BRACKET : LEFT_BRACE)) return false
    for (let item = 0; this.#hasMore(isList ? RIGHT_BRACKET : RIGHT_BRACE); item++) {
      if (step === (isList ? item : this.#key())) return true
      this.#skip()
    }
    return false
  }

  value(): Json {
    this.#space()
    if (this.#text.charCodeAt(this.#at) === QUOTE) return { kind: 'text', text: this.#string() }
    if (this.#begins(LEFT_BRACKET)) return { kind: 'list', of: this.#items(RIGHT_BRACKET, () => this.value()) }
    if (this.#begins(LEFT_BRACE)) return { kind: 'object', of: this.#items(RIGHT_BRACE, () => [this.#key(), this.value()] as const) }
    const plain = this.#plain()
    return { kind: 'plain', text: /^[-\d]/.test(plain) ? numberText(plain) : plain }
  }

  #items<T>(end: number, item: () => T): T[] {
    const items: T[] = []
    while (this.#hasMore(end)) items.push(item())
    return items
  }

  /** Whether the character that comes is the one; goes behind it then. */
  #begins(code: number): boolean {
    this.#space()
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  /** Whether another item comes; goes to it, or behind the end. */
  #hasMore(end: number): boolean {
    if (this.#begins(end)) return false
    this.#begins(COMMA)
    return this.#at < this.#text.length
  }

  #key(): string {
    this.#space()
    const key = this.#string()
    this.#begins(0x3a)
    return key
  }

  #string(): string {
    const start = this.#at
    this.#skipString()
    const inner = this.#text.slice(start + 1, this.#at - 1)
    return inner.includes('\\') ? (JSON.parse(`"${inner}"`) as string) : inner
  }

  #skipString(): void {
    const text = this.#text
    let end = this.#at + 1
    for (let code = text.charCodeAt(end); end < text.length && code !== QUOTE; code = text.charCodeAt(++end)) if (code === BACKSLASH) end++
    this.#at = end + 1
  }

  #plain(): string {
    const match = /[^\s,\]}]+/y
    match.lastIndex = this.#at
    const [plain] = match.exec(this.#text)!
    this.#at += plain.length
    return plain
  }

  /** Goes to what follows the value that comes. */
  #skip(): void {
    const text = this.#text
    let depth = 0
    for (let code = text.charCodeAt(this.#at); this.#at < text.length; code = text.charCodeAt(this.#at)) {
      const isEnd = code === RIGHT_BRACE || code === RIGHT_BRACKET
      if (depth === 0 && (isEnd || code === COMMA)) return
      if (isEnd) depth--
      else if (code === LEFT_BRACE || code === LEFT_BRACKET) depth++
      if (code === QUOTE) this.#skipString()
      else this.#at++
    }
  }

  #space(): void {
    let code = this.#text.charCodeAt(this.#at)
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.#text.charCodeAt(++this.#at)
  }
}

/** Integers as they are; others as the shortest digits of their double. */
function numberText(text: string): string {
  if (/^-?\d+$/.test(text)) return text === '-0' ? '0' : text
  const value = Number(text)
  if (!Number.isFinite(value)) return text
  const printed = Object.is(value, -0) ? '-0' : String(value)
  return /[.e]/.test(printed) ? printed.replace('e+', 'e') : `${printed}.0`
}

function print(json: Json): string {
  if (json.kind === 'text') return JSON.stringify(json.text)
  if (json.kind === 'plain') return json.text
  if (json.kind === 'list') return `[${json.of.map(print).join(',')}]`
  return `{${json.of.map(([key, value]) => `${JSON.stringify(key)}:${print(value)}`).join(',')}}`
}
