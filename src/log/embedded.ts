// The embedded log: segments on the local disk, `<directory>/<topic>/<partition>/`. One loop takes what has gathered while
// the last group was being synced, writes it to all its partitions with one write and one fdatasync each, then shows it:
// the running sync is the linger. So a batch that is visible with append time T proves that all before T is visible.
import { dirname, join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { assert, MillraceError } from '../core/errors.ts'
import type { DataKey } from '../objects/seal/key-ring.ts'
import { hideIdempotency } from './batch-seal.ts'
import { type Call, type Placed, refuseMoved, settle } from './call.ts'
import { loadCrc32c } from './crc32c.ts'
import { serveEntrance } from './entrance.ts'
import { Holds } from './holds.ts'
import type { Append, Appended, Entrance, Log, LogBatch, PartitionEnd, PartitionRange, TopicStats } from './log.ts'
import { Partition } from './partition.ts'
import { RecentBytes } from './recent-bytes.ts'
import { recoverPartition } from './recovery.ts'
import type { LogEvent, LogKeys, LogSettings } from './settings.ts'
import type { Stage } from './stage.ts'

export interface EmbeddedLogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Absolute; made when absent, its parent should exist. Only one process may have it open. */
  readonly directory: string
  /** A segment is closed at this size. Default 128 MiB. */
  readonly segmentBytes?: number
  /** A segment is closed at this age. Default 1 hour. */
  readonly segmentMs?: number
  /** Appends that wait or are being written. Default 64 MiB. */
  readonly pendingBytesMax?: number
  /** How long a key is remembered. Default 24 hours. */
  readonly idempotencyMs?: number
  /**
   * Of batches above 4 KB. Default 'none': on two cores 1.3 M events/s at 1.6 M a CPU-second without, 0.8 M at 0.7 M with
   * zstd-1 on the thread pool; reading 3.5 M against 1.9 M events/s (100-event blocks of 250-byte events, bench/log.ts). One
   * core that does everything at 500,000 events/s has no 0.4 core for it. zstd makes the log four to five times smaller.
   */
  readonly compression?: 'zstd' | 'none'
  /**
   * While much comes in, groups begin so far apart at least: each takes processors as well, which then are for what reads them. What
   * little comes is written at once. Default 0.
   */
  readonly groupMs?: number
  /** What was written last, of all topics, is read from memory. Default 8 MiB. */
  readonly recentBytes?: number
  /** Topics whose rows are encrypted, and the keys for that. */
  readonly encrypted?: { readonly keys: LogKeys; readonly topics: ReadonlySet<string> }
  /** Told after the fact; must not throw. */
  readonly onEvent?: (event: LogEvent) => void
}

const MIB = 1 << 20
const HOUR_MS = 3_600_000
/** A group takes no more than this, so that one flood does not delay everybody's acknowledgement. */
const GROUP_BYTES_MAX = 8 * MIB
/** A group of so much is one of many. */
const FLOW_BYTES = 16 * 1024
const NEWLINE = 0x0a
/** Kafka's batch length has 31 bits. */
const PAYLOAD_BYTES_MAX = 1 << 30
const FULL_PROBE_MS = 5_000
const TOPIC_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,248}$/

/** @throws MR_LOG_CORRUPT when durable bytes are damaged. */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<Log> {
  const settings: LogSettings = {
    disk: options.disk,
    clock: options.clock,
    crc32c: await loadCrc32c(),
    segmentBytes: options.segmentBytes ?? 128 * MIB,
    segmentMs: options.segmentMs ?? HOUR_MS,
    idempotencyMs: options.idempotencyMs ?? 24 * HOUR_MS,
    compression: options.compression ?? 'none',
    groupMs: options.groupMs ?? 0,
    recent: new RecentBytes(options.recentBytes ?? 8 * MIB),
    keys: options.encrypted?.keys ?? null,
    isEncrypted: (topic) => options.encrypted?.topics.has(topic) === true,
    onEvent: options.onEvent ?? (() => {}),
  }
  const log = new EmbeddedLog(settings, options.directory, options.pendingBytesMax ?? 64 * MIB)
  await log.recover()
  return log
}

