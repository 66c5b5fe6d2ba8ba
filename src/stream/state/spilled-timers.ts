// The earliest timers of shards that are spilled: when one is due, its shard comes back.
import type { Shard, TimeOf, Timer } from './entry.ts'
import { listed } from './entry-codec.ts'

export interface Due {
  readonly atUs: number
  readonly seq: number
  readonly shard: Shard
}

export const isBefore = (a: Pick<Due, 'atUs' | 'seq'>, b: Pick<Due, 'atUs' | 'seq'>): boolean =>
  a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq)

const KINDS = ['event', 'arrival'] as const

export class SpilledTimers {
  readonly #due: Readonly<Record<TimeOf, Map<Shard, Due>>> = { event: new Map(), arrival: new Map() }
  readonly first: Record<TimeOf, Due | null> = { event: null, arrival: null }

  /** Its timers are dropped from where they are in order. */
  add(shard: Shard): void {
    for (const { timers } of shard.entries.values())
      for (const timer of listed(timers)) {
        timer.isOff = true
        this.#put(timer, shard)
      }
    this.#find()
  }

  #put({ by, atUs, seq }: Timer, shard: Shard): void {
    const due = { atUs, seq, shard }
    const other = this.#due[by].get(shard)
    if (!other || isBefore(due, other)) this.#due[by].set(shard, due)
  }

  remove(shard: Shard): void {
    for (const by of KINDS) this.#due[by].delete(shard)
    this.#find()
  }

  clear(): void {
    for (const by of KINDS) this.#due[by].clear()
    this.#find()
  }

  #find(): void {
    for (const by of KINDS) {
      let first: Due | null = null
      for (const due of this.#due[by].values()) if (first === null || isBefore(due, first)) first = due
      this.first[by] = first
    }
  }
}
