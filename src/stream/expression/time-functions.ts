// Calendar fields and truncation of microseconds since 1970 UTC, as DuckDB's date_part and date_trunc give them. Numbers only.
import { civilOf, DAY_MICROS, daysInMonth, daysOf } from '../../schema/calendar.ts'

const HOUR = 3_600_000_000
const MINUTE = 60_000_000
const SECOND = 1_000_000

const dayOf = (us: number): number => Math.floor(us / DAY_MICROS)
const ofDay = (us: number): number => us - dayOf(us) * DAY_MICROS

/** Days of a stream repeat: the last one's date is kept. */
let lastDay = 0
let lastDate = civilOf(lastDay)

function civil(us: number): { year: number; month: number; day: number } {
  const day = dayOf(us)
  if (day !== lastDay) {
    lastDate = civilOf(day)
    lastDay = day
  }
  return lastDate
}

/** Monday is 0. */
const weekday = (days: number): number => (((days + 3) % 7) + 7) % 7

/** ISO 8601: the week of the Thursday. */
function week(us: number): number {
  const days = dayOf(us)
  const thursday = days - weekday(days) + 3
  return Math.floor((thursday - daysOf(civilOf(thursday).year, 1, 1)) / 7) + 1
}

export const part = {
  year: (us: number) => civil(us).year,
  quarter: (us: number) => Math.ceil(civil(us).month / 3),
  month: (us: number) => civil(us).month,
  week,
  day: (us: number) => civil(us).day,
  dayofyear: (us: number) => dayOf(us) - daysOf(civil(us).year, 1, 1) + 1,
  /** Sunday is 0. */
  dayofweek: (us: number) => (weekday(dayOf(us)) + 1) % 7,
  isodow: (us: number) => weekday(dayOf(us)) + 1,
  hour: (us: number) => Math.floor(ofDay(us) / HOUR),
  minute: (us: number) => Math.floor(ofDay(us) / MINUTE) % 60,
  second: (us: number) => Math.floor(ofDay(us) / SECOND) % 60,
  /** Of the minute. */
  millisecond: (us: number) => Math.floor((ofDay(us) % MINUTE) / 1_000),
  microsecond: (us: number) => ofDay(us) % MINUTE,
  /** Added up as DuckDB does, to the last bit. */
  epoch: (us: number) => Math.floor(us / 1_000) / 1_000 + (((us % 1_000) + 1_000) % 1_000) / SECOND,
}

const floorTo = (width: number) => (us: number) => Math.floor(us / width) * width

function monthsTo(us: number, months: number): number {
  const { year, month } = civil(us)
  return daysOf(year, Math.floor((month - 1) / months) * months + 1, 1) * DAY_MICROS
}

export const truncate = {
  year: (us: number) => daysOf(civil(us).year, 1, 1) * DAY_MICROS,
  quarter: (us: number) => monthsTo(us, 3),
  month: (us: number) => monthsTo(us, 1),
  week: (us: number) => (dayOf(us) - weekday(dayOf(us))) * DAY_MICROS,
  day: floorTo(DAY_MICROS),
  hour: floorTo(HOUR),
  minute: floorTo(MINUTE),
  second: floorTo(SECOND),
  millisecond: floorTo(1_000),
  microsecond: (us: number) => us,
}

/** The same day of another month, or its last. */
export function addMonths(us: number, months: number): number {
  const { year, month, day } = civil(us)
  const index = year * 12 + month - 1 + months
  const [newYear, newMonth] = [Math.floor(index / 12), (((index % 12) + 12) % 12) + 1]
  return daysOf(newYear, newMonth, Math.min(day, daysInMonth(newYear, newMonth))) * DAY_MICROS + ofDay(us)
}
