// The functions and operators that live models may call, each with its types: a closed list. A call is resolved as DuckDB
// resolves it, with every implicit cast made explicit; what is not listed is answered by a reason. `docs/reference/live-sql.md`
// is compared with the names here by `test/docs/`.
import { asDecimal, castTo, commonType, isExact, isInteger, isNumeric } from './coerce.ts'
import {
  BOOLEAN,
  type ConstantExpression,
  call,
  constant,
  DOUBLE,
  type Expression,
  isOptional,
  LONG,
  STRING,
  TIMESTAMP,
  type ValueType,
} from './expression.ts'

/** An expression, or why there is none, to be read after the name of the function. */
export type Resolved = Expression | string

type Resolve = (of: readonly Expression[]) => Resolved

const count = (of: readonly Expression[], ...allowed: readonly number[]): string | undefined =>
  allowed.includes(of.length) ? undefined : `with ${of.length} arguments`

const isText = (expression: Expression): boolean => expression.type.kind === 'string' || expression.type.kind === 'null'

const isConstantText = (expression: Expression | undefined): expression is ConstantExpression & { value: string } =>
  expression?.op === 'constant' && typeof expression.value === 'string' && expression.type.kind === 'string'

/** Both in their common type. */
export function align(a: Expression, b: Expression): readonly [Expression, Expression] | undefined {
  const isLiteral = (expression: Expression): boolean => expression.op === 'constant' && expression.literal === true
  if (isLiteral(a) && !isLiteral(b)) return [castTo(a, b.type), castTo(b, b.type)]
  if (isLiteral(b) && !isLiteral(a)) return [castTo(a, a.type), castTo(b, a.type)]
  const type = commonType(a.type, b.type)
  return type && [castTo(a, type), castTo(b, type)]
}

/** All in their common type, as CASE, COALESCE, greatest and IN need them. */
export function alignAll(of: readonly Expression[]): readonly Expression[] | undefined {
  const typed = of.filter((expression) => !(expression.op === 'constant' && expression.literal))
  let type: ValueType | undefined = typed.length === 0 ? STRING : typed[0]!.type
  for (const expression of typed) if (type) type = commonType(type, expression.type)
  if (!type) return undefined
  const found = type.kind === 'null' && typed.length < of.length ? STRING : type
  return of.map((expression) => castTo(expression, found))
}

const typesOf = (of: readonly Expression[]): string => of.map(({ type }) => type.kind).join(' and ')

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
    if (of.length === 1 && (name === '-' || name === '+')) return sign(name, of[0]!)
    const [a, b] = of as readonly [Expression, Expression]
    if (of.length !== 2) return count(of, 1, 2)!
    const timed = name === '+' || name === '-' ? timeArithmetic(name, a, b) : undefined
    if (timed) return timed
    if (!isNumeric(a.type) || !isNumeric(b.type)) return `of ${typesOf(of)}`
    if ([a, b].some(({ type }) => type.kind === 'huge')) return 'of a sum of integers: cast it to BIGINT or DECIMAL first'
    const isDecimal = (a.type.kind === 'decimal' || b.type.kind === 'decimal') && isExact(a.type) && isExact(b.type)
    return isDecimal ? decimalArithmetic(name, a, b) : plainArithmetic(name, a, b)
  }

function sign(name: '+' | '-', of: Expression): Resolved {
  if (!isNumeric(of.type) || of.type.kind === 'huge') return `of ${of.type.kind}`
  if (name === '+') return of
  if (of.op === 'constant' && of.value !== null && isExact(of.type)) {
    const negated = -BigInt(of.value)
    return constant(of.type.kind === 'int' ? Number(negated) : String(negated), of.type)
  }
  return call('neg', [of], of.type)
}

function plainArithmetic(name: '+' | '-' | '*' | '%', a: Expression, b: Expression): Resolved {
  const type = commonType(a.type, b.type)!
  const of = [castTo(a, type), castTo(b, type)]
  return call(name, of, type, name === '%' && isInteger(type) ? true : of.some(isOptional))
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
  return call(name, of, type, name === '%' ? true : of.some(isOptional))
}

