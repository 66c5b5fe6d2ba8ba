// State and timers of each partition of a processor, as they are saved and restored.
import { MillraceError } from '../../core/errors.ts'
import { keepsState } from '../../define/keeps-state.ts'
import type { ProcessorManifest, StreamManifest } from '../../define/manifest.ts'
import type { Type } from '../../schema/type.ts'
import { Journal } from '../state/journal.ts'
import { KeyedState } from '../state/keyed-state.ts'
import type { Room } from '../state/spill.ts'
import { Timers } from './timers.ts'

export interface Partition {
  readonly state: KeyedState
  readonly journal: Journal
  readonly timers: Timers
  /** Watermark before the record at hand: no later row of the partition is earlier, except one that was re-driven. */
  watermarkUs: number
}

interface Saved {
  /** What decides which rows a key's state comes from. */
  readonly of: string
  readonly partitions: readonly (readonly [
    number,
    { readonly state: unknown; readonly seq: number; readonly watermarkUs: number | null },
  ])[]
}

export interface PartitionsParts {
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  readonly keyType: Type
  readonly room?: Room
}

export class Partitions {
  readonly #parts: PartitionsParts
  #partitions = new Map<number, Partition>()

  constructor(parts: PartitionsParts) {
    this.#parts = parts
  }

  /** About how much memory the state takes that is not spilled. */
  get bytes(): number {
    let bytes = 0
    for (const { state } of this.#partitions.values()) bytes += state.bytes
    return bytes
  }

  get keys(): number {
    let keys = 0
    for (const { state } of this.#partitions.values()) keys += state.keys
    return keys
  }

  /** The next arrival time at which a timer is due, by partition. */
  restore(saved: unknown): (readonly [number, number])[] {
    this.#partitions = new Map()
    for (const [number, { state, seq, watermarkUs }] of this.#fitting(saved as Saved | null)) {
      const partition = this.of(number)
      partition.timers.restore(seq)
      partition.state.restore(state)
      partition.watermarkUs = watermarkUs ?? Number.NEGATIVE_INFINITY
    }
    return [...this.#partitions].flatMap(([number, partition]) => {
      const nextUs = nextArrival(partition)
      return nextUs === null ? [] : [[number, nextUs] as const]
    })
  }

  /** @throws MR_STREAM_STATE for state that the definition does not fit and does not allow to be forgotten. */
  #fitting(saved: Saved | null): Saved['partitions'] {
    const { processor } = this.#parts
    const { name, reset } = processor
    if (saved === null) return []
    if (saved.of !== this.#form) {
      if (reset === true) return []
      throw unfit(`the state of ${name} is that of another input, key or time`, 'give it reset: true, and it starts anew')
    }
    for (const [, { state }] of saved.partitions) {
      const { declared } = state as { declared: ProcessorManifest['state'] }
      for (const [own, now] of Object.entries(processor.state))
        if (declared[own] && !keepsState(declared[own], now) && reset !== true && !reset?.includes(own))
          throw unfit(
            `the state "${own}" of ${name} is stored as ${declared[own].kind} of another form`,
            `give it another name, or give the processor reset: ['${own}'], and it starts empty`,
          )
    }
    return saved.partitions
  }

  get #form(): string {
    const { processor, keyType } = this.#parts
    return JSON.stringify([processor.from, processor.key ?? null, processor.time ?? null, keyType])
  }

  save(): Saved {
    const partitions = [...this.#partitions].map(
      ([number, { state, timers, watermarkUs }]) =>
        [number, { state: state.save(), seq: timers.seq, watermarkUs: Number.isFinite(watermarkUs) ? watermarkUs : null }] as const,
    )
    return { of: this.#form, partitions }
  }

  /** New when it is not there. */
  of(number: number): Partition {
    let found = this.#partitions.get(number)
    if (!found) {
      const { input, processor, room } = this.#parts
      const journal = new Journal()
      const timers = new Timers(journal, (by, untilUs) => state.wake(by, untilUs, () => timers.peek(by)))
      const state = new KeyedState({
        declared: processor.state,
        journal,
        name: `${number}/`,
        onTimer: (entry, timer) => timers.restored(entry, ...timer),
        ...(room ? { room: { ...room, limitBytes: room.limitBytes / input.partitions } } : {}),
      })
      found = { state, journal, timers, watermarkUs: Number.NEGATIVE_INFINITY }
      this.#partitions.set(number, found)
    }
    return found
  }
}

const unfit = (message: string, fix: string): MillraceError => new MillraceError('MR_STREAM_STATE', message, { fix })

/** When the next timer by arrival is due, microseconds. */
export function nextArrival({ state, timers }: Partition): number | null {
  const leastUs = Math.min(state.spilledArrivalUs, timers.nextArrivalUs ?? Number.POSITIVE_INFINITY)
  return Number.isFinite(leastUs) ? leastUs : null
}
