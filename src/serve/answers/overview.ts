// The first page: all relations and flows, what needs somebody now, the last runs.
import type { Clocked } from './admin.ts'
import type { FlowSummary } from './flows.ts'
import type { RelationSummary } from './relations.ts'
import type { RunSummary } from './runs.ts'
import type { Conservation } from './streams.ts'

/** Something that needs somebody now. */
export interface Attention {
  readonly kind: 'late' | 'run' | 'check' | 'rejected' | 'stopped' | 'rebuild' | 'flow'
  readonly severity: 'bad' | 'warn'
  /** The relation, sink or job. */
  readonly subject: string
  /** `subject` is a relation with a page. */
  readonly relation?: string
  readonly runId?: string
  readonly sinceMs: number
  /** What happened, one or two sentences with names and values. */
  readonly detail: string
  /** Relations and endpoints that wait for it. */
  readonly holdsBack: readonly string[]
  /** Rows set aside or rejected. */
  readonly rows?: number
}

export interface Overview extends Clocked {
  readonly relations: readonly RelationSummary[]
  /** Those of relations that the caller may count. */
  readonly flows: readonly FlowSummary[]
  /** Worst first. */
  readonly attention: readonly Attention[]
  /** At most 6, newest first. */
  readonly runs: readonly RunSummary[]
  /** Sum over all streams; null without streams. */
  readonly conservation: Conservation | null
}
