// Collects the texts that an expression computes into one bytes column.
import type { BytesColumn } from '../../schema/batch.ts'
import { TextBuffer } from './text-buffer.ts'

const FIRST_BYTES = 1 << 12
/** 16 digits, a sign and a point, or as many zeros as a decimal has digits after its point. */
const DECIMAL_BYTES = 48

export class TextSink {
  readonly #texts: TextBuffer
  readonly #start: Int32Array
  readonly #length: Int32Array

  constructor(rows: number, encoding: 'utf8' | 'latin1') {
    this.#texts = new TextBuffer(encoding, FIRST_BYTES)
    this.#start = new Int32Array(rows)
    this.#length = new Int32Array(rows)
  }

  put(row: number, text: string): void {
    const start = this.#texts.length
    this.#texts.addText(text)
    this.#took(row, start)
  }

  /** Text that lies in bytes already, in the sink's encoding. */
  copy(row: number, bytes: Buffer, from: number, length: number): void {
    const start = this.#texts.length
    this.#texts.add(bytes, from, length)
    this.#took(row, start)
  }

  /** An exact number up to 2^53 as a decimal of `scale` digits after the point. */
  putDecimal(row: number, unscaled: number, scale: number): void {
    const texts = this.#texts
    texts.reserve(DECIMAL_BYTES)
    const { bytes, length: base } = texts
    let rest = unscaled < 0 ? -unscaled : unscaled
    let digits = scale + 1
    for (let power = 10 ** digits; rest >= power; power *= 10) digits++
    let at = base + (unscaled < 0 ? 1 : 0) + digits + (scale > 0 ? 1 : 0)
    texts.length = at
    // From the last digit on.
    for (let digit = 0; digit < digits; digit++) {
      if (digit === scale && scale > 0) bytes[--at] = 0x2e
      const next = Math.floor(rest / 10)
      bytes[--at] = 0x30 + (rest - next * 10)
      rest = next
    }
    if (unscaled < 0) bytes[base] = 0x2d
    this.#took(row, base)
  }

  #took(row: number, start: number): void {
    this.#start[row] = start
    this.#length[row] = this.#texts.length - start
  }

  column(nulls: Uint8Array | null): BytesColumn {
    const { bytes, length } = this.#texts
    return { kind: 'bytes', bytes: bytes.subarray(0, length), start: this.#start, length: this.#length, nulls }
  }
}
