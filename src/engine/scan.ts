// SQL that reads a relation: Parquet files by Iceberg field id (so that renamed, added, dropped and widened columns come out
// right from old files) and, in front of them, generations of the hot tail. Text only; DuckDB pushes filters into each part.
import type { DataFile, LakeField, LakeTable } from '../lake/types.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { quoteName, quoteText } from './sql-text.ts'

export interface ScanParts {
  readonly table: LakeTable | null
  readonly files: readonly DataFile[]
  /** SELECTs of the relation's columns in their order, oldest first. */
  readonly tails: readonly string[]
  /** Columns to give, in order; default: the table's own. */
  readonly shape?: Shape
  /** Latest row of a key wins: a later tail hides an earlier one, and both hide the files. Columns that are never null. */
  readonly key?: readonly string[]
}

const DUCK_TYPES: Record<string, string> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMPTZ',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
}

/** DuckDB's name of an Iceberg type. */
export const duckTypeOfIceberg = (type: string): string => DUCK_TYPES[type] ?? (type.startsWith('fixed') ? 'BLOB' : type.toUpperCase())

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
  const layers = [...cold, ...parts.tails]
  if (layers.length === 0) return `SELECT ${columns.map(nullOf).join(', ')} WHERE false`
  const key = (parts.key ?? []).map(quoteName)
  const list = columns.map((column) => quoteName(column.name)).join(', ')
  return layers.map((layer, index) => (key.length === 0 ? layer : latestSql(layer, layers.slice(index + 1), key, list))).join(' UNION ALL ')
}

/** Rows of `layer` whose key no newer layer has. */
function latestSql(layer: string, newer: readonly string[], key: readonly string[], list: string): string {
  if (newer.length === 0) return layer
  const hidden = newer.map((other) => `SELECT ${key.join(', ')} FROM (${other})`).join(' UNION ALL ')
  const match = key.map((column) => `__old.${column} = __new.${column}`).join(' AND ')
  return `SELECT ${list} FROM (${layer}) AS __old ANTI JOIN (${hidden}) AS __new ON ${match}`
}

function filesSql(table: LakeTable, files: readonly DataFile[], columns: readonly ScanColumn[]): string {
  const paths = files.map((file) => quoteText(file.path)).join(', ')
  const fields = columns.map((column) => table.schema.fields.find((field) => field.name === column.name))
  const stored = columns.flatMap((column, index) => (fields[index] ? [schemaEntry(fields[index], column)] : []))
  const list = columns.map((column, index) => (fields[index] ? quoteName(column.name) : nullOf(column)))
  const schema = stored.length > 0 ? `, schema = MAP {${stored.join(', ')}}` : ''
  return `SELECT ${list.join(', ')} FROM read_parquet([${paths}]${schema})`
}

const schemaEntry = (field: LakeField, column: ScanColumn): string =>
  `${field.id}: {name: ${quoteText(column.name)}, type: ${quoteText(column.type)}, default_value: NULL}`
