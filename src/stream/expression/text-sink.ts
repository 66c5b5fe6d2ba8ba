// Collects the texts that an expression computes into one bytes column.
import type { BytesColumn } from '../../schema/batch.ts'

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
    const room = text.length * 3
    if (this.#used + room > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + room))
      this.#bytes.copy(larger, 0, 0, this.#used)
      this.#bytes = larger
    }
    const size = this.#bytes.write(text, this.#used, this.#encoding)
    this.#start[row] = this.#used
    this.#length[row] = size
    this.#used += size
  }

  column(nulls: Uint8Array | null): BytesColumn {
    return { kind: 'bytes', bytes: this.#bytes.subarray(0, this.#used), start: this.#start, length: this.#length, nulls }
  }
}
