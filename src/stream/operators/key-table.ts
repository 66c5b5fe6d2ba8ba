// Groups by key: each distinct combination of key values gets a number, in order of appearance. Open addressing over typed
// arrays, one index a shard (the highest bits of the hash), so that no growth touches more than a shard; shards grow at
// different fillings, never all at once. Null equals null, NaN equals NaN and -0 equals 0, as in GROUP BY.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { BytesColumn, Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import { laneOfValue } from '../expression/lane.ts'
import { grown, type Packed, pack, unpackInts } from './pack.ts'
import { makeLane, type ValueLane } from './value-lane.ts'

const TWO_32 = 4_294_967_296
const START_SLOTS = 16

/** What equality and hashing look at: 64-bit words of fixed-width values, or bytes. */
type KeyPart = { readonly kind: 'words' } | { readonly kind: 'bytes' }

export class KeyTable {
  readonly #types: readonly ValueType[]
  readonly #parts: readonly KeyPart[]
  #lanes: readonly ValueLane[]
  /** Two 32-bit halves a group, by key; the third says null. Of bytes: none. */
  #words: Int32Array[]
  readonly #shardBits: number
  #slots: Int32Array[]
  #filled: Int32Array
  #hashes: Int32Array = new Int32Array(16)
  #size = 0
  #slotBytes: number

  /** `shards`: 1 or 256. */
  constructor(types: readonly ValueType[], shards: 1 | 256 = 1) {
    this.#types = types
    this.#parts = types.map((type) => ({ kind: laneOfValue(type) === 'bytes' ? 'bytes' : 'words' }))
    this.#shardBits = shards === 1 ? 0 : 8
    this.#lanes = types.map(makeLane)
    this.#words = types.map(() => new Int32Array(48))
    this.#slots = Array.from({ length: shards }, () => new Int32Array(START_SLOTS).fill(-1))
    this.#filled = new Int32Array(shards)
    this.#slotBytes = shards * START_SLOTS * 4
  }

  /** How many groups there are; the newest has the highest number. */
  get size(): number {
    return this.#size
  }

