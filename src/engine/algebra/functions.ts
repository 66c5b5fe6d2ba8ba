// The functions and operators that live models may call, each with its types: a closed list. A call is resolved as DuckDB
// resolves it, with every implicit cast made explicit; what is not listed is answered by a reason. `docs/reference/live-sql.md`
// is compared with the names here by `test/docs/`.
import { asDecimal, castTo, commonType, inMicros, isExact, isInteger, isNumeric, isTime } from './coerce.ts'
import { BOOLEAN, call, constant, DATETIME, DOUBLE, type Expression, isOptional, LONG, STRING, type ValueType } from './expression.ts'
import { count, type Resolve, type Resolved, typesOf } from './resolve.ts'
import { TEXT_CALLS } from './text-calls.ts'
import { TIME_CALLS } from './time-calls.ts'
import { TIME_TEXTS } from './time-text.ts'

/** TIMESTAMP '...' among datetimes is one. */
function settled(of: readonly Expression[]): readonly Expression[] {
  if (!of.some(({ type }) => type.kind === 'datetime')) return of
  return of.map((expression) => (expression.op === 'constant' && expression.zoneless ? constant(expression.value, DATETIME) : expression))
}

/** Both in their common type. */
export function align(left: Expression, right: Expression): readonly [Expression, Expression] | undefined {
  const [a, b] = settled([left, right]) as [Expression, Expression]
  const isLiteral = (expression: Expression): boolean => expression.op === 'constant' && expression.literal === true
  if (isLiteral(a) && !isLiteral(b)) return [castTo(a, b.type), castTo(b, b.type)]
  if (isLiteral(b) && !isLiteral(a)) return [castTo(a, a.type), castTo(b, a.type)]
  const type = commonType(a.type, b.type)
  return type && [castTo(a, type), castTo(b, type)]
}

/** All in their common type, as CASE, COALESCE, greatest and IN need them. */
export function alignAll(given: readonly Expression[]): readonly Expression[] | undefined {
  const of = settled(given)
  const typed = of.filter((expression) => !(expression.op === 'constant' && expression.literal))
  let type: ValueType | undefined = typed.length === 0 ? STRING : typed[0]!.type
  for (const expression of typed) if (type) type = commonType(type, expression.type)
  if (!type) return undefined
  const found = type.kind === 'null' && typed.length < of.length ? STRING : type
  return of.map((expression) => castTo(expression, found))
}

export const comparison =
  (name: '=' | '<>' | '<' | '<=' | '>' | '>=' | 'distinct_from'): Resolve =>
  (of) => {
    const pair = of.length === 2 ? align(of[0]!, of[1]!) : undefined
    if (!pair) return `between ${typesOf(of)} without a cast`
    if (pair[0].type.kind === 'interval') return 'of intervals'
    return call(name, pair, BOOLEAN, name === 'distinct_from' ? false : pair.some(isOptional))
  }

const arithmetic =
  (name: '+' | '-' | '*' | '%'): Resolve =>
  (of) => {
    if (of.length === 1 && (name === '-' || name === '+')) return sign(name, summed(of[0]!))
    if (of.length !== 2) return count(of, 1, 2)!
    const [a, b] = of.map(summed) as [Expression, Expression]
    const timed = name === '+' || name === '-' ? timeArithmetic(name, a, b) : undefined
    if (timed) return timed
    if (!isNumeric(a.type) || !isNumeric(b.type)) return `of ${typesOf(of)}`
    const isDecimal = (a.type.kind === 'decimal' || b.type.kind === 'decimal') && isExact(a.type) && isExact(b.type)
    return isDecimal ? decimalArithmetic(name, a, b) : plainArithmetic(name, a, b)
  }

/** A sum of integers counts as a decimal of as many digits as it has as a column. */
const summed = (of: Expression): Expression => (of.type.kind === 'huge' ? castTo(of, asDecimal(of.type)) : of)

function sign(name: '+' | '-', of: Expression): Resolved {
  if (!isNumeric(of.type)) return `of ${of.type.kind}`
  if (name === '+') return of
  if (of.op === 'constant' && of.value !== null && isExact(of.type)) {
    const negated = -BigInt(of.value)
    return constant(of.type.kind === 'int' ? Number(negated) : String(negated), of.type)
  }
  return call('neg', [of], of.type)
}

/** Of a divisor: what is divided by 0 is null. */
const mayBeZero = (by: Expression): boolean => by.op !== 'constant' || Number(by.value) === 0

function plainArithmetic(name: '+' | '-' | '*' | '%', a: Expression, b: Expression): Resolved {
  const type = commonType(a.type, b.type)!
  const of = [castTo(a, type), castTo(b, type)]
  return call(name, of, type, of.some(isOptional) || (name === '%' && isInteger(type) && mayBeZero(of[1]!)))
}

/** The widths of DuckDB's decimal operators: one digit more for sums, both widths for products, at most 18 where both had so. */
function decimalArithmetic(name: '+' | '-' | '*' | '%', a: Expression, b: Expression): Resolved {
  const [left, right] = [asDecimal(a.type), asDecimal(b.type)]
  const widest = Math.max(left.precision, right.precision)
  if (name === '*') {
    const scale = left.scale + right.scale
    if (scale > 38) return `of decimals with ${scale} digits after the point`
    let precision = left.precision + right.precision
    if (precision > 18 && widest <= 18 && scale < 18) precision = 18
    const type = { kind: 'decimal', precision: Math.min(38, precision), scale } as const
    return call(name, [castTo(a, left), castTo(b, right)], type)
  }
  const scale = Math.max(left.scale, right.scale)
  const whole = Math.max(left.precision - left.scale, right.precision - right.scale)
  let precision = Math.max(scale + whole, widest) + (name === '%' ? 0 : 1)
  if (precision > 18 && widest <= 18) precision = 18
  const type = { kind: 'decimal', precision: Math.min(38, precision), scale } as const
  const of = [castTo(a, type), castTo(b, type)]
  return call(name, of, type, of.some(isOptional) || (name === '%' && mayBeZero(of[1]!)))
}

