// Doubles as whole numbers, and back: for what is computed once of exact sums and would lose digits in doubles.

/** digits * 2^exponent, exactly. */
export interface Dyadic {
  readonly digits: bigint
  readonly exponent: number
}

const view = new DataView(new ArrayBuffer(8))
const FRACTION_BITS = 52n
const FRACTION = (1n << FRACTION_BITS) - 1n

/** `x` is finite. */
function dyadicOf(x: number): Dyadic {
  view.setFloat64(0, x)
  const bits = view.getBigUint64(0)
  const exponent = Number((bits >> FRACTION_BITS) & 0x7ffn)
  const fraction = exponent === 0 ? bits & FRACTION : (bits & FRACTION) | (FRACTION + 1n)
  return { digits: x < 0 ? -fraction : fraction, exponent: Math.max(1, exponent) - 1_075 }
}

/** a + b. */
export function plus(a: Dyadic, b: Dyadic): Dyadic {
  if (a.digits === 0n) return b
  if (b.digits === 0n) return a
  const exponent = Math.min(a.exponent, b.exponent)
  return { digits: (a.digits << BigInt(a.exponent - exponent)) + (b.digits << BigInt(b.exponent - exponent)), exponent }
}

/** a * b. */
export const times = (a: Dyadic, b: Dyadic): Dyadic => ({ digits: a.digits * b.digits, exponent: a.exponent + b.exponent })

/** The exact sum of finite numbers. */
export const sumOf = (terms: readonly number[]): Dyadic => terms.map(dyadicOf).reduce(plus, { digits: 0n, exponent: 0 })

/** At most three more than there are. */
const bitsIn = (digits: bigint): number => digits.toString(16).length * 4

/** More than a double has, also where the estimates of both sides are off. */
const KEPT_BITS = 66

/** a / by, neither below zero, rounded to the nearest double; infinite beyond the largest. */
export function ratio({ digits, exponent }: Dyadic, by: bigint): number {
  const shift = KEPT_BITS + bitsIn(by) - bitsIn(digits)
  const [over, under] = shift >= 0 ? [digits << BigInt(shift), by] : [digits, by << BigInt(-shift)]
  const whole = over / under
  // What is left decides where the digits alone would be half-way.
  const rounded = Number(whole * under === over ? whole : whole | 1n)
  const half = Math.trunc((exponent - shift) / 2)
  return rounded * 2 ** half * 2 ** (exponent - shift - half)
}
