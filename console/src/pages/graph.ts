// The lineage graph as sets: what stands before and after a node, which columns make or filter one column. Pure.
import type { Lineage, LineageNode } from '../../../src/serve/answers/lineage.ts'

export interface ColumnRef {
  readonly node: string
  readonly column: string
}
export type ColumnEdge = Lineage['columns'][number]

const key = (ref: ColumnRef): string => `${ref.node}\n${ref.column}`

/** Ids of every node before (`up`) or after `start`, without it. */
export function closure(graph: Pick<Lineage, 'edges'>, start: string, way: 'up' | 'down'): Set<string> {
  const found = new Set<string>()
  const next = [start]
  for (let at = next.pop(); at !== undefined; at = next.pop())
    for (const edge of graph.edges) {
      const [from, to] = way === 'up' ? [edge.to, edge.from] : [edge.from, edge.to]
      if (from !== at || found.has(to)) continue
      found.add(to)
      next.push(to)
    }
  return found
}

/** Every column edge on a path into or out of `start`. Beyond a `filter` edge upstream everything is a filter. */
export function columnPath(
  graph: Pick<Lineage, 'columns'>,
  start: ColumnRef,
): { readonly edges: readonly ColumnEdge[]; readonly columns: ReadonlySet<string> } {
  const edges = new Map<string, ColumnEdge>()
  const columns = new Set([key(start)])
  const walk = (at: ColumnRef, way: 'up' | 'down', role: ColumnEdge['role']): void => {
    for (const edge of graph.columns) {
      const [near, far] = way === 'up' ? [edge.to, edge.from] : [edge.from, edge.to]
      const id = `${key(edge.from)}\n${key(edge.to)}`
      if (key(near) !== key(at) || edges.has(id)) continue
      const weaker = role === 'filter' ? 'filter' : edge.role
      edges.set(id, { ...edge, role: weaker })
      columns.add(key(far))
      walk(far, way, weaker)
    }
  }
  walk(start, 'up', 'value')
  walk(start, 'down', 'value')
  return { edges: [...edges.values()], columns }
}

export const onPath = (columns: ReadonlySet<string>, node: string, column: string): boolean => columns.has(key({ node, column }))

/** Nodes in an order in which every input stands before what reads it. */
export function sourceFirst(graph: Pick<Lineage, 'nodes' | 'edges'>): readonly LineageNode[] {
  const depth = new Map<string, number>()
  const of = (id: string, seen: readonly string[]): number => {
    const known = depth.get(id)
    if (known !== undefined) return known
    const inputs = graph.edges.filter((edge) => edge.to === id && !seen.includes(edge.from))
    const value = inputs.reduce((most, edge) => Math.max(most, 1 + of(edge.from, [...seen, id])), 0)
    depth.set(id, value)
    return value
  }
  return graph.nodes.toSorted((a, b) => of(a.id, []) - of(b.id, []))
}
