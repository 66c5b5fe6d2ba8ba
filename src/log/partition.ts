// One partition: its segments, of which the last is written, what it remembers, and who waits for more. Groups come from
// the log one at a time: `persist` makes one durable, `publish` then shows it to readers, so that a group becomes visible
// in all its partitions at once. Readers never see past what was published.
import { isDiskFull } from '../core/disk.ts'
import { assert, MillraceError } from '../core/errors.ts'
import { BatchSeal } from './batch-seal.ts'
import { encodeGroup } from './group-encoder.ts'
import type { PartitionRange, TopicStats } from './log.ts'
import { type Memory, scopedKey } from './memory.ts'
import { PartitionReader } from './partition-reader.ts'
import type { PartitionState } from './partition-state.ts'
import { Published } from './published.ts'
import { Retention } from './retention.ts'
import { addToIndex, emptySegment, encodeSummary, logPath, type Segment, type Summary, writeSummary } from './segment.ts'
import type { LogSettings } from './settings.ts'
import { SharedFile } from './shared-file.ts'
import { Stage, type StagedBatch } from './stage.ts'
import { Waiters } from './waiters.ts'

interface Persisted {
  readonly batches: readonly StagedBatch[]
  readonly positions: readonly number[]
  readonly appendTimeMs: number
  readonly position: number
  readonly bytes: Buffer
}

export class Partition {
  readonly topic: string
  readonly number: number
  readonly #directory: string
  readonly #settings: LogSettings
  readonly #segments: Segment[]
  readonly #memory: Memory
  readonly #retention: Retention
  readonly reader: PartitionReader
  readonly published = new Published()
  readonly #seal: BatchSeal | null
  #file: SharedFile
  #persisted: Persisted | undefined
  /** A failed write may have left bytes after the good ones; they go before anything is written. */
  #isTailDirty = false
  #isClosed = false
  readonly #waiters = new Waiters()

