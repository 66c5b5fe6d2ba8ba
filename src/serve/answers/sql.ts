// `POST /sql` as the console asks it and reads its answers.
import type { Cell } from './admin.ts'
import type { PolicyNote } from './rows.ts'

export interface SqlRequest {
  readonly sql: string
  readonly params?: readonly Cell[] | Readonly<Record<string, Cell>>
  /** 'committed' leaves the hot tail out. Absent = with the tail. */
  readonly freshness?: 'committed'
  /** Refuses a statement that changes rows: of text that nobody has looked at, as in a link. */
  readonly readOnly?: true
}

/** JSON answer of `POST /sql` to a statement that changes rows. */
export interface SqlWritten {
  readonly relation: string
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  readonly dryRun?: boolean
  readonly durationMs: number
}

/** JSON answer of `POST /sql`; the optional members are additions that the console shows when they are there. */
export interface SqlAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly rows: readonly (readonly Cell[])[]
  readonly snapshots: Readonly<Record<string, string>>
  readonly tail: boolean
  readonly durationMs?: number
  readonly readBytes?: number
  readonly policy?: PolicyNote
  /** More rows than the limit of an answer existed. */
  readonly truncated?: boolean
}
