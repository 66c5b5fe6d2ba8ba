// An exact decimal, as user code sees decimals: an integer and a scale. No valueOf: `a + b` would join texts and `a > b`
// compare them, so both throw; use plus, gt and the like.
import { MillraceError } from '../core/errors.ts'

type Operand = Decimal | string | number | bigint

const TEXT = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/

export class Decimal {
  readonly unscaled: bigint
  readonly scale: number

  private constructor(unscaled: bigint, scale: number) {
    this.unscaled = unscaled
    this.scale = scale
  }

  static fromUnscaled(unscaled: bigint, scale: number): Decimal {
    return new Decimal(unscaled, scale)
  }

  /** @throws MR_SCHEMA_TYPE when the text is no number. */
  static from(value: Operand): Decimal {
    if (value instanceof Decimal) return value
    const text = String(value)
    const match = TEXT.exec(text)
    const digits = (match?.[2] ?? '') + (match?.[3] ?? '')
    if (!match || digits === '') throw new MillraceError('MR_SCHEMA_TYPE', `"${text}" is not a decimal`, { fix: "write it like '12.50'" })
    const scale = (match[3]?.length ?? 0) - Number(match[4] ?? 0)
    const unscaled = BigInt(`${match[1] === '-' ? '-' : ''}${digits}`)
    return scale < 0 ? new Decimal(unscaled * 10n ** BigInt(-scale), 0) : new Decimal(unscaled, scale)
  }

  #at(scale: number): bigint {
    return this.unscaled * 10n ** BigInt(scale - this.scale)
  }

  #both<T>(other: Operand, action: (a: bigint, b: bigint, scale: number) => T): T {
    const right = Decimal.from(other)
    const scale = Math.max(this.scale, right.scale)
    return action(this.#at(scale), right.#at(scale), scale)
  }

  plus(other: Operand): Decimal {
    return this.#both(other, (a, b, scale) => new Decimal(a + b, scale))
  }

  minus(other: Operand): Decimal {
    return this.#both(other, (a, b, scale) => new Decimal(a - b, scale))
  }

  times(other: Operand): Decimal {
    const right = Decimal.from(other)
    return new Decimal(this.unscaled * right.unscaled, this.scale + right.scale)
  }

  /** Quotient with `scale` digits after the point, halves away from zero. @throws MR_SCHEMA_TYPE for a divisor of zero. */
  dividedBy(other: Operand, scale: number): Decimal {
    return this.#both(other, (a, b) => {
      if (b === 0n) throw new MillraceError('MR_SCHEMA_TYPE', 'division by zero', { fix: 'test the divisor before' })
      const twice = (a * 10n ** BigInt(scale) * 2n) / b
      return new Decimal((twice + (twice < 0n ? -1n : 1n)) / 2n, scale)
    })
  }

  compare(other: Operand): number {
    return this.#both(other, (a, b) => (a < b ? -1 : a > b ? 1 : 0))
  }

  eq(other: Operand): boolean {
    return this.compare(other) === 0
  }

  gt(other: Operand): boolean {
    return this.compare(other) > 0
  }

  gte(other: Operand): boolean {
    return this.compare(other) >= 0
  }

  lt(other: Operand): boolean {
    return this.compare(other) < 0
  }

  lte(other: Operand): boolean {
    return this.compare(other) <= 0
  }

  /** The nearest double: for logarithms and the like, never for money. */
  toNumber(): number {
    return Number(this.toString())
  }

  toString(): string {
    const sign = this.unscaled < 0n ? '-' : ''
    const digits = (this.unscaled < 0n ? -this.unscaled : this.unscaled).toString().padStart(this.scale + 1, '0')
    return this.scale === 0 ? sign + digits : `${sign}${digits.slice(0, -this.scale)}.${digits.slice(-this.scale)}`
  }

  toJSON(): string {
    return this.toString()
  }

  valueOf(): never {
    throw new MillraceError('MR_SCHEMA_TYPE', 'a Decimal is not a number', { fix: 'use plus, minus, times, gt and the like' })
  }
}
