// Stages without state: filters, projections, rows repeated for each of their windows, and the rank of groups that come out
// together. Each takes some rows of a batch and gives some rows of a batch.
import { MillraceError } from '../../core/errors.ts'
import { groupBelow, type Relation } from '../../engine/algebra/relation.ts'
import { isBoundName } from '../../engine/algebra/source.ts'
import type { ComputeRows } from '../../engine/compute-rows.ts'
import { type Column, type ColumnBatch, microsOf, selectColumn, selectRows } from '../../schema/batch.ts'
import { type Field, fieldOf, type Shape } from '../../schema/type.ts'
import { compileFilter, compileProjection, compileSelection, sharesWork } from '../expression/compile.ts'
import { computeStage } from './compute.ts'
import { type Rows, siftAfter, siftAt } from './operator.ts'
import { SIGN } from './retraction.ts'
import { projectShape, shapeOver } from './shape.ts'
import { rankGroups } from './top.ts'
import { unnestStage } from './unnest.ts'

/** By which row a row was made: its place in the batch that went in. No column of a user begins with #. */
export const ROW: Field = { name: '#row', type: { kind: 'int' }, optional: false }

/** Columns that projections hand on though no query names them. */
const CARRIED = [SIGN, ROW]

/** A promise where DuckDB computes. */
export type Stage = (rows: Rows) => Rows | Promise<Rows>

/** @throws MR_ASSERT where a stage waits for DuckDB: such stages stand behind a stream, before operators with state, alone. */
export function run(stages: readonly Stage[], rows: Rows): Rows {
  let at = rows
  for (const stage of stages) {
    if (at.count === 0) break
    const next = stage(at)
    if (next instanceof Promise) throw new MillraceError('MR_ASSERT', 'cannot be: a stage that waits for DuckDB')
    at = next
  }
  return at
}

/** As `run`, with stages that wait. */
export async function runAll(stages: readonly Stage[], rows: Rows): Promise<Rows> {
  let at = rows
  for (const stage of stages) if (at.count > 0) at = await stage(at)
  return at
}

export function whole({ batch, rows, count }: Rows): ColumnBatch | null {
  if (count === 0) return null
  return rows === null ? { ...batch, rows: count } : selectRows(batch, rows, count)
}

/** Each stage over the columns that the one before gives. */
export function stagesOf(path: readonly Relation[], input: Shape, compute: ComputeRows | null): Stage[] {
  const stages: Stage[] = []
  let shape = input
  for (let i = 0; i < path.length; i++) {
    const own = shape
    const carried = CARRIED.filter(({ name }) => fieldOf(own, name) !== undefined)
    const [relation, next] = [path[i]!, path[i + 1]]
    const isOne = relation.op === 'filter' && next?.op === 'project' && sharesWork(relation.where, valuesOf(next, []))
    if (isOne) i++
    stages.push(isOne ? selectStage(relation, next, own, carried) : stageOf(relation, own, carried, compute))
    const last = isOne ? next : relation
    shape = shapeOver(last, [own])
    if (last.op === 'project') shape = { fields: [...shape.fields, ...carried] }
  }
  return stages
}

type Project = Extract<Relation, { op: 'project' }>

const columnsOf = ({ columns }: Project, carried: readonly Field[]): Project['columns'] => [
  ...columns,
  ...carried.map(({ name, type }) => ({ name, value: { op: 'column', name, type, optional: false } as const })),
]

const valuesOf = (project: Project, carried: readonly Field[]) => columnsOf(project, carried).map(({ value }) => value)

/** A filter, and the projection that stands over it. */
function selectStage(filter: Extract<Relation, { op: 'filter' }>, project: Project, input: Shape, carried: readonly Field[]): Stage {
  const select = compileSelection(filter.where, valuesOf(project, carried), input)
  const shape = projectShape(columnsOf(project, carried))
  return ({ batch, rows, count, sift }) => {
    const out = new Int32Array(count)
    const { kept, columns } = select(batch.columns, rows, count, out)
    return { batch: { shape, rows: kept, columns }, rows: null, count: kept, sift: siftAfter({ batch, rows: out, count: kept, sift }) }
  }
}

function stageOf(relation: Relation, input: Shape, carried: readonly Field[], compute: ComputeRows | null): Stage {
  switch (relation.op) {
    case 'filter': {
      const filter = compileFilter(relation.where, input)
      return ({ batch, rows, count, sift }) => {
        const kept = new Int32Array(count)
        return { batch, rows: kept, count: filter(batch.columns, rows, count, kept), sift }
      }
    }
    case 'project': {
      const project = compileProjection(valuesOf(relation, carried), input)
      const shape = projectShape(columnsOf(relation, carried))
      return (given) => {
        const { batch, rows, count } = given
        const columns = project(batch.columns, rows, count)
        return { batch: { shape, rows: count, columns }, rows: null, count, sift: siftAfter(given) }
      }
    }
    case 'compute':
      if (!compute) throw new MillraceError('MR_ASSERT', 'cannot be: nobody computes')
      return computeStage(relation, input, compute)
    case 'expand':
      return expand(relation.window, input)
    case 'unnest':
      return unnestStage(relation, input)
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

function expand({ time, slideUs, widthUs }: Extract<Relation, { op: 'expand' }>['window'], input: Shape): Stage {
  const project = compileProjection([time], input)
  const shape = shapeOver({ op: 'expand' } as Relation, [input])
  const isHidden = input.fields.map(({ name }) => isBoundName(name))
  const each = widthUs / slideUs
  return ({ batch, rows, count, sift }) => {
    const times = microsOf(project(batch.columns, rows, count)[0]!)
    const at = new Int32Array(count * each)
    const [start, end] = [new Float64Array(count * each), new Float64Array(count * each)]
    for (let i = 0, k = 0; i < count; i++) {
      const last = Math.floor(times[i]! / slideUs) * slideUs
      for (let n = 0; n < each; n++, k++) {
        at[k] = rows === null ? i : rows[i]!
        start[k] = last - n * slideUs
        end[k] = start[k]! + widthUs
      }
    }
    const bounds = [start, end].map((values): Column => ({ kind: 'integer', values, big: null, nulls: null }))
    const own = batch.columns.filter((_, i) => !isHidden[i])
    const columns = [...own.map((column) => selectColumn(column, at, at.length)), ...bounds]
    return { batch: { shape, rows: at.length, columns }, rows: null, count: at.length, sift: siftAt(at, sift) }
  }
}
