// Relations of a project as SQL of its definitions reads them now: stored ones pinned for as long as the question lasts, its
// views over them. For checks and alerts.
import type { Relation } from '../define/manifest.ts'
import type { Engine, Session } from './duckdb.ts'
import type { RelationStore } from './relations.ts'
import { inlineConstants } from './sql-text.ts'
import { withRelations } from './workspace.ts'

/**
 * Runs `action` with `names` visible as readers see them now, and then `views`, each after what it reads. Every pin is
 * released, also when another one or the action fails.
 */
export async function withPinned<T>(
  engine: Engine,
  store: Pick<RelationStore, 'pin'>,
  names: readonly string[],
  views: Readonly<Record<string, string>>,
  action: (session: Session) => Promise<T>,
): Promise<T> {
  const settled = await Promise.allSettled(names.map((name) => store.pin(name)))
  const pins = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  try {
    const refused = settled.find((result) => result.status === 'rejected')
    if (refused) throw refused.reason
    return await withRelations(engine, { ...Object.fromEntries(pins.map((pin) => [pin.relation, pin.scanSql])), ...views }, action)
  } finally {
    for (const pin of pins) pin.release()
  }
}

/** SQL of the views of a project that read nothing but `known` relations and one another, in the order of `relations`. */
export function viewsOver(relations: readonly Relation[], known: readonly string[]): Record<string, string> {
  const seen = new Set(known)
  const views: Record<string, string> = {}
  for (const relation of relations) {
    if (relation.kind !== 'model' || relation.refresh !== 'view' || !relation.inputs.every((input) => seen.has(input))) continue
    views[relation.name] = inlineConstants(relation.sql)
    seen.add(relation.name)
  }
  return views
}
