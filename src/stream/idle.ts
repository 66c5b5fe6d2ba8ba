// Idle partitions: when one has had no rows for a while and the others have gone on, what is computed over all of them would
// wait for it. The owner of the stream then decides, by its clock, that the partition counts as being as far as the others,
// and writes the decision into the partition's log, where every reader finds it. A pipeline of several streams decides the same
// over the partitions of all of them, and leaves a stream its own lateness. PROTOCOL rule 11.
import type { Clock } from '../core/clock.ts'
import type { Append } from '../log/log.ts'
import { controlRecord } from './control.ts'

/** A partition that it looks at, of a `StreamSource`. */
export interface WatchedPartition {
  readonly topic: string
  readonly partition: number
  readonly source: {
    readonly latenessUs: number
    watermarkOf(partition: number): number | null
    hasMore(partition: number): boolean
  }
}

/** Decisions for the log of one topic. */
export interface Decisions {
  readonly topic: string
  readonly decisions: Append[]
}

export class IdleWatch {
  readonly #clock: Clock
  readonly #partitions: readonly WatchedPartition[]
  readonly #idleMs: number
  readonly #leastLatenessUs: number
  #seenMs: number[] = []
  #decidedMs: number[] = []

  constructor(clock: Clock, partitions: readonly WatchedPartition[], idleMs: number) {
    this.#clock = clock
    this.#partitions = partitions
    this.#idleMs = idleMs
    this.#leastLatenessUs = Math.min(...partitions.map(({ source }) => source.latenessUs))
    this.reset()
  }

  /** After a restart nothing is known about how long a partition has been without rows. */
  reset(): void {
    const nowMs = this.#clock.monotonicMs()
    this.#seenMs = this.#partitions.map(() => nowMs)
    this.#decidedMs = this.#partitions.map(() => Number.NEGATIVE_INFINITY)
  }

  /** Rows came. */
  saw({ topic, partition }: Pick<WatchedPartition, 'topic' | 'partition'>): void {
    const index = this.#partitions.findIndex((watched) => watched.partition === partition && watched.topic === topic)
    if (index >= 0) this.#seenMs[index] = this.#clock.monotonicMs()
  }

  /** Decisions that are due, for the logs. Each partition gets one at most every sixth of the idle time. */
  due(): Decisions[] {
    const nowMs = this.#clock.monotonicMs()
    const targetUs = this.#targetUs(nowMs)
    const byTopic = new Map<string, Append[]>()
    for (const index of this.#behind(targetUs)) {
      if (this.#dueMs(index) > nowMs) continue
      this.#decidedMs[index] = nowMs
      const { topic, partition } = this.#partitions[index]!
      byTopic.set(topic, [...(byTopic.get(topic) ?? []), controlRecord(partition, { watermarkUs: this.#reachOf(index, targetUs!) })])
    }
    return [...byTopic].map(([topic, decisions]) => ({ topic, decisions }))
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

  #dueMs(index: number): number {
    return Math.max(this.#seenMs[index]! + this.#idleMs, this.#decidedMs[index]! + this.#idleMs / 6)
  }

  /** Of a stream with more lateness than the one that leads: rows as late as it allows are still out. */
  #reachOf(index: number, watermarkUs: number): number {
    return watermarkUs - (this.#partitions[index]!.source.latenessUs - this.#leastLatenessUs)
  }

  /** Partitions that have been read to their end and lie below a watermark. */
  #behind(watermarkUs: number | null): number[] {
    if (watermarkUs === null) return []
    return [...this.#partitions.keys()].filter((index) => {
      const { source, partition } = this.#partitions[index]!
      const own = source.watermarkOf(partition)
      return !source.hasMore(partition) && (own === null || own < this.#reachOf(index, watermarkUs))
    })
  }

  /** How far an idle partition counts: as far as the slowest that is not idle, or as the furthest when all are. */
  #targetUs(nowMs: number): number | null {
    const active = [...this.#partitions.keys()].filter((index) => {
      const { source, partition } = this.#partitions[index]!
      return source.hasMore(partition) || nowMs - this.#seenMs[index]! < this.#idleMs
    })
    if (active.length === 0) return this.#furthestUs()
    const marks = active.map((index) => this.#ownUs(index))
    return marks.includes(null) ? null : Math.min(...(marks as number[]))
  }

  /** As far as its newest event, in terms of the least lateness. */
  #ownUs(index: number): number | null {
    const { source, partition } = this.#partitions[index]!
    const own = source.watermarkOf(partition)
    return own === null ? null : own + (own - this.#reachOf(index, own))
  }

  #furthestUs(): number | null {
    const known = [...this.#partitions.keys()].map((index) => this.#ownUs(index)).filter((us) => us !== null)
    return known.length === 0 ? null : Math.max(...known)
  }
}
