// Groups by key: each distinct combination of key values gets a number, in order of appearance. Open addressing over typed
// arrays; a large table has one index a shard (the highest bits of the hash), so that no growth touches more than a shard: they grow
// at different fillings, never all at once. Null equals null, NaN equals NaN and -0 equals 0, as in GROUP BY.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { BytesColumn, Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import { makeLane } from './make-lane.ts'
import type { Packed } from './pack.ts'
import { Ints } from './paged.ts'
import type { RecordReader, RecordWriter } from './record.ts'
import type { ValueLane } from './value-lane.ts'

/** Of rows: no group has their hash; the one that has it has another key. */
const NO_GROUP = -1
const ANOTHER = -2
const TWO_32 = 4_294_967_296
const START_PLACES = 16
/** How full an index gets before it grows: each shard a little more than the one before. */
const FULL = 0.55
const FULL_APART = 0.25
/** Tables of this many groups have 256 shards. */
const SHARDED_FROM = 16_384
const SHARD_BITS = 8
const SHARD_SHIFT = 32 - SHARD_BITS

export class KeyTable {
  readonly #types: readonly ValueType[]
  #lanes: readonly ValueLane[]
  #shardBits = 0
  /** By shard: pairs of a group (-1 for none) and its hash. */
  #slots: Int32Array[] = [emptyIndex(START_PLACES)]
  #filled: Int32Array = new Int32Array(1)
  readonly #hashes = new Ints()
  #size = 0
  #slotBytes = START_PLACES * 8

  constructor(types: readonly ValueType[]) {
    this.#types = types
    this.#lanes = types.map(makeLane)
  }

  /** How many groups there are; the newest has the highest number. */
  get size(): number {
    return this.#size
  }

  /** The group of each row, made where there is none, in the order of the rows; `out[i]` belongs to `rows[i]`. */
  find(columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array = new Int32Array(count)): Int32Array {
    const hashes = hashesOf(columns, rows, count)
    this.#guess(hashes, columns, rows, count, out)
    for (let i = 0; i < count; i++) if (out[i]! < 0) out[i] = this.#findOrAdd(columns, rows === null ? i : rows[i]!, hashes[i]!)
    return out
  }

