// The control database's tables as Kysely sees them: times are integer milliseconds, JSON is text, ids are UUID text,
// booleans do not occur. Columns are snake_case in the database and camelCase here. `migrations.ts` makes them.
import type { Generated } from 'kysely'

export interface Tables {
  // catalog
  pointers: { name: string; kind: 'table' | 'view'; location: string; snapshotId: string | null; updatedMs: number }
  /** Properties as JSON. */
  namespaces: { name: string; properties: string }
  finishedRequests: { key: string; request: string; answer: string; finishedMs: number }
  /** Commits to an external catalog that were begun and not finished; the request as JSON. */
  intents: { id: string; request: string; begunMs: number }
  offsets: { pipeline: string; topic: string; partition: number; next: number }
  checkpoints: { pipeline: string; location: string; code: string }
  generations: { pipeline: string; generation: string }
  cursors: { name: string; value: string }
  changes: { sequence: Generated<number>; tableName: string; snapshotId: string | null; committedMs: number }
  refreshes: { model: string; inputs: string; runId: string; committedMs: number }
  // runs
  runs: RunRow
  steps: StepRow
  // quality
  checkResults: CheckResultRow
  // govern
  tokens: TokenRow
  audit: AuditRow
  // operate
  alerts: AlertRow
  deployments: { id: string; manifest: string; codeHash: string; appliedMs: number; appliedBy: string }
}

export interface RunRow {
  id: string
  name: string
  /** What started it, in words. */
  trigger: string
  status: string
  queuedMs: number
  startedMs: number | null
  endedMs: number | null
  code: string | null
}

export interface StepRow {
  runId: string
  ordinal: number
  relation: string
  status: string
  startedMs: number | null
  /** The whole step as JSON. */
  body: string
}

export interface CheckResultRow {
  id: string
  /** Name of the check set. */
  setName: string
  checkName: string
  relation: string
  severity: string
  /** The rule as JSON. */
  rule: string
  status: string
  failedRows: number | null
  totalRows: number | null
  value: number | null
  measured: string | null
  runId: string | null
  snapshotId: string | null
  ranMs: number
}

export interface TokenRow {
  id: string
  user: string
  secretHash: string
  roles: string
  attributes: string
  scopes: string
  createdMs: number
  expiresMs: number | null
  revokedMs: number | null
  lastUsedMs: number | null
}

export interface AuditRow {
  sequence: number
  atMs: number
  user: string
  roles: string
  action: string
  object: string
  detail: string
  outcome: string
  previousHash: string
  hash: string
}

export interface AlertRow {
  id: string
  name: string
  state: string
  sinceMs: number
  lastSentMs: number | null
  resolvedMs: number | null
  detail: string
}
