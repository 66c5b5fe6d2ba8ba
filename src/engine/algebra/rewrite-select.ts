// A SELECT in other words that mean the same: DISTINCT ON as QUALIFY, a rank that the query around compares as QUALIFY, and names
// of output columns as what they stand for.
import { type Node, nodes } from '../ast.ts'
import { refuse } from './refuse.ts'

/** Conditions of the query around a subquery, which takes out the one that bounds its rank. */
export interface Around {
  readonly alias: string
  readonly where: Node[]
}

const RANKS = new Set(['row_number', 'rank'])

const isColumn = (node: Node | undefined): node is Node => node?.class === 'COLUMN_REF'
const pathOf = (node: Node): readonly string[] => node['column_names'] as string[]

/** `FROM (SELECT *, row_number() OVER (...) AS n FROM s) WHERE n = 1` is `FROM s QUALIFY row_number() OVER (...) = 1`. */
export function withRankLimit(select: Node, around: Around | undefined): Node {
  if (!around || select['qualify']) return select
  const ranks = nodes(select['select_list'])
    .filter((node) => node.class === 'WINDOW' && RANKS.has(String(node['function_name'])))
    .map(({ alias }) => alias?.toLowerCase())
  const isOfRank = (node: Node): boolean => {
    const left = node['left'] as Node | undefined
    if (node.class !== 'COMPARISON' || !isColumn(left) || (node['right'] as Node).class !== 'CONSTANT') return false
    const path = pathOf(left)
    return ranks.includes(path.at(-1)!.toLowerCase()) && (path.length === 1 || path[0]!.toLowerCase() === around.alias.toLowerCase())
  }
  const at = around.where.findIndex(isOfRank)
  return at < 0 ? select : { ...select, qualify: around.where.splice(at, 1)[0] }
}

/** `SELECT DISTINCT ON (a) ... ORDER BY a, b DESC` is `QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC) = 1`. */
export function withoutDistinctOn(select: Node): Node {
  const modifiers = nodes(select['modifiers'])
  const targets = modifiers.flatMap((modifier) => nodes(modifier['distinct_on_targets']))
  if (targets.length === 0) return select
  const orders = modifiers.flatMap((modifier) => nodes(modifier['orders']))
  const others = modifiers.filter(({ type }) => type !== 'DISTINCT_MODIFIER' && type !== 'ORDER_MODIFIER')
  const nearest =
    'write SELECT DISTINCT ON (key) ... FROM stream ORDER BY key, time DESC, or QUALIFY row_number() OVER (PARTITION BY key ORDER BY time DESC) = 1'
  if (orders.length === 0 || select['qualify'] || targets.some((target) => target.class === 'CONSTANT'))
    refuse('this DISTINCT ON', targets[0], nearest)
  const isTarget = (node: Node): boolean =>
    targets.some((target) => isColumn(target) && isColumn(node) && pathOf(target).at(-1) === pathOf(node).at(-1))
  const place = { alias: '', query_location: targets[0]!.query_location }
  const rank: Node = {
    ...place,
    class: 'WINDOW',
    type: 'WINDOW_ROW_NUMBER',
    function_name: 'row_number',
    children: [],
    partitions: targets,
    orders: orders.filter((order) => !isTarget(order['expression'] as Node)),
  }
  const one: Node = { ...place, class: 'CONSTANT', type: 'VALUE_CONSTANT', value: ONE }
  return { ...select, modifiers: others, qualify: { ...place, class: 'COMPARISON', type: 'COMPARE_EQUAL', left: rank, right: one } }
}

const ONE = { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 }

/** Functions in whose arguments `x -> ...` is a lambda; elsewhere the arrow takes a part of JSON. The tree has one node for both. */
const TAKES_LAMBDA = /^(list_|array_)?(transform|apply|filter|reduce)$/

const namesIn = (value: unknown): readonly string[] => {
  if (value === null || typeof value !== 'object') return []
  return isColumn(value as Node) ? pathOf(value as Node).map((name) => name.toLowerCase()) : Object.values(value).flatMap(namesIn)
}

interface Within {
  /** The outputs before this one can be meant. */
  readonly until: number
  /** Parameters of the lambdas around, which hide outputs of their names. */
  readonly params: readonly string[]
  /** Among the arguments of a function that takes lambdas. */
  readonly isArgument: boolean
}

/** `SELECT a * 2 AS b, b + 1 AS c ... HAVING b > 1`: a name that no column has means the output column, as in DuckDB. */
export function withoutAliases(select: Node, isKnown: (name: string) => boolean): Node {
  const outputs = nodes(select['select_list'])
  const expand = (value: unknown, within: Within): unknown => {
    if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return value
    if (Array.isArray(value)) return value.map((item) => expand(item, within))
    const node = value as Node
    const name = isColumn(node) && pathOf(node).length === 1 ? pathOf(node)[0]!.toLowerCase() : undefined
    const at =
      name === undefined || within.params.includes(name) || isKnown(name)
        ? -1
        : outputs.findIndex((output, i) => i < within.until && output.alias?.toLowerCase() === name)
    if (at >= 0) return { ...(expand(outputs[at], before(at)) as Node), alias: node.alias }
    const isLambda = within.isArgument && node.class === 'LAMBDA'
    const params = isLambda ? [...within.params, ...namesIn(node['lhs'])] : within.params
    const inside = { ...within, params, isArgument: node.class === 'FUNCTION' && TAKES_LAMBDA.test(String(node['function_name'])) }
    return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, expand(inner, inside)]))
  }
  const before = (until: number): Within => ({ until, params: [], isArgument: false })
  const clause = (name: string): Record<string, unknown> => ({ [name]: expand(select[name], before(outputs.length)) })
  return {
    ...select,
    select_list: outputs.map((output, i) => expand(output, before(i))),
    ...clause('where_clause'),
    ...clause('group_expressions'),
    ...clause('having'),
    ...clause('qualify'),
  }
}
