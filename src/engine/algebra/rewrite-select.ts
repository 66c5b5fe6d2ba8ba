// A SELECT in other words that mean the same: DISTINCT ON, a rank that the query around compares, and ORDER BY with LIMIT as QUALIFY,
// UNION as DISTINCT, and names of output columns as what they stand for.
import { type Node, nodes, SELECT_ALL } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { refuse } from './refuse.ts'
import { AS_RANK } from './select-clauses.ts'

/** Conditions of the query around a subquery, which takes out the one that bounds its rank. */
export interface Around {
  readonly alias: string
  readonly where: Node[]
}

const RANKS = new Set(['row_number', 'rank', 'dense_rank'])

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
  const { query_location } = targets[0]!
  const rank = rankOf(
    targets,
    orders.filter((order) => !isTarget(order['expression'] as Node)),
    query_location,
  )
  const one: Node = { alias: '', query_location, class: 'CONSTANT', type: 'VALUE_CONSTANT', value: ONE }
  return { ...select, modifiers: others, qualify: compared(rank, 'COMPARE_EQUAL', one) }
}

const ONE = { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 }

const rankOf = (partitions: readonly Node[], orders: readonly Node[], query_location: Node['query_location']): Node => ({
  class: 'WINDOW',
  type: 'WINDOW_ROW_NUMBER',
  alias: '',
  query_location,
  function_name: 'row_number',
  children: [],
  partitions,
  orders,
})

const compared = (left: Node, type: string, right: Node): Node => ({
  class: 'COMPARISON',
  type,
  alias: '',
  query_location: left.query_location,
  left,
  right,
})

/** `SELECT ... ORDER BY a DESC LIMIT 10` is `QUALIFY row_number() OVER (ORDER BY a DESC) <= 10`. */
export function withoutLimit(select: Node): Node {
  const modifiers = nodes(select['modifiers'])
  const limit = modifiers.find(({ type }) => type === 'LIMIT_MODIFIER')
  const orders = modifiers.flatMap((modifier) => (modifier.type === 'ORDER_MODIFIER' ? nodes(modifier['orders']) : []))
  if (!limit || (orders.length === 0 && !select['qualify'])) return select
  const count = limit['limit'] as Node
  if (limit['offset']) refuse('LIMIT with OFFSET', limit['offset'] as Node, AS_RANK)
  if (count?.class !== 'CONSTANT') refuse('a LIMIT that is no constant', count ?? select, AS_RANK)
  if (select['qualify']) refuse('LIMIT beside QUALIFY or DISTINCT ON', count, 'write one of them in a subquery')
  if (modifiers.length > 2) refuse('LIMIT beside DISTINCT', count, 'write SELECT ... GROUP BY ALL in place of DISTINCT')
  const outputs = nodes(select['select_list'])
  const by = orders.map((order) => ({ ...order, expression: outputOf(order['expression'] as Node, outputs) }))
  return { ...select, modifiers: [], qualify: compared(rankOf([], by, count.query_location), 'COMPARE_LESSTHANOREQUALTO', count) }
}

/** ORDER BY means an output column by its place or its name, rather than a column of that name. */
function outputOf(node: Node, outputs: readonly Node[]): Node {
  const place = node.class === 'CONSTANT' ? Number(literalValue(node['value'] as Literal)) : Number.NaN
  const name = isColumn(node) && pathOf(node).length === 1 ? pathOf(node)[0]!.toLowerCase() : undefined
  const output = outputs[place - 1] ?? outputs.find(({ alias }) => name !== undefined && alias?.toLowerCase() === name)
  if (node.class === 'STAR' || output?.class === 'STAR') return refuse('this ORDER BY', node, 'name the columns to order by')
  if (node.class === 'CONSTANT' && !output) return refuse('ORDER BY a constant', node, 'name the columns to order by')
  return output ? { ...output, alias: '' } : node
}

/** `a UNION b` is `SELECT DISTINCT * FROM (a UNION ALL b)`. */
export const distinctUnion = (union: Node): Node => ({
  ...SELECT_ALL,
  cte_map: union['cte_map'],
  modifiers: [{ type: 'DISTINCT_MODIFIER', distinct_on_targets: [] }],
  from_table: { type: 'SUBQUERY', alias: '', subquery: { node: { ...union, cte_map: { map: [] }, setop_all: true } } },
})

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
