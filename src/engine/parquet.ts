// Reading Parquet files by Iceberg field ids, so that columns are found whatever a file calls them. SQL text only.
import { partsOf } from '../lake/nested-type.ts'
import type { DataFile, LakeField, LakeType } from '../lake/types.ts'
import { quoteName, quoteText } from './sql-text.ts'

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
  timestamp_ns: 'TIMESTAMP',
  timestamptz_ns: 'TIMESTAMPTZ',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
}

/** DuckDB's name of an Iceberg type. */
export function duckTypeOfIceberg(type: LakeType): string {
  if (typeof type === 'string') return DUCK_TYPES[type] ?? (type.startsWith('fixed') ? 'BLOB' : type.toUpperCase())
  const parts = partsOf(type).map((part) => duckTypeOfIceberg(part.type))
  if (type.type === 'list') return `${parts[0]}[]`
  if (type.type === 'map') return `MAP(${parts.join(', ')})`
  return `STRUCT(${type.fields.map((field, index) => `${quoteName(field.name)} ${parts[index]}`).join(', ')})`
}

/** The members of COPY's FIELD_IDS for these fields: `"id": 1, "tags": {__duckdb_field_id: 2, "element": 3}`. */
export const fieldIdsSql = (fields: readonly LakeField[]): string =>
  fields
    .map(({ id, name, type }) => {
      const inner = partsOf(type)
      return `${quoteName(name)}: ${inner.length === 0 ? id : `{__duckdb_field_id: ${id}, ${fieldIdsSql(inner)}}`}`
    })
    .join(', ')

/** A column of files: its field id, the name that it gets and its type in DuckDB. */
export interface StoredColumn {
  readonly id: number
  readonly name: string
  readonly type: string
  /** What a file that lacks the column has in every row, as text; absent: null. */
  readonly initial?: string
}

/** What rows of files without this column have there (Iceberg's `initial-default`, version 3). */
export const initialOf = ({ initialDefault, type }: LakeField): Pick<StoredColumn, 'initial'> =>
  initialDefault === undefined ? {} : { initial: isBytes(type) ? bytesText(String(initialDefault)) : String(initialDefault) }

const isBytes = (type: LakeField['type']): boolean => duckTypeOfIceberg(type) === 'BLOB'
const bytesText = (hex: string): string => hex.replace(/../g, (pair) => `\\x${pair}`)

/** A file to read; encrypted ones were unlocked by a lease. */
export type ReadableFile = Pick<DataFile, 'path' | 'fileKey'>

/**
 * What a FROM clause reads: `columns` of the files, their `initial` where a file lacks one. Every column of every file without
 * `columns`. `placed`: `filename` and `file_row_number` are asked for as well, and no column is called so.
 */
export function parquetSql(files: readonly ReadableFile[], columns: readonly StoredColumn[], { placed = false } = {}): string {
  const groups = [...Map.groupBy(files, ({ fileKey }) => fileKey).values()]
  if (groups.length === 1) return readSql(groups[0]!, columns)
  const list = [...(columns.length > 0 || !placed ? ['*'] : []), ...(placed ? ['filename', 'file_row_number'] : [])]
  return `(${groups.map((group) => `SELECT ${list.join(', ')} FROM ${readSql(group, columns)}`).join(' UNION ALL ')})`
}

/** Files of one key. */
function readSql(files: readonly ReadableFile[], columns: readonly StoredColumn[]): string {
  const [{ fileKey }] = files as [ReadableFile]
  const schema = columns.map(
    ({ id, name, type, initial }) =>
      `${id}: {name: ${quoteText(name)}, type: ${quoteText(type)}, default_value: ${initial === undefined ? 'NULL' : quoteText(initial)}}`,
  )
  const options = [
    ...(fileKey ? [`encryption_config = ${encryptionSql(fileKey)}`] : []),
    ...(schema.length > 0 ? [`schema = MAP {${schema.join(', ')}}`] : []),
  ]
  return `read_parquet(${[`[${files.map(({ path }) => quoteText(path)).join(', ')}]`, ...options].join(', ')})`
}

/**
 * The member of COPY's options, and of `read_parquet`'s, for files of one key. The key itself: DuckDB's list of named keys
 * (`add_parquet_key`) is changed and read by several threads without a lock.
 */
export const encryptionSql = (fileKey: string): string => `{footer_key_value: from_base64(${quoteText(fileKey)})}`
