// The rows of a keyed generation while it has few keys: the latest row of each. What replaces a small table as a whole costs the
// engine a third of what deleting and inserting in it does, whatever part of it changed.
import { assert } from '../core/errors.ts'
import { type BytesColumn, type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { GrowingColumn } from './growing-column.ts'

export class LatestRows {
  readonly #shape: Shape
  readonly #key: readonly number[]
  readonly #keysMax: number
  readonly #columns: readonly GrowingColumn[]
  /** Row of each key. */
  readonly #places = new Map<Key, number>()
  #rows = 0

  constructor(shape: Shape, key: readonly string[], keysMax: number) {
    this.#shape = shape
    this.#key = key.map((name) => shape.fields.findIndex((field) => field.name === name))
    this.#keysMax = keysMax
    this.#columns = shape.fields.map((field) => new GrowingColumn(laneOf(field.type)))
  }

  /** All of them, as they are now. */
  copy(): ColumnBatch {
    return { shape: this.#shape, rows: this.#rows, columns: this.#columns.map((column) => column.copy(this.#rows)) }
  }

  /** Rows of the batch in place of others of their keys. False when there are too many keys: then it is what it was. */
  take(batch: ColumnBatch): boolean {
    assert(batch.columns.length === this.#columns.length, 'a batch has the columns of its shape')
    const places = this.#places
    const rows = new Int32Array(batch.rows)
    const keyAt = keysOf(this.#key.map((index) => batch.columns[index]!))
    for (let row = 0; row < batch.rows; row++) {
      const key = keyAt(row)
      let place = places.get(key)
      if (place === undefined) {
        place = places.size
        if (place === this.#keysMax) {
          this.#forgetUnput()
          return false
        }
        places.set(key, place)
      }
      rows[row] = place
    }
    for (const [index, column] of this.#columns.entries()) column.put(batch.columns[index]!, rows, places.size)
    this.#rows = places.size
    return true
  }

  #forgetUnput(): void {
    for (const [key, place] of this.#places) if (place >= this.#rows) this.#places.delete(key)
  }
}

type Key = string | number | bigint | null

/** Keys of rows, equal for those that the engine takes for equal: text by its bytes, numbers by value. */
function keysOf(columns: readonly Column[]): (row: number) => Key {
  const parts = columns.map(valuesOf)
  if (parts.length === 1) return parts[0]!
  return (row) => {
    let text = ''
    for (const part of parts) {
      const value = part(row)
      text += typeof value === 'string' ? `${value.length}:${value}` : `${value},`
    }
    return text
  }
}

function valuesOf(column: Column): (row: number) => Key {
  const { nulls } = column
  if (column.kind === 'bytes') {
    const { start, length } = column
    const buffer = bufferOf(column)
    return (row) => (nulls?.[row] ? null : buffer.latin1Slice(start[row]!, start[row]! + length[row]!))
  }
  const { values } = column
  const big = column.kind === 'integer' ? column.big : null
  if (!big) return (row) => (nulls?.[row] ? null : values[row]!)
  // A number where it is one, as in a batch of small ones.
  return (row) => (nulls?.[row] ? null : Number.isSafeInteger(Number(big[row])) ? Number(big[row]) : big[row]!)
}

const bufferOf = ({ bytes }: BytesColumn): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
