// An instant with microseconds, as user code sees timestamps. No valueOf: `a < b` and `a - b` would lose digits or mean
// nothing, so they throw; use `compare` and `minus`.
import { MillraceError } from '../core/errors.ts'

const ISO = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6})\d*)?)?(Z|[+-]\d{2}:?\d{2})?$/

export class Instant {
  readonly epochMicros: bigint

  private constructor(epochMicros: bigint) {
    this.epochMicros = epochMicros
  }

  static fromMicros(micros: number | bigint): Instant {
    return new Instant(BigInt(micros))
  }

  static fromMillis(ms: number): Instant {
    return new Instant(BigInt(Math.round(ms * 1_000)))
  }

  /** ISO 8601; without a zone it is UTC. @throws MR_SCHEMA_TYPE. */
  static fromIso(text: string): Instant {
    const match = ISO.exec(text)
    if (!match)
      throw new MillraceError('MR_SCHEMA_TYPE', `"${text}" is not an ISO 8601 timestamp`, { fix: "write it like '2026-01-31T12:00:00Z'" })
    const [, year, month, day, hour, minute, second = '0', fraction = '', zone = 'Z'] = match
    const ms = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
    const offsetMinutes = zone === 'Z' ? 0 : (zone.startsWith('-') ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)))
    return new Instant(BigInt(ms - offsetMinutes * 60_000) * 1_000n + BigInt(fraction.padEnd(6, '0') || '0'))
  }

  get epochMs(): number {
    return Number(this.epochMicros) / 1_000
  }

  plusMs(ms: number): Instant {
    return new Instant(this.epochMicros + BigInt(Math.round(ms * 1_000)))
  }

  /** Milliseconds from `other` to this. */
  minus(other: Instant): number {
    return Number(this.epochMicros - other.epochMicros) / 1_000
  }

  compare(other: Instant): number {
    return this.epochMicros < other.epochMicros ? -1 : this.epochMicros > other.epochMicros ? 1 : 0
  }

  /** `2026-01-31T12:00:00.000000Z`. */
  toIso(): string {
    const ms = this.epochMicros / 1_000n - (this.epochMicros % 1_000n < 0n ? 1n : 0n)
    const rest = Number(this.epochMicros - ms * 1_000n)
    return `${new Date(Number(ms)).toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`
  }

  toString(): string {
    return this.toIso()
  }

  toJSON(): string {
    return this.toIso()
  }

  valueOf(): never {
    throw new MillraceError('MR_SCHEMA_TYPE', 'an Instant is not a number', { fix: 'use compare, minus or epochMs' })
  }
}
