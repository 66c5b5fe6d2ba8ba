// Results as files: NDJSON and CSV row by row, Parquet by DuckDB's own writer, Arrow through its package. Everything streams
// but Parquet, which needs the whole file before its footer.
import { MillraceError } from '../core/errors.ts'
import { optional } from '../core/optional.ts'
import { cellOf, type Plain } from './cell.ts'
import type { QueryOptions, ResultSet, Session, SqlValues } from './duckdb.ts'

export type ExportFormat = 'ndjson' | 'csv' | 'arrow' | 'parquet'

export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
}

interface Source {
  readonly sql: string
  readonly session: Session
  release(): Promise<void>
}

/** Rows of `source.sql`, encoded; the source is released at the end, also when the reader goes away. */
export async function* exportRows(
  source: Source,
  format: ExportFormat,
  values: SqlValues | undefined,
  options: QueryOptions,
): AsyncGenerator<Uint8Array> {
  try {
    if (format === 'parquet')
      throw new MillraceError('MR_INGEST_MEDIA', 'Parquet is not offered here', {
        fix: 'ask for application/vnd.apache.arrow.stream or text/csv',
      })
    if (format === 'arrow') yield* exportArrow(source, values, options)
    else yield* exportText(source, format, values, options)
  } finally {
    await source.release()
  }
}

async function* exportText(
  source: Source,
  format: 'ndjson' | 'csv',
  values: SqlValues | undefined,
  options: QueryOptions,
): AsyncGenerator<Uint8Array> {
  let isFirst = true
  for await (const part of source.session.stream(source.sql, values, options)) {
    const lines = format === 'csv' ? csvLines(part, isFirst) : ndjsonLines(part)
    isFirst = false
    yield Buffer.from(lines)
  }
  if (isFirst && format === 'csv')
    yield Buffer.from(csvLines(await source.session.rows(`SELECT * FROM (${source.sql}) LIMIT 0`, values), true))
}

function ndjsonLines({ columns, rows }: ResultSet): string {
  return rows
    .map((row) => `${JSON.stringify(Object.fromEntries(columns.map((column, index) => [column.name, cellOf(row[index], column.type)])))}\n`)
    .join('')
}

/** RFC 4180: quotes where needed, CRLF. */
function csvLines({ columns, rows }: ResultSet, withHeader: boolean): string {
  const header = withHeader ? `${columns.map((column) => csvField(column.name)).join(',')}\r\n` : ''
  return header + rows.map((row) => `${row.map((value, index) => csvField(textOf(value, columns[index]!.type))).join(',')}\r\n`).join('')
}

function textOf(value: Plain, type: string): string {
  const cell = cellOf(value, type, { numbersAsText: true })
  return cell === null ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
}

const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

type Arrow = typeof import('apache-arrow')

async function* exportArrow(source: Source, values: SqlValues | undefined, options: QueryOptions): AsyncGenerator<Uint8Array> {
  const arrow = await optional<Arrow>('apache-arrow', 'the Arrow format')
  const { columns, rows } = await source.session.rows(source.sql, values, options)
  const vectors = Object.fromEntries(
    columns.map((column, index) => [
      column.name,
      arrowVector(
        arrow,
        column.type,
        rows.map((row) => row[index]!),
      ),
    ]),
  )
  yield arrow.tableToIPC(new arrow.Table(vectors), 'stream')
}

/** Integers and doubles keep their types; timestamps become microseconds UTC; everything else is text. */
function arrowVector(arrow: Arrow, type: string, values: readonly Plain[]): InstanceType<Arrow['Vector']> {
  if (type === 'BIGINT') return arrow.vectorFromArray(values as (bigint | null)[], new arrow.Int64())
  if (type === 'INTEGER' || type === 'SMALLINT' || type === 'TINYINT')
    return arrow.vectorFromArray(values as (number | null)[], new arrow.Int32())
  if (type === 'DOUBLE' || type === 'FLOAT') return arrow.vectorFromArray(values as (number | null)[], new arrow.Float64())
  if (type === 'BOOLEAN') return arrow.vectorFromArray(values as (boolean | null)[], new arrow.Bool())
  if (type === 'DATE')
    return arrow.vectorFromArray(
      values.map((value) => (value === null ? null : new Date(String(value)))),
      new arrow.DateDay(),
    )
  if (type.startsWith('TIMESTAMP'))
    return arrow.vectorFromArray(
      values.map((value) => (value === null ? null : new Date(String(value)))),
      new arrow.TimestampMicrosecond('UTC'),
    )
  return arrow.vectorFromArray(
    values.map((value) => (value === null ? null : typeof value === 'object' ? JSON.stringify(value) : String(value))),
    new arrow.Utf8(),
  )
}
