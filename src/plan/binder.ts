// What compiling needs from an SQL engine: parse, and bind against empty relations. `duckdb-binder.ts` does it with
// DuckDB. Only positions and plain data cross this line, no syntax tree.
import type { MillraceError } from '../core/errors.ts'
import type { LiveQuery } from '../engine/algebra/relation.ts'
import type { Shape, Type } from '../schema/type.ts'

export interface SqlProblem {
  readonly kind: 'syntax' | 'unknown' | 'type' | 'other'
  readonly message: string
  /** Offset in the text, in characters; absent when the engine gives none. */
  readonly position?: number
  /** Names that would have been right. */
  readonly candidates: readonly string[]
  /** What to do, where it is known better than by the candidates. */
  readonly fix?: string
}

/** `tumble(relation, column, width)`, `hop(...)` or `session(...)` in a FROM clause. */
export interface WindowCall {
  readonly kind: 'tumble' | 'hop' | 'session'
  readonly relation: string
  readonly column?: string
  readonly position: number
}

/** What the syntax tree of one SELECT says. */
export interface Inspected {
  readonly ok: true
  /** Relations that it reads, each once, in the order of the text; names of its own WITH clauses are left out. */
  readonly relations: readonly { readonly name: string; readonly position: number }[]
  readonly windows: readonly WindowCall[]
  /** GROUP BY, an aggregate function or DISTINCT at the top. */
  readonly aggregates: boolean
}

export interface ColumnUse {
  readonly relation: string
  readonly column: string
}

export interface BoundColumn {
  readonly name: string
  /** Null when there is no such type here; `sqlType` says what it is. */
  readonly type: Type | null
  readonly sqlType: string
  /** False when no row can hold null, as far as a look at the syntax tells. */
  readonly optional: boolean
  /** Columns of inputs that it passes on unchanged: one, or several where rows are put together. */
  readonly origins: readonly ColumnUse[]
  /** Every value is one of the origins': no constant is mixed in. */
  readonly exact: boolean
  /** Columns that it is computed from; counting them does not count. */
  readonly uses: readonly ColumnUse[]
}

export interface Bound {
  readonly ok: true
  readonly columns: readonly BoundColumn[]
}

export interface LiveResult {
  /** keyed: the latest row of a key replaces the one before; the others are only added to. */
  readonly result: 'append' | 'closing' | 'keyed'
  readonly key: readonly string[]
  /** The same rows in one batch: SQL without windows as functions. */
  readonly batchSql: string
  readonly query: LiveQuery
}

export type Refused = { readonly ok: false; readonly problem: SqlProblem }

export interface Binder {
  /** Names that SQL cannot use as a column without quotes, in lower case. */
  reservedNames(): Promise<ReadonlySet<string>>
  /** Parses one SELECT. */
  inspect(text: string): Promise<Inspected | Refused>
  /** Makes `name` known with these columns, replacing what had the name. */
  define(name: string, shape: Shape): Promise<void>
  /** Names and types of the result. `tumble`, `hop` and `session` add `window_start` and `window_end` to their relation's columns. */
  bind(text: string): Promise<Bound | Refused>
  /**
   * What the stream engine makes of an inspected SELECT, or why it cannot run it; undefined for one that was not inspected. `models`: SQL
   * of the live models that it reads.
   */
  checkLive(text: string, models: ReadonlyMap<string, string>): Promise<LiveResult | MillraceError | undefined>
}
