// The console's runs: history, one run with its steps, and starting one.
import { MillraceError } from '../../core/errors.ts'
import { assetsOf, downstream, isAsset } from '../../orchestrate/graph.ts'
import type { RunRecord, StepRecord } from '../../orchestrate/history.ts'
import { type Caller, isAllowed } from '../answer.ts'
import type { RunDetail, RunError, RunRequest, RunStarted, RunState, RunStep, RunSummary, Runs, StepState } from '../answers/runs.ts'
import { type AdminParts, isVisible } from './parts.ts'
import { mayCount, mayName, mayQuote } from './shown.ts'

const HOUR_MS = 3_600_000
const RUN_STATES: Record<RunRecord['status'], RunState> = {
  queued: 'queued',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  partial: 'partial',
  cancelled: 'cancelled',
}
const STEP_STATES: Record<StepRecord['status'], StepState> = {
  waiting: 'waiting',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  skipped: 'skipped',
}

type Recorded = { run: RunRecord; steps: readonly StepRecord[] }

/** Steps on relations that the caller may see; a run without any is not shown. */
function visibleSteps(parts: AdminParts, caller: Caller, { steps }: Recorded): StepRecord[] {
  const relations = parts.manifest().relations
  return steps.filter((step) => {
    const relation = relations.find((candidate) => candidate.name === step.relation)
    return relation ? isVisible(parts, caller, relation) : caller.isAdmin
  })
}

export function summarizeRun(parts: AdminParts, caller: Caller, { run }: Recorded, steps: readonly StepRecord[]): RunSummary {
  const count = (status: StepRecord['status']): number => steps.filter((step) => step.status === status).length
  return {
    id: run.id,
    name: caller.isAdmin ? run.name : nameOf(steps),
    trigger: caller.isAdmin ? run.trigger : triggerOf(parts, caller, run.trigger),
    state: RUN_STATES[run.status],
    startedAtMs: run.startedMs ?? run.queuedMs,
    endedAtMs: run.endedMs,
    steps: { total: steps.length, done: count('succeeded'), failed: count('failed'), skipped: count('skipped') },
  }
}

/** Of what the caller sees of a run: its own name can be that of a hidden relation or job. */
const nameOf = (steps: readonly StepRecord[]): string => (steps.length === 1 ? steps[0]!.name : `${steps.length} assets`)

function triggerOf(parts: AdminParts, caller: Caller, trigger: string): string {
  const committed = /^(.*) committed$/.exec(trigger)?.[1]
  if (committed === undefined) return trigger
  const shown = committed.split(', ').filter((name) => mayName(parts, caller, name))
  return shown.length === 0 ? 'an input committed' : `${shown.join(', ')} committed`
}

export async function runs(
  parts: AdminParts,
  caller: Caller,
  query: { state?: string; hours?: string; limit?: string; before?: string },
): Promise<Runs> {
  const nowMs = parts.clock.nowMs()
  const hours = Math.min(24 * 90, Math.max(1, Number(query.hours ?? 24) || 24))
  const limit = Math.min(200, Math.max(1, Number(query.limit ?? 50) || 50))
  const found = await parts.history.list({
    sinceMs: nowMs - hours * HOUR_MS,
    limit: 5_000,
    ...(query.before ? { beforeId: query.before } : {}),
  })
  const seen = found.map((recorded) => ({ recorded, steps: visibleSteps(parts, caller, recorded) })).filter(({ steps }) => steps.length > 0)
  const all = seen.map(({ recorded, steps }) => summarizeRun(parts, caller, recorded, steps))
  const chosen = query.state ? all.filter((run) => run.state === query.state) : all
  const stepMs = hours > 48 ? 24 * HOUR_MS : HOUR_MS
  const first = Math.floor((nowMs - hours * HOUR_MS) / stepMs) + 1
  const isFailed = (run: RunSummary): boolean => run.state === 'failed' || run.state === 'partial'
  const buckets = Array.from({ length: Math.ceil((hours * HOUR_MS) / stepMs) }, (_, index) => {
    const startMs = (first + index) * stepMs
    const inside = all.filter((run) => run.startedAtMs >= startMs && run.startedAtMs < startMs + stepMs)
    return { startMs, runs: inside.length, failed: inside.filter(isFailed).length }
  })
  return {
    nowMs,
    runs: chosen.slice(0, limit),
    total: all.length,
    failed: all.filter(isFailed).length,
    buckets,
    next: chosen.length > limit ? chosen[limit - 1]!.id : null,
  }
}

async function findRun(parts: AdminParts, caller: Caller, id: string): Promise<{ recorded: Recorded; steps: StepRecord[] }> {
  const recorded = await parts.history.run(id)
  const steps = recorded ? visibleSteps(parts, caller, recorded) : []
  if (!recorded || steps.length === 0) throw new MillraceError('MR_RUN_UNKNOWN', `there is no run ${id}`, { fix: 'see the list of runs' })
  return { recorded, steps }
}

