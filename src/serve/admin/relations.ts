// The console's relations: summaries and detail, under the caller's policy. Their pages are beside this.
import { MillraceError } from '../../core/errors.ts'
import type { Relation } from '../../define/manifest.ts'
import { storedShape } from '../../define/system-columns.ts'
import { grantsTo } from '../../govern/decide.ts'
import type { CheckRecord } from '../../quality/history.ts'
import { printType } from '../../schema/type.ts'
import type { Caller } from '../answer.ts'
import type { CheckCounts, RelationDetail, RelationSummary } from '../answers/relations.ts'
import type { RunState } from '../answers/runs.ts'
import { freshnessOf, type Moment, readMoment } from './freshness.ts'
import { type AdminParts, isVisible } from './parts.ts'
import { mayCount, mayQuote, shownCheck, shownFreshness, shownRelation } from './shown.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export const visibleRelations = (parts: AdminParts, caller: Caller): Relation[] =>
  parts.manifest().relations.filter((relation) => isVisible(parts, caller, relation))

/** @throws MR_NOT_FOUND when it does not exist or the caller may not see it: the same answer for both. */
export function findRelation(parts: AdminParts, caller: Caller, name: string): Relation {
  const relation = parts.manifest().relations.find((candidate) => candidate.name === name)
  if (!relation || !isVisible(parts, caller, relation))
    throw new MillraceError('MR_NOT_FOUND', `there is no relation "${name}"`, { fix: 'see the list of relations' })
  return relation
}

export async function summaries(parts: AdminParts, caller: Caller, moment: Moment): Promise<RelationSummary[]> {
  const latest = await parts.checks.latest()
  return Promise.all(visibleRelations(parts, caller).map((relation) => summarize(parts, caller, relation, moment, latest)))
}

export async function summarize(
  parts: AdminParts,
  caller: Caller,
  relation: Relation,
  moment: Moment,
  latest: readonly CheckRecord[],
): Promise<RelationSummary> {
  const table = parts.relations.has(relation.name) ? parts.relations.tableOf(relation.name) : null
  const figures = table?.current?.summary
  const isCounted = mayCount(parts, caller, relation.name)
  const count = isCounted && parts.relations.has(relation.name) ? await parts.relations.countOf(relation.name) : null
  return {
    name: relation.name,
    kind: relation.kind,
    how: howOf(relation),
    doc: relation.doc ?? null,
    owner: relation.owner ?? null,
    tags: relation.tags,
    freshness: shownFreshness(parts, caller, freshnessOf(parts, relation, moment)),
    rows: count?.rows ?? null,
    ...(count && count.changes > 0 ? { changes: count.changes } : {}),
    bytes: !isCounted || figures?.['total-files-size'] === undefined ? null : Number(figures['total-files-size']),
    files: isCounted && figures ? Number(figures['total-data-files'] ?? 0) : null,
    arrivals: isCounted ? arrivalsOf(parts, relation, moment.nowMs) : [],
    checks: checkCounts(parts, caller, relation.name, latest),
    columns: storedShape(relation).fields.map((field) => ({ name: field.name, type: printType(field.type) })),
  }
}

const howOf = (relation: Relation): string =>
  relation.kind === 'stream' ? relation.source : relation.kind === 'table' ? relation.source.kind : relation.refresh

function arrivalsOf(parts: AdminParts, relation: Relation, nowMs: number): number[] {
  if (relation.kind === 'model') return []
  const { values } = parts.series.read(`in:${relation.name}`, nowMs, 13 * HOUR_MS, 13, 'sum')
  return values.some((value) => value !== null) ? values.map((value) => value ?? 0) : []
}

export function checkCounts(parts: AdminParts, caller: Caller, relation: string, latest: readonly CheckRecord[]): CheckCounts | null {
  const checks = parts
    .manifest()
    .checks.filter((set) => set.on === relation)
    .flatMap((set) => set.checks)
    .filter((check) => shownCheck(parts, caller, check))
  if (checks.length === 0) return null
  const results = checks.map((check) => ({ check, last: latest.find((record) => record.check.name === check.name) }))
  // A check that could not be computed did not pass.
  const failing = results.filter(({ last }) => last?.status === 'fail' || last?.status === 'error')
  const times = results.flatMap(({ last }) => (last ? [last.ranMs] : []))
  return {
    total: checks.length,
    passed: results.filter(({ last }) => last?.status === 'pass').length,
    warned: failing.filter(({ check }) => check.severity === 'warn').length,
    blocked: failing.filter(({ check }) => check.severity === 'block').length,
    quarantining: failing.filter(({ check }) => check.severity === 'quarantine').length,
    setAside: !mayCount(parts, caller, relation)
      ? 0
      : failing.filter(({ check }) => check.severity === 'quarantine').reduce((sum, { last }) => sum + (last!.failedRows ?? 0), 0),
    lastAtMs: times.length === 0 ? null : Math.max(...times),
  }
}

export async function relationDetail(parts: AdminParts, caller: Caller, name: string): Promise<RelationDetail> {
  const relation = findRelation(parts, caller, name)
  const moment = await readMoment(parts)
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const step = moment.lastSteps.get(name)
  const manifest = parts.manifest()
  const grants = manifest.grants.filter((grant) => grant.privilege === 'read' && grantsTo(grant.on, name))
  const isOwn = (role: string): boolean => caller.isAdmin || caller.roles.some((held) => held.name === role)
  const roles = [...new Set(grants.flatMap((grant) => grant.to))].filter(isOwn)
  const limited = (role: string): boolean =>
    manifest.policies.some((policy) => policy.on === name && policy.to === role) ||
    relation.shape.fields.some(
      (field) =>
        field.pii !== undefined &&
        manifest.masks.some((masks) => (masks.by[field.pii!] ?? 'none') !== 'none' && !masks.except.includes(role)),
    )
  const today = parts.series.read(`in:${name}`, moment.nowMs, moment.nowMs % DAY_MS, 1, 'sum').values[0]
  return {
    nowMs: moment.nowMs,
    relation: await summarize(parts, caller, relation, moment, await parts.checks.latest(name)),
    manifest: shownRelation(parts, caller, relation),
    counts: {
      checks: manifest.checks.filter((set) => set.on === name).reduce((sum, set) => sum + set.checks.length, 0),
      snapshots: table?.snapshots.length ?? 0,
    },
    snapshot: table?.current
      ? { id: table.current.id.toString(), sequence: table.current.sequence, committedAtMs: table.current.timestampMs }
      : null,
    tail: parts.relations.has(name) && parts.relations.tailRowsOf(name) > 0,
    rowsToday: mayCount(parts, caller, name) ? (today ?? null) : null,
    state: mayCount(parts, caller, name) ? stateOf(parts, name) : null,
    readers: roles.map((role) => ({ role, limited: limited(role) })),
    lastRun: step?.startedMs
      ? {
          id: step.runId,
          state: runState(step.status),
          startedAtMs: step.startedMs,
          durationMs: step.endedMs === null ? null : step.endedMs - step.startedMs,
          note: mayQuote(parts, caller, name) ? step.note : null,
        }
      : null,
  }
}

function stateOf(parts: AdminParts, model: string): RelationDetail['state'] {
  const pipeline = parts.pipelines().find(({ makes, live }) => makes === model && live !== null)
  if (!pipeline) return null
  return { memoryBytes: pipeline.stateBytes ?? 0, spilledBytes: pipeline.spilledBytes ?? 0 }
}

const runState = (status: string): RunState =>
  status === 'succeeded' ? 'done' : status === 'failed' || status === 'running' ? status : status === 'skipped' ? 'cancelled' : 'queued'
