// How often each value is in each group: what aggregates keep that need all values at the end. Nulls are left out. A value that is in
// no group any more is forgotten once most are, and may come back before.
import { INT, type ValueType } from '../../engine/algebra/expression.ts'
import { type Column, indexes, type NumberColumn, selectColumn } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { ValueLane } from '../memory/value-lane.ts'
import type { FrozenLeaf } from '../state-tree.ts'

const NONE = -1
/** Values that are not there any more are forgotten once they are this many and most of all. */
const DEAD_MIN = 4_096

interface Saved<Leaf> {
  readonly values: unknown
  readonly counts: Leaf
}

export class ValueCounts {
  readonly #type: ValueType
  /** Pairs of group and value, by slot. */
  #pairs: KeyTable
  #counts = new Doubles()
  /** The slots of a group that have a count, in both directions. */
  #heads = new Ints(NONE)
  #next = new Ints(NONE)
  #before = new Ints(NONE)
  #dead = 0
  readonly #onCount: (slot: number, group: number, before: number, now: number) => void
  /** Goes up when slots are numbered anew. */
  numbering = 0

  /** `onCount`: told of each value of which a group has another number, but not where the group is cleared. */
  constructor(type: ValueType, onCount: (slot: number, group: number, before: number, now: number) => void = () => {}) {
    this.#type = type
    this.#onCount = onCount
    this.#pairs = new KeyTable([INT, type])
  }

  /** By slot. */
  get lane(): ValueLane {
    return this.#pairs.lane(1)
  }

  countOf(slot: number): number {
    return this.#counts.at(slot)
  }

  /** The slots of the values that are in the group, in no order. */
  slotsOf(group: number): number[] {
    const slots: number[] = []
    for (let slot = this.#heads.at(group); slot !== NONE; slot = this.#next.at(slot)) slots.push(slot)
    return slots
  }

  /** As `AggregateState.add`; `by` -1 takes away what was added before. */
  add(groups: Int32Array, column: Column, rows: Int32Array | null, count: number, by: 1 | -1 = 1): void {
    const { nulls } = column
    const kept = new Int32Array(count)
    const own = new Float64Array(count)
    let n = 0
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls !== null && nulls[row] === 1) continue
      own[n] = groups[i]!
      kept[n++] = row
    }
    this.#put(own.subarray(0, n), selectColumn(column, kept, n), new Float64Array(n).fill(by))
    if (this.#dead > DEAD_MIN && this.#dead * 2 > this.#pairs.size) this.#forget()
  }

  /** Adds to how often value i is in `groups[i]`. */
  #put(groups: Float64Array, values: Column, by: Float64Array): void {
    const known = this.#pairs.size
    const slots = this.#pairs.find([{ kind: 'number', values: groups, nulls: null }, values], null, groups.length)
    this.#dead += this.#pairs.size - known
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!
      const before = this.#counts.at(slot)
      const now = before + by[i]!
      this.#counts.put(slot, now)
      if (before === 0 && now !== 0) this.#link(slot, groups[i]!)
      else if (before !== 0 && now === 0) this.#unlink(slot, groups[i]!)
      this.#onCount(slot, groups[i]!, before, now)
    }
  }

  #link(slot: number, group: number): void {
    const first = this.#heads.at(group)
    this.#next.put(slot, first)
    this.#before.put(slot, NONE)
    if (first !== NONE) this.#before.put(first, slot)
    this.#heads.put(group, slot)
    this.#dead--
  }

  #unlink(slot: number, group: number): void {
    const [next, before] = [this.#next.at(slot), this.#before.at(slot)]
    if (next !== NONE) this.#before.put(next, before)
    if (before !== NONE) this.#next.put(before, next)
    else this.#heads.put(group, next)
    this.#dead++
  }

  /** Adds those of another: its group g goes to `target[g]`, for g below `count`. */
  merge(other: ValueCounts, target: Int32Array, count: number): void {
    const slots: number[] = []
    const groups: number[] = []
    for (let group = 0; group < count; group++)
      for (const slot of other.slotsOf(group)) {
        slots.push(slot)
        groups.push(target[group]!)
      }
    this.#putAll(other, slots, Float64Array.from(groups))
  }

  /** Adds those of one group of another, or of this one; `by` -1 takes them away. */
  mergeGroup(other: ValueCounts, group: number, to: number, by: 1 | -1 = 1): void {
    const slots = other.slotsOf(group)
    this.#putAll(other, slots, new Float64Array(slots.length).fill(to), by)
  }

  #putAll(other: ValueCounts, slots: readonly number[], groups: Float64Array, by: 1 | -1 = 1): void {
    const values = other.lane.column(Int32Array.from(slots), slots.length)
    const counts = Float64Array.from(slots, (slot) => by * other.countOf(slot))
    this.#put(groups, values, counts)
  }

  clear(group: number): void {
    for (const slot of this.slotsOf(group)) {
      this.#counts.put(slot, 0)
      this.#dead++
    }
    if (this.#heads.at(group) !== NONE) this.#heads.put(group, NONE)
    if (this.#dead > DEAD_MIN && this.#dead * 2 > this.#pairs.size) this.#forget()
  }

  /** Numbers what is there anew. */
  #forget(): void {
    const [pairs, counts] = [this.#pairs, this.#counts]
    const live = indexes(pairs.size).filter((slot) => counts.at(slot) !== 0)
    const [groups, values] = pairs.columns(live, live.length) as [NumberColumn, Column]
    this.#begin()
    this.#put(
      groups.values,
      values,
      Float64Array.from(live, (slot) => counts.at(slot)),
    )
  }

  #begin(): void {
    this.numbering++
    this.#pairs = new KeyTable([INT, this.#type])
    this.#counts = new Doubles()
    this.#heads = new Ints(NONE)
    this.#next = new Ints(NONE)
    this.#before = new Ints(NONE)
    this.#dead = 0
  }

  write(group: number, out: RecordWriter): void {
    const slots = this.slotsOf(group)
    out.int(slots.length)
    for (const slot of slots) {
      out.number(this.#counts.at(slot))
      this.lane.write(slot, out)
    }
  }

  read(group: number, from: RecordReader): void {
    const count = from.int()
    if (count === 0) return
    const lane = makeLane(this.#type)
    const counts = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      counts[i] = from.number()
      lane.read(i, from)
    }
    const values = lane.column(indexes(count), count)
    this.#put(new Float64Array(count).fill(group), values, counts)
  }

  get bytes(): number {
    return this.#pairs.bytes + this.#counts.bytes + this.#heads.bytes + this.#next.bytes + this.#before.bytes
  }

  save(): Saved<FrozenLeaf> {
    return { values: this.#pairs.save(), counts: this.#counts.freeze(this.#pairs.size) }
  }

  restore(saved: unknown): void {
    const { values, counts } = saved as Saved<Packed>
    this.#begin()
    this.#pairs.restore(values)
    this.#counts.restore(counts)
    this.#dead = this.#pairs.size
    const groups = this.#pairs.lane(0).column(indexes(this.#pairs.size), this.#pairs.size) as NumberColumn
    for (let slot = 0; slot < this.#pairs.size; slot++) {
      // Checkpoints of before had counts of null.
      if (this.lane.isNull(slot)) this.#counts.put(slot, 0)
      if (this.#counts.at(slot) !== 0) this.#link(slot, groups.values[slot]!)
    }
  }
}