export async function runDetail(parts: AdminParts, caller: Caller, id: string): Promise<RunDetail> {
  const { recorded, steps } = await findRun(parts, caller, id)
  const failed = steps.find((step) => step.status === 'failed')
  // Failed maintenance holds nothing back: the table is as it was.
  const broken = steps.filter((step) => isBroken(step) && !step.saved).map((step) => step.relation)
  const held = downstream(assetsOf(parts.manifest()), broken)
    .map((asset) => asset.name)
    .filter((name) => mayName(parts, caller, name))
  const manifest = parts.manifest()
  const endpoints = manifest.endpoints
    .filter((endpoint) => isAllowed(caller, endpoint.allow))
    .filter((endpoint) => endpoint.inputs.some((input) => broken.includes(input) || held.includes(input)))
    .map((endpoint) => endpoint.name)
  return {
    nowMs: parts.clock.nowMs(),
    run: summarizeRun(parts, caller, recorded, steps),
    code: recorded.run.code,
    zone: manifest.jobs.find((job) => job.name === recorded.run.name)?.zone ?? null,
    steps: steps.map((step) => shownStep(parts, caller, stepOf(parts, step))),
    failure: failed?.error
      ? {
          step: failed.name,
          error: shownError(mayQuote(parts, caller, failed.relation), failed.error),
          left: 'Nothing was committed by this step.',
        }
      : null,
    mayResume: mayRun(caller) && broken.length > 0 && recorded.run.endedMs !== null,
    holdsBack: [...new Set([...held, ...endpoints])],
  }
}

function stepOf(parts: AdminParts, step: StepRecord): RunStep {
  const relation = parts.manifest().relations.find((candidate) => candidate.name === step.relation)
  return {
    name: step.name,
    relation: step.relation === '' ? null : step.relation,
    note: step.note,
    state: STEP_STATES[step.status],
    startedAtMs: step.startedMs,
    endedAtMs: step.endedMs,
    tries: step.tries,
    waitsOn: step.status === 'waiting' || step.status === 'skipped' ? step.waitsOn : [],
    rows: step.rows,
    error: step.error,
    log: step.log,
    effects: step.effects.map((effect) => ({
      relation: effect.relation,
      snapshot: { id: effect.snapshotId, sequence: effect.sequence },
      added: effect.added,
      removed: effect.removed,
    })),
    saved: step.saved ?? null,
    sql: relation?.kind === 'model' && !step.saved ? relation.sql.text : null,
    query: null,
  }
}

/** Texts and numbers of a step only to whom nothing of its relation is hidden. */
function shownStep(parts: AdminParts, caller: Caller, step: RunStep): RunStep {
  if (caller.isAdmin || step.relation === null) return step
  const relation = parts.manifest().relations.find((candidate) => candidate.name === step.relation)
  const isQuoted = mayQuote(parts, caller, step.relation)
  const isCounted = mayCount(parts, caller, step.relation)
  return {
    ...step,
    note: isQuoted ? step.note : null,
    tries: step.tries.map((attempt) => (isQuoted || attempt.error === null ? attempt : { ...attempt, error: HIDDEN })),
    waitsOn: step.waitsOn.filter((name) => mayName(parts, caller, name)),
    rows: isCounted ? step.rows : null,
    saved: isCounted ? step.saved : null,
    error: step.error && shownError(isQuoted, step.error),
    log: isQuoted ? step.log : [],
    effects: step.effects
      .filter((effect) => mayName(parts, caller, effect.relation))
      .map((effect) => (mayCount(parts, caller, effect.relation) ? effect : { ...effect, added: null, removed: null })),
    sql: relation?.kind === 'model' && relation.inputs.every((input) => mayName(parts, caller, input)) ? step.sql : null,
  }
}

const isBroken = ({ status }: StepRecord): boolean => status === 'failed' || status === 'skipped'

const HIDDEN = 'it failed; an administrator sees why'

const shownError = (isQuoted: boolean, error: RunError): RunError => (isQuoted ? error : { code: error.code, message: HIDDEN })

export const mayRun = (caller: Caller): boolean => caller.isAdmin

function mustRun(caller: Caller): void {
  if (!mayRun(caller)) throw new MillraceError('MR_ACCESS_DENIED', 'starting runs is for administrators', { fix: 'ask an administrator' })
}

export async function startRun(parts: AdminParts, caller: Caller, request: RunRequest & { full?: boolean }): Promise<RunStarted> {
  mustRun(caller)
  const id = await parts.startRun({
    assets: request.assets ?? [],
    checks: request.checks ?? [],
    full: request.full ?? false,
    by: caller.user,
  })
  return { nowMs: parts.clock.nowMs(), id }
}

/** What failed and what waited for it, in a new run. */
export async function resumeRun(parts: AdminParts, caller: Caller, id: string): Promise<RunStarted> {
  mustRun(caller)
  const { recorded, steps } = await findRun(parts, caller, id)
  if (recorded.run.trigger.startsWith('backfill '))
    throw new MillraceError('MR_USAGE', `run ${id} is a backfill of chosen intervals`, { fix: 'start it again with `millrace backfill`' })
  const known = new Set(
    parts
      .manifest()
      .relations.filter(isAsset)
      .map((relation) => relation.name),
  )
  const assets = steps.filter((step) => isBroken(step) && !step.saved && known.has(step.relation)).map((step) => step.relation)
  if (assets.length === 0) throw new MillraceError('MR_USAGE', `nothing of run ${id} is left to do`, { fix: 'start a new run' })
  return { nowMs: parts.clock.nowMs(), id: await parts.startRun({ assets, checks: [], full: false, by: caller.user }) }
}