/** Dates, datetimes and instants with intervals and days. */
function timeArithmetic(name: '+' | '-', a: Expression, b: Expression): Resolved | undefined {
  if (a.op === 'interval' && name === '+' && b.op !== 'interval') return timeArithmetic(name, b, a)
  if (b.op === 'interval') {
    if (!isTime(a.type)) return `of ${a.type.kind} and an interval`
    const sign = name === '+' ? 1 : -1
    const by = { ...b, months: b.months * sign, days: b.days * sign, micros: b.micros * sign }
    const at = inMicros(a)
    return call('add_interval', [at, by], at.type, isOptional(a))
  }
  if (a.type.kind === 'date' && b.type.kind === 'date' && name === '-') return call('date_minus', [a, b], LONG)
  if (a.type.kind === 'date' && b.type.kind === 'int') return call(name === '+' ? 'date_add' : 'date_sub', [a, b], a.type)
  return undefined
}

const divide: Resolve = (of) => {
  if (of.length !== 2 || !of.every(({ type }) => isNumeric(type))) return `of ${typesOf(of)}`
  const common = commonType(of[0]!.type, of[1]!.type)
  const type = common?.kind === 'float' ? common : DOUBLE
  return call(
    '/',
    of.map((expression) => castTo(expression, type)),
    type,
  )
}

const divideWhole: Resolve = (of) => {
  if (of.length !== 2 || !of.every(({ type }) => type.kind === 'int' || type.kind === 'long'))
    return `of ${typesOf(of)}: it divides integers`
  const type = commonType(of[0]!.type, of[1]!.type)!
  const cast = of.map((expression) => castTo(expression, type))
  return call('//', cast, type, cast.some(isOptional) || mayBeZero(cast[1]!))
}

/** floor, ceil and trunc. */
const rounding =
  (name: string): Resolve =>
  (of) => {
    const wrong = count(of, 1)
    if (wrong) return wrong
    const { type } = of[0]!
    if (type.kind === 'decimal') return call(name, of, { ...type, scale: 0 })
    if (type.kind === 'float' || type.kind === 'double') return call(name, of, type)
    return `of ${type.kind}`
  }

const round: Resolve = (of) => {
  if (of.length === 1) return rounding('round')(of)
  const [value, digits] = of
  if (of.length !== 2 || digits!.op !== 'constant' || digits!.type.kind !== 'int') return 'to digits that are not a constant'
  const { type } = value!
  const to = Number(digits!.value)
  if (type.kind === 'double' && to >= 0 && to <= 15) return call('round_to', of, type)
  if (type.kind === 'decimal' && to >= 0) return to >= type.scale ? value! : call('round_to', of, { ...type, scale: to })
  return `of ${type.kind} to ${to} digits`
}

const absolute: Resolve = (of) => {
  if (of.length !== 1 || !isNumeric(of[0]!.type) || of[0]!.type.kind === 'huge') return `of ${typesOf(of)}`
  return call('abs', of, of[0]!.type)
}

const extreme =
  (name: 'greatest' | 'least'): Resolve =>
  (of) => {
    const aligned = of.length > 0 ? alignAll(of) : undefined
    return aligned ? call(name, aligned, aligned[0]!.type, aligned.every(isOptional)) : `of ${typesOf(of)}`
  }

const coalesce: Resolve = (of) => {
  const aligned = of.length > 0 ? alignAll(of) : undefined
  return aligned ? call('coalesce', aligned, aligned[0]!.type, aligned.every(isOptional)) : `of ${typesOf(of)}`
}

const nullif: Resolve = (of) => {
  const same = comparison('=')(of)
  if (typeof same === 'string') return same
  const value = castTo(of[0]!, of[0]!.type)
  return { op: 'case', when: [{ test: same, value: constant(null, value.type) }], else: value, type: value.type, optional: true }
}

const real =
  (name: string, type: ValueType): Resolve =>
  (of) =>
    of.length === 1 && (of[0]!.type.kind === 'double' || of[0]!.type.kind === 'float')
      ? call(name, of, type === DOUBLE ? of[0]!.type : type)
      : `of ${typesOf(of)}`

/** By DuckDB's names; operators by their signs. */
export const FUNCTIONS: Readonly<Record<string, Resolve>> = {
  '+': arithmetic('+'),
  '-': arithmetic('-'),
  '*': arithmetic('*'),
  '%': arithmetic('%'),
  mod: arithmetic('%'),
  '/': divide,
  '//': divideWhole,
  abs: absolute,
  floor: rounding('floor'),
  ceil: rounding('ceil'),
  ceiling: rounding('ceil'),
  trunc: rounding('trunc'),
  round,
  isnan: real('isnan', BOOLEAN),
  isinf: real('isinf', BOOLEAN),
  greatest: extreme('greatest'),
  least: extreme('least'),
  nullif,
  ...TEXT_CALLS,
  ...TIME_CALLS,
  ...TIME_TEXTS,
}

export const coalesceOf = coalesce
