// SQL that reads a relation: Parquet files by Iceberg field id (so that renamed, added, dropped and widened columns come out
// right from old files, parts of nested ones included) and, in front of them, generations of the hot tail. Text only; DuckDB pushes filters into each part.
// Rows that other writers deleted are left out by `undeleted.ts`.
import { isNestedType } from '../lake/nested-type.ts'
import type { DataFile, LakeField, LakeTable } from '../lake/types.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { duckTypeOfIceberg, initialOf, parquetSql } from './parquet.ts'
import { fileColumn } from './renamed-parts.ts'
import { quoteName } from './sql-text.ts'
import { keptName, undeletedSql } from './undeleted.ts'

export interface ScanParts {
  readonly table: LakeTable | null
  readonly files: readonly DataFile[]
  /** SELECTs of the relation's columns in their order, oldest first. */
  readonly tails: readonly (string | Layer)[]
  /** Columns to give, in order; default: the table's own. */
  readonly shape?: Shape
  /** Latest row of a key wins: a later tail hides an earlier one, and both hide the files. Null equals null. */
  readonly key?: readonly string[]
  /** The key is empty: the latest row is all that there is. */
  readonly isOneRow?: boolean
}

/** Rows in front of the files. */
export interface Layer {
  readonly sql: string
  /** SELECT of the keys that it hides in what is older; absent: those of its rows. */
  readonly keys?: string
}

interface ScanColumn {
  readonly name: string
  readonly type: string
}

const columnsOf = ({ table, shape }: Pick<ScanParts, 'table' | 'shape'>): ScanColumn[] =>
  shape
    ? shape.fields.map((field) => ({ name: field.name, type: toDuckType(field.type) }))
    : (table?.schema.fields ?? []).map((field) => ({ name: field.name, type: duckTypeOfIceberg(field.type) }))

/** A SELECT of no rows with the columns of a shape. */
export const emptySql = (shape: Shape): string => scanSql({ table: null, files: [], tails: [], shape })

const nullOf = ({ name, type }: ScanColumn): string => `CAST(NULL AS ${type}) AS ${quoteName(name)}`

/** A SELECT of the relation's rows; no order is promised. */
export function scanSql(parts: ScanParts): string {
  const columns = columnsOf(parts)
  const cold = parts.table && parts.files.length > 0 ? [filesSql(parts.table, parts.files, columns)] : []
  const layers = [...cold, ...parts.tails].map((layer): Layer => (typeof layer === 'string' ? { sql: layer } : layer))
  if (layers.length === 0) return `SELECT ${columns.map(nullOf).join(', ')} WHERE false`
  const { key = [], isOneRow = false } = parts
  const match = isOneRow ? 'true' : key.map((name) => matching(name, parts.shape)).join(' AND ')
  const keyed = isOneRow ? ['1'] : key.map(quoteName)
  const list = columns.map((column) => quoteName(column.name)).join(', ')
  return layers
    .map((layer, index) => (keyed.length === 0 ? layer.sql : latestSql(layer, layers.slice(index + 1), keyed, match, list)))
    .join(' UNION ALL ')
}

/** Rows of `layer` whose key no newer layer has. */
function latestSql({ sql }: Layer, newer: readonly Layer[], key: readonly string[], match: string, list: string): string {
  if (newer.length === 0) return sql
  const hidden = newer.map((other) => `SELECT ${key.join(', ')} FROM (${other.keys ?? other.sql})`).join(' UNION ALL ')
  return `SELECT ${list} FROM (${sql}) AS __old ANTI JOIN (${hidden}) AS __new ON ${match}`
}

/** Of values that are never null the plain comparison is the same, and DuckDB does more with it. */
function matching(name: string, shape: Shape | undefined): string {
  const isRequired = shape?.fields.some((field) => field.name === name && !field.optional)
  return `__old.${quoteName(name)} ${isRequired ? '=' : 'IS NOT DISTINCT FROM'} __new.${quoteName(name)}`
}

/** Files that are read in one way: with deletes or without, and by one set of names. */
export const readAlike = (files: readonly DataFile[]): readonly (readonly DataFile[])[] => [
  ...Map.groupBy(files, (file) => `${file.deletes !== undefined} ${file.names ? JSON.stringify(file.names) : ''}`).values(),
]

const filesSql = (table: LakeTable, files: readonly DataFile[], columns: readonly ScanColumn[]): string =>
  readAlike(files)
    .map((group) => groupSql(table, group, columns))
    .join(' UNION ALL ')

function groupSql(table: LakeTable, files: readonly DataFile[], columns: readonly ScanColumn[]): string {
  const [{ deletes, names = null }] = files as [DataFile]
  const found = columns.map((column) => {
    const field = table.schema.fields.find(({ name }) => name === column.name)
    return { column, field, own: field && isNestedType(field.type) ? fileColumn(field, names) : null }
  })
  const stored = found.flatMap(({ column, field, own }) =>
    field ? [{ id: field.id, name: column.name, type: own?.type ?? column.type, ...initialOf(field) }] : [],
  )
  const nameIn = (field: LakeField): string => (deletes ? keptName(field.id) : quoteName(field.name))
  const list = found.map(({ column, field, own }) => {
    if (!field) return nullOf(column)
    const value = own ? own.value(nameIn(field)) : nameIn(field)
    return value === quoteName(column.name) ? value : `${value} AS ${quoteName(column.name)}`
  })
  return `SELECT ${list.join(', ')} FROM ${deletes ? `(${undeletedSql(table, files, stored)})` : parquetSql(files, stored)}`
}
