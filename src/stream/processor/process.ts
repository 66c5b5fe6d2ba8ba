// The sink that runs a processor: rounds of records go to its host, what comes back goes into the derived streams. What a
// partition emits is numbered, so that after a crash the log drops the rows that it already has (PROTOCOL rules 12 and 20).
// Calls that throw are set aside in `<derived>__rejected`. A call that does not come back is decided about in the log before
// it is left out (`skips.ts`). The derived streams have the watermark of the input: what is emitted is as late as its input was.
import type { Clock } from '../../core/clock.ts'
import { MillraceError } from '../../core/errors.ts'
import type { ProcessorManifest, StreamManifest } from '../../define/manifest.ts'
import type { Append, Log } from '../../log/log.ts'
import { encodeRefusals } from '../../log/refusal.ts'
import { controlRecord, tickRecord } from '../control.ts'
import type { Delivery } from '../delivery.ts'
import type { Cut, Sink } from '../sink.ts'
import type { StreamSource } from '../source.ts'
import { Broadcast, type SavedBroadcast } from './broadcast.ts'
import type { Ended, ProcessorHost, Ran } from './host.ts'
import { cutAround, lastArrival, roundOf } from './round.ts'
import { Skips } from './skips.ts'

export interface ProcessParts {
  readonly clock: Clock
  readonly log: Log
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  /** The stream of its own name, then its outputs in the order of the manifest. */
  readonly outputs: readonly StreamManifest[]
  readonly host: ProcessorHost
  /** Fresh readers of broadcast tables, by the names that the code uses. */
  readonly broadcast?: ReadonlyMap<string, () => StreamSource>
}

/** Next number for each place that a partition of the input emits into. */
type Numbers = Map<string, number>

interface Saved {
  readonly host: unknown
  readonly broadcast?: SavedBroadcast
  readonly next: readonly (readonly [number, readonly (readonly [string, number])[]])[]
}

/** The derived streams are told of the watermark in steps of a second, and before each flush. */
const WATERMARK_STEP_US = 1_000_000
/** A partition is told of the clock, for timers by arrival, at most so often. */
const TICK_STEP_MS = 250

export class Process implements Sink {
  readonly #parts: ProcessParts
  readonly #skips: Skips
  readonly #broadcast: Broadcast
  #committedBroadcast: SavedBroadcast = []
  #next = new Map<number, Numbers>()
  #pendingRows = 0
  #watermarkUs: number | null = null
  /** What the derived streams were told last. */
  #toldUs = Number.NEGATIVE_INFINITY
  /** When timers by arrival are due, milliseconds, by partition. */
  #arrivals = new Map<number, number>()
  #tickedMs = new Map<number, number>()

  constructor(parts: ProcessParts) {
    this.#parts = parts
    this.#broadcast = new Broadcast(parts.broadcast ?? new Map())
    this.#skips = new Skips(parts.log, parts.processor.name)
  }

  get pendingRows(): number {
    return this.#pendingRows
  }

  /** Rows stand for what a checkpoint will write. */
  get pendingBytes(): number {
    return this.#pendingRows * 64
  }

  get stateBytes(): number {
    return this.#parts.host.bytes
  }

  get keys(): number {
    return this.#parts.host.keys
  }

  async restore(saved: unknown): Promise<void> {
    const { host, next, broadcast = [] } = (saved as Saved | null) ?? { host: null, next: [] }
    this.#broadcast.restore(broadcast)
    this.#committedBroadcast = broadcast
    this.#next = new Map(next.map(([partition, numbers]) => [partition, new Map(numbers)]))
    this.#pendingRows = 0
    this.#watermarkUs = null
    this.#toldUs = Number.NEGATIVE_INFINITY
    this.#tickedMs = new Map()
    await this.#skips.read()
    this.#arrivals = new Map((await this.#parts.host.restore(host)).map(([partition, us]) => [partition, us / 1_000]))
  }

  /** A partition that has had no records yet needs a broadcast table from its beginning. */
  heldFrom(topic: string): number {
    const { processor, input } = this.#parts
    const names = Object.entries(processor.broadcast ?? {}).flatMap(([name, table]) => (table === topic ? [name] : []))
    if (names.length === 0) return Number.POSITIVE_INFINITY
    const own = this.#committedBroadcast.filter(([, name]) => names.includes(name))
    return own.length < names.length * input.partitions ? 0 : Math.min(...own.map(([, , position]) => position))
  }

