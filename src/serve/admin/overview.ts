// The console's first page: is the data fresh and right, what needs somebody now, was anything lost.
import { formatAge } from '../../core/duration.ts'
import { assetsOf, downstream } from '../../orchestrate/graph.ts'
import type { Caller } from '../answer.ts'
import type { Attention, Overview } from '../answers/overview.ts'
import type { RelationSummary } from '../answers/relations.ts'
import { progressOf } from './backfill.ts'
import { type Moment, readMoment } from './freshness.ts'
import type { AdminParts } from './parts.ts'
import { summaries } from './relations.ts'
import { runs } from './runs.ts'
import { mayCount, mayName, mayQuote, shownFlows } from './shown.ts'
import { totalConservation } from './streams.ts'

export async function overview(parts: AdminParts, caller: Caller): Promise<Overview> {
  const moment = await readMoment(parts)
  const relations = await summaries(parts, caller, moment)
  return {
    nowMs: moment.nowMs,
    relations,
    flows: shownFlows(parts, caller),
    attention: attentionOf(parts, caller, relations, moment),
    runs: (await runs(parts, caller, { hours: '720', limit: '6' })).runs,
    conservation: totalConservation(parts, caller),
  }
}

function attentionOf(parts: AdminParts, caller: Caller, relations: readonly RelationSummary[], moment: Moment): Attention[] {
  const assets = assetsOf(parts.manifest())
  const holds = (name: string): string[] =>
    downstream(assets, [name])
      .map((asset) => asset.name)
      .filter((held) => mayName(parts, caller, held))
  const failed = relations.flatMap((relation): Attention[] => {
    const step = moment.lastSteps.get(relation.name)
    if (step?.status !== 'failed') return []
    return [
      {
        kind: 'run',
        severity: 'bad',
        subject: relation.name,
        relation: relation.name,
        runId: step.runId,
        sinceMs: step.startedMs ?? moment.nowMs,
        detail: (mayQuote(parts, caller, relation.name) && step.error?.message) || 'The last run failed.',
        holdsBack: holds(relation.name),
      },
    ]
  })
  const late = relations.flatMap((relation): Attention[] => {
    const { state, asOfMs, targetMs, why } = relation.freshness
    if (state !== 'late' || asOfMs === null || (why && why.kind !== 'waits')) return []
    const detail = `${formatAge(moment.nowMs - asOfMs)} old${targetMs === null ? '' : `, target ${formatAge(targetMs)}`}${why?.on ? `; it waits for ${why.on}` : ''}.`
    return [
      {
        kind: 'late',
        severity: 'warn',
        subject: relation.name,
        relation: relation.name,
        sinceMs: asOfMs + (targetMs ?? 0),
        detail,
        holdsBack: holds(relation.name),
      },
    ]
  })
  const checks = relations.flatMap((relation): Attention[] => {
    const { checks: counts } = relation
    if (!counts || counts.warned + counts.blocked + counts.quarantining === 0) return []
    const failing = counts.warned + counts.blocked + counts.quarantining
    return [
      {
        kind: 'check',
        severity: counts.blocked > 0 ? 'bad' : 'warn',
        subject: relation.name,
        relation: relation.name,
        sinceMs: counts.lastAtMs ?? moment.nowMs,
        detail: `${failing} of ${counts.total} checks fail.`,
        holdsBack: [],
        ...(counts.setAside > 0 ? { rows: counts.setAside } : {}),
      },
    ]
  })
  // Whatever makes a relation from the log: its own pipeline, the processor that emits into it, or the live model.
  const stopped = relations.flatMap(({ name }): Attention[] => {
    const failure = moment.pipelines.find((pipeline) => pipeline.makes === name && pipeline.stopped)?.stopped
    if (!failure) return []
    return [
      {
        kind: 'stopped',
        severity: 'bad',
        subject: name,
        relation: name,
        sinceMs: failure.sinceMs,
        detail: mayQuote(parts, caller, name) ? `${failure.code} ${failure.message}` : failure.code,
        holdsBack: holds(name),
      },
    ]
  })
  const rejected = relations.flatMap(({ name }): Attention[] => {
    const rows = mayCount(parts, caller, name) ? rejectedOf(moment, name) : 0
    if (rows === 0 || stopped.some(({ relation }) => relation === name)) return []
    return [
      {
        kind: 'rejected',
        severity: 'warn',
        subject: name,
        relation: name,
        sinceMs: moment.nowMs,
        detail: rows === 1 ? '1 row was rejected.' : `${rows} rows were rejected.`,
        holdsBack: [],
        rows,
      },
    ]
  })
  const broken = shownFlows(parts, caller).flatMap(({ direction, name, relation, stopped: failure }): Attention[] => {
    if (!failure) return []
    return [
      {
        kind: 'flow',
        severity: 'bad',
        subject: name,
        ...(direction === 'in' ? { relation } : {}),
        sinceMs: failure.sinceMs,
        detail: failure.message === '' ? failure.code : `${failure.code} ${failure.message}`,
        holdsBack: direction === 'in' ? holds(relation) : [],
      },
    ]
  })
  const rebuilt = relations.flatMap(({ name }): Attention[] => {
    const rebuild = moment.pipelines.find((pipeline) => pipeline.makes === name)?.rebuild
    if (!rebuild) return []
    const detail = `Computed again: ${progressOf(rebuild)}. It shows the rows of before until then.`
    return [{ kind: 'rebuild', severity: 'warn', subject: name, relation: name, sinceMs: moment.nowMs, detail, holdsBack: [] }]
  })
  return [...failed, ...stopped, ...broken, ...rejected, ...checks, ...late, ...rebuilt].sort((a, b) =>
    a.severity === b.severity ? 0 : a.severity === 'bad' ? -1 : 1,
  )
}

/** Of a stream at its door, or by a live model; 0 for other relations. */
function rejectedOf({ pipelines }: Moment, name: string): number {
  const own = pipelines.find((pipeline) => pipeline.makes === name && (pipeline.counts ?? pipeline.live))
  return (own?.counts ?? own?.live)?.rejected ?? 0
}
