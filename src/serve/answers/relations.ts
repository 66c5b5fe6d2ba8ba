// A relation in a list and on its own page: what it is, how fresh it is, how its checks stand. Its tabs have files of their own.
import type { Relation } from '../../define/manifest.ts'
import type { Clocked } from './admin.ts'
import type { RunState } from './runs.ts'

export type FreshState = 'fresh' | 'late' | 'empty' | 'unknown'

export interface Freshness {
  /** `late`: older than its target. `empty`: nothing has arrived yet. `unknown`: no target, or not measured. */
  readonly state: FreshState
  /** The instant up to which the data is complete; its age is now minus this. Null when empty. */
  readonly asOfMs: number | null
  readonly targetMs: number | null
  /** Set for what is kept live: the delay of a row from arrival to being readable. It is shown instead of the age. */
  readonly lagMs?: number
  /** Why it is late: its source fails, its own refresh fails, its live processing has stopped, or it waits for an input. */
  readonly why?: {
    readonly kind: 'source' | 'run' | 'stopped' | 'waits'
    readonly on?: string
    readonly runId?: string
    readonly sinceMs?: number
  }
}

export interface CheckCounts {
  readonly total: number
  readonly passed: number
  /** Failing now, by severity. */
  readonly warned: number
  readonly blocked: number
  readonly quarantining: number
  /** Rows that checks have set aside and nobody has accepted. */
  readonly setAside: number
  readonly lastAtMs: number | null
}

export interface RelationSummary {
  /** `name`, or `namespace.name` outside main. */
  readonly name: string
  readonly kind: 'stream' | 'table' | 'model'
  /** How it is made: streams 'http' or 'processor'; tables 'files', 'http', 'none'; models 'view', 'full', 'incremental', 'live'. */
  readonly how: string
  readonly doc: string | null
  readonly owner: string | null
  readonly tags: readonly string[]
  readonly freshness: Freshness
  /** Rows as a question sees them, but for `changes`; null for views and before the first row. */
  readonly rows: number | null
  /** Of a large relation with a key: rows by key in the hot tail that are not in `rows` yet, of which each replaces, adds or takes away one. */
  readonly changes?: number
  readonly bytes: number | null
  readonly files: number | null
  /** Rows that arrived in each of the last 13 hours, oldest first; empty when not counted. */
  readonly arrivals: readonly number[]
  /** Null when no check is defined on it. */
  readonly checks: CheckCounts | null
  readonly columns: readonly { readonly name: string; readonly type: string }[]
}

export interface Relations extends Clocked {
  readonly relations: readonly RelationSummary[]
}

export interface RelationDetail extends Clocked {
  readonly relation: RelationSummary
  /** The definition, as compiled. */
  readonly manifest: Relation
  readonly counts: { readonly checks: number; readonly snapshots: number }
  /** Current snapshot; null before the first commit and for views. */
  readonly snapshot: { readonly id: string; readonly sequence: number; readonly committedAtMs: number } | null
  /** Whether reads take rows of the log that are not committed yet. */
  readonly tail: boolean
  readonly rowsToday: number | null
  /** What a live model keeps to go on from; null for others, and where the caller may not count its rows. */
  readonly state: { readonly memoryBytes: number; readonly spilledBytes: number } | null
  /** Roles with a read grant; `limited` where a policy or mask narrows it. */
  readonly readers: readonly { readonly role: string; readonly limited: boolean }[]
  readonly lastRun: {
    readonly id: string
    readonly state: RunState
    readonly startedAtMs: number
    readonly durationMs: number | null
    readonly note: string | null
  } | null
}
