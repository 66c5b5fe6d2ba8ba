// Reads dates, times and timestamps from text bytes that end in a byte which none of them contains (the closing quote),
// so that no bounds are needed. Strict ISO 8601: no other spelling is guessed. Results go to `out[0]`, so that nothing is
// allocated: NaN when the form is right but the value is not possible or would lose digits.
import { DAY_MICROS, daysInMonth, daysOf } from '../calendar.ts'

/** Returned in place of a position: the text does not have the form. */
const NO_FORM = -1
/** Two digits, or a number that is no valid part of any date or time. */
function pair(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - 0x30
  const ones = bytes[at + 1]! - 0x30
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : 1000
}

/** `YYYY-MM-DD`, years 0001 to 9999: days since 1970 into `out[0]`; the position after it. */
export function readDate(bytes: Uint8Array, at: number, out: Float64Array): number {
  const century = pair(bytes, at)
  const yearOfCentury = pair(bytes, at + 2)
  const month = pair(bytes, at + 5)
  const day = pair(bytes, at + 8)
  if (century > 99 || yearOfCentury > 99 || month > 99 || day > 99) return NO_FORM
  if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d) return NO_FORM
  const year = century * 100 + yearOfCentury
  const possible = year > 0 && month > 0 && month <= 12 && day > 0 && day <= daysInMonth(year, month)
  out[0] = possible ? daysOf(year, month, day) : Number.NaN
  return at + 10
}

/** `HH:MM:SS[.fraction]`: microseconds since midnight into `out[0]`; the position after it. */
export function readTime(bytes: Uint8Array, at: number, out: Float64Array): number {
  const hour = pair(bytes, at)
  const minute = pair(bytes, at + 3)
  const second = pair(bytes, at + 6)
  if (hour > 99 || minute > 99 || second > 99 || bytes[at + 2] !== 0x3a || bytes[at + 5] !== 0x3a) return NO_FORM
  const whole = hour > 23 || minute > 59 || second > 59 ? Number.NaN : (hour * 3600 + minute * 60 + second) * 1e6
  if (bytes[at + 8] !== 0x2e) {
    out[0] = whole
    return at + 8
  }
  return readFraction(bytes, at + 9, whole, out)
}

/** At least one digit; digits beyond the sixth must be zero. */
function readFraction(bytes: Uint8Array, from: number, whole: number, out: Float64Array): number {
  let at = from
  let micros = 0
  let lost = false
  for (;;) {
    const digit = bytes[at]! - 0x30
    if (!(digit >= 0 && digit <= 9)) break
    if (at - from < 6) micros = micros * 10 + digit
    else if (digit !== 0) lost = true
    at++
  }
  if (at === from) return NO_FORM
  for (let missing = from + 6 - at; missing > 0; missing--) micros *= 10
  out[0] = lost ? Number.NaN : whole + micros
  return at
}

/**
 * `YYYY-MM-DDTHH:MM:SS[.fraction][Z|+HH[[:]MM]]` (also `t`, `z` and a space for T, as RFC 3339 allows; no zone is UTC):
 * microseconds since 1970 UTC into `out[0]`; the position after it. The instant must be exact in a double: about the
 * years 1684 to 2255.
 */
export function readTimestamp(bytes: Uint8Array, at: number, out: Float64Array): number {
  const dateEnd = readDate(bytes, at, out)
  if (dateEnd < 0) return dateEnd
  const days = out[0]!
  const timeEnd = readTimeOfDay(bytes, dateEnd, out)
  if (timeEnd < 0) return timeEnd
  const local = out[0]!
  const zone = bytes[timeEnd]!
  let offset = 0
  let zoneEnd = timeEnd
  if (zone === 0x5a || zone === 0x7a) zoneEnd = timeEnd + 1
  else if (zone === 0x2b || zone === 0x2d) {
    zoneEnd = readOffset(bytes, timeEnd + 1, out)
    if (zoneEnd < 0) return zoneEnd
    offset = zone === 0x2b ? out[0]! : -out[0]!
  }
  exactly(days * DAY_MICROS + (local - offset), out)
  return zoneEnd
}

/** The same without a zone: microseconds since 1970-01-01T00:00:00 on the clock. What follows the time is the caller's to refuse. */
export function readDatetime(bytes: Uint8Array, at: number, out: Float64Array): number {
  const dateEnd = readDate(bytes, at, out)
  if (dateEnd < 0) return dateEnd
  const days = out[0]!
  const timeEnd = readTimeOfDay(bytes, dateEnd, out)
  exactly(days * DAY_MICROS + out[0]!, out)
  return timeEnd
}

/** T, t or a space, and a time. */
function readTimeOfDay(bytes: Uint8Array, at: number, out: Float64Array): number {
  const separator = bytes[at]!
  return separator === 0x54 || separator === 0x74 || separator === 0x20 ? readTime(bytes, at + 1, out) : NO_FORM
}

function exactly(micros: number, out: Float64Array): void {
  out[0] = Number.isSafeInteger(micros) ? micros : Number.NaN
}

/** `HH`, `HHMM` or `HH:MM` in microseconds. */
function readOffset(bytes: Uint8Array, at: number, out: Float64Array): number {
  const hours = pair(bytes, at)
  if (hours > 99) return NO_FORM
  let next = at + 2
  let minutes = 0
  const colon = bytes[next] === 0x3a
  const digits = pair(bytes, colon ? next + 1 : next)
  if (digits <= 99) {
    minutes = digits
    next += colon ? 3 : 2
  } else if (colon) return NO_FORM
  out[0] = hours > 23 || minutes > 59 ? Number.NaN : (hours * 60 + minutes) * 60e6
  return next
}
