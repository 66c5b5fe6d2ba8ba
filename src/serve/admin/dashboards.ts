// The console's dashboards: which there are, their layout, and one tile's rows at a time.
import { MillraceError } from '../../core/errors.ts'
import type { DashboardManifest } from '../../define/manifest.ts'
import { flatCell } from '../../engine/cell.ts'
import { inlineConstants } from '../../engine/sql-text.ts'
import { type Caller, isAllowed } from '../answer.ts'
import type { DashboardDetail, Dashboards, TileAnswer } from '../answers/dashboards.ts'
import { freshnessOf, readMoment } from './freshness.ts'
import type { AdminParts } from './parts.ts'
import { mayName, shownFreshness } from './shown.ts'

const ROWS_MAX = 5_000

function findDashboard(parts: AdminParts, caller: Caller, name: string): DashboardManifest {
  const dashboard = parts.manifest().dashboards.find((candidate) => candidate.name === name)
  if (!dashboard || !isAllowed(caller, dashboard.allow))
    throw new MillraceError('MR_NOT_FOUND', `there is no dashboard "${name}"`, { fix: 'see the list of dashboards' })
  return dashboard
}

export function dashboards(parts: AdminParts, caller: Caller): Dashboards {
  const open = parts.manifest().dashboards.filter((dashboard) => isAllowed(caller, dashboard.allow))
  return {
    nowMs: parts.clock.nowMs(),
    dashboards: open.map(({ name, title, at, tiles }) => ({
      name,
      title,
      at,
      tiles: tiles.length,
      inputs: [...new Set(tiles.flatMap((tile) => tile.inputs))].filter((input) => mayName(parts, caller, input)),
    })),
  }
}

export function dashboardDetail(parts: AdminParts, caller: Caller, name: string): DashboardDetail {
  const { tiles, allow: _, ...dashboard } = findDashboard(parts, caller, name)
  return {
    nowMs: parts.clock.nowMs(),
    dashboard,
    tiles: tiles.map(({ sql: _sql, inputs, ...tile }) => ({ ...tile, inputs: inputs.filter((input) => mayName(parts, caller, input)) })),
  }
}

export async function tileAnswer(parts: AdminParts, caller: Caller, name: string, index: number): Promise<TileAnswer> {
  const tile = findDashboard(parts, caller, name).tiles[index]
  if (!tile) throw new MillraceError('MR_NOT_FOUND', `dashboard "${name}" has no tile ${index}`, { fix: 'read the dashboard again' })
  if (!tile.inputs.every((input) => mayName(parts, caller, input)))
    throw new MillraceError('MR_ACCESS_DENIED', `you may not read what "${tile.title}" shows`, { fix: 'ask for a role that may' })
  const answer = await parts.answerer.ask(caller, { sql: inlineConstants(tile.sql), surface: 'dashboard', rowMax: ROWS_MAX })
  const moment = await readMoment(parts)
  const relations = parts.manifest().relations.filter((relation) => tile.inputs.includes(relation.name))
  return {
    nowMs: moment.nowMs,
    columns: answer.columns,
    rows: answer.rows.map((row) => row.map((value, column) => flatCell(value, answer.columns[column]!.type))),
    sources: relations.map((relation) => ({
      relation: relation.name,
      freshness: shownFreshness(parts, caller, freshnessOf(parts, relation, moment)),
    })),
    policy: { rowFilter: answer.rowFilter, masked: answer.masked },
  }
}
