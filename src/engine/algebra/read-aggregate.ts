// Aggregate functions of live models: a closed list whose states can be merged in any order. A call becomes an aggregate
// with typed arguments; its result type is DuckDB's.
import type { Node } from '../ast.ts'
import { castTo, isInteger, isNumeric, isTime } from './coerce.ts'
import { BOOLEAN, DOUBLE, type Expression, HUGE, LONG, STRING, TIMESTAMP, type ValueType } from './expression.ts'
import { readCondition, readExpression, type Scope } from './read-expression.ts'
import { readQuantile } from './read-quantile.ts'
import { readStringAgg } from './read-string-agg.ts'
import { refuse } from './refuse.ts'
import type { Aggregate, AggregateFunction } from './relation.ts'

const NAMES: Readonly<Record<string, AggregateFunction>> = {
  count_star: 'count',
  count: 'count',
  sum: 'sum',
  avg: 'avg',
  mean: 'avg',
  min: 'min',
  max: 'max',
  arg_min: 'arg_min',
  min_by: 'arg_min',
  argmin: 'arg_min',
  arg_max: 'arg_max',
  max_by: 'arg_max',
  argmax: 'arg_max',
  bool_and: 'bool_and',
  bool_or: 'bool_or',
  approx_count_distinct: 'approx_count_distinct',
  var_samp: 'var_samp',
  variance: 'var_samp',
  var_pop: 'var_pop',
  stddev_samp: 'stddev_samp',
  stddev: 'stddev_samp',
  stddev_pop: 'stddev_pop',
  median: 'quantile_cont',
  quantile_cont: 'quantile_cont',
  quantile_disc: 'quantile_disc',
  quantile: 'quantile_disc',
  string_agg: 'string_agg',
  listagg: 'string_agg',
  group_concat: 'string_agg',
}

/** From which rows can be taken away again. */
export const REMOVABLE: readonly AggregateFunction[] = [
  'count',
  'sum',
  'avg',
  'min',
  'max',
  'bool_and',
  'bool_or',
  'var_samp',
  'var_pop',
  'stddev_samp',
  'stddev_pop',
  'quantile_cont',
  'quantile_disc',
  'string_agg',
]

/** Of DuckDB, and with a state that cannot be merged or has no bound: refused by name. */
const OTHERS = new Set(
  'any_value arbitrary first last mode list array_agg histogram product corr covar_pop covar_samp entropy kurtosis skewness'.split(' '),
)

/** Those of one value, which DuckDB takes by chance where no order is written: `mode` among those that are there equally often. */
const NEAR: Readonly<Record<string, string>> = {
  any_value: 'write min(x), or arg_min(x, time) for the first row',
  arbitrary: 'write min(x), or arg_min(x, time) for the first row',
  first: 'write arg_min(x, time), which leaves nulls out',
  last: 'write arg_max(x, time), which leaves nulls out',
  mode: `of values that are there equally often DuckDB takes one by chance. Count each in its window, and take the largest of the most frequent: SELECT window_start, key, arg_max(x, n) FROM (SELECT window_start, key, x, count(*) AS n FROM tumble(stream, time, INTERVAL 1 MINUTE) GROUP BY ALL) GROUP BY ALL. Without a window, take the best of the counts: SELECT key, x FROM stream GROUP BY key, x QUALIFY row_number() OVER (PARTITION BY key ORDER BY count(*) DESC) = 1`,
}

/** Where a value that several rows have can count once, and where it makes no difference. */
const DISTINCT: readonly AggregateFunction[] = ['count', 'sum', 'avg', 'string_agg']
const ALWAYS_DISTINCT: readonly AggregateFunction[] = ['min', 'max', 'bool_and', 'bool_or']

/** Names of the functions, for the documents. */
export const AGGREGATE_NAMES: readonly string[] = Object.keys(NAMES).filter((name) => name !== 'count_star')

