// SQL that reads a relation: Parquet files by Iceberg field id (so that renamed, added, dropped and widened columns come out
// right from old files) and, in front of them, generations of the hot tail.
import type { DataFile, LakeField, LakeTable } from '../lake/types.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { quoteName, quoteText } from './sql-text.ts'

export interface ScanParts {
  readonly table: LakeTable | null
  readonly files: readonly DataFile[]
  /** SELECTs with the relation's columns, oldest first. */
  readonly tails: readonly string[]
  /** Columns to give, in order; default: the table's own. */
  readonly shape?: Shape
  /** Latest row of a key wins: a later tail hides an earlier one, and both hide the files. */
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
export const emptySql = (shape: Shape): string =>
  `SELECT ${shape.fields.map((field) => `CAST(NULL AS ${toDuckType(field.type)}) AS ${quoteName(field.name)}`).join(', ')} WHERE false`

export function scanSql(parts: ScanParts): string {
  const columns = columnsOf(parts)
  const key = parts.key ?? []
  const list = columns.map((column) => quoteName(column.name)).join(', ')
  const layers = [...(parts.files.length > 0 && parts.table ? [filesSql(parts.table, parts.files, columns)] : []), ...parts.tails]
  if (layers.length === 0)
    return `SELECT ${columns.map((column) => `CAST(NULL AS ${column.type}) AS ${quoteName(column.name)}`).join(', ')} WHERE false`
  if (key.length === 0 || layers.length === 1)
    return layers.map((layer) => (layer.startsWith('SELECT ') ? layer : `SELECT ${list} FROM ${layer}`)).join(' UNION ALL ')
  const keys = key.map(quoteName)
  return layers
    .map((layer, index) => {
      const newer = layers.slice(index + 1)
      if (newer.length === 0) return `SELECT ${list} FROM (${layer})`
      const hidden = newer.map((other) => `SELECT ${keys.join(', ')} FROM (${other})`).join(' UNION ALL ')
      return `SELECT ${list} FROM (${layer}) AS o ANTI JOIN (${hidden}) AS n ON ${keys.map((column) => `o.${column} = n.${column}`).join(' AND ')}`
    })
    .join(' UNION ALL ')
}

function filesSql(table: LakeTable, files: readonly DataFile[], columns: readonly ScanColumn[]): string {
  const paths = files.map((file) => quoteText(file.path)).join(', ')
  const schema = columns.map((column) => schemaEntry(fieldOf(table, column.name), column))
  const stored = schema.filter((entry) => entry !== null)
  const list = columns.map((column, index) =>
    schema[index] === null ? `CAST(NULL AS ${column.type}) AS ${quoteName(column.name)}` : quoteName(column.name),
  )
  return `SELECT ${list.join(', ')} FROM read_parquet([${paths}], schema = MAP {${stored.join(', ')}})`
}

const fieldOf = (table: LakeTable, name: string): LakeField | undefined => table.schema.fields.find((field) => field.name === name)

/** Null for a column that the table does not have yet. */
const schemaEntry = (field: LakeField | undefined, column: ScanColumn): string | null =>
  field ? `${field.id}: {name: ${quoteText(column.name)}, type: ${quoteText(column.type)}, default_value: NULL}` : null
