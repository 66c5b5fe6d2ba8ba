// Quantiles over the frames of rows, whose states have no merge that takes fewer steps than they have values: the values of each
// partition's frame are kept in order, a row puts its own in, rows that leave take theirs out, and results are found among them.
import type { ValueType } from '../../engine/algebra/expression.ts'
import { type Column, type NumberColumn, nullColumn } from '../../schema/batch.ts'
import { laneOfValue } from '../expression/lane.ts'
import { HeldRows, NONE } from '../memory/held-rows.ts'
import { isNullAt } from '../memory/value-lane.ts'
import { type MovingFrame, MovingRows } from './moving-rows.ts'
import { ORDER_BYTES, ORDERED_BYTES, OrderedSlots, type Place } from './ordered-slots.ts'
import { Quantile } from './quantile.ts'
import { type QuantileOf, QuantileValues } from './quantile-values.ts'
import { type FrameStates, type MovingStates, SUMMED } from './sliding-states.ts'
import { ValueCounts } from './value-counts.ts'

/** Frames of fewer values are put in order whenever they are asked for. */
const KEPT_MIN = 12

/** Of all of them: null in a column where the filter leaves a row out. */
abstract class Quantiles {
  protected readonly quantiles: readonly QuantileOf[]
  protected columns: readonly Column[] = []
  protected out: readonly QuantileValues[] = []

  constructor(quantiles: readonly QuantileOf[]) {
    this.quantiles = quantiles
  }

  begin(columns: readonly (readonly Column[])[], count: number): void {
    this.columns = columns.map(([values, filter]) => (filter ? masked(values!, filter as NumberColumn, count) : values!))
    this.out = this.quantiles.map((quantile) => new QuantileValues(quantile, count))
  }

  results(): Column[] {
    return this.out.map((values) => values.column())
  }
}

/** Frames without a beginning: each partition has its values with how often they came. */
export class RunningQuantiles extends Quantiles implements FrameStates {
  #states = this.#none()

