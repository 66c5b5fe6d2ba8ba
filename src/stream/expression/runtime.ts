// What generated code calls: text in columns, rounding, exact division, numbers as text and back, and the errors that stop a
// batch. Pure functions over plain values.
import { MillraceError } from '../../core/errors.ts'
import { isoDate } from '../../schema/calendar.ts'
import { decimalText } from '../../schema/value-text.ts'

export { decimalText }

/** Thrown where an exact integer leaves 2^53 as a number: the batch is computed again with bigint. */
export const UNSAFE = Symbol('beyond 2^53')

export function overflow(type: string): never {
  throw new MillraceError('MR_SQL_RUNTIME', `a value is beyond the range of ${type}`, {
    fix: 'cast an operand to a wider type, or use TRY_CAST; the changed model starts over',
  })
}

export function uncastable(value: unknown, from: string, to: string): never {
  throw new MillraceError('MR_SQL_RUNTIME', `the ${from} ${String(value)} cannot be cast to ${to}`, {
    fix: 'use TRY_CAST, which gives null; the changed model starts over',
  })
}

export function unmade(what: string): never {
  throw new MillraceError('MR_SQL_RUNTIME', what, { fix: 'leave such rows out by WHERE; the changed model starts over' })
}

// Text in columns

declare global {
  interface Buffer {
    utf8Slice(start: number, end: number): string
    latin1Slice(start: number, end: number): string
  }
}

/** What a variable of bytes is before it is set. */
export const NO_BYTES = Buffer.alloc(0)

export const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

export const text = (bytes: Buffer, start: number, length: number): string => bytes.utf8Slice(start, start + length)

export const latin1 = (bytes: Buffer, start: number, length: number): string => bytes.latin1Slice(start, start + length)

// Exact integers in text: decimals of more than 18 digits

export function unscaled(bytes: Buffer, start: number, length: number): bigint {
  const digits = bytes.latin1Slice(start, start + length)
  return BigInt(digits.includes('.') ? digits.replace('.', '') : digits)
}

/** So many bytes are at most 15 digits, which a number holds exactly; `decimalText` writes no `-0`. */
const SHORT_DECIMAL = 15

export function safeUnscaled(bytes: Buffer, start: number, length: number): number {
  if (length <= SHORT_DECIMAL) return shortUnscaled(bytes, start, length)
  const value = Number(unscaled(bytes, start, length))
  if (!Number.isSafeInteger(value)) throw UNSAFE
  return value
}

function shortUnscaled(bytes: Buffer, start: number, length: number): number {
  const isNegative = bytes[start] === 0x2d
  let value = 0
  for (let i = isNegative ? start + 1 : start; i < start + length; i++) {
    const byte = bytes[i]!
    if (byte !== 0x2e) value = value * 10 + (byte - 0x30)
  }
  return isNegative ? -value : value
}

// Rounding

/** Half away from zero, as C's round. */
export function roundAway(x: number): number {
  const whole = Math.trunc(x)
  return Math.abs(x - whole) >= 0.5 ? whole + Math.sign(x) : whole
}

/** Half to even, as C's nearbyint. */
export function roundEven(x: number): number {
  const whole = Math.trunc(x)
  const rest = Math.abs(x - whole)
  if (rest < 0.5 || (rest === 0.5 && whole % 2 === 0)) return whole
  return whole + Math.sign(x)
}

export function roundTo(x: number, power: number): number {
  const result = roundAway(x * power) / power
  return Number.isFinite(result) ? result : x
}

// Division of whole numbers by a power of ten, exact

export const floorSafe = (x: number, by: number): number => (x - (((x % by) + by) % by)) / by + 0
export const ceilSafe = (x: number, by: number): number => 0 - floorSafe(0 - x, by)
export const truncSafe = (x: number, by: number): number => (x - (x % by)) / by + 0
export function roundSafe(x: number, by: number): number {
  const rest = x % by
  const whole = (x - rest) / by
  return (Math.abs(rest) >= by / 2 ? whole + Math.sign(x) : whole) + 0
}

// By more than any safe integer
export const floorTiny = (x: number): number => (x < 0 ? -1 : 0)
export const ceilTiny = (x: number): number => (x > 0 ? 1 : 0)
export const truncTiny = (_x: number): number => 0
export const roundTiny = (_x: number): number => 0

export function floorBig(x: bigint, by: bigint): bigint {
  const rest = x % by
  return rest < 0n ? x / by - 1n : x / by
}
export const ceilBig = (x: bigint, by: bigint): bigint => -floorBig(-x, by)
export const truncBig = (x: bigint, by: bigint): bigint => x / by
export function roundBig(x: bigint, by: bigint): bigint {
  const rest = x % by
  const isAway = (rest < 0n ? -rest : rest) * 2n >= by
  return isAway ? x / by + (x < 0n ? -1n : 1n) : x / by
}

