// Jobs and alerts: what they run and watch exists, and the times are times.
import type { Alert, AlertHow } from '../../define/alert.ts'
import type { Job } from '../../define/job.ts'
import type { AlertManifest, JobManifest, Relation } from '../../define/manifest.ts'
import { sinkAsset } from '../../define/sink.ts'
import { isSql, type Sql } from '../../define/sql.ts'
import { checkOptions, durationOf, fail, isMember, membersOfKind, placeIn, type Scope } from '../scope.ts'
import { bindSql, readSql } from './query.ts'
import { checkSchedule } from './schedule.ts'

const RETRY = { times: 2, waitMs: 30_000 }
const MINUTE_MS = 60_000

export function compileJobs(scope: Scope): readonly JobManifest[] {
  return membersOfKind<Job>(scope, 'job').map(({ definition }) => {
    const { $how: how, $at: at } = definition
    const what = `job "${definition.$name}"`
    checkOptions(scope, definition, how, ['run', 'cron', 'every', 'zone', 'retry', 'timeout'])
    checkSchedule(scope, what, at, how)
    const run = how.run.flatMap((asset) => {
      if (!isMember(scope, asset, at, `${what}, run`)) return []
      const relation = scope.relations.get(asset.$name)
      const reason = relation && notRun(relation)
      if (reason) fail(scope, 'MR_PLAN_JOB', at, `${what} runs "${asset.$name}", which ${reason}`, 'remove it from the job')
      return relation && !reason ? [asset.$name] : []
    })
    if (how.run.length === 0) fail(scope, 'MR_PLAN_JOB', at, `${what} runs nothing`, 'add models or tables to run: [...]')
    const everyMs = durationOf(scope, at, `${what}, every`, how.every)
    const timeoutMs = durationOf(scope, at, `${what}, timeout`, how.timeout)
    return {
      name: definition.$name,
      at: placeIn(scope.root, at),
      run,
      ...(how.cron === undefined ? {} : { cron: how.cron }),
      ...(everyMs === undefined ? {} : { everyMs }),
      zone: how.zone ?? 'UTC',
      retry: how.retry ? { times: how.retry.times, waitMs: durationOf(scope, at, `${what}, retry.wait`, how.retry.wait) ?? 0 } : RETRY,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    }
  })
}

/** Why an asset needs no run; undefined when it does. */
function notRun(relation: Relation): string | undefined {
  if (relation.kind === 'stream') return 'is a stream: its rows arrive by themselves'
  if (relation.kind === 'model')
    return relation.refresh === 'view'
      ? 'is a view: each question computes it'
      : relation.refresh === 'live'
        ? 'is live: it is always running'
        : undefined
  return relation.source.kind === 'files' ? undefined : 'reads from no source'
}

export async function compileAlerts(scope: Scope): Promise<readonly AlertManifest[]> {
  const alerts: AlertManifest[] = []
  for (const { definition } of membersOfKind<Alert>(scope, 'alert')) {
    const { $how: how, $at: at } = definition
    const what = `alert "${definition.$name}"`
    checkOptions(scope, definition, how, ['when', 'for', 'every', 'to'])
    const forMs = durationOf(scope, at, `${what}, for`, how.for) ?? 0
    const when = await conditionOf(scope, what, how, at)
    if (when) alerts.push({ name: definition.$name, at: placeIn(scope.root, at), when, forMs, to: how.to })
  }
  return alerts
}

async function conditionOf(scope: Scope, what: string, how: AlertHow, at: string): Promise<AlertManifest['when'] | undefined> {
  const { when } = how
  if (isSql(when)) return sqlCondition(scope, what, when, how, at)
  if ('$when' in when) {
    if (when.$when === 'run') {
      const { $kind, $name } = when.asset ?? {}
      return isMember(scope, when.asset, at, `${what}, when`)
        ? { kind: 'run', asset: $kind === 'sink' ? sinkAsset($name!) : $name! }
        : undefined
    }
    if (!isMember(scope, when.relation, at, `${what}, when`)) return undefined
    const relation = scope.relations.get(when.relation.$name)
    if (relation && relation.freshMs === undefined)
      fail(
        scope,
        'MR_PLAN_JOB',
        at,
        `${what}: "${relation.name}" has no freshness target that it could miss`,
        `add fresh: '1 hour' to ${relation.kind} "${relation.name}"`,
      )
    return relation && { kind: 'late', relation: relation.name }
  }
  if (!isMember(scope, when, at, `${what}, when`)) return undefined
  if (when.$kind === 'checks') return { kind: 'checks', set: when.$name }
  return { kind: 'rows', relation: when.$name }
}

async function sqlCondition(scope: Scope, what: string, sql: Sql, how: AlertHow, at: string): Promise<AlertManifest['when'] | undefined> {
  const query = await readSql(scope, what, sql, 'inline')
  const bound = query && (await bindSql(scope, what, query))
  if (!bound) return undefined
  const [column] = bound.columns
  if (bound.columns.length !== 1 || column?.type?.kind !== 'boolean') {
    const gives = bound.columns.map(({ name, sqlType }) => `${name} ${sqlType}`).join(', ')
    fail(scope, 'MR_PLAN_JOB', at, `${what}: its SQL gives ${gives}; an alert needs one boolean`, 'write SELECT count(*) > 10 FROM ...')
    return undefined
  }
  const everyMs = durationOf(scope, at, `${what}, every`, how.every) ?? MINUTE_MS
  return { kind: 'sql', sql: { text: query.rendered.text, params: query.rendered.params }, everyMs }
}
