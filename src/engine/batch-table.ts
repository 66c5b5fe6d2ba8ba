// Tables of the engine that hold column batches: rows that are shown before they are in files, and what a statement needs for itself.
import type { ColumnBatch } from '../schema/batch.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Shape, Type } from '../schema/type.ts'
import type { Session } from './duckdb.ts'
import { ingestTypes } from './fill-chunk.ts'
import { quoteName } from './sql-text.ts'
import { underWay } from './under-way.ts'

export const tableName = (table: string): string => `memory.tail.${quoteName(table)}`

/** A table that takes batches of the shape. */
export function createSql(shape: Shape, table: string): string {
  const types = ingestTypes({ shape })
  const columns = shape.fields.map((field, index) => `${quoteName(field.name)} ${types[index]!.toString()}`)
  return `CREATE OR REPLACE TABLE ${tableName(table)} (${columns.join(', ')})`
}

/**
 * Appends all rows to `memory.tail.table`, whose columns are `ingestTypes`, in their order. Visible when it resolves, or with the
 * transaction that the session is in; all or nothing.
 */
export async function appendBatch(session: Session, table: string, batch: ColumnBatch): Promise<void> {
  if (batch.rows === 0) return
  using rows = session.batchRows(batch)
  await underWay(() => session.connection.run(`INSERT INTO ${tableName(table)} SELECT * FROM ${rows.sql}`))
}

/** Decimals of more than 18 digits are text in the engine; those of less than 10 are stored wider. */
function isCast(type: Type): boolean {
  switch (type.kind) {
    case 'decimal':
      return type.precision > 18 || type.precision < 10
    case 'struct':
      return type.fields.some((field) => isCast(field.type))
    case 'list':
      return isCast(type.element.type)
    case 'map':
      return isCast(type.key) || isCast(type.value.type)
    default:
      return false
  }
}

/** SELECT of rows that have the columns `ingestTypes`, with the types of the shape: what is compared with stored rows is this. */
export function typedSql(shape: Shape, from: string): string {
  const columns = shape.fields.map((field) =>
    isCast(field.type) ? `CAST(${quoteName(field.name)} AS ${toDuckType(field.type)}) AS ${quoteName(field.name)}` : quoteName(field.name),
  )
  return `SELECT ${columns.join(', ')} FROM ${from}`
}
