// Groups over rows that are replaced: rows with the sign 1 are added to the aggregates of their key, rows with -1 are taken away
// again. Where rows are replaced within their group, none becomes empty. Where they can leave it (`isLosing`) a group whose last row
// has gone is given out with the sign -1, the others with 1. Without keys there is one group, from the start and for good.
import type { Scratch } from '../../core/scratch.ts'
import { BOOLEAN, type Expression } from '../../engine/algebra/expression.ts'
import { type Aggregate, type GroupRelation, isLosing, type VarianceFunction } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch, NumberColumn } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { KeyTable } from '../memory/key-table.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { Generations, type KeyedTable } from '../spill/generations.ts'
import { Count } from './count.ts'
import { CountedExtreme } from './counted-extreme.ts'
import { FiniteSum } from './finite-sum.ts'
import { groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { Quantile } from './quantile.ts'
import { SIGN } from './retraction.ts'
import { groupShape } from './shape.ts'
import { ExactSum } from './sum.ts'
import { FOR_GOOD, GONE_MIN } from './table-rows.ts'
import { TextList } from './text-list.ts'
import { Variance } from './variance.ts'

/** An aggregate from which rows can be taken away again. */
export interface Removable {
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  column(groups: Int32Array, count: number): Column
  write(group: number, out: RecordWriter): void
  read(group: number, from: RecordReader): void
  readonly bytes: number
  save(size: number): unknown
  restore(saved: unknown): void
}

function stateOf({ function: name, of, fraction, list }: Aggregate): Removable {
  if (name === 'count') return new Count()
  if (name === 'min' || name === 'max') return new CountedExtreme(name, of[0]!.type)
  if (name === 'bool_and' || name === 'bool_or') return new CountedExtreme(name === 'bool_and' ? 'min' : 'max', BOOLEAN)
  if (name === 'sum' || name === 'avg') return of[0]!.type.kind === 'double' ? new FiniteSum(name) : new ExactSum(name, of[0]!.type)
  if (name === 'quantile_cont' || name === 'quantile_disc') return new Quantile(name, of[0]!.type, fraction!)
  if (name === 'string_agg') return new TextList(list!)
  return new Variance(name as VarianceFunction, of[0]!.type)
}

/** Of each group. */
class Rows extends Count {
  of(group: number): number {
    return this.values.at(group)
  }
}

class RemovableTable implements KeyedTable {
  readonly keys: KeyTable
  /** One an aggregate, and where groups can go one more, which counts their rows. */
  readonly states: readonly Removable[]
  readonly dueOf?: (group: number) => number
  readonly #rows: Rows | null

  constructor(group: GroupRelation) {
    const { keys, aggregates } = group
    this.keys = new KeyTable(keys.map(({ value }) => value.type))
    this.#rows = isLosing(group) ? new Rows() : null
    this.states = [...aggregates.map(stateOf), ...(this.#rows ? [this.#rows] : [])]
    if (this.#rows) this.dueOf = (group) => (this.hasRows(group) ? FOR_GOOD : Number.POSITIVE_INFINITY)
  }

  hasRows(group: number): boolean {
    return this.#rows === null || this.keys.width === 0 || this.#rows.of(group) > 0
  }

  columns(groups: Int32Array): Column[] {
    const states = this.#rows ? this.states.slice(0, -1) : this.states
    return [...this.keys.columns(groups, groups.length), ...states.map((state) => state.column(groups, groups.length))]
  }

  write(group: number, out: RecordWriter): void {
    for (const state of this.states) state.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    for (const state of this.states) state.read(group, from)
  }

  get bytes(): number {
    return this.states.reduce((sum, { bytes }) => sum + bytes, this.keys.bytes)
  }

  save(): unknown {
    return { keys: this.keys.save(), states: this.states.map((state) => state.save(this.keys.size)) }
  }

  restore(saved: unknown): void {
    const { keys, states } = saved as { keys: unknown; states: readonly unknown[] }
    this.keys.restore(keys)
    for (const [index, state] of this.states.entries()) state.restore(states[index])
  }
}

/** What counts the rows of groups that can go. */
const ALL_ROWS = { of: [], where: null }

export class ReplacingGroup implements Operator {
  readonly #group: GroupRelation
  readonly #project: Projection
  readonly #shape: Shape
  readonly #groups: Generations<RemovableTable>
  readonly #canLose: boolean
  #changed = new Set<number>()
  /** Groups that have gone since those were given up. */
  #gone = 0

  constructor(group: GroupRelation, input: Shape, scratch: Scratch | null) {
    this.#group = group
    const sign: Expression = { op: 'column', name: SIGN.name, type: SIGN.type, optional: false }
    this.#project = compileProjection([sign, ...groupLayout(group.keys, group.aggregates).inputs], input)
    this.#canLose = isLosing(group)
    this.#shape = this.#canLose ? { fields: [...groupShape(group).fields, SIGN] } : groupShape(group)
    this.#groups = new Generations(() => new RemovableTable(group), scratch)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [sign, ...columns] = this.#project(batch.columns, rows, count)
    const size = this.#group.keys.length
    const groups = this.#groups.find(columns.slice(0, size), null, count)
    const { states } = this.#groups.table
    for (const group of groups) this.#changed.add(group)
    const { values } = sign as NumberColumn
    let at = size
    const aggregates = this.#canLose ? [...this.#group.aggregates, ALL_ROWS] : this.#group.aggregates
    for (const [index, { of, where }] of aggregates.entries()) {
      const own = columns.slice(at, at + of.length)
      at += of.length
      const filter = where ? (columns[at++] as NumberColumn) : null
      for (const wanted of [-1, 1]) {
        const kept = new Int32Array(count)
        let n = 0
        for (let i = 0; i < count; i++) {
          const passes = filter === null || (filter.values[i] === 1 && !(filter.nulls !== null && filter.nulls[i] === 1))
          if (passes && values[i] === wanted) kept[n++] = i
        }
        if (n === 0) continue
        const reached = kept.subarray(0, n).map((row) => groups[row]!)
        if (wanted === 1) states[index]!.add(reached, own, kept, n)
        else states[index]!.remove(reached, own, kept, n)
      }
    }
    return null
  }

  changed(): ColumnBatch | null {
    if (this.#changed.size === 0) return null
    const groups = Int32Array.from(this.#changed)
    this.#changed.clear()
    const { table } = this.#groups
    const columns = table.columns(groups)
    if (!this.#canLose) return { shape: this.#shape, rows: groups.length, columns }
    const values = new Float64Array(groups.map((group) => (table.hasRows(group) ? 1 : -1)))
    this.#giveUp(values)
    return { shape: this.#shape, rows: groups.length, columns: [...columns, { kind: 'number', values, nulls: null }] }
  }

  #giveUp(signs: Float64Array): void {
    for (const sign of signs) if (sign < 0) this.#gone++
    if (this.#gone <= GONE_MIN || this.#gone * 2 <= this.#groups.table.keys.size) return
    this.#groups.prune()
    this.#gone = 0
  }

  /** What has changed holds groups of the young table. */
  fit(limitBytes: number): void {
    if (this.#changed.size === 0) this.#groups.fit(limitBytes)
  }

  get bytes(): number {
    return this.#groups.bytes
  }

  get spilledBytes(): number {
    return this.#groups.spilledBytes
  }

  save(): unknown {
    return { ...this.#groups.save(), changed: [...this.#changed] }
  }

  restore(saved: unknown): void {
    const { changed = [] } = (saved as { changed?: readonly number[] } | null) ?? {}
    // Checkpoints of before had the table beside what has changed.
    this.#groups.restore(saved === null || 'table' in (saved as object) ? saved : { table: saved })
    this.#changed = new Set(changed)
    if (saved === null && this.#group.keys.length === 0) this.#changed.add(this.#groups.find([], null, 1)[0]!)
    this.#gone = 0
  }
}
