// The history of runs in the control store.
import type { Store } from '../store/open-store.ts'
import type { RunFilter, RunHistory, RunRecord, StepRecord } from './history.ts'

type RunColumns = {
  id: string
  name: string
  trigger: string
  status: string
  queuedMs: number
  startedMs: number | null
  endedMs: number | null
  code: string | null
}
type StepColumns = { runId: string; ordinal: number; relation: string; status: string; startedMs: number | null; body: string }

const runRow = (run: RunRecord): RunColumns => ({ ...run })
const stepRow = (step: StepRecord): StepColumns => ({
  runId: step.runId,
  ordinal: step.ordinal,
  // Found by relation are steps that say how fresh it is: maintenance is not among them.
  relation: step.saved ? '' : step.relation,
  status: step.status,
  startedMs: step.startedMs,
  body: JSON.stringify(step),
})
const runOf = (row: RunColumns): RunRecord => row as RunRecord
const stepOf = (row: { body: string }): StepRecord => JSON.parse(row.body) as StepRecord

export function storeHistory(store: Store): RunHistory {
  const stepsOf = async (ids: readonly string[]): Promise<Map<string, StepRecord[]>> => {
    const rows =
      ids.length === 0 ? [] : await store.read.selectFrom('steps').selectAll().where('runId', 'in', ids).orderBy('ordinal').execute()
    const steps = new Map<string, StepRecord[]>(ids.map((id) => [id, []]))
    for (const row of rows) steps.get(row.runId)!.push(stepOf(row))
    return steps
  }
  const saveStep = (step: StepRecord): Promise<void> =>
    store.write(async (tx) => {
      const row = stepRow(step)
      await tx
        .insertInto('steps')
        .values(row)
        .onConflict((oc) => oc.columns(['runId', 'ordinal']).doUpdateSet(row))
        .execute()
    })
  return {
    save: (run, steps) =>
      store.write(async (tx) => {
        await tx.insertInto('runs').values(runRow(run)).execute()
        if (steps.length > 0) await tx.insertInto('steps').values(steps.map(stepRow)).execute()
      }),
    saveRun: (run) =>
      store.write(async (tx) => {
        await tx.updateTable('runs').set(runRow(run)).where('id', '=', run.id).execute()
      }),
    saveStep,
    async run(id) {
      const row = await store.read.selectFrom('runs').selectAll().where('id', '=', id).executeTakeFirst()
      return row ? { run: runOf(row), steps: (await stepsOf([id])).get(id)! } : null
    },
    async list(filter: RunFilter) {
      let query = store.read.selectFrom('runs').selectAll().orderBy('id', 'desc').limit(filter.limit)
      if (filter.status) query = query.where('status', '=', filter.status)
      if (filter.sinceMs !== undefined) query = query.where('queuedMs', '>=', filter.sinceMs)
      if (filter.beforeId) query = query.where('id', '<', filter.beforeId)
      const rows = await query.execute()
      const steps = await stepsOf(rows.map((row) => row.id))
      return rows.map((row) => ({ run: runOf(row), steps: steps.get(row.id)! }))
    },
    async lastSteps() {
      const rows = await store.read
        .selectFrom('steps')
        .selectAll()
        .where('relation', '<>', '')
        .where((eb) =>
          eb(
            'runId',
            '=',
            eb
              .selectFrom('steps as newer')
              .select((inner) => inner.fn.max('newer.runId').as('runId'))
              .whereRef('newer.relation', '=', 'steps.relation'),
          ),
        )
        .execute()
      return rows.map(stepOf)
    },
    async closeOpen(nowMs) {
      const open = await store.read.selectFrom('runs').selectAll().where('status', 'in', ['queued', 'running']).execute()
      const steps = await stepsOf(open.map((run) => run.id))
      for (const step of [...steps.values()].flat()) {
        if (step.status !== 'running' && step.status !== 'waiting') continue
        const error = { code: 'MR_CANCELLED', message: 'the server ended while this ran', fix: 'run it again' }
        await saveStep({
          ...step,
          status: step.status === 'running' ? 'failed' : 'skipped',
          endedMs: nowMs,
          error: step.status === 'running' ? error : null,
        })
      }
      await store.write(async (tx) => {
        await tx.updateTable('runs').set({ status: 'failed', endedMs: nowMs }).where('status', 'in', ['queued', 'running']).execute()
      })
      return open.length
    },
  }
}
