// Window functions of a live model: row_number and rank with the QUALIFY that bounds them, and lag and aggregates over frames of rows
// before, over a time that the watermark follows.
import { type Node, nodes, someNode } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { castTo } from './coerce.ts'
import type { Expression } from './expression.ts'
import { AGGREGATE_NAMES, REMOVABLE, readAggregate } from './read-aggregate.ts'
import { fixedMicros, readExpression, type Scope } from './read-expression.ts'
import { refuse } from './refuse.ts'
import type { Aggregate, AggregateFunction, Frame, LagColumn, OrderBy, RankFunction } from './relation.ts'
import type { Source } from './source.ts'

/** QUALIFY compares a rank, or the output column that is one; else it is a condition on values of rows before. */
export const isOfRank = (qualify: Node, select: Node): boolean =>
  someNode(qualify, (node) => {
    const called = node.class === 'COLUMN_REF' ? aliased(node, select) : node
    return called?.class === 'WINDOW' && !isBefore(called)
  })

const isBefore = (node: Node): boolean => node['function_name'] === 'lag' || AGGREGATE_NAMES.includes(calledOf(node))

export interface Ranking {
  readonly node: Node
  readonly function: RankFunction
}

export function readRanking(node: Node, select: Node): Ranking {
  const called = String(node['function_name'])
  if (called !== 'row_number' && called !== 'rank' && called !== 'dense_rank')
    return refuse(
      `the window function ${called}`,
      node,
      'row_number(), rank() or dense_rank() with QUALIFY, lag(), or an aggregate over ROWS or RANGE BETWEEN ... PRECEDING AND CURRENT ROW',
    )
  if (!select['qualify']) refuse(`${called}() without QUALIFY`, node, `add QUALIFY ${called}() OVER (...) <= 3`)
  return { node, function: called }
}

/** What a call over rows before its own stands over. */
export interface Over {
  readonly partition: readonly Expression[]
  readonly time: Expression
  readonly delayUs: number
}

/** `avg(x) OVER (PARTITION BY ... ORDER BY time ROWS BETWEEN n PRECEDING AND CURRENT ROW)`, or RANGE BETWEEN an interval. */
export interface Framed extends Over {
  readonly frame: Frame
  readonly aggregate: Aggregate
}

const FRAME_ROWS_MAX = 1_000
const FRAMED: readonly AggregateFunction[] = REMOVABLE.filter((name) => name !== 'string_agg')

const NEAREST_FRAME =
  'write avg(x) OVER (PARTITION BY key ORDER BY time RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW), or ROWS BETWEEN 9 PRECEDING AND CURRENT ROW'

/** As people write it. */
export const calledOf = (node: Node): string => String(node['function_name']).replace(/^count_star$/, 'count')

/** Undefined when the function is no aggregate. */
export function readFramed(node: Node, source: Source, scope: Scope, index: number): Framed | undefined {
  const called = calledOf(node)
  if (!AGGREGATE_NAMES.includes(called)) return undefined
  if (node['distinct'] === true) refuse(`${called}(DISTINCT ...) over the rows before`, node, NEAREST_FRAME)
  const over = readOver(node, source, scope, NEAREST_FRAME)
  const frame = readFrame(node, scope)
  const aggregate = readAggregate({ ...node, filter: node['filter_expr'], order_bys: { orders: node['arg_orders'] } }, scope, index)!
  if (!FRAMED.includes(aggregate.function)) refuse(`${called}(...) over the rows before`, node, `use ${FRAMED.join(', ')}`)
  return { ...over, frame, aggregate: { ...aggregate, name: `#frame${index}` } }
}

