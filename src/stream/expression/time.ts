// JavaScript of date and time functions over microseconds since 1970 UTC and days: sessions of DuckDB run in UTC, so that days
// have 24 hours. Calendar fields come from `time-functions.ts`.
import type { ConstantExpression, Expression, IntervalExpression } from '../../engine/algebra/expression.ts'
import { checked } from './arithmetic.ts'
import type { CallGenerator, Emitter } from './emitter.ts'

const DAY = 86_400_000_000

/** Of fixed length, or null. */
const fixed = ({ months, days, micros }: IntervalExpression): number | null => (months === 0 ? days * DAY + micros : null)

/** Instants lie within 2^53, whose numbers hold them. */
const number = (emitter: Emitter, value: string): string => (emitter.isBig ? `Number(${value})` : value)
const exact = (emitter: Emitter, value: string): string => (emitter.isBig ? `BigInt(${value})` : value)

const addInterval: CallGenerator = (emitter, { of, type }) => {
  const by = of[1] as IntervalExpression
  const micros = fixed(by)
  return emitter.strict([of[0]!], type, ([time]) => {
    if (micros !== null) return checked(emitter, type, `${time} + ${emitter.exact(BigInt(micros))}`)
    return checked(emitter, type, exact(emitter, `D.addMonths(${number(emitter, time!)}, ${by.months}) + ${by.days * DAY + by.micros}`))
  })
}

/** Buckets of fixed width that begin at multiples of it since `originUs`. */
const bucket =
  (originUs: number): CallGenerator =>
  (emitter, { of, type }) => {
    const width = fixed(of[0] as IntervalExpression)!
    return emitter.strict([of[1]!], type, ([time]) => {
      if (emitter.isBig) return `R.floorBig(${time} - ${originUs}n, ${width}n) * ${width}n + ${originUs}n`
      const moved = originUs === 0 ? time : `(${time} - ${originUs})`
      return `Math.floor(${moved} / ${width}) * ${width}${originUs === 0 ? '' : ` + ${originUs}`}`
    })
  }

/** 2000-01-03, a Monday: where DuckDB begins to count. */
const BUCKET_ORIGIN_US = 946_857_600_000_000

const dated =
  (prefix: string): CallGenerator =>
  (emitter, { of, type }) => {
    const part = String((of[0] as ConstantExpression).value)
    return emitter.strict([of[1] as Expression], type, ([time]) => {
      const value = `D.${prefix}.${part}(${number(emitter, time!)})`
      return type.kind === 'double' ? value : exact(emitter, value)
    })
  }

const epoch =
  (perUnit: number): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([time]) =>
      perUnit === 1 ? time! : emitter.isBig ? `${time} / ${perUnit}n` : `Math.trunc(${time} / ${perUnit}) + 0`,
    )

const moveDate =
  (sign: '+' | '-'): CallGenerator =>
  (emitter, { of, type }) =>
    emitter.strict(of, type, ([days, by]) => `R.dateWithin(${days} ${sign} ${by})`)

export const timeCalls: Readonly<Record<string, CallGenerator>> = {
  add_interval: addInterval,
  bucket: bucket(0),
  time_bucket: bucket(BUCKET_ORIGIN_US),
  date_part: dated('part'),
  date_trunc: dated('truncate'),
  epoch_ms: epoch(1_000),
  epoch_us: epoch(1),
  date_minus: (emitter, { of, type }) => emitter.strict(of, type, ([a, b]) => exact(emitter, `${a} - ${b}`)),
  date_add: moveDate('+'),
  date_sub: moveDate('-'),
}
