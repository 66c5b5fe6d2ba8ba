// The stage that has DuckDB compute what the expression compiler does not have: one round trip for all expressions of a stage, with
// the columns that they read and no others.
import { printExpression } from '../../engine/algebra/print-expression.ts'
import type { ComputeRelation } from '../../engine/algebra/relation.ts'
import type { ComputeRows } from '../../engine/compute-rows.ts'
import { quoteName } from '../../engine/sql-text.ts'
import { type Column, selectColumn } from '../../schema/batch.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { compileProjection } from '../expression/compile.ts'
import { storedType } from '../expression/lane.ts'
import type { Rows } from './operator.ts'
import { projectShape, shapeOver } from './shape.ts'

/** A table has one column at least. */
const ROW: Field = { name: 'row', type: { kind: 'int' }, optional: false }

export function computeStage(relation: ComputeRelation, input: Shape, compute: ComputeRows): (rows: Rows) => Promise<Rows> {
  const args = relation.columns.flatMap(({ value }) => value.of)
  const project = compileProjection(args, input)
  const fields = args.map(({ type }, i): Field => ({ name: `a${i}`, type: storedType(type), optional: true }))
  let at = 0
  const select = relation.columns.map(({ name, value }) => {
    const of = value.of.map(({ type }) => ({ op: 'column', name: `a${at++}`, type, optional: true }) as const)
    return `${printExpression({ ...value, of })} AS ${quoteName(name)}`
  })
  const [shape, results] = [shapeOver(relation, [input]), projectShape(relation.columns)]
  return async ({ batch, rows, count }) => {
    const row: Column = { kind: 'number', values: new Float64Array(count), nulls: null }
    const given = { shape: { fields: [...fields, ROW] }, rows: count, columns: [...project(batch.columns, rows, count), row] }
    const computed = await compute(given, select.join(', '), results)
    const own = rows ? batch.columns.map((column) => selectColumn(column, rows, count)) : batch.columns
    return { batch: { shape, rows: count, columns: [...own, ...computed.columns] }, rows: null, count }
  }
}
