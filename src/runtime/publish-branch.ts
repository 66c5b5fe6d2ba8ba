// Write, audit, publish: what others wrote to a branch is checked as the tables would be with it, and becomes `main` of all of
// them in one commit, or of none. Checks that only warn are recorded and stop nothing.
import { MillraceError } from '../core/errors.ts'
import { storedShape } from '../define/system-columns.ts'
import { scanSql } from '../engine/scan.ts'
import type { LakeTable } from '../lake/types.ts'
import type { CheckOutcome } from '../quality/run-checks.ts'
import { checkRelation, mustPass, record } from './step-checks.ts'
import type { StepParts } from './step-parts.ts'

export interface Published {
  readonly tables: readonly LakeTable[]
  readonly checks: readonly CheckOutcome[]
}

/** @throws MR_CHECK_BLOCKED; MR_LAKE_CONFLICT when main or the branch went on meanwhile; MR_LAKE_SNAPSHOT_UNKNOWN; MR_LAKE_TABLE_UNKNOWN */
export async function publishBranch(parts: StepParts, names: readonly string[], branch: string): Promise<Published> {
  if (names.length === 0) throw new MillraceError('MR_USAGE', 'no table was named', { fix: 'name the tables to publish' })
  using lease = parts.lake.lease()
  const relations = parts.manifest().relations
  const candidates: Record<string, string> = {}
  const publications = []
  for (const name of new Set(names)) {
    const table = await parts.lake.table(name)
    const head = parts.lake.snapshotAt(table, { tag: branch })
    publications.push({ table: name, branch, head: head.id })
    const relation = relations.find((candidate) => candidate.name === name)
    const files = await lease.local(await parts.lake.files(table, head))
    if (relation) candidates[name] = scanSql({ table, files, tails: [], shape: storedShape(relation) })
  }
  const checked = relations.filter(({ name }) => Object.hasOwn(candidates, name))
  const outcomes = await Promise.all(checked.map((relation) => checkRelation(parts, relation, candidates)))
  for (const [index, relation] of checked.entries()) await mustPass(parts, relation, outcomes[index]!, null)
  const tables = await parts.lake.publish(publications)
  for (const table of tables) parts.onCommitted(table)
  for (const [index, relation] of checked.entries())
    await record(parts, relation, outcomes[index]!, null, tables.find(({ name }) => name === relation.name)!.current!.id.toString())
  return { tables, checks: outcomes.flat() }
}
