// The rows of a keyed generation while it has few keys: the latest row of each. What replaces a small table as a whole costs the
// engine a third of what deleting and inserting in it does, whatever part of it changed.
import { type BytesColumn, type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Shape } from '../schema/type.ts'

export class LatestRows {
  readonly #shape: Shape
  readonly #key: readonly number[]
  readonly #keysMax: number
  #columns: readonly Column[]
  /** Row of each key. */
  readonly #places = new Map<string, number>()

  constructor(shape: Shape, key: readonly string[], keysMax: number) {
    this.#shape = shape
    this.#key = key.map((name) => shape.fields.findIndex((field) => field.name === name))
    this.#keysMax = keysMax
    this.#columns = shape.fields.map((field) => joinColumns(laneOf(field.type), []))
  }

  /** All rows, with those of the batch in place of others of their keys; null when there are too many keys: it is of no use then. */
  take(batch: ColumnBatch): ColumnBatch | null {
    const places = this.#places
    const before = places.size
    const rows = Array.from({ length: before }, (_, row) => row)
    for (let row = 0; row < batch.rows; row++) {
      const key = keyAt(batch, this.#key, row)
      const place = places.get(key) ?? rows.length
      places.set(key, place)
      rows[place] = before + row
      if (rows.length > this.#keysMax) return null
    }
    const joined = this.#columns.map((column, index) =>
      joinColumns(column.kind, [
        [column, before],
        [batch.columns[index]!, batch.rows],
      ]),
    )
    this.#columns = joined.map((column) => gather(column, rows))
    return { shape: this.#shape, rows: rows.length, columns: this.#columns }
  }
}

/** Equal for keys that the engine takes for equal: text by its bytes, numbers by value. */
function keyAt(batch: ColumnBatch, key: readonly number[], row: number): string {
  let text = ''
  for (const index of key) {
    const column = batch.columns[index]!
    if (column.nulls?.[row]) text += 'n'
    else if (column.kind === 'bytes') {
      const start = column.start[row]!
      text += `${column.length[row]}:${bytesOf(column).latin1Slice(start, start + column.length[row]!)}`
    } else text += `${column.kind === 'integer' && column.big ? column.big[row] : column.values[row]},`
  }
  return text
}

const bytesOf = ({ bytes }: BytesColumn): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** The chosen rows in arrays of their own, without what no row needs any more. */
function gather(column: Column, rows: readonly number[]): Column {
  const nulls = column.nulls ? Uint8Array.from(rows, (row) => column.nulls![row]!) : null
  if (column.kind === 'number') return { kind: 'number', values: Float64Array.from(rows, (row) => column.values[row]!), nulls }
  if (column.kind === 'integer') {
    if (column.big)
      return { kind: 'integer', values: new Float64Array(0), big: BigInt64Array.from(rows, (row) => column.big![row]!), nulls }
    return { kind: 'integer', values: Float64Array.from(rows, (row) => column.values[row]!), big: null, nulls }
  }
  const start = new Int32Array(rows.length)
  const length = new Int32Array(rows.length)
  let size = 0
  for (const [place, row] of rows.entries()) {
    start[place] = size
    length[place] = column.nulls?.[row] ? 0 : column.length[row]!
    size += length[place]!
  }
  const bytes = new Uint8Array(size)
  for (const [place, row] of rows.entries())
    bytes.set(column.bytes.subarray(column.start[row]!, column.start[row]! + length[place]!), start[place]!)
  return { kind: 'bytes', bytes, start, length, nulls }
}
