// Times as text and counts of units between times, said by what the expression compiler has: calendar fields, truncation, padding.
// They are those of DuckDB, in UTC; what is not listed is left to it.
import { castTo, inMicros, isConstantText, isTime } from './coerce.ts'
import { call, constant, DATE, type Expression, INT, isOptional, LONG, STRING } from './expression.ts'
import { type Resolve, typesOf } from './resolve.ts'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = 'January February March April May June July August September October November December'.split(' ')

const long = (value: number): Expression => constant(String(value), LONG)
const over = (name: string, a: Expression, b: Expression): Expression => call(name, [a, b], LONG)
/** By a constant that is not 0, which gives no null. */
const divided = (name: '%' | '//', value: Expression, by: number): Expression => call(name, [value, long(by)], LONG, isOptional(value))
const part = (name: string, at: Expression): Expression => call('date_part', [constant(name, STRING), at], LONG)
const text = (value: Expression): Expression => castTo(value, STRING)
const padded = (value: Expression, digits: number): Expression =>
  call('lpad', [text(value), constant(digits, INT), constant('0', STRING)], STRING)

/** The text at the place that the number says, which begins at `first`. */
function named(value: Expression, names: readonly string[], first: number): Expression {
  const when = names.map((name, i) => ({ test: call('=', [value, long(first + i)], { kind: 'boolean' }), value: constant(name, STRING) }))
  return { op: 'case', when, else: constant(null, STRING), type: STRING, optional: true }
}

const twelve = (at: Expression): Expression => over('+', divided('%', over('+', part('hour', at), long(11)), 12), long(1))

/** Specifiers of strftime: a number with its digits; `-` before the letter leaves them out. */
const NUMBERS: Readonly<Record<string, readonly [digits: number, value: (at: Expression) => Expression]>> = {
  Y: [4, (at) => part('year', at)],
  y: [2, (at) => divided('%', part('year', at), 100)],
  m: [2, (at) => part('month', at)],
  d: [2, (at) => part('day', at)],
  j: [3, (at) => part('dayofyear', at)],
  H: [2, (at) => part('hour', at)],
  I: [2, twelve],
  M: [2, (at) => part('minute', at)],
  S: [2, (at) => part('second', at)],
  g: [3, (at) => divided('%', part('millisecond', at), 1_000)],
  f: [6, (at) => divided('%', part('microsecond', at), 1_000_000)],
  w: [1, (at) => part('dayofweek', at)],
  u: [1, (at) => part('isodow', at)],
}

const short = (names: readonly string[]): string[] => names.map((name) => name.slice(0, 3))

const TEXTS: Readonly<Record<string, (at: Expression) => Expression>> = {
  A: (at) => named(part('dayofweek', at), DAYS, 0),
  a: (at) => named(part('dayofweek', at), short(DAYS), 0),
  B: (at) => named(part('month', at), MONTHS, 1),
  b: (at) => named(part('month', at), short(MONTHS), 1),
  p: (at) => named(divided('//', part('hour', at), 12), ['AM', 'PM'], 0),
  '%': () => constant('%', STRING),
}

const strftime: Resolve = (of) => {
  const [time, format] = of
  if (of.length !== 2 || !isTime(time!.type) || !isConstantText(format)) return 'other than of a time and a constant format'
  const at = inMicros(time!)
  const pieces = format.value.match(/%-?.?|[^%]+/gs) ?? []
  const texts = pieces.map((piece) => (piece.startsWith('%') ? specified(piece, at) : constant(piece, STRING)))
  const isOfTime = texts.some((value) => value !== undefined && value.op !== 'constant')
  if (texts.includes(undefined) || !isOfTime) return `with the format ${format.value}`
  return (texts as Expression[]).reduce((all, one) => call('||', [all, one], STRING))
}

function specified(piece: string, at: Expression): Expression | undefined {
  const letter = piece.at(-1)!
  const number = Object.hasOwn(NUMBERS, letter) ? NUMBERS[letter] : undefined
  if (piece.length === 3) return number && letter !== 'Y' && letter !== 'f' && letter !== 'g' ? text(number[1](at)) : undefined
  if (number) return padded(number[1](at), number[0])
  return piece.length === 2 && Object.hasOwn(TEXTS, letter) ? TEXTS[letter]!(at) : undefined
}

const nameOfTime =
  (letter: 'A' | 'B'): Resolve =>
  (of) =>
    of.length === 1 && isTime(of[0]!.type) ? TEXTS[letter]!(inMicros(of[0]!)) : `of ${typesOf(of)}`

const lastDay: Resolve = (of) => {
  if (of.length !== 1 || !isTime(of[0]!.type)) return `of ${typesOf(of)}`
  const at = inMicros(of[0]!)
  const month = call('date_trunc', [constant('month', STRING), at], at.type)
  const next = { op: 'interval', months: 1, days: -1, micros: 0, type: { kind: 'interval' } } as const
  return castTo(call('add_interval', [month, next], at.type, isOptional(at)), DATE)
}

/** Microseconds of units of one length. Where DuckDB's weeks begin depends on the type and the side of 1970: they are left to it. */
const UNITS: Readonly<Record<string, number>> = {
  microsecond: 1,
  millisecond: 1_000,
  second: 1_000_000,
  minute: 60_000_000,
  hour: 3_600_000_000,
  day: 86_400_000_000,
}

/** Of a year, for units that have several lengths. */
const IN_YEAR: Readonly<Record<string, number>> = { month: 12, quarter: 4, year: 1 }

/** Borders of units between two times. */
const dateDiff: Resolve = (of) => {
  const [unit, from, until] = of
  if (of.length !== 3 || !isConstantText(unit) || !isTime(from!.type) || !isTime(until!.type))
    return 'other than of a constant unit and two times'
  const name = unit.value.toLowerCase().replace(/s$/, '')
  const units = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined
  if (units === undefined && !Object.hasOwn(IN_YEAR, name)) return `with the unit ${unit.value}`
  const count = (time: Expression): Expression => {
    const at = inMicros(time)
    if (units === undefined) return ordinal(name, at)
    return call('epoch_us', [units === 1 ? at : call('date_trunc', [constant(name, STRING), at], at.type)], LONG)
  }
  const difference = over('-', count(until!), count(from!))
  return units === undefined || units === 1 ? difference : divided('//', difference, units)
}

function ordinal(unit: string, at: Expression): Expression {
  const years = over('*', part('year', at), long(IN_YEAR[unit]!))
  return unit === 'year' ? years : over('+', years, part(unit, at))
}

export const TIME_TEXTS: Readonly<Record<string, Resolve>> = {
  strftime,
  dayname: nameOfTime('A'),
  monthname: nameOfTime('B'),
  last_day: lastDay,
  date_diff: dateDiff,
  datediff: dateDiff,
}