/** An ORDER BY without a frame is RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW. */
function readFrame(node: Node, scope: Scope): Frame {
  const called = calledOf(node)
  const [start, end] = [String(node['start']), String(node['end'])]
  if (/FOLLOWING/.test(`${start} ${end}`))
    refuse(`${called}(...) over rows that follow`, node, `end the frame at CURRENT ROW: ${NEAREST_FRAME}`)
  if (node['exclude_clause'] !== 'NO_OTHER') refuse('EXCLUDE in OVER (...)', node, NEAREST_FRAME)
  const unit = end === 'CURRENT_ROW_ROWS' ? 'rows' : end === 'CURRENT_ROW_RANGE' ? 'range' : null
  const by = node['start_expr'] as Node | null
  if (unit && start === 'UNBOUNDED_PRECEDING') return { unit, preceding: null }
  if (unit === 'rows' && start === 'EXPR_PRECEDING_ROWS') {
    const preceding = by?.class === 'CONSTANT' ? Number(literalValue(by['value'] as Literal)) : Number.NaN
    if (Number.isInteger(preceding) && preceding >= 0 && preceding <= FRAME_ROWS_MAX) return { unit, preceding }
    return refuse(`${called}(...) over these rows`, node, `count up to ${FRAME_ROWS_MAX} rows: ROWS BETWEEN 9 PRECEDING AND CURRENT ROW`)
  }
  if (unit === 'range' && start === 'EXPR_PRECEDING_RANGE') return { unit, preceding: readLength(by!, scope) }
  return refuse(`${called}(...) over these rows`, node, NEAREST_FRAME)
}

/** Microseconds. */
function readLength(node: Node, scope: Scope): number {
  const length = readExpression(node, scope)
  const nearest = 'write RANGE BETWEEN INTERVAL 10 MINUTE PRECEDING AND CURRENT ROW'
  if (length.op !== 'interval') return refuse('a RANGE that is no constant interval', node, nearest)
  const micros = fixedMicros(length)
  if (micros === undefined) return refuse('a RANGE of months or years, whose length varies,', node, 'write days: INTERVAL 30 DAY')
  return micros >= 0 ? micros : refuse('a RANGE of an interval below zero', node, nearest)
}

/** What both `lag` and frames stand over. */
function readOver(node: Node, source: Source, scope: Scope, nearest: string): Over {
  const [order, more] = nodes(node['orders'])
  const time = order && readExpression(order['expression'] as Node, scope)
  const delayUs = time?.op === 'column' ? source.times.get(time.name) : undefined
  if (!time || more || delayUs === undefined || order['type'] === 'DESCENDING' || source.window)
    return refuse(`${calledOf(node)}(...) over other than a time that the watermark follows`, node, nearest)
  return { partition: nodes(node['partitions']).map((child) => readExpression(child, scope)), time, delayUs }
}

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

export interface Lag extends Over {
  readonly column: LagColumn
  /** What stands for the value where there is no such row; null for null. */
  readonly otherwise: Expression | null
}

/** Its QUALIFY numbers rows. */
const isNumbered = (select: Node): boolean => {
  const qualify = select['qualify'] as Node | null
  return qualify !== null && isOfRank(qualify, select)
}

/** `lag(x, n, default) OVER (PARTITION BY ... ORDER BY time)`: a column that is filled in when the rows before are known. */
export function readLag(node: Node, source: Source, scope: Scope, index: number): Lag {
  const nearest = 'write lag(x) OVER (PARTITION BY key ORDER BY window_start), or lag(x, 2, 0)'
  const [of, second, third] = nodes(node['children'])
  if (!of || node['ignore_nulls'] || node['filter_expr']) return refuse('this lag(...)', node, nearest)
  const step = second ?? (node['offset_expr'] as Node | null)
  const offset = !step ? 1 : step.class === 'CONSTANT' ? Number(literalValue(step['value'] as Literal)) : Number.NaN
  if (!Number.isInteger(offset) || offset < 1 || offset > FRAME_ROWS_MAX)
    return refuse('lag(...) by other than so many rows', node, `write lag(x, 2), up to ${FRAME_ROWS_MAX}`)
  const value = readExpression(of, scope)
  const other = third ?? (node['default_expr'] as Node | null)
  const otherwise = other ? castTo(readExpression(other, scope), value.type) : null
  return { ...readOver(node, source, scope, nearest), column: { name: `#lag${index}`, value, offset }, otherwise }
}

/**
 * `row_number() OVER (PARTITION BY ... ORDER BY time)` without QUALIFY counts the rows up to each, of which none is taken back; undefined
 * where it is a rank.
 */
export function asCount(node: Node, select: Node, source: Source, scope: Scope): Node | undefined {
  const [order, more] = nodes(node['orders'])
  if (node['function_name'] !== 'row_number' || isNumbered(select) || !order || more || order['type'] === 'DESCENDING') return undefined
  const time = readExpression(order['expression'] as Node, scope)
  if (time.op !== 'column' || !source.times.has(time.name)) return undefined
  return { ...node, function_name: 'count_star', start: 'UNBOUNDED_PRECEDING', end: 'CURRENT_ROW_ROWS', start_expr: null, end_expr: null }
}
