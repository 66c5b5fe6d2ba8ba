// The driver of DuckDB: one locked in-memory instance a process, sessions on it, and the traps of the package closed here:
// streams that end silently, errors as text, long queries that hold threads. Whoever runs users' SQL goes through govern.
import {
  BIGINT,
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
} from '@duckdb/node-api'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { type Plain, plainOf } from './cell.ts'
import { engineError } from './engine-error.ts'
import { quoteText } from './sql-text.ts'

export interface EngineOptions {
  readonly clock: Clock
  /** The only directories that statements can read and write. */
  readonly directories: readonly string[]
  readonly tempDirectory: string
  readonly memoryLimitBytes?: number
  readonly threads?: number
  /** Statements that run at once; the others wait. Below the size of the libuv pool. */
  readonly concurrency?: number
}

export interface ResultColumn {
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

export type SqlValue = string | number | bigint | boolean | null
export type SqlValues = readonly SqlValue[] | Readonly<Record<string, SqlValue>>

export interface QueryOptions {
  readonly rowMax?: number
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

export interface Session {
  /** Runs statements without a result. */
  run(sql: string, values?: SqlValues): Promise<void>
  /** @throws MR_SQL_* by DuckDB's class of error. */
  rows(sql: string, values?: SqlValues, options?: QueryOptions): Promise<ResultSet>
  /** Result in chunks, bounded in memory. Never ends silently on an error: a missing last marker throws MR_SQL_RUNTIME. */
  stream(sql: string, values?: SqlValues, options?: QueryOptions): AsyncGenerator<ResultSet>
  /** The connection, for bulk appends. */
  readonly connection: DuckDBConnection
  readonly clock: Clock
  close(): void
}

export interface Engine {
  session(): Promise<Session>
  readonly clock: Clock
  close(): void
}

const END_MARK = '__millrace_end'
const DEFAULT_CONCURRENCY = 8

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    allow_community_extensions: 'false',
    ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
    ...(options.memoryLimitBytes === undefined ? {} : { memory_limit: `${Math.floor(options.memoryLimitBytes / 1_000_000)}MB` }),
    temp_directory: options.tempDirectory,
  })
  const first = await instance.connect()
  const setup = [
    "SET GLOBAL TimeZone = 'UTC'",
    `SET allowed_directories = [${options.directories.map((path) => quoteText(path.endsWith('/') ? path : `${path}/`)).join(', ')}]`,
    'SET enable_external_access = false',
    'CREATE SCHEMA IF NOT EXISTS tail',
    'SET lock_configuration = true',
  ]
  for (const statement of setup) await first.run(statement)
  const slots = new Slots(options.concurrency ?? DEFAULT_CONCURRENCY)
  return {
    clock: options.clock,
    async session() {
      return openSession(await instance.connect(), slots, options.clock)
    },
    close() {
      first.closeSync()
      instance.closeSync()
    },
  }
}

/** Lets at most `free` statements run at once. */
class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(free: number) {
    this.#free = free
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}

function openSession(connection: DuckDBConnection, slots: Slots, clock: Clock): Session {
  const guarded = async <T>(sql: string, options: QueryOptions, action: () => Promise<T>): Promise<T> => {
    await slots.take()
    const guard = watch(connection, clock, options)
    try {
      return await action()
    } catch (cause) {
      throw guard.reason() ?? engineError(cause, sql)
    } finally {
      guard.end()
      slots.give()
    }
  }
  return {
    connection,
    clock,
    run: (sql, values) => guarded(sql, {}, async () => void (await connection.run(sql, ...bind(values)))),
    rows: (sql, values, options = {}) =>
      guarded(sql, options, async () => {
        const rowMax = options.rowMax ?? Number.POSITIVE_INFINITY
        const reader = await connection.run(sql, ...bind(values))
        const names = reader.deduplicatedColumnNames()
        const columns = names.map((name, index) => ({ name, type: reader.columnType(index).toString() }))
        const rows: Plain[][] = []
        for (;;) {
          const chunk = await reader.fetchChunk()
          if (!chunk || chunk.rowCount === 0) return { columns, rows, truncated: false }
          for (const row of plainRows(chunk)) {
            if (rows.length >= rowMax) return { columns, rows, truncated: true }
            rows.push(row)
          }
        }
      }),
    stream: (sql, values, options = {}) => streamRows(connection, slots, clock, sql, values, options),
    close: () => connection.closeSync(),
  }
}

