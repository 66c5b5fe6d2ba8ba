// Dates and instants as text and as Iceberg counts them: days and microseconds since 1970, proleptic Gregorian, UTC.
// Reads what DuckDB prints with TimeZone = 'UTC', including years before 1 and beyond 9999.
import { daysOf } from '../../schema/calendar.ts'

const DAY_MICROS = 86_400_000_000n

const DATE = /^(\d{4,7})-(\d\d)-(\d\d)( \(BC\))?$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?$/
const TIMESTAMP = /^(\d{4,7}-\d\d-\d\d(?: \(BC\))?)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,6})?)\s?(Z|[+-]\d\d(?::?\d\d)?)?)?$/

/** Days since 1970; undefined when it is not a finite date. */
export function parseDate(text: string): number | undefined {
  const match = DATE.exec(text)
  if (!match) return undefined
  const year = match[4] ? 1 - Number(match[1]) : Number(match[1])
  return daysOf(year, Number(match[2]), Number(match[3]))
}

/** Microseconds of the day. */
export function parseTime(text: string): bigint | undefined {
  const match = TIME.exec(text)
  if (!match) return undefined
  const seconds = Number(match[1]) * 3_600 + Number(match[2]) * 60 + Number(match[3])
  return BigInt(seconds) * 1_000_000n + BigInt((match[4] ?? '').padEnd(6, '0'))
}

/** Microseconds since 1970 UTC; text without an offset is UTC, a date alone is its midnight. */
export function parseTimestamp(text: string): bigint | undefined {
  const match = TIMESTAMP.exec(text)
  const days = match && parseDate(match[1]!)
  if (!match || days === undefined || days === null) return undefined
  const micros = match[2] === undefined ? 0n : parseTime(match[2])
  return micros === undefined ? undefined : BigInt(days) * DAY_MICROS + micros - offsetMicros(match[3])
}

function offsetMicros(text: string | undefined): bigint {
  if (text === undefined || text === 'Z') return 0n
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(3).replace(':', '') || 0)
  return BigInt(text.startsWith('-') ? -minutes : minutes) * 60_000_000n
}

/** Days since 1970 that hold an instant, rounded down also before 1970. */
export const dayOfMicros = (micros: bigint): number => Number(floorDiv(micros, DAY_MICROS))

/** Hours since 1970 that hold an instant. */
export const hourOfMicros = (micros: bigint): number => Number(floorDiv(micros, 3_600_000_000n))

export function floorDiv(value: bigint, by: bigint): bigint {
  const quotient = value / by
  return value % by < 0n ? quotient - 1n : quotient
}
