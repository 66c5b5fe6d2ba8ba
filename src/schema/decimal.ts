// Decimal numbers as processors see them: exact, with a scale that arithmetic carries along. No operator works on them by
// accident: `a + b` and `a > b` throw, `a.plus(b)` and `a.gt(b)` do what is meant.
import { MillraceError } from '../core/errors.ts'
import { decimalText } from './value-text.ts'

/** How digits beyond the scale are dropped; `half-even` is what banks and IEEE 754 use. */
export type Rounding = 'half-even' | 'half-up' | 'down' | 'up' | 'floor' | 'ceiling'

const FORM = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/

/** Up to here every integer is a double, as are the powers of ten up to the 22nd. */
const EXACT = BigInt(Number.MAX_SAFE_INTEGER)

/** An exact decimal: `unscaled` x 10^-`scale`. Immutable; equal values of different scale are equal. */
export class Decimal {
  readonly unscaled: bigint
  /** Digits after the point, 0 or more. */
  readonly scale: number

  constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled
    this.scale = scale
  }

  /** From text such as `12.50`, a bigint, or a number that is an integer; MR_SCHEMA_TYPE otherwise: 0.1 is not one tenth. */
  static from(value: Decimal | string | bigint | number): Decimal {
    if (value instanceof Decimal) return value
    if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return new Decimal(BigInt(value), 0)
    const match = typeof value === 'string' ? FORM.exec(value) : null
    if (!match) throw notDecimal(value)
    const [, sign, whole, fraction = '', exponent = '0'] = match
    const digits = BigInt(`${sign}${whole}${fraction}`)
    const scale = fraction.length - Number(exponent)
    return scale >= 0 ? new Decimal(digits, scale) : new Decimal(digits * 10n ** BigInt(-scale), 0)
  }

  plus(other: Decimal | string | bigint | number): Decimal {
    const [a, b, scale] = align(this, Decimal.from(other))
    return new Decimal(a + b, scale)
  }

  minus(other: Decimal | string | bigint | number): Decimal {
    const [a, b, scale] = align(this, Decimal.from(other))
    return new Decimal(a - b, scale)
  }

  /** Exact: the scales add up. */
  times(other: Decimal | string | bigint | number): Decimal {
    const by = Decimal.from(other)
    return new Decimal(this.unscaled * by.unscaled, this.scale + by.scale)
  }

  /** The quotient with `scale` digits after the point; MR_SCHEMA_TYPE for a division by zero. */
  dividedBy(other: Decimal | string | bigint | number, scale: number, rounding: Rounding = 'half-even'): Decimal {
    const by = Decimal.from(other)
    if (by.unscaled === 0n) throw new MillraceError('MR_SCHEMA_TYPE', `${this} is divided by zero`, { fix: 'test the divisor first' })
    const shift = scale + by.scale - this.scale
    const above = shift >= 0 ? this.unscaled * 10n ** BigInt(shift) : this.unscaled
    const below = shift >= 0 ? by.unscaled : by.unscaled * 10n ** BigInt(-shift)
    return new Decimal(divide(above, below, rounding), scale)
  }

  /** The same value with `scale` digits after the point, rounded where it has more. */
  round(scale: number, rounding: Rounding = 'half-even'): Decimal {
    if (scale >= this.scale) return new Decimal(this.unscaled * 10n ** BigInt(scale - this.scale), scale)
    return new Decimal(divide(this.unscaled, 10n ** BigInt(this.scale - scale), rounding), scale)
  }

  negated(): Decimal {
    return new Decimal(-this.unscaled, this.scale)
  }

  abs(): Decimal {
    return this.unscaled < 0n ? this.negated() : this
  }

  /** Below, equal or above zero as this is less than, equal to or greater than the other. */
  compare(other: Decimal | string | bigint | number): -1 | 0 | 1 {
    const [a, b] = align(this, Decimal.from(other))
    return a < b ? -1 : a > b ? 1 : 0
  }

  eq(other: Decimal | string | bigint | number): boolean {
    return this.compare(other) === 0
  }

  gt(other: Decimal | string | bigint | number): boolean {
    return this.compare(other) > 0
  }

  gte(other: Decimal | string | bigint | number): boolean {
    return this.compare(other) >= 0
  }

  lt(other: Decimal | string | bigint | number): boolean {
    return this.compare(other) < 0
  }

  lte(other: Decimal | string | bigint | number): boolean {
    return this.compare(other) <= 0
  }

  /** The nearest double, for statistics; never for money. */
  toNumber(): number {
    // Both are exact and one division rounds once; beyond that the text is read.
    const isExact = this.unscaled <= EXACT && this.unscaled >= -EXACT && this.scale <= 22
    return isExact ? Number(this.unscaled) / 10 ** this.scale : Number(this.toString())
  }

  /** With exactly `scale` digits after the point. */
  toString(): string {
    return decimalText(this.unscaled, this.scale)
  }

  toJSON(): string {
    return this.toString()
  }

  /** Operators would compare texts or round: refused. `${decimal}` is text and works. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString()
    throw new TypeError('operators do not work on Decimal: use plus, minus, times, dividedBy, eq, gt, gte, lt, lte or toNumber()')
  }

  valueOf(): never {
    throw new TypeError('Decimal has no primitive value: use its methods')
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Decimal(${this})`
  }
}

function align(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const scale = Math.max(a.scale, b.scale)
  return [a.unscaled * 10n ** BigInt(scale - a.scale), b.unscaled * 10n ** BigInt(scale - b.scale), scale]
}

function divide(above: bigint, below: bigint, rounding: Rounding): bigint {
  const quotient = above / below
  const rest = above % below
  if (rest === 0n) return quotient
  const away = above < 0n !== below < 0n ? -1n : 1n
  return roundsAway(quotient, rest, below, away, rounding) ? quotient + away : quotient
}

function roundsAway(quotient: bigint, rest: bigint, below: bigint, away: bigint, rounding: Rounding): boolean {
  if (rounding === 'down') return false
  if (rounding === 'up') return true
  if (rounding === 'floor') return away < 0n
  if (rounding === 'ceiling') return away > 0n
  const twice = magnitude(rest) * 2n
  const half = magnitude(below)
  if (twice !== half) return twice > half
  return rounding === 'half-up' || quotient % 2n !== 0n
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value)

const notDecimal = (value: unknown): MillraceError =>
  new MillraceError('MR_SCHEMA_TYPE', `${JSON.stringify(value)} is not a decimal`, { fix: "write it as text, such as Decimal.from('0.1')" })
