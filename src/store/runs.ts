// Runs and their steps: what was asked to be made, what happened, and the log of each step. A run moves from queued to
// running to one of the ends, and each move is a compare-and-set, so that two schedulers never start one run twice.
import type { Store } from './open-store.ts'
import type { RunRow, StepRow } from './tables.ts'

export type RunStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped'

/** An error as it is shown: code, message and way out. */
export interface StoredError {
  readonly code: string
  readonly message: string
  readonly fix?: string
  readonly at?: string
}

export interface Run {
  readonly id: string
  readonly asset: string
  readonly kind: string
  /** What started it: 'manual', 'schedule', 'change', 'backfill', ... */
  readonly trigger: string
  readonly status: RunStatus
  readonly attempt: number
  readonly queuedMs: number
  readonly startedMs: number | null
  readonly endedMs: number | null
  readonly rowsIn: number | null
  readonly rowsOut: number | null
  readonly error: StoredError | null
  /** Fingerprint of the code that ran. */
  readonly code: string | null
  readonly snapshotBefore: string | null
  readonly snapshotAfter: string | null
  /** Snapshot of each input. */
  readonly inputs: Readonly<Record<string, string | null>>
}

export interface Step {
  readonly runId: string
  readonly ordinal: number
  readonly name: string
  readonly status: RunStatus
  readonly attempt: number
  readonly startedMs: number | null
  readonly endedMs: number | null
  /** Time spent waiting for a slot or a retry. */
  readonly waitMs: number
  readonly log: string
  readonly error: StoredError | null
}

type Database = Pick<Store, 'read' | 'write'>

/** Characters of a step's log that are kept: its beginning is dropped beyond. */
const LOG_MAX = 1_000_000

export const insertRun = (store: Database, run: Run): Promise<void> =>
  store.write(async (tx) => {
    await tx.insertInto('runs').values(runRow(run)).execute()
  })

export type RunChange = Partial<Omit<Run, 'id' | 'asset' | 'kind' | 'trigger' | 'queuedMs'>>

/** Changes a run whose status is `from`; false when it has another one by now, or does not exist. */
export const moveRun = (store: Database, id: string, from: RunStatus, change: RunChange): Promise<boolean> =>
  store.write(async (tx) => {
    const { error, inputs, ...rest } = change
    const row = {
      ...rest,
      ...(error === undefined ? {} : { error: error && JSON.stringify(error) }),
      ...(inputs === undefined ? {} : { inputs: JSON.stringify(inputs) }),
    }
    const { numUpdatedRows } = await tx.updateTable('runs').set(row).where('id', '=', id).where('status', '=', from).executeTakeFirst()
    return numUpdatedRows > 0n
  })

export async function runOf(store: Database, id: string): Promise<Run | null> {
  const row = await store.read.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toRun(row) : null
}

export interface RunFilter {
  readonly asset?: string
  readonly status?: readonly RunStatus[]
  readonly beforeMs?: number
  readonly limit?: number
}

/** Newest first. */
export async function listRuns(store: Database, filter: RunFilter = {}): Promise<Run[]> {
  let query = store.read.selectFrom('runs').selectAll()
  if (filter.asset !== undefined) query = query.where('asset', '=', filter.asset)
  if (filter.status !== undefined) query = query.where('status', 'in', filter.status)
  if (filter.beforeMs !== undefined) query = query.where('queuedMs', '<', filter.beforeMs)
  const rows = await query
    .orderBy('queuedMs', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit ?? 100)
    .execute()
  return rows.map(toRun)
}

/** Removes ended runs queued before a time, with their steps; answers how many. */
export const removeRuns = (store: Database, beforeMs: number): Promise<number> =>
  store.write(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('runs')
      .where('queuedMs', '<', beforeMs)
      .where('status', 'not in', ['queued', 'running'])
      .executeTakeFirst()
    return Number(numDeletedRows)
  })

/** Inserts a step or replaces it. */
export const putStep = (store: Database, step: Step): Promise<void> =>
  store.write(async (tx) => {
    const row = { ...step, log: step.log.slice(-LOG_MAX), error: step.error && JSON.stringify(step.error) }
    const { runId: _runId, ordinal: _ordinal, ...rest } = row
    await tx
      .insertInto('steps')
      .values(row)
      .onConflict((conflict) => conflict.columns(['runId', 'ordinal']).doUpdateSet(rest))
      .execute()
  })

export async function stepsOf(store: Database, runId: string): Promise<Step[]> {
  const rows = await store.read.selectFrom('steps').selectAll().where('runId', '=', runId).orderBy('ordinal').execute()
  return rows.map(toStep)
}

const runRow = (run: Run): RunRow => ({ ...run, error: run.error && JSON.stringify(run.error), inputs: JSON.stringify(run.inputs) })

const toRun = (row: RunRow): Run => ({
  ...row,
  status: row.status as RunStatus,
  error: row.error === null ? null : (JSON.parse(row.error) as StoredError),
  inputs: JSON.parse(row.inputs) as Run['inputs'],
})

const toStep = (row: StepRow): Step => ({
  ...row,
  status: row.status as RunStatus,
  error: row.error === null ? null : (JSON.parse(row.error) as StoredError),
})
