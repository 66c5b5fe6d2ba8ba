// Points in time as processors see them: microseconds since 1970 UTC, which Date cannot hold. Operators do not work on
// them by accident: `a < b` and `a - b` throw, `a.compare(b)` and `a.epochMicros - b.epochMicros` do what is meant.
import { MillraceError } from '../core/errors.ts'
import { isoInstant } from './calendar.ts'
import { readTimestamp } from './scan/read-time.ts'

/** An instant with microseconds, about the years 1684 to 2255. Immutable. */
export class Instant {
  /** Microseconds since 1970 UTC, a safe integer. */
  readonly epochMicros: number

  private constructor(epochMicros: number) {
    this.epochMicros = epochMicros
  }

  /** MR_SCHEMA_TYPE unless it is a whole number that a double holds exactly. */
  static fromMicros(micros: number | bigint): Instant {
    const exact = Number(micros)
    if (!Number.isSafeInteger(exact)) throw notInstant(String(micros))
    return new Instant(exact)
  }

  static fromMs(ms: number): Instant {
    return Instant.fromMicros(Math.round(ms * 1000))
  }

  /** From ISO 8601 as rows have it, see `readTimestamp`; MR_SCHEMA_TYPE otherwise. */
  static fromIso(text: string): Instant {
    const bytes = Buffer.from(`${text}"`)
    const out = new Float64Array(1)
    if (readTimestamp(bytes, 0, out) !== bytes.length - 1 || Number.isNaN(out[0])) throw notInstant(text)
    return new Instant(out[0]!)
  }

  /** Milliseconds since 1970 UTC, with a fraction where there are microseconds. */
  get epochMs(): number {
    return this.epochMicros / 1000
  }

  plusMs(ms: number): Instant {
    return Instant.fromMicros(this.epochMicros + Math.round(ms * 1000))
  }

  plusMicros(micros: number): Instant {
    return Instant.fromMicros(this.epochMicros + micros)
  }

  /** Milliseconds from the other to this; negative when the other is later. */
  msSince(other: Instant): number {
    return (this.epochMicros - other.epochMicros) / 1000
  }

  /** Below, equal or above zero as this is before, at or after the other. */
  compare(other: Instant): -1 | 0 | 1 {
    return this.epochMicros < other.epochMicros ? -1 : this.epochMicros > other.epochMicros ? 1 : 0
  }

  /** UTC with six decimals: `2026-01-31T12:00:00.000000Z`. */
  toIso(): string {
    return isoInstant(this.epochMicros)
  }

  toString(): string {
    return this.toIso()
  }

  toJSON(): string {
    return this.toIso()
  }

  /** Operators are refused; `${instant}` is text and works. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toIso()
    throw new TypeError('operators do not work on Instant: use compare, msSince, plusMs or epochMicros')
  }

  valueOf(): never {
    throw new TypeError('Instant has no primitive value: use its methods')
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Instant(${this.toIso()})`
  }
}

const notInstant = (text: string): MillraceError =>
  new MillraceError('MR_SCHEMA_TYPE', `${JSON.stringify(text)} is not an instant in the years 1684 to 2255`, {
    fix: 'write it as 2026-01-31T12:00:00.000000Z',
  })
