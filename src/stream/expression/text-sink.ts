// Collects the texts that an expression computes into one bytes column.
import type { BytesColumn } from '../../schema/batch.ts'

/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT = 48
/** 16 digits, a sign and a point, or as many zeros as a decimal has digits after its point. */
const DECIMAL_BYTES = 48

export class TextSink {
  #bytes = Buffer.allocUnsafe(1 << 12)
  #used = 0
  readonly #start: Int32Array
  readonly #length: Int32Array
  readonly #encoding: 'utf8' | 'latin1'

  constructor(rows: number, encoding: 'utf8' | 'latin1') {
    this.#start = new Int32Array(rows)
    this.#length = new Int32Array(rows)
    this.#encoding = encoding
  }

  put(row: number, text: string): void {
    const { length } = text
    this.#reserve(length * 3)
    this.#took(row, length <= SHORT && this.#putPlain(text) ? length : this.#bytes.write(text, this.#used, this.#encoding))
  }

  /** Text that lies in bytes already, in the sink's encoding. */
  copy(row: number, bytes: Uint8Array, start: number, length: number): void {
    this.#reserve(length)
    if (length > SHORT) this.#bytes.set(bytes.subarray(start, start + length), this.#used)
    else for (let i = 0; i < length; i++) this.#bytes[this.#used + i] = bytes[start + i]!
    this.#took(row, length)
  }

  /** An exact number up to 2^53 as a decimal of `scale` digits after the point. */
  putDecimal(row: number, unscaled: number, scale: number): void {
    this.#reserve(DECIMAL_BYTES)
    const bytes = this.#bytes
    let at = DECIMAL_BYTES
    let rest = unscaled < 0 ? -unscaled : unscaled
    const base = this.#used
    // From the last digit on, to the end of the room; then moved to its start.
    for (let digit = 0; rest > 0 || digit <= scale; digit++) {
      if (digit === scale && scale > 0) bytes[base + --at] = 0x2e
      const next = Math.floor(rest / 10)
      bytes[base + --at] = 0x30 + (rest - next * 10)
      rest = next
    }
    if (unscaled < 0) bytes[base + --at] = 0x2d
    bytes.copyWithin(base, base + at, base + DECIMAL_BYTES)
    this.#took(row, DECIMAL_BYTES - at)
  }

  #reserve(room: number): void {
    if (this.#used + room <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + room))
    this.#bytes.copy(larger, 0, 0, this.#used)
    this.#bytes = larger
  }

  /** Whether the text is ASCII, and written. */
  #putPlain(text: string): boolean {
    const bytes = this.#bytes
    const base = this.#used
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) return false
      bytes[base + i] = code
    }
    return true
  }

  #took(row: number, size: number): void {
    this.#start[row] = this.#used
    this.#length[row] = size
    this.#used += size
  }

  column(nulls: Uint8Array | null): BytesColumn {
    return { kind: 'bytes', bytes: this.#bytes.subarray(0, this.#used), start: this.#start, length: this.#length, nulls }
  }
}
