// Rows that wait to go into a table of the engine together, copied out of the batches that they came in. A statement costs the engine
// most of a millisecond however many rows it brings.
import { copyBytes } from '../core/bytes.ts'
import { grown } from '../core/grown.ts'
import { type BytesColumn, type Column, type ColumnBatch, type IntegerColumn, laneOf } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'

export class WaitingRows {
  readonly #shape: Shape
  readonly #columns: readonly WaitingColumn[]
  #rows = 0

  constructor(shape: Shape) {
    this.#shape = shape
    this.#columns = shape.fields.map(({ type }) => new WaitingColumn(laneOf(type)))
  }

  get rows(): number {
    return this.#rows
  }

  /** All of them, in the order in which they came; until the next are added. */
  get batch(): ColumnBatch {
    return { shape: this.#shape, rows: this.#rows, columns: this.#columns.map((column) => column.column) }
  }

  add(batch: ColumnBatch): void {
    for (const [index, column] of this.#columns.entries()) column.add(batch.columns[index]!, this.#rows, batch.rows)
    this.#rows += batch.rows
  }

  clear(): void {
    for (const column of this.#columns) column.clear()
    this.#rows = 0
  }
}

/** Its arrays grow, and stay when it is cleared. */
class WaitingColumn {
  readonly #kind: Column['kind']
  #values = new Float64Array(0)
  /** Of integers, once some did not fit in a double; then `#values` has none. */
  #big: BigInt64Array<ArrayBuffer> | null = null
  #nulls: Uint8Array<ArrayBuffer> | null = null
  #start = new Int32Array(0)
  #length = new Int32Array(0)
  #bytes = new Uint8Array(0)
  #used = 0

  constructor(kind: Column['kind']) {
    this.#kind = kind
  }

  get column(): Column {
    const nulls = this.#nulls
    if (this.#kind === 'bytes') return { kind: 'bytes', bytes: this.#bytes, start: this.#start, length: this.#length, nulls }
    if (this.#kind === 'integer') return { kind: 'integer', values: this.#values, big: this.#big, nulls }
    return { kind: 'number', values: this.#values, nulls }
  }

  clear(): void {
    this.#big = null
    this.#nulls = null
    this.#used = 0
  }

  /** `count` rows of the column behind the `rows` that there are. */
  add(column: Column, rows: number, count: number): void {
    this.#addNulls(column, rows, count)
    if (column.kind === 'bytes') this.#addBytes(column, rows, count)
    else if (column.kind === 'integer' && (column.big || this.#big)) this.#addBig(column, rows, count)
    else {
      this.#values = grown(this.#values, rows + count)
      this.#values.set(column.values.subarray(0, count), rows)
      // At a null row may stand anything.
      if (column.nulls) for (let row = 0; row < count; row++) if (column.nulls[row]) this.#values[rows + row] = 0
    }
  }

  #addNulls({ nulls }: Column, rows: number, count: number): void {
    if (!nulls && !this.#nulls) return
    this.#nulls = grown(this.#nulls ?? new Uint8Array(0), rows + count)
    if (nulls) this.#nulls.set(nulls.subarray(0, count), rows)
    else this.#nulls.fill(0, rows, rows + count)
  }

  #addBig({ values, big, nulls }: IntegerColumn, rows: number, count: number): void {
    this.#big ??= BigInt64Array.from(this.#values.subarray(0, rows), BigInt)
    this.#big = grown(this.#big, rows + count)
    if (big) this.#big.set(big.subarray(0, count), rows)
    else for (let row = 0; row < count; row++) this.#big[rows + row] = nulls?.[row] ? 0n : BigInt(values[row]!)
  }

  #addBytes({ bytes, start, length, nulls }: BytesColumn, rows: number, count: number): void {
    this.#start = grown(this.#start, rows + count)
    this.#length = grown(this.#length, rows + count)
    let size = 0
    for (let row = 0; row < count; row++) size += nulls?.[row] ? 0 : length[row]!
    this.#bytes = grown(this.#bytes, this.#used + size)
    for (let row = 0; row < count; row++) {
      const own = nulls?.[row] ? 0 : length[row]!
      copyBytes(bytes, start[row]!, own, this.#bytes, this.#used)
      this.#start[rows + row] = this.#used
      this.#length[rows + row] = own
      this.#used += own
    }
  }
}
