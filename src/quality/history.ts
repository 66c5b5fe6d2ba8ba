// The history of check results, as an interface over the control store.
import type { CheckOutcome } from './run-checks.ts'

export interface CheckRecord extends CheckOutcome {
  readonly relation: string
  readonly ranMs: number
  readonly runId: string | null
  readonly snapshotId: string | null
}

export interface CheckHistory {
  save(records: readonly CheckRecord[]): Promise<void>
  /** Values of a check, oldest first, at most the last `limit`. */
  values(check: string, limit: number): Promise<readonly number[]>
  /** Newest result of every check of a relation; of all relations without a name. */
  latest(relation?: string): Promise<readonly CheckRecord[]>
  /** Results of a relation since a time, oldest first. */
  since(relation: string, sinceMs: number): Promise<readonly CheckRecord[]>
}
