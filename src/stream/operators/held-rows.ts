// Rows that a join keeps of one side: values in lanes, one list of rows a key (numbered by a `KeyTable` that both sides share),
// and what a row is waiting for. Slots are used again.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { Column } from '../../schema/batch.ts'
import { grown, type Packed, pack, unpackBytes, unpackDoubles, unpackInts } from './pack.ts'
import { makeLane, type ValueLane } from './value-lane.ts'

export const NONE = -1

interface Saved {
  readonly size: number
  readonly lanes: readonly unknown[]
  readonly times: Packed
  readonly groups: Packed
  readonly next: Packed
  readonly before: Packed
  readonly flags: Packed
}

/** Of `groups`: the slot holds no row. */
const FREE = -2

export class HeldRows {
  readonly #types: readonly ValueType[]
  #lanes: readonly ValueLane[]
  #times: Float64Array = new Float64Array(16)
  /** Key of a row; -1 for a row whose key is null. */
  #groups: Int32Array = new Int32Array(16)
  #next: Int32Array = new Int32Array(16)
  #before: Int32Array = new Int32Array(16)
  #flags: Uint8Array = new Uint8Array(16)
  /** First row of a key. */
  #heads: Int32Array = new Int32Array(0)
  #free: number[] = []
  #size = 0

  constructor(types: readonly ValueType[]) {
    this.#types = types
    this.#lanes = types.map(makeLane)
  }

  get count(): number {
    return this.#size - this.#free.length
  }

  get times(): Float64Array {
    return this.#times
  }

  /** By slot: the next row of the same key, -1 at the end. Not to be kept over an `add`. */
  get next(): Int32Array {
    return this.#next
  }

  /** Whether the row has met another. */
  get flags(): Uint8Array {
    return this.#flags
  }

  firstOf(group: number): number {
    return group >= 0 && group < this.#heads.length ? this.#heads[group]! : NONE
  }

  groupOf(slot: number): number {
    return this.#groups[slot]!
  }

  add(group: number, timeUs: number, columns: readonly Column[], row: number, flag: 0 | 1): number {
    const slot = this.#free.pop() ?? this.#size++
    if (slot >= this.#times.length) this.#fit(slot + 1)
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[i]!.put(slot, columns[i]!, row)
    this.#times[slot] = timeUs
    this.#flags[slot] = flag
    this.#link(slot, group)
    return slot
  }

  #fit(slots: number): void {
    this.#times = grown(this.#times, slots)
    this.#groups = grown(this.#groups, slots)
    this.#next = grown(this.#next, slots)
    this.#before = grown(this.#before, slots)
    this.#flags = grown(this.#flags, slots)
  }

  #link(slot: number, group: number): void {
    this.#groups[slot] = group
    this.#before[slot] = NONE
    this.#next[slot] = NONE
    if (group < 0) return
    const known = this.#heads.length
    if (group >= known) {
      this.#heads = grown(this.#heads, group + 1)
      this.#heads.fill(NONE, known)
    }
    const first = this.#heads[group]!
    this.#next[slot] = first
    if (first !== NONE) this.#before[first] = slot
    this.#heads[group] = slot
  }

  remove(slot: number): void {
    const [group, next, before] = [this.#groups[slot]!, this.#next[slot]!, this.#before[slot]!]
    if (next !== NONE) this.#before[next] = before
    if (before !== NONE) this.#next[before] = next
    else if (group >= 0) this.#heads[group] = next
    this.#groups[slot] = FREE
    this.#free.push(slot)
  }

  /** Below zero where row a comes before row b by the lanes from `from` to `until`; null comes first. */
  compare(a: number, b: number, from: number, until: number): number {
    for (let i = from; i < until; i++) {
      const lane = this.#lanes[i]!
      const [isANull, isBNull] = [lane.isNull(a), lane.isNull(b)]
      if (isANull || isBNull) {
        if (isANull !== isBNull) return isANull ? -1 : 1
        continue
      }
      const order = lane.compareSlot(b, lane, a)
      if (order !== 0) return order
    }
    return 0
  }

  lane(index: number): ValueLane {
    return this.#lanes[index]!
  }

  /** Values of some rows; of the first `lanes`. */
  columns(slots: Int32Array, count: number, lanes = this.#lanes.length): Column[] {
    return this.#lanes.slice(0, lanes).map((lane) => lane.column(slots, count))
  }

  /** Every slot that holds a row. */
  slots(): Int32Array {
    const slots = new Int32Array(this.count)
    let at = 0
    for (let slot = 0; slot < this.#size; slot++) if (this.#groups[slot] !== FREE) slots[at++] = slot
    return slots
  }

  /** Keys were numbered anew. */
  renumber(groupOf: (group: number) => number): void {
    this.#heads = new Int32Array(0)
    for (const slot of this.slots()) this.#link(slot, this.#groups[slot]! < 0 ? NONE : groupOf(this.#groups[slot]!))
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, 21 * this.#times.length + this.#heads.byteLength)
  }

  save(): Saved {
    const size = this.#size
    return {
      size,
      lanes: this.#lanes.map((lane) => lane.save(size)),
      times: pack(this.#times, size),
      groups: pack(this.#groups, size),
      next: pack(this.#next, size),
      before: pack(this.#before, size),
      flags: pack(this.#flags, size),
    }
  }

  restore(saved: unknown): void {
    const { size, lanes, times, groups, next, before, flags } = saved as Saved
    this.#size = size
    this.#lanes = this.#types.map(makeLane)
    for (const [index, lane] of this.#lanes.entries()) lane.restore(lanes[index])
    this.#times = unpackDoubles(times)
    this.#groups = unpackInts(groups)
    this.#next = unpackInts(next)
    this.#before = unpackInts(before)
    this.#flags = unpackBytes(flags)
    this.#free = []
    this.#heads = new Int32Array(0)
    for (let slot = size - 1; slot >= 0; slot--) {
      const group = this.#groups[slot]!
      if (group === FREE) this.#free.push(slot)
      if (group < 0 || this.#before[slot] !== NONE) continue
      const known = this.#heads.length
      this.#heads = grown(this.#heads, group + 1)
      this.#heads.fill(NONE, known)
      this.#heads[group] = slot
    }
  }
}
