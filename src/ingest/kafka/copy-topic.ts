// Copies a topic of Kafka into the log, where a relation's own rows lie: each committed message once, after any number of crashes. How
// far it is follows from what is durable: rows carry the offset of their message as emission number, which the log drops when it has
// it, and the position in the control store is written after the rows are. It reads one round ahead of what is written, and no more.

import type { Clock } from '../../core/clock.ts'
import { asMillraceError, type MillraceError } from '../../core/errors.ts'
import type { FormatManifest, KafkaSourceManifest, KeyFormatManifest } from '../../define/manifest.ts'
import type { ClusterSettings } from '../../log/kafka/cluster.ts'
import type { OpenTopic, TopicReader, TopicSlice } from '../../log/kafka/topic-reader.ts'
import type { Append, Log } from '../../log/log.ts'
import type { Shape } from '../../schema/type.ts'
import type { Catalog } from '../../store/catalog.ts'
import { Align, type Stretch } from './align.ts'
import { appendsOf, countsOf } from './append-stretches.ts'
import { type Positions, readOn } from './positions.ts'
import { type MessageReader, readMessages } from './read-messages.ts'

export interface CopyParts {
  readonly clock: Clock
  readonly log: Pick<Log, 'append' | 'lastEmission'>
  readonly catalog: Pick<Catalog, 'cursor' | 'commit'>
  readonly cluster: () => ClusterSettings
  readonly open: OpenTopic
  readonly openReading: (reading: Reading) => Promise<MessageReader>
  readonly onEvent: (event: CopyEvent) => void
}

/** How messages become rows: what may change from one start to the next. Plain JSON. */
export interface Reading {
  readonly shape: Shape
  readonly keyIndex: number
  readonly timeIndex: number
  /** Of the log. */
  readonly partitions: number
  readonly format: FormatManifest
  /** Of a table: its key, and how messages have it. Without it, messages that have no value delete nothing. */
  readonly keys?: { readonly columns: readonly string[]; readonly format?: KeyFormatManifest }
}

export interface CopySettings {
  /** Name of the relation and its topic in the log. */
  readonly relation: string
  readonly reading: Reading
  /** By how much rows of two partitions may change places. */
  readonly slackMs: number
  readonly source: KafkaSourceManifest
  /** Group that Kafka's own tools see. */
  readonly group: string
}

export type CopyEvent =
  | {
      readonly kind: 'copied'
      readonly rows: number
      /** Messages that delete a row. */
      readonly deleted: number
      readonly rejected: number
      readonly bytes: number
      readonly tookMs: number
    }
  | { readonly kind: 'failed'; readonly error: MillraceError; readonly againMs: number }
  | { readonly kind: 'recovered' }

const ROUND_BYTES = 4 << 20
const SAVE_MS = 1_000
const TELL_MS = 5_000
const LOOK_MS = 10_000
const BACKOFF_MAX_MS = 10_000
const FULL_WAIT_MS = 100

export class TopicCopy {
  readonly #parts: CopyParts
  readonly #settings: CopySettings
  readonly #stop = new AbortController()
  #done: Promise<void> = Promise.resolve()
  #positions: Positions | null = null
  #savedMs = 0
  #toldMs = 0
  #isSaved = true
  /** First offsets that are not committed, by partition. */
  readonly #ends = new Map<number, number>()
  #hasFailed = false

  constructor(parts: CopyParts, settings: CopySettings) {
    this.#parts = parts
    this.#settings = settings
  }

