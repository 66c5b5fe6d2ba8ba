// Calendar arithmetic of the proleptic Gregorian calendar on plain integers, and its ISO texts. It knows no time zones
// and does not use Date, whose parser accepts far more than ISO 8601.

/** Microseconds of a day. */
export const DAY_MICROS = 86_400_000_000

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** The number of days of a month, 1 to 12. */
export function daysInMonth(year: number, month: number): number {
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return leap ? 29 : DAYS_IN_MONTH[month - 1]!
}

/** Days since 1970-01-01 of a valid date (Hinnant, chrono-compatible low-level date algorithms, days_from_civil). */
export function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

/** Year, month and day of days since 1970-01-01 (the same source, civil_from_days); a Date costs ten times as much. */
export function civilOf(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1 }
}

/** `YYYY-MM-DD` of days since 1970-01-01; years beyond 9999 or before 0000 get a sign and six digits, as in ISO 8601. */
export function isoDate(days: number): string {
  const { year, month, day } = civilOf(days)
  return `${isoYear(year)}-${digits(month, 2)}-${digits(day, 2)}`
}

/** `HH:MM:SS.ffffff` of microseconds since midnight, always six digits. */
export function isoTime(micros: number): string {
  const seconds = Math.floor(micros / 1e6)
  const clock = `${digits(Math.floor(seconds / 3600), 2)}:${digits(Math.floor(seconds / 60) % 60, 2)}:${digits(seconds % 60, 2)}`
  return `${clock}.${digits(micros - seconds * 1e6, 6)}`
}

/** `YYYY-MM-DDTHH:MM:SS.ffffffZ` of microseconds since 1970 UTC; exact for every bigint and for safe integers. */
export const isoInstant = (micros: number | bigint): string => `${isoDatetime(micros)}Z`

/** The same of a reading of a clock: `YYYY-MM-DDTHH:MM:SS.ffffff`. */
export function isoDatetime(micros: number | bigint): string {
  const days = typeof micros === 'bigint' ? Number((micros - modulo(micros)) / BigInt(DAY_MICROS)) : Math.floor(micros / DAY_MICROS)
  const ofDay = typeof micros === 'bigint' ? Number(modulo(micros)) : micros - days * DAY_MICROS
  return `${isoDate(days)}T${isoTime(ofDay)}`
}

/** Microseconds since midnight, also before 1970. */
function modulo(micros: bigint): bigint {
  const rest = micros % BigInt(DAY_MICROS)
  return rest < 0n ? rest + BigInt(DAY_MICROS) : rest
}

const digits = (value: number, count: number): string => String(value).padStart(count, '0')
const isoYear = (year: number): string =>
  year >= 0 && year <= 9999 ? digits(year, 4) : `${year < 0 ? '-' : '+'}${digits(Math.abs(year), 6)}`
