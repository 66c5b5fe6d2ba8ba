// One partition: its segments, of which the last is written, what it remembers, and who waits for more. Groups come from
// the log one at a time: `persist` makes one durable, `publish` then shows it to readers, so that a group becomes visible
// in all its partitions at once. Readers never see past what was published.
import { type DiskFile, isDiskFull } from '../core/disk.ts'
import { assert, MillraceError } from '../core/errors.ts'
import { encodeGroup } from './group-encoder.ts'
import type { LogBatch, PartitionRange, TopicStats } from './log.ts'
import { type Known, type Memory, scopedKey } from './memory.ts'
import { decodeBatch, isIntact } from './record-batch.ts'
import {
  addToIndex,
  decodeSummary,
  emptyIndex,
  emptySegment,
  encodeSummary,
  indexPath,
  logPath,
  positionBefore,
  type Segment,
  type SparseIndex,
  type Summary,
  throwCorrupt,
} from './segment.ts'
import { readChunk } from './segment-reader.ts'
import type { LogSettings } from './settings.ts'
import { SharedFile } from './shared-file.ts'
import { Stage, type StagedBatch } from './stage.ts'

/** An `.idx` whose segment retention has removed; kept while its keys count, or as the state before the first segment. */
export interface Orphan {
  readonly base: number
  readonly next: number
  readonly lastMs: number
}

/** What recovery found. */
export interface PartitionState {
  /** Ascending and without gaps; the last one is written. */
  readonly segments: Segment[]
  readonly orphans: Orphan[]
  readonly memory: Memory
  /** Keys that lie in the last segment. */
  readonly activeKeys: [string, Known][]
  readonly file: DiskFile
}

interface Persisted {
  readonly batches: readonly StagedBatch[]
  readonly positions: readonly number[]
  readonly appendTimeMs: number
  readonly sizeBytes: number
}

const READ_BYTES_MIN = 64 * 1024
const CURSORS_MAX = 16

export class Partition {
  readonly topic: string
  readonly number: number
  readonly #directory: string
  readonly #settings: LogSettings
  readonly #segments: Segment[]
  #orphans: Orphan[]
  /** Out of the readers' sight, not yet off the disk. */
  readonly #removed: Segment[] = []
  #sweeping: Promise<void> = Promise.resolve()
  #memory: Memory
  #activeKeys: [string, Known][]
  #file: SharedFile
  #persisted: Persisted | undefined
  /** A failed write may have left bytes after the good ones; they go before anything is written. */
  #isTailDirty = false
  #isClosed = false
  /** Where readers that go on from an offset find it. */
  readonly #cursors = new Map<number, { readonly base: number; readonly position: number }>()
  #loaded: { readonly base: number; readonly index: SparseIndex } | undefined
  readonly #waiters = new Set<{ readonly from: number; readonly wake: () => void }>()

  constructor(settings: LogSettings, topic: string, number: number, directory: string, state: PartitionState) {
    this.#settings = settings
    this.topic = topic
    this.number = number
    this.#directory = directory
    this.#segments = state.segments
    this.#orphans = state.orphans
    this.#memory = state.memory
    this.#activeKeys = state.activeKeys
    this.#file = new SharedFile(state.file)
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
    return Math.max(this.#active.lastMs, this.#segments.at(-2)?.lastMs ?? this.#orphans.at(-1)?.lastMs ?? 0)
  }

  get #active(): Segment {
    return this.#segments.at(-1)!
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
    const encoded = await encodeGroup(stage.batches, position, appendTimeMs, compression, crc32c)
    try {
      await this.#attempt(() => this.#file.file.write(encoded.parts, position))
      await this.#sync(() => this.#file.file.sync())
    } catch (error) {
      await this.#cutTail(position)
      throw error
    }
    this.#persisted = { batches: stage.batches, positions: encoded.positions, appendTimeMs, sizeBytes: encoded.sizeBytes }
    return encoded.sizeBytes
  }