/** Dates and instants with intervals and days. */
function timeArithmetic(name: '+' | '-', a: Expression, b: Expression): Resolved | undefined {
  if (a.op === 'interval' && name === '+' && b.op !== 'interval') return timeArithmetic(name, b, a)
  if (b.op === 'interval') {
    if (a.type.kind !== 'timestamp' && a.type.kind !== 'date') return `of ${a.type.kind} and an interval`
    const sign = name === '+' ? 1 : -1
    const by = { ...b, months: b.months * sign, days: b.days * sign, micros: b.micros * sign }
    return call('add_interval', [castTo(a, TIMESTAMP), by], TIMESTAMP, isOptional(a))
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
  return call(
    '//',
    of.map((expression) => castTo(expression, type)),
    type,
    true,
  )
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

/** Functions whose arguments are all text. */
const ofText =
  (name: string, type: ValueType, ...counts: readonly number[]): Resolve =>
  (of) => {
    const wrong = count(of, ...counts)
    if (wrong) return wrong
    if (!of.every(isText)) return `of ${typesOf(of)}`
    return call(
      name,
      of.map((expression) => castTo(expression, STRING)),
      type,
    )
  }

/** Text first, whole numbers after it. */
const textAndCounts =
  (name: string, ...counts: readonly number[]): Resolve =>
  (of) => {
    const wrong = count(of, ...counts)
    if (wrong) return wrong
    const [text, ...rest] = of
    if (!isText(text!) || !rest.every(({ type }) => type.kind === 'int' || type.kind === 'long')) return `of ${typesOf(of)}`
    return call(name, [castTo(text!, STRING), ...rest.map((expression) => castTo(expression, LONG))], STRING)
  }

const pad =
  (name: string): Resolve =>
  (of) => {
    if (of.length !== 3 || !isText(of[0]!) || of[1]!.type.kind !== 'int' || !isText(of[2]!)) return `of ${typesOf(of)}`
    if (isConstantText(of[2]) && of[2].value === '') return 'with an empty padding'
    return call(name, [castTo(of[0]!, STRING), castTo(of[1]!, LONG), castTo(of[2]!, STRING)], STRING)
  }

const splitPart: Resolve = (of) => {
  if (of.length !== 3 || !isText(of[0]!) || !isText(of[1]!) || !isInteger(of[2]!.type)) return `of ${typesOf(of)}`
  return call('split_part', [castTo(of[0]!, STRING), castTo(of[1]!, STRING), castTo(of[2]!, LONG)], STRING)
}

/** `||` is null when either is, concat leaves nulls out. */
const joined =
  (name: '||' | 'concat'): Resolve =>
  (of) => {
    if (of.length === 0 || (name === '||' && of.length !== 2)) return count(of, 2)!
    if (of.some(({ type }) => type.kind === 'binary' || type.kind === 'interval')) return `of ${typesOf(of)}`
    const texts = of.map((expression) => castTo(expression, STRING))
    return call(name, texts, STRING, name === 'concat' ? false : texts.some(isOptional))
  }

const like =
  (isNegated: boolean, isCaseless: boolean): Resolve =>
  (of) => {
    if (of.length !== 2 || !isText(of[0]!) || !isConstantText(of[1])) return 'with a pattern that is not a constant'
    if (isCaseless && /[^\x20-\x7e]/.test(of[1].value)) return 'with a pattern beyond ASCII'
    if (of[1].value.includes('\\')) return 'with a backslash in its pattern'
    const test = call(isCaseless ? 'ilike' : 'like', [of[0]!, castTo(of[1], STRING)], BOOLEAN)
    return isNegated ? call('not', [test], BOOLEAN) : test
  }

/**
 * What RE2 and JavaScript read alike: literals, classes, groups, alternatives, anchors, and repetition. No backslash but
 * before punctuation and in \d, \w, \D, \W; no look-around, flags within, or names.
 */
const PLAIN_PATTERN =
  /^(?:[^\\()[\]{}*+?|]|\\[dwDW.*+?()[\]{}|^$/-]|\((?:\?:|(?!\?))|\)|\[\^?(?:[^\\[\]]|\\[dw.*+?()[\]{}|^$/-])+\]|\{\d{1,3}(?:,\d{0,3})?\}|[*+?]\??|\|)*$/

const regexp =
  (name: string): Resolve =>
  (of) => {
    if (of.length !== 2 || !isText(of[0]!) || !isConstantText(of[1])) return 'with a pattern that is not a constant'
    if (!isSharedPattern(of[1].value)) return `with the pattern ${of[1].value}, which RE2 and JavaScript may read differently`
    return call(name, [of[0]!, castTo(of[1], STRING)], BOOLEAN)
  }

function isSharedPattern(pattern: string): boolean {
  if (!PLAIN_PATTERN.test(pattern)) return false
  try {
    return new RegExp(pattern, 'u') !== undefined
  } catch {
    return false
  }
}

const jsonText: Resolve = (of) => {
  if (of.length !== 2 || !isText(of[0]!) || !isConstantText(of[1])) return 'with a path that is not a constant'
  const path = of[1].value
  const isPath = /^\$(?:\.[A-Za-z_]\w*|\[\d+\])*$/.test(path) || /^[A-Za-z_]\w*$/.test(path)
  if (!isPath) return `with the path ${path}: names and positions only, such as $.a.b[0]`
  return call('json_extract_string', [of[0]!, castTo(of[1], STRING)], STRING, true)
}

export const DATE_PARTS = [
  'year',
  'quarter',
  'month',
  'week',
  'day',
  'dayofyear',
  'dayofweek',
  'isodow',
  'hour',
  'minute',
  'second',
  'millisecond',
  'microsecond',
  'epoch',
] as const

const PART_NAMES: Readonly<Record<string, string>> = {
  years: 'year',
  quarters: 'quarter',
  months: 'month',
  weeks: 'week',
  days: 'day',
  dow: 'dayofweek',
  weekday: 'dayofweek',
  doy: 'dayofyear',
  hours: 'hour',
  minutes: 'minute',
  seconds: 'second',
  milliseconds: 'millisecond',
  microseconds: 'microsecond',
}

const TRUNCATIONS = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond', 'microsecond']

function partOf(expression: Expression | undefined, allowed: readonly string[]): string | undefined {
  if (!isConstantText(expression)) return undefined
  const name = expression.value.toLowerCase()
  const part = PART_NAMES[name] ?? name
  return allowed.includes(part) ? part : undefined
}

const datePart: Resolve = (of) => {
  const part = partOf(of[0], DATE_PARTS)
  const isDated = of[1]?.type.kind === 'timestamp' || of[1]?.type.kind === 'date'
  if (of.length !== 2 || !part || !isDated) return `with a part other than ${DATE_PARTS.join(', ')} of a date or timestamp`
  return call('date_part', [constant(part, STRING), castTo(of[1]!, TIMESTAMP)], part === 'epoch' ? DOUBLE : LONG)
}

const dateTrunc: Resolve = (of) => {
  const part = partOf(of[0], TRUNCATIONS)
  const isDated = of[1]?.type.kind === 'timestamp' || of[1]?.type.kind === 'date'
  if (of.length !== 2 || !part || !isDated) return `with a part other than ${TRUNCATIONS.join(', ')} of a date or timestamp`
  return call('date_trunc', [constant(part, STRING), castTo(of[1]!, TIMESTAMP)], TIMESTAMP)
}

const timeBucket: Resolve = (of) => {
  const [width, time] = of
  if (of.length !== 2 || width?.op !== 'interval' || width.months !== 0 || time?.type.kind !== 'timestamp')
    return 'other than of an interval of fixed length and a timestamp'
  return call('time_bucket', [width, time], TIMESTAMP, isOptional(time))
}

const epoch =
  (name: string): Resolve =>
  (of) =>
    of.length === 1 && of[0]!.type.kind === 'timestamp' ? call(name, of, LONG) : `of ${typesOf(of)}`

const part =
  (name: string): Resolve =>
  (of) =>
    datePart([constant(name, STRING), ...of])

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
  lower: ofText('lower', STRING, 1),
  upper: ofText('upper', STRING, 1),
  length: ofText('length', LONG, 1),
  strlen: ofText('strlen', LONG, 1),
  trim: ofText('trim', STRING, 1),
  ltrim: ofText('ltrim', STRING, 1),
  rtrim: ofText('rtrim', STRING, 1),
  replace: ofText('replace', STRING, 3),
  contains: ofText('contains', BOOLEAN, 2),
  starts_with: ofText('starts_with', BOOLEAN, 2),
  prefix: ofText('starts_with', BOOLEAN, 2),
  ends_with: ofText('ends_with', BOOLEAN, 2),
  suffix: ofText('ends_with', BOOLEAN, 2),
  strpos: ofText('strpos', LONG, 2),
  instr: ofText('strpos', LONG, 2),
  position: ofText('strpos', LONG, 2),
  substring: textAndCounts('substring', 2, 3),
  substr: textAndCounts('substring', 2, 3),
  left: textAndCounts('left', 2),
  right: textAndCounts('right', 2),
  repeat: textAndCounts('repeat', 2),
  lpad: pad('lpad'),
  rpad: pad('rpad'),
  split_part: splitPart,
  '||': joined('||'),
  concat: joined('concat'),
  '~~': like(false, false),
  '!~~': like(true, false),
  '~~*': like(false, true),
  '!~~*': like(true, true),
  regexp_matches: regexp('regexp_matches'),
  regexp_full_match: regexp('regexp_full_match'),
  json_extract_string: jsonText,
  '->>': jsonText,
  date_part: datePart,
  datepart: datePart,
  date_trunc: dateTrunc,
  datetrunc: dateTrunc,
  time_bucket: timeBucket,
  epoch_ms: epoch('epoch_ms'),
  epoch_us: epoch('epoch_us'),
  year: part('year'),
  quarter: part('quarter'),
  month: part('month'),
  week: part('week'),
  day: part('day'),
  dayofweek: part('dayofweek'),
  dayofyear: part('dayofyear'),
  hour: part('hour'),
  minute: part('minute'),
  second: part('second'),
}

export const coalesceOf = coalesce
