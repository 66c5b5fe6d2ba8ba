// Bytes that texts are written to, one behind another: those that a row's expression makes, and columns of results. What is
// written lies in UTF-8, or in latin1, whose characters are the bytes of a binary value.
import { copyBytes } from '../../core/bytes.ts'
import { text as decode, unmade } from './runtime.ts'
import { lower, upper } from './text-functions.ts'
import { length as charactersIn, found, left } from './text-ranges.ts'
import type { Part } from './text-search.ts'

/** From here on a call out of JavaScript is faster than a loop. */
const LONG_TEXT = 16
/** Longest text that is made by padding or repeating. */
const MADE_MAX = 1 << 24
/** 16 digits, a sign and a point, or as many zeros as a decimal has digits after its point. */
const DECIMAL_BYTES = 48

const mapOf = (map: (text: string) => string): Uint8Array =>
  Uint8Array.from({ length: 0x80 }, (_, code) => map(String.fromCharCode(code)).charCodeAt(0))
const LOWER = mapOf(lower)
const UPPER = mapOf(upper)

export class TextBuffer {
  bytes: Buffer
  /** Bytes that are written. */
  length = 0
  readonly #encoding: 'utf8' | 'latin1'

  constructor(encoding: 'utf8' | 'latin1' = 'utf8', sizeBytes = 128) {
    this.#encoding = encoding
    this.bytes = Buffer.allocUnsafe(sizeBytes)
  }

  clear(): void {
    this.length = 0
  }

  /** Makes sure that so many bytes fit behind those that are written. */
  reserve(room: number): void {
    if (this.length + room <= this.bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + room))
    this.bytes.copy(larger, 0, 0, this.length)
    this.bytes = larger
  }

  /** Text that lies in bytes already, in the same encoding. */
  add(bytes: Buffer, start: number, length: number): void {
    this.reserve(length)
    copyBytes(bytes, start, length, this.bytes, this.length)
    this.length += length
  }

  addText(text: string): void {
    const { length } = text
    this.reserve(length * 3)
    this.length += length <= LONG_TEXT && this.#writeAscii(text) ? length : this.bytes.write(text, this.length, this.#encoding)
  }

  /** Whether the text is ASCII, and written. */
  #writeAscii(text: string): boolean {
    const { bytes, length: base } = this
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[base + i] = code
    }
    return true
  }

  /** An exact number up to 2^53 as a decimal of `scale` digits after the point, and at least so many before it. */
  addDecimal(unscaled: number, scale: number, wholeDigits = 1): void {
    this.reserve(DECIMAL_BYTES)
    const { bytes, length: base } = this
    let rest = unscaled < 0 ? -unscaled : unscaled
    let digits = scale + wholeDigits
    for (let power = 10 ** digits; rest >= power; power *= 10) digits++
    let at = base + (unscaled < 0 ? 1 : 0) + digits + (scale > 0 ? 1 : 0)
    this.length = at
    // From the last digit on; what an integer of 32 bits holds is divided as one.
    let digit = 0
    for (; rest > 0x7fffffff; digit++) {
      if (digit === scale && scale > 0) bytes[--at] = 0x2e
      const next = Math.floor(rest / 10)
      bytes[--at] = 0x30 + (rest - next * 10)
      rest = next
    }
    for (let small = rest | 0; digit < digits; digit++) {
      if (digit === scale && scale > 0) bytes[--at] = 0x2e
      const next = (small / 10) | 0
      bytes[--at] = 0x30 + (small - next * 10)
      small = next
    }
    if (digits === scale) bytes[--at] = 0x2e
    if (unscaled < 0) bytes[base] = 0x2d
  }

  /** `size` characters: the first ones of the text, or all of them with others before. */
  addLeftPadded(bytes: Buffer, start: number, length: number, size: number, by: Buffer, byStart: number, byLength: number): void {
    this.#addPadding(size - charactersIn(bytes, start, length), by, byStart, byLength)
    this.#addFirst(bytes, start, length, size)
  }

  /** As `addLeftPadded`, with others behind. */
  addRightPadded(bytes: Buffer, start: number, length: number, size: number, by: Buffer, byStart: number, byLength: number): void {
    this.#addFirst(bytes, start, length, size)
    this.#addPadding(size - charactersIn(bytes, start, length), by, byStart, byLength)
  }

  #addFirst(bytes: Buffer, start: number, length: number, size: number): void {
    left(bytes, start, length, Math.max(0, size))
    this.add(bytes, start, found[1]!)
  }

  #addPadding(size: number, by: Buffer, byStart: number, byLength: number): void {
    if (size <= 0) return
    const whole = charactersIn(by, byStart, byLength)
    if (whole === 0) unmade('a text is to be padded by an empty one')
    this.#checkLength(size)
    for (let rest = size; rest > 0; rest -= whole) this.#addFirst(by, byStart, byLength, rest)
  }

  addRepeated(bytes: Buffer, start: number, length: number, times: number): void {
    this.#checkLength(length * times)
    if (length > 0) for (let i = 0; i < times; i++) this.add(bytes, start, length)
  }

  #checkLength(length: number): void {
    if (length > MADE_MAX) unmade('a text of more than 16 MiB is to be made by padding or repeating')
  }

  addLower(bytes: Buffer, start: number, length: number): void {
    if (!this.#addMapped(LOWER, bytes, start, length)) this.addText(lower(decode(bytes, start, length)))
  }

  addUpper(bytes: Buffer, start: number, length: number): void {
    if (!this.#addMapped(UPPER, bytes, start, length)) this.addText(upper(decode(bytes, start, length)))
  }

  /** Whether the text is ASCII, and written. */
  #addMapped(map: Uint8Array, bytes: Buffer, start: number, length: number): boolean {
    this.reserve(length)
    const to = this.bytes
    const base = this.length
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i]!
      if (byte > 0x7f) return false
      to[base + i] = map[byte]!
    }
    this.length = base + length
    return true
  }

  /** With another text in each place of `part`, unless that is empty. */
  addReplaced(bytes: Buffer, start: number, length: number, part: Part, by: Buffer, byStart: number, byLength: number): void {
    const end = start + length
    let from = start
    if (part.length > 0)
      for (let at = part.find(bytes, from, end); at >= 0; at = part.find(bytes, from, end)) {
        this.add(bytes, from, at - from)
        this.add(by, byStart, byLength)
        from = at + part.length
      }
    this.add(bytes, from, end - from)
  }
}
