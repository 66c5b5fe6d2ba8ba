// The log's thread: the embedded log, its writes and reads, beside the process's thread, so that an acknowledgement waits for the disk
// and for nothing else.
import { flushCompileCache } from 'node:module'
import { parentPort } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import { asMillraceError, assert } from '../../core/errors.ts'
import { receivedError, sentError } from '../../core/sent-error.ts'
import type { DataKey } from '../../objects/seal/key-ring.ts'
import { openEmbeddedLog } from '../embedded.ts'
import type { Append, PartitionEnd } from '../log.ts'
import type { LogEvent } from '../settings.ts'
import { figuresMemory, TopicFigures } from './figures.ts'
import { logKeys } from './keys.ts'
import { type Calls, type FromLog, type LogThreadData, type Method, packBatches, type ToLog } from './messages.ts'

/** See `EmbeddedLogOptions`. */
const GROUP_MS = 5

assert(parentPort, 'this module runs in a thread')
const port = parentPort
flushCompileCache() // for the next start: after a `kill -9` nobody would write it
const say = (message: FromLog, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)

const data = await new Promise<LogThreadData>((resolve) => port.once('message', resolve))
const health = new Int32Array(data.health)
const figures = new Map<string, TopicFigures>()
const asked = new Map<number, PromiseWithResolvers<DataKey>>()
let asks = 0

function ask(which: 'forWriting' | 'first', scope: string): Promise<DataKey> {
  const answer = Promise.withResolvers<DataKey>()
  asked.set(asks, answer)
  say({ kind: 'key', ask: asks++, which, scope })
  return answer.promise
}

/** Before anybody is told of what is new. */
function writeFigures(): void {
  Atomics.store(health, 0, log.healthy ? 1 : 0)
  for (const { topic, partitions } of log.topics()) {
    let known = figures.get(topic)
    if (!known || known.partitions < partitions.length) {
      const memory = figuresMemory(partitions.length)
      known = new TopicFigures(memory)
      figures.set(topic, known)
      say({ kind: 'topic', topic, memory })
    }
    for (const [partition, own] of partitions.entries()) known.write(partition, own)
  }
}

/** What recovery says comes before there is a log. */
let isOpen = false
const onEvent = (event: LogEvent): void => {
  if (isOpen) writeFigures()
  say({ kind: 'event', event })
}

const open = () =>
  openEmbeddedLog({
    disk: nodeDisk,
    clock: systemClock,
    directory: data.directory,
    groupMs: GROUP_MS,
    onEvent,
    ...(data.encrypted ? { encrypted: { keys: logKeys(data.encrypted.keys, ask), topics: data.encrypted.topics } } : {}),
  })

const holds = new Map<number, () => void>()
let held = 0

const calls: { readonly [M in Method]: (...args: Parameters<Calls[M]>) => Promise<ReturnType<Calls[M]>> } = {
  async ensureTopic(topic, partitions, committed) {
    await log.ensureTopic(topic, partitions, committed)
    writeFigures()
  },
  append: (topic, parts: readonly Append[], ifEnds: readonly PartitionEnd[]) => log.append(topic, parts, ifEnds),
  async hold(topic, limitMs) {
    holds.set(++held, await log.hold(topic, limitMs))
    return held
  },
  async release(hold) {
    holds.get(hold)?.()
    holds.delete(hold)
  },
  read: async (topic, partition, from, maxBytes, waitMs) => packBatches(await log.read(topic, partition, from, maxBytes, waitMs)),
  offsetAt: (topic, partition, timeMs) => log.offsetAt(topic, partition, timeMs),
  lastEmission: (topic, partition, pipeline) => log.lastEmission(topic, partition, pipeline),
  async retain(topic, partition, limits) {
    const bytes = await log.retain(topic, partition, limits)
    writeFigures()
    return bytes
  },
  close: () => log.close(),
}

async function answer({ id, method, args }: Extract<ToLog, { kind: 'call' }>): Promise<void> {
  try {
    const value = await (calls[method] as (...args: readonly unknown[]) => Promise<unknown>)(...args)
    const bytes = method === 'read' ? [(value as ReturnType<Calls['read']>).bytes.buffer as ArrayBuffer] : []
    say({ kind: 'answer', id, value }, bytes)
  } catch (cause) {
    say({ kind: 'answer', id, error: sentError(asMillraceError(cause)) })
  }
}

function takeKey(message: Extract<ToLog, { kind: 'key' }>): void {
  const waiting = asked.get(message.ask)!
  asked.delete(message.ask)
  if ('error' in message) waiting.reject(receivedError(message.error))
  else waiting.resolve({ ...message.key, id: Buffer.from(message.key.id), secret: Buffer.from(message.key.secret) })
}

port.on('message', (message: ToLog) => {
  if (message.kind === 'call') void answer(message)
  else if (message.kind === 'admit') log.admit(message)
  else takeKey(message)
})

// What comes before it is open is a key that it asked for.
const log = await open().catch((cause) => {
  say({ kind: 'failed', error: sentError(asMillraceError(cause)) })
  // Whoever opened it ends the thread. An error that was thrown here could overtake the message, and has no code on the other side.
  return new Promise<never>(() => {})
})
isOpen = true
writeFigures()
say({ kind: 'opened' })
