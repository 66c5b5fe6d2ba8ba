// Idle partitions: when one has had no rows for a while and the others have gone on, what is computed over all of them would
// wait for it. The owner of the stream then decides, by its clock, that the partition counts as being as far as the others,
// and writes the decision into the partition's log, where every reader finds it. PROTOCOL rule 11.
import type { Clock } from '../core/clock.ts'
import type { Append } from '../log/log.ts'
import { controlRecord } from './control.ts'

/** What it looks at: a `StreamSource`. */
export interface Partitions {
  readonly positions: readonly number[]
  watermarkOf(partition: number): number | null
  hasMore(partition: number): boolean
}

export class IdleWatch {
  readonly #clock: Clock
  readonly #source: Partitions
  readonly #idleMs: number
  #seenMs: number[] = []
  #decidedMs: number[] = []

  constructor(clock: Clock, source: Partitions, idleMs: number) {
    this.#clock = clock
    this.#source = source
    this.#idleMs = idleMs
    this.reset()
  }

  /** After a restart nothing is known about how long a partition has been without rows. */
  reset(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#seenMs = this.#source.positions.map(() => nowMs)
    this.#decidedMs = this.#source.positions.map(() => Number.NEGATIVE_INFINITY)
  }

  /** Rows came. */
  saw(partition: number): void {
    this.#seenMs[partition] = this.#clock.monotonicMs()
  }

  /** Decisions that are due, for the log. Each partition gets one at most every sixth of the idle time. */
  due(): Append[] {
    const nowMs = this.#clock.monotonicMs()
    const targetUs = this.#targetUs(nowMs)
    return this.#behind(targetUs).flatMap((partition) => {
      if (this.#dueMs(partition) > nowMs) return []
      this.#decidedMs[partition] = nowMs
      return [controlRecord(partition, { watermarkUs: targetUs! })]
    })
  }

  /** Milliseconds until the passing of time alone may make a decision due; null when it cannot. */
  get nextMs(): number | null {
    const nowMs = this.#clock.monotonicMs()
    const behind = this.#behind(this.#furthestUs())
    if (behind.length === 0) return null
    const times = [...behind.map((partition) => this.#dueMs(partition)), ...this.#seenMs.map((ms) => ms + this.#idleMs)]
    const next = Math.min(...times.filter((ms) => ms > nowMs))
    return Number.isFinite(next) ? next - nowMs : null
  }

  #dueMs(partition: number): number {
    return Math.max(this.#seenMs[partition]! + this.#idleMs, this.#decidedMs[partition]! + this.#idleMs / 6)
  }

  /** Partitions that have been read to their end and lie below a watermark. */
  #behind(watermarkUs: number | null): number[] {
    if (watermarkUs === null) return []
    return [...this.#source.positions.keys()].filter((partition) => {
      const own = this.#source.watermarkOf(partition)
      return !this.#source.hasMore(partition) && (own === null || own < watermarkUs)
    })
  }

  /** How far an idle partition counts: as far as the slowest that is not idle, or as the furthest when all are. */
  #targetUs(nowMs: number): number | null {
    const active = [...this.#source.positions.keys()].filter(
      (partition) => this.#source.hasMore(partition) || nowMs - this.#seenMs[partition]! < this.#idleMs,
    )
    if (active.length === 0) return this.#furthestUs()
    const watermarks = active.map((partition) => this.#source.watermarkOf(partition))
    return watermarks.includes(null) ? null : Math.min(...(watermarks as number[]))
  }

  #furthestUs(): number | null {
    const known = this.#source.positions.map((_, partition) => this.#source.watermarkOf(partition)).filter((us) => us !== null)
    return known.length === 0 ? null : Math.max(...known)
  }
}
