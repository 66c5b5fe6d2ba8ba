// The embedded log in a thread of its own, as the process uses it. Ranges are read from shared memory (`figures.ts`): what an
// acknowledged append brought is in them before anybody hears of it. Reads come as copies.
import { Worker } from 'node:worker_threads'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import { receivedError, type SentError, sentError } from '../../core/sent-error.ts'
import type { KeyRing } from '../../objects/seal/key-ring.ts'
import type { Append, Appended, Entrance, Log, LogBatch, PartitionEnd, PartitionRange, TopicStats } from '../log.ts'
import type { LogEvent } from '../settings.ts'
import { Waiters } from '../waiters.ts'
import { TopicFigures } from './figures.ts'
import { knownKeys } from './keys.ts'
import { batchesOf, type Calls, type FromLog, type LogThreadData, type Method, type ToLog } from './messages.ts'

export interface ThreadedLogOptions {
  /** See `EmbeddedLogOptions`. */
  readonly directory: string
  readonly encrypted?: { readonly keys: KeyRing; readonly topics: ReadonlySet<string> }
  /** Told after the fact; must not throw. */
  readonly onEvent?: (event: LogEvent) => void
}

const ENTRY = new URL(import.meta.url.endsWith('.ts') ? './log-thread.ts' : './log-thread.js', import.meta.url)

/** The thread before it opens a log: it loads its code while the process starts, on another core. */
export const beginLogThread = (): Worker => new Worker(ENTRY, { name: 'log' })

/** @throws what `openEmbeddedLog` throws. */
export async function openThreadedLog(options: ThreadedLogOptions, worker = beginLogThread()): Promise<Log> {
  const health = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const log = new ThreadedLog(worker, options, health)
  const { directory, encrypted } = options
  const data: LogThreadData = {
    directory,
    health,
    encrypted: encrypted ? { topics: encrypted.topics, keys: knownKeys(encrypted.keys) } : null,
  }
  worker.postMessage(data)
  try {
    await log.opened
  } catch (cause) {
    await worker.terminate()
    throw cause
  }
  return log
}

class ThreadedLog implements Log {
  readonly #worker: Worker
  readonly #options: ThreadedLogOptions
  readonly #health: Int32Array
  readonly #opened = Promise.withResolvers<void>()
  readonly #figures = new Map<string, TopicFigures>()
  readonly #calls = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>()
  readonly #waiters = new Waiters()
  #called = 0
  #closing: Promise<void> | undefined

  constructor(worker: Worker, options: ThreadedLogOptions, health: SharedArrayBuffer) {
    this.#worker = worker
    this.#options = options
    this.#health = new Int32Array(health)
    worker.on('message', (message: FromLog) => this.#hear(message))
    worker.on('error', (cause) => this.#end(asMillraceError(cause)))
    worker.on('exit', () => this.#end(new MillraceError('MR_LOG_IO', "the log's thread has ended", { fix: 'restart' })))
  }

  get opened(): Promise<void> {
    return this.#opened.promise
  }

  #hear(message: FromLog): void {
    if (message.kind === 'answer') this.#settle(message)
    else if (message.kind === 'event') {
      this.#waiters.look()
      this.#options.onEvent?.(message.event)
    } else if (message.kind === 'topic') this.#figures.set(message.topic, new TopicFigures(message.memory))
    else if (message.kind === 'key') void this.#giveKey(message)
    else if (message.kind === 'opened') this.#opened.resolve()
    else this.#opened.reject(receivedError(message.error))
  }

  #settle(answer: { readonly id: number } & ({ readonly value: unknown } | { readonly error: SentError })): void {
    const call = this.#calls.get(answer.id)!
    this.#calls.delete(answer.id)
    if ('error' in answer) call.reject(receivedError(answer.error))
    else call.resolve(answer.value)
  }

  async #giveKey({ ask, which, scope }: Extract<FromLog, { kind: 'key' }>): Promise<void> {
    try {
      const { id, secret } = await this.#options.encrypted!.keys[which](scope)
      this.#say({ kind: 'key', ask, key: { id, secret, scope } })
    } catch (cause) {
      this.#say({ kind: 'key', ask, error: sentError(asMillraceError(cause)) })
    }
  }

  /** Nothing of the process is true without its log: what was acknowledged is there after a restart. */
  #end(error: MillraceError): void {
    this.#opened.reject(error)
    for (const { reject } of this.#calls.values()) reject(error)
    this.#calls.clear()
    this.#waiters.wakeAll()
    if (!this.#closing && this.#figures.size > 0) throw error
  }

  #say(message: ToLog, transfer: readonly ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  #call<M extends Method>(method: M, args: Parameters<Calls[M]>, transfer: readonly ArrayBuffer[] = []): Promise<ReturnType<Calls[M]>> {
    if (this.#closing && method !== 'close') return Promise.reject(new MillraceError('MR_CANCELLED', 'the log is closed'))
    const id = this.#called++
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#say({ kind: 'call', id, method, args }, transfer)
    })
  }

  ensureTopic(topic: string, partitions: number, committed: readonly number[] = []): Promise<void> {
    return this.#call('ensureTopic', [topic, partitions, committed])
  }

  topics(): readonly TopicStats[] {
    return [...this.#figures].map(([topic, figures]) => ({
      topic,
      partitions: Array.from({ length: figures.partitions }, (_, partition) => figures.of(partition)),
    }))
  }

  get healthy(): boolean {
    return Atomics.load(this.#health, 0) === 1
  }

  append(topic: string, parts: readonly Append[], ifEnds: readonly PartitionEnd[] = []): Promise<readonly Appended[]> {
    // A message would copy all of the memory that a payload is a view of.
    const copies = parts.map((part) => ({ ...part, payload: new Uint8Array(part.payload) }))
    const buffers = copies.map(({ payload }) => payload.buffer as ArrayBuffer)
    return this.#call('append', [topic, copies, ifEnds], buffers) as Promise<readonly Appended[]>
  }

  admit({ port, memory, topics }: Entrance): void {
    this.#worker.postMessage({ kind: 'admit', port, memory, topics } satisfies ToLog, [port])
  }

  async hold(topic: string, limitMs: number): Promise<() => void> {
    const hold = await this.#call('hold', [topic, limitMs])
    return () => void this.#call('release', [hold]).catch(() => {}) // of a log that is closed nothing is held
  }

  async read(topic: string, partition: number, from: number, maxBytes: number, waitMs = 0): Promise<readonly LogBatch[]> {
    return batchesOf(await this.#call('read', [topic, partition, from, maxBytes, waitMs]))
  }

  range(topic: string, partition: number): PartitionRange {
    const figures = this.#figures.get(topic)
    if (figures && partition < figures.partitions) return figures.range(partition)
    throw new MillraceError('MR_LOG_UNKNOWN', `the log has no partition ${partition} of a topic ${topic}`)
  }

  async whenMore(topic: string, partition: number, from: number, signal: AbortSignal): Promise<void> {
    if (!this.#closing) await this.#waiters.until(() => this.range(topic, partition).end > from, signal)
  }

  offsetAt(topic: string, partition: number, timeMs: number): Promise<number> {
    return this.#call('offsetAt', [topic, partition, timeMs])
  }

  lastEmission(topic: string, partition: number, pipeline: string): Promise<number> {
    return this.#call('lastEmission', [topic, partition, pipeline])
  }

  retain(topic: string, partition: number, limits: { beforeMs: number; keepFrom: number }): Promise<number> {
    return this.#call('retain', [topic, partition, limits])
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#call('close', [])
    this.#waiters.wakeAll()
    await this.#worker.terminate()
  }
}