/** Undefined when the call is of no aggregate. @throws MR_PLAN_LIVE_SHAPE. */
export function readAggregate(node: Node, scope: Scope, index: number): Aggregate | undefined {
  const called = String(node['function_name'])
  if (called === 'count_if' || called === 'countif') return readAggregate(asSum(node), scope, index)
  if (OTHERS.has(called)) refuse(`${called}(...)`, node, NEAR[called] ?? `use ${AGGREGATE_NAMES.join(', ')}`)
  const name = Object.hasOwn(NAMES, called) ? NAMES[called] : undefined
  if (!name) return undefined
  const quantile = name === 'quantile_cont' || name === 'quantile_disc' ? readQuantile(node) : null
  const listed = name === 'string_agg' ? readStringAgg(node) : null
  if (!quantile && !listed && (node['order_bys'] as { orders?: unknown[] } | null)?.orders?.length)
    refuse('ORDER BY in an aggregate', node, 'leave it out: arg_min(x, y) and arg_max(x, y) take the value of one row')
  const inner: Scope = {
    ...scope,
    special: (other) => (readNested(other) ? refuse('an aggregate in an aggregate', other) : undefined),
  }
  const one = quantile ?? listed
  const given = (one ? [one.value] : (node['children'] as Node[])).map((child) => readExpression(child, inner))
  const distinct = node['distinct'] === true && given.length > 0 && !ALWAYS_DISTINCT.includes(name)
  if (distinct && !DISTINCT.includes(name)) refuse(`${called}(DISTINCT ...)`, node, `${DISTINCT.join(', ')} take DISTINCT`)
  const where = node['filter'] ? readCondition(node['filter'] as Node, inner) : null
  // Of what has no values between its own the median is one of them.
  const own = called === 'median' && !isBetween(given[0]!.type) ? 'quantile_disc' : name
  const { of, type } = typed(own, given, node, called)
  const more = { ...(quantile ? { fraction: quantile.fraction } : {}), ...(listed ? { list: listed.list } : {}) }
  return { name: `#a${index}`, function: own, of, distinct, where, type, ...more }
}

/** `count_if(x)` is `sum(CASE WHEN x THEN 1 ELSE 0 END)`, and of its type. */
function asSum(node: Node): Node {
  const [test] = node['children'] as Node[]
  const number = (value: number): Node => ({
    class: 'CONSTANT',
    type: 'VALUE_CONSTANT',
    alias: '',
    query_location: node.query_location,
    value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value },
  })
  const cases = { class: 'CASE', type: 'CASE_EXPR', alias: '', query_location: node.query_location }
  return {
    ...node,
    function_name: 'sum',
    children: [{ ...cases, case_checks: [{ when_expr: test, then_expr: number(1) }], else_expr: number(0) }],
  }
}

/** Whether DuckDB takes a value between two others: of times too. */
const isBetween = (type: ValueType): boolean => isNumeric(type) || isTime(type) || type.kind === 'time'

/** Between integers lie doubles. */
const between = (of: Expression): { of: readonly Expression[]; type: ValueType } => ({
  of: [of],
  type: isInteger(of.type) ? DOUBLE : of.type,
})

const readNested = (node: Node): boolean => node.class === 'WINDOW' || Object.hasOwn(NAMES, String(node['function_name']))

function typed(
  name: AggregateFunction,
  of: readonly Expression[],
  node: Node,
  called: string,
): { of: readonly Expression[]; type: ValueType } {
  const [first] = of
  const wrong = (): never => refuse(`${called} of ${of.map(({ type }) => type.kind).join(' and ')}`, node)
  if (of.length !== (name === 'arg_min' || name === 'arg_max' ? 2 : 1) && !(name === 'count' && of.length === 0)) wrong()
  if (first?.type.kind === 'interval' || first?.type.kind === 'null') wrong()
  switch (name) {
    case 'count':
    case 'approx_count_distinct':
      return { of: name === 'count' && first?.op === 'constant' ? [] : of, type: LONG }
    case 'sum': {
      if (!isNumeric(first!.type)) wrong()
      if (first!.type.kind === 'decimal') return { of, type: { ...first!.type, precision: 38 } }
      return isInteger(first!.type) ? { of, type: HUGE } : { of: [castTo(first!, DOUBLE)], type: DOUBLE }
    }
    case 'avg':
    case 'var_samp':
    case 'var_pop':
    case 'stddev_samp':
    case 'stddev_pop':
      if (!isNumeric(first!.type)) wrong()
      return { of: first!.type.kind === 'float' ? [castTo(first!, DOUBLE)] : of, type: DOUBLE }
    case 'quantile_cont':
      if (!isBetween(first!.type))
        refuse(`${called} of ${first!.type.kind}`, node, 'use quantile_disc(x, 0.5), which gives one of the values')
      return between(first!.type.kind === 'date' ? castTo(first!, TIMESTAMP) : first!)
    case 'string_agg':
      if (first!.type.kind !== 'string')
        refuse(`${called} of ${first!.type.kind}`, node, 'CAST(x AS VARCHAR), in the order of the text too')
      return { of, type: STRING }
    case 'bool_and':
    case 'bool_or':
      if (first!.type.kind !== 'boolean') wrong()
      return { of, type: BOOLEAN }
    default:
      return { of, type: first!.type }
  }
}
