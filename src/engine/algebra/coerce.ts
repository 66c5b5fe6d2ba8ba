// DuckDB's implicit casts as rules over types: which type two operands meet in, and an expression brought to a type. Constants
// are cast here and now, where that is exact. It relies on types alone; test/stream/ holds it to DuckDB.
import { MillraceError } from '../../core/errors.ts'
import { daysOf } from '../../schema/calendar.ts'
import { Decimal } from '../../schema/decimal.ts'
import { Instant } from '../../schema/instant.ts'
import type { Type } from '../../schema/type.ts'
import { type ConstantExpression, constant, type Expression, isOptional, sameValueType, TIMESTAMP, type ValueType } from './expression.ts'

/** How a column's type takes part in expressions: enums and JSON are text. */
export const valueTypeOf = (type: Type): ValueType => (type.kind === 'enum' || type.kind === 'json' ? { kind: 'string' } : type)

/** Null is text where text is wanted. */
export const isText = (expression: Expression): boolean => expression.type.kind === 'string' || expression.type.kind === 'null'

export const isConstantText = (expression: Expression | undefined): expression is ConstantExpression & { value: string } =>
  expression?.op === 'constant' && typeof expression.value === 'string' && expression.type.kind === 'string'

const RANK: Partial<Record<ValueType['kind'], number>> = { int: 1, long: 2, huge: 3, decimal: 4, float: 5, double: 6 }

export const isNumeric = (type: ValueType): boolean => RANK[type.kind] !== undefined
export const isInteger = (type: ValueType): boolean => type.kind === 'int' || type.kind === 'long' || type.kind === 'huge'
export const isExact = (type: ValueType): boolean => isInteger(type) || type.kind === 'decimal'

/** Integers as decimals: as many digits as the type can have. */
export function asDecimal(type: ValueType): { kind: 'decimal'; precision: number; scale: number } {
  if (type.kind === 'decimal') return type
  return { kind: 'decimal', precision: type.kind === 'int' ? 10 : type.kind === 'long' ? 19 : 38, scale: 0 }
}

/** The type in which both are compared, and which CASE and COALESCE give; undefined where DuckDB wants an explicit cast. */
export function commonType(a: ValueType, b: ValueType): ValueType | undefined {
  if (sameValueType(a, b)) return a
  if (a.kind === 'null') return b
  if (b.kind === 'null') return a
  if (isNumeric(a) && isNumeric(b)) return commonNumber(a, b)
  const rank = (type: ValueType): number => TIMES.indexOf(type.kind)
  if (rank(a) >= 0 && rank(b) >= 0) return rank(a) > rank(b) ? a : b
  return undefined
}

/** Each is cast to those behind it. Sessions are in UTC: the same microseconds. */
const TIMES: readonly ValueType['kind'][] = ['date', 'datetime', 'timestamp']

export const isTime = (type: ValueType): boolean => TIMES.includes(type.kind)

function commonNumber(a: ValueType, b: ValueType): ValueType | undefined {
  const higher = RANK[a.kind]! > RANK[b.kind]! ? a : b
  if (a.kind !== 'decimal' && b.kind !== 'decimal') return higher
  if (higher.kind !== 'decimal') return higher
  const [left, right] = [asDecimal(a), asDecimal(b)]
  const scale = Math.max(left.scale, right.scale)
  const precision = Math.max(left.precision - left.scale, right.precision - right.scale) + scale
  return precision > 38 ? undefined : { kind: 'decimal', precision, scale }
}

/** What a constant has to be for its type: thrown as the plan's refusal, without a place. */
const unfit = (value: unknown, type: ValueType): MillraceError =>
  new MillraceError('MR_PLAN_LIVE_SHAPE', `"${value}" is no ${type.kind}, which`, { fix: 'write a constant of the type that it meets' })

/** @throws MR_PLAN_LIVE_SHAPE for a text literal that is no value of the type. */
export function castTo(of: Expression, type: ValueType, isTry = false): Expression {
  if (sameValueType(of.type, type) && !(of.op === 'constant' && of.literal)) return of
  const folded = of.op === 'constant' ? foldConstant(of, type) : undefined
  return folded ?? { op: 'cast', of, type, optional: isTry || isOptional(of), try: isTry }
}

/** A date as the instant of its midnight; datetimes and instants as they are. */
export const inMicros = (of: Expression): Expression => (of.type.kind === 'datetime' ? of : castTo(of, TIMESTAMP))

