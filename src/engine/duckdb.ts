// The driver of DuckDB: one locked in-memory instance a process, sessions on it, and the traps of the package closed here:
// streams that end silently, errors as text, long queries that hold threads, interrupts that come too early to be seen.
// It runs what it is given; whoever runs users' SQL goes through govern.
import { rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBMaterializedResult,
  type DuckDBPreparedStatement,
  type DuckDBResult,
  type DuckDBType,
} from '@duckdb/node-api'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import { runAside } from './aside.ts'
import { addBatchRows, type BatchRows } from './batch-rows.ts'
import { bindValues, hasValues, type SqlValues } from './bind-values.ts'
import { type Plain, rowsOf } from './cell.ts'
import { engineError } from './engine-error.ts'
import { addPartNumbers, type PartNumbers } from './part-numbers.ts'
import { Slots } from './slots.ts'
import { quoteText } from './sql-text.ts'
import { underWay } from './under-way.ts'
import { watch } from './watch.ts'

export type { SqlArgument, SqlValue, SqlValues } from './bind-values.ts'

export interface EngineOptions {
  readonly clock: Clock
  /** The only directories that statements can read and write. */
  readonly directories: readonly string[]
  /** Where large sorts and joins spill to; exports lie in a directory of their own in it, which is emptied at the start. */
  readonly tempDirectory: string
  readonly memoryLimitBytes?: number
  /** Of encrypted tables; absent where there are none. Then what spills to disk is encrypted too. */
  readonly keys?: KeyRing
  readonly threads?: number
  /** Statements that run at once; the others wait. Default: two less than the libuv pool has threads, at most 8. */
  readonly concurrency?: number
}

export interface ResultColumn {
  /** Unique in its result: a second `a` is `a_1`. */
  readonly name: string
  /** DuckDB's name of the type. */
  readonly type: string
}

export interface ResultSet {
  readonly columns: readonly ResultColumn[]
  /** See `cell.ts` for the values. */
  readonly rows: readonly (readonly Plain[])[]
  /** More rows than `rowMax` existed. */
  readonly truncated: boolean
}

/** A part of a result as the engine holds it: for encoders. Read it before asking for the next. */
export interface Page {
  readonly columns: readonly ResultColumn[]
  readonly types: readonly DuckDBType[]
  readonly chunk: DuckDBDataChunk
  /** Rows of the chunk that belong to the result: the first ones. */
  readonly rowCount: number
}

export interface QueryOptions {
  /** At most so many rows; the SQL must then be a SELECT. */
  readonly rowMax?: number
  /** Waiting for a free slot counts. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** The part of the SQL that the user wrote: positions of errors are given in it. */
  readonly source?: string
  /** Of `rows`, for work that nobody waits for: see `runAside`. */
  readonly aside?: boolean
}

/** A connection. One statement at a time: a second one would end a stream that is being read. */
export interface Session {
  /** Runs statements without a result; several, separated by `;`, when there are no values. */
  run(sql: string, values?: SqlValues, options?: Omit<QueryOptions, 'rowMax'>): Promise<void>
  /** @throws MR_SQL_* by DuckDB's class of error, MR_CANCELLED. */
  rows(sql: string, values?: SqlValues, options?: QueryOptions): Promise<ResultSet>
  /** A statement that is bound once and run often: saves half of what a short one costs. Calls run one after the other. */
  prepared(sql: string): (values: SqlValues) => Promise<ResultSet>
  /** Result in parts, bounded in memory. Never ends silently on an error: a missing last marker throws MR_SQL_RUNTIME. */
  stream(sql: string, values?: SqlValues, options?: Omit<QueryOptions, 'rowMax'>): AsyncGenerator<ResultSet>
  /** As `stream`, undecoded. There is at least one page, maybe of no rows. */
  pages(sql: string, values?: SqlValues, options?: Omit<QueryOptions, 'rowMax'>): AsyncGenerator<Page>
  /** For functions of our own, and statements that do not wait for others. */
  readonly connection: DuckDBConnection
  readonly clock: Clock
  readonly keys: KeyRing | null
  partNumbers(): PartNumbers
  batchRows(batch: ColumnBatch): BatchRows
  /** Statements may write here too; it may not exist yet. */
  readonly exportDirectory: string
  close(): void
}

