// Groups by key with their aggregates: the state of a window, of a pane, or of a table that a live model keeps. The layout of
// its input is fixed when it is compiled: key columns, then for each aggregate its arguments and its filter.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { Aggregate, NamedExpression } from '../../engine/algebra/relation.ts'
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { ApproximateCount } from './approximate.ts'
import { Count, Truth } from './count.ts'
import { Distinct } from './distinct.ts'
import { Extreme } from './extreme.ts'
import { KeyTable } from './key-table.ts'
import { Quantile } from './quantile.ts'
import { ExactSum, RealSum } from './sum.ts'
import { Variance } from './variance.ts'

export interface GroupLayout {
  readonly keys: readonly NamedExpression[]
  readonly aggregates: readonly Aggregate[]
  /** What a batch is projected to before it is added. */
  readonly inputs: readonly Expression[]
}

export const groupLayout = (keys: readonly NamedExpression[], aggregates: readonly Aggregate[]): GroupLayout => ({
  keys,
  aggregates,
  inputs: [...keys.map(({ value }) => value), ...aggregates.flatMap(({ of, where }) => (where ? [...of, where] : of))],
})

function stateOf(aggregate: Aggregate): AggregateState {
  const { function: name, of, distinct } = aggregate
  const [first] = of
  if (distinct) return new Distinct(first!.type, name === 'count' ? () => null : () => stateOf({ ...aggregate, distinct: false }))
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
  }
}

/** One state an aggregate, for whoever keeps the groups. */
export class AggregateStates {
  readonly #aggregates: readonly Aggregate[]
  readonly #states: readonly AggregateState[]

  constructor(aggregates: readonly Aggregate[]) {
    this.#aggregates = aggregates
    this.#states = aggregates.map(stateOf)
  }

  /** `columns`: arguments and filters in the order of the layout. */
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    let at = 0
    for (const [index, { of, where }] of this.#aggregates.entries()) {
      const own = columns.slice(at, at + of.length)
      at += of.length
      if (!where) this.#states[index]!.add(groups, own, rows, count)
      else this.#addWhere(this.#states[index]!, columns[at++] as NumberColumn, groups, own, rows, count)
    }
  }

  #addWhere(
    state: AggregateState,
    filter: NumberColumn,
    groups: Int32Array,
    columns: readonly Column[],
    rows: Int32Array | null,
    count: number,
  ): void {
    const kept = new Int32Array(count)
    const own = new Int32Array(count)
    let n = 0
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (filter.values[row] !== 1 || (filter.nulls !== null && filter.nulls[row] === 1)) continue
      kept[n] = row
      own[n++] = groups[i]!
    }
    if (n > 0) state.add(own, columns, kept, n)
  }

  merge(from: AggregateStates, target: Int32Array, count: number): void {
    for (const [index, state] of this.#states.entries()) state.merge(from.#states[index]!, target, count)
  }

  /** The states of one group of another table of these aggregates, or of this one, are added to those of the group `to`. */
  mergeGroup(from: AggregateStates, group: number, to: number): void {
    for (let i = 0; i < this.#states.length; i++) this.#states[i]!.mergeGroup(from.#states[i]!, group, to)
  }

  /** The states of one group are added to those of another of this table. */
  join(group: number, to: number): void {
    this.mergeGroup(this, group, to)
    this.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    for (const state of this.#states) state.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    for (const state of this.#states) state.read(group, from)
  }

  columns(groups: Int32Array, count: number): Column[] {
    return this.#states.map((state) => state.column(groups, count))
  }

  clear(group: number): void {
    for (const state of this.#states) state.clear(group)
  }

  get bytes(): number {
    return this.#states.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  save(size: number): unknown {
    return this.#states.map((state) => state.save(size))
  }

  restore(saved: unknown): void {
    for (const [index, state] of this.#states.entries()) state.restore((saved as readonly unknown[])[index])
  }
}

export class GroupTable {
  readonly keys: KeyTable
  readonly #states: AggregateStates

  constructor({ keys, aggregates }: GroupLayout) {
    this.keys = new KeyTable(keys.map(({ value }) => value.type))
    this.#states = new AggregateStates(aggregates)
  }

  get size(): number {
    return this.keys.size
  }

  add(columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.addTo(this.keys.find(columns.slice(0, this.keys.width), rows, count), columns, rows, count)
  }

  /** `groups`: of each row. */
  addTo(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#states.add(groups, columns.slice(this.keys.width), rows, count)
  }

  write(group: number, out: RecordWriter): void {
    this.#states.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.#states.read(group, from)
  }

  merge(from: GroupTable): void {
    const all = everyGroup(from.size)
    const target = this.keys.find(from.keys.columns(all, all.length), null, all.length)
    this.#states.merge(from.#states, target, all.length)
  }

  /** Keys, then results. */
  columns(groups: Int32Array = everyGroup(this.size), count = groups.length): Column[] {
    return [...this.keys.columns(groups, count), ...this.#states.columns(groups, count)]
  }

  get bytes(): number {
    return this.keys.bytes + this.#states.bytes
  }

  save(): unknown {
    return { keys: this.keys.save(), states: this.#states.save(this.size) }
  }

  restore(saved: unknown): void {
    const { keys, states } = saved as { keys: unknown; states: unknown }
    this.keys.restore(keys)
    this.#states.restore(states)
  }
}

export const everyGroup = (size: number): Int32Array => Int32Array.from({ length: size }, (_, group) => group)
