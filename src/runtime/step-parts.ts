// What the steps of runs share: their parts, what a model reads and what a commit changed.
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Manifest, ModelManifest, Text } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import type { RelationStore } from '../engine/relations.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Effect } from '../orchestrate/history.ts'
import type { CheckHistory } from '../quality/history.ts'
import type { CheckOutcome } from '../quality/run-checks.ts'
import type { Catalog } from '../store/catalog.ts'
import type { Input } from '../transform/inputs.ts'

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
  /** Commits what pipelines have read; up to when, in event time, the windows of a live model are complete and committed then. Microseconds. */
  settle(model: string): Promise<number | null>
  readonly onCommitted: (table: LakeTable) => void
  readonly onChecked: (relation: string, outcomes: readonly CheckOutcome[]) => void
}

/** The views that it reads are part of a model's code. */
export const codeOf = (model: ModelManifest, inputs: readonly Input[]): string =>
  createHash('sha256')
    .update(JSON.stringify([model.sql, model.shape, model.key, model.by ?? null, inputs.map((input) => input.view ?? null)]))
    .digest('hex')
    .slice(0, 16)

/** Committed state of what a model reads; views are given as SQL over their own inputs. */
export async function inputsOf(parts: StepParts, model: ModelManifest): Promise<Input[]> {
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

export function effectOf(table: LakeTable): Effect[] {
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