  /** Shows the persisted group to readers. */
  publish(): void {
    const group = this.#persisted
    assert(group, 'publish follows persist')
    this.#persisted = undefined
    const active = this.#active
    if (active.next === active.base) active.firstMs = group.appendTimeMs
    active.lastMs = group.appendTimeMs
    active.sizeBytes += group.sizeBytes
    group.batches.forEach((batch, number) => {
      active.next = batch.baseOffset + batch.count
      addToIndex(active.index!, batch.baseOffset, group.positions[number]!, group.appendTimeMs)
      this.#rememberBatch(batch, group.appendTimeMs)
    })
    for (const waiter of this.#waiters) if (active.next > waiter.from) waiter.wake()
  }

  #rememberBatch(batch: StagedBatch, timeMs: number): void {
    for (const { key, hash, delta, count } of batch.keys) {
      const known = { hash, first: batch.baseOffset + delta, count, timeMs }
      this.#memory.remember(scopedKey(batch.kind, key), known)
      this.#activeKeys.push([scopedKey(batch.kind, key), known])
    }
    for (const [pipeline, last] of batch.emissions) this.#memory.emitted(pipeline, last)
    if (batch.redriveOf !== undefined)
      this.#memory.redrives.set(batch.redriveOf, { hash: '', first: batch.baseOffset, count: batch.count, timeMs })
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
      if (cause instanceof MillraceError && cause.code !== 'MR_DATA_FULL') throw cause
      const isFull = isDiskFull(cause) || (cause instanceof MillraceError && cause.code === 'MR_DATA_FULL')
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

  /** Closes the active segment and begins the next. The `.idx` is durable before the new segment exists. */
  async #roll(): Promise<void> {
    const active = this.#active
    await this.#writeSummary(active)
    const path = logPath(this.#directory, active.next)
    await this.#settings.disk.remove(path) // an attempt that failed half-way; nothing in it was acknowledged
    const file = await this.#settings.disk.open(path, 'create')
    await this.#sync(() => this.#settings.disk.syncDirectory(this.#directory))
    this.#segments[this.#segments.length - 1] = { ...active, index: undefined }
    this.#segments.push(emptySegment(active.next))
    this.#activeKeys = []
    const old = this.#file
    this.#file = new SharedFile(file)
    await old.retire()
  }

  async #writeSummary(segment: Segment): Promise<void> {
    const { disk, crc32c } = this.#settings
    const { base, next, sizeBytes, firstMs, lastMs, index } = segment
    const redrives = [...this.#memory.redrives].filter(([, known]) => known.first >= base)
    const emissions = [...this.#memory.emissions]
    const summary: Summary = { base, next, sizeBytes, firstMs, lastMs, index: index!, emissions, redrives, keys: this.#activeKeys }
    await writeSummary(disk, this.#directory, base, encodeSummary(summary, crc32c))
  }

  async read(from: number, maxBytes: number): Promise<LogBatch[]> {
    const segment = this.#segmentOf(from)
    if (from >= segment.next) return []
    const batches: LogBatch[] = []
    await this.#use(segment, async (file) => {
      let { position, offset } = await this.#locate(segment, from)
      for (let bytes = 0; position < segment.sizeBytes && bytes < maxBytes; ) {
        const chunk = await readChunk(file, position, segment.sizeBytes, Math.max(READ_BYTES_MIN, maxBytes - bytes))
        if (chunk.batches.length === 0) throwCorrupt(file.path, position, 'no whole batch begins there')
        for (const { header, at } of chunk.batches) {
          if (header.baseOffset !== offset) throwCorrupt(file.path, chunk.position + at, `offset ${header.baseOffset} instead of ${offset}`)
          offset += header.count
          if (offset <= from) continue
          if (!isIntact(chunk.bytes, at, header, this.#settings.crc32c))
            throwCorrupt(file.path, chunk.position + at, 'the checksum does not fit')
          const batch = decodeBatch(chunk.bytes, at, header, this.number)
          bytes += batch.payload.byteLength
          if (batches.length > 0 && bytes > maxBytes) return this.#keepCursor(header.baseOffset, segment.base, chunk.position + at)
          batches.push(batch)
        }
        position = chunk.next
      }
      this.#keepCursor(offset, segment.base, position)
    })
    return batches
  }

  /** First offset whose append time is at or after `timeMs`. */
  async offsetAt(timeMs: number): Promise<number> {
    const segment = this.#segments.find((candidate) => candidate.next > candidate.base && candidate.lastMs >= timeMs)
    if (!segment) return this.#active.next
    if (segment.firstMs >= timeMs) return segment.base
    return this.#use(segment, async (file) => {
      const index = await this.#indexOf(segment)
      for (let position = positionBefore(index, index.times, timeMs - 1); position < segment.sizeBytes; ) {
        const chunk = await readChunk(file, position, segment.sizeBytes, READ_BYTES_MIN)
        const found = chunk.batches.find(({ header }) => header.appendTimeMs >= timeMs)
        if (found) return found.header.baseOffset
        if (chunk.batches.length === 0) throwCorrupt(file.path, position, 'no whole batch begins there')
        position = chunk.next
      }
      return segment.next
    })
  }

  whenMore(from: number, signal: AbortSignal): Promise<void> {
    if (this.#active.next > from || signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiters.delete(waiter)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const waiter = { from, wake }
      this.#waiters.add(waiter)
      signal.addEventListener('abort', wake, { once: true })
    })
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
    while (this.#segments.length > 1 && isOld(this.#segments[0]!)) this.#removed.push(this.#segments.shift()!)
    this.#memory.forgetRedrives(this.#segments[0]!.base)
    const swept = this.#sweeping.then(() => this.#sweep())
    this.#sweeping = swept.then(
      () => {},
      () => {}, // the next sweep begins with what this one left
    )
    return swept
  }

  /** Removes files, the oldest first and each removal durable before the next: no crash and no error may leave a gap. */
  async #sweep(): Promise<number> {
    let freed = 0
    for (let segment = this.#removed[0]; segment; segment = this.#removed[0]) {
      const { base, next, lastMs, sizeBytes } = segment
      const path = logPath(this.#directory, base)
      await this.#settings.disk.remove(path)
      await this.#settings.disk.syncDirectory(this.#directory)
      this.#removed.shift()
      this.#orphans.push({ base, next, lastMs })
      this.#settings.onEvent({ kind: 'log.removed', path, bytes: sizeBytes })
      freed += sizeBytes
    }
    await this.#removeOrphans()
    return freed
  }

  async #removeOrphans(): Promise<void> {
    const keepMs = this.#settings.clock.nowMs() - this.#settings.idempotencyMs
    const start = this.#segments[0]!.base
    const gone = this.#orphans.filter((orphan) => orphan.lastMs < keepMs && orphan.next !== start)
    this.#orphans = this.#orphans.filter((orphan) => !gone.includes(orphan))
    for (const { base } of gone) await this.#settings.disk.remove(indexPath(this.#directory, base))
  }