  async apply(delivery: Delivery): Promise<void> {
    const { partition } = delivery
    const suspect = this.#skips.suspectIn(partition)
    const unheard = roundOf(delivery, this.#parts.input, this.#skips.of(partition))
    const lastMs = lastArrival(unheard)
    const round = lastMs === null ? unheard : { ...unheard, told: await this.#broadcast.until(partition, lastMs) }
    for (const piece of suspect === null ? [round] : cutAround(round, suspect)) {
      const isAlone = piece !== round && piece.rows.length + piece.controls.length === 1
      let ran = await this.#parts.host.run(piece)
      for (; ran.kind === 'ran' && !ran.isDone; ran = await this.#parts.host.resume()) await this.#append(partition, ran)
      if (ran.kind === 'ended') await this.#ended(ran, isAlone)
      else await this.#append(partition, ran)
    }
    this.#pendingRows += round.rows.length + round.controls.length
  }

  /**
   * The host has lost its state, so the pipeline starts again from its checkpoint: first to reach the record of the call by
   * itself, and when it ends there once more, to leave the call out. It is left out only when nothing that it or a later call
   * emitted is in the log: what was written once must be written again.
   */
  async #ended(ended: Ended, isAlone: boolean): Promise<never> {
    const { processor } = this.#parts
    const { partition, offset, code, message } = ended
    if (isAlone && !(await this.#hasEmittedBeyond(partition))) await this.#skips.decide(ended)
    else this.#skips.suspect(partition, offset)
    throw new MillraceError('MR_PROCESSOR_ENDED', `${processor.name}: ${message.split('\n')[0]}`, {
      fix: `correct the code; the call goes to ${processor.name}__rejected (${code}) and the processor goes on`,
    })
  }

  async #hasEmittedBeyond(partition: number): Promise<boolean> {
    const { log, outputs } = this.#parts
    const next = this.#next.get(partition)
    for (const [index, output] of outputs.entries())
      for (let target = 0; target < output.partitions; target++)
        for (const pipeline of [this.#emitter(partition), ...(index === 0 && target === 0 ? [this.#refuser(partition)] : [])])
          if ((await log.lastEmission(output.name, target, pipeline)) >= (next?.get(slotOf(pipeline, output.name, target)) ?? 0))
            return true
    return false
  }

  #emitter(partition: number): string {
    return `${this.#parts.processor.name}/${partition}`
  }

  #refuser(partition: number): string {
    return `${this.#parts.processor.name}/${partition}/refused`
  }

  async #append(partition: number, { emissions, refusals, nextArrivalUs }: Ran): Promise<void> {
    if (nextArrivalUs === null) this.#arrivals.delete(partition)
    else this.#arrivals.set(partition, nextArrivalUs / 1_000)
    const { log, outputs } = this.#parts
    for (const [index, output] of outputs.entries()) {
      // No fingerprint: what user code emits is scanned strictly when it is read.
      const appends = emissions
        .filter((emission) => emission.output === index)
        .map(
          ({ partition: target, count, payload }): Append => ({
            partition: target,
            kind: 'rows',
            payload,
            count,
            fingerprint: '',
            emission: this.#numbered(partition, this.#emitter(partition), output.name, target, count),
          }),
        )
      if (index === 0 && refusals.length > 0)
        appends.push({
          partition: 0,
          kind: 'rejects',
          payload: encodeRefusals(refusals),
          count: refusals.length,
          fingerprint: '',
          emission: this.#numbered(partition, this.#refuser(partition), output.name, 0, refusals.length),
        })
      if (appends.length > 0) await log.append(output.name, appends)
    }
  }

  /** The next `count` numbers of an output partition; the log keeps only rows whose numbers are new. */
  #numbered(partition: number, pipeline: string, stream: string, target: number, count: number): NonNullable<Append['emission']> {
    const next = this.#next.get(partition) ?? new Map<string, number>()
    this.#next.set(partition, next)
    const slot = slotOf(pipeline, stream, target)
    const first = next.get(slot) ?? 0
    next.set(slot, first + count)
    return { pipeline, first }
  }

  async tick(watermarkUs: number | null): Promise<void> {
    this.#watermarkUs = watermarkUs
    if (watermarkUs !== null && watermarkUs >= this.#toldUs + WATERMARK_STEP_US) await this.#tellWatermark()
    const nowMs = this.#parts.clock.nowMs()
    const due = [...this.#arrivals.keys()].filter((partition) => this.#tickDueMs(partition) <= nowMs)
    if (due.length === 0) return
    for (const partition of due) this.#tickedMs.set(partition, nowMs)
    await this.#parts.log.append(this.#parts.input.name, due.map(tickRecord))
  }

  /** A tick that was written brings the partition as far as its time, once it is read. */
  #tickDueMs(partition: number): number {
    const dueMs = this.#arrivals.get(partition)!
    const tickedMs = this.#tickedMs.get(partition) ?? Number.NEGATIVE_INFINITY
    return tickedMs >= dueMs ? tickedMs + 10 * TICK_STEP_MS : Math.max(dueMs, tickedMs + TICK_STEP_MS)
  }

  get wakeInMs(): number | null {
    const times = [...this.#arrivals.keys()].map((partition) => this.#tickDueMs(partition))
    return times.length === 0 ? null : Math.max(0, Math.min(...times) - this.#parts.clock.nowMs())
  }

  async #tellWatermark(): Promise<void> {
    const { log, outputs, processor, input } = this.#parts
    const watermarkUs = this.#watermarkUs
    if (processor.time === undefined || processor.time !== input.time || watermarkUs === null || watermarkUs <= this.#toldUs) return
    for (const { name, time, partitions } of outputs) {
      if (time === undefined) continue
      await log.append(
        name,
        Array.from({ length: partitions }, (_, partition) => controlRecord(partition, { watermarkUs })),
      )
    }
    this.#toldUs = watermarkUs
  }

  async cut(): Promise<Cut> {
    await this.#tellWatermark()
    this.#pendingRows = 0
    const next = [...this.#next].map(([partition, numbers]) => [partition, [...numbers]] as const)
    const broadcast = this.#broadcast.save()
    const state: Saved = { host: await this.#parts.host.save(), next, broadcast }
    return {
      state,
      changes: async () => [],
      publish: async () => {
        this.#committedBroadcast = broadcast
      },
    }
  }
}

const slotOf = (pipeline: string, stream: string, target: number): string => `${pipeline}>${stream}/${target}`
