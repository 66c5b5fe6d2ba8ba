// Names of the columns of a SELECT without an alias, as DuckDB gives them.
import { type Node, nodes } from '../ast.ts'

/** As DuckDB names a column without an alias, where that is simple. `declared`: the name of the column that it is, whatever its case here. */
export function nameOf(node: Node, index: number, declared?: string): string {
  if (node.alias) return node.alias
  if (node.class === 'COLUMN_REF') return declared ?? (node['column_names'] as string[]).at(-1)!
  if (node['function_name'] === 'count_star') return 'count_star()'
  const of = nodes(node['children'])
  if (node.class === 'FUNCTION' && of.length === 1 && of[0]!.class === 'COLUMN_REF' && !node['distinct'] && !node['filter'])
    return `${String(node['function_name'])}(${(of[0]!['column_names'] as string[]).map(quoteIfNeeded).join('.')})`
  return `#${index + 1}`
}

const quoteIfNeeded = (name: string): string => (/^[a-z_][a-z0-9_]*$/i.test(name) ? name : `"${name}"`)