  /** The group of each row, made where there is none; `out[i]` belongs to `rows[i]`. */
  find(columns: readonly Column[], rows: Int32Array | null, count: number, out: Int32Array = new Int32Array(count)): Int32Array {
    const words = columns.map((column, key) => (this.#parts[key]!.kind === 'bytes' ? null : wordsOf(column, rows, count)))
    const hashes = hashesOf(columns, words, rows, count)
    const shift = 32 - this.#shardBits
    for (let i = 0; i < count; i++) {
      const hash = hashes[i]!
      const shard = this.#shardBits === 0 ? 0 : hash >>> shift
      const slots = this.#slots[shard]!
      const mask = slots.length - 1
      let at = hash & mask
      let group = slots[at]!
      while (group >= 0 && !(this.#hashes[group] === hash && this.#isSame(group, columns, words, i, rows === null ? i : rows[i]!))) {
        at = (at + 1) & mask
        group = slots[at]!
      }
      if (group < 0) {
        group = this.#add(columns, words, i, rows === null ? i : rows[i]!, hash)
        slots[at] = group
        this.#filled[shard]!++
        if (this.#filled[shard]! > slots.length * (0.45 + 0.2 * (shard / 256))) this.#grow(shard)
      }
      out[i] = group
    }
    return out
  }

  #isSame(group: number, columns: readonly Column[], words: readonly (Int32Array | null)[], i: number, row: number): boolean {
    for (let key = 0; key < words.length; key++) {
      const own = words[key]!
      if (own) {
        const held = this.#words[key]!
        if (held[group * 3] !== own[i * 3] || held[group * 3 + 1] !== own[i * 3 + 1] || held[group * 3 + 2] !== own[i * 3 + 2]) return false
        continue
      }
      const lane = this.#lanes[key]!
      const column = columns[key]!
      const isNull = column.nulls !== null && column.nulls[row] === 1
      if (isNull !== lane.isNull(group) || (!isNull && lane.compareRow(group, column, row) !== 0)) return false
    }
    return true
  }

  #add(columns: readonly Column[], words: readonly (Int32Array | null)[], i: number, row: number, hash: number): number {
    const group = this.#size++
    this.#hashes = grown(this.#hashes, group + 1)
    this.#hashes[group] = hash
    for (let key = 0; key < columns.length; key++) {
      this.#lanes[key]!.put(group, columns[key]!, row)
      const own = words[key]
      if (!own) continue
      const held = grown(this.#words[key]!, group * 3 + 3)
      this.#words[key] = held
      held[group * 3] = own[i * 3]!
      held[group * 3 + 1] = own[i * 3 + 1]!
      held[group * 3 + 2] = own[i * 3 + 2]!
    }
    return group
  }

  #grow(shard: number): void {
    const old = this.#slots[shard]!
    const slots = new Int32Array(old.length * 2).fill(-1)
    const mask = slots.length - 1
    for (let i = 0; i < old.length; i++) {
      const group = old[i]!
      if (group < 0) continue
      let at = this.#hashes[group]! & mask
      while (slots[at]! >= 0) at = (at + 1) & mask
      slots[at] = group
    }
    this.#slots[shard] = slots
    this.#slotBytes += old.byteLength
  }

  /** Key values of some groups, one column a key. */
  columns(groups: Int32Array, count: number): Column[] {
    return this.#lanes.map((lane) => lane.column(groups, count))
  }

  /** Of memory. */
  get bytes(): number {
    return (
      this.#slotBytes + this.#hashes.byteLength + bytesOf(this.#lanes) + this.#words.reduce((sum, { byteLength }) => sum + byteLength, 0)
    )
  }

  save(): unknown {
    return { size: this.#size, hashes: pack(this.#hashes, this.#size), lanes: this.#lanes.map((lane) => lane.save(this.#size)) }
  }

  restore(saved: unknown): void {
    const { size, hashes, lanes } = saved as { size: number; hashes: Packed; lanes: readonly unknown[] }
    this.#size = size
    this.#hashes = unpackInts(hashes)
    this.#lanes = this.#types.map(makeLane)
    for (const [key, lane] of this.#lanes.entries()) lane.restore(lanes[key])
    const all = Int32Array.from({ length: size }, (_, group) => group)
    this.#words = this.#lanes.map((lane, key) =>
      this.#parts[key]!.kind === 'bytes' ? new Int32Array(0) : wordsOf(lane.column(all, size), null, size),
    )
    this.#slots = this.#slots.map(() => new Int32Array(START_SLOTS).fill(-1))
    this.#filled.fill(0)
    this.#slotBytes = this.#slots.length * START_SLOTS * 4
    for (let group = 0; group < size; group++) this.#place(group)
  }

  #place(group: number): void {
    const hash = this.#hashes[group]!
    const shard = this.#shardBits === 0 ? 0 : hash >>> (32 - this.#shardBits)
    if (++this.#filled[shard]! > this.#slots[shard]!.length * 0.5) this.#grow(shard)
    const slots = this.#slots[shard]!
    let at = hash & (slots.length - 1)
    while (slots[at]! >= 0) at = (at + 1) & (slots.length - 1)
    slots[at] = group
  }
}

const bytesOf = (lanes: readonly ValueLane[]): number => lanes.reduce((sum, { bytes }) => sum + bytes, 0)

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

/** Low and high half and whether it is null; equal exactly for values of one group. */
function wordsOf(column: Column, rows: Int32Array | null, count: number): Int32Array {
  const words = new Int32Array(count * 3)
  const { nulls } = column
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (nulls !== null && nulls[row] === 1) {
      words[i * 3 + 2] = 1
      continue
    }
    if (column.kind === 'integer') {
      const { values, big } = column as IntegerColumn
      if (big) {
        words[i * 3] = Number(BigInt.asIntN(32, big[row]!))
        words[i * 3 + 1] = Number(big[row]! >> 32n)
      } else {
        const high = Math.floor(values[row]! / TWO_32)
        words[i * 3] = values[row]! - high * TWO_32
        words[i * 3 + 1] = high
      }
      continue
    }
    const value = (column as NumberColumn).values[row]!
    double[0] = value === 0 ? 0 : Number.isNaN(value) ? Number.NaN : value
    words[i * 3] = halves[0]!
    words[i * 3 + 1] = halves[1]!
  }
  return words
}

const SEED = 0x2545f491

/** Hashes of one column's values, equal for equal values; independent for other seeds. */
export function hashColumn(column: Column, rows: Int32Array | null, count: number, seed: number): Int32Array {
  const words = column.kind === 'bytes' ? null : wordsOf(column, rows, count)
  return hashesOf([column], [words], rows, count, seed)
}

/** Of the values alone: the same for a value whichever column or batch it comes from. */
function hashesOf(
  columns: readonly Column[],
  words: readonly (Int32Array | null)[],
  rows: Int32Array | null,
  count: number,
  seed = SEED,
): Int32Array {
  const hashes = new Int32Array(count).fill(seed)
  for (let key = 0; key < columns.length; key++) {
    const own = words[key]!
    if (own) for (let i = 0; i < count; i++) hashes[i] = mix(hashes[i]!, own[i * 3]!, own[i * 3 + 1]! + own[i * 3 + 2]!)
    else hashBytes(columns[key] as BytesColumn, rows, count, hashes)
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
