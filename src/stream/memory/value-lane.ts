// Values of one type in numbered slots: what operators keep of columns (keys, extremes, whole rows). Here those of numbers and exact
// integers, in one typed array; `bytes-lane.ts` has the others. Order is DuckDB's: NaN is the greatest, text by bytes.
import type { Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import type { Packed } from './pack.ts'
import { Bytes, Doubles, Longs, PAGE_BITS, PAGE_MASK } from './paged.ts'
import type { RecordReader, RecordWriter } from './record.ts'

/** The highest slot; -1 for none. */
export function most(slots: Int32Array, count: number): number {
  let highest = -1
  for (let i = 0; i < count; i++) if (slots[i]! > highest) highest = slots[i]!
  return highest
}

export interface ValueLane {
  /** Copies the value of a row, null too. */
  put(slot: number, column: Column, row: number): void
  /** Row `rows[i]` (i where null) into `slots[i]`. */
  putAll(slots: Int32Array, column: Column, rows: Int32Array | null, count: number): void
  /** Copies from another lane of the type, or within this one. */
  copy(slot: number, from: ValueLane, other: number): void
  isNull(slot: number): boolean
  /** Whether the row's value is the slot's as GROUP BY has it: null is null, NaN is NaN. */
  holds(slot: number, column: Column, row: number): boolean
  /** Puts `other` for each slot that does not hold the row's value; slots below zero stay. */
  keepSame(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, other: number): void
  /** Below, at or above zero as the row's value is before, at or behind the slot's; neither is null. */
  compareRow(slot: number, column: Column, row: number): number
  compareSlot(slot: number, from: ValueLane, other: number): number
  /** For each row that is not null and goes beyond its slot's value (`sign` 1: above it), or is its first: puts it there. */
  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Bytes): void
  /** The values of some slots, in order. */
  column(slots: Int32Array, count: number): Column
  /** The value into a record, out of one, and whether the one that comes there is the slot's as GROUP BY has it. */
  write(slot: number, out: RecordWriter): void
  read(slot: number, from: RecordReader): void
  isSame(slot: number, from: RecordReader): boolean
  /** Of memory. */
  readonly bytes: number
  save(slots: number): unknown
  restore(saved: unknown): void
}

/** How a value begins in a record. */
export const NULL = 0
export const VALUE = 1
const BIG = 2

export function putAll(lane: ValueLane, slots: Int32Array, column: Column, rows: Int32Array | null, count: number): void {
  for (let i = 0; i < count; i++) lane.put(slots[i]!, column, rows === null ? i : rows[i]!)
}

export function keepExtremes(
  lane: ValueLane,
  slots: Int32Array,
  column: Column,
  rows: Int32Array | null,
  count: number,
  sign: 1 | -1,
  seen: Bytes,
): void {
  const { nulls } = column
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (nulls !== null && nulls[row] === 1) continue
    const slot = slots[i]!
    if (seen.at(slot) === 1 && lane.compareRow(slot, column, row) * sign <= 0) continue
    seen.put(slot, 1)
    lane.put(slot, column, row)
  }
}

/** The same for numbers that are no NaN, without a call a row. */
function keepNumbers(
  held: Doubles,
  slots: Int32Array,
  { values, nulls }: NumberColumn | IntegerColumn,
  rows: Int32Array | null,
  count: number,
  sign: 1 | -1,
  seen: Bytes,
): void {
  const { pages } = held
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (nulls !== null && nulls[row] === 1) continue
    const slot = slots[i]!
    const value = values[row]!
    if (seen.at(slot) === 0) seen.put(slot, 1)
    else if ((value - pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]!) * sign <= 0) continue
    held.put(slot, value)
  }
}

export function compareNumbers(a: number, b: number): number {
  if (a < b) return -1
  if (a > b) return 1
  return a === b ? 0 : Number(Number.isNaN(a)) - Number(Number.isNaN(b))
}

export const isNullAt = ({ nulls }: Column, row: number): boolean => nulls !== null && nulls[row] === 1

export function keepSame(lane: ValueLane, slots: Int32Array, column: Column, rows: Int32Array | null, count: number, other: number): void {
  for (let i = 0; i < count; i++) if (slots[i]! >= 0 && !lane.holds(slots[i]!, column, rows === null ? i : rows[i]!)) slots[i] = other
}

/** The same for what is never null, without a call a row. */
function keepSameNumbers(
  { pages }: Doubles,
  slots: Int32Array,
  { values }: NumberColumn | IntegerColumn,
  rows: Int32Array | null,
  count: number,
  other: number,
): void {
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!
    if (slot < 0) continue
    const held = pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]!
    const value = values[rows === null ? i : rows[i]!]!
    if (held !== value && !(Number.isNaN(held) && Number.isNaN(value))) slots[i] = other
  }
}

