// Questions under policy, as the routes use them: one interface for SQL, endpoints, tiles and the console's rows. Made in
// the runtime from govern and the engine.
import type { ResultSet } from '../engine/duckdb.ts'

/** Who asks: a verified identity, possibly acting as a role of its own. */
export interface Caller {
  readonly user: string
  readonly tokenId: string
  readonly roles: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[]
  readonly isAdmin: boolean
}

/** Whether a caller holds one of the roles that an endpoint or a dashboard is open to. */
export const isAllowed = (caller: Caller, allow: readonly string[]): boolean =>
  caller.isAdmin || caller.roles.some((role) => allow.includes(role.name))

export interface Question {
  readonly sql: string
  readonly params?: readonly unknown[] | Readonly<Record<string, unknown>>
  /** 'committed' leaves the hot tail out. */
  readonly freshness?: 'committed'
  /** 'sql', 'rest', 'console', ...: for audit and metrics. */
  readonly surface: string
  readonly rowMax?: number
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** `numbers=string`. */
  readonly numbersAsText?: boolean
  /** A statement that changes rows is refused. */
  readonly readOnly?: boolean
  /** Of a statement that changes rows: say what it would change. */
  readonly dryRun?: boolean
  /** The name of an endpoint or tile whose SQL runs with the rights of its definer over what the caller may read. */
  readonly object?: string
}

export interface Answer extends ResultSet {
  readonly snapshots: Readonly<Record<string, string | null>>
  readonly tail: boolean
  readonly rowFilter: boolean
  readonly masked: readonly string[]
  readonly durationMs: number
  /** Changes when the answer may: snapshots, tails and the policy. */
  readonly version: string
}

/** What a statement changed, or would change. */
export interface WriteAnswer {
  readonly relation: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  /** True: nothing was changed. */
  readonly dryRun?: boolean
  readonly durationMs: number
}

export interface Access {
  readonly readable: boolean
  readonly rowFilter: boolean
  readonly masked: readonly string[]
}

export interface Answerer {
  /** @throws MR_AUTH_MISSING, MR_AUTH_INVALID. `as`: act as another role, for administrators and holders of the role. */
  authenticate(authorization: string | undefined, as?: { role: string; attributes: Readonly<Record<string, unknown>> }): Promise<Caller>
  ask(caller: Caller, question: Question): Promise<Answer>
  /**
   * Carries out a statement that changes rows; answers when that is durable and shown. Undefined for a question, which `ask` answers.
   * @throws MR_ACCESS_DENIED, MR_SQL_*; then nothing was changed, unless the log says that it does not know.
   */
  write(caller: Caller, question: Question): Promise<WriteAnswer> | undefined
  /** The answer as a file: CSV, NDJSON, Arrow, Parquet. */
  export(caller: Caller, question: Question, format: 'ndjson' | 'csv' | 'arrow' | 'parquet'): Promise<AsyncIterable<Uint8Array>>
  /** The version that `ask` would answer with, without asking: for ETag. */
  version(caller: Caller, relations: readonly string[]): string
  access(caller: Caller, relation: string): Access
  mayWrite(caller: Caller, relation: string): boolean
  /** Roles that the caller may act as. */
  rolesOf(caller: Caller): readonly string[]
}
