// What of the console's answers a caller may see. Pages hold more than rows: names of other relations, numbers of rows,
// texts of errors. Each is shown only to whom the policy shows what it is about. Pure.
import type { CheckManifest, Relation } from '../../define/manifest.ts'
import type { Caller } from '../answer.ts'
import type { FlowSummary } from '../answers/flows.ts'
import type { Freshness } from '../answers/relations.ts'
import type { AdminParts } from './parts.ts'

/** Whether the name of a relation may be said. */
export const mayName = (parts: AdminParts, caller: Caller, name: string): boolean => parts.answerer.access(caller, name).readable

/** Whether numbers of its rows may be said: not to whom a policy hides some of them. */
export function mayCount(parts: AdminParts, caller: Caller, name: string): boolean {
  const { readable, rowFilter } = parts.answerer.access(caller, name)
  return readable && !rowFilter
}

/** Whether texts that can hold values of its rows may be said: messages of errors, logs. */
export function mayQuote(parts: AdminParts, caller: Caller, name: string): boolean {
  const { readable, rowFilter, masked } = parts.answerer.access(caller, name)
  return readable && !rowFilter && masked.length === 0
}

/**
 * Flows of relations whose rows the caller may count. What stops one may quote a row or a credential's name: only for those who see
 * the relation as it is.
 */
export const shownFlows = (parts: AdminParts, caller: Caller): FlowSummary[] =>
  parts
    .flows()
    .filter(({ relation }) => mayCount(parts, caller, relation))
    .map((flow) =>
      flow.stopped && !mayQuote(parts, caller, flow.relation) ? { ...flow, stopped: { ...flow.stopped, message: '', fix: null } } : flow,
    )

/** Without the name of what it waits for, where that is hidden. */
export function shownFreshness(parts: AdminParts, caller: Caller, freshness: Freshness): Freshness {
  const { why } = freshness
  if (why?.on === undefined || mayName(parts, caller, why.on)) return freshness
  const { on: _, ...rest } = why
  return { ...freshness, why: rest }
}

/** A definition without the names that are hidden; SQL that has one of them is left out. */
export function shownRelation(parts: AdminParts, caller: Caller, relation: Relation): Relation {
  if (caller.isAdmin) return relation
  if (relation.kind === 'table' && relation.source.kind === 'files')
    return { ...relation, source: { ...relation.source, path: '', options: {} } }
  if (relation.kind === 'stream' && relation.processor !== undefined) {
    const { processor: _, ...rest } = relation
    return rest
  }
  if (relation.kind !== 'model') return relation
  const inputs = relation.inputs.filter((input) => mayName(parts, caller, input))
  return inputs.length === relation.inputs.length ? relation : { ...relation, inputs, sql: { text: '', params: [] } }
}

/** A check, or undefined where it compares with a hidden relation. SQL can name any: it is the administrator's. */
export function shownCheck(parts: AdminParts, caller: Caller, check: CheckManifest): CheckManifest | undefined {
  const { rule } = check
  if (rule.kind === 'references' && !mayName(parts, caller, rule.to.relation)) return undefined
  return rule.kind === 'sql' && !caller.isAdmin ? { ...check, rule: { kind: 'sql', sql: { text: '', params: [] } } } : check
}
