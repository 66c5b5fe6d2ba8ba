// Exact numbers from the text of a JSON number (already checked against the grammar): scaled integers without a
// detour through floating point, and canonical decimal text for what exceeds 18 digits. Exponents of any size cost
// nothing: digits are counted before anything is built.
import { reserve, type Side } from './lanes.ts'

/** A number as written: 0.D x 10^point, D being the digits from the first to the last that is not zero. */
export interface Measure {
  negative: boolean
  /** Position of the first and last digit that is not zero; -1 for zero. */
  first: number
  last: number
  /** How many digits D has. */
  significant: number
  /** D x 10^exponent is the value. */
  exponent: number
}

export const newMeasure = (): Measure => ({ negative: false, first: -1, last: -1, significant: 0, exponent: 0 })

/** Fills `measure` from the number in [from, to). */
export function measureNumber(bytes: Uint8Array, from: number, to: number, measure: Measure): void {
  measure.negative = bytes[from] === 0x2d
  measure.first = -1
  let at = measure.negative ? from + 1 : from
  let seen = 0
  let point = -1
  let firstIndex = 0
  let lastIndex = 0
  for (; at < to; at++) {
    const c = bytes[at]!
    if (c === 0x2e) point = seen
    else if ((c | 0x20) === 0x65) break
    else {
      if (c !== 0x30) {
        if (measure.first < 0) {
          measure.first = at
          firstIndex = seen
        }
        measure.last = at
        lastIndex = seen
      }
      seen++
    }
  }
  measure.significant = lastIndex - firstIndex + 1
  measure.exponent = (point < 0 ? seen : point) - lastIndex - 1 + (at < to ? readExponent(bytes, at + 1, to) : 0)
}

/** Clamped far beyond what the digits of a row could make up for. */
function readExponent(bytes: Uint8Array, at: number, to: number): number {
  const negative = bytes[at] === 0x2d
  if (negative || bytes[at] === 0x2b) at++
  let value = 0
  for (; at < to && value < 1e12; at++) value = value * 10 + (bytes[at]! - 0x30)
  return negative ? -value : value
}

/** A 64-bit integer in two's complement halves; `exact` says that `value` holds it as well. */
export interface Whole {
  exact: boolean
  value: number
  high: number
  low: number
}

export const newWhole = (): Whole => ({ exact: true, value: 0, high: 0, low: 0 })

/**
 * The value times 10^scale into `whole`; false when it has digits after that, more than `precision` digits, or does not
 * fit 64 bits. `precision` is at most 19.
 */
export function scaleNumber(bytes: Uint8Array, measure: Measure, precision: number, scale: number, whole: Whole): boolean {
  whole.exact = true
  whole.value = 0
  if (measure.first < 0) return true
  const zeros = measure.exponent + scale
  const count = measure.significant + zeros
  if (zeros < 0 || count > precision) return false
  // The last nine digits apart from the others: both halves are exact in a double.
  let upper = 0
  let lower = 0
  let left = count
  for (let at = measure.first; left > 0; at++) {
    const c = at <= measure.last ? bytes[at]! : 0x30
    if (c === 0x2e) continue
    if (left > 9) upper = upper * 10 + (c - 0x30)
    else lower = lower * 10 + (c - 0x30)
    left--
  }
  const value = upper * 1e9 + lower
  if (value <= Number.MAX_SAFE_INTEGER) {
    whole.value = measure.negative ? -value : value
    return true
  }
  return splitWhole(upper, lower, measure.negative, whole)
}

/** upper x 10^9 + lower, upper below 10^10, as two's complement. */
function splitWhole(upper: number, lower: number, negative: boolean, whole: Whole): boolean {
  const y = Math.floor(upper / 65_536) * 1e9
  const x = (y % 65_536) * 65_536 + (upper % 65_536) * 1e9 + lower
  const low = x % 4_294_967_296
  const high = Math.floor(y / 65_536) + Math.floor(x / 4_294_967_296)
  if (high > 0x8000_0000 || (high === 0x8000_0000 && !(negative && low === 0))) return false
  whole.exact = false
  whole.low = negative ? -low | 0 : low | 0
  whole.high = negative ? (low === 0 ? -high | 0 : ~high) : high | 0
  return true
}

/** Appends the decimal as text with exactly `scale` digits after the point, no other zeros in front, no -0; false when it does not fit. */
export function writeDecimal(bytes: Uint8Array, measure: Measure, precision: number, scale: number, side: Side): boolean {
  const zero = measure.first < 0
  const zeros = zero ? 0 : measure.exponent + scale
  const count = zero ? 0 : measure.significant + zeros
  if (zeros < 0 || count > precision) return false
  reserve(side, precision + 4)
  const to = side.bytes
  let next = side.length
  if (measure.negative && !zero) to[next++] = 0x2d
  let at = measure.first
  for (let left = Math.max(count, scale + 1); left > 0; left--) {
    if (left === scale) to[next++] = 0x2e
    if (left > count) to[next++] = 0x30
    else {
      if (at <= measure.last && bytes[at] === 0x2e) at++
      to[next++] = at <= measure.last ? bytes[at]! : 0x30
      at++
    }
  }
  side.length = next
  return true
}
