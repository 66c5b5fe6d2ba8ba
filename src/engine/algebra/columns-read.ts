// Which columns of its streams a live query reads: what a scanner must make of a row. Over plain data alone: whatever operators a
// query has, their expressions name columns by `column` nodes.
import type { LiveQuery } from './relation.ts'

/** Names of all columns that stand in the query; those of results between operators too, which no stream has. */
export function columnsRead(query: LiveQuery): ReadonlySet<string> {
  const names = new Set<string>()
  visit(query.root, names)
  return names
}

function visit(value: unknown, names: Set<string>): void {
  if (typeof value !== 'object' || value === null) return
  const node = value as { readonly op?: unknown; readonly name?: unknown }
  if (node.op === 'column') names.add(String(node.name))
  for (const inner of Object.values(value)) visit(inner, names)
}
