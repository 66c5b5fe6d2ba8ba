// The first rows of each partition by an order: deduplication keeps one, a ranking several. Rows are kept in lanes; a row that
// falls out gives its slot back. Equal rows keep the order of the log where they are numbered, and all of them where ranked.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { TopRelation } from '../../engine/algebra/relation.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { Packed } from '../memory/pack.ts'
import { Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { RowLanes, type SavedRows } from '../memory/row-lanes.ts'
import type { ValueLane } from '../memory/value-lane.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { compareRow, compareSlots, type OrderedBy } from './row-order.ts'

export interface TopLayout {
  readonly top: Pick<TopRelation, 'order' | 'function' | 'limit'>
  readonly partition: readonly ValueType[]
  /** Order values, the place in the log, then what is kept: the columns of a row. */
  readonly row: readonly ValueType[]
  /** How many of `row` decide the order. */
  readonly orderCount: number
}

interface Saved<Leaf> extends SavedRows {
  readonly keys: unknown
  readonly first: Leaf
  /** By partition: its rows behind the first. */
  readonly more: readonly (readonly [number, readonly number[]])[]
  readonly rows: number
  readonly free: readonly number[]
}

const NONE = -1

const rankColumn = (values: Float64Array): Column => ({ kind: 'integer', values, big: null, nulls: null })

export class TopTable {
  readonly #layout: TopLayout
  readonly #order: readonly OrderedBy[]
  readonly keys: KeyTable
  /** What decides the order, and the other columns of a row. */
  #lanes: readonly ValueLane[]
  readonly #rest: RowLanes
  readonly #restAt: readonly number[]
  /** The best row of a partition, and all of its rows in order where they are several. */
  readonly #first = new Ints(NONE)
  #several = new Map<number, number[]>()
  #rows = 0
  #free: number[] = []
  /** Slots of which only the order is written, and by slot the row of the batch that goes there. */
  #begun: number[] = []
  readonly #rowOf = new Ints(NONE)

  constructor(layout: TopLayout) {
    this.#layout = layout
    this.keys = new KeyTable(layout.partition)
    this.#lanes = this.#orderLanes()
    this.#rest = new RowLanes(layout.row.slice(layout.orderCount))
    this.#restAt = layout.row.slice(layout.orderCount).map((_, column) => column)
    const byLog = Array.from({ length: layout.orderCount - layout.top.order.length }, () => ({ descending: false, nullsFirst: false }))
    this.#order = [...layout.top.order, ...byLog].map((by, at) => ({ ...by, at }))
  }

  #orderLanes(): ValueLane[] {
    return this.#layout.row.slice(0, this.#layout.orderCount).map(makeLane)
  }

  get size(): number {
    return this.keys.size
  }

  /** `columns`: partition, then row. */
  add(columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.addTo(this.keys.find(columns.slice(0, this.#layout.partition.length), rows, count), columns, rows, count)
  }

  /** `partitions`: of each row. Calls `onChange` with each whose rows changed, maybe several times, and how many of its first have not. */
  addTo(
    partitions: Int32Array,
    columns: readonly Column[],
    rows: Int32Array | null,
    count: number,
    onChange: (partition: number, same: number) => void = () => {},
  ): void {
    const row = columns.slice(this.#layout.partition.length)
    for (let i = 0; i < count; i++) {
      const at = this.#put(partitions[i]!, row, rows === null ? i : rows[i]!)
      if (at !== NONE) onChange(partitions[i]!, at)
    }
    this.#writeRest(row)
  }

  /** Where the row is among those of its partition now, NONE where it is not. */
  #put(partition: number, columns: readonly Column[], row: number): number {
    const first = this.#first.at(partition)
    if (first === NONE) {
      this.#first.put(partition, this.#keep(columns, row))
      return 0
    }
    const { limit, function: called } = this.#layout.top
    if (limit > 1 || called !== 'row_number') return this.#insert(partition, columns, row)
    if (this.#compare(columns, row, first) >= 0) return NONE
    this.#write(first, columns, row)
    return 0
  }

  #insert(partition: number, columns: readonly Column[], row: number): number {
    const { limit, function: called } = this.#layout.top
    const kept = this.#slotsOf(partition)
    const at = this.#behind(kept, columns, row)
    // As many strictly before it as its rank allows, and one more is too many.
    const strictly = called === 'row_number' ? at : this.#before(kept, at, columns, row)
    const ahead = called === 'dense_rank' ? this.#valuesIn(kept, strictly) : strictly
    if (ahead >= limit) return NONE
    kept.splice(at, 0, this.#keep(columns, row))
    while (kept.length > limit && this.#rankOf(kept, kept.length - 1) > limit) this.#free.push(kept.pop()!)
    this.#hold(partition, kept)
    return at
  }

  /** In order. */
  #slotsOf(partition: number): number[] {
    return this.#several.get(partition) ?? [this.#first.at(partition)]
  }

  #hold(partition: number, slots: number[]): void {
    this.#first.put(partition, slots[0]!)
    if (slots.length > 1) this.#several.set(partition, slots)
    else this.#several.delete(partition)
  }

  /** How many slots the row does not come before; most rows come before none. */
  #behind(kept: readonly number[], columns: readonly Column[], row: number): number {
    let low = 0
    let high = kept.length
    if (this.#compare(columns, row, kept[high - 1]!) >= 0) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(columns, row, kept[middle]!) < 0) high = middle
      else low = middle + 1
    }
    return low
  }

  /** How many of the first `at` slots come strictly before the row. */
  #before(kept: readonly number[], at: number, columns: readonly Column[], row: number): number {
    let low = 0
    let high = at
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#compare(columns, row, kept[middle]!) <= 0) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Counted from 1; equal rows have the rank of the first of them, or the number of their value. */
  #rankOf(kept: readonly number[], index: number): number {
    const { function: called } = this.#layout.top
    if (called === 'row_number') return index + 1
    if (called === 'dense_rank') return this.#valuesIn(kept, index + 1)
    let low = 0
    let high = index
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isSame(kept[middle]!, kept[index]!)) high = middle
      else low = middle + 1
    }
    return low + 1
  }

  /** How many unlike values the first slots have: from one to the next by halves, as there are few of them. */
  #valuesIn(kept: readonly number[], until: number): number {
    let values = 0
    for (let at = 0; at < until; values++) {
      const first = kept[at]!
      let low = at + 1
      let high = until
      while (low < high) {
        const middle = (low + high) >> 1
        if (this.#isSame(kept[middle]!, first)) low = middle + 1
        else high = middle
      }
      at = low
    }
    return values
  }

  #isSame(a: number, b: number): boolean {
    return compareSlots(this.#order, this.#lanes, a, b) === 0
  }

  #keep(columns: readonly Column[], row: number): number {
    const slot = this.#free.pop() ?? this.#rows++
    this.#write(slot, columns, row)
    return slot
  }

  /** What decides the order at once; the rest of a row when all have come, as most slots get several in a batch. */
  #write(slot: number, columns: readonly Column[], row: number): void {
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[i]!.put(slot, columns[i]!, row)
    if (this.#rowOf.at(slot) === NONE) this.#begun.push(slot)
    this.#rowOf.put(slot, row)
  }

  #writeRest(columns: readonly Column[]): void {
    const slots = Int32Array.from(this.#begun)
    const rows = slots.map((slot) => this.#rowOf.at(slot))
    this.#rest.putAll(slots, columns.slice(this.#layout.orderCount), rows, slots.length)
    for (const slot of slots) this.#rowOf.put(slot, NONE)
    this.#begun = []
  }

  /** Below zero when the row comes before the slot. */
  #compare(columns: readonly Column[], row: number, slot: number): number {
    return compareRow(this.#order, this.#lanes, columns, row, slot)
  }

  /** The rows of another table of this layout. */
  merge(from: TopTable): void {
    const { columns, count } = from.columns(null)
    this.add(columns, null, count)
  }

  /**
   * Rows of some partitions (of all where null): partition and row columns, and their ranks. `same`: how many of the first of each are
   * left out.
   */
  columns(
    partitions: Int32Array | null,
    same: Int32Array | null = null,
  ): { readonly columns: Column[]; readonly ranks: Column; readonly count: number } {
    const each = partitions ?? indexes(this.keys.size)
    if (this.#several.size === 0) {
      const own = each.map((partition) => this.#first.at(partition))
      return { columns: this.#columnsOf(each, own), ranks: rankColumn(new Float64Array(each.length).fill(1)), count: each.length }
    }
    const kept = Array.from(each, (partition) => this.#slotsOf(partition))
    const count = kept.reduce((sum, slots, i) => sum + slots.length - (same?.[i] ?? 0), 0)
    const [owners, slots, ranks] = [new Int32Array(count), new Int32Array(count), new Float64Array(count)]
    let n = 0
    for (const [i, own] of kept.entries())
      for (let index = same?.[i] ?? 0; index < own.length; index++) {
        owners[n] = each[i]!
        slots[n] = own[index]!
        ranks[n++] = this.#rankOf(own, index)
      }
    return { columns: this.#columnsOf(owners, slots), ranks: rankColumn(ranks), count }
  }

  #columnsOf(partitions: Int32Array, slots: Int32Array): Column[] {
    const order = this.#lanes.map((lane) => lane.column(slots, slots.length))
    return [...this.keys.columns(partitions, partitions.length), ...order, ...this.#rest.columns(slots, slots.length, this.#restAt)]
  }

  write(partition: number, out: RecordWriter): void {
    const kept = this.#slotsOf(partition)
    out.int(kept.length)
    for (const slot of kept) {
      for (const lane of this.#lanes) lane.write(slot, out)
      this.#rest.write(slot, out)
    }
  }

  read(partition: number, from: RecordReader): void {
    const kept = Array.from({ length: from.int() }, () => {
      const slot = this.#free.pop() ?? this.#rows++
      for (const lane of this.#lanes) lane.read(slot, from)
      this.#rest.read(slot, from)
      return slot
    })
    this.#hold(partition, kept)
  }

  get bytes(): number {
    return this.#lanes.reduce(
      (sum, { bytes }) => sum + bytes,
      this.#rest.bytes + this.keys.bytes + this.#first.bytes + this.#rowOf.bytes + 160 * this.#several.size,
    )
  }

  save(): Saved<FrozenLeaf> {
    const rest = this.#rest.save(this.#rows)
    return {
      ...rest,
      keys: this.keys.save(),
      first: this.#first.freeze(this.keys.size),
      more: [...this.#several].map(([partition, slots]) => [partition, slots.slice(1)]),
      lanes: [...this.#lanes.map((lane) => lane.save(this.#rows)), ...rest.lanes],
      rows: this.#rows,
      free: [...this.#free],
    }
  }

  restore(saved: unknown): void {
    const { keys, first, more, lanes, texts, rows, free } = saved as Saved<Packed>
    this.keys.restore(keys)
    this.#first.restore(first)
    this.#several = new Map(more.map(([partition, slots]) => [partition, [this.#first.at(partition), ...slots]]))
    this.#lanes = this.#orderLanes()
    for (const [index, lane] of this.#lanes.entries()) lane.restore(lanes[index])
    this.#rest.restore({ lanes: lanes.slice(this.#layout.orderCount), texts }, rows)
    this.#rows = rows
    this.#free = [...free]
  }
}
