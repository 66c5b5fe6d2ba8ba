// The stage that has DuckDB compute what the expression compiler does not have: one round trip for all expressions of a stage, with
// the columns that they read and no others.
import { computedText } from '../../engine/algebra/lower-computed.ts'
import { printExpression } from '../../engine/algebra/print-expression.ts'
import type { ComputeRelation } from '../../engine/algebra/relation.ts'
import type { ComputeRows } from '../../engine/compute-rows.ts'
import { quoteName } from '../../engine/sql-text.ts'
import { type Column, type NumberColumn, selectColumn } from '../../schema/batch.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { compileProjection } from '../expression/compile.ts'
import { storedType } from '../expression/lane.ts'
import { type Rows, siftAfter } from './operator.ts'
import { projectShape, shapeOver } from './shape.ts'

/** A table has one column at least. */
const ROW: Field = { name: 'row', type: { kind: 'int' }, optional: false }

export function computeStage(relation: ComputeRelation, input: Shape, compute: ComputeRows): (rows: Rows) => Promise<Rows> {
  const args = relation.columns.flatMap(({ value }) => value.of)
  const project = compileProjection(args, input)
  const fields = args.map(({ type }, i): Field => ({ name: `a${i}`, type: storedType(type), optional: true }))
  let at = 0
  const texts = relation.columns.map(({ value }) => {
    const of = value.of.map(({ type }) => ({ op: 'column', name: `a${at++}`, type, optional: true }) as const)
    return printExpression({ ...value, of })
  })
  const readable = relation.columns.map(({ value }) => computedText(value))
  const names = relation.columns.map(({ name }) => quoteName(name))
  const select = (rows: string): string => `SELECT ${texts.map((text, i) => `${text} AS ${names[i]}`).join(', ')} FROM (${rows})`
  // Null may be the value; a list that holds it is null only where computing it fails.
  const trying = (rows: string): string =>
    `SELECT ${names.map((name, i) => `s${i}[1] AS ${name}, s${i} IS NULL AS failed${i}`).join(', ')} FROM (SELECT ${texts.map((text, i) => `TRY([${text}]) AS s${i}`).join(', ')} FROM (${rows}))`
  const [shape, results] = [shapeOver(relation, [input]), projectShape(relation.columns)]
  const tried = {
    fields: results.fields.flatMap((result, i) => [result, { name: `failed${i}`, type: { kind: 'boolean' }, optional: false } as const]),
  }
  return async (before) => {
    const { batch, rows, count } = before
    const row: Column = { kind: 'number', values: new Float64Array(count), nulls: null }
    const given = { shape: { fields: [...fields, ROW] }, rows: count, columns: [...project(batch.columns, rows, count), row] }
    const sift = siftAfter(before)
    const { columns } = await compute(given, sift ? trying : select, sift ? tried : results)
    const own = rows ? batch.columns.map((column) => selectColumn(column, rows, count)) : batch.columns
    if (!sift) return { batch: { shape, rows: count, columns: [...own, ...columns] }, rows: null, count }
    const sound = Array.from({ length: count }, (_, row) => row).filter((row) => {
      const at = texts.findIndex((_, i) => (columns[i * 2 + 1] as NumberColumn).values[row] === 1)
      if (at >= 0) sift.failed.set(sift.ids![row]!, `${readable[at]} cannot be computed`)
      return at < 0
    })
    const values = columns.filter((_, i) => i % 2 === 0)
    return { batch: { shape, rows: count, columns: [...own, ...values] }, rows: Int32Array.from(sound), count: sound.length, sift }
  }
}
