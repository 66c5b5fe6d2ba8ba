// The aggregates of a table's groups, each with what it keeps. Those over the distinct values of one argument keep these together:
// `count(DISTINCT x)` beside three more with filters looks for each value once.
import { sameExpression } from '../../engine/algebra/expression.ts'
import type { Aggregate } from '../../engine/algebra/relation.ts'
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { ApproximateCount } from './approximate.ts'
import { Count, Truth } from './count.ts'
import { Distinct, MEMBERS_MAX } from './distinct.ts'
import { Extreme } from './extreme.ts'
import { Quantile } from './quantile.ts'
import { ExactSum, RealSum } from './sum.ts'
import { TextList } from './text-list.ts'
import { Variance } from './variance.ts'

function stateOf(aggregate: Aggregate): AggregateState {
  const { function: name, of } = aggregate
  const [first] = of
  switch (name) {
    case 'count':
      return new Count()
    case 'sum':
    case 'avg':
      return first!.type.kind === 'double' ? new RealSum(name) : new ExactSum(name, first!.type)
    case 'min':
    case 'max':
      return new Extreme(name, [first!.type])
    case 'arg_min':
    case 'arg_max':
      return new Extreme(
        name === 'arg_min' ? 'min' : 'max',
        of.map(({ type }) => type),
      )
    case 'bool_and':
    case 'bool_or':
      return new Truth(name)
    case 'approx_count_distinct':
      return new ApproximateCount()
    case 'var_samp':
    case 'var_pop':
    case 'stddev_samp':
    case 'stddev_pop':
      return new Variance(name, first!.type)
    case 'quantile_cont':
    case 'quantile_disc':
      return new Quantile(name, first!.type, aggregate.fraction!)
    case 'string_agg':
      return new TextList(aggregate.list!)
  }
}

const NONE = -1

/** An aggregate, and where its arguments and its filter are among the columns of the layout. */
interface Placed {
  readonly aggregate: Aggregate
  readonly columns: readonly number[]
  /** NONE without a filter. */
  readonly where: number
}

function placesOf(aggregates: readonly Aggregate[]): Placed[] {
  let at = 0
  return aggregates.map((aggregate) => ({
    aggregate,
    columns: aggregate.of.map(() => at++),
    where: aggregate.where ? at++ : NONE,
  }))
}

/** A state with the columns that it is given; rows for which the one at `where` is not true are left out. */
interface Part {
  readonly state: AggregateState
  readonly columns: readonly number[]
  readonly where: number
}

/** Aggregates that one state keeps: one alone, or those of the distinct values of one argument. */
function keptTogether(places: readonly Placed[]): Placed[][] {
  const parts: Placed[][] = []
  for (const placed of places) {
    const { distinct, of } = placed.aggregate
    const isLike = ({ aggregate }: Placed): boolean => aggregate.distinct && sameExpression(aggregate.of[0]!, of[0]!)
    const like = distinct && parts.find((part) => isLike(part[0]!) && part.length < MEMBERS_MAX)
    if (like) like.push(placed)
    else parts.push([placed])
  }
  return parts
}

function partOf(together: readonly Placed[]): Part {
  const [{ aggregate, columns, where }] = together as [Placed]
  if (!aggregate.distinct) return { state: stateOf(aggregate), columns, where }
  const own = [columns[0]!]
  const members = together.map(({ aggregate, where }) => ({
    filter: where === NONE ? NONE : own.push(where) - 1,
    makeOver: () => (aggregate.function === 'count' ? null : stateOf(aggregate)),
  }))
  return { state: new Distinct(aggregate.of[0]!.type, members), columns: own, where: NONE }
}

export class AggregateStates {
  readonly #parts: readonly Part[]
  /** By aggregate: who keeps it, and which of those that it keeps it is. */
  readonly #results: readonly { readonly part: number; readonly member: number }[]

  constructor(aggregates: readonly Aggregate[]) {
    const places = placesOf(aggregates)
    const together = keptTogether(places)
    this.#parts = together.map(partOf)
    this.#results = places.map((placed) => {
      const part = together.findIndex((own) => own.includes(placed))
      return { part, member: together[part]!.indexOf(placed) }
    })
  }

  /** `columns`: arguments and filters in the order of the layout. */
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const kept = new Map<Column, Kept>()
    for (const { state, columns: at, where } of this.#parts) {
      const own = at.map((index) => columns[index]!)
      if (where === NONE) {
        state.add(groups, own, rows, count)
        continue
      }
      const filter = columns[where] as NumberColumn
      const some = kept.get(filter) ?? keptOf(filter, groups, rows, count)
      kept.set(filter, some)
      if (some.count > 0) state.add(some.groups, own, some.rows, some.count)
    }
  }

  merge(from: AggregateStates, target: Int32Array, count: number): void {
    for (const [index, { state }] of this.#parts.entries()) state.merge(from.#parts[index]!.state, target, count)
  }

  /** The states of one group of another table of these aggregates, or of this one, are added to those of the group `to`. */
  mergeGroup(from: AggregateStates, group: number, to: number): void {
    for (let i = 0; i < this.#parts.length; i++) this.#parts[i]!.state.mergeGroup(from.#parts[i]!.state, group, to)
  }

  /** The states of one group are added to those of another of this table. */
  join(group: number, to: number): void {
    this.mergeGroup(this, group, to)
    this.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    for (const { part, member } of this.#results) this.#parts[part]!.state.write(group, out, member)
  }

  read(group: number, from: RecordReader): void {
    for (const { part, member } of this.#results) this.#parts[part]!.state.read(group, from, member)
  }

  columns(groups: Int32Array, count: number): Column[] {
    return this.#results.map(({ part, member }) => this.#parts[part]!.state.column(groups, count, member))
  }

  clear(group: number): void {
    for (const { state } of this.#parts) state.clear(group)
  }

  get bytes(): number {
    return this.#parts.reduce((sum, { state }) => sum + state.bytes, 0)
  }

  save(size: number): unknown {
    return this.#parts.map(({ state }) => state.save(size))
  }

  restore(saved: unknown): void {
    const states = saved as readonly unknown[]
    // Checkpoints of before had one state an aggregate.
    const isApart = states.length > this.#parts.length
    for (const [index, { state }] of this.#parts.entries()) {
      const own = states.filter((_, aggregate) => this.#results[aggregate]?.part === index)
      if (isApart && own.length > 1) (state as Distinct).restoreApart(own)
      else state.restore(isApart ? own[0] : states[index])
    }
  }
}

/** Rows that a filter is true for, with their groups. */
interface Kept {
  readonly groups: Int32Array
  readonly rows: Int32Array
  readonly count: number
}

function keptOf({ values, nulls }: NumberColumn, groups: Int32Array, rows: Int32Array | null, count: number): Kept {
  const kept = { groups: new Int32Array(count), rows: new Int32Array(count), count: 0 }
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (values[row] !== 1 || (nulls !== null && nulls[row] === 1)) continue
    kept.rows[kept.count] = row
    kept.groups[kept.count++] = groups[i]!
  }
  return kept
}