class EmbeddedLog implements Log {
  readonly #settings: LogSettings
  readonly #directory: string
  readonly #pendingBytesMax: number
  readonly #topics = new Map<string, Partition[]>()
  #waiting: Call[] = []
  readonly #holds = new Holds<Call>()
  #pendingBytes = 0
  #lastAppendMs = 0
  #isRunning = false
  #isFull = false
  #isClosed = false
  /** Run between two groups. */
  #tasks: (() => Promise<void>)[] = []
  #idle: (() => void)[] = []
  /** Of encrypted topics: what hides idempotency keys. */
  readonly #hiding = new Map<string, DataKey>()
  /** The last creation of a topic: one at a time, so that no partition is opened twice. */
  #making: Promise<void> = Promise.resolve()

  constructor(settings: LogSettings, directory: string, pendingBytesMax: number) {
    this.#settings = settings
    this.#directory = directory
    this.#pendingBytesMax = pendingBytesMax
  }

  async recover(): Promise<void> {
    const { disk } = this.#settings
    await disk.makeDirectory(this.#directory)
    await disk.syncDirectory(dirname(this.#directory)) // also when an earlier start made it and died
    for (const topic of await disk.list(this.#directory)) {
      if (!TOPIC_NAME.test(topic)) continue
      const numbers = (await disk.list(join(this.#directory, topic))).filter((name) => /^\d+$/.test(name)).map(Number)
      await this.ensureTopic(topic, Math.max(0, ...numbers.map((number) => number + 1)))
    }
  }

  ensureTopic(topic: string, partitions: number, committed: readonly number[] = []): Promise<void> {
    const made = this.#making.then(() => this.#makeTopic(topic, partitions, committed))
    this.#making = made.catch(() => {})
    return made
  }

  async #makeTopic(topic: string, partitions: number, committed: readonly number[]): Promise<void> {
    if (!TOPIC_NAME.test(topic))
      throw new MillraceError('MR_DEFINE_NAME', `"${topic}" is not a topic's name`, {
        fix: 'use letters, digits, _ . and -, at most 249, not . or - first',
      })
    const { disk } = this.#settings
    const directory = join(this.#directory, topic)
    const opened = this.#topics.get(topic) ?? []
    for (const [number, partition] of opened.entries()) partition.refuseBefore(committed[number] ?? 0)
    if (opened.length >= partitions && this.#topics.has(topic)) return
    // One level at a time: each entry is made durable in its parent.
    await disk.makeDirectory(directory)
    await disk.syncDirectory(this.#directory)
    const added: Partition[] = []
    for (let number = opened.length; number < partitions; number++) {
      await disk.makeDirectory(join(directory, String(number)))
      const from = committed[number] ?? 0
      const partition = new Partition(
        this.#settings,
        topic,
        number,
        join(directory, String(number)),
        await recoverPartition(this.#settings, join(directory, String(number)), from),
      )
      partition.refuseBefore(from)
      if (from > 0 && partition.range.start === from) this.#settings.onEvent({ kind: 'log.begun', topic, partition: number, offset: from })
      added.push(partition)
    }
    await disk.syncDirectory(directory)
    const { keys, isEncrypted } = this.#settings
    if (keys && isEncrypted(topic)) this.#hiding.set(topic, await keys.first(topic))
    this.#topics.set(topic, [...opened, ...added])
    this.#lastAppendMs = Math.max(this.#lastAppendMs, ...added.map((partition) => partition.lastAppendMs))
  }

  topics(): readonly TopicStats[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: partitions.map((partition) => partition.stats) }))
  }

  get healthy(): boolean {
    return !this.#isFull && [...this.#topics.values()].every((partitions) => partitions.every((partition) => !partition.isClosed))
  }

  append(topic: string, given: readonly Append[], ends: readonly PartitionEnd[] = []): Promise<readonly Appended[]> {
    return new Promise((resolve, reject) => {
      const hiding = this.#hiding.get(topic)
      const parts = hiding ? given.map((part) => hideIdempotency(part, hiding)) : given
      const partitions = parts.map((part) => this.#partition(topic, part.partition))
      const ifEnds = ends.map(({ topic, partition, end }) => [this.#partition(topic, partition), end] as const)
      const bytes = parts.reduce((sum, part) => sum + part.payload.byteLength, 0)
      this.#admit(topic, parts, bytes)
      this.#pendingBytes += bytes
      this.#enter({ topic, parts, partitions, ifEnds, bytes, resolve, reject })
    })
  }

  admit(entrance: Entrance): void {
    serveEntrance(this, entrance)
  }

  #enter(call: Call): void {
    if (this.#holds.takes(call)) return
    this.#waiting.push(call)
    this.#start()
  }

  async hold(topic: string, limitMs: number): Promise<() => void> {
    const hold = this.#holds.begin(topic)
    this.#waiting = this.#waiting.filter((call) => !this.#holds.takes(call))
    const release = (): void => {
      cancel()
      for (const call of this.#holds.end(topic, hold)) this.#enter(call)
    }
    const cancel = this.#settings.clock.after(limitMs, release)
    await this.#betweenGroups(async () => {})
    return release
  }

  #admit(topic: string, parts: readonly Append[], bytes: number): void {
    this.#refuseClosed()
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.#pendingBytesMax)
      throw new MillraceError('MR_LOG_BUSY', `${this.#pendingBytes} bytes wait to be written to the log, ${topic} would add ${bytes}`, {
        fix: 'try again in a moment',
      })
    for (const part of parts)
      if (part.count < 1 || part.payload.at(-1) !== NEWLINE || part.payload.byteLength > PAYLOAD_BYTES_MAX)
        assert(false, `an append to ${topic} has ${part.count} lines in ${part.payload.byteLength} bytes`)
    if (parts.length > 1) {
      const keyed = parts.filter((part) => part.idempotency).map((part) => `${part.partition} ${part.kind} ${part.idempotency?.key}`)
      assert(new Set(keyed).size === keyed.length, 'one call has one part for a key, a partition and a kind')
    }
  }

  #partition(topic: string, number: number): Partition {
    const partition = this.#topics.get(topic)?.[number]
    if (!partition) throw new MillraceError('MR_LOG_UNKNOWN', `the log has no partition ${number} of a topic ${topic}`)
    return partition
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    // After this turn of the event loop, so that all requests that arrived together share the first group.
    setImmediate(() => this.#run())
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 || this.#tasks.length > 0) {
      for (const task of this.#tasks.splice(0)) await task()
      if (this.#waiting.length === 0) continue
      const { clock, groupMs } = this.#settings
      const startedMs = clock.monotonicMs()
      const calls = this.#take()
      await this.#commitGroup(calls)
      const restMs = groupMs - (clock.monotonicMs() - startedMs)
      if (restMs >= 1 && calls.reduce((sum, { bytes }) => sum + bytes, 0) >= FLOW_BYTES) await clock.sleep(restMs)
    }
    this.#isRunning = false
    for (const wake of this.#idle.splice(0)) wake()
  }

  #take(): Call[] {
    let bytes = 0
    let count = 0
    while (count < this.#waiting.length && (count === 0 || bytes < GROUP_BYTES_MAX)) bytes += this.#waiting[count++]!.bytes
    if (count === this.#waiting.length) {
      const all = this.#waiting
      this.#waiting = []
      return all
    }
    return this.#waiting.splice(0, count)
  }

  async #commitGroup(calls: readonly Call[]): Promise<void> {
    const startedMs = this.#settings.clock.monotonicMs()
    this.#lastAppendMs = Math.max(this.#lastAppendMs, this.#settings.clock.nowMs())
    const stages = new Map<Partition, Stage>()
    const placed = calls.map((call) => this.#place(call, stages)).filter((each) => each !== undefined)
    const written = [...stages].filter(([, stage]) => stage.batches.length > 0)
    const failures = new Map<Partition, unknown>()
    let bytes = 0
    await Promise.all(
      written.map(async ([partition, stage]) => {
        try {
          bytes += await partition.persist(stage, this.#lastAppendMs)
        } catch (error) {
          failures.set(partition, error)
        }
      }),
    )
    // The commit point: everything that did not fail is durable.
    for (const [partition] of written) if (!failures.has(partition)) partition.publish()
    if (written.length > 0) this.#noteHealth(failures, written.length)
    for (const each of placed) settle(each, failures)
    for (const call of calls) this.#pendingBytes -= call.bytes
    let records = 0
    for (const { call } of placed) for (const part of call.parts) records += part.count
    const tookMs = this.#settings.clock.monotonicMs() - startedMs
    this.#settings.onEvent({ kind: 'log.committed', partitions: written.length - failures.size, records, bytes, tookMs })
  }

  /** Verifies all parts before it places any, so that a call that is refused leaves no trace. */
  #place(call: Call, stages: Map<Partition, Stage>): Placed | undefined {
    try {
      const staged = call.partitions.map((partition) => stageOf(partition, stages))
      refuseMoved(call, stages)
      for (let number = 0; number < staged.length; number++) staged[number]!.verify(call.parts[number]!)
      return { call, placements: staged.map((stage, number) => stage.place(call.parts[number]!)) }
    } catch (error) {
      call.reject(error)
      return undefined
    }
  }

  #noteHealth(failures: ReadonlyMap<Partition, unknown>, written: number): void {
    const isSuspended = [...failures.keys()].some((partition) => !partition.isClosed)
    if (isSuspended && !this.#isFull) this.#probeLater()
    if (isSuspended) this.#isFull = true
    else if (failures.size < written) this.#resume()
  }

  #resume(): void {
    if (!this.#isFull) return
    this.#isFull = false
    this.#settings.onEvent({ kind: 'log.resumed' })
  }

  /** Without readiness no appends come that could find room, so the log looks for itself. */
  #probeLater(): void {
    this.#settings.clock.after(FULL_PROBE_MS, async () => {
      if (!this.#isFull || this.#isClosed) return
      const path = join(this.#directory, '.room')
      try {
        await this.#settings.disk.remove(path)
        await this.#settings.disk.writeNew(path, Buffer.alloc(MIB))
        this.#resume()
      } catch {
        this.#probeLater()
      }
      await this.#settings.disk.remove(path).catch(() => {})
    })
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new MillraceError('MR_CANCELLED', 'the log is closed')
  }

  async read(topic: string, partition: number, from: number, maxBytes: number, waitMs = 0): Promise<readonly LogBatch[]> {
    this.#refuseClosed()
    const read = this.#partition(topic, partition)
    if (waitMs > 0 && read.range.end <= from) {
      const patience = new AbortController()
      const cancel = this.#settings.clock.after(waitMs, () => patience.abort())
      await read.whenMore(from, patience.signal)
      cancel()
      this.#refuseClosed()
    }
    return read.reader.read(from, maxBytes)
  }

  range(topic: string, partition: number): PartitionRange {
    return this.#partition(topic, partition).range
  }

  async whenMore(topic: string, partition: number, from: number, signal: AbortSignal): Promise<void> {
    if (!this.#isClosed) await this.#partition(topic, partition).whenMore(from, signal)
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<number> {
    this.#refuseClosed()
    return this.#partition(topic, partition).reader.offsetAt(timeMs)
  }

  async lastEmission(topic: string, partition: number, pipeline: string): Promise<number> {
    return this.#partition(topic, partition).lastEmission(pipeline)
  }

  async retain(topic: string, partition: number, limits: { beforeMs: number; keepFrom: number }): Promise<number> {
    this.#refuseClosed()
    return this.#partition(topic, partition).retain(limits, (action) => this.#betweenGroups(action))
  }

  #betweenGroups(action: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tasks.push(() => action().then(resolve, reject))
      this.#start()
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const call of this.#holds.endAll()) this.#enter(call)
    await this.#making
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve))
    for (const partitions of this.#topics.values()) for (const partition of partitions) await partition.close()
  }
}

/** @throws MR_LOG_IO when the partition is closed. */
function stageOf(partition: Partition, stages: Map<Partition, Stage>): Stage {
  if (partition.isClosed) throw closedError(partition)
  let stage = stages.get(partition)
  if (!stage) {
    stage = partition.stage()
    stages.set(partition, stage)
  }
  return stage
}

const closedError = (partition: Partition): MillraceError =>
  new MillraceError('MR_LOG_IO', `partition ${partition.number} of ${partition.topic} is closed since a sync failed`, {
    fix: 'check the disk, then restart: nothing that was acknowledged is lost',
  })
