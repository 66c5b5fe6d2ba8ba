// Computes chosen intervals of a model again: of an incremental one by its interval, of a live one those windows that are closed and
// committed, from the SQL that it has as a batch. What is still open belongs to its pipeline, which goes on meanwhile.
import { MillraceError } from '../core/errors.ts'
import type { ModelManifest } from '../define/manifest.ts'
import { printLive } from '../engine/algebra/print-query.ts'
import type { LiveQuery } from '../engine/algebra/relation.ts'
import { type ResultWindow, resultWindow } from '../engine/algebra/result-window.ts'
import { openParser } from '../engine/ast.ts'
import type { Session } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteRelation } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import type { Lease } from '../lake/lease.ts'
import type { LakeTable } from '../lake/types.ts'
import type { StepContext, StepOutcome } from '../orchestrate/runner.ts'
import { scans } from '../transform/inputs.ts'
import { type ByInterval, planRange, type Range, type RangePlan, stageRange } from '../transform/range.ts'
import { intervalsOf } from '../transform/refresh.ts'
import { compileModel } from './pipelines.ts'
import { check, record } from './step-checks.ts'
import { codeOf, effectOf, inputsOf, type StepParts } from './step-parts.ts'

/** What a backfill would compute; nothing is changed. */
export async function planBackfill(parts: StepParts, model: ModelManifest, range: Range): Promise<RangePlan> {
  const by = await byInterval(parts, model)
  using lease = parts.lake.lease()
  return overInputs(parts, model, lease, async (session, table) => {
    const files = table.current ? await lease.local(await parts.lake.files(table)) : []
    return planRange(session, model, by, scanSql({ table, files, tails: [], shape: model.shape }), range)
  })
}

/** Windows of a live model are replaced in one commit beside those of its pipeline. @throws MR_CHECK_BLOCKED, MR_LAKE_CONFLICT */
export async function backfillLive(parts: StepParts, model: ModelManifest, range: Range, context: StepContext): Promise<StepOutcome> {
  const by = await byInterval(parts, model)
  using lease = parts.lake.lease()
  const staged = await overInputs(parts, model, lease, (session, table) =>
    stageRange({ ...parts, lease }, session, { model, by, table, range, signal: context.signal }),
  )
  const outcomes = await check(parts, model, staged.candidate, context)
  const { tables } = await parts.lake.commit(staged.plan.intervals === 0 ? [] : [staged.change])
  for (const table of tables) parts.onCommitted(table)
  await record(parts, model, outcomes, context, tables[0]?.current?.id.toString() ?? null)
  return { note: staged.note, rows: staged.rowsWritten, effects: tables.flatMap(effectOf) }
}

async function overInputs<T>(
  parts: StepParts,
  model: ModelManifest,
  lease: Lease,
  action: (session: Session, table: LakeTable) => Promise<T>,
): Promise<T> {
  const table = await parts.lake.table(model.name)
  const relations = await scans({ lake: parts.lake, lease }, await inputsOf(parts, model))
  return withRelations(parts.engine, relations, (session) => action(session, table))
}

/** @throws MR_USAGE for a model whose rows do not tell their interval, and for one that was never computed as it is now. */
export async function mustTellIntervals(parts: StepParts, model: ModelManifest): Promise<void> {
  await (model.refresh === 'live' ? windowsOf(parts, model) : intervals(parts, model))
}

const byInterval = (parts: StepParts, model: ModelManifest): Promise<ByInterval> =>
  model.refresh === 'live' ? closedWindows(parts, model) : intervals(parts, model)

async function intervals(parts: StepParts, model: ModelManifest): Promise<ByInterval> {
  const last = (await parts.catalog.refreshOf(model.name))?.inputs ?? null
  const code = codeOf(model, await inputsOf(parts, model))
  return intervalsOf(model, await parts.lake.table(model.name), { last, code })
}

async function closedWindows(parts: StepParts, model: ModelManifest): Promise<ByInterval> {
  const { query, window } = await windowsOf(parts, model)
  const settledUs = await parts.settle(model.name)
  const isClosed = settledUs === null ? 'false' : `${window.end} <= TIMESTAMPTZ 'epoch' + to_microseconds(${settledUs})`
  return { sql: printLive(query, quoteRelation), units: window.units, where: isClosed }
}

/** Of a live model. */
async function windowsOf(parts: StepParts, model: ModelManifest): Promise<{ readonly query: LiveQuery; readonly window: ResultWindow }> {
  const parser = await openParser(parts.engine)
  try {
    const query = await compileModel({ parser, engine: parts.engine }, parts.manifest(), model)
    const table = query.streams.find((name) => parts.manifest().relations.some((other) => other.name === name && other.kind === 'table'))
    if (table !== undefined && !query.loses)
      throw new MillraceError('MR_USAGE', `"${model.name}" looks rows up in "${table}", and what that was then only its log knows`, {
        fix: `run \`millrace backfill ${model.name}\`: all of it is computed from the logs`,
      })
    const window = resultWindow(query)
    if (!window)
      throw new MillraceError('MR_USAGE', `rows of "${model.name}" do not tell the window that they belong to`, {
        fix: `add window_start (for sessions window_end as well) to its SELECT, or run \`millrace backfill ${model.name}\`: all of it is computed`,
      })
    return { query, window }
  } finally {
    parser.close()
  }
}