/** What the sessions of an engine have in common. */
type SharedParts = Pick<Session, 'clock' | 'keys' | 'partNumbers' | 'batchRows' | 'exportDirectory'> & {
  /** There are threads besides those of statements. */
  readonly hasThreads: boolean
}

export interface Engine {
  session(): Promise<Session>
  readonly clock: Clock
  readonly keys: KeyRing | null
  close(): void
}

/** Column of the marker that only a complete stream ends with. No relation may have it. */
const END_MARK = '__millrace_end'

const defaultConcurrency = (): number => Math.min(8, Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 2))

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const threads = options.threads ?? availableParallelism()
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    errors_as_json: 'true',
    threads: String(threads),
    ...(options.memoryLimitBytes === undefined ? {} : { memory_limit: `${Math.floor(options.memoryLimitBytes / 1_000_000)}MB` }),
    temp_directory: options.tempDirectory,
    // Tables in memory would be compressed again and again while they grow: half of what an append costs.
    checkpoint_threshold: '1TB',
  })
  const first = await instance.connect()
  const exportDirectory = `${options.tempDirectory}/export`
  await rm(exportDirectory, { recursive: true, force: true })
  const directories = [...options.directories, exportDirectory].map((path) => quoteText(path.endsWith('/') ? path : `${path}/`))
  const setup = [
    "SET GLOBAL TimeZone = 'UTC'",
    `SET allowed_directories = [${directories.join(', ')}]`,
    'SET enable_external_access = false',
    // The built-in cipher is called unsafe for its nonces alone, of which `parquet-keys.ts` takes care.
    ...(options.keys?.hasMaster ? ['SET force_mbedtls_unsafe = true', 'SET temp_file_encryption = true'] : []),
    'CREATE SCHEMA IF NOT EXISTS tail',
    'SET lock_configuration = true',
  ]
  for (const statement of setup) await first.run(statement)
  const slots = new Slots(options.concurrency ?? defaultConcurrency())
  const shared = {
    clock: options.clock,
    keys: options.keys ?? null,
    partNumbers: addPartNumbers(first),
    batchRows: addBatchRows(first),
    exportDirectory,
    hasThreads: threads > 1,
  }
  return {
    clock: options.clock,
    keys: options.keys ?? null,
    session: async () => openSession(await instance.connect(), slots, shared),
    close() {
      first.closeSync()
      instance.closeSync()
    },
  }
}

function openSession(connection: DuckDBConnection, slots: Slots, shared: SharedParts): Session {
  const guarded = (options: QueryOptions): Guarded => openGuard(connection, slots, shared.clock, options)
  const once = async <T>(text: string, source: string, options: QueryOptions, action: () => Promise<T>): Promise<T> => {
    const guard = guarded(options)
    try {
      return await guard.step(action)
    } catch (cause) {
      throw guard.reason() ?? engineError(cause, text, options.source ?? source)
    } finally {
      guard.end()
    }
  }
  const pages = (sql: string, values?: SqlValues, options: QueryOptions = {}) =>
    streamPages(connection, guarded(options), sql, values, options.source)
  return {
    connection,
    ...shared,
    run: (sql, values, options = {}) => once(sql, sql, options, async () => void (await execute(connection, sql, values))),
    rows(sql, values, options = {}) {
      const { rowMax } = options
      const text = rowMax === undefined ? sql : `SELECT * FROM (${sql}\n) LIMIT ${rowMax + 1}`
      const run = options.aside && shared.hasThreads ? () => runAside(connection, text) : () => execute(connection, text, values)
      return once(text, sql, options, async () => collect(await run(), rowMax))
    },
    prepared(sql) {
      let statement: DuckDBPreparedStatement | undefined
      let last: Promise<unknown> = Promise.resolve()
      const runOne = async (values: SqlValues): Promise<ResultSet> => {
        statement ??= await connection.prepare(sql)
        bindValues(statement, values)
        return collect(await statement.run())
      }
      return (values) => {
        const done = last.then(() => once(sql, sql, {}, () => runOne(values)))
        last = done.catch(() => {})
        return done
      }
    },
    async *stream(sql, values, options) {
      for await (const { columns, chunk, rowCount } of pages(sql, values, options))
        if (rowCount > 0) yield { columns, rows: rowsOf(chunk, columns.length, rowCount), truncated: false }
    },
    pages,
    close: () => connection.closeSync(),
  }
}

