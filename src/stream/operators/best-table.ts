// All rows of each partition in an order, of which the first are told: rows come in, and go again exactly as they came. A row that goes
// keeps its slot until what has changed is told. What a change costs follows from how many rows are told, and by halves from how many there are.
import { MillraceError } from '../../core/errors.ts'
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { TopRelation } from '../../engine/algebra/relation.ts'
import type { Column } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { Packed } from '../memory/pack.ts'
import { Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { ValueLane } from '../memory/value-lane.ts'
import type { KeyedTable } from '../spill/generations.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { ORDER_BYTES, ORDERED_BYTES, OrderedSlots } from './ordered-slots.ts'
import { compareRow, compareSlots, type OrderedBy } from './row-order.ts'
import { FOR_GOOD } from './table-rows.ts'

export interface BestLayout {
  readonly top: Pick<TopRelation, 'function' | 'limit'>
  readonly partition: readonly ValueType[]
  /** The columns of a row. */
  readonly row: readonly ValueType[]
  /** By which rows are ranked, and then by which they stand, so that no two are equal. */
  readonly order: readonly OrderedBy[]
  readonly ties: readonly OrderedBy[]
  /** Somebody reads the rank: a row whose rank changes is told again. */
  readonly isRankRead: boolean
}

/** Slots whose rows are told no more, and those that are, with their ranks where these are read. */
export interface ToldBest {
  readonly gone: readonly number[]
  readonly there: readonly number[]
  readonly ranks: readonly number[]
}

/** Of a partition since it was told: how many of its first rows are as they were, and rows that came among those that are told. */
interface Noted {
  from: number
  readonly entered: number[]
}

interface Saved<Leaf> {
  readonly keys: unknown
  readonly lanes: readonly unknown[]
  /** Of one partition after the other, in order, and how many each has. */
  readonly slots: Leaf
  readonly sizes: Leaf
  readonly told: Leaf
  readonly rank: Leaf
  readonly rows: number
  readonly free: readonly number[]
  readonly removed: readonly number[]
  readonly noted: readonly (readonly [partition: number, noted: Noted])[]
}

/** Of a slot in place of the rank that was told: none was, and none will be. */
const [UNTOLD, OUT] = [0, -1]

export class BestTable implements KeyedTable {
  readonly #layout: BestLayout
  readonly #whole: readonly OrderedBy[]
  readonly keys: KeyTable
  #lanes: readonly ValueLane[]
  /** By partition. */
  #orders: OrderedSlots[] = []
  /** By partition: how many of its first rows were told, but for those that came among them and went from them since. */
  readonly #told = new Ints()
  /** By slot: the rank that was told, 1 where nobody reads it; of slots that are free it is not read. */
  readonly #rank = new Ints(UNTOLD)
  #rows = 0
  #free: number[] = []
  /** Slots of rows that went since all was told. */
  #removed: number[] = []
  #noted: Map<number, Noted> = new Map()

  constructor(layout: BestLayout) {
    this.#layout = layout
    this.#whole = [...layout.order, ...layout.ties]
    this.keys = new KeyTable(layout.partition)
    this.#lanes = layout.row.map(makeLane)
  }

  /** Something changed since all was told. */
  get isPending(): boolean {
    return this.#removed.length > 0 || this.#noted.size > 0
  }

  /** Rows of all partitions. */
  get rows(): number {
    return this.#rows - this.#free.length
  }

  hasRows(partition: number): boolean {
    return (this.#orders[partition]?.size ?? 0) > 0
  }

  #orderOf(partition: number): OrderedSlots {
    this.#orders[partition] ??= new OrderedSlots()
    return this.#orders[partition]
  }

  /** A row that the partition does not have. */
  add(partition: number, columns: readonly Column[], row: number): void {
    const order = this.#orderOf(partition)
    const place = order.behind((slot) => compareRow(this.#whole, this.#lanes, columns, row, slot) > 0)
    const slot = this.#free.pop() ?? this.#rows++
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[i]!.put(slot, columns[i]!, row)
    this.#rank.put(slot, UNTOLD)
    const told = this.#told.at(partition)
    const at = order.count(place, told + 1)
    order.insert(place, slot)
    if (at < told) {
      this.#told.put(partition, told + 1)
      this.#note(partition, at).entered.push(slot)
    } else if (at === told && (told < this.#layout.top.limit || this.#layout.top.function === 'rank')) this.#note(partition, at)
  }

  /** A row that the partition has. */
  remove(partition: number, columns: readonly Column[], row: number): void {
    const order = this.#orderOf(partition)
    const place = order.behind((slot) => compareRow(this.#whole, this.#lanes, columns, row, slot) > 0)
    const slot = order.slotAt(place)
    if (slot === undefined || compareRow(this.#whole, this.#lanes, columns, row, slot) !== 0)
      throw new MillraceError('MR_ASSERT', 'cannot be: a row goes that never came')
    const told = this.#told.at(partition)
    const at = order.count(place, told)
    order.remove(place)
    this.#removed.push(slot)
    if (this.#rank.at(slot) === UNTOLD) this.#rank.put(slot, OUT)
    if (at === told) return
    this.#told.put(partition, told - 1)
    this.#note(partition, at)
  }

  #note(partition: number, at: number): Noted {
    const noted = this.#noted.get(partition) ?? { from: at, entered: [] }
    noted.from = Math.min(noted.from, at)
    this.#noted.set(partition, noted)
    return noted
  }

  /** What has changed of the first rows since this was asked. The columns of slots that have gone hold until the next change. */
  tell(): ToldBest {
    const gone = this.#removed.filter((slot) => this.#rank.at(slot) > UNTOLD)
    const fallen: number[] = []
    const there: number[] = []
    const ranks: number[] = []
    for (const [partition, noted] of this.#noted) {
      const order = this.#orderOf(partition)
      const [before, now] = [this.#told.at(partition), this.#firstOf(order)]
      for (const slot of order.slice(now, before)) {
        if (this.#rank.at(slot) > UNTOLD) gone.push(slot)
        this.#rank.put(slot, OUT)
        fallen.push(slot)
      }
      this.#told.put(partition, now)
      for (const [slot, rank] of this.#standing(order, noted, before, now)) {
        const was = this.#rank.at(slot)
        if (was === OUT || was === rank) continue
        this.#rank.put(slot, rank)
        there.push(slot)
        ranks.push(rank)
      }
    }
    for (const slot of fallen) this.#rank.put(slot, UNTOLD)
    for (const slot of this.#removed) this.#free.push(slot)
    this.#removed = []
    this.#noted.clear()
    return { gone, there, ranks }
  }

  /** How many rows are to be told. */
  #firstOf(order: OrderedSlots): number {
    const { limit, function: called } = this.#layout.top
    if (called === 'row_number' || order.size <= limit) return Math.min(limit, order.size)
    const last = order.slotBeyond(limit - 1)
    const place = order.behind((slot) => compareSlots(this.#layout.order, this.#lanes, slot, last) <= 0)
    return order.count(place, order.size)
  }

  /** Rows that may have to be told, with their ranks; where nobody reads these, those that came alone. */
  *#standing(order: OrderedSlots, { from, entered }: Noted, before: number, now: number): Generator<readonly [number, number]> {
    if (!this.#layout.isRankRead) {
      for (const slot of [...entered, ...order.slice(before, now)]) yield [slot, 1]
      return
    }
    // The row before may be equal to the first that has changed.
    const first = Math.max(0, from - 1)
    const slots = order.slice(first, now)
    let rank = slots.length > 0 ? this.#rankAt(order, first, slots[0]!) : 0
    for (const [i, slot] of slots.entries()) {
      const isEqual =
        i > 0 && this.#layout.top.function === 'rank' && compareSlots(this.#layout.order, this.#lanes, slots[i - 1]!, slot) === 0
      if (i > 0 && !isEqual) rank = first + i + 1
      yield [slot, rank]
    }
  }

  /** Of the slot at this place in the order, counted from 0. */
  #rankAt(order: OrderedSlots, at: number, slot: number): number {
    if (this.#layout.top.function === 'row_number') return at + 1
    const first = order.behind((other) => compareSlots(this.#layout.order, this.#lanes, other, slot) < 0)
    return order.count(first, at) + 1
  }

  /** Columns of some slots. */
  columns(slots: Int32Array): Column[] {
    return this.#lanes.map((lane) => lane.column(slots, slots.length))
  }

  /** Nothing is pending. */
  write(partition: number, out: RecordWriter): void {
    const order = this.#orderOf(partition)
    out.int(order.size)
    out.int(this.#told.at(partition))
    for (const slot of order.slice()) {
      out.int(this.#rank.at(slot))
      for (const lane of this.#lanes) lane.write(slot, out)
    }
  }

  read(partition: number, from: RecordReader): void {
    const size = from.int()
    this.#told.put(partition, from.int())
    const slots: number[] = []
    for (let i = 0; i < size; i++) {
      const slot = this.#free.pop() ?? this.#rows++
      this.#rank.put(slot, from.int())
      for (const lane of this.#lanes) lane.read(slot, from)
      slots.push(slot)
    }
    this.#orders[partition] = new OrderedSlots(slots)
  }

  dueOf(partition: number): number {
    return this.hasRows(partition) ? FOR_GOOD : Number.POSITIVE_INFINITY
  }

  get bytes(): number {
    const orders = ORDERED_BYTES * this.#rows + ORDER_BYTES * this.#orders.length
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, this.keys.bytes + this.#told.bytes + this.#rank.bytes + orders)
  }

  save(): Saved<FrozenLeaf | Uint8Array> {
    const sizes = Int32Array.from({ length: this.keys.size }, (_, partition) => this.#orderOf(partition).size)
    const slots = new Int32Array(this.#rows)
    let n = 0
    for (const order of this.#orders) n = order.copyTo(slots, n)
    return {
      keys: this.keys.save(),
      lanes: this.#lanes.map((lane) => lane.save(this.#rows)),
      slots: new Uint8Array(slots.buffer, 0, n * slots.BYTES_PER_ELEMENT),
      sizes: new Uint8Array(sizes.buffer),
      told: this.#told.freeze(this.keys.size),
      rank: this.#rank.freeze(this.#rows),
      rows: this.#rows,
      free: [...this.#free],
      removed: [...this.#removed],
      noted: [...this.#noted].map(([partition, { from, entered }]) => [partition, { from, entered: [...entered] }]),
    }
  }

  restore(saved: unknown): void {
    const { keys, lanes, slots, sizes, told, rank, rows, free, removed, noted } = saved as Saved<Packed>
    this.keys.restore(keys)
    this.#lanes = this.#layout.row.map(makeLane)
    for (const [index, lane] of this.#lanes.entries()) lane.restore(lanes[index])
    const [ordered, counts] = [new Ints(), new Ints()]
    ordered.restore(slots)
    counts.restore(sizes)
    let n = 0
    this.#orders = Array.from(
      { length: this.keys.size },
      (_, partition) => new OrderedSlots(Array.from({ length: counts.at(partition) }, () => ordered.at(n++))),
    )
    this.#told.restore(told)
    this.#rank.restore(rank)
    this.#rows = rows
    this.#free = [...free]
    this.#removed = [...removed]
    this.#noted = new Map(noted.map(([partition, { from, entered }]) => [partition, { from, entered: [...entered] }]))
  }
}
