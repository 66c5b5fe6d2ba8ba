// Typed expressions as Flink SQL (1.20, the default dialect). Constants carry their types and every cast is written out, as for
// DuckDB; results whose type Flink derives in another way are cast to ours. Integers that overflow wrap in Flink: no text changes that.

import { isoDate, isoDatetime, isoTime } from '../../schema/calendar.ts'
import { Decimal } from '../../schema/decimal.ts'
import type { Inner } from '../../schema/type.ts'
import { quoteText } from '../sql-text.ts'
import { isExact, isInteger } from './coerce.ts'
import type { CastExpression, ConstantExpression, Expression, IntervalExpression, ValueType } from './expression.ts'
import { FLINK_CALLS, refuseFlink } from './print-flink-call.ts'

export const quoteFlink = (name: string): string => `\`${name.replaceAll('`', '``')}\``

/** Names of our own (`#k0`) as Flink takes them; those of users never begin with an underscore. */
export const flinkName = (name: string): string => quoteFlink(name.replace(/^#/, '_'))

/** Event times have milliseconds in Flink: `millis` for the column that is one. */
export function flinkType(type: ValueType, millis = false): string {
  switch (type.kind) {
    case 'boolean':
      return 'BOOLEAN'
    case 'int':
      return 'INT'
    case 'long':
      return 'BIGINT'
    case 'float':
      return 'FLOAT'
    case 'double':
      return 'DOUBLE'
    case 'decimal':
      return `DECIMAL(${type.precision}, ${type.scale})`
    case 'huge':
      return 'BIGINT'
    case 'date':
      return 'DATE'
    case 'time':
      return 'TIME(3)'
    case 'timestamp':
      return millis ? 'TIMESTAMP_LTZ(3)' : 'TIMESTAMP_LTZ(6)'
    case 'datetime':
      return 'TIMESTAMP(6)'
    case 'binary':
      return 'BYTES'
    case 'struct':
      return `ROW<${type.fields.map((field) => `${quoteFlink(field.name)} ${innerType(field)}`).join(', ')}>`
    case 'list':
      return `ARRAY<${innerType(type.element)}>`
    case 'map':
      return `MAP<${flinkType(type.key)} NOT NULL, ${innerType(type.value)}>`
    case 'interval':
      return refuseFlink('an interval as a value', 'use it in an addition alone')
    case 'null':
      return 'INT'
    default:
      return 'STRING'
  }
}

const innerType = ({ type, optional }: Inner): string => `${flinkType(type)}${optional ? '' : ' NOT NULL'}`

/** `column`: how a column is read where the text will stand. @throws MR_PLAN_FLINK naming what has no equal. */
export function printFlinkExpression(expression: Expression, column: (name: string) => string = flinkName): string {
  const print = (inner: Expression): string => printFlinkExpression(inner, column)
  switch (expression.op) {
    case 'column':
      return column(expression.name)
    case 'constant':
      return printConstant(expression)
    case 'interval':
      return printInterval(expression)
    case 'cast':
      return printCast(expression, print(expression.of))
    case 'case':
      return `CASE ${expression.when.map(({ test, value }) => `WHEN ${print(test)} THEN ${print(value)}`).join(' ')} ELSE ${print(expression.else)} END`
    case 'part':
      return [print(expression.of), ...expression.path.map(quoteFlink)].join('.')
    case 'computed':
      return refuseFlink('an expression that DuckDB computes', 'keep this model in Millrace')
    case 'call': {
      const called = FLINK_CALLS[expression.name] ?? refuseFlink(`${expression.name}(...)`, 'keep this model in Millrace')
      return typed(called(expression.of.map(print), expression.of), expression.type, expression.name)
    }
  }
}

/** Decimals of arithmetic in our width; parts of a date as BIGINT. */
function typed(text: string, type: ValueType, name: string): string {
  const isComputed = type.kind === 'decimal' && !['coalesce', 'greatest', 'least'].includes(name)
  return isComputed || (type.kind === 'long' && name === 'date_part') ? `CAST(${text} AS ${flinkType(type)})` : text
}

function printConstant({ value, type }: ConstantExpression): string {
  if (value === null) return `CAST(NULL AS ${flinkType(type)})`
  switch (type.kind) {
    case 'boolean':
      return value ? 'TRUE' : 'FALSE'
    case 'int':
      return String(value)
    case 'string':
    case 'uuid':
    case 'json':
    case 'enum':
      return quoteText(String(value))
    case 'decimal':
      return `CAST(${quoteText(new Decimal(BigInt(value), type.scale).toString())} AS ${flinkType(type)})`
    case 'date':
      return `DATE ${quoteText(isoDate(Number(value)))}`
    case 'time':
      return `TIME ${quoteText(isoTime(Number(value)))}`
    case 'timestamp':
    case 'datetime':
      return `CAST(${quoteText(isoDatetime(BigInt(value)).replace('T', ' '))} AS ${flinkType(type)})`
    case 'double':
    case 'float':
      if (!Number.isFinite(Number(value))) return refuseFlink(`the constant ${value}`, 'compare with a finite number')
      return `CAST(${quoteText(String(value))} AS ${flinkType(type)})`
    default:
      return `CAST(${value} AS ${flinkType(type)})`
  }
}

const UNITS: readonly (readonly [unit: string, micros: number])[] = [
  ['DAY', 86_400_000_000],
  ['HOUR', 3_600_000_000],
  ['MINUTE', 60_000_000],
]

/** A length of time in the largest unit that it is a multiple of. */
export function flinkInterval(micros: number): string {
  const size = Math.abs(micros)
  const sign = micros < 0 ? '-' : ''
  if (size % 1_000 !== 0) refuseFlink(`a length of ${micros} microseconds`, 'use whole milliseconds')
  const fits = ([, unit]: readonly [string, number]): boolean => size > 0 && size % unit === 0
  const [unit, of] = UNITS.find(fits) ?? ['SECOND', 1_000_000]
  const count = size / of
  const digits = String(Math.trunc(count)).length
  return `INTERVAL ${sign}'${count}' ${unit}${digits > 2 ? `(${digits})` : ''}`
}

function printInterval({ months, days, micros }: IntervalExpression): string {
  const fixed = days * 86_400_000_000 + micros
  if (months === 0) return flinkInterval(fixed)
  const digits = String(Math.abs(months)).length
  const text = `INTERVAL ${months < 0 ? '-' : ''}'${Math.abs(months)}' MONTH${digits > 2 ? `(${digits})` : ''}`
  return fixed === 0 ? text : `${text} + ${flinkInterval(fixed)}`
}

function printCast({ of, type, try: isTry }: CastExpression, text: string): string {
  const target = flinkType(type)
  const [from, to] = [of.type.kind, type.kind]
  if (to === 'string') return castToText(of, text)
  if (isInteger(type) && (from === 'double' || from === 'float') && !isRounded(of))
    return refuseFlink(
      `CAST of a ${from} to ${target}, which Flink cuts and DuckDB rounds,`,
      'round(...), floor(...) or trunc(...) it first',
    )
  const value = isInteger(type) && from === 'decimal' ? `ROUND(${text}, 0)` : text
  if (isExact(type) && from === 'string') return `${isTry ? 'TRY_CAST' : 'CAST'}(TRIM(${text}) AS ${target})`
  return `${isTry ? 'TRY_CAST' : 'CAST'}(${value} AS ${target})`
}

const isRounded = (of: Expression): boolean => of.op === 'call' && ['floor', 'ceil', 'trunc', 'round'].includes(of.name)

function castToText(of: Expression, text: string): string {
  const { kind } = of.type
  if (kind === 'boolean') return `LOWER(CAST(${text} AS STRING))`
  if (['double', 'float', 'timestamp', 'datetime', 'time', 'binary'].includes(kind))
    return refuseFlink(`CAST of a ${kind} to text, which the two write differently,`, 'leave it as it is')
  return `CAST(${text} AS STRING)`
}