  constructor(settings: LogSettings, topic: string, number: number, directory: string, state: PartitionState) {
    this.#settings = settings
    this.topic = topic
    this.number = number
    this.#directory = directory
    this.#segments = state.segments
    this.#memory = state.memory
    this.#retention = new Retention(settings, directory, state.orphans)
    this.#file = new SharedFile(state.file)
    const { keys, isEncrypted } = settings
    this.#seal = keys && isEncrypted(topic) ? new BatchSeal(keys, topic, number) : null
    this.reader = new PartitionReader(settings, topic, number, directory, this, this.#seal)
  }

  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Of the last segment. */
  get file(): SharedFile {
    return this.#file
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get range(): PartitionRange {
    return { start: this.#segments[0]!.base, end: this.#active.next }
  }

  get stats(): TopicStats['partitions'][number] {
    const sizeBytes = this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
    return { ...this.range, sizeBytes, segments: this.#segments.length, lastAppendMs: this.lastAppendMs }
  }

  /** 0 when nothing was ever appended. */
  get lastAppendMs(): number {
    return Math.max(this.#active.lastMs, this.#segments.at(-2)?.lastMs ?? this.#retention.lastMs)
  }

  get #active(): Segment {
    return this.#segments.at(-1)!
  }

  /** PROTOCOL rule 1: no offset up to which somebody has read is given out again. @throws MR_LOG_RANGE */
  refuseBefore(committed: number): void {
    const { start, end } = this.range
    if (end >= committed) return
    throw new MillraceError(
      'MR_LOG_RANGE',
      `partition ${this.number} of ${this.topic} holds ${start} to ${end}, but what stood before ${committed} is committed`,
      { fix: 'restore the log and the control database from one backup, or move the topic out of the log: it then begins there' },
    )
  }

  lastEmission(pipeline: string): number {
    return this.#memory.emissions.get(pipeline) ?? -1
  }

  stage(): Stage {
    this.#memory.expire(this.#settings.clock.nowMs() - this.#settings.idempotencyMs)
    return new Stage(this.#memory)
  }

  /**
   * Makes a group durable. After an error the file is as it was before, as far as anybody can tell.
   * @throws MR_LOG_FULL without space and MR_LOG_IO for other failed writes: the next group may succeed. MR_LOG_IO after
   *   a failed sync: the partition stays closed, since a second sync would report success for bytes that are lost.
   */
  async persist(stage: Stage, appendTimeMs: number): Promise<number> {
    await this.#attempt(() => this.#prepare(appendTimeMs))
    const position = this.#active.sizeBytes
    stage.seal(this.#active.next)
    const { compression, crc32c } = this.#settings
    const encoded = await encodeGroup(stage.batches, position, appendTimeMs, compression, crc32c, this.#seal)
    const bytes = Buffer.concat(encoded.parts, encoded.sizeBytes)
    try {
      await this.#attempt(() => this.#file.file.write([bytes], position))
      await this.#sync(() => this.#file.file.sync())
    } catch (error) {
      await this.#cutTail(position)
      throw error
    }
    this.#persisted = { batches: stage.batches, positions: encoded.positions, appendTimeMs, position, bytes }
    return bytes.length
  }

  /** Shows the persisted group to readers. */
  publish(): void {
    const group = this.#persisted
    assert(group, 'publish follows persist')
    this.#persisted = undefined
    const active = this.#active
    const first = active.next
    if (first === active.base) active.firstMs = group.appendTimeMs
    active.lastMs = group.appendTimeMs
    active.sizeBytes += group.bytes.length
    group.batches.forEach((batch, number) => {
      active.next = batch.baseOffset + batch.count
      addToIndex(active.index!, batch.baseOffset, group.positions[number]!, group.appendTimeMs)
      this.#rememberBatch(batch, group.appendTimeMs)
    })
    this.#settings.recent.note(this.#file.file, group.position, group.bytes)
    this.published.note(first, active.next, this.#settings.clock.nowMs())
    this.#waiters.look()
  }

  #rememberBatch(batch: StagedBatch, timeMs: number): void {
    for (const { key, hash, delta, count } of batch.keys)
      this.#memory.remember(scopedKey(batch.kind, key), hash, batch.baseOffset + delta, count, timeMs)
    for (const [pipeline, last] of batch.emissions) this.#memory.emitted(pipeline, last)
    if (batch.redriveOf !== undefined) this.#memory.redrives.set(batch.redriveOf, { first: batch.baseOffset, count: batch.count })
  }

  async #prepare(nowMs: number): Promise<void> {
    const active = this.#active
    if (this.#isTailDirty) await this.#file.file.truncate(active.sizeBytes)
    this.#isTailDirty = false
    if (active.next === active.base) return
    if (active.sizeBytes >= this.#settings.segmentBytes || nowMs - active.firstMs >= this.#settings.segmentMs) await this.#roll()
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      const isFull = isDiskFull(cause)
      if (cause instanceof MillraceError && !isFull) throw cause
      const code = isFull ? 'MR_LOG_FULL' : 'MR_LOG_IO'
      const message = `partition ${this.number} of ${this.topic} could not be written: ${(cause as Error).message}`
      this.#settings.onEvent({ kind: 'log.suspended', topic: this.topic, partition: this.number, code, message })
      throw new MillraceError(code, message, {
        fix: isFull
          ? 'free space on the disk, or shorten keep.log; appends go on by themselves'
          : 'check the disk; appends are tried again',
        cause,
      })
    }
  }

  async #sync(action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (cause) {
      this.#isClosed = true
      const message = `partition ${this.number} of ${this.topic} could not be made durable: ${(cause as Error).message}`
      this.#settings.onEvent({ kind: 'log.closed', topic: this.topic, partition: this.number, message })
      throw new MillraceError('MR_LOG_IO', message, { fix: 'check the disk, then restart: nothing that was acknowledged is lost', cause })
    }
  }

  /** Takes away what a failed group left, so that no restart finds it in the page cache and believes it durable. */
  async #cutTail(sizeBytes: number): Promise<void> {
    try {
      await this.#file.file.truncate(sizeBytes)
    } catch {
      this.#isTailDirty = true // said again, as an error, by the next group
    }
  }

  /**
   * Closes the active segment and begins the next. The `.idx` is durable before the new segment exists, and the segment is
   * as long on the disk as it says: what a failed group left is cut, but not durably yet.
   */
  async #roll(): Promise<void> {
    const active = this.#active
    await this.#sync(() => this.#file.file.sync())
    await this.#writeSummary(active)
    const path = logPath(this.#directory, active.next)
    await this.#settings.disk.remove(path) // an attempt that failed half-way; nothing in it was acknowledged
    const file = await this.#settings.disk.open(path, 'create')
    await this.#sync(() => this.#settings.disk.syncDirectory(this.#directory))
    this.#segments[this.#segments.length - 1] = { ...active, index: undefined }
    this.#segments.push(emptySegment(active.next))
    const old = this.#file
    this.#file = new SharedFile(file)
    await old.retire()
  }

  async #writeSummary(segment: Segment): Promise<void> {
    const { disk, crc32c } = this.#settings
    const { base, next, sizeBytes, firstMs, lastMs, index } = segment
    const redrives = [...this.#memory.redrives].filter(([, known]) => known.first >= base)
    const emissions = [...this.#memory.emissions]
    const summary: Summary = {
      base,
      next,
      sizeBytes,
      firstMs,
      lastMs,
      index: index!,
      emissions,
      redrives,
      keys: this.#memory.keys.from(base),
    }
    await writeSummary(disk, this.#directory, base, encodeSummary(summary, crc32c))
  }

  whenMore(from: number, signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => this.#active.next > from, signal)
  }

  /** See `Log.retain`. `exclusively` runs an action while no group is under way. */
  async retain(
    limits: { beforeMs: number; keepFrom: number },
    exclusively: (action: () => Promise<void>) => Promise<void>,
  ): Promise<number> {
    const isOld = (segment: Segment) => segment.next > segment.base && segment.lastMs < limits.beforeMs && segment.next <= limits.keepFrom
    if (isOld(this.#active) && !this.#isClosed)
      await exclusively(async () => {
        if (isOld(this.#active)) await this.#attempt(() => this.#roll())
      })
    const removed: Segment[] = []
    while (this.#segments.length > 1 && isOld(this.#segments[0]!)) removed.push(this.#segments.shift()!)
    this.#memory.forgetRedrives(this.range.start)
    return this.#retention.remove(removed, this.range.start)
  }

  /** Closes the file; the `.idx` tells the next start that all of the segment was durable. */
  async close(): Promise<void> {
    this.#waiters.wakeAll()
    try {
      if (!this.#isClosed && !this.#isTailDirty && this.#active.next > this.#active.base) await this.#writeSummary(this.#active)
    } catch (error) {
      if (!isDiskFull(error)) throw error // without it the next start reads the segment, as after a crash
    } finally {
      await this.#file.retire()
    }
  }
}
