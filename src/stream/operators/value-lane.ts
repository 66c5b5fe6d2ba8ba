// Values of one type in numbered slots: what operators keep of columns (keys, extremes, whole rows). One typed array for
// numbers and exact integers, one growing piece of memory for bytes. Order is DuckDB's: NaN is the greatest, text by bytes.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { BytesColumn, Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import { laneOfValue } from '../expression/lane.ts'
import { grown, type Packed, pack, unpackBytes, unpackDoubles, unpackInts, unpackLongs } from './pack.ts'

/** The highest slot; -1 for none. */
export function most(slots: Int32Array, count: number): number {
  let highest = -1
  for (let i = 0; i < count; i++) if (slots[i]! > highest) highest = slots[i]!
  return highest
}

export interface ValueLane {
  /** Copies the value of a row, null too. */
  put(slot: number, column: Column, row: number): void
  /** Copies from another lane of the type, or within this one. */
  copy(slot: number, from: ValueLane, other: number): void
  isNull(slot: number): boolean
  /** Below, at or above zero as the row's value is before, at or behind the slot's; neither is null. */
  compareRow(slot: number, column: Column, row: number): number
  compareSlot(slot: number, from: ValueLane, other: number): number
  /** For each row that is not null and goes beyond its slot's value (`sign` 1: above it), or is its first: puts it there. */
  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Uint8Array): void
  /** The values of some slots, in order. */
  column(slots: Int32Array, count: number): Column
  /** Of memory. */
  readonly bytes: number
  save(slots: number): unknown
  restore(saved: unknown): void
}

export function makeLane(type: ValueType): ValueLane {
  const lane = laneOfValue(type)
  if (lane === 'number') return new NumberLane()
  if (lane === 'integer') return new IntegerLane()
  return new BytesLane(type.kind === 'decimal' || type.kind === 'huge' ? compareDigits : compareBytes)
}

function keepExtremes(
  lane: ValueLane,
  slots: Int32Array,
  column: Column,
  rows: Int32Array | null,
  count: number,
  sign: 1 | -1,
  seen: Uint8Array,
): void {
  const { nulls } = column
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (nulls !== null && nulls[row] === 1) continue
    const slot = slots[i]!
    if (seen[slot] === 1 && lane.compareRow(slot, column, row) * sign <= 0) continue
    seen[slot] = 1
    lane.put(slot, column, row)
  }
}

/** The same for numbers that are no NaN, without a call a row. */
function keepNumbers(
  held: Float64Array,
  slots: Int32Array,
  { values, nulls }: NumberColumn | IntegerColumn,
  rows: Int32Array | null,
  count: number,
  sign: 1 | -1,
  seen: Uint8Array,
): void {
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (nulls !== null && nulls[row] === 1) continue
    const slot = slots[i]!
    const value = values[row]!
    if (seen[slot] === 1 && (value - held[slot]!) * sign <= 0) continue
    seen[slot] = 1
    held[slot] = value
  }
}

