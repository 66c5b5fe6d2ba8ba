// Collects the texts that an expression computes into one bytes column.
import type { BytesColumn } from '../../schema/batch.ts'
import { TextBuffer } from './text-buffer.ts'

/** Room that a sink begins with. */
const ROW_BYTES = 8

export class TextSink {
  readonly #texts: TextBuffer
  readonly #start: Int32Array
  readonly #length: Int32Array

  constructor(rows: number, encoding: 'utf8' | 'latin1') {
    this.#texts = new TextBuffer(encoding, rows * ROW_BYTES)
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

  /** As `TextBuffer.addDecimal`. */
  putDecimal(row: number, unscaled: number, scale: number): void {
    const start = this.#texts.length
    this.#texts.addDecimal(unscaled, scale)
    this.#took(row, start)
  }

  #took(row: number, start: number): void {
    this.#start[row] = start
    this.#length[row] = this.#texts.length - start
  }

  /** Of the first rows. */
  column(nulls: Uint8Array | null, rows = this.#start.length): BytesColumn {
    const { bytes, length } = this.#texts
    const [starts, lengths] = [this.#start.subarray(0, rows), this.#length.subarray(0, rows)]
    return { kind: 'bytes', bytes: bytes.subarray(0, length), start: starts, length: lengths, nulls }
  }
}
