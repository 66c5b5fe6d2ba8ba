// Which files a question leaves unread: terms of its own WHERE clause on columns that its caller sees as they are stored.
// Nothing is pruned in a question that reads what is hidden row by row (a row filter, a view of the project): how long it
// takes, and how it is planned, must not depend on values that the caller may not see. Relies on engine/prune.ts.
import type { Manifest } from '../define/manifest.ts'
import type { RelationRef, Statement } from '../engine/ast.ts'
import type { SqlValues } from '../engine/bind-values.ts'
import { pruneTerms } from '../engine/prune.ts'
import type { PruneTerm } from '../lake/types.ts'
import { decide, findOwned } from './decide.ts'
import type { Identity } from './identity.ts'
import type { Params } from './question.ts'

export interface Named {
  readonly refs: readonly RelationRef[]
  /** What each of `refs` names, see `Guard.secure`. */
  readonly named: readonly string[]
  readonly params: Params | undefined
}

/**
 * Terms by relation, for those that are named once: a question sees one state of a relation however often it names it, and
 * its references may differ in what they leave out. Before the names in the tree are replaced.
 */
export function pruneQuestion(
  manifest: Manifest,
  identity: Identity,
  statement: Statement,
  { refs, named, params }: Named,
): ReadonlyMap<string, readonly PruneTerm[]> {
  const found = new Map<string, readonly PruneTerm[]>()
  for (const [index, relation] of named.entries()) {
    const owned = findOwned(manifest, relation)
    if (!owned) continue
    const { rowFilter, masks } = decide(manifest, identity, relation)
    const isView = owned.owner.kind === 'model' && owned.owner.refresh === 'view'
    if (rowFilter !== null || isView) return new Map()
    if (named.indexOf(relation) !== named.lastIndexOf(relation)) continue
    const terms = pruneTerms(statement, refs[index]!.node, owned.shape, params as SqlValues | undefined)
    found.set(
      relation,
      terms.filter(({ column }) => !masks.has(column)),
    )
  }
  return found
}
