// A column of a batch that grows: rows are copied to its end, or to places where others were.
import { copyBytes } from '../core/bytes.ts'
import { grown } from '../core/grown.ts'
import type { BytesColumn, Column, IntegerColumn } from '../schema/batch.ts'

/** Rows are either added or put. */
export class GrowingColumn {
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

  /** Valid until the next change. */
  get column(): Column {
    const nulls = this.#nulls
    if (this.#kind === 'bytes') return { kind: 'bytes', bytes: this.#bytes, start: this.#start, length: this.#length, nulls }
    if (this.#kind === 'integer') return { kind: 'integer', values: this.#values, big: this.#big, nulls }
    return { kind: 'number', values: this.#values, nulls }
  }

  /** The first rows, for good. */
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

  /** Its arrays stay. */
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

  #putBig({ values, big, nulls }: IntegerColumn, places: Int32Array, count: number): void {
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
