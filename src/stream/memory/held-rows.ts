// Rows that a join keeps of one side: values in lanes, the rows of a key (numbered by a `KeyTable` that both sides share) in a list in the
// order of their times, and what a row is waiting for. Slots are used again.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { Column } from '../../schema/batch.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import type { Packed } from './pack.ts'
import { Bytes, Doubles, Ints } from './paged.ts'
import type { RecordReader, RecordWriter } from './record.ts'
import { RowLanes, type SavedRows } from './row-lanes.ts'
import type { ValueLane } from './value-lane.ts'

export const NONE = -1

interface Saved<Leaf> extends SavedRows {
  readonly size: number
  readonly times: Leaf
  readonly groups: Leaf
  /** Null where rows are in no lists. */
  readonly next: Leaf | null
  readonly before: Leaf | null
  readonly flags: Leaf
}

/** Of `groups`: the slot holds no row. */
const FREE = -2

/** Rows of a batch: their keys' numbers, -1 where one is null, their times, microseconds, and what is held of them. */
export interface KeyedRows {
  readonly groups: Int32Array
  readonly times: Float64Array
  readonly columns: readonly Column[]
}

export class HeldRows {
  readonly #values: RowLanes
  /** All columns. */
  readonly #each: readonly number[]
  readonly #times = new Doubles()
  /** Key of a row; -1 for a row whose key is null. */
  readonly #groups = new Ints()
  readonly #next = new Ints()
  readonly #before = new Ints()
  readonly #flags = new Bytes()
  /** By key: its newest row, and one near which the next is looked for. */
  #heads = new Ints(NONE)
  #near = new Ints(NONE)
  #free: number[] = []
  #size = 0
  readonly #isListed: boolean

  /** `isListed`: the rows of a key are found by its number; `areApart`: see `RowLanes`. */
  constructor(types: readonly ValueType[], { isListed = true, areApart = false } = {}) {
    this.#values = new RowLanes(types, areApart)
    this.#each = types.map((_, column) => column)
    this.#isListed = isListed
  }

  get count(): number {
    return this.#size - this.#free.length
  }

  get times(): Doubles {
    return this.#times
  }

  /** By slot: the row of the same key that is before it in time, of one time the one that was added before; -1 at the end. */
  get next(): Ints {
    return this.#next
  }

  /** By slot: the row of the same key that is after it; -1 for the newest. */
  get before(): Ints {
    return this.#before
  }

  /** Whether the row has met another. */
  get flags(): Bytes {
    return this.#flags
  }

  /** The newest row of a key; -1 for none. */
  firstOf(group: number): number {
    return group >= 0 ? this.#heads.at(group) : NONE
  }

  /**
   * The newest row of a key that is not after this time; -1 for none. Found from the place where the one before was: times that
   * are asked for in about their order are found in a few steps, however many rows a key has.
   */
  latestAt(group: number, timeUs: number): number {
    if (group < 0) return NONE
    const times = this.#times
    let slot = this.#near.at(group)
    if (slot === NONE) return NONE
    for (let newer = this.#before.at(slot); newer !== NONE && times.at(newer) <= timeUs; newer = this.#before.at(slot)) slot = newer
    while (slot !== NONE && times.at(slot) > timeUs) {
      this.#near.put(group, slot)
      slot = this.#next.at(slot)
    }
    if (slot !== NONE) this.#near.put(group, slot)
    return slot
  }

  groupOf(slot: number): number {
    return this.#groups.at(slot)
  }

  add(group: number, timeUs: number, columns: readonly Column[], row: number, flag: 0 | 1): number {
    const slot = this.#free.pop() ?? this.#size++
    this.#values.put(slot, columns, row)
    this.#times.put(slot, timeUs)
    this.#flags.put(slot, flag)
    this.#link(slot, group)
    return slot
  }

  /** Rows `rows[i]` (i where null); `flags` is by row too, all 0 where null. Answers their slots. */
  addAll({ groups, times, columns }: KeyedRows, rows: Int32Array | null, count: number, flags: Uint8Array | null = null): Int32Array {
    const slots = new Int32Array(count)
    for (let i = 0; i < count; i++) slots[i] = this.#free.pop() ?? this.#size++
    this.#values.putAll(slots, columns, rows, count)
    this.#times.putAll(slots, times, rows, count)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      this.#flags.put(slots[i]!, flags === null ? 0 : flags[row]!)
      this.#link(slots[i]!, groups[row]!)
    }
    return slots
  }