function foldConstant(from: ConstantExpression, type: ValueType): ConstantExpression | undefined {
  if (from.value === null) return constant(null, type)
  if (from.literal) return foldText(String(from.value), type)
  if (!isExact(from.type)) return undefined
  const number = new Decimal(BigInt(from.value), from.type.kind === 'decimal' ? from.type.scale : 0)
  return foldNumber(number, type)
}

function foldNumber(number: Decimal, type: ValueType): ConstantExpression | undefined {
  if (type.kind === 'double' || type.kind === 'float') {
    const value = number.toNumber()
    return constant(type.kind === 'float' ? Math.fround(value) : value, type)
  }
  if (!isExact(type)) return undefined
  const { scale, precision } = type.kind === 'int' ? { scale: 0, precision: 9 } : asDecimal(type)
  const rounded = number.round(scale, 'half-up')
  if (rounded.scale > scale) return undefined
  const unscaled = rounded.unscaled * 10n ** BigInt(scale - rounded.scale)
  if (unscaled >= 10n ** BigInt(precision) || unscaled <= -(10n ** BigInt(precision))) return undefined
  return constant(type.kind === 'int' ? Number(unscaled) : String(unscaled), type)
}

function foldText(text: string, type: ValueType): ConstantExpression | undefined {
  switch (type.kind) {
    case 'string':
      return constant(text, type)
    case 'uuid':
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw unfit(text, type)
      return constant(text.toLowerCase(), type)
    case 'boolean':
      if (!/^(t|f|true|false|1|0|yes|no)$/i.test(text)) throw unfit(text, type)
      return constant(/^(t|true|1|yes)$/i.test(text), type)
    case 'date':
      return constant(daysIn(text, type), type)
    case 'timestamp':
    case 'datetime':
      return constant(String(instantIn(text, type)), type)
    case 'time':
      return constant(String(timeIn(text, type)), type)
    case 'double':
    case 'float':
      return foldDouble(text, type)
    case 'int':
    case 'long':
    case 'huge':
    case 'decimal':
      if (!/^[+-]?\d+(\.\d+)?$/.test(text)) throw unfit(text, type)
      return foldNumber(Decimal.from(text.replace(/^\+/, '')), type)
    default:
      throw unfit(text, type)
  }
}

function foldDouble(text: string, type: ValueType): ConstantExpression {
  const named = /^([+-]?)(nan|inf|infinity)$/i.exec(text)
  if (named) return constant(/nan/i.test(named[2]!) ? 'NaN' : named[1] === '-' ? '-Infinity' : 'Infinity', type)
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) throw unfit(text, type)
  const value = type.kind === 'float' ? Math.fround(Number(text)) : Number(text)
  return constant(doubleValue(value), type)
}

/** JSON has neither -0 nor infinities. */
const doubleValue = (value: number): number | string => (Object.is(value, -0) ? '-0' : Number.isFinite(value) ? value : String(value))

function daysIn(text: string, type: ValueType): number {
  const match = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text)
  if (!match) throw unfit(text, type)
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const last = month < 1 || month > 12 ? 0 : daysOf(month === 12 ? year + 1 : year, (month % 12) + 1, 1) - daysOf(year, month, 1)
  if (day < 1 || day > last) throw unfit(text, type)
  return daysOf(year, month, day)
}

function instantIn(text: string, type: ValueType): bigint {
  const match = /^(\d{4}-\d{2}-\d{2})(?:[ T](\d{2}:\d{2})(:\d{2}(?:\.\d{1,6})?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?)?$/.exec(text)
  // DuckDB passes over the offset of a datetime: it is left to it.
  if (!match || (match[4] !== undefined && type.kind === 'datetime')) throw unfit(text, type)
  const zone =
    match[4] === undefined ? 'Z' : /^[+-]\d{2}$/.test(match[4]) ? `${match[4]}:00` : match[4].replace(/^([+-]\d{2})(\d{2})$/, '$1:$2')
  try {
    return BigInt(Instant.fromIso(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? ':00'}${zone}`).epochMicros)
  } catch {
    throw unfit(text, type)
  }
}

function timeIn(text: string, type: ValueType): bigint {
  const match = /^(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?$/.exec(text)
  if (!match) throw unfit(text, type)
  const seconds = Number(match[1]) * 3_600 + Number(match[2]) * 60 + Number(match[3] ?? 0)
  return BigInt(seconds) * 1_000_000n + BigInt((match[4] ?? '').padEnd(6, '0'))
}
