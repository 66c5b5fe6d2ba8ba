// What is looked for in text as UTF-8 bytes: parts, patterns of LIKE, lists of texts, and the parts between separators. What
// depends on the wanted text alone is computed once for it.
import { compareBytes } from '../../core/bytes.ts'
import { after, before, found, length as lengthOf, sameBytes, startsWith, substring } from './text-ranges.ts'

/** A text that others are searched for. Source: Horspool, "Practical fast searching in strings" (1980). */
export class Part {
  #bytes: Buffer
  readonly #skip = new Uint8Array(256)

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#plan()
  }

  get length(): number {
    return this.#bytes.length
  }

  /** Another text from now on. */
  set(bytes: Buffer, start: number, length: number): void {
    if (sameBytes(this.#bytes, 0, this.#bytes.length, bytes, start, length)) return
    this.#bytes = Buffer.from(bytes.subarray(start, start + length))
    this.#plan()
  }

  /** How far the search goes on by the byte under the last of the part: to where it would stand in it. */
  #plan(): void {
    const { length } = this.#bytes
    this.#skip.fill(Math.min(length, 255))
    for (let i = 0; i < length - 1; i++) this.#skip[this.#bytes[i]!] = Math.min(length - 1 - i, 255)
  }

  /** Where it stands first, from `from` on and before `end`; -1 where it does not. */
  find(bytes: Buffer, from: number, end: number): number {
    const part = this.#bytes
    const skip = this.#skip
    const before = part.length - 1
    if (before < 0) return from
    const last = part[before]!
    if (before === 0) {
      for (let at = from; at < end; at++) if (bytes[at] === last) return at
      return -1
    }
    for (let at = from + before; at < end; ) {
      const byte = bytes[at]!
      if (byte === last && startsWith(bytes, at - before, before, part, 0, before)) return at - before
      at += skip[byte]!
    }
    return -1
  }

  isIn(bytes: Buffer, start: number, length: number): boolean {
    return this.find(bytes, start, start + length) >= 0
  }

  /** In characters, counted from 1; 0 where it does not stand. */
  position(bytes: Buffer, start: number, length: number): number {
    const at = this.find(bytes, start, start + length)
    return at < 0 ? 0 : lengthOf(bytes, start, at - start) + 1
  }
}

/** What stands between the `%` of a pattern of LIKE: texts with one character, `_`, between them. */
class Piece {
  readonly characters: number
  readonly #texts: readonly Buffer[]
  readonly #first: Part

  constructor(like: string) {
    this.characters = [...like].length
    this.#texts = like.split('_').map((text) => Buffer.from(text))
    this.#first = new Part(this.#texts[0]!)
  }

  /** Where it ends if it stands at `at`, before `end`; -1 if it does not. */
  endAt(bytes: Buffer, at: number, end: number): number {
    let from = at
    for (let i = 0; i < this.#texts.length; i++) {
      if (i > 0 && from >= end) return -1
      if (i > 0) from = after(bytes, from, end, 1)
      const text = this.#texts[i]!
      if (!startsWith(bytes, from, end - from, text, 0, text.length)) return -1
      from += text.length
    }
    return from
  }

  /** Where it ends where it stands first, from `from` on and before `end`; -1 where it does not. */
  findEnd(bytes: Buffer, from: number, end: number): number {
    for (let next = from; ; ) {
      const at = this.#first.find(bytes, next, end)
      if (at < 0) return -1
      const until = this.endAt(bytes, at, end)
      if (until >= 0 || at >= end) return until
      next = after(bytes, at, end, 1)
    }
  }
}

/** A pattern of LIKE: `%` is any text, `_` any character. */
export class Pattern {
  readonly #first: Piece
  readonly #middle: readonly Piece[]
  readonly #last: Piece | null

  constructor(like: string) {
    const [first, ...more] = like.split('%').map((piece) => new Piece(piece))
    this.#first = first!
    this.#last = more.pop() ?? null
    this.#middle = more.filter(({ characters }) => characters > 0)
  }

  test(bytes: Buffer, start: number, length: number): boolean {
    const end = start + length
    let from = this.#first.endAt(bytes, start, end)
    const last = this.#last
    if (from < 0 || last === null) return from === end
    const begin = before(bytes, from, end, last.characters)
    if (last.endAt(bytes, begin, end) < 0) return false
    for (const piece of this.#middle) {
      from = piece.findEnd(bytes, from, begin)
      if (from < 0) return false
    }
    return true
  }
}

/** Texts to be found again: sorted by bytes, and by the lengths that there are. */
export class TextSet {
  readonly #sorted: readonly Buffer[]
  readonly #hasLength: Uint8Array

  constructor(texts: readonly Buffer[]) {
    const whole = (a: Buffer, b: Buffer): number => compareBytes(a, 0, a.length, b, 0, b.length)
    this.#sorted = [...texts].sort(whole)
    this.#hasLength = new Uint8Array(texts.reduce((most, { length }) => Math.max(most, length), 0) + 1)
    for (const { length } of texts) this.#hasLength[length] = 1
  }

  has(bytes: Buffer, start: number, length: number): boolean {
    if (this.#hasLength[length] !== 1) return false
    let [low, high] = [0, this.#sorted.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      const text = this.#sorted[middle]!
      const order = compareBytes(bytes, start, length, text, 0, text.length)
      if (order === 0) return true
      if (order < 0) high = middle
      else low = middle + 1
    }
    return false
  }
}

/** The parts of a text between separators. Those of one row are asked for in turn: each search goes on where the last one ended. */
export class Splitter {
  #row = -1
  /** The part that begins at `#from`; -1 when the last one has been given. */
  #next = 1
  #from = 0

  /** Counted from 1, from the end when not positive, into `found`; empty where there is none. */
  split(row: number, bytes: Buffer, start: number, length: number, by: Part, index: number): void {
    if (by.length === 0) substring(bytes, start, length, index, 1)
    else if (index > 0) this.#splitFrom(row, bytes, start, start + length, by, index)
    else this.#splitFrom(row, bytes, start, start + length, by, partsIn(bytes, start, start + length, by) + index + 1)
  }

  #splitFrom(row: number, bytes: Buffer, start: number, end: number, by: Part, index: number): void {
    if (row !== this.#row || index < this.#next) {
      this.#row = row
      this.#next = 1
      this.#from = start
    }
    found[0] = end
    found[1] = 0
    while (this.#from >= 0 && this.#next <= index) {
      const from = this.#from
      const at = by.find(bytes, from, end)
      if (this.#next === index) {
        found[0] = from
        found[1] = (at < 0 ? end : at) - from
      }
      this.#from = at < 0 ? -1 : at + by.length
      this.#next++
    }
  }
}

function partsIn(bytes: Buffer, start: number, end: number, by: Part): number {
  let count = 1
  for (let at = by.find(bytes, start, end); at >= 0; at = by.find(bytes, at + by.length, end)) count++
  return count
}
