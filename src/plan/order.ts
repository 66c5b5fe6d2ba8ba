// The order in which relations are compiled: what a relation reads comes before it. Circles are reported.
import { fail, type Scope } from './scope.ts'

/** Names in an order where every edge points back. Edges to names that are not there are left out. */
export function orderRelations(scope: Scope, edges: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const ordered: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const path: string[] = []
  const visit = (name: string): void => {
    if (state.get(name) === 'done') return
    if (state.get(name) === 'open') {
      reportCircle(scope, path.slice(path.indexOf(name)))
      return
    }
    state.set(name, 'open')
    path.push(name)
    for (const input of edges.get(name) ?? []) if (edges.has(input)) visit(input)
    path.pop()
    state.set(name, 'done')
    ordered.push(name)
  }
  for (const name of edges.keys()) visit(name)
  return ordered
}

function reportCircle(scope: Scope, circle: readonly string[]): void {
  const at = scope.defined.get(circle[0]!)?.$at ?? ''
  const path = [...circle, circle[0]!].map((name) => `"${name}"`).join(' reads ')
  fail(
    scope,
    'MR_PLAN_CYCLE',
    at,
    circle.length === 1 ? `"${circle[0]}" reads itself` : `${path}: none of them can be computed first`,
    'break the circle',
  )
}
