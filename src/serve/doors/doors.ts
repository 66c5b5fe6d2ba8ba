// The threads that listen on the port: they take rows of streams and leave everything else to node:http. Here is their side of
// the process: it starts them, gives each an entrance to the log, and says who may write (decision 10).
import { createServer } from 'node:net'
import { MessageChannel, type Worker } from 'node:worker_threads'
import type { Clock } from '../../core/clock.ts'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import { sentError } from '../../core/sent-error.ts'
import type { Log } from '../../log/log.ts'
import { slotMemory } from '../../log/packed-appends.ts'
import { fingerprint } from '../../schema/fingerprint.ts'
import type { StreamPorts } from '../streams.ts'
import type { DoorThreads } from './door-threads.ts'
import { collectedOf, type DoorDefinition, type FromThread, type InnerAddress, type ThreadData, type ToThread } from './messages.ts'

export interface DoorsOptions {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  readonly threads: DoorThreads
  readonly inner: InnerAddress
  readonly doors: readonly DoorDefinition[]
  readonly log: Pick<Log, 'admit'>
  readonly streams: Pick<StreamPorts, 'limits' | 'mayWrite' | 'onCollected'>
  readonly clock: Clock
  /** A thread ended by itself; another one takes its place. */
  readonly onError: (error: MillraceError) => void
}

export interface Doors {
  readonly port: number
  /** Who may write may have changed. */
  forget(): void
  /** For how long the threads have had something to do, milliseconds: their mean. A thread that takes another's place begins anew. */
  busyMs(): number
  /** Stops listening, and closes connections once they wait for nothing, or at once. */
  close(connections: 'idle' | 'all'): void
  /** Every thread has ended. */
  readonly closed: Promise<void>
}

const AGAIN_MS = 500

/** @throws MR_PORT when the port is in use. */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const threads = new Set<Thread>()
  const ended = Promise.withResolvers<void>()
  let isClosing = false
  const start = async (port: number): Promise<number> => {
    const thread = new Thread(options, port)
    threads.add(thread)
    thread.ended.then((error) => {
      threads.delete(thread)
      if (isClosing) return threads.size === 0 ? ended.resolve() : undefined
      if (!thread.isListening) return
      options.onError(error ?? new MillraceError('MR_INTERNAL', 'a thread of the door ended'))
      startAgain(thread.port)
    })
    await thread.listening
    return thread.port
  }
  const startAgain = (port: number): void =>
    void options.clock.after(AGAIN_MS, () => {
      if (isClosing) return
      start(port).catch((cause) => {
        options.onError(asMillraceError(cause))
        startAgain(port)
      })
    })
  const close = (connections: 'idle' | 'all'): void => {
    isClosing = true
    if (threads.size === 0) ended.resolve()
    for (const thread of threads) thread.close(connections)
  }
  const { count } = options.threads
  if (count > 1 && options.port !== 0) await probe(options.host, options.port)
  const port = await start(options.port)
  try {
    await Promise.all(Array.from({ length: count - 1 }, () => start(port)))
  } catch (cause) {
    close('all')
    throw cause
  }
  return {
    port,
    closed: ended.promise,
    forget() {
      for (const thread of threads) thread.say({ kind: 'forget' })
    },
    busyMs() {
      let sum = 0
      for (const thread of threads) sum += thread.busyMs
      return sum / count
    },
    close,
  }
}

class Thread {
  readonly listening: Promise<void>
  /** With the error that ended it. */
  readonly ended: Promise<MillraceError | undefined>
  readonly #worker: Worker
  readonly #options: DoorsOptions
  #port = 0
  #isListening = false

  constructor(options: DoorsOptions, port: number) {
    this.#options = options
    const { host, inner, doors, log, streams, threads } = options
    const memory = slotMemory()
    const { port1, port2 } = new MessageChannel()
    log.admit({ port: port1, memory, topics: doors.map(({ topic, shape }) => ({ topic, fingerprint: fingerprint(shape) })) })
    const { bodyBytesMax } = streams.limits
    const data: ThreadData = { host, port, isShared: threads.count > 1, bodyBytesMax, doors, inner, log: port2, memory }
    this.#worker = threads.take()
    const listening = Promise.withResolvers<void>()
    this.listening = listening.promise
    this.#worker.on('message', (message: FromThread) => {
      if (message.kind === 'collected') this.#count(message.numbers)
      else if (message.kind === 'may') void this.#mayWrite(message)
      else if (message.kind === 'listening') {
        this.#port = message.port
        this.#isListening = true
        listening.resolve()
      } else {
        listening.reject(notListening(message, port))
        void this.#worker.terminate()
      }
    })
    const ended = Promise.withResolvers<MillraceError | undefined>()
    let error: MillraceError | undefined
    this.#worker.on('error', (cause) => {
      error = asMillraceError(cause)
      listening.reject(error)
    })
    this.#worker.on('exit', () => ended.resolve(error))
    this.ended = ended.promise
    this.#worker.postMessage(data, [port2])
  }

  get port(): number {
    return this.#port
  }

  get isListening(): boolean {
    return this.#isListening
  }

  /** 0 once it has ended. */
  get busyMs(): number {
    return this.#worker.performance.eventLoopUtilization().active
  }

  say(message: ToThread): void {
    this.#worker.postMessage(message)
  }

  close(connections: 'idle' | 'all'): void {
    this.say({ kind: 'close', connections })
  }

  #count(numbers: Float64Array): void {
    const { streams, doors } = this.#options
    for (const { door, accepted, rejected, bytes, tookMs } of collectedOf(numbers))
      streams.onCollected(doors[door]!.topic, accepted, rejected, bytes, tookMs)
  }

  async #mayWrite({ ask, authorization, stream }: Extract<FromThread, { kind: 'may' }>): Promise<void> {
    try {
      const { id } = await this.#options.streams.mayWrite(authorization, stream)
      this.say({ kind: 'may', ask, id })
    } catch (cause) {
      this.say({ kind: 'may', ask, error: sentError(asMillraceError(cause)) })
    }
  }
}

/** Threads share a port, and the system would let another process of this user share it too: so whoever has it is found first. */
async function probe(host: string, port: number): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => reject(notListening({ code: error.code, message: error.message }, port)))
    server.listen({ host, port }, resolve)
  })
  await new Promise((resolve) => server.close(resolve))
}

function notListening({ code, message }: { code: string | undefined; message: string }, port: number): MillraceError {
  if (code === 'EADDRINUSE')
    return new MillraceError('MR_PORT', `port ${port} is in use`, { fix: 'choose another with --port, or 0 for any free one' })
  return new MillraceError('MR_PORT', `cannot listen: ${message}`, { fix: 'choose another address or port' })
}
