// The SQL that reads the files of a table. Where the table has columns with defaults, what leaves such a column out gets it: a
// file of CSV or Parquet without the column, and an object of JSON without the member. An empty cell and null are null.
import { readFilesSql, type SourceFile } from '../connectors/files.ts'
import type { TableManifest } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import { quoteName, quoteText } from '../engine/sql-text.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { type Field, isNested, type Type } from '../schema/type.ts'

export type FilesSource = Extract<TableManifest['source'], { kind: 'files' }>

export interface SourceSql {
  /** A table expression, by the names of the files; rows in the order of `files`. */
  readonly sql: string
  /** Every value is JSON: nested values and columns of JSON are taken as they are written. */
  readonly isText: boolean
}

export const nameInFiles = (source: FilesSource, field: Field): string => source.columns?.[field.name] ?? field.name

export async function sourceSql(
  session: Session,
  { shape }: TableManifest,
  source: FilesSource,
  files: readonly SourceFile[],
): Promise<SourceSql> {
  const defaulted = shape.fields.filter((field) => field.default !== undefined)
  const isJson = source.format === 'json'
  if (isJson && defaulted.length > 0) return { sql: objectsSql(source, shape.fields, files), isText: true }
  // DuckDB's reader of JSON makes UTC of a time with an offset, which a datetime refuses.
  const isText = isJson && shape.fields.some(({ type }) => isNested(type) || type.kind === 'json' || type.kind === 'datetime')
  const options = isText ? { ...source.options, maximum_depth: 1 } : source.options
  if (defaulted.length === 0) return { sql: readFilesSql(source.format, files, options), isText }
  const runs: { files: SourceFile[]; absent: readonly Field[]; key: string }[] = []
  for (const file of files) {
    const { rows } = await session.rows(`DESCRIBE SELECT * FROM ${readFilesSql(source.format, [file], options)}`)
    const names = new Set(rows.map(([name]) => String(name).toLowerCase()))
    const absent = defaulted.filter((field) => !names.has(nameInFiles(source, field).toLowerCase()))
    const key = JSON.stringify(absent.map(({ name }) => name))
    if (runs.at(-1)?.key === key) runs.at(-1)!.files.push(file)
    else runs.push({ files: [file], absent, key })
  }
  const parts = runs.map((run) => {
    const values = run.absent.map((field) => `${valueSql(source, field)} AS ${quoteName(nameInFiles(source, field))}`)
    return `SELECT ${['*', ...values].join(', ')} FROM ${readFilesSql(source.format, run.files, options)}`
  })
  return { sql: `(${parts.join(' UNION ALL BY NAME ')})`, isText }
}

/** A default as files have values: text in CSV, of its type in Parquet. */
function valueSql(source: FilesSource, { type, default: text }: Field): string {
  const value = quoteText(textIn(type, text!))
  return source.format === 'csv' ? value : `CAST(${value} AS ${toDuckType(type)})`
}

/** As DuckDB casts it from text. */
const textIn = (type: Type, text: string): string =>
  type.kind === 'binary' ? Buffer.from(text, 'base64').toString('hex').replace(/../g, '\\x$&') : text

function objectsSql(source: FilesSource, fields: readonly Field[], files: readonly SourceFile[]): string {
  const columns = fields.map((field) => {
    const name = nameInFiles(source, field)
    const value = `json_extract(json, ${quoteText(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`)})`
    if (field.default === undefined) return `${value} AS ${quoteName(name)}`
    // Numbers as strings: DuckDB's numbers of JSON have 17 digits.
    const json = field.type.kind === 'json' ? field.default : JSON.stringify(textIn(field.type, field.default))
    return `coalesce(${value}, CAST(${quoteText(json)} AS JSON)) AS ${quoteName(name)}`
  })
  return `(SELECT ${columns.join(', ')} FROM ${readFilesSql('objects', files, source.options)})`
}