  /** Closes the file; the `.idx` tells the next start that all of the segment was durable. */
  async close(): Promise<void> {
    for (const waiter of this.#waiters) waiter.wake()
    try {
      if (!this.#isClosed && !this.#isTailDirty && this.#active.next > this.#active.base) await this.#writeSummary(this.#active)
    } catch (error) {
      if (!isDiskFull(error)) throw error // without it the next start reads the segment, as after a crash
    } finally {
      await this.#file.retire()
    }
  }

  #segmentOf(offset: number): Segment {
    const { start, end } = this.range
    const segment = offset >= start && offset <= end ? this.#segments.findLast((candidate) => candidate.base <= offset) : undefined
    if (segment) return segment
    throw new MillraceError('MR_LOG_RANGE', `offset ${offset} of ${this.topic}/${this.number} is outside ${start} to ${end}`, {
      fix:
        offset < start ? `read from ${start} on; retention removed what was before` : 'check that the log and the offsets belong together',
    })
  }

  async #use<T>(segment: Segment, action: (file: DiskFile) => Promise<T>): Promise<T> {
    if (segment.base === this.#active.base) return this.#file.use(action)
    const path = logPath(this.#directory, segment.base)
    let file: DiskFile
    try {
      file = await this.#settings.disk.open(path, 'read')
    } catch (error) {
      this.#segmentOf(segment.base) // says so when retention removed the segment in between
      throw error
    }
    try {
      return await action(file)
    } finally {
      await file.close()
    }
  }

  async #locate(segment: Segment, offset: number): Promise<{ position: number; offset: number }> {
    const cursor = this.#cursors.get(offset)
    if (cursor?.base === segment.base) return { position: cursor.position, offset }
    const index = await this.#indexOf(segment)
    const position = positionBefore(index, index.offsets, offset)
    return { position, offset: index.offsets[index.positions.indexOf(position)] ?? segment.base }
  }

  async #indexOf(segment: Segment): Promise<SparseIndex> {
    if (segment.index) return segment.index
    if (this.#loaded?.base !== segment.base) {
      const bytes = await this.#settings.disk.readFile(indexPath(this.#directory, segment.base))
      // Damaged since the start: read the segment from its beginning.
      this.#loaded = { base: segment.base, index: decodeSummary(bytes, this.#settings.crc32c)?.index ?? emptyIndex() }
    }
    return this.#loaded.index
  }

  #keepCursor(offset: number, base: number, position: number): void {
    this.#cursors.set(offset, { base, position })
    if (this.#cursors.size > CURSORS_MAX) this.#cursors.delete(this.#cursors.keys().next().value!)
  }
}

/** Replaces the `.idx` of a segment, durably. */
export async function writeSummary(disk: LogSettings['disk'], directory: string, base: number, bytes: Buffer): Promise<void> {
  const path = indexPath(directory, base)
  await disk.remove(`${path}.tmp`)
  await disk.writeNew(`${path}.tmp`, bytes)
  await disk.rename(`${path}.tmp`, path)
  await disk.syncDirectory(directory)
}