async function* streamRows(
  connection: DuckDBConnection,
  slots: Slots,
  clock: Clock,
  sql: string,
  values: SqlValues | undefined,
  options: QueryOptions,
): AsyncGenerator<ResultSet> {
  await slots.take()
  const guard = watch(connection, clock, options)
  try {
    // The package ends a failed stream as if it were complete; a last row that only a complete one has tells them apart.
    const marked = `SELECT *, false AS ${END_MARK} FROM (${sql}) UNION ALL BY NAME SELECT true AS ${END_MARK}`
    const result = await connection.stream(marked, ...bind(values))
    const columns = result
      .deduplicatedColumnNames()
      .map((name, index) => ({ name, type: result.columnType(index).toString() }))
      .slice(0, -1)
    for (;;) {
      const chunk = await result.fetchChunk()
      if (!chunk || chunk.rowCount === 0)
        throw (
          guard.reason() ??
          new MillraceError('MR_SQL_RUNTIME', 'the query failed while its result was read', {
            fix: 'ask again; a smaller result shows the reason',
          })
        )
      const rows = plainRows(chunk)
      const isEnd = rows.at(-1)!.at(-1) === true
      const own = (isEnd ? rows.slice(0, -1) : rows).map((row) => row.slice(0, -1))
      if (own.length > 0) yield { columns, rows: own, truncated: false }
      if (isEnd) return
    }
  } catch (cause) {
    throw guard.reason() ?? engineError(cause, sql)
  } finally {
    guard.end()
    slots.give()
  }
}

function plainRows(chunk: DuckDBDataChunk): Plain[][] {
  const columns = Array.from({ length: chunk.columnCount }, (_, index) => chunk.getColumnValues(index))
  return Array.from({ length: chunk.rowCount }, (_, row) => columns.map((column) => plainOf(column[row]!)))
}

/** Interrupts the connection at the time limit or when the signal aborts; `reason` is then what to throw. */
function watch(
  connection: DuckDBConnection,
  clock: Clock,
  { timeoutMs, signal }: QueryOptions,
): { reason(): MillraceError | undefined; end(): void } {
  let reason: MillraceError | undefined
  const stop = (error: MillraceError): void => {
    reason ??= error
    connection.interrupt()
  }
  const cancel =
    timeoutMs === undefined
      ? () => {}
      : clock.after(timeoutMs, () =>
          stop(
            new MillraceError('MR_SQL_TIMEOUT', `the query ran longer than ${timeoutMs} ms`, {
              fix: 'ask for less, or raise the time limit',
            }),
          ),
        )
  const onAbort = (): void => stop(new MillraceError('MR_CANCELLED', 'the query was cancelled'))
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    reason: () => reason,
    end() {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    },
  }
}

type Values = DuckDBValue[] | Record<string, DuckDBValue>
type Types = DuckDBType[] | Record<string, DuckDBType | undefined>

/** Whole numbers are bound as integers: DuckDB would take every JavaScript number as DOUBLE. */
function bind(values: SqlValues | undefined): [Values | undefined, Types | undefined] {
  if (values === undefined) return [undefined, undefined]
  if (Array.isArray(values))
    return values.length === 0 ? [undefined, undefined] : [values.map(boundValue), values.map(boundType) as DuckDBType[]]
  const entries = Object.entries(values as Record<string, SqlValue>)
  if (entries.length === 0) return [undefined, undefined]
  return [
    Object.fromEntries(entries.map(([name, value]) => [name, boundValue(value)])),
    Object.fromEntries(entries.map(([name, value]) => [name, boundType(value)])),
  ]
}

const isInt = (value: SqlValue): value is number => typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31

const boundValue = (value: SqlValue): DuckDBValue =>
  typeof value === 'number' && Number.isSafeInteger(value) && !isInt(value) ? BigInt(value) : value

function boundType(value: SqlValue): DuckDBType | undefined {
  if (isInt(value)) return INTEGER
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value)) ? BIGINT : undefined
}
