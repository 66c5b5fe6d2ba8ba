// What a step of a run does: load files or refresh a model, check what was staged, publish it. The one place where kinds of
// assets become actions.
import { asMillraceError, assert, MillraceError } from '../core/errors.ts'
import { stateScope } from '../define/encrypted.ts'
import type { ModelManifest, TableManifest } from '../define/manifest.ts'
import { withoutRows } from '../govern/failure.ts'
import { loadFiles } from '../ingest/load-files.ts'
import type { Asset } from '../orchestrate/graph.ts'
import type { StepContext, StepOutcome } from '../orchestrate/runner.ts'
import { isCurrent, publish, stage } from '../transform/refresh.ts'
import { backfillLive } from './backfill.ts'
import { check, record, rowRules } from './step-checks.ts'
import { codeOf, effectOf, inputsOf, type StepParts } from './step-parts.ts'

export async function runStep(parts: StepParts, asset: Asset, context: StepContext): Promise<StepOutcome> {
  const relation = parts.manifest().relations.find((candidate) => candidate.name === asset.name)
  if (!relation) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no relation "${asset.name}"`, { fix: 'run `millrace check`' })
  try {
    return await (relation.kind === 'table' ? loadTable(parts, relation, context) : refreshModel(parts, relation as ModelManifest, context))
  } catch (cause) {
    throw stateScope(parts.manifest(), relation.name) === null ? cause : withoutRows(asMillraceError(cause), relation.name)
  }
}

async function loadTable(parts: StepParts, table: TableManifest, context: StepContext): Promise<StepOutcome> {
  if (table.source.kind !== 'files') throw new MillraceError('MR_ASSERT', `cannot be: ${table.name} is not loaded from files`)
  const cursor = context.full ? null : await parts.catalog.cursor(`files:${table.name}`)
  using lease = parts.lake.lease()
  const staged = await loadFiles({ ...parts, lease }, table, parts.text(table.source.path), cursor, rowRules(parts.manifest(), table))
  if (!staged) return { note: 'nothing new', rows: 0, effects: [] }
  if (staged.rejected > 0) context.log('warn', `${staged.rejected} rows do not fit their columns; see ${table.name}__rejected`)
  const outcomes = await check(parts, table, staged.candidate, context)
  const { tables } = await parts.lake.commit(staged.changes, { cursors: [staged.cursor] })
  for (const committed of tables) parts.onCommitted(committed)
  await record(parts, table, outcomes, context, tables[0]?.current?.id.toString() ?? null)
  return { note: staged.note, rows: staged.rows, effects: tables.flatMap(effectOf) }
}

async function refreshModel(parts: StepParts, model: ModelManifest, context: StepContext): Promise<StepOutcome> {
  const { range } = context
  if (model.refresh === 'live') {
    assert(range, 'a live model is refreshed by its pipeline')
    return backfillLive(parts, model, range, context)
  }
  const inputs = await inputsOf(parts, model)
  const last = await parts.catalog.refreshOf(model.name)
  const options = {
    inputs,
    last: last?.inputs ?? null,
    code: codeOf(model, inputs),
    full: context.full,
    ...(range ? { range } : {}),
    signal: context.signal,
  }
  const table = await parts.lake.table(model.name)
  if (isCurrent(options, table)) return { note: 'inputs have not changed', rows: 0, effects: [] }
  using lease = parts.lake.lease()
  const staged = await stage({ ...parts, lease }, model, options)
  const outcomes = await check(parts, model, staged.candidate, context)
  const published = await publish(parts.lake, staged, { id: context.runId })
  const isChanged = published.current?.id !== table.current?.id
  if (isChanged) parts.onCommitted(published)
  await record(parts, model, outcomes, context, published.current?.id.toString() ?? null)
  return { note: staged.note, rows: staged.rowsWritten, effects: isChanged ? effectOf(published) : [] }
}
