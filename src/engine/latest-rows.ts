// The rows of a keyed generation while it has few keys: the latest row of each. What replaces a small table as a whole costs the
// engine a third of what deleting and inserting in it does, whatever part of it changed.
import { assert } from '../core/errors.ts'
import { grown } from '../core/grown.ts'
import { type BytesColumn, type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'

export class LatestRows {
  readonly #shape: Shape
  readonly #key: readonly number[]
  readonly #keysMax: number
  readonly #columns: readonly LatestColumn[]
  /** Row of each key. */
  readonly #places = new Map<Key, number>()
  #rows = 0

  constructor(shape: Shape, key: readonly string[], keysMax: number) {
    this.#shape = shape
    this.#key = key.map((name) => shape.fields.findIndex((field) => field.name === name))
    this.#keysMax = keysMax
    this.#columns = shape.fields.map((field) => new LatestColumn(laneOf(field.type)))
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

/** Values by their places; its arrays grow. */
class LatestColumn {
  readonly #kind: Column['kind']
  #values = new Float64Array(0)
  /** Of integers, once one did not fit in a double: then `#values` has none. */
  #big: BigInt64Array<ArrayBuffer> | null = null
  #nulls: Uint8Array<ArrayBuffer> | null = null
  #start = new Int32Array(0)
  #length = new Int32Array(0)
  #bytes = new Uint8Array(0)
  /** Bytes that were written: what was replaced is still among them. */
  #used = 0

  constructor(kind: Column['kind']) {
    this.#kind = kind
  }

  copy(rows: number): Column {
    const nulls = this.#nulls?.slice(0, rows) ?? null
    if (this.#kind === 'bytes') {
      const [start, length] = [this.#start.slice(0, rows), this.#length.slice(0, rows)]
      return { kind: 'bytes', bytes: this.#bytes.slice(0, this.#used), start, length, nulls }
    }
    const values = this.#values.slice(0, rows)
    if (this.#kind === 'integer') return { kind: 'integer', values, big: this.#big?.slice(0, rows) ?? null, nulls }
    return { kind: 'number', values, nulls }
  }

  /** Row i of `column` at `places[i]`; all places are below `count` afterwards. */
  put(column: Column, places: Int32Array, count: number): void {
    this.#putNulls(column, places, count)
    if (column.kind === 'bytes') this.#putBytes(column, places, count)
    else if (column.kind === 'integer' && (column.big || this.#big)) this.#putBig(column, places, count)
    else {
      this.#values = grown(this.#values, count)
      // At a null row may stand anything.
      for (let row = 0; row < places.length; row++) this.#values[places[row]!] = column.nulls?.[row] ? 0 : column.values[row]!
    }
  }

  #putNulls({ nulls }: Column, places: Int32Array, count: number): void {
    if (!nulls && !this.#nulls) return
    this.#nulls = grown(this.#nulls ?? new Uint8Array(0), count)
    for (let row = 0; row < places.length; row++) this.#nulls[places[row]!] = nulls ? nulls[row]! : 0
  }

  #putBig({ values, big, nulls }: Extract<Column, { kind: 'integer' }>, places: Int32Array, count: number): void {
    this.#big ??= BigInt64Array.from(this.#values, BigInt)
    this.#big = grown(this.#big, count)
    for (let row = 0; row < places.length; row++) this.#big[places[row]!] = nulls?.[row] ? 0n : big ? big[row]! : BigInt(values[row]!)
  }

  #putBytes({ bytes, start, length, nulls }: BytesColumn, places: Int32Array, count: number): void {
    this.#start = grown(this.#start, count)
    this.#length = grown(this.#length, count)
    for (let row = 0; row < places.length; row++) {
      const size = nulls?.[row] ? 0 : length[row]!
      const place = places[row]!
      if (size > this.#length[place]!) this.#giveRoom(place, size)
      const [from, to] = [start[row]!, this.#start[place]!]
      for (let i = 0; i < size; i++) this.#bytes[to + i] = bytes[from + i]!
      this.#length[place] = size
    }
  }

  /** What it had does not suffice. */
  #giveRoom(place: number, size: number): void {
    if (this.#used + size > this.#bytes.length) this.#makeRoom(size)
    this.#start[place] = this.#used
    this.#used += size
  }

  /** Leaves out what no row has any more; twice the room that is needed, so that it is rarely done. */
  #makeRoom(size: number): void {
    const before = this.#bytes
    let live = 0
    for (let place = 0; place < this.#length.length; place++) live += this.#length[place]!
    this.#bytes = new Uint8Array((live + size) * 2)
    this.#used = 0
    for (let place = 0; place < this.#length.length; place++) {
      const from = this.#start[place]!
      this.#bytes.set(before.subarray(from, from + this.#length[place]!), this.#used)
      this.#start[place] = this.#used
      this.#used += this.#length[place]!
    }
  }
}
