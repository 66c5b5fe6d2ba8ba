// The checks of a step: run on what was staged or on what readers see, recorded, and in the way of publishing where one blocks.
import { MillraceError } from '../core/errors.ts'
import type { CheckSetManifest, Manifest, Relation, TableManifest } from '../define/manifest.ts'
import { storedShape } from '../define/system-columns.ts'
import { viewsOver, withPinned } from '../engine/pinned.ts'
import type { RowRule } from '../ingest/load-files.ts'
import type { StepContext } from '../orchestrate/runner.ts'
import { compileCheck } from '../quality/compile.ts'
import { type CheckOutcome, runChecks } from '../quality/run-checks.ts'
import type { StepParts } from './step-parts.ts'

const HISTORY_POINTS = 60

/** Checks that set single rows aside while files are loaded; those that need other rows warn. */
export const rowRules = (manifest: Manifest, table: TableManifest): RowRule[] =>
  setsOn(manifest, table.name)
    .flatMap((set) => set.checks.filter((check) => check.severity === 'quarantine'))
    .map((check) => compileCheck(check, table.shape, table.name))
    .flatMap(({ check, failing }) => (failing === null ? [] : [{ name: check.name, failing }]))

export async function check(parts: StepParts, relation: Relation, candidate: string, context: StepContext): Promise<CheckOutcome[]> {
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
