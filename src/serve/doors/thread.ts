// A door's thread: waits until it is told where, listens, reads requests in the lane, validates their rows, and asks the process to append them. It holds no
// state but open connections and who was found to be allowed to write within the last second.
import { flushCompileCache } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { systemClock } from '../../core/clock.ts'
import { assert } from '../../core/errors.ts'
import { receivedError } from '../../core/sent-error.ts'
import type { Door } from '../../ingest/collect.ts'
import type { EntranceAppends } from '../../log/entrance.ts'
import type { Append, Appended } from '../../log/log.ts'
import { AppendPacker, appendedOf, type PackedAnswers, slotsOf } from '../../log/packed-appends.ts'
import { compileScanner } from '../../schema/scan/scanner.ts'
import { Lane } from '../lane.ts'
import { type StreamPorts, takeRows } from '../streams.ts'
import { type FromThread, packCollected, type ThreadData, type ToThread } from './messages.ts'
import { relay } from './relay.ts'

/** How long a caller's right to write is believed without asking again. */
const MAY_MS = 1_000
const MAY_MAX = 10_000

interface Waiting<T> {
  resolve(value: T): void
  reject(error: unknown): void
}

assert(parentPort, 'this module runs in a thread')
const port = parentPort
const clock = systemClock
flushCompileCache() // for the next start: after a `kill -9` nobody would write it
const data = await new Promise<ThreadData>((resolve) => port.once('message', resolve))
const say = (message: FromThread): void => port.postMessage(message)

const doors = data.doors.map(({ shape, ...door }): Door => ({ ...door, scanner: compileScanner(shape) }))
const numbers = new Map(doors.map((door, number) => [door.topic, number]))

const packer = new AppendPacker()
let collected: number[] = []
const slots = slotsOf(data.memory)
const free = [...slots.keys()]
const NO_BYTES = new Uint8Array(0)
const appends = new Map<number, Waiting<readonly Appended[]>>()
let calls = 0
let isScheduled = false

/** One message for everything that was read in this turn of the event loop. */
function schedule(): void {
  if (isScheduled) return
  isScheduled = true
  setImmediate(() => {
    isScheduled = false
    sendAppends()
    if (collected.length === 0) return
    say({ kind: 'collected', numbers: Float64Array.from(collected) })
    collected = []
  })
}

function sendAppends(): void {
  if (packer.isEmpty) return
  const slot = packer.bytes <= slots[0]!.length ? (free.pop() ?? null) : null
  const { bytes, ...packed } = packer.take(slot === null ? undefined : slots[slot])
  const appends: EntranceAppends = slot === null ? { slot, bytes, ...packed } : { slot, bytes: NO_BYTES, ...packed }
  data.log.postMessage(appends, [packed.calls.buffer, ...(slot === null ? [bytes.buffer] : [])] as ArrayBuffer[])
}

function append(topic: string, parts: readonly Append[]): Promise<readonly Appended[]> {
  const call = calls++
  packer.add(call, numbers.get(topic)!, parts)
  schedule()
  return new Promise((resolve, reject) => appends.set(call, { resolve, reject }))
}

/** By authorization and stream. */
const may = new Map<string, Map<string, { readonly id: string; readonly untilMs: number }>>()
const asked = new Map<number, Waiting<{ readonly id: string }>>()
let asks = 0

function mayWrite(authorization: string | undefined, stream: string): { readonly id: string } | Promise<{ readonly id: string }> {
  const known = may.get(authorization ?? '')?.get(stream)
  if (known && known.untilMs > clock.monotonicMs()) return known
  const ask = asks++
  const answer = new Promise<{ readonly id: string }>((resolve, reject) => asked.set(ask, { resolve, reject }))
  say({ kind: 'may', ask, authorization, stream })
  return answer.then(({ id }) => {
    if (may.size >= MAY_MAX) may.clear()
    const streams = may.get(authorization ?? '') ?? new Map()
    may.set(authorization ?? '', streams.set(stream, { id, untilMs: clock.monotonicMs() + MAY_MS }))
    return { id }
  })
}

const ports: StreamPorts = {
  log: { append },
  limits: { bodyBytesMax: data.bodyBytesMax },
  door: (name) => doors[numbers.get(name) ?? -1],
  mayWrite,
  onCollected(stream, accepted, rejected, bytes, tookMs) {
    packCollected(collected, { door: numbers.get(stream)!, accepted, rejected, bytes, tookMs })
    schedule()
  },
  monotonicMs: () => clock.monotonicMs(),
}

const relayed = new Set<Socket>()
const lane = new Lane({
  clock,
  answer: (request, body) => takeRows(ports, request, () => body),
  handOver(socket: Socket) {
    relayed.add(socket.once('close', () => relayed.delete(socket)))
    relay(socket, data.inner)
  },
})
const server = createServer({ allowHalfOpen: true }, (socket) => lane.take(socket))

function close(connections: 'idle' | 'all'): void {
  if (server.listening)
    server.close(() => {
      port.close()
      data.log.close()
    })
  // Of the relayed ones, node:http closes those that are idle.
  if (connections === 'idle') lane.closeIdle()
  else {
    lane.closeAll()
    for (const socket of relayed) socket.destroy()
  }
}

data.log.on('message', (answers: PackedAnswers) => {
  for (const { call, appended } of appendedOf(answers.numbers)) settled(call).resolve(appended)
  free.push(...answers.free)
  for (const [call, error] of answers.errors) settled(call).reject(receivedError(error))
})

port.on('message', (message: ToThread) => {
  if (message.kind === 'may') {
    const waiting = asked.get(message.ask)!
    asked.delete(message.ask)
    if ('id' in message) waiting.resolve({ id: message.id })
    else waiting.reject(receivedError(message.error))
  } else if (message.kind === 'forget') may.clear()
  else close(message.connections)
})

function settled(call: number): Waiting<readonly Appended[]> {
  const waiting = appends.get(call)!
  appends.delete(call)
  return waiting
}

server.on('error', ({ code, message }: NodeJS.ErrnoException) => say({ kind: 'failed', code, message }))
server.listen({ host: data.host, port: data.port, reusePort: data.isShared }, () =>
  say({ kind: 'listening', port: (server.address() as AddressInfo).port }),
)
