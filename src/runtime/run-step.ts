// What a step of a run does: load files or refresh a model, check what was staged, publish it. The one place where kinds of
// assets become actions.
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { CheckSetManifest, Manifest, ModelManifest, Relation, TableManifest, Text } from '../define/manifest.ts'
import { storedShape } from '../define/system-columns.ts'
import type { Engine } from '../engine/duckdb.ts'
import { viewsOver, withPinned } from '../engine/pinned.ts'
import type { RelationStore } from '../engine/relations.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import { loadFiles, type RowRule } from '../ingest/load-files.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Asset } from '../orchestrate/graph.ts'
import type { Effect } from '../orchestrate/history.ts'
import type { StepContext, StepOutcome } from '../orchestrate/runner.ts'
import { compileCheck } from '../quality/compile.ts'
import type { CheckHistory } from '../quality/history.ts'
import { type CheckOutcome, runChecks } from '../quality/run-checks.ts'
import type { Catalog } from '../store/catalog.ts'
import { type Input, isCurrent, publish, stage } from '../transform/refresh.ts'

export interface StepParts {
  readonly clock: Clock
  readonly engine: Engine
  readonly lake: Lake
  readonly catalog: Catalog
  readonly relations: RelationStore
  readonly checks: CheckHistory
  manifest(): Manifest
  readonly directory: string
  text(text: Text): string
  readonly onCommitted: (table: LakeTable) => void
  readonly onChecked: (relation: string, outcomes: readonly CheckOutcome[]) => void
}

const HISTORY_POINTS = 60

