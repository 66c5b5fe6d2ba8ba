// Typed expressions as DuckDB's SQL: what the same expression is in a batch query. Constants carry their types, every cast is
// written out, so that DuckDB gives each part the type that the expression has.
import { isoDate, isoDatetime, isoInstant, isoTime } from '../../schema/calendar.ts'
import { Decimal } from '../../schema/decimal.ts'
import { toDuckType } from '../../schema/duckdb.ts'
import { quoteName, quoteText } from '../sql-text.ts'
import type { ConstantExpression, Expression, IntervalExpression, ValueType } from './expression.ts'

export function printType(type: ValueType): string {
  if (type.kind === 'huge') return 'HUGEINT'
  if (type.kind === 'interval') return 'INTERVAL'
  return type.kind === 'null' ? 'INTEGER' : toDuckType(type)
}

/** `column`: how a column is named where the text will stand. */
export function printExpression(expression: Expression, column: (name: string) => string = quoteName): string {
  const print = (inner: Expression): string => printExpression(inner, column)
  switch (expression.op) {
    case 'column':
      return column(expression.name)
    case 'constant':
      return printConstant(expression)
    case 'interval':
      return printInterval(expression)
    case 'cast':
      return `${expression.try ? 'TRY_CAST' : 'CAST'}(${print(expression.of)} AS ${printType(expression.type)})`
    case 'case':
      return `CASE ${expression.when.map(({ test, value }) => `WHEN ${print(test)} THEN ${print(value)}`).join(' ')} ELSE ${print(expression.else)} END`
    case 'part':
      return expression.path.reduce((of, name) => `struct_extract(${of}, ${quoteText(name)})`, print(expression.of))
    case 'computed':
      return `(${expression.text.map((piece, i) => piece + (expression.of[i] ? print(expression.of[i]) : '')).join('')})`
    case 'call':
      return printCall(expression.name, expression.of, print)
  }
}

function printConstant({ value, type }: ConstantExpression): string {
  if (value === null) return `CAST(NULL AS ${printType(type)})`
  if (type.kind === 'string') return quoteText(String(value))
  return `CAST(${quoteText(constantText(String(value), type))} AS ${printType(type)})`
}

function constantText(value: string, type: ValueType): string {
  switch (type.kind) {
    case 'decimal':
      return new Decimal(BigInt(value), type.scale).toString()
    case 'date':
      return isoDate(Number(value))
    case 'time':
      return isoTime(Number(value))
    case 'timestamp':
      return isoInstant(BigInt(value))
    case 'datetime':
      return isoDatetime(BigInt(value))
    default:
      return value
  }
}

const printInterval = ({ months, days, micros }: IntervalExpression): string =>
  `(to_months(${months}) + to_days(${days}) + to_microseconds(${micros}))`

const INFIX = new Set(['=', '<>', '<', '<=', '>', '>=', '+', '-', '*', '/', '//', '%', '||'])
const AS_INFIX: Readonly<Record<string, string>> = {
  and: 'AND',
  or: 'OR',
  like: 'LIKE',
  ilike: 'ILIKE',
  distinct_from: 'IS DISTINCT FROM',
  add_interval: '+',
  date_minus: '-',
  date_add: '+',
  date_sub: '-',
}
const AS_FUNCTION: Readonly<Record<string, string>> = { neg: '-', not: 'NOT', round_to: 'round' }
const ORIGIN = "TIMESTAMPTZ '1970-01-01 00:00:00+00'"

function printCall(name: string, of: readonly Expression[], print: (inner: Expression) => string): string {
  const texts = of.map(print)
  const infix = INFIX.has(name) ? name : AS_INFIX[name]
  if (infix) return `(${texts.join(` ${infix} `)})`
  switch (name) {
    case 'is_null':
      return `(${texts[0]} IS NULL)`
    case 'is_not_null':
      return `(${texts[0]} IS NOT NULL)`
    case 'in':
      return `(${texts[0]} IN (${texts.slice(1).join(', ')}))`
    case 'bucket':
      return `time_bucket(${texts.join(', ')}, ${ORIGIN})`
    case 'round_to':
      return `round(${texts[0]}, ${(of[1] as ConstantExpression).value})`
    default:
      return `${AS_FUNCTION[name] ?? name}(${texts.join(', ')})`
  }
}