/** As DuckDB divides decimals into doubles: at once where the digits are exact, else whole part and fraction. */
export function bigToDouble(x: bigint, power: bigint): number {
  if (power === 1n) return Number(x)
  const number = Number(x)
  if (Number.isSafeInteger(number)) return number / Number(power)
  return Number(x / power) + Number(x % power) / Number(power)
}

export function dateWithin(days: number): number {
  if (days > 2147483646 || days < -2147483646) overflow('date')
  return days
}

// Numbers and times as text

/** The shortest digits that read back, with an exponent beyond 10^16 and below 10^-4. */
export function doubleText(x: number): string {
  if (Number.isNaN(x)) return 'nan'
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf'
  if (x === 0) return Object.is(x, -0) ? '-0.0' : '0.0'
  const [, sign, first, rest = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(x.toExponential())!
  const power = Number(exponent)
  const digits = first + rest
  if (power < -4 || power >= 16) {
    const fraction = rest === '' ? '' : `.${rest}`
    return `${sign}${first}${fraction}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  }
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`
  if (digits.length <= power + 1) return `${sign}${digits.padEnd(power + 1, '0')}.0`
  return `${sign}${digits.slice(0, power + 1)}.${digits.slice(power + 1)}`
}

/** Days of a stream repeat: the last one's text is kept. */
let lastDay = Number.NaN
let lastDayText = ''

/** Years beyond 9999 have no sign, those before the first are counted back. */
export function dateText(days: number): string {
  if (days === lastDay) return lastDayText
  const iso = isoDate(days)
  const [, sign, year, rest] = /^([+-]?)(\d+)(-\d\d-\d\d)$/.exec(iso)!
  const number = Number(`${sign}${year}`)
  lastDayText = number <= 0 ? `${String(1 - number).padStart(4, '0')}${rest} (BC)` : `${String(number).padStart(4, '0')}${rest}`
  lastDay = days
  return lastDayText
}

const two = (value: number): string => String(value).padStart(2, '0')

export function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1e6)
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  const rest = micros - seconds * 1e6
  return rest === 0 ? clock : `${clock}.${String(rest).padStart(6, '0').replace(/0+$/, '')}`
}

export function timestampText(micros: number, zone: '+00' | ''): string {
  const days = Math.floor(micros / 86_400_000_000)
  return `${dateText(days)} ${timeText(micros - days * 86_400_000_000)}${zone}`
}

// Text as numbers: null for what is none

const NUMBER = /^[ \t\n\v\f\r]*([+-]?)(\d+(?:_\d+)*)?(?:\.(\d+(?:_\d+)*)?)?(?:[eE]([+-]?\d+))?[ \t\n\v\f\r]*$/

/** As many digits as a number holds exactly. */
const PLAIN_DIGITS = 15

/** A whole number in plain digits, which most are; NaN for everything else. */
export function plainWhole(bytes: Buffer, start: number, length: number): number {
  const isNegative = length > 0 && bytes[start] === 0x2d
  const first = isNegative ? start + 1 : start
  const end = start + length
  if (first === end || end - first > PLAIN_DIGITS) return Number.NaN
  let value = 0
  for (let i = first; i < end; i++) {
    const digit = bytes[i]! - 0x30
    if (digit < 0 || digit > 9) return Number.NaN
    value = value * 10 + digit
  }
  if (!isNegative) return value
  return value === 0 ? Number.NaN : -value
}

export function textToDouble(value: string): number | null {
  const named = /^[ \t\n\v\f\r]*([+-]?)(?:nan|(inf|infinity))[ \t\n\v\f\r]*$/i.exec(value)
  if (named) return named[2] ? (named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY) : Number.NaN
  const match = NUMBER.exec(value)
  if (!match || (match[2] === undefined && match[3] === undefined)) return null
  return Number(value.trim().replaceAll('_', ''))
}

/** Digits beyond the scale are rounded half away from zero. */
export function textToExact(value: string, scale: number, min: bigint, max: bigint): bigint | null {
  const match = NUMBER.exec(value)
  if (!match || (match[2] === undefined && match[3] === undefined)) return null
  const [, sign, whole = '', fraction = '', exponent = '0'] = match.map((part) => part?.replaceAll('_', ''))
  const shift = scale + Number(exponent) - fraction.length
  if (Math.abs(shift) > 400) return null
  const digits = BigInt(whole + fraction)
  const amount = shift >= 0 ? digits * 10n ** BigInt(shift) : roundBig(digits, 10n ** BigInt(-shift))
  const result = sign === '-' ? -amount : amount
  return result < min || result > max ? null : result
}
