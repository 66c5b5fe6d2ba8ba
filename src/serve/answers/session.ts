// Who asks the admin API and what the project is, and the events that say which answers have changed.
import type { Clocked } from './admin.ts'

export interface RoleChoice {
  readonly name: string
  /** Attributes that must be given when acting as this role. */
  readonly attributes: readonly { readonly name: string; readonly type: string }[]
}

export interface Session extends Clocked {
  readonly project: string
  /** 'dev', 'start' environment's name. */
  readonly environment: string
  /** How it is deployed: 'embedded' for the single process. */
  readonly deployment: string
  readonly version: string
  /** Fingerprint of the project's code, short; null when it is not under version control. */
  readonly code: string | null
  readonly user: string
  readonly role: string
  /** Roles that the caller may act as on the SQL page; the own role first. */
  readonly roles: readonly RoleChoice[]
  /** May start, resume and retry runs. */
  readonly mayRun: boolean
  readonly counts: {
    readonly relations: number
    readonly streams: number
    readonly dashboards: number
    /** Subjects (relations, sinks) whose last run failed. */
    readonly failing: number
  }
}

/**
 * What `/admin/events` sends. `event: hello` once, at the start of each connection; `event: changed` at most once a second
 * with the kinds of answers that changed since; a comment line every 15 s keeps it open. `data:` is this object's JSON.
 */
export type AdminEvent =
  | { readonly event: 'hello'; readonly nowMs: number }
  | { readonly event: 'changed'; readonly nowMs: number; readonly keys: readonly ChangedKey[] }

/** Kind, then a name when only one thing of the kind changed. 'relation' covers all its tabs and the lists that show it. */
export type ChangedKey = readonly [kind: 'relation' | 'stream' | 'run' | 'dashboard' | 'session' | 'lineage', name?: string]