  /** The group of each row; -1 where there is none. `out[i]` belongs to `rows[i]`. */
  lookup(columns: readonly Column[], rows: Int32Array | null, count: number): Int32Array {
    const hashes = hashesOf(columns, rows, count)
    const out = new Int32Array(count)
    this.#guess(hashes, columns, rows, count, out)
    for (let i = 0; i < count; i++) {
      if (out[i] !== ANOTHER) continue
      const slots = this.#slots[this.#shardOf(hashes[i]!)]!
      out[i] = slots[this.#placeOf(slots, columns, rows === null ? i : rows[i]!, hashes[i]!)]!
    }
    return out
  }

  /**
   * The group of each row if it is the first that has the row's hash: -1 where none has, ANOTHER where its key is another. Step by step for
   * all rows, so that processors fetch the memory of many at once.
   */
  #guess(hashes: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array): void {
    const isSharded = this.#shardBits !== 0
    const first = this.#slots[0]!
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!
      const slots = isSharded ? this.#slots[hash >>> SHARD_SHIFT]! : first
      out[i] = slots[(hash << 1) & (slots.length - 1)]!
    }
    for (let i = 0; i < count; i++) {
      if (out[i] === NO_GROUP) continue
      const hash = hashes[i]!
      const slots = isSharded ? this.#slots[hash >>> SHARD_SHIFT]! : first
      const mask = slots.length - 1
      let at = (hash << 1) & mask
      while (slots[at]! >= 0 && slots[at + 1] !== hash) at = (at + 2) & mask
      out[i] = slots[at]!
    }
    for (const [key, column] of columns.entries()) this.#lanes[key]!.keepSame(out, column, rows, count, ANOTHER)
  }

  #findOrAdd(columns: readonly Column[], row: number, hash: number): number {
    const shard = this.#shardOf(hash)
    const slots = this.#slots[shard]!
    const at = this.#placeOf(slots, columns, row, hash)
    if (slots[at]! >= 0) return slots[at]!
    const group = this.#add(columns, row, hash)
    slots[at] = group
    slots[at + 1] = hash
    this.#filled[shard]!++
    this.#makeRoom(shard)
    return group
  }

  /** Where the group of the row stands, or has room. */
  #placeOf(slots: Int32Array, columns: readonly Column[], row: number, hash: number): number {
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at]! >= 0 && !(slots[at + 1] === hash && this.#isSame(slots[at]!, columns, row))) at = (at + 2) & mask
    return at
  }

  /** The values of one column of the key. */
  lane(key: number): ValueLane {
    return this.#lanes[key]!
  }

  /** How many columns a key has. */
  get width(): number {
    return this.#types.length
  }

  /** The group of the key that was written there; -1 where there is none. The reader stays. */
  groupOf(hash: number, from: RecordReader): number {
    const { at: start } = from
    const slots = this.#slots[this.#shardOf(hash)]!
    const mask = slots.length - 1
    let at = (hash << 1) & mask
    while (slots[at]! >= 0) {
      const isFound = slots[at + 1] === hash && this.isKey(slots[at]!, from)
      from.at = start
      if (isFound) break
      at = (at + 2) & mask
    }
    return slots[at]!
  }

  /** A new group of the key that was written there, which has none. */
  addRead(hash: number, from: RecordReader): number {
    const group = this.#size++
    const shard = this.#shardOf(hash)
    this.#hashes.put(group, hash)
    this.read(group, from)
    enter(this.#slots[shard]!, group, hash)
    this.#filled[shard]!++
    this.#makeRoom(shard)
    return group
  }

  hashOf(group: number): number {
    return this.#hashes.at(group)
  }

  write(group: number, out: RecordWriter): void {
    for (const lane of this.#lanes) lane.write(group, out)
  }

  /** Puts the very value there that was written, of several that are one key. */
  read(group: number, from: RecordReader): void {
    for (const lane of this.#lanes) lane.read(group, from)
  }

  /** Whether what was written there is the key of the group; goes anywhere within it. */
  isKey(group: number, from: RecordReader): boolean {
    for (const lane of this.#lanes) if (!lane.isSame(group, from)) return false
    return true
  }

  #isSame(group: number, columns: readonly Column[], row: number): boolean {
    for (let key = 0; key < columns.length; key++) if (!this.#lanes[key]!.holds(group, columns[key]!, row)) return false
    return true
  }

  #add(columns: readonly Column[], row: number, hash: number): number {
    const group = this.#size++
    this.#hashes.put(group, hash)
    for (let key = 0; key < columns.length; key++) this.#lanes[key]!.put(group, columns[key]!, row)
    return group
  }

  /** Shards reach it one after another. */
  #makeRoom(shard: number): void {
    if (this.#shardBits === 0 && this.#size >= SHARDED_FROM) {
      this.#index()
      return
    }
    if (this.#filled[shard]! * 2 > this.#slots[shard]!.length * (FULL + FULL_APART * (shard / 256))) this.#grow(shard)
  }

  #grow(shard: number): void {
    const old = this.#slots[shard]!
    const slots = emptyIndex(old.length)
    for (let i = 0; i < old.length; i += 2) if (old[i]! >= 0) enter(slots, old[i]!, old[i + 1]!)
    this.#slots[shard] = slots
    this.#slotBytes += old.byteLength
  }

  #shardOf(hash: number): number {
    return this.#shardBits === 0 ? 0 : hash >>> SHARD_SHIFT
  }

  /** Key values of some groups, one column a key. */
  columns(groups: Int32Array, count: number): Column[] {
    return this.#lanes.map((lane) => lane.column(groups, count))
  }

  /** Of memory. */
  get bytes(): number {
    return this.#slotBytes + this.#hashes.bytes + bytesOf(this.#lanes)
  }

  save(): unknown {
    return { size: this.#size, hashes: this.#hashes.freeze(this.#size), lanes: this.#lanes.map((lane) => lane.save(this.#size)) }
  }

  restore(saved: unknown): void {
    const { size, hashes, lanes } = saved as { size: number; hashes: Packed; lanes: readonly unknown[] }
    this.#size = size
    this.#hashes.restore(hashes)
    this.#lanes = this.#types.map(makeLane)
    for (const [key, lane] of this.#lanes.entries()) lane.restore(lanes[key])
    this.#index()
  }

  /** Anew: each shard as large as it has to be. */
  #index(): void {
    this.#shardBits = this.#size < SHARDED_FROM ? 0 : SHARD_BITS
    const filled = new Int32Array(1 << this.#shardBits)
    for (let group = 0; group < this.#size; group++) filled[this.#shardOf(this.#hashes.at(group))]!++
    this.#filled = filled
    this.#slots = Array.from(filled, (groups) => {
      let places = START_PLACES
      while (groups > places * FULL) places *= 2
      return emptyIndex(places)
    })
    this.#slotBytes = this.#slots.reduce((sum, { byteLength }) => sum + byteLength, 0)
    for (let group = 0; group < this.#size; group++) {
      const hash = this.#hashes.at(group)
      enter(this.#slots[this.#shardOf(hash)]!, group, hash)
    }
  }
}

const emptyIndex = (places: number): Int32Array => new Int32Array(places * 2).fill(-1)

function enter(slots: Int32Array, group: number, hash: number): void {
  const mask = slots.length - 1
  let at = (hash << 1) & mask
  while (slots[at]! >= 0) at = (at + 2) & mask
  slots[at] = group
  slots[at + 1] = hash
}

const bytesOf = (lanes: readonly ValueLane[]): number => lanes.reduce((sum, { bytes }) => sum + bytes, 0)

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

const SEED = 0x2545f491

/** Hashes of one column's values, equal for equal values; independent for other seeds. */
export function hashColumn(column: Column, rows: Int32Array | null, count: number, seed: number): Int32Array {
  return hashesOf([column], rows, count, seed)
}

/** Of the values alone: the same for a value whichever column or batch it comes from. */
function hashesOf(columns: readonly Column[], rows: Int32Array | null, count: number, seed = SEED): Int32Array {
  const hashes = new Int32Array(count).fill(seed)
  for (const column of columns) {
    if (column.kind === 'bytes') hashBytes(column, rows, count, hashes)
    else if (column.kind === 'number') hashNumbers(column, rows, count, hashes)
    else if (column.big) hashLongs(column.big, column.nulls, rows, count, hashes)
    else hashIntegers(column, rows, count, hashes)
  }
  return hashes
}

function mix(hash: number, low: number, high: number): number {
  let h = Math.imul(hash ^ low, 0x9e3779b1)
  h ^= h >>> 15
  h = Math.imul(h ^ high, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

// Of each value its low and its high half, which are equal exactly for values of one group; of null 0 and 1.

function hashNumbers({ values, nulls }: NumberColumn, rows: Int32Array | null, count: number, hashes: Int32Array): void {
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    const value = values[row]!
    double[0] = value === 0 ? 0 : Number.isNaN(value) ? Number.NaN : value
    hashes[i] = nulls !== null && nulls[row] === 1 ? mix(hashes[i]!, 0, 1) : mix(hashes[i]!, halves[0]!, halves[1]!)
  }
}

function hashIntegers({ values, nulls }: IntegerColumn, rows: Int32Array | null, count: number, hashes: Int32Array): void {
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    const value = values[row]!
    hashes[i] = nulls !== null && nulls[row] === 1 ? mix(hashes[i]!, 0, 1) : mix(hashes[i]!, value | 0, Math.floor(value / TWO_32) | 0)
  }
}

function hashLongs(big: BigInt64Array, nulls: Uint8Array | null, rows: Int32Array | null, count: number, hashes: Int32Array): void {
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    const value = big[row]!
    hashes[i] =
      nulls !== null && nulls[row] === 1
        ? mix(hashes[i]!, 0, 1)
        : mix(hashes[i]!, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)))
  }
}

function hashBytes({ bytes, start, length, nulls }: BytesColumn, rows: Int32Array | null, count: number, hashes: Int32Array): void {
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    let hash = 0x811c9dc5 ^ hashes[i]!
    if (nulls === null || nulls[row] === 0) {
      const end = start[row]! + length[row]!
      for (let at = start[row]!; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
    }
    hashes[i] = mix(hashes[i]!, hash, 0)
  }
}