async function execute(connection: DuckDBConnection, sql: string, values: SqlValues | undefined): Promise<DuckDBMaterializedResult> {
  if (!hasValues(values)) return connection.run(sql)
  const statement = await connection.prepare(sql)
  try {
    bindValues(statement, values)
    return await statement.run()
  } finally {
    statement.destroySync()
  }
}

const columnsOf = (result: DuckDBResult): ResultColumn[] => {
  const seen = new Set<string>()
  return result.columnNames().map((given, index) => {
    let name = given
    for (let n = 1; seen.has(name.toLowerCase()); n++) name = `${given}_${n}`
    seen.add(name.toLowerCase())
    return { name, type: result.columnType(index).toString() }
  })
}

/** The whole result is in memory already: its chunks are taken without another trip to a thread. */
function collect(result: DuckDBMaterializedResult, rowMax = Number.POSITIVE_INFINITY): ResultSet {
  const columns = columnsOf(result)
  const rows: Plain[][] = []
  for (let index = 0; index < result.chunkCount; index++) {
    const chunk = result.getChunk(index)
    const wanted = Math.min(chunk.rowCount, rowMax - rows.length)
    for (const row of rowsOf(chunk, columns.length, wanted)) rows.push(row)
    if (wanted < chunk.rowCount) return { columns, rows, truncated: true }
  }
  return { columns, rows, truncated: false }
}

async function* streamPages(
  connection: DuckDBConnection,
  guard: Guarded,
  sql: string,
  values: SqlValues | undefined,
  source = sql,
): AsyncGenerator<Page> {
  // The package ends a failed stream as if it were complete; a last row that only a complete one has tells them apart.
  const marked = `SELECT *, false AS ${END_MARK} FROM (${sql}\n) UNION ALL BY NAME SELECT true AS ${END_MARK}`
  try {
    const result = await guard.step(() => openStream(connection, marked, values))
    const columns = columnsOf(result).slice(0, -1)
    const types = result.columnTypes()
    for (;;) {
      const chunk = await guard.step(() => result.fetchChunk())
      const total = chunk?.rowCount ?? 0
      if (!chunk || total === 0) throw guard.reason() ?? failedStream()
      const isEnd = chunk.getColumnVector(columns.length).getItem(total - 1) === true
      yield { columns, types, chunk, rowCount: isEnd ? total - 1 : total }
      if (isEnd) return
    }
  } catch (cause) {
    throw guard.reason() ?? engineError(cause, marked, source)
  } finally {
    guard.end()
  }
}

const failedStream = (): MillraceError =>
  new MillraceError('MR_SQL_RUNTIME', 'the query failed while its result was read', {
    fix: 'ask again as JSON, which tells the reason; the values of some row do not fit an expression',
  })

async function openStream(connection: DuckDBConnection, sql: string, values: SqlValues | undefined): Promise<DuckDBResult> {
  const statement = await connection.prepare(sql)
  if (hasValues(values)) bindValues(statement, values)
  return statement.stream()
}

interface Guarded {
  /** Runs one native call in a slot. */
  step<T>(action: () => Promise<T>): Promise<T>
  /** Why the caller's own limits ended it, if they did. */
  reason(): MillraceError | undefined
  end(): void
}

/** Slots are held while the engine works, not while a consumer of a stream does: it may ask another question meanwhile. */
function openGuard(connection: DuckDBConnection, slots: Slots, clock: Clock, options: QueryOptions): Guarded {
  const limits = watch(clock, options)
  return {
    async step(action) {
      await slots.take(limits.signal)
      const stop = limits.interrupting(connection)
      try {
        return await underWay(action)
      } finally {
        stop()
        slots.give()
      }
    },
    reason: () => limits.reason(),
    end: () => limits.end(),
  }
}
