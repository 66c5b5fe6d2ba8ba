// quantile_cont, quantile_disc and median, exact: each group has its values with how often they are there. The values of a group that
// was asked for are kept in order from then on, so that the next result is found and not sorted again.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { QuantileFunction } from '../../engine/algebra/relation.ts'
import type { Column } from '../../schema/batch.ts'
import { CountedValues } from './counted-values.ts'
import { ORDER_BYTES, ORDERED_BYTES, OrderedSlots } from './ordered-slots.ts'
import { type QuantileOf, QuantileValues } from './quantile-values.ts'

/** Groups of fewer values are put in order whenever they are asked for. */
const KEPT_MIN = 32

export class Quantile extends CountedValues {
  readonly #of: QuantileOf
  readonly #orders = new Map<number, OrderedSlots>()
  readonly #compare = (a: number, b: number): number => this.values.lane.compareSlot(b, this.values.lane, a)
  readonly #countOf = (slot: number): number => this.values.countOf(slot)
  #ordered = 0
  #numbering = 0

  /** `fraction`: see `Aggregate`. */
  constructor(name: QuantileFunction, of: ValueType, fraction: string) {
    super(of, (slot, group, before, now) => this.#counted(slot, group, before, now))
    this.#of = { function: name, type: of, fraction }
  }

  #counted(slot: number, group: number, before: number, now: number): void {
    const order = this.#orderOf(group)
    if (order === undefined) return
    const place = order.behind((other) => this.#compare(other, slot) < 0)
    if (before === 0) {
      order.insert(place, slot)
      this.#ordered++
    } else if (now === 0) {
      order.remove(place, before)
      this.#ordered--
    } else order.weigh(place, now - before)
  }

  /** What was kept in order. */
  #orderOf(group: number): OrderedSlots | undefined {
    if (this.#numbering !== this.values.numbering) {
      this.#numbering = this.values.numbering
      this.#orders.clear()
      this.#ordered = 0
    }
    return this.#orders.get(group)
  }

  column(groups: Int32Array, count: number): Column {
    const out = new QuantileValues(this.#of, count)
    for (let i = 0; i < count; i++) this.putTo(out, i, groups[i]!)
    return out.column()
  }

  /** Row `row` of `out` is the result of a group. */
  putTo(out: QuantileValues, row: number, group: number): void {
    out.put(row, this.values.lane, this.#orderOf(group) ?? this.#order(group))
  }

  #order(group: number): OrderedSlots {
    const slots = this.values.slotsOf(group)
    const order = new OrderedSlots(slots.toSorted(this.#compare), this.#countOf)
    if (slots.length < KEPT_MIN) return order
    this.#orders.set(group, order)
    this.#ordered += slots.length
    return order
  }

  override clear(group: number): void {
    const order = this.#orderOf(group)
    if (order !== undefined) {
      this.#ordered -= order.size
      this.#orders.delete(group)
    }
    super.clear(group)
  }

  override get bytes(): number {
    return super.bytes + ORDERED_BYTES * this.#ordered + ORDER_BYTES * this.#orders.size
  }
}
