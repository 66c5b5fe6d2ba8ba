// The checks of a relation with their last results, and the rows that they set aside.
import type { CheckManifest, CheckSetManifest } from '../../define/manifest.ts'
import type { Clocked } from './admin.ts'
import type { RowsPage } from './rows.ts'

export type CheckStatus = 'pass' | 'warn' | 'block' | 'quarantine' | 'error' | 'never'

export interface CheckResult {
  readonly check: CheckManifest
  /** `pass`, `never` ran, `error` = it could not run; the others = it fails, by its severity. */
  readonly status: CheckStatus
  readonly atMs: number | null
  readonly runId: string | null
  /** Rows that fail, of rows looked at. */
  readonly found: number | null
  readonly of: number | null
  /** What it measured where that is not a count of rows: '3 min', '49, expected 38 to 66'. */
  readonly measured: string | null
  /** Worst status of each of the last 30 days, oldest first; 'never' = not run that day. */
  readonly history: readonly CheckStatus[]
}

export interface QualityPage extends Clocked {
  readonly sets: readonly { readonly set: Omit<CheckSetManifest, 'checks'>; readonly results: readonly CheckResult[] }[]
  readonly targetMs: number | null
  /** Rows that checks set aside, newest first, at most 100: columns `_ingested_at, code, field, message, raw`. */
  readonly setAside: { readonly check: string; readonly rows: RowsPage } | null
}