/** Which slots hold null: nothing while none does. */
export class Nulls {
  readonly #flags = new Bytes()

  at(slot: number): boolean {
    return this.#flags.at(slot) === 1
  }

  put(slot: number, isNull: boolean): void {
    if (isNull || slot < this.#flags.length) this.#flags.put(slot, isNull ? 1 : 0)
  }

  /** No slot ever held one. */
  get areNone(): boolean {
    return this.#flags.length === 0
  }

  of(slots: Int32Array, count: number): Uint8Array | null {
    if (this.areNone) return null
    const picked = new Uint8Array(count)
    let any = 0
    for (let i = 0; i < count; i++) {
      picked[i] = this.#flags.at(slots[i]!)
      any |= picked[i]!
    }
    return any === 0 ? null : picked
  }

  get bytes(): number {
    return this.#flags.bytes
  }

  freeze(slots: number): unknown {
    return this.#flags.freeze(Math.min(slots, this.#flags.length))
  }

  restore(saved: Packed): void {
    this.#flags.restore(saved)
  }
}

export class NumberLane implements ValueLane {
  readonly #values = new Doubles()
  readonly #nulls = new Nulls()

  put(slot: number, column: Column, row: number): void {
    const isNull = isNullAt(column, row)
    this.#nulls.put(slot, isNull)
    if (!isNull) this.#values.put(slot, (column as NumberColumn).values[row]!)
  }

