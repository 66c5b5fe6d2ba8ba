// What a pipeline takes in: the next records of all its inputs go to its sink, and how late they were is told.
import type { CatchUp } from './catch-up.ts'
import type { IdleWatch } from './idle.ts'
import type { Input, Inputs } from './inputs.ts'
import type { Lookups } from './lookups.ts'
import type { PipelineParts, PipelineSettings } from './pipeline-settings.ts'
import type { Sink } from './sink.ts'

/** Of several partitions the log is asked for so many together: each answer takes a turn of a thread, or of a broker. */
const READS_AT_ONCE = 4

export interface IntakeParts {
  readonly inputs: Inputs
  readonly sink: Sink
  readonly lookups: Lookups<Input>
  readonly idleWatch: IdleWatch | null
  readonly catchUp: CatchUp
}

export class Intake {
  readonly #settings: PipelineSettings
  readonly #world: Pick<PipelineParts, 'clock' | 'log' | 'onEvent'>
  readonly #parts: IntakeParts
  /** When the newest record that was read had come. */
  #readMs = 0
  /** When the oldest row that was read since `tellTaken` had come. */
  #oldestMs = Number.POSITIVE_INFINITY
  /** When it could be read. */
  #readableMs = Number.POSITIVE_INFINITY

  constructor(settings: PipelineSettings, world: Pick<PipelineParts, 'clock' | 'log' | 'onEvent'>, parts: IntakeParts) {
    this.#settings = settings
    this.#world = world
    this.#parts = parts
  }

  /** Age of the newest record that was read, milliseconds. */
  get behindMs(): number {
    return this.#world.clock.nowMs() - this.#readMs
  }

  /** Reads once of every input that has more; false when there was none. */
  async readAll(): Promise<boolean> {
    const { all } = this.#parts.inputs
    let didRead = false
    for (let from = 0; from < all.length; from += READS_AT_ONCE) {
      const some = all.slice(from, from + READS_AT_ONCE)
      if (some.length > 1)
        for (const { source, partition } of some) if (source.hasMore(partition)) void source.prepare(partition, this.#settings.readBytes)
      for (const input of some) if (await this.read(input)) didRead = true
    }
    return didRead
  }

  /** The next records of one partition; false when there are none. */
  async read(input: Input): Promise<boolean> {
    const { inputs, sink, lookups, idleWatch, catchUp } = this.#parts
    const { source, topic, partition } = input
    const delivery = source.hasMore(partition) ? await source.read(partition, this.#settings.readBytes) : null
    if (!delivery) return false
    if (delivery.batch.rows > 0 || delivery.rejected.length > 0 || source.isDerived) idleWatch?.saw(input)
    this.#readMs = delivery.appendMs.at(-1) ?? this.#world.clock.nowMs()
    this.#oldestMs = Math.min(this.#oldestMs, delivery.appendMs[0] ?? Number.POSITIVE_INFINITY)
    this.#readableMs = Math.min(this.#readableMs, delivery.readableMs ?? Number.POSITIVE_INFINITY)
    await lookups.before(input, delivery, (table) => this.read(table))
    await sink.apply(delivery)
    catchUp.took(inputs.all.indexOf(input), delivery.next)
    const lag = this.#world.log.range(topic, partition).end - delivery.next
    this.#world.onEvent({ kind: 'applied', pipeline: this.#settings.name, partition, delivery, lag })
    return true
  }

  /** Asks for what comes next of every input, before it is there; resolves when something has come, or after `waitMs`. */
  async more(waitMs: number): Promise<void> {
    const { readBytes } = this.#settings
    await Promise.race(this.#parts.inputs.all.map(({ source, partition }) => source.prepare(partition, readBytes, waitMs)))
  }

  /** What was read since the last call is where the next question sees it. */
  tellTaken(): void {
    if (this.#oldestMs === Number.POSITIVE_INFINITY) return
    const nowMs = this.#world.clock.nowMs()
    const since = (ms: number): number => Math.max(0, nowMs - ms)
    const ownMs = Number.isFinite(this.#readableMs) ? since(this.#readableMs) : null
    this.#world.onEvent({ kind: 'taken', pipeline: this.#settings.name, waitedMs: since(this.#oldestMs), ownMs })
    this.#oldestMs = Number.POSITIVE_INFINITY
    this.#readableMs = Number.POSITIVE_INFINITY
  }
}
