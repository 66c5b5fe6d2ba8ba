// The date and time functions of live models with their types. Everything is in UTC.
import { inMicros, isConstantText, isTime } from './coerce.ts'
import { call, constant, DOUBLE, type Expression, isOptional, LONG, STRING } from './expression.ts'
import { type Resolve, typesOf } from './resolve.ts'

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
  if (of.length !== 2 || !part || !isTime(of[1]!.type)) return `with a part other than ${DATE_PARTS.join(', ')} of a date or timestamp`
  return call('date_part', [constant(part, STRING), inMicros(of[1]!)], part === 'epoch' ? DOUBLE : LONG)
}

const dateTrunc: Resolve = (of) => {
  const part = partOf(of[0], TRUNCATIONS)
  if (of.length !== 2 || !part || !isTime(of[1]!.type)) return `with a part other than ${TRUNCATIONS.join(', ')} of a date or timestamp`
  const at = inMicros(of[1]!)
  return call('date_trunc', [constant(part, STRING), at], at.type)
}

const timeBucket: Resolve = (of) => {
  const [width, time] = of
  if (of.length !== 2 || width?.op !== 'interval' || width.months !== 0 || !time || !isMicros(time))
    return 'other than of an interval of fixed length and a timestamp'
  return call('time_bucket', [width, time], time.type, isOptional(time))
}

const isMicros = ({ type }: Expression): boolean => type.kind === 'timestamp' || type.kind === 'datetime'

const epoch =
  (name: string): Resolve =>
  (of) =>
    of.length === 1 && isMicros(of[0]!) ? call(name, of, LONG) : `of ${typesOf(of)}`

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
  epoch: part('epoch'),
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
