// The date and time functions of live models with their types. Everything is in UTC.
import { castTo } from './coerce.ts'
import { call, constant, DOUBLE, type Expression, isOptional, LONG, STRING, TIMESTAMP } from './expression.ts'
import { type Resolve, typesOf } from './resolve.ts'
import { isConstantText } from './text-calls.ts'

const DATE_PARTS = [
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

export const TIME_CALLS: Readonly<Record<string, Resolve>> = {
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