export async function runStep(parts: StepParts, asset: Asset, context: StepContext): Promise<StepOutcome> {
  const relation = parts.manifest().relations.find((candidate) => candidate.name === asset.name)
  if (!relation) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no relation "${asset.name}"`, { fix: 'run `millrace check`' })
  return relation.kind === 'table' ? loadTable(parts, relation, context) : refreshModel(parts, relation as ModelManifest, context)
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

/** Checks that set single rows aside while files are loaded; those that need other rows warn. */
const rowRules = (manifest: Manifest, table: TableManifest): RowRule[] =>
  setsOn(manifest, table.name)
    .flatMap((set) => set.checks.filter((check) => check.severity === 'quarantine'))
    .map((check) => compileCheck(check, table.shape, table.name))
    .flatMap(({ check, failing }) => (failing === null ? [] : [{ name: check.name, failing }]))

/** The views that it reads are part of a model's code. */
const codeOf = (model: ModelManifest, inputs: readonly Input[]): string =>
  createHash('sha256')
    .update(JSON.stringify([model.sql, model.shape, model.key, model.by ?? null, inputs.map((input) => input.view ?? null)]))
    .digest('hex')
    .slice(0, 16)

async function refreshModel(parts: StepParts, model: ModelManifest, context: StepContext): Promise<StepOutcome> {
  const inputs = await inputsOf(parts, model)
  const last = await parts.catalog.refreshOf(model.name)
  const options = { inputs, last: last?.inputs ?? null, code: codeOf(model, inputs), full: context.full, signal: context.signal }
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

/** Committed state of what a model reads; views are given as SQL over their own inputs. */
async function inputsOf(parts: StepParts, model: ModelManifest): Promise<Input[]> {
  const byName = new Map(parts.manifest().relations.map((relation) => [relation.name, relation]))
  const inputs = new Map<string, Input>()
  const visit = async (name: string): Promise<void> => {
    const relation = byName.get(name)
    if (relation?.kind === 'model' && relation.refresh === 'view') {
      for (const inner of relation.inputs) await visit(inner)
      inputs.set(name, { name, table: null, keyed: false, view: inlineConstants(relation.sql) })
      return
    }
    const isKeyed = relation !== undefined && relation.kind !== 'stream' && relation.key.length > 0
    if (!inputs.has(name)) inputs.set(name, { name, table: await parts.lake.table(name), keyed: isKeyed })
  }
  for (const input of model.inputs) await visit(input)
  return [...inputs.values()]
}

async function check(parts: StepParts, relation: Relation, candidate: string, context: StepContext): Promise<CheckOutcome[]> {
  const outcomes = await checkRelation(parts, relation, { [relation.name]: candidate })
  for (const outcome of outcomes)
    if (outcome.status !== 'pass')
      context.log('warn', `${outcome.check.name}: ${outcome.measured ?? `${outcome.failedRows} of ${outcome.totalRows} rows fail`}`)
  await mustPass(parts, relation, outcomes, context)
  return outcomes
}

/** @throws MR_CHECK_BLOCKED when a check failed that blocks; the outcomes are recorded then. */
export async function mustPass(
  parts: StepParts,
  relation: Relation,
  outcomes: readonly CheckOutcome[],
  context: Pick<StepContext, 'runId'> | null,
): Promise<void> {
  const blocked = outcomes.filter((outcome) => outcome.status !== 'pass' && outcome.check.severity === 'block')
  if (blocked.length === 0) return
  await record(parts, relation, outcomes, context, null)
  throw new MillraceError(
    'MR_CHECK_BLOCKED',
    `${blocked.map((outcome) => outcome.check.name).join(', ')} failed; nothing of ${relation.name} was published`,
    {
      fix: `mend the data or the check in ${setsOn(parts.manifest(), relation.name)[0]!.at}, then run it again`,
    },
  )
}

const setsOn = (manifest: Manifest, relation: string): CheckSetManifest[] => manifest.checks.filter((set) => set.on === relation)

/** Runs the checks of a relation; relations of `candidates` are that SQL, others what is committed and in the tail. */
export async function checkRelation(
  parts: StepParts,
  relation: Relation,
  candidates: Readonly<Record<string, string>> = {},
): Promise<CheckOutcome[]> {
  const manifest = parts.manifest()
  const sets = setsOn(manifest, relation.name)
  if (sets.length === 0) return []
  const stored = manifest.relations.map((other) => other.name).filter((name) => parts.relations.has(name))
  const pinned = stored.filter((name) => !Object.hasOwn(candidates, name))
  const views = viewsOver(manifest.relations, [...stored, ...Object.keys(candidates)])
  return withPinned(parts.engine, parts.relations, pinned, { ...candidates, ...views }, (session) =>
    runChecks(session, sets, storedShape(relation), relation.name, {
      nowMs: parts.clock.nowMs(),
      history: (name) => parts.checks.values(name, HISTORY_POINTS),
    }),
  )
}

export async function record(
  parts: StepParts,
  relation: Relation,
  outcomes: readonly CheckOutcome[],
  context: Pick<StepContext, 'runId'> | null,
  snapshotId: string | null,
): Promise<void> {
  if (outcomes.length === 0) return
  const ranMs = parts.clock.nowMs()
  await parts.checks.save(
    outcomes.map((outcome) => ({ ...outcome, relation: relation.name, ranMs, runId: context?.runId ?? null, snapshotId })),
  )
  parts.onChecked(relation.name, outcomes)
}

/** Runs and records the checks of a relation on what readers see now. */
export async function recheck(parts: StepParts, relation: Relation, runId: string | null): Promise<readonly CheckOutcome[]> {
  const outcomes = await checkRelation(parts, relation)
  // A view has no table of its own.
  const table = parts.relations.has(relation.name) ? parts.relations.tableOf(relation.name) : null
  await record(parts, relation, outcomes, runId === null ? null : { runId }, table?.current?.id.toString() ?? null)
  return outcomes
}

function effectOf(table: LakeTable): Effect[] {
  if (!table.current) return []
  const { summary } = table.current
  const number = (key: string): number | null => (summary[key] === undefined ? null : Number(summary[key]))
  return [
    {
      relation: table.name,
      snapshotId: table.current.id.toString(),
      sequence: table.current.sequence,
      added: number('added-records'),
      removed: number('deleted-records'),
    },
  ]
}
