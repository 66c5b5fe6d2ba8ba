// The value at a path of a JSON text, as DuckDB's `->>` gives it: strings without quotes, everything else as its printer
// writes it (numbers with their digits, no spaces), null for null and for what is not there. Of equal keys the first counts.
import { MillraceError } from '../../core/errors.ts'

type Json =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'plain'; readonly text: string }
  | { readonly kind: 'list'; readonly of: readonly Json[] }
  | { readonly kind: 'object'; readonly of: readonly (readonly [string, Json])[] }

/** @throws MR_SQL_RUNTIME for a text that is no JSON. */
export function jsonAt(text: string, path: readonly (string | number)[]): string | null {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('MR_SQL_RUNTIME', 'a text from which JSON is extracted is no JSON', {
      cause,
      fix: 'declare the column as json',
    })
  }
  let at: Json | undefined = new Reader(text).value()
  for (const step of path) {
    if (typeof step === 'number') at = at?.kind === 'list' ? at.of[step] : undefined
    else at = at?.kind === 'object' ? at.of.find(([key]) => key === step)?.[1] : undefined
  }
  if (!at || (at.kind === 'plain' && at.text === 'null')) return null
  return at.kind === 'text' ? at.text : print(at)
}

/** Of a text that JSON.parse took. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): Json {
    this.#space()
    const first = this.#text[this.#at]
    if (first === '"') return { kind: 'text', text: this.#string() }
    if (first === '[') return { kind: 'list', of: this.#items(']', () => this.value()) }
    if (first === '{') return { kind: 'object', of: this.#items('}', () => this.#member()) }
    const match = /[^\s,\]}]+/y
    match.lastIndex = this.#at
    const [plain] = match.exec(this.#text)!
    this.#at += plain.length
    return { kind: 'plain', text: /^[-\d]/.test(plain) ? numberText(plain) : plain }
  }

  #items<T>(end: string, item: () => T): T[] {
    const items: T[] = []
    this.#at++
    for (this.#space(); this.#text[this.#at] !== end; this.#space()) {
      if (this.#text[this.#at] === ',') this.#at++
      items.push(item())
    }
    this.#at++
    return items
  }

  #member(): readonly [string, Json] {
    this.#space()
    const key = this.#string()
    this.#space()
    this.#at++
    return [key, this.value()]
  }

  #string(): string {
    let end = this.#at + 1
    while (this.#text[end] !== '"') end += this.#text[end] === '\\' ? 2 : 1
    const text = JSON.parse(this.#text.slice(this.#at, end + 1)) as string
    this.#at = end + 1
    return text
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++
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