  /** Messages that are committed and not in the log yet; null before the first answer. */
  get lag(): number | null {
    if (!this.#positions || this.#ends.size === 0) return null
    const { next } = this.#positions
    return [...this.#ends].reduce((sum, [partition, end]) => sum + Math.max(0, end - (next[partition] ?? 0)), 0)
  }

  start(): void {
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(): Promise<void> {
    let againMs = 100
    while (!this.#stop.signal.aborted) {
      let reader: TopicReader | null = null
      try {
        const { source, group } = this.#settings
        reader = await this.#parts.open({ cluster: this.#parts.cluster(), topic: source.topic, group })
        await this.#copy(reader, () => {
          againMs = 100
        })
      } catch (cause) {
        if (this.#stop.signal.aborted) break
        this.#hasFailed = true
        this.#parts.onEvent({ kind: 'failed', error: asMillraceError(cause), againMs })
        await reader?.close()
        reader = null
        await this.#sleep(againMs)
        againMs = Math.min(BACKOFF_MAX_MS, againMs * 2)
      } finally {
        await this.#save().catch(() => {})
        await reader?.close()
      }
    }
  }

  async #copy(reader: TopicReader, onProgress: () => void): Promise<void> {
    const reading = await this.#parts.openReading(this.#settings.reading)
    this.#positions = await this.#begin(reader)
    await this.#settle(reader)
    // Nothing waits at first: what a reader before had was not written, and is read again.
    const align = new Align(reading.door.timeIndex >= 0 && this.#positions.next.length > 1, this.#settings.slackMs)
    let lookedMs = this.#parts.clock.monotonicMs()
    const read = this.#next()
    let ahead = this.#fetch(reader, read, align)
    while (!this.#stop.signal.aborted) {
      const slices = await ahead
      await this.#take(reading, align, slices)
      for (const { partition, next, end } of slices) {
        read.set(partition, next)
        this.#ends.set(partition, end)
      }
      const nowMs = this.#parts.clock.monotonicMs()
      if (nowMs - lookedMs >= LOOK_MS) {
        lookedMs = nowMs
        await this.#look(reader)
        for (const [partition, offset] of this.#next()) if (!read.has(partition)) read.set(partition, offset)
      }
      const stretches = [...align.take(read.keys(), (partition) => read.get(partition)! < (this.#ends.get(partition) ?? 0))]
      ahead = this.#fetch(reader, read, align)
      ahead.catch(() => {}) // it is waited for after this round, or nobody cares any more
      await this.#write(reading, stretches)
      this.#moveTo(read, align)
      this.#tellRecovered()
      onProgress()
      if (!this.#isSaved && nowMs - this.#savedMs >= SAVE_MS) await this.#save()
      if (nowMs - this.#toldMs >= TELL_MS) await this.#tell(reader)
    }
  }

  /** Of partitions of which nothing waits. */
  async #fetch(reader: TopicReader, read: ReadonlyMap<number, number>, align: Align): Promise<readonly TopicSlice[]> {
    return reader.fetch(new Map([...read].filter(([partition]) => !align.holds(partition))), ROUND_BYTES)
  }

  async #take(reading: MessageReader, align: Align, slices: readonly TopicSlice[]): Promise<void> {
    for (const { partition, messages } of slices) {
      if (messages.length === 0) continue
      await reading.decoder.prepare?.(messages.flatMap(({ value }) => (value ? [value] : [])))
      await reading.keys?.decoder.prepare?.(messages.flatMap(({ key, value }) => (key && !value ? [key] : [])))
      const origin = { topic: this.#settings.source.topic, partition, pipeline: this.#pipeline(partition) }
      align.add(readMessages(reading, origin, messages))
    }
  }

  /** Under which the messages of a partition of the topic are numbered. */
  #pipeline(partition: number): string {
    return `kafka:${this.#positions!.id}#${this.#settings.source.epoch}/${partition}`
  }

  /**
   * After a crash the log may have some rows behind the place that was saved. With another definition these messages could go to another
   * partition, or be refused: they would be there twice. So what the log may have of them is read as it was read then.
   */
  async #settle(reader: TopicReader): Promise<void> {
    const name = `${this.#cursor}:reading`
    const [then, now] = [await this.#parts.catalog.cursor(name), JSON.stringify(this.#settings.reading)]
    if (then === now) return
    if (then !== null) await this.#readAsThen(reader, JSON.parse(then) as Reading)
    if (!this.#stop.signal.aborted) await this.#save([{ name, value: now }])
  }

  async #readAsThen(reader: TopicReader, then: Reading): Promise<void> {
    const until = await Promise.all(this.#positions!.next.map((_, partition) => this.#lastIn(partition, then.partitions)))
    const read = new Map([...this.#next()].filter(([partition, next]) => next <= until[partition]!))
    if (read.size === 0) return
    const reading = await this.#parts.openReading(then)
    const align = new Align(false, 0)
    while (read.size > 0 && !this.#stop.signal.aborted) {
      const slices = await reader.fetch(read, ROUND_BYTES)
      const cut = slices.map((slice) => ({ ...slice, messages: slice.messages.filter(({ offset }) => offset <= until[slice.partition]!) }))
      await this.#take(reading, align, cut)
      await this.#write(reading, [...align.take(read.keys(), () => false)])
      const { id, next } = this.#positions!
      const moved = [...next]
      for (const { partition, next: at } of slices) {
        moved[partition] = Math.min(at, until[partition]! + 1)
        if (at > until[partition]!) read.delete(partition)
        else read.set(partition, at)
      }
      this.#positions = { id, next: moved }
      this.#isSaved = false
    }
  }

  /** The last message of a partition of the topic that anything in the log is of. */
  async #lastIn(partition: number, partitions: number): Promise<number> {
    const { log } = this.#parts
    const { relation } = this.#settings
    const pipeline = this.#pipeline(partition)
    const own = Array.from({ length: partitions }, (_, target) => log.lastEmission(relation, target, pipeline))
    return Math.max(...(await Promise.all([log.lastEmission(relation, 0, `${pipeline}/refused`), ...own])))
  }

  /** Everything before is in the log. */
  #moveTo(read: ReadonlyMap<number, number>, align: Align): void {
    const { id, next } = this.#positions!
    const moved = next.map((offset, partition) => align.waitingFrom(partition) ?? read.get(partition) ?? offset)
    if (moved.every((offset, partition) => offset === next[partition])) return
    this.#positions = { id, next: moved }
    this.#isSaved = false
  }

  #tellRecovered(): void {
    if (!this.#hasFailed) return
    this.#hasFailed = false
    this.#parts.onEvent({ kind: 'recovered' })
  }

  #next(): Map<number, number> {
    return new Map(this.#positions!.next.map((offset, partition) => [partition, offset]))
  }

  get #cursor(): string {
    const { relation, source } = this.#settings
    return `kafka:${relation}:${source.connection.bus}/${source.topic}#${source.epoch}`
  }

  get #named() {
    const { relation, source } = this.#settings
    return { relation, topic: source.topic, epoch: source.epoch }
  }

  /** Where it is; the first time, where it starts, which is decided once and for all. */
  async #begin(reader: TopicReader): Promise<Positions> {
    const state = await reader.state()
    for (const [partition, { end }] of state.partitions.entries()) this.#ends.set(partition, end)
    if (this.#positions) return readOn(this.#named, this.#positions, state)
    const text = await this.#parts.catalog.cursor(this.#cursor)
    if (text !== null) return readOn(this.#named, JSON.parse(text) as Positions, state)
    const { start } = this.#settings.source
    const next =
      typeof start === 'number'
        ? await reader.offsetsAt(start)
        : state.partitions.map((partition) => (start === 'latest' ? partition.end : partition.start))
    this.#positions = { id: state.id, next }
    this.#isSaved = false
    await this.#save()
    return this.#positions
  }

  /** Whether the topic is still what was read, and has more partitions. */
  async #look(reader: TopicReader): Promise<void> {
    this.#positions = readOn(this.#named, this.#positions!, await reader.state())
  }

  async #write({ door }: MessageReader, stretches: readonly Stretch[]): Promise<void> {
    if (stretches.length === 0) return
    const startedMs = this.#parts.clock.monotonicMs()
    const parts = appendsOf(stretches, door.scanner.fingerprint)
    await this.#append(parts)
    const bytes = parts.reduce((sum, { payload }) => sum + payload.byteLength, 0)
    const tookMs = this.#parts.clock.monotonicMs() - startedMs
    this.#parts.onEvent({ kind: 'copied', ...countsOf(stretches), bytes, tookMs })
  }

  /** Waits while the log takes nothing: nothing more is fetched meanwhile. */
  async #append(parts: readonly Append[]): Promise<void> {
    for (let waitMs = FULL_WAIT_MS; ; waitMs = Math.min(BACKOFF_MAX_MS, waitMs * 2)) {
      try {
        await this.#parts.log.append(this.#settings.relation, parts)
        return
      } catch (error) {
        if (this.#stop.signal.aborted || !isWorthWaiting(asMillraceError(error))) throw error
        if (waitMs === BACKOFF_MAX_MS) throw error
        await this.#sleep(waitMs)
      }
    }
  }

  /** With `more` in one transaction. */
  async #save(more: readonly { readonly name: string; readonly value: string }[] = []): Promise<void> {
    if ((this.#isSaved && more.length === 0) || !this.#positions) return
    const positions = this.#positions
    const cursors = [{ name: this.#cursor, value: JSON.stringify(positions) }, ...more]
    await this.#parts.catalog.commit({ tables: [], cursors, nowMs: this.#parts.clock.nowMs() })
    this.#savedMs = this.#parts.clock.monotonicMs()
    this.#isSaved = positions === this.#positions
  }

  async #tell(reader: TopicReader): Promise<void> {
    this.#toldMs = this.#parts.clock.monotonicMs()
    await reader.tell(this.#next()).catch(() => {})
  }

  #sleep(ms: number): Promise<void> {
    return this.#parts.clock.sleep(ms, this.#stop.signal).catch(() => {})
  }
}

const isWorthWaiting = ({ code }: MillraceError): boolean => code === 'MR_LOG_BUSY' || code === 'MR_LOG_FULL'
