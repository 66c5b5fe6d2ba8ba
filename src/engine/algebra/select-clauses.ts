// What is read off the tree of a SELECT before its meaning: conditions apart, names of columns, clauses that are not there.
import { type Node, nodes, walk } from '../ast.ts'
import { refuse } from './refuse.ts'

export const AS_VIEW = 'put it into a view over the live model'
/** The rows of a model have no order. */
export const AS_RANK =
  'for the first rows write ORDER BY ... LIMIT 10, or QUALIFY row_number() OVER (ORDER BY ...) <= 10; for their order put it into a view over the live model'

/** Parts of an AND of a syntax tree. */
export const partsOf = (node: Node): Node[] =>
  node.class === 'CONJUNCTION' && node.type === 'CONJUNCTION_AND' ? nodes(node['children']).flatMap(partsOf) : [node]

/** The AND of some parts. */
export const joined = (parts: readonly Node[]): Node | null => {
  if (parts.length <= 1) return parts[0] ?? null
  return { class: 'CONJUNCTION', type: 'CONJUNCTION_AND', alias: '', query_location: parts[0]!.query_location, children: [...parts] }
}

/** Names of the columns that a query reads, in lower case; null for all. */
export function namesIn(select: Node): ReadonlySet<string> | null {
  const names = new Set<string>()
  let isAll = false
  walk(select, (node) => {
    if (node.class === 'STAR') isAll = true
    for (const name of (node['using_columns'] as string[] | undefined) ?? []) names.add(name.toLowerCase())
    // Each part may be the column, and those behind it parts of its value.
    if (node.class === 'COLUMN_REF') for (const name of node['column_names'] as string[]) names.add(name.toLowerCase())
  })
  return isAll ? null : names
}

/** SELECT DISTINCT: `checkClauses` leaves no other modifier. */
export const isDistinct = (select: Node): boolean => nodes(select['modifiers']).length > 0

/** Neither grouped nor numbered nor DISTINCT, as far as its clauses say. */
export const isPlain = (select: Node): boolean =>
  nodes(select['group_expressions']).length === 0 &&
  select['aggregate_handling'] !== 'FORCE_AGGREGATES' &&
  !select['qualify'] &&
  !isDistinct(select)

export function checkClauses(select: Node): void {
  if (select['sample']) refuse('SAMPLE', select)
  for (const modifier of nodes(select['modifiers'])) {
    if (modifier.type !== 'DISTINCT_MODIFIER') refuse('ORDER BY or LIMIT', select, AS_RANK)
  }
}