  #none(): readonly Quantile[] {
    return this.quantiles.map(({ function: name, type, fraction }) => new Quantile(name, type, fraction))
  }

  enter(partition: number, _timeUs: number, row: number): void {
    const [groups, rows] = [Int32Array.of(partition), Int32Array.of(row)]
    for (const [index, state] of this.#states.entries()) state.add(groups, [this.columns[index]!], rows, 1)
  }

  read(partition: number, row: number): void {
    for (const [index, state] of this.#states.entries()) state.putTo(this.out[index]!, row, partition)
  }

  get bytes(): number {
    return this.#states.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  save(): unknown {
    return this.#states.map((state) => state.save())
  }

  restore(saved: unknown): void {
    this.#states = this.#none()
    if (saved !== null) for (const [index, state] of this.#states.entries()) state.restore((saved as readonly unknown[])[index])
  }
}

/** Frames of so many rows or so long: their rows are kept with what is asked of them. */
export class SlidingQuantiles extends Quantiles implements MovingStates {
  readonly #rows: MovingRows
  /** By aggregate and partition, of those that have many values. */
  #orders: readonly Map<number, OrderedSlots>[] = []
  /** By aggregate: of two slots, by their values; equal ones by their numbers. */
  readonly #compares: readonly ((a: number, b: number) => number)[]

  constructor(quantiles: readonly QuantileOf[], frame: MovingFrame) {
    super(quantiles)
    const types = quantiles.map(({ type }) => type)
    this.#rows = new MovingRows(frame, types, (partition, slot) => this.#leave(partition, slot))
    this.#compares = types.map((_, index) => (a, b) => this.held.lane(index).compareSlot(b, this.held.lane(index), a) || a - b)
    this.#forgetOrders()
  }

  #forgetOrders(): void {
    this.#orders = this.quantiles.map(() => new Map())
  }

  get held(): HeldRows {
    return this.#rows.held
  }

  enter(partition: number, timeUs: number, row: number): void {
    const slot = this.#rows.add(partition, this.#rows.placeOf(partition, timeUs), this.columns, row)
    for (const [index, orders] of this.#orders.entries()) {
      const order = isNullAt(this.columns[index]!, row) ? undefined : orders.get(partition)
      order?.insert(this.#placeOf(index, order, slot), slot)
    }
  }

  #placeOf(index: number, order: OrderedSlots, slot: number): Place {
    const compare = this.#compares[index]!
    return order.behind((other) => compare(other, slot) < 0)
  }

  #leave(partition: number, slot: number): void {
    for (const [index, orders] of this.#orders.entries()) {
      const order = this.held.lane(index).isNull(slot) ? undefined : orders.get(partition)
      order?.remove(this.#placeOf(index, order, slot))
      if (order?.size === 0) orders.delete(partition)
    }
  }

  read(partition: number, row: number): void {
    this.#rows.oldestOf(partition)
    for (const [index, orders] of this.#orders.entries())
      this.out[index]!.put(row, this.held.lane(index), orders.get(partition) ?? this.#order(index, partition))
  }

  #order(index: number, partition: number): OrderedSlots {
    const lane = this.held.lane(index)
    const slots: number[] = []
    for (let slot = this.held.firstOf(partition); slot !== NONE; slot = this.held.next.at(slot)) if (!lane.isNull(slot)) slots.push(slot)
    const order = new OrderedSlots(slots.toSorted(this.#compares[index]!))
    if (slots.length >= KEPT_MIN) this.#orders[index]!.set(partition, order)
    return order
  }

  forgetBefore(timeUs: number): void {
    this.#rows.forgetBefore(timeUs)
  }

  index(): void {
    this.#rows.index()
    this.#forgetOrders()
  }

  get bytes(): number {
    const orders = this.#orders.reduce((sum, { size }) => sum + size, 0)
    return this.#rows.bytes + ORDER_BYTES * orders + ORDERED_BYTES * this.held.count * this.#orders.length
  }

  save(): unknown {
    return this.held.save()
  }

  restore(saved: unknown): void {
    this.#rows.restore(saved)
    this.#forgetOrders()
  }

  /**
   * From checkpoints of before, which had states by entry, as `SlidingStates` has them: of it alone, or where it is flagged of it and all
   * newer ones that are.
   */
  restoreMerged(entries: unknown, states: readonly unknown[]): void {
    this.restore(null)
    const before = new HeldRows([])
    before.restore(entries)
    const counts = this.quantiles.map(({ type }, index) => countsOf(type, states[index]))
    for (const oldest of before.slots()) {
      if (before.next.at(oldest) !== NONE) continue
      for (let entry = oldest; entry !== NONE; entry = before.before.at(entry)) {
        const newer = before.before.at(entry)
        if (newer !== NONE && before.flags.at(newer) === SUMMED) for (const own of counts) own.mergeGroup(own, newer, entry, -1)
        this.#addAll(before.groupOf(entry), before.times.at(entry), counts, entry)
      }
    }
  }

  /** Which values stood together in a row makes no difference; a row without any counts for frames of so many rows. */
  #addAll(partition: number, place: number, counts: readonly ValueCounts[], entry: number): void {
    const slots = counts.map((own) => own.slotsOf(entry).flatMap((slot) => new Array<number>(own.countOf(slot)).fill(slot)))
    const rows = Math.max(1, ...slots.map(({ length }) => length))
    const columns = counts.map((own, index) => columnOf(own, slots[index]!, rows, this.quantiles[index]!.type))
    for (let row = 0; row < rows; row++) this.#rows.add(partition, place, columns, row)
  }
}

function masked(column: Column, { values, nulls }: NumberColumn, count: number): Column {
  const own = new Uint8Array(count)
  for (let row = 0; row < count; row++) if (values[row] !== 1 || nulls?.[row] === 1 || isNullAt(column, row)) own[row] = 1
  return { ...column, nulls: own }
}

function countsOf(type: ValueType, saved: unknown): ValueCounts {
  const counts = new ValueCounts(type)
  counts.restore(saved)
  return counts
}

/** So many rows, the last of which are null where there are fewer values. */
function columnOf({ lane }: ValueCounts, slots: readonly number[], rows: number, type: ValueType): Column {
  if (slots.length === 0) return nullColumn(laneOfValue(type), rows)
  const nulls = Uint8Array.from({ length: rows }, (_, row) => (row < slots.length ? 0 : 1))
  return {
    ...lane.column(
      Int32Array.from({ length: rows }, (_, row) => slots[row] ?? slots[0]!),
      rows,
    ),
    nulls,
  }
}
