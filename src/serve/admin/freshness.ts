// How old a relation is and why, as the console shows it.
import type { Relation } from '../../define/manifest.ts'
import { isLogged } from '../../define/system-columns.ts'
import type { PipelineFigures } from '../../observe/figures.ts'
import { isAsset, readsOf } from '../../orchestrate/graph.ts'
import type { StepRecord } from '../../orchestrate/history.ts'
import type { Freshness } from '../answers/relations.ts'
import type { AdminParts } from './parts.ts'

/** Everything that ages are computed from, read once for a page. */
export interface Moment {
  readonly nowMs: number
  readonly pipelines: readonly PipelineFigures[]
  readonly lastSteps: ReadonlyMap<string, StepRecord>
  /** Inputs and time of the last refresh of each model. */
  readonly refreshes: ReadonlyMap<string, { inputs: Readonly<Record<string, string | null>>; committedMs: number }>
}

export async function readMoment(parts: AdminParts): Promise<Moment> {
  const models = parts.manifest().relations.filter((relation) => relation.kind === 'model' && isAsset(relation))
  const refreshes = new Map<string, { inputs: Readonly<Record<string, string | null>>; committedMs: number }>()
  for (const model of models) {
    const refresh = await parts.catalog.refreshOf(model.name)
    if (refresh) refreshes.set(model.name, refresh)
  }
  const lastSteps = new Map((await parts.history.lastSteps()).map((step) => [step.relation, step]))
  return { nowMs: parts.clock.nowMs(), pipelines: parts.pipelines(), lastSteps, refreshes }
}

export function freshnessOf(parts: AdminParts, relation: Relation, moment: Moment): Freshness {
  const targetMs = relation.freshMs ?? null
  if (isLogged(relation) || (relation.kind === 'model' && relation.refresh === 'live'))
    return liveFreshness(parts, relation, moment, targetMs)
  if (relation.kind === 'model' && relation.refresh === 'view') return viewFreshness(parts, relation, moment, targetMs)
  const asOfMs = relation.kind === 'model' ? modelAsOf(parts, relation, moment) : loadAsOf(relation, moment)
  if (asOfMs === null) return { state: 'empty', asOfMs: null, targetMs, ...whyOf(relation, moment) }
  const isLate = targetMs !== null && moment.nowMs - asOfMs > targetMs
  return {
    state: isLate
      ? 'late'
      : targetMs === null && !hasFailed(relation, moment)
        ? 'fresh'
        : isLate || hasFailed(relation, moment)
          ? 'late'
          : 'fresh',
    asOfMs,
    targetMs,
    ...whyOf(relation, moment),
  }
}

/** Live relations are as old as what waits in the log; the lag is shown instead of an age. */
function liveFreshness(parts: AdminParts, relation: Relation, moment: Moment, targetMs: number | null): Freshness {
  const pipeline = moment.pipelines.find((candidate) => candidate.name === pipelineOf(relation))
  if (!pipeline) return { state: 'unknown', asOfMs: null, targetMs }
  const isEmpty = pipeline.inputs.every(({ position }) => position === 0)
  if (pipeline.stopped) {
    const { sinceMs } = pipeline.stopped
    return { state: 'late', asOfMs: sinceMs, targetMs, why: { kind: relation.kind === 'model' ? 'stopped' : 'source', sinceMs } }
  }
  const lagMs = parts.series.read(`lag:${pipeline.name}`, moment.nowMs, 60_000, 1, 'max').values[0] ?? 0
  return isEmpty ? { state: 'empty', asOfMs: null, targetMs } : { state: 'fresh', asOfMs: moment.nowMs, targetMs, lagMs }
}

/** The pipeline that makes a live relation. */
export const pipelineOf = (relation: Relation): string => (relation.kind === 'model' ? `live:${relation.name}` : `stream:${relation.name}`)

function viewFreshness(parts: AdminParts, relation: Relation, moment: Moment, targetMs: number | null): Freshness {
  const manifest = parts.manifest()
  const inputs = readsOf(manifest, relation).flatMap((name) => manifest.relations.filter((other) => other.name === name))
  const ages = inputs.map((input) => freshnessOf(parts, input, moment))
  const oldest = ages.reduce<number | null>(
    (least, age) => (age.asOfMs === null ? least : least === null ? age.asOfMs : Math.min(least, age.asOfMs)),
    null,
  )
  const late = ages.findIndex((age) => age.state === 'late')
  return {
    state: oldest === null ? 'empty' : late >= 0 ? 'late' : 'fresh',
    asOfMs: oldest,
    targetMs,
    ...(late >= 0 ? { why: { kind: 'waits', on: inputs[late]!.name } } : {}),
  }
}

/** While no input has changed since the last refresh, a model is complete up to now. */
function modelAsOf(parts: AdminParts, relation: Relation, moment: Moment): number | null {
  const refresh = moment.refreshes.get(relation.name)
  if (!refresh) return null
  const isCurrent = readsOf(parts.manifest(), relation).every((name) => {
    const current = parts.relations.has(name) ? (parts.relations.tableOf(name)?.current?.id.toString() ?? null) : null
    return (refresh.inputs[name] ?? null) === current
  })
  return isCurrent ? moment.nowMs : refresh.committedMs
}

function loadAsOf(relation: Relation, moment: Moment): number | null {
  const step = moment.lastSteps.get(relation.name)
  const succeeded = step?.tries.filter((attempt) => attempt.error === null && attempt.endedAtMs !== null).at(-1)
  return succeeded?.endedAtMs ?? null
}

const hasFailed = (relation: Relation, moment: Moment): boolean => moment.lastSteps.get(relation.name)?.status === 'failed'

function whyOf(relation: Relation, moment: Moment): Pick<Freshness, 'why'> {
  const step = moment.lastSteps.get(relation.name)
  if (step?.status === 'failed')
    return {
      why: {
        kind: relation.kind === 'table' ? 'source' : 'run',
        runId: step.runId,
        ...(step.startedMs === null ? {} : { sinceMs: step.startedMs }),
      },
    }
  if (step?.status === 'skipped' && step.waitsOn[0]) return { why: { kind: 'waits', on: step.waitsOn[0] } }
  return {}
}
