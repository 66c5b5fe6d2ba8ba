// quantile_cont, quantile_disc and median, exact: each group has its values with how often they are there, which are put in order when
// the result is asked for. As DuckDB has them: quantile_cont is between the two values around (n - 1) * fraction, in doubles.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { QuantileFunction } from '../../engine/algebra/relation.ts'
import { type Column, type IntegerColumn, indexes, type NumberColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { makeLane } from './make-lane.ts'
import { wholeAt } from './sum.ts'
import { ValueCounts } from './value-counts.ts'

/** The n-th of the values, from 0 on. */
type ValueAt = (n: number) => number

export class Quantile implements AggregateState {
  readonly #isContinuous: boolean
  readonly #type: ValueType
  readonly #fraction: string
  readonly #values: ValueCounts

  /** `fraction`: see `Aggregate`. */
  constructor(name: QuantileFunction, of: ValueType, fraction: string) {
    this.#isContinuous = name === 'quantile_cont'
    this.#type = of
    this.#fraction = fraction
    this.#values = new ValueCounts(of)
  }

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count)
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count, -1)
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    this.#values.merge((from as Quantile).#values, target, count)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    this.#values.mergeGroup((from as Quantile).#values, group, to)
  }

  column(groups: Int32Array, count: number): Column {
    return this.#isContinuous ? this.#between(groups, count) : this.#picked(groups, count)
  }

  #between(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const { total, slotAt } = this.#inOrder(groups[i]!)
      if (total === 0) nulls[i] = 1
      else values[i] = between(Number(this.#fraction), total, (n) => this.#numberAt(slotAt(n)))
    }
    return { kind: 'number', values, nulls }
  }

  #numberAt(slot: number): number {
    const column = this.#values.lane.column(Int32Array.of(slot), 1)
    if (column.kind === 'bytes' || (column.kind === 'integer' && column.big)) return Number(wholeAt(column, 0))
    return (column as NumberColumn | IntegerColumn).values[0]!
  }

  #picked(groups: Int32Array, count: number): Column {
    const lane = makeLane(this.#type)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const { total, slotAt } = this.#inOrder(groups[i]!)
      if (total === 0) nulls[i] = 1
      else lane.copy(i, this.#values.lane, slotAt(placeOf(this.#fraction, total)))
    }
    const all = indexes(count)
    return { ...lane.column(all, count), nulls }
  }

  /** How many values a group has, and the slot of the n-th. */
  #inOrder(group: number): { readonly total: number; readonly slotAt: ValueAt } {
    const { lane } = this.#values
    const slots = this.#values.slotsOf(group).sort((a, b) => lane.compareSlot(b, lane, a))
    let total = 0
    const ends = slots.map((slot) => {
      total += this.#values.countOf(slot)
      return total
    })
    return { total, slotAt: (n) => slots[ends.findIndex((end) => end > n)]! }
  }

  clear(group: number): void {
    this.#values.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    this.#values.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.#values.read(group, from)
  }

  get bytes(): number {
    return this.#values.bytes
  }

  save(): unknown {
    return this.#values.save()
  }

  restore(saved: unknown): void {
    this.#values.restore(saved)
  }
}

function between(fraction: number, total: number, valueAt: ValueAt): number {
  const place = (total - 1) * fraction
  const [low, high] = [Math.floor(place), Math.ceil(place)]
  if (low === high) return valueAt(low)
  const share = place - low
  return valueAt(low) * (1 - share) + valueAt(high) * share
}

/** The first value that at least this fraction of all is not above. */
function placeOf(fraction: string, total: number): number {
  const above = fraction.includes('e') ? Math.floor(total - total * Number(fraction)) : wholeAbove(fraction, BigInt(total))
  return Math.max(1, total - above) - 1
}

function wholeAbove(fraction: string, total: bigint): number {
  const [whole, digits = ''] = fraction.split('.')
  const scale = 10n ** BigInt(digits.length)
  return Number((total * scale - total * BigInt(whole + digits)) / scale)
}
