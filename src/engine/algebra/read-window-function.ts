// Window functions of a live model: row_number and rank with the QUALIFY that bounds them, and lag and aggregates of the rows before
// over a time that the watermark follows.
import { type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import type { Expression } from './expression.ts'
import { AGGREGATE_NAMES, readAggregate } from './read-aggregate.ts'
import { readExpression, type Scope } from './read-expression.ts'
import { refuse } from './refuse.ts'
import type { Aggregate, NamedExpression, OrderBy } from './relation.ts'
import type { Source } from './source.ts'

export interface Ranking {
  readonly node: Node
  readonly function: 'row_number' | 'rank'
}

export function readRanking(node: Node, select: Node): Ranking {
  const called = String(node['function_name'])
  if (called !== 'row_number' && called !== 'rank')
    return refuse(
      `the window function ${called}`,
      node,
      'row_number() or rank() with QUALIFY, lag(), or an aggregate over ROWS BETWEEN n PRECEDING AND CURRENT ROW',
    )
  if (!select['qualify']) refuse(`${called}() without QUALIFY`, node, `add QUALIFY ${called}() OVER (...) <= 3`)
  return { node, function: called }
}

/** `avg(x) OVER (PARTITION BY ... ORDER BY time ROWS BETWEEN n PRECEDING AND CURRENT ROW)`. */
export interface Framed extends Omit<Lag, 'column'> {
  readonly preceding: number
  readonly aggregate: Aggregate
}

const FRAME_MAX = 1_000

/** Undefined when the function is no aggregate. */
export function readFramed(node: Node, source: Source, scope: Scope, index: number): Framed | undefined {
  if (!AGGREGATE_NAMES.includes(String(node['function_name'])) && node['function_name'] !== 'count_star') return undefined
  const nearest = 'write avg(x) OVER (PARTITION BY key ORDER BY time ROWS BETWEEN 9 PRECEDING AND CURRENT ROW)'
  const from = node['start_expr'] as Node | null
  const isFrame = node['start'] === 'EXPR_PRECEDING_ROWS' && node['end'] === 'CURRENT_ROW_ROWS' && node['exclude_clause'] === 'NO_OTHER'
  const preceding = isFrame && from?.class === 'CONSTANT' ? Number(literalValue(from['value'] as Literal)) : Number.NaN
  if (!Number.isInteger(preceding) || preceding < 0 || preceding > FRAME_MAX || node['distinct'] === true)
    return refuse(`${String(node['function_name'])}(...) over these rows`, node, nearest)
  const { partition, time, delayUs } = readOver(node, source, scope, nearest)
  const aggregate = readAggregate({ ...node, filter: node['filter_expr'] }, scope, index)!
  if (aggregate.function === 'arg_min' || aggregate.function === 'arg_max' || aggregate.function === 'approx_count_distinct')
    return refuse(`${aggregate.function}(...) over the rows before`, node, nearest)
  return { partition, time, delayUs, preceding, aggregate: { ...aggregate, name: `#frame${index}` } }
}

/** What both `lag` and frames stand over. */
function readOver(node: Node, source: Source, scope: Scope, nearest: string): Omit<Lag, 'column'> {
  const [order, more] = nodes(node['orders'])
  const time = order && readExpression(order['expression'] as Node, scope)
  const delayUs = time?.op === 'column' ? source.times.get(time.name) : undefined
  if (!time || more || delayUs === undefined || order['type'] === 'DESCENDING' || source.window)
    return refuse(`${String(node['function_name'])}(...) over other than a time that the watermark follows`, node, nearest)
  return { partition: nodes(node['partitions']).map((child) => readExpression(child, scope)), time, delayUs }
}

/** The same call, wherever it stands. */
export const isSameNode = (a: Node, b: Node): boolean => JSON.stringify(withoutPlaces(a)) === JSON.stringify(withoutPlaces(b))

const withoutPlaces = (node: Node): unknown =>
  JSON.parse(JSON.stringify(node, (key, value) => (key === 'query_location' || key === 'alias' ? undefined : value)))

/** `QUALIFY row_number() OVER (...) <= n`: n. `see` is told of the window function. */
export function readLimit(qualify: Node, select: Node, see: (node: Node) => void): number {
  const shape = 'write QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) <= 3'
  const [left, right] = [qualify['left'] as Node | undefined, qualify['right'] as Node | undefined]
  if (qualify.class !== 'COMPARISON' || !left || right?.class !== 'CONSTANT') return refuse('this QUALIFY', qualify, shape)
  const value = literalValue(right['value'] as Literal)
  const called = left.class === 'COLUMN_REF' ? aliased(left, select) : left
  if (typeof value !== 'bigint' || called?.class !== 'WINDOW') return refuse('this QUALIFY', qualify, shape)
  see(called)
  const limit = Number(value) - (qualify.type === 'COMPARE_LESSTHAN' ? 1 : 0)
  const isFirst = qualify.type === 'COMPARE_EQUAL' && limit === 1
  const isUpTo = qualify.type === 'COMPARE_LESSTHAN' || qualify.type === 'COMPARE_LESSTHANOREQUALTO'
  return limit >= 1 && limit <= 1_000 && (isFirst || isUpTo) ? limit : refuse('this QUALIFY', qualify, shape)
}

function aliased(node: Node, select: Node): Node | undefined {
  const name = (node['column_names'] as string[]).at(-1)
  return nodes(select['select_list']).find((candidate) => candidate.alias === name)
}

export function readOrder(item: Node, read: (node: Node) => Expression): OrderBy {
  const descending = item.type === 'DESCENDING'
  const nulls = String(item['null_order'])
  return { value: read(item['expression'] as Node), descending, nullsFirst: nulls === 'NULLS FIRST' || nulls === 'NULLS_FIRST' }
}

export interface Lag {
  readonly partition: readonly Expression[]
  readonly time: Expression
  readonly delayUs: number
  readonly column: NamedExpression
}

/** `lag(x) OVER (PARTITION BY ... ORDER BY time)`: a column that is filled in when the rows before are known. */
export function readLag(node: Node, source: Source, scope: Scope, index: number): Lag {
  const nearest = 'write lag(x) OVER (PARTITION BY key ORDER BY window_start)'
  const [of, offset, otherwise] = nodes(node['children'])
  const step = offset ?? (node['offset_expr'] as Node | null)
  const isOne = !step || (step.class === 'CONSTANT' && Number(literalValue(step['value'] as Literal)) === 1)
  if (!of || !isOne || otherwise || node['default_expr'] || node['ignore_nulls'] || node['filter_expr'])
    return refuse('this lag(...)', node, nearest)
  return { ...readOver(node, source, scope, nearest), column: { name: `#lag${index}`, value: readExpression(of, scope) } }
}