  #link(slot: number, group: number): void {
    this.#groups.put(slot, group)
    if (!this.#isListed) return
    const older = this.latestAt(group, this.#times.at(slot))
    // Where none is older, the oldest is near.
    const newer = older !== NONE ? this.#before.at(older) : group < 0 ? NONE : this.#near.at(group)
    this.#next.put(slot, older)
    this.#before.put(slot, newer)
    if (group < 0) return
    if (older !== NONE) this.#before.put(older, slot)
    if (newer !== NONE) this.#next.put(newer, slot)
    else this.#heads.put(group, slot)
    this.#near.put(group, slot)
  }

  remove(slot: number): void {
    if (this.#isListed) this.#unlink(slot)
    this.#groups.put(slot, FREE)
    this.#free.push(slot)
  }

  #unlink(slot: number): void {
    const group = this.#groups.at(slot)
    const next = this.#next.at(slot)
    const before = this.#before.at(slot)
    if (next !== NONE) this.#before.put(next, before)
    if (before !== NONE) this.#next.put(before, next)
    else if (group >= 0) this.#heads.put(group, next)
    if (group >= 0 && this.#near.at(group) === slot) this.#near.put(group, next === NONE ? before : next)
  }

  /** The rows of a key into a record, the oldest first, and out of one, of a key that has none. */
  write(group: number, out: RecordWriter): void {
    const slots: number[] = []
    for (let slot = this.firstOf(group); slot !== NONE; slot = this.#next.at(slot)) slots.push(slot)
    out.int(slots.length)
    for (const slot of slots.reverse()) {
      out.number(this.#times.at(slot))
      out.byte(this.#flags.at(slot))
      this.#values.write(slot, out)
    }
  }

  read(group: number, from: RecordReader): void {
    for (let rows = from.int(); rows > 0; rows--) {
      const slot = this.#free.pop() ?? this.#size++
      this.#times.put(slot, from.number())
      this.#flags.put(slot, from.byte())
      this.#values.read(slot, from)
      this.#link(slot, group)
    }
  }

  /** Below zero where row a comes before row b by these columns; null comes first. */
  compare(a: number, b: number, columns: readonly number[]): number {
    for (const column of columns) {
      const order = this.#values.compare(a, b, column)
      if (order !== 0) return order
    }
    return 0
  }

  /** Of rows whose columns lie apart. */
  lane(column: number): ValueLane {
    return this.#values.lane(column)
  }

  /** Values of some rows, of the columns `which`. */
  columns(slots: Int32Array, count: number, which = this.#each): Column[] {
    return this.#values.columns(slots, count, which)
  }

  /** Every slot that holds a row. */
  slots(): Int32Array {
    const slots = new Int32Array(this.count)
    let at = 0
    for (let slot = 0; slot < this.#size; slot++) if (this.#groups.at(slot) !== FREE) slots[at++] = slot
    return slots
  }

  /** Keys were numbered anew; the rows of each keep their order. */
  renumber(groupOf: (group: number) => number): void {
    this.#heads = new Ints(NONE)
    this.#near = new Ints(NONE)
    for (const slot of this.slots()) {
      if (this.#groups.at(slot) < 0) continue
      const group = groupOf(this.#groups.at(slot))
      this.#groups.put(slot, group)
      if (!this.#isListed || this.#before.at(slot) !== NONE) continue
      this.#heads.put(group, slot)
      this.#near.put(group, slot)
    }
  }

  get bytes(): number {
    return this.#values.bytes + 21 * this.#times.length + this.#heads.bytes + this.#near.bytes
  }

  save(): Saved<FrozenLeaf> {
    const size = this.#size
    return {
      size,
      ...this.#values.save(size),
      times: this.#times.freeze(size),
      groups: this.#groups.freeze(size),
      next: this.#isListed ? this.#next.freeze(size) : null,
      before: this.#isListed ? this.#before.freeze(size) : null,
      flags: this.#flags.freeze(size),
    }
  }

  restore(saved: unknown): void {
    const { size, times, groups, next, before, flags } = saved as Saved<Packed>
    this.#size = size
    this.#values.restore(saved as SavedRows, size)
    this.#times.restore(times)
    this.#groups.restore(groups)
    this.#flags.restore(flags)
    this.#free = []
    for (let slot = size - 1; slot >= 0; slot--) if (this.#groups.at(slot) === FREE) this.#free.push(slot)
    if (next === null || before === null || !this.#isListed) return
    this.#next.restore(next)
    this.#before.restore(before)
    this.#listAgain()
  }

  /** Lists of a checkpoint of before have their rows in the order in which they were added. */
  #listAgain(): void {
    const slots: number[] = []
    for (const newest of this.slots()) {
      if (this.#before.at(newest) !== NONE) continue
      for (let slot = newest; slot !== NONE; slot = this.#next.at(slot)) slots.push(slot)
    }
    this.#heads = new Ints(NONE)
    this.#near = new Ints(NONE)
    // The newest of each key is first: of one time they keep their order when all are turned round.
    const inOrder = slots.reverse().sort((a, b) => this.#times.at(a) - this.#times.at(b))
    for (const slot of inOrder) this.#link(slot, this.#groups.at(slot))
  }
}
