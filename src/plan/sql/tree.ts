// DuckDB's serialized syntax tree, as far as compiling looks at it: which relations a SELECT reads, which windows it
// calls, whether it aggregates. Positions in the tree are bytes of UTF-8. Nothing here changes a tree.
import type { Inspected, WindowCall } from '../binder.ts'

export interface Node {
  readonly class?: string
  readonly type?: string
  readonly alias?: string
  readonly query_location?: number | bigint
  readonly [key: string]: unknown
}

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

/** The relation that `tumble(relation, ...)` or `hop(relation, ...)` reads; undefined for other table functions. */
export function windowCall(
  node: Node,
): { readonly kind: 'tumble' | 'hop'; readonly relation: string; readonly arguments: readonly Node[] } | undefined {
  if (node.type !== 'TABLE_FUNCTION' || !isNode(node['function'])) return undefined
  const name = node['function']['function_name']
  if (name !== 'tumble' && name !== 'hop') return undefined
  const [relation, ...rest] = nodesOf(node['function']['children'])
  return { kind: name, relation: ((relation?.['column_names'] as string[] | undefined) ?? []).join('.'), arguments: rest }
}

export const AGGREGATES = new Set(
  'count count_star sum avg min max any_value first last mode median string_agg list bool_or bool_and arg_min arg_max stddev variance approx_count_distinct quantile_cont quantile_disc'.split(
    ' ',
  ),
)

/** Looks through the tree of one SELECT; `charOf` turns a byte position into a character position. */
export function inspectTree(root: Node, charOf: (byte: number) => number): Inspected {
  const relations = new Map<string, number>()
  const windows: WindowCall[] = []
  const visit = (value: unknown, ctes: ReadonlySet<string>): void => {
    if (Array.isArray(value)) for (const inner of value) visit(inner, ctes)
    if (!isNode(value)) return
    const position = charOf(Number(value.query_location ?? 0))
    if (value.type === 'BASE_TABLE' && !ctes.has(tableName(value).toLowerCase())) see(relations, tableName(value), position)
    const call = windowCall(value)
    if (call) {
      const column = (call.arguments[0]?.['column_names'] as string[] | undefined)?.at(-1)
      windows.push({ kind: call.kind, relation: call.relation, position, ...(column === undefined ? {} : { column }) })
      see(relations, call.relation, position)
    }
    const names = new Set(ctes)
    if (typeof value['cte_name'] === 'string') names.add(value['cte_name'].toLowerCase())
    for (const { key, value: cte } of ctesOf(value)) {
      visit(cte.query.node, names)
      names.add(key.toLowerCase())
    }
    for (const [key, inner] of Object.entries(value)) if (key !== 'cte_map') visit(inner, names)
  }
  visit(root, new Set())
  return { ok: true, relations: [...relations].map(([name, position]) => ({ name, position })), windows, aggregates: aggregates(root) }
}

const see = (relations: Map<string, number>, name: string, position: number): void => {
  if (!relations.has(name)) relations.set(name, position)
}

function aggregates(root: Node): boolean {
  if (root['aggregate_handling'] === 'FORCE_AGGREGATES' || nodesOf(root['group_expressions']).length > 0) return true
  return nodesOf(root['select_list']).some((node) => node.class === 'FUNCTION' && AGGREGATES.has(String(node['function_name'])))
}
