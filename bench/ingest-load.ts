// Load for `bench/ingest`: a process of its own that writes prepared requests over plain sockets, as fast as they are answered
// or at a given rate, and counts what was acknowledged. Prints one JSON object.
import { createConnection, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { seededRandom, uuidV7 } from '../src/core/random.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    token: { type: 'string', default: '' },
    connections: { type: 'string', default: '64' },
    events: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '5' },
    /** Events a second; 0 = as fast as possible. */
    rate: { type: 'string', default: '0' },
  },
})

const url = new URL(values.url!)
const eventsPerPost = Number(values.events)
const random = seededRandom(1)

function body(): Buffer {
  const lines = Array.from({ length: eventsPerPost }, (_, index) => {
    const row = {
      id: uuidV7(1_764_000_000_000 + index, random),
      session: `s-${Math.floor(random.next() * 1e9).toString(36)}`,
      customer: `c-${Math.floor(random.next() * 1e5)}`,
      page: ['home', 'product', 'cart', 'checkout'][index % 4],
      product: `P${index % 200}`,
      price: (random.next() * 100).toFixed(2),
      position: index % 50,
      referrer: 'https://shop.example/category/gifts?from=mail',
      seen: new Date(1_764_000_000_000 + index).toISOString(),
    }
    return `${JSON.stringify(row)}\n`
  })
  return Buffer.from(lines.join(''))
}

/** A few different bodies, so that nothing is answered from a cache. */
const requests = Array.from({ length: 16 }, () => {
  const content = body()
  const head = `POST /streams/clicks HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${values.token}\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${content.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), content])
})

const latenciesMs: number[] = []
let acknowledged = 0
let failed = 0
let budget = 0
let isOver = false

class Connection {
  readonly #socket: Socket
  #sentAt = 0
  #count = 0
  #isWaiting = false
  #pending = ''

  constructor() {
    this.#socket = createConnection({ host: url.hostname, port: Number(url.port), noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.#socket.on('connect', () => this.next())
    this.#socket.on('error', () => {
      failed++
    })
  }

  get isIdle(): boolean {
    return !this.#isWaiting
  }

  next(): void {
    if (isOver || this.#isWaiting) return
    if (Number(values.rate) > 0) {
      if (budget < eventsPerPost) return
      budget -= eventsPerPost
    }
    this.#isWaiting = true
    this.#sentAt = performance.now()
    this.#socket.write(requests[this.#count++ % requests.length]!)
  }

  #read(chunk: Buffer): void {
    this.#pending += chunk.toString('latin1')
    const headEnd = this.#pending.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.#pending)?.[1] ?? 0)
    if (this.#pending.length < headEnd + 4 + length) return
    if (this.#pending.startsWith('HTTP/1.1 202')) acknowledged += eventsPerPost
    else failed++
    latenciesMs.push(performance.now() - this.#sentAt)
    this.#pending = ''
    this.#isWaiting = false
    this.next()
  }

  close(): void {
    this.#socket.destroy()
  }
}

const connections = Array.from({ length: Number(values.connections) }, () => new Connection())
const startedMs = performance.now()
let pacedMs = startedMs
const pace = setInterval(() => {
  if (Number(values.rate) === 0) return
  const nowMs = performance.now()
  budget = Math.min(budget + ((nowMs - pacedMs) / 1_000) * Number(values.rate), Number(values.rate))
  pacedMs = nowMs
  for (const connection of connections) if (connection.isIdle) connection.next()
}, 5)

setTimeout(() => {
  isOver = true
  clearInterval(pace)
  const seconds = (performance.now() - startedMs) / 1_000
  const sorted = latenciesMs.sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  // Answers that are still under way are waited for, so that what was acknowledged is exact.
  setTimeout(() => {
    process.stdout.write(`${JSON.stringify({ acknowledged, failed, seconds, p50Ms: at(0.5), p99Ms: at(0.99) })}\n`)
    for (const connection of connections) connection.close()
  }, 1_000)
}, Number(values.seconds) * 1_000)
