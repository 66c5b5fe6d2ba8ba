// The console's relations: summaries, detail, rows, schema, quality, snapshots. Everything under the caller's policy.
import { MillraceError } from '../../core/errors.ts'
import type { Relation } from '../../define/manifest.ts'
import { rejectedName, storedShape } from '../../define/system-columns.ts'
import { flatCell } from '../../engine/cell.ts'
import { literal, quoteName, quoteRelation } from '../../engine/sql-text.ts'
import { grantsTo } from '../../govern/decide.ts'
import { RESTORED_FROM, rowsLeft } from '../../lake/snapshot-summary.ts'
import type { LakeSnapshot, LakeTable } from '../../lake/types.ts'
import type { CheckRecord } from '../../quality/history.ts'
import { toDuckType } from '../../schema/duckdb.ts'
import { fieldOf, printType, type Shape } from '../../schema/type.ts'
import type { Caller } from '../answer.ts'
import { freshnessOf, type Moment, readMoment } from './freshness.ts'
import { type AdminParts, isVisible } from './parts.ts'
import { mayCount, mayQuote, shownCheck, shownFreshness, shownRelation } from './shown.ts'
import type {
  CheckCounts,
  CheckResult,
  CheckStatus,
  ColumnDetail,
  QualityPage,
  RelationDetail,
  RelationSummary,
  RowsPage,
  RunState,
  SchemaPage,
  SnapshotInfo,
  SnapshotsPage,
} from './types.ts'

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
  const tailRows = parts.relations.has(relation.name) ? parts.relations.tailRowsOf(relation.name) : 0
  const isCounted = mayCount(parts, caller, relation.name)
  const committed = figures ? (rowsLeft(figures) ?? 0) : null
  return {
    name: relation.name,
    kind: relation.kind,
    how: howOf(relation),
    doc: relation.doc ?? null,
    owner: relation.owner ?? null,
    tags: relation.tags,
    freshness: shownFreshness(parts, caller, freshnessOf(parts, relation, moment)),
    rows: !isCounted || (committed === null && tailRows === 0) ? null : (committed ?? 0) + tailRows,
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

export interface RowsQuery {
  readonly snapshot?: string
  readonly limit?: string
  readonly order?: string
  readonly desc?: string
  readonly filter?: string | readonly string[]
}

const OPERATORS: Record<string, string> = { eq: '=', ne: '<>', lt: '<', le: '<=', gt: '>', ge: '>=', like: 'ILIKE' }

export async function rowsPage(parts: AdminParts, caller: Caller, name: string, query: RowsQuery): Promise<RowsPage> {
  const relation = findRelation(parts, caller, name)
  const shape = storedShape(relation)
  const known = (column: string): string => {
    if (!fieldOf(shape, column))
      throw new MillraceError('MR_SQL_UNKNOWN', `${name} has no column "${column}"`, {
        fix: `it has ${shape.fields.map((field) => field.name).join(', ')}`,
      })
    return quoteName(column)
  }
  const limit = Math.min(1_000, Math.max(1, Number(query.limit ?? 100) || 100))
  const at = query.snapshot ? ` AT (VERSION => ${literal(query.snapshot)})` : ''
  const filters = (query.filter === undefined ? [] : [query.filter].flat()).map((text) => filterSql(text, shape, known))
  const where = filters.length > 0 ? ` WHERE ${filters.join(' AND ')}` : ''
  const order = query.order
    ? ` ORDER BY ${known(query.order)}${query.desc === '1' ? ' DESC' : ''} NULLS LAST`
    : fieldOf(shape, '_ingested_at')
      ? ' ORDER BY _ingested_at DESC, _partition, _offset DESC'
      : ''
  const from = `${quoteRelation(name)}${at}`
  const answer = await parts.answerer.ask(caller, {
    sql: `SELECT * FROM ${from}${where}${order} LIMIT ${limit}`,
    surface: 'console',
    rowMax: limit,
  })
  const counted = await parts.answerer.ask(caller, {
    sql: `SELECT count(*) FILTER (WHERE ${filters.length > 0 ? filters.join(' AND ') : 'true'}), count(*) FROM ${from}`,
    surface: 'console',
  })
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const snapshot = table?.snapshots.find((candidate) => candidate.id.toString() === (query.snapshot ?? answer.snapshots[name]))
  return {
    nowMs: parts.clock.nowMs(),
    columns: answer.columns.map((column) => {
      const unit = fieldOf(shape, column.name)?.unit
      return { name: column.name, type: column.type, ...(unit ? { unit } : {}) }
    }),
    rows: answer.rows.map((row) => row.map((value, index) => flatCell(value, answer.columns[index]!.type))),
    matched: Number(counted.rows[0]![0]),
    total: Number(counted.rows[0]![1]),
    snapshot: snapshot ? { id: snapshot.id.toString(), sequence: snapshot.sequence } : null,
    tail: answer.tail,
    durationMs: answer.durationMs,
    policy: { rowFilter: answer.rowFilter, masked: answer.masked },
  }
}

/** Compares as values of the column's type; what is no such value matches nothing. */
function filterSql(text: string, shape: Shape, known: (column: string) => string): string {
  const match = /^([^:]+):(\w+):(.*)$/s.exec(text)
  if (!match) throw new MillraceError('MR_USAGE', `"${text}" is not a filter`, { fix: 'write column:eq:value' })
  const [, column, operator, value] = match
  if (operator === 'null') return `${known(column!)} IS NULL`
  const symbol = OPERATORS[operator!]
  if (!symbol)
    throw new MillraceError('MR_USAGE', `"${operator}" is not an operator`, { fix: `use ${Object.keys(OPERATORS).join(', ')} or null` })
  const name = known(column!)
  return symbol === 'ILIKE'
    ? `CAST(${name} AS VARCHAR) ILIKE ${literal(`%${value}%`)}`
    : `${name} ${symbol} TRY_CAST(${literal(value!)} AS ${toDuckType(fieldOf(shape, column!)!.type)})`
}

export async function schemaPage(parts: AdminParts, caller: Caller, name: string): Promise<SchemaPage> {
  const relation = findRelation(parts, caller, name)
  const access = parts.answerer.access(caller, name)
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const key = relation.kind === 'stream' ? [] : relation.key
  const stats = table?.current && !access.rowFilter ? await columnStats(parts, table) : new Map<string, { nulls: number; rows: number }>()
  const columns = storedShape(relation).fields.map((field): ColumnDetail => {
    const found = access.masked.includes(field.name) ? undefined : stats.get(field.name)
    return {
      name: field.name,
      type: printType(field.type),
      optional: field.optional,
      key: key.includes(field.name),
      ...(field.unit ? { unit: field.unit } : {}),
      ...(field.doc ? { doc: field.doc } : {}),
      ...(field.pii ? { pii: field.pii } : {}),
      from: [],
      profile: found
        ? { nullShare: found.rows === 0 ? null : found.nulls / found.rows, distinct: null, least: null, greatest: null, spread: null }
        : null,
    }
  })
  const changes = (table?.schemas ?? []).map((schema, index) => {
    const snapshot = table!.snapshots.find((candidate) => candidate.schemaId === schema.id)
    return {
      atMs: snapshot?.timestampMs ?? 0,
      kind: index === 0 ? ('first' as const) : ('compatible' as const),
      summary: index === 0 ? `${schema.fields.length} columns` : schemaChange(table!, index),
      code: null,
    }
  })
  return {
    nowMs: parts.clock.nowMs(),
    columns,
    profiledAtMs: table?.current?.timestampMs ?? null,
    changes: changes.filter((change) => change.atMs > 0).reverse(),
  }
}

function schemaChange(table: LakeTable, index: number): string {
  const before = table.schemas[index - 1]!.fields
  const now = table.schemas[index]!.fields
  const added = now.filter((field) => !before.some((old) => old.id === field.id)).map((field) => `\`${field.name}\` added, ${field.type}`)
  const dropped = before.filter((field) => !now.some((kept) => kept.id === field.id)).map((field) => `\`${field.name}\` dropped`)
  const changed = now.flatMap((field) => {
    const old = before.find((candidate) => candidate.id === field.id)
    if (!old) return []
    return old.name !== field.name
      ? [`\`${old.name}\` renamed to \`${field.name}\``]
      : old.type !== field.type
        ? [`\`${field.name}\` widened to ${field.type}`]
        : []
  })
  return [...added, ...dropped, ...changed].join('; ') || 'no visible change'
}

/** Null counts of the current snapshot, from the files' statistics. */
async function columnStats(parts: AdminParts, table: LakeTable): Promise<Map<string, { nulls: number; rows: number }>> {
  const files = await parts.lake.files(table)
  return new Map(
    table.schema.fields.map((field) => {
      let nulls = 0
      let rows = 0
      for (const file of files) {
        rows += file.rows
        nulls += file.columns.get(field.id)?.nulls ?? 0
      }
      return [field.name, { nulls, rows }]
    }),
  )
}

const statusOf = (record: CheckRecord): CheckStatus => (record.status === 'fail' ? record.check.severity : record.status)
const WORST: readonly CheckStatus[] = ['never', 'pass', 'warn', 'quarantine', 'block', 'error']

export async function qualityPage(parts: AdminParts, caller: Caller, name: string): Promise<QualityPage> {
  const relation = findRelation(parts, caller, name)
  const nowMs = parts.clock.nowMs()
  const isCounted = mayCount(parts, caller, name)
  const latest = await parts.checks.latest(name)
  const since = await parts.checks.since(name, nowMs - 30 * DAY_MS)
  const sets = parts.manifest().checks.filter((set) => set.on === name)
  return {
    nowMs,
    sets: sets.map(({ checks, ...set }) => ({
      set,
      results: checks.flatMap((check): CheckResult[] => {
        const shown = shownCheck(parts, caller, check)
        if (!shown) return []
        const last = latest.find((record) => record.check.name === check.name)
        return [
          {
            check: shown,
            status: last ? statusOf({ ...last, check }) : 'never',
            atMs: last?.ranMs ?? null,
            runId: last?.runId ?? null,
            found: isCounted ? (last?.failedRows ?? null) : null,
            of: isCounted ? (last?.totalRows ?? null) : null,
            measured: mayQuote(parts, caller, name) ? (last?.measured ?? null) : null,
            history: historyOf(
              since.filter((record) => record.check.name === check.name),
              nowMs,
            ),
          },
        ]
      }),
    })),
    targetMs: relation.freshMs ?? null,
    setAside: await setAsideOf(parts, caller, relation),
  }
}

function historyOf(records: readonly CheckRecord[], nowMs: number): CheckStatus[] {
  const today = Math.floor(nowMs / DAY_MS)
  return Array.from({ length: 30 }, (_, index) => {
    const day = today - 29 + index
    const statuses = records.filter((record) => Math.floor(record.ranMs / DAY_MS) === day).map(statusOf)
    return statuses.reduce<CheckStatus>((worst, status) => (WORST.indexOf(status) > WORST.indexOf(worst) ? status : worst), 'never')
  })
}

async function setAsideOf(parts: AdminParts, caller: Caller, relation: Relation): Promise<QualityPage['setAside']> {
  const rejected = rejectedName(relation.name)
  if (!parts.relations.has(rejected) || !parts.answerer.access(caller, rejected).readable) return null
  const answer = await parts.answerer.ask(caller, {
    sql: `SELECT _ingested_at, code, field, message, raw FROM ${quoteRelation(rejected)} WHERE code = 'MR_ROW_CHECK' ORDER BY _ingested_at DESC LIMIT 100`,
    surface: 'console',
    rowMax: 100,
  })
  if (answer.rows.length === 0) return null
  return {
    check: relation.name,
    rows: {
      nowMs: parts.clock.nowMs(),
      columns: answer.columns,
      rows: answer.rows.map((row) => row.map((value, index) => flatCell(value, answer.columns[index]!.type))),
      matched: answer.rows.length,
      total: answer.rows.length,
      snapshot: null,
      tail: answer.tail,
      durationMs: answer.durationMs,
      policy: { rowFilter: answer.rowFilter, masked: answer.masked },
    },
  }
}

export async function snapshotsPage(
  parts: AdminParts,
  caller: Caller,
  name: string,
  query: { limit?: string; before?: string },
): Promise<SnapshotsPage> {
  const relation = findRelation(parts, caller, name)
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const limit = Math.min(200, Math.max(1, Number(query.limit ?? 50) || 50))
  const all = [...(table?.snapshots ?? [])].sort((a, b) => b.sequence - a.sequence)
  const chosen = all.filter((snapshot) => query.before === undefined || snapshot.sequence < Number(query.before)).slice(0, limit)
  const isCounted = mayCount(parts, caller, name)
  const current = isCounted ? table?.current?.summary['total-files-size'] : undefined
  return {
    nowMs: parts.clock.nowMs(),
    snapshots: chosen.map((snapshot) => snapshotInfo(table!, snapshot, isCounted)),
    total: all.length,
    bytes: current === undefined ? null : Number(current),
    keepMs: relation.keep.tableMs ?? null,
  }
}

function noteOf({ operation, summary }: LakeSnapshot): string | null {
  const from = summary[RESTORED_FROM]
  return from !== undefined ? `restored from ${from}` : operation === 'replace' ? 'compaction' : null
}

function snapshotInfo(table: LakeTable, snapshot: LakeSnapshot, isCounted: boolean): SnapshotInfo {
  const number = (key: string): number | null => (!isCounted || snapshot.summary[key] === undefined ? null : Number(snapshot.summary[key]))
  return {
    id: snapshot.id.toString(),
    sequence: snapshot.sequence,
    committedAtMs: snapshot.timestampMs,
    operation: snapshot.operation,
    run: snapshot.summary['millrace.run'] ? { id: snapshot.summary['millrace.run'], name: table.name } : null,
    added: number('added-records'),
    removed: number('deleted-records'),
    rows: isCounted ? rowsLeft(snapshot.summary) : null,
    files: number('total-data-files'),
    bytes: number('total-files-size'),
    inputs: [],
    code: null,
    refs: Object.entries(table.refs).flatMap(([ref, { snapshotId }]) => (snapshotId === snapshot.id ? [ref] : [])),
    note: noteOf(snapshot),
  }
}
