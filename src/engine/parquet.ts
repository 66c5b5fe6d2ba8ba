// Reading Parquet files by Iceberg field ids, so that columns are found whatever a file calls them. SQL text only.
import { quoteText } from './sql-text.ts'

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

/** A column of files: its field id, the name that it gets and its type in DuckDB. */
export interface StoredColumn {
  readonly id: number
  readonly name: string
  readonly type: string
}

/** What a FROM clause reads: `columns` of the files, null where a file lacks one. Every column of every file without `columns`. */
export function parquetSql(paths: readonly string[], columns: readonly StoredColumn[]): string {
  const schema = columns.map(({ id, name, type }) => `${id}: {name: ${quoteText(name)}, type: ${quoteText(type)}, default_value: NULL}`)
  return `read_parquet([${paths.map(quoteText).join(', ')}]${schema.length > 0 ? `, schema = MAP {${schema.join(', ')}}` : ''})`
}
