// DuckDB's serialized syntax tree, as far as compiling looks at it: which relations a SELECT reads, which windows it
// calls, whether it aggregates. Positions in the tree are bytes of UTF-8. Nothing here changes a tree.
import { type Node, relationsOf, walk } from '../../engine/ast.ts'
import { UNNAMED_FIX, unnamed } from '../../engine/window-calls.ts'
import type { Inspected, SqlProblem, WindowCall } from '../binder.ts'

export type { Node }

interface CteMap {
  readonly map: readonly {
    readonly key: string
    readonly value: { readonly query: { readonly node: Node }; readonly aliases: readonly string[] }
  }[]
}

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

export const nodesOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : [])

export const ctesOf = (node: Node): CteMap['map'] => (node['cte_map'] as CteMap | undefined)?.map ?? []

/** `namespace.name` of a BASE_TABLE. */
export const tableName = (node: Node): string => {
  const schema = String(node['schema_name'] ?? '')
  return schema === '' || schema === 'main' ? String(node['table_name']) : `${schema}.${String(node['table_name'])}`
}

/** The relation that `tumble(relation, ...)`, `hop` or `session` reads; undefined for other table functions. */
export function windowCall(
  node: Node,
): { readonly kind: 'tumble' | 'hop' | 'session'; readonly relation: string; readonly arguments: readonly Node[] } | undefined {
  if (node.type !== 'TABLE_FUNCTION' || !isNode(node['function'])) return undefined
  const name = node['function']['function_name']
  if (name !== 'tumble' && name !== 'hop' && name !== 'session') return undefined
  const [relation, ...rest] = nodesOf(node['function']['children'])
  return { kind: name, relation: ((relation?.['column_names'] as string[] | undefined) ?? []).join('.'), arguments: rest }
}

/** Positions in UTF-8 bytes to positions in characters. */
export function charAt(text: string): (byte: number) => number {
  const bytes = Buffer.from(text, 'utf8')
  return (byte) => (bytes.length === text.length ? byte : bytes.subarray(0, Math.max(0, byte)).toString('utf8').length)
}

/** The first window over something that is no name. */
export function unnamedWindow(root: Node, charOf: (byte: number) => number): SqlProblem | undefined {
  const found: SqlProblem[] = []
  walk(root, (node) => {
    const call = windowCall(node)
    if (call?.relation !== '') return
    const [given = node] = nodesOf((node['function'] as Node)['children'])
    const position = charOf(Number(given.query_location))
    found.push({ kind: 'syntax', message: unnamed(call.kind), candidates: [], fix: UNNAMED_FIX, position })
  })
  return found[0]
}

export const AGGREGATES = new Set(
  'count count_star sum avg min max any_value first last mode median string_agg list bool_or bool_and arg_min arg_max stddev variance approx_count_distinct quantile_cont quantile_disc'.split(
    ' ',
  ),
)

/** Looks through the tree of one SELECT; `charOf` turns a byte position into a character position. */
export function inspectTree(root: Node, charOf: (byte: number) => number): Inspected {
  const relations = new Map<string, number>()
  const see = (name: string, node: Node): void => {
    const position = charOf(Number(node.query_location ?? 0))
    relations.set(name, Math.min(position, relations.get(name) ?? position))
  }
  for (const { node } of relationsOf({ node: root, named_param_map: [] })) see(tableName(node), node)
  const windows: WindowCall[] = []
  const queries = namesOfQueries(root)
  walk(root, (node) => {
    const call = windowCall(node)
    if (!call) return
    if (queries.has(call.relation.toLowerCase())) return
    see(call.relation, node)
    const column = (call.arguments[0]?.['column_names'] as string[] | undefined)?.at(-1)
    windows.push({
      kind: call.kind,
      relation: call.relation,
      position: relations.get(call.relation)!,
      ...(column === undefined ? {} : { column }),
    })
  })
  const inOrder = [...relations].toSorted(([, a], [, b]) => a - b)
  return { ok: true, relations: inOrder.map(([name, position]) => ({ name, position })), windows, aggregates: aggregates(root) }
}

/** Names that WITH gives anywhere in the query, in lower case. */
function namesOfQueries(root: Node): ReadonlySet<string> {
  const names = new Set<string>()
  walk(root, (node) => {
    for (const { key } of ctesOf(node)) names.add(key.toLowerCase())
  })
  return names
}

function aggregates(root: Node): boolean {
  if (root['aggregate_handling'] === 'FORCE_AGGREGATES' || nodesOf(root['group_expressions']).length > 0) return true
  return nodesOf(root['select_list']).some((node) => node.class === 'FUNCTION' && AGGREGATES.has(String(node['function_name'])))
}
