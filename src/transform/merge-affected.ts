// The rows of the units in `__affected`, as the SQL of a model gives them, in place of those that its table has of them.
import type { Session } from '../engine/duckdb.ts'
import { filesAfter, type Merge, mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteName } from '../engine/sql-text.ts'
import type { DataFile, LakeTable } from '../lake/types.ts'
import type { Shape } from '../schema/type.ts'
import { AFFECTED } from './affected.ts'
import type { Part, RefreshParts } from './inputs.ts'

export interface AffectedRows {
  readonly table: LakeTable
  readonly shape: Shape
  /** Columns that make a unit: an interval, or a key. */
  readonly units: readonly string[]
  readonly perKey: NonNullable<Merge['perKey']>
  /** SELECT of all rows of the model. */
  readonly sql: string
  /** The files of the table, on this machine. */
  readonly live: readonly DataFile[]
  readonly signal?: AbortSignal
}

export async function mergeAffected(
  { lake }: RefreshParts,
  session: Session,
  { table, shape, units, perKey, sql, live, signal }: AffectedRows,
): Promise<Omit<Part, 'note'>> {
  const match = units.map((unit) => `t.${quoteName(unit)} IS NOT DISTINCT FROM a.${quoteName(unit)}`).join(' AND ')
  const columns = shape.fields.map((field) => quoteName(field.name)).join(', ')
  const change = await mergeRows(session, {
    lake,
    table,
    key: units,
    rows: `SELECT ${columns} FROM (${sql}) AS t SEMI JOIN ${AFFECTED} AS a ON ${match}`,
    keys: `SELECT * FROM ${AFFECTED}`,
    perKey,
    ...(signal ? { signal } : {}),
  })
  return { change, candidate: scanSql({ table, files: filesAfter(live, change), tails: [] }), rowsWritten: rowsOf(change.add) }
}

/** Nothing is affected: the table stays as it is. */
export const nothingAffected = ({ table, live }: Pick<AffectedRows, 'table' | 'live'>): Omit<Part, 'note'> => ({
  change: { table: table.name, operation: 'append', add: [], remove: [] },
  candidate: scanSql({ table, files: live, tails: [] }),
  rowsWritten: 0,
})

export const rowsOf = (files: readonly DataFile[]): number => files.reduce((sum, file) => sum + file.rows, 0)
