// Aggregate functions of live models as Flink SQL: over groups, and over the rows before with OVER.
import { constant, DOUBLE, type Expression, INT, LONG } from './expression.ts'
import { refuseFlink } from './print-flink-call.ts'
import { flinkType, printFlinkExpression } from './print-flink-expression.ts'
import type { Aggregate } from './relation.ts'

/** Flink takes no FILTER beside OVER: a row that it leaves out counts as null. */
export function printOver(aggregate: Aggregate, column: (name: string) => string, over: string): string {
  const { where, of } = aggregate
  if (!where) return printAggregate(aggregate, column, over)
  const [value = constant(1, INT)] = of
  const kept: Expression = {
    op: 'case',
    when: [{ test: where, value }],
    else: constant(null, value.type),
    type: value.type,
    optional: true,
  }
  return printAggregate({ ...aggregate, of: [kept], where: null }, column, over)
}

/** @throws MR_PLAN_FLINK naming what has no equal. */
export function printAggregate({ function: name, of, distinct, where }: Aggregate, column: (name: string) => string, over = ''): string {
  const texts = of.map((value) => printFlinkExpression(value, column))
  const rest = `${where ? ` FILTER (WHERE ${printFlinkExpression(where, column)})` : ''}${over}`
  const [first] = of
  const as = (type: string): string => (flinkType(first!.type) === type ? texts[0]! : `CAST(${texts[0]} AS ${type})`)
  const call = (called: string, text: string): string => `${called.toUpperCase()}(${distinct ? 'DISTINCT ' : ''}${text})${rest}`
  switch (name) {
    case 'count':
      return call(name, texts[0] ?? '*')
    case 'sum':
      return call(name, first!.type.kind === 'int' ? as(flinkType(LONG)) : texts[0]!)
    case 'avg':
    case 'var_samp':
    case 'var_pop':
    case 'stddev_samp':
    case 'stddev_pop':
      return call(name, as(flinkType(DOUBLE)))
    case 'min':
    case 'max':
      return call(name, texts[0]!)
    case 'bool_and':
    case 'bool_or':
      return `(${call(name === 'bool_and' ? 'min' : 'max', `CASE WHEN ${texts[0]} THEN 1 WHEN NOT ${texts[0]} THEN 0 END`)} = 1)`
    case 'approx_count_distinct':
      return refuseFlink('approx_count_distinct over a stream', 'use count(DISTINCT ...)')
    case 'quantile_cont':
    case 'quantile_disc':
    case 'string_agg':
      return refuseFlink(`${name}(...)`, 'keep this model in Millrace')
    default:
      return refuseFlink(`${name}(...)`, 'use QUALIFY row_number() OVER (...) = 1 for the row of an extreme')
  }
}
