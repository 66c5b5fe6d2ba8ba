// Groups by key with their aggregates: the state of a window, of a pane, or of a table that a live model keeps. The layout of
// its input is fixed when it is compiled: key columns, then for each aggregate its arguments and its filter.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { Aggregate, NamedExpression } from '../../engine/algebra/relation.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { AggregateStates } from './aggregate-states.ts'

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
    const all = indexes(from.size)
    const target = this.keys.find(from.keys.columns(all, all.length), null, all.length)
    this.#states.merge(from.#states, target, all.length)
  }

  /** Keys, then results. */
  columns(groups: Int32Array = indexes(this.size), count = groups.length): Column[] {
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
