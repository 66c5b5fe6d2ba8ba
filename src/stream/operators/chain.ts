// A live query as a chain that runs: filters and projections, the one operator with state, filters and projections over its
// result. Built from the logical operators; rows go in as column batches of the stream and come out in the model's columns.
import { castTo, valueTypeOf } from '../../engine/algebra/coerce.ts'
import { columnsIn, type Expression } from '../../engine/algebra/expression.ts'
import type { GroupRelation, LiveQuery, NamedExpression, Relation, TopRelation } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, selectRows } from '../../schema/batch.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import { compileFilter, compileProjection } from '../expression/compile.ts'
import { representationOf } from '../expression/emitter.ts'
import { GroupTable, groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { PaneOperator } from './pane-operator.ts'
import { SessionGroup } from './session-group.ts'
import { groupShape, projectShape, shapeOver, topShape } from './shape.ts'
import { TableGroup } from './table-group.ts'
import { rankGroups, TableTop, windowTop } from './top.ts'

/** Some rows of a batch, all of the first `count` where `rows` is null. */
interface Rows {
  readonly batch: ColumnBatch
  readonly rows: Int32Array | null
  readonly count: number
}

type Stage = (rows: Rows) => Rows

export class Chain {
  readonly #before: readonly Stage[]
  readonly #operator: Operator | null
  readonly #after: readonly Stage[]

  /** `stream`: columns of the batches; `model`: columns of what comes out, by name where they have one, else by place. */
  constructor(query: LiveQuery, stream: Shape, model: Shape) {
    const root = inColumnsOf(query.root, model)
    const path = pathOf(root)
    const at = path.findIndex(({ op }) => op === 'group' || op === 'top')
    const before = at < 0 ? path : path.slice(0, at)
    const after = at < 0 ? [] : path.slice(at + 1)
    const held = at < 0 ? null : heldBy(path[at] as GroupRelation | TopRelation, after, shapeAfter(before, stream))
    this.#before = stagesOf(before, stream)
    this.#operator = held?.operator ?? null
    this.#after = held ? stagesOf(after, held.shape) : []
  }

  get openWindows(): number {
    return this.#operator?.openWindows ?? 0
  }

  /** Rows that come out at once. */
  take(batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null {
    const taken = run(this.#before, { batch, rows, count })
    if (taken.count === 0) return null
    if (!this.#operator) return whole(taken)
    return this.#finish(this.#operator.take(taken.batch, taken.rows, taken.count))
  }

  /** Rows that are final up to the watermark, microseconds. */
  advance(watermarkUs: number): ColumnBatch | null {
    return this.#finish(this.#operator?.advance(watermarkUs) ?? null)
  }

  open(): ColumnBatch | null {
    return this.#finish(this.#operator?.open() ?? null)
  }

  changed(): ColumnBatch | null {
    return this.#finish(this.#operator?.changed() ?? null)
  }

  #finish(batch: ColumnBatch | null): ColumnBatch | null {
    if (!batch || batch.rows === 0) return null
    return whole(run(this.#after, { batch, rows: null, count: batch.rows }))
  }

  save(): unknown {
    return this.#operator?.save() ?? null
  }

  restore(saved: unknown): void {
    this.#operator?.restore(saved)
  }
}

function run(stages: readonly Stage[], rows: Rows): Rows {
  let at = rows
  for (const stage of stages) if (at.count > 0) at = stage(at)
  return at
}

function whole({ batch, rows, count }: Rows): ColumnBatch | null {
  if (count === 0) return null
  return rows === null ? { ...batch, rows: count } : selectRows(batch, rows, count)
}

/** From the scan to the root. */
function pathOf(relation: Relation): Relation[] {
  return relation.op === 'scan' ? [relation] : [...pathOf(relation.input), relation]
}

/** The last projection in the types and the order of the model's columns. */
function inColumnsOf(root: Relation, model: Shape): Relation {
  if (root.op !== 'project') return root
  const columns = model.fields.map((field, index): NamedExpression => {
    const { value } = root.columns.find(({ name }) => name === field.name) ?? root.columns[index]!
    return { name: field.name, value: fit(value, valueTypeOf(field.type)) }
  })
  return { ...root, columns }
}

/** A contract may want another type of the family. */
function fit(value: Expression, type: ReturnType<typeof valueTypeOf>): Expression {
  const isText = representationOf(type) === 'text' && representationOf(value.type) === 'text'
  return isText ? value : castTo(value, type)
}

/** Each stage over the columns that the one before gives. */
function stagesOf(path: readonly Relation[], input: Shape): Stage[] {
  return path.filter(({ op }) => op !== 'scan').map((relation, index, own) => stageOf(relation, shapeAfter(own.slice(0, index), input)))
}

const shapeAfter = (path: readonly Relation[], input: Shape): Shape => path.reduce((shape, relation) => shapeOver(relation, shape), input)

function stageOf(relation: Relation, input: Shape): Stage {
  switch (relation.op) {
    case 'filter': {
      const filter = compileFilter(relation.where, input)
      return ({ batch, rows, count }) => {
        const kept = new Int32Array(count)
        return { batch, rows: kept, count: filter(batch.columns, rows, count, kept) }
      }
    }
    case 'project': {
      const project = compileProjection(
        relation.columns.map(({ value }) => value),
        input,
      )
      const shape = projectShape(relation.columns)
      return ({ batch, rows, count }) => ({
        batch: { shape, rows: count, columns: project(batch.columns, rows, count) },
        rows: null,
        count,
      })
    }
    case 'top': {
      const rank = rankGroups(relation, groupBelow(relation), input)
      return (rows) => {
        const batch = rank(whole(rows)!)
        return { batch, rows: null, count: batch.rows }
      }
    }
    default:
      return (rows) => rows
  }
}

const groupBelow = (relation: Relation): GroupRelation =>
  relation.op === 'group' ? relation : groupBelow((relation as Exclude<Relation, { op: 'scan' }>).input)

/** The operator with state, and the columns that it gives: a top keeps only what is read after it. */
function heldBy(relation: GroupRelation | TopRelation, after: readonly Relation[], input: Shape): { operator: Operator; shape: Shape } {
  if (relation.op === 'group') return { operator: groupOperator(relation, input), shape: groupShape(relation) }
  const { window } = relation
  const read = columnsIn(after.flatMap((later) => (later.op === 'project' ? later.columns.map(({ value }) => value) : [])))
  const kept = input.fields.map(({ name }) => name).filter((name) => read.has(name))
  const shape = topShape(relation, { fields: kept.map((name) => fieldOf(input, name)!) })
  const isWindowed = window !== null && window.kind !== 'session'
  return { operator: isWindowed ? windowTop(relation, window, input, kept) : new TableTop(relation, input, kept), shape }
}

function groupOperator(group: GroupRelation, input: Shape): Operator {
  const { window, keys, aggregates } = group
  if (window === null) return new TableGroup(group, input)
  if (window.kind === 'session') return new SessionGroup(group, window, input)
  const layout = groupLayout(keys, aggregates)
  const shape = groupShape(group)
  return new PaneOperator(
    window,
    compileProjection([window.time, ...layout.inputs], input),
    () => new GroupTable(layout),
    (table, bounds) => ({ shape, rows: table.size, columns: [...bounds(table.size), ...table.columns()] }),
  )
}
