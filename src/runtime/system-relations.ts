// The relations of the schema `millrace`: Millrace about itself, from its stores, as SELECTs of literal rows. For
// administrators.
import type { Clock } from '../core/clock.ts'
import type { Manifest } from '../define/manifest.ts'
import { literal, quoteName } from '../engine/sql-text.ts'
import type { Resolved } from '../govern/secure.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { Log } from '../log/log.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import { openText } from '../objects/seal/sealed-text.ts'
import type { RunHistory } from '../orchestrate/history.ts'
import type { CheckHistory } from '../quality/history.ts'
import type { Store } from '../store/open-store.ts'

export interface SystemParts {
  readonly clock: Clock
  readonly store: Store
  readonly lake: Lake
  readonly log: Log
  readonly keys: KeyRing
  readonly history: RunHistory
  readonly checks: CheckHistory
  manifest(): Manifest
}

type Value = string | number | bigint | boolean | null

interface SystemRelation {
  /** Name and DuckDB type of each column. */
  readonly columns: readonly (readonly [string, string])[]
  rows(parts: SystemParts): Promise<readonly (readonly Value[])[]>
}

const ROWS_MAX = 10_000
const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

const RELATIONS: Readonly<Record<string, SystemRelation>> = {
  assets: {
    columns: [
      ['name', 'VARCHAR'],
      ['kind', 'VARCHAR'],
      ['refresh', 'VARCHAR'],
      ['owner', 'VARCHAR'],
      ['doc', 'VARCHAR'],
      ['defined_at', 'VARCHAR'],
      ['fresh_ms', 'BIGINT'],
    ],
    rows: async ({ manifest }) =>
      manifest().relations.map((relation) => [
        relation.name,
        relation.kind,
        relation.kind === 'model' ? relation.refresh : relation.kind === 'table' ? relation.load : relation.source,
        relation.owner ?? null,
        relation.doc ?? null,
        relation.at,
        relation.freshMs ?? null,
      ]),
  },
  runs: {
    columns: [
      ['id', 'VARCHAR'],
      ['name', 'VARCHAR'],
      ['trigger', 'VARCHAR'],
      ['status', 'VARCHAR'],
      ['queued_at', 'TIMESTAMPTZ'],
      ['started_at', 'TIMESTAMPTZ'],
      ['ended_at', 'TIMESTAMPTZ'],
      ['code', 'VARCHAR'],
    ],
    rows: async ({ history }) =>
      (await history.list({ limit: ROWS_MAX })).map(({ run }) => [
        run.id,
        run.name,
        run.trigger,
        run.status,
        time(run.queuedMs),
        time(run.startedMs),
        time(run.endedMs),
        run.code,
      ]),
  },
  steps: {
    columns: [
      ['run_id', 'VARCHAR'],
      ['ordinal', 'INTEGER'],
      ['name', 'VARCHAR'],
      ['relation', 'VARCHAR'],
      ['status', 'VARCHAR'],
      ['started_at', 'TIMESTAMPTZ'],
      ['ended_at', 'TIMESTAMPTZ'],
      ['tries', 'INTEGER'],
      ['rows', 'BIGINT'],
      ['note', 'VARCHAR'],
      ['error_code', 'VARCHAR'],
      ['error_message', 'VARCHAR'],
      ['files_before', 'BIGINT'],
      ['files_after', 'BIGINT'],
      ['bytes_before', 'BIGINT'],
      ['bytes_after', 'BIGINT'],
    ],
    rows: async ({ history }) =>
      (await history.list({ limit: 1_000 })).flatMap(({ steps }) =>
        steps.map((step) => [
          step.runId,
          step.ordinal,
          step.name,
          step.relation,
          step.status,
          time(step.startedMs),
          time(step.endedMs),
          step.tries.length,
          step.rows,
          step.note,
          step.error?.code ?? null,
          step.error?.message ?? null,
          step.saved?.filesBefore ?? null,
          step.saved?.filesAfter ?? null,
          step.saved?.bytesBefore ?? null,
          step.saved?.bytesAfter ?? null,
        ]),
      ),
  },
  snapshots: {
    columns: [
      ['relation', 'VARCHAR'],
      ['snapshot_id', 'BIGINT'],
      ['parent_id', 'BIGINT'],
      ['sequence', 'BIGINT'],
      ['committed_at', 'TIMESTAMPTZ'],
      ['operation', 'VARCHAR'],
      ['added_records', 'BIGINT'],
      ['deleted_records', 'BIGINT'],
      ['total_records', 'BIGINT'],
      ['total_files', 'BIGINT'],
      ['total_bytes', 'BIGINT'],
    ],
    rows: async ({ lake }) =>
      (await lake.tables()).flatMap((table) =>
        table.snapshots.map(({ id, parentId, sequence, timestampMs, operation, summary }) => {
          const number = (key: string): number | null => (summary[key] === undefined ? null : Number(summary[key]))
          return [
            table.name,
            id,
            parentId,
            sequence,
            time(timestampMs),
            operation,
            number('added-records'),
            number('deleted-records'),
            number('total-records'),
            number('total-data-files'),
            number('total-files-size'),
          ]
        }),
      ),
  },
  offsets: {
    columns: [
      ['pipeline', 'VARCHAR'],
      ['topic', 'VARCHAR'],
      ['partition', 'INTEGER'],
      ['committed', 'BIGINT'],
      ['log_start', 'BIGINT'],
      ['log_end', 'BIGINT'],
    ],
    async rows({ store, log }) {
      const known = new Set(log.topics().map((topic) => topic.topic))
      const rows = await store.read.selectFrom('offsets').selectAll().execute()
      return rows
        .filter((row) => known.has(row.topic))
        .map((row) => [
          row.pipeline,
          row.topic,
          row.partition,
          row.next,
          log.range(row.topic, row.partition).start,
          log.range(row.topic, row.partition).end,
        ])
    },
  },
  checks: {
    columns: [
      ['name', 'VARCHAR'],
      ['check_set', 'VARCHAR'],
      ['relation', 'VARCHAR'],
      ['severity', 'VARCHAR'],
      ['rule', 'VARCHAR'],
    ],
    rows: async ({ manifest }) =>
      manifest().checks.flatMap((set) =>
        set.checks.map((check) => [check.name, set.name, set.on, check.severity, JSON.stringify(check.rule)]),
      ),
  },
  check_results: {
    columns: [
      ['name', 'VARCHAR'],
      ['check_set', 'VARCHAR'],
      ['relation', 'VARCHAR'],
      ['severity', 'VARCHAR'],
      ['status', 'VARCHAR'],
      ['failed_rows', 'BIGINT'],
      ['total_rows', 'BIGINT'],
      ['measured', 'VARCHAR'],
      ['value', 'DOUBLE'],
      ['ran_at', 'TIMESTAMPTZ'],
      ['run_id', 'VARCHAR'],
    ],
    async rows({ store }) {
      const rows = await store.read.selectFrom('checkResults').selectAll().orderBy('ranMs', 'desc').limit(ROWS_MAX).execute()
      return rows.map((row) => [
        row.checkName,
        row.setName,
        row.relation,
        row.severity,
        row.status,
        row.failedRows,
        row.totalRows,
        row.measured,
        row.value,
        time(row.ranMs),
        row.runId,
      ])
    },
  },
  audit: {
    columns: [
      ['sequence', 'BIGINT'],
      ['at', 'TIMESTAMPTZ'],
      ['user', 'VARCHAR'],
      ['roles', 'VARCHAR'],
      ['action', 'VARCHAR'],
      ['object', 'VARCHAR'],
      ['outcome', 'VARCHAR'],
      ['detail', 'VARCHAR'],
      ['hash', 'VARCHAR'],
    ],
    async rows({ store, keys }) {
      const rows = await store.read.selectFrom('audit').selectAll().orderBy('sequence', 'desc').limit(ROWS_MAX).execute()
      return rows.map((row) => [
        row.sequence,
        time(row.atMs),
        row.user,
        row.roles,
        row.action,
        row.object,
        row.outcome,
        openedDetail(keys, row.detail),
        row.hash,
      ])
    },
  },
  alerts: {
    columns: [
      ['name', 'VARCHAR'],
      ['state', 'VARCHAR'],
      ['since', 'TIMESTAMPTZ'],
      ['sent_at', 'TIMESTAMPTZ'],
      ['resolved_at', 'TIMESTAMPTZ'],
      ['detail', 'VARCHAR'],
    ],
    async rows({ store }) {
      const rows = await store.read.selectFrom('alerts').selectAll().orderBy('sinceMs', 'desc').limit(ROWS_MAX).execute()
      return rows.map((row) => [row.name, row.state, time(row.sinceMs), time(row.lastSentMs), time(row.resolvedMs), row.detail])
    },
  },
}