export function compareNumbers(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

class NumberLane implements ValueLane {
  #values: Float64Array = new Float64Array(16)
  #nulls: Uint8Array = new Uint8Array(16)

  #fit(slot: number): void {
    this.#values = grown(this.#values, slot + 1)
    this.#nulls = grown(this.#nulls, slot + 1)
  }

  put(slot: number, column: Column, row: number): void {
    this.#fit(slot)
    const isNull = column.nulls !== null && column.nulls[row] === 1
    this.#nulls[slot] = isNull ? 1 : 0
    if (!isNull) this.#values[slot] = (column as NumberColumn).values[row]!
  }

  copy(slot: number, from: ValueLane, other: number): void {
    this.#fit(slot)
    this.#values[slot] = (from as NumberLane).#values[other]!
    this.#nulls[slot] = (from as NumberLane).#nulls[other]!
  }

  isNull(slot: number): boolean {
    return this.#nulls[slot] === 1
  }

  compareRow(slot: number, column: Column, row: number): number {
    return compareNumbers((column as NumberColumn).values[row]!, this.#values[slot]!)
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    return compareNumbers((from as NumberLane).#values[other]!, this.#values[slot]!)
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Uint8Array): void {
    keepExtremes(this, slots, column, rows, count, sign, seen)
  }

  column(slots: Int32Array, count: number): Column {
    this.#fit(most(slots, count))
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#values[slots[i]!]!
    return { kind: 'number', values, nulls: nullsOf(this.#nulls, slots, count) }
  }

  get bytes(): number {
    return this.#values.byteLength + this.#nulls.byteLength
  }

  save(slots: number): unknown {
    this.#fit(slots)
    return [pack(this.#values, slots), pack(this.#nulls, slots)]
  }

  restore(saved: unknown): void {
    const [values, nulls] = saved as [Packed, Packed]
    this.#values = unpackDoubles(values)
    this.#nulls = unpackBytes(nulls)
  }
}

function nullsOf(nulls: Uint8Array, slots: Int32Array, count: number): Uint8Array | null {
  const picked = new Uint8Array(count)
  let any = 0
  for (let i = 0; i < count; i++) {
    picked[i] = nulls[slots[i]!]!
    any |= picked[i]!
  }
  return any === 0 ? null : picked
}

/** Numbers while all fit in 2^53, then bigint for all. */
class IntegerLane implements ValueLane {
  #values: Float64Array = new Float64Array(16)
  #big: BigInt64Array | null = null
  #nulls: Uint8Array = new Uint8Array(16)

  #fit(slot: number): void {
    this.#nulls = grown(this.#nulls, slot + 1)
    if (this.#big) this.#big = grown(this.#big, slot + 1)
    else this.#values = grown(this.#values, slot + 1)
  }

  #promote(): BigInt64Array {
    this.#big ??= BigInt64Array.from(this.#values, (value) => BigInt(value))
    return this.#big
  }

  put(slot: number, column: Column, row: number): void {
    this.#fit(slot)
    const isNull = column.nulls !== null && column.nulls[row] === 1
    this.#nulls[slot] = isNull ? 1 : 0
    if (isNull) return
    const { values, big } = column as IntegerColumn
    if (big || this.#big) this.#promote()[slot] = big ? big[row]! : BigInt(values[row]!)
    else this.#values[slot] = values[row]!
  }

  copy(slot: number, from: ValueLane, other: number): void {
    this.#fit(slot)
    const lane = from as IntegerLane
    this.#nulls[slot] = lane.#nulls[other]!
    if (lane.#big || this.#big) this.#promote()[slot] = lane.#at(other)
    else this.#values[slot] = lane.#values[other]!
  }

  #at(slot: number): bigint {
    return this.#big ? this.#big[slot]! : BigInt(this.#values[slot]!)
  }

  isNull(slot: number): boolean {
    return this.#nulls[slot] === 1
  }

  compareRow(slot: number, column: Column, row: number): number {
    const { values, big } = column as IntegerColumn
    if (!big && !this.#big) return values[row]! - this.#values[slot]!
    const [a, b] = [big ? big[row]! : BigInt(values[row]!), this.#at(slot)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    const lane = from as IntegerLane
    if (!lane.#big && !this.#big) return lane.#values[other]! - this.#values[slot]!
    const [a, b] = [lane.#at(other), this.#at(slot)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Uint8Array): void {
    this.#fit(most(slots, count))
    if (this.#big || (column as IntegerColumn).big) keepExtremes(this, slots, column, rows, count, sign, seen)
    else keepNumbers(this.#values, slots, column as IntegerColumn, rows, count, sign, seen)
  }

  column(slots: Int32Array, count: number): Column {
    this.#fit(most(slots, count))
    const nulls = nullsOf(this.#nulls, slots, count)
    if (this.#big) {
      const big = new BigInt64Array(count)
      for (let i = 0; i < count; i++) big[i] = this.#big[slots[i]!]!
      return { kind: 'integer', values: new Float64Array(0), big, nulls }
    }
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#values[slots[i]!]!
    return { kind: 'integer', values, big: null, nulls }
  }

  get bytes(): number {
    return (this.#big ?? this.#values).byteLength + this.#nulls.byteLength
  }

  save(slots: number): unknown {
    this.#fit(slots)
    return [this.#big ? null : pack(this.#values, slots), this.#big && pack(this.#big, slots), pack(this.#nulls, slots)]
  }

  restore(saved: unknown): void {
    const [values, big, nulls] = saved as [Packed | null, Packed | null, Packed]
    this.#values = values === null ? new Float64Array(0) : unpackDoubles(values)
    this.#big = big === null ? null : unpackLongs(big)
    this.#nulls = unpackBytes(nulls)
  }
}

type CompareBytes = (a: Uint8Array, aStart: number, aLength: number, b: Uint8Array, bStart: number, bLength: number) => number

const compareBytes: CompareBytes = (a, aStart, aLength, b, bStart, bLength) => {
  const size = Math.min(aLength, bLength)
  for (let i = 0; i < size; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aLength - bLength
}

/** Decimals of one scale as text. */
const compareDigits: CompareBytes = (a, aStart, aLength, b, bStart, bLength) => {
  const [x, y] = [digitsAt(a, aStart, aLength), digitsAt(b, bStart, bLength)]
  return x < y ? -1 : x > y ? 1 : 0
}

const digitsAt = (bytes: Uint8Array, start: number, length: number): bigint =>
  BigInt(
    Buffer.from(bytes.buffer, bytes.byteOffset + start, length)
      .toString('latin1')
      .replace('.', ''),
  )

class BytesLane implements ValueLane {
  readonly #compare: CompareBytes
  #memory: Uint8Array = new Uint8Array(256)
  #used = 0
  /** Bytes that slots hold; the rest of what is used was replaced. */
  #held = 0
  #start: Int32Array = new Int32Array(16)
  #length: Int32Array = new Int32Array(16)
  #nulls: Uint8Array = new Uint8Array(16)

  constructor(compare: CompareBytes) {
    this.#compare = compare
  }

  #fit(slot: number): void {
    this.#start = grown(this.#start, slot + 1)
    this.#length = grown(this.#length, slot + 1)
    this.#nulls = grown(this.#nulls, slot + 1)
  }

  put(slot: number, column: Column, row: number): void {
    const { bytes, start, length, nulls } = column as BytesColumn
    if (nulls !== null && nulls[row] === 1) this.#setNull(slot)
    else this.#set(slot, bytes, start[row]!, length[row]!)
  }

  copy(slot: number, from: ValueLane, other: number): void {
    const lane = from as BytesLane
    if (lane.isNull(other)) this.#setNull(slot)
    else this.#set(slot, lane.#memory, lane.#start[other]!, lane.#length[other]!)
  }

  #setNull(slot: number): void {
    this.#fit(slot)
    this.#held -= this.#length[slot]!
    this.#length[slot] = 0
    this.#nulls[slot] = 1
  }

  #set(slot: number, bytes: Uint8Array, start: number, length: number): void {
    this.#fit(slot)
    const before = this.#length[slot]!
    this.#held += length - before
    this.#nulls[slot] = 0
    let at = this.#start[slot]!
    if (length > before) {
      // Bytes may lie in this very memory: `bytes` stays what it was until they are copied.
      this.#length[slot] = 0
      if (this.#used + length > this.#memory.length) this.#makeRoom(length)
      at = this.#used
      this.#used += length
    }
    const memory = this.#memory
    for (let i = 0; i < length; i++) memory[at + i] = bytes[start + i]!
    this.#start[slot] = at
    this.#length[slot] = length
  }

  #makeRoom(room: number): void {
    if (this.#held * 2 < this.#used) this.#move(room)
    else this.#memory = grown(this.#memory, this.#used + room)
  }

  /** Into new memory without what was replaced. */
  #move(room: number): void {
    const memory = new Uint8Array(Math.max(256, (this.#held + room) * 2))
    let used = 0
    for (let slot = 0; slot < this.#length.length; slot++) {
      const length = this.#length[slot]!
      memory.set(this.#memory.subarray(this.#start[slot]!, this.#start[slot]! + length), used)
      this.#start[slot] = used
      used += length
    }
    this.#memory = memory
    this.#used = used
  }

  isNull(slot: number): boolean {
    return this.#nulls[slot] === 1
  }

  compareRow(slot: number, column: Column, row: number): number {
    const { bytes, start, length } = column as BytesColumn
    return this.#compare(bytes, start[row]!, length[row]!, this.#memory, this.#start[slot]!, this.#length[slot]!)
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    const lane = from as BytesLane
    return this.#compare(lane.#memory, lane.#start[other]!, lane.#length[other]!, this.#memory, this.#start[slot]!, this.#length[slot]!)
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Uint8Array): void {
    keepExtremes(this, slots, column, rows, count, sign, seen)
  }

  /** A copy: slots change later. */
  column(slots: Int32Array, count: number): Column {
    this.#fit(most(slots, count))
    const start = new Int32Array(count)
    const length = new Int32Array(count)
    let size = 0
    for (let i = 0; i < count; i++) size += this.#length[slots[i]!]!
    const bytes = new Uint8Array(size)
    let at = 0
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      const from = this.#start[slot]!
      start[i] = at
      length[i] = this.#length[slot]!
      for (let k = 0; k < length[i]!; k++) bytes[at++] = this.#memory[from + k]!
    }
    return { kind: 'bytes', bytes, start, length, nulls: nullsOf(this.#nulls, slots, count) }
  }

  get bytes(): number {
    return this.#memory.length + 9 * this.#nulls.length
  }

  save(slots: number): unknown {
    this.#fit(slots)
    // Otherwise it stays where it lies, and what has not changed is not written again.
    if (this.#held * 2 < this.#used) this.#move(0)
    return [pack(this.#memory, this.#used), pack(this.#start, slots), pack(this.#length, slots), pack(this.#nulls, slots)]
  }

  restore(saved: unknown): void {
    const [memory, start, length, nulls] = saved as [Packed, Packed, Packed, Packed]
    this.#memory = unpackBytes(memory)
    this.#used = this.#memory.length
    this.#start = unpackInts(start)
    this.#length = unpackInts(length)
    this.#nulls = unpackBytes(nulls)
    this.#held = this.#length.reduce((sum, length) => sum + length, 0)
  }
}
