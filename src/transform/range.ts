// Recomputes chosen intervals: what the SQL of a model gives for them takes the place of what its table has, whatever changed or
// did not since. All of them or only those of which the table has no row. PROTOCOL rule 24; the checks run between stage and publish.
import type { ModelManifest } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteName } from '../engine/sql-text.ts'
import type { LakeTable } from '../lake/types.ts'
import { fieldOf } from '../schema/type.ts'
import { AFFECTED } from './affected.ts'
import type { Part, RefreshParts } from './inputs.ts'
import { mergeAffected, nothingAffected } from './merge-affected.ts'

/** Intervals from `fromMs` on and before `untilMs`, UTC; null = from the first, to the last. */
export interface Range {
  readonly fromMs: number | null
  readonly untilMs: number | null
  /** Only those of which the table has no row. */
  readonly onlyMissing: boolean
}

/** How a model is computed by intervals. */
export interface ByInterval {
  /** SELECT of all its rows. */
  readonly sql: string
  /** Columns that make an interval, dates, datetimes or timestamps; the range is about the first. */
  readonly units: readonly string[]
  /** Condition over the units without which an interval is left alone. */
  readonly where: string | null
}

/** What a range comes to. */
export interface RangePlan {
  /** Intervals that are computed or go. */
  readonly intervals: number
  /** Of them: those that the table does not have yet, and those of which there is no row any more. */
  readonly missing: number
  readonly gone: number
  /** The first and the last, as text. */
  readonly first: string | null
  readonly last: string | null
}

/** Fills `__affected` with the intervals in the range. `current` is a SELECT of what the table has. */
export async function planRange(session: Session, model: ModelManifest, by: ByInterval, current: string, range: Range): Promise<RangePlan> {
  const units = by.units.map(quoteName).join(', ')
  const condition = conditionOf(model, by, range)
  await session.run(`CREATE OR REPLACE TABLE __computed AS SELECT DISTINCT ${units} FROM (${by.sql}) WHERE ${condition}`)
  await session.run(`CREATE OR REPLACE TABLE __present AS SELECT DISTINCT ${units} FROM (${current}) WHERE ${condition}`)
  const both = `SELECT * FROM __computed ${range.onlyMissing ? 'EXCEPT' : 'UNION'} SELECT * FROM __present`
  await session.run(`CREATE OR REPLACE TABLE ${AFFECTED} AS ${both}`)
  const first = quoteName(by.units[0]!)
  const { rows } = await session.rows(
    `SELECT CAST(count(*) AS INTEGER), CAST((SELECT count(*) FROM (SELECT * FROM __computed EXCEPT SELECT * FROM __present)) AS INTEGER),
      CAST((SELECT count(*) FROM (SELECT * FROM __present EXCEPT SELECT * FROM __computed)) AS INTEGER),
      CAST(min(${first}) AS VARCHAR), CAST(max(${first}) AS VARCHAR) FROM ${AFFECTED}`,
  )
  const [intervals, missing, gone, from, to] = rows[0] as [number, number, number, string | null, string | null]
  return { intervals, missing, gone: range.onlyMissing ? 0 : gone, first: from, last: to }
}

function conditionOf(model: ModelManifest, { units, where }: ByInterval, { fromMs, untilMs }: Range): string {
  const [by] = units as [string]
  const type = fieldOf(model.shape, by)?.type.kind === 'timestamp' ? 'TIMESTAMPTZ' : 'TIMESTAMP'
  const at = (ms: number): string => `${type} '${new Date(ms).toISOString()}'`
  const terms = [
    ...(fromMs === null ? [] : [`${quoteName(by)} >= ${at(fromMs)}`]),
    ...(untilMs === null ? [] : [`${quoteName(by)} < ${at(untilMs)}`]),
    ...(where === null ? [] : [where]),
  ]
  return terms.length === 0 ? 'true' : terms.join(' AND ')
}

export async function stageRange(
  parts: RefreshParts,
  session: Session,
  { model, by, table, range, signal }: { model: ModelManifest; by: ByInterval; table: LakeTable; range: Range; signal?: AbortSignal },
): Promise<Part & { readonly plan: RangePlan }> {
  const live = table.current ? await parts.lease.local(await parts.lake.files(table)) : []
  const plan = await planRange(session, model, by, scanSql({ table, files: live, tails: [], shape: model.shape }), range)
  const note = noteOf(plan)
  if (plan.intervals === 0) return { ...nothingAffected({ table, live }), note, plan }
  const affected = { table, shape: model.shape, units: by.units, perKey: 'many', sql: by.sql, live, ...(signal ? { signal } : {}) } as const
  return { ...(await mergeAffected(parts, session, affected)), note, plan }
}

/** '12 intervals, 3 of them new, from 2026-03-01 to 2026-03-12'. */
export function noteOf({ intervals, missing, gone, first, last }: RangePlan): string {
  if (intervals === 0) return 'no interval'
  const parts = [
    `${intervals} interval${intervals === 1 ? '' : 's'}`,
    ...(missing > 0 ? [`${missing} of them new`] : []),
    ...(gone > 0 ? [`${gone} of them without rows now`] : []),
    first === last ? String(first) : `from ${first} to ${last}`,
  ]
  return parts.join(', ')
}