/** With the texts that were sealed, which whoever may read the audit may read. What only looks sealed came from a user. */
const openedDetail = (keys: KeyRing, detail: string): string =>
  JSON.stringify(
    JSON.parse(detail, (_key, value) => {
      try {
        return typeof value === 'string' ? openText(keys, value) : value
      } catch {
        return value
      }
    }),
  )

export const isSystemRelation = (name: string): boolean => Object.hasOwn(RELATIONS, name)

let reads = 0

/** The rows of `millrace.<name>` as they are now. */
export async function resolveSystem(parts: SystemParts, name: string): Promise<Resolved> {
  const relation = RELATIONS[name]!
  const rows = await relation.rows(parts)
  const columns = relation.columns.map(([column, type], index) => `CAST(v.c${index} AS ${type}) AS ${quoteName(column)}`)
  const empty = relation.columns.map(([column, type]) => `CAST(NULL AS ${type}) AS ${quoteName(column)}`)
  const names = relation.columns.map((_, index) => `c${index}`)
  const values = rows.map((row) => `(${row.map((value) => (value === null ? 'NULL' : literal(String(value)))).join(', ')})`)
  const scanSql =
    rows.length === 0
      ? `SELECT ${empty.join(', ')} WHERE false`
      : `SELECT ${columns.join(', ')} FROM (VALUES ${values.join(', ')}) AS v(${names.join(', ')})`
  return { scanSql, version: String(reads++), snapshotId: null, hasTail: false, release: () => {} }
}
