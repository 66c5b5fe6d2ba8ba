// Results as files: NDJSON, CSV and Arrow page by page; Parquet by DuckDB's own writer, into a temporary file first, because
// its footer comes last.
import { createReadStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { systemRandom, uuidV7 } from '../core/random.ts'
import type { QueryOptions, Session, SqlValues } from './duckdb.ts'
import { encodeArrow } from './encode/arrow-stream.ts'
import { CSV, encodeText, NDJSON } from './encode/text-rows.ts'
import { quoteName, quoteText } from './sql-text.ts'

export type ExportFormat = 'ndjson' | 'csv' | 'arrow' | 'parquet'

export const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  ndjson: 'application/x-ndjson',
  csv: 'text/csv; charset=utf-8',
  arrow: 'application/vnd.apache.arrow.stream',
  parquet: 'application/vnd.apache.parquet',
}

export interface ExportSource {
  readonly sql: string
  readonly session: Session
  release(): Promise<void>
}

export interface ExportOptions extends Omit<QueryOptions, 'rowMax'> {
  /** `numbers=string`: in NDJSON, every number as text. */
  readonly numbersAsText?: boolean
}

/**
 * Rows of `source.sql`, encoded. Resolves when the first bytes are there, so that errors of the query itself come before any
 * of the answer. The source is released at the end, also when the reader goes away.
 */
export async function exportRows(
  source: ExportSource,
  format: ExportFormat,
  values: SqlValues | undefined,
  options: ExportOptions = {},
): Promise<AsyncIterableIterator<Uint8Array, undefined>> {
  const bytes = released(source, encode(source, format, values, options))
  const first = await bytes.next()
  let isFirst = true
  const iterator: AsyncIterableIterator<Uint8Array, undefined> = {
    next() {
      if (!isFirst) return bytes.next()
      isFirst = false
      return Promise.resolve(first)
    },
    return: () => bytes.return(undefined),
    [Symbol.asyncIterator]: () => iterator,
  }
  return iterator
}

async function* released(source: ExportSource, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* bytes
  } finally {
    await source.release()
  }
}

function encode(
  { sql, session }: ExportSource,
  format: ExportFormat,
  values: SqlValues | undefined,
  options: ExportOptions,
): AsyncIterable<Uint8Array> {
  switch (format) {
    case 'ndjson':
      return encodeText(session.pages(sql, values, options), { ...NDJSON, numbersAsText: options.numbersAsText ?? false })
    case 'csv':
      return encodeText(session.pages(sql, values, options), CSV)
    case 'arrow':
      return encodeArrow(session.pages(sql, values, options))
    case 'parquet':
      return parquetFile(session, sql, values, options)
  }
}

/** Types that DuckDB would write with less than they hold, or that few readers know. */
const PARQUET_CASTS: Readonly<Record<string, string>> = {
  HUGEINT: 'DECIMAL(38, 0)',
  UHUGEINT: 'DECIMAL(38, 0)',
  UBIGINT: 'DECIMAL(20, 0)',
  INTERVAL: 'VARCHAR',
  BIT: 'VARCHAR',
  BIGNUM: 'VARCHAR',
  'TIME WITH TIME ZONE': 'VARCHAR',
}

async function* parquetFile(
  session: Session,
  sql: string,
  values: SqlValues | undefined,
  options: ExportOptions,
): AsyncGenerator<Uint8Array> {
  const { columns } = await session.rows(`SELECT * FROM (${sql}\n) LIMIT 0`, values, options)
  const casts = columns.flatMap(({ name, type }) => {
    const cast = type.startsWith('ENUM') ? 'VARCHAR' : PARQUET_CASTS[type]
    return cast ? [`CAST(${quoteName(name)} AS ${cast}) AS ${quoteName(name)}`] : []
  })
  const select = casts.length > 0 ? `SELECT * REPLACE (${casts.join(', ')}) FROM (${sql}\n)` : sql
  await mkdir(session.exportDirectory, { recursive: true })
  const path = `${session.exportDirectory}/${uuidV7(session.clock.nowMs(), systemRandom)}.parquet`
  try {
    await session.run(`COPY (${select}\n) TO ${quoteText(path)} (FORMAT parquet, COMPRESSION zstd)`, values, options)
    yield* createReadStream(path, { highWaterMark: 256 * 1024 })
  } finally {
    await rm(path, { force: true })
  }
}