  putAll(slots: Int32Array, column: Column, rows: Int32Array | null, count: number): void {
    if (column.nulls !== null || !this.#nulls.areNone) putAll(this, slots, column, rows, count)
    else this.#values.putAll(slots, (column as NumberColumn).values, rows, count)
  }

  copy(slot: number, from: ValueLane, other: number): void {
    this.#values.put(slot, (from as NumberLane).#values.at(other))
    this.#nulls.put(slot, from.isNull(other))
  }

  isNull(slot: number): boolean {
    return this.#nulls.at(slot)
  }

  holds(slot: number, column: Column, row: number): boolean {
    if (isNullAt(column, row)) return this.isNull(slot)
    return !this.isNull(slot) && this.compareRow(slot, column, row) === 0
  }

  keepSame(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, other: number): void {
    if (column.nulls !== null || !this.#nulls.areNone) keepSame(this, slots, column, rows, count, other)
    else keepSameNumbers(this.#values, slots, column as NumberColumn, rows, count, other)
  }

  compareRow(slot: number, column: Column, row: number): number {
    return compareNumbers((column as NumberColumn).values[row]!, this.#values.at(slot))
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    return compareNumbers((from as NumberLane).#values.at(other), this.#values.at(slot))
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Bytes): void {
    keepExtremes(this, slots, column, rows, count, sign, seen)
  }

  column(slots: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#values.at(slots[i]!)
    return { kind: 'number', values, nulls: this.#nulls.of(slots, count) }
  }

  write(slot: number, out: RecordWriter): void {
    out.byte(this.isNull(slot) ? NULL : VALUE)
    if (!this.isNull(slot)) out.number(this.#values.at(slot))
  }

  read(slot: number, from: RecordReader): void {
    const isNull = from.byte() === NULL
    this.#nulls.put(slot, isNull)
    if (!isNull) this.#values.put(slot, from.number())
  }

  isSame(slot: number, from: RecordReader): boolean {
    if (from.byte() === NULL) return this.isNull(slot)
    return compareNumbers(from.number(), this.#values.at(slot)) === 0 && !this.isNull(slot)
  }

  get bytes(): number {
    return this.#values.bytes + this.#nulls.bytes
  }

  save(slots: number): unknown {
    return [this.#values.freeze(slots), this.#nulls.freeze(slots)]
  }

  restore(saved: unknown): void {
    const [values, nulls] = saved as [Packed, Packed]
    this.#values.restore(values)
    this.#nulls.restore(nulls)
  }
}

/** Numbers while all fit in 2^53, then bigint for all. */
export class IntegerLane implements ValueLane {
  readonly #values = new Doubles()
  #big: Longs | null = null
  readonly #nulls = new Nulls()

  /** From now on all are bigint. */
  #promote(): Longs {
    if (this.#big === null) {
      this.#big = new Longs()
      for (let slot = 0; slot < this.#values.length; slot++) this.#big.put(slot, BigInt(this.#values.at(slot)))
      this.#values.clear()
    }
    return this.#big
  }

  put(slot: number, column: Column, row: number): void {
    const isNull = isNullAt(column, row)
    this.#nulls.put(slot, isNull)
    if (isNull) return
    const { values, big } = column as IntegerColumn
    if (big || this.#big) this.#promote().put(slot, big ? big[row]! : BigInt(values[row]!))
    else this.#values.put(slot, values[row]!)
  }

  putAll(slots: Int32Array, column: Column, rows: Int32Array | null, count: number): void {
    const { values, big, nulls } = column as IntegerColumn
    if (big || this.#big || nulls || !this.#nulls.areNone) putAll(this, slots, column, rows, count)
    else this.#values.putAll(slots, values, rows, count)
  }

  copy(slot: number, from: ValueLane, other: number): void {
    const lane = from as IntegerLane
    this.#nulls.put(slot, lane.isNull(other))
    if (lane.#big || this.#big) this.#promote().put(slot, lane.#at(other))
    else this.#values.put(slot, lane.#values.at(other))
  }

  #at(slot: number): bigint {
    return this.#big ? this.#big.at(slot) : BigInt(this.#values.at(slot))
  }

  isNull(slot: number): boolean {
    return this.#nulls.at(slot)
  }

  holds(slot: number, column: Column, row: number): boolean {
    if (isNullAt(column, row)) return this.isNull(slot)
    return !this.isNull(slot) && this.compareRow(slot, column, row) === 0
  }

  keepSame(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, other: number): void {
    const { big, nulls } = column as IntegerColumn
    if (big || this.#big || nulls || !this.#nulls.areNone) keepSame(this, slots, column, rows, count, other)
    else keepSameNumbers(this.#values, slots, column as IntegerColumn, rows, count, other)
  }

  compareRow(slot: number, column: Column, row: number): number {
    const { values, big } = column as IntegerColumn
    if (!big && !this.#big) return values[row]! - this.#values.at(slot)
    const [a, b] = [big ? big[row]! : BigInt(values[row]!), this.#at(slot)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    const lane = from as IntegerLane
    if (!lane.#big && !this.#big) return lane.#values.at(other) - this.#values.at(slot)
    const [a, b] = [lane.#at(other), this.#at(slot)]
    return a < b ? -1 : a > b ? 1 : 0
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Bytes): void {
    if (this.#big || (column as IntegerColumn).big) keepExtremes(this, slots, column, rows, count, sign, seen)
    else keepNumbers(this.#values, slots, column as IntegerColumn, rows, count, sign, seen)
  }

  column(slots: Int32Array, count: number): Column {
    const nulls = this.#nulls.of(slots, count)
    if (this.#big) {
      const big = new BigInt64Array(count)
      for (let i = 0; i < count; i++) big[i] = this.#big.at(slots[i]!)
      return { kind: 'integer', values: new Float64Array(0), big, nulls }
    }
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.#values.at(slots[i]!)
    return { kind: 'integer', values, big: null, nulls }
  }

  write(slot: number, out: RecordWriter): void {
    if (this.isNull(slot)) out.byte(NULL)
    else if (this.#big) {
      out.byte(BIG)
      out.long(this.#big.at(slot))
    } else {
      out.byte(VALUE)
      out.number(this.#values.at(slot))
    }
  }

  read(slot: number, from: RecordReader): void {
    const kind = from.byte()
    this.#nulls.put(slot, kind === NULL)
    if (kind === BIG) this.#promote().put(slot, from.long())
    else if (kind === VALUE) {
      const value = from.number()
      if (this.#big) this.#big.put(slot, BigInt(value))
      else this.#values.put(slot, value)
    }
  }

  isSame(slot: number, from: RecordReader): boolean {
    const kind = from.byte()
    if (kind === NULL) return this.isNull(slot)
    const isEqual =
      kind === VALUE && !this.#big
        ? from.number() === this.#values.at(slot)
        : (kind === BIG ? from.long() : BigInt(from.number())) === this.#at(slot)
    return isEqual && !this.isNull(slot)
  }

  get bytes(): number {
    return (this.#big ?? this.#values).bytes + this.#nulls.bytes
  }

  save(slots: number): unknown {
    return [this.#big ? null : this.#values.freeze(slots), this.#big?.freeze(slots) ?? null, this.#nulls.freeze(slots)]
  }

  restore(saved: unknown): void {
    const [values, big, nulls] = saved as [Packed | null, Packed | null, Packed]
    if (values === null) this.#values.clear()
    else this.#values.restore(values)
    this.#big = big === null ? null : new Longs()
    if (big !== null) this.#big!.restore(big)
    this.#nulls.restore(nulls)
  }
}
