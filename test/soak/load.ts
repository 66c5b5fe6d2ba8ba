// The load of the soak, a process of its own: producers that each send numbered rows in batches at a given rate, in disorder, with
// skewed keys, some too late and some that are no rows at all; a batch is sent again with its key until it is acknowledged, whatever
// happens to the server. `--origin`, `--token`, `--clicks` and `--orders` events a second. On SIGTERM it finishes what it has
// begun and prints what was acknowledged, as one JSON object.
import { createConnection, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { seededRandom } from '../../src/core/random.ts'
import type { Acknowledged } from './acknowledged.ts'

const { values } = parseArgs({
  options: {
    origin: { type: 'string' },
    token: { type: 'string' },
    clicks: { type: 'string' },
    orders: { type: 'string' },
  },
})

const origin = new URL(values.origin!)
const KEYS = 5_000
const DISORDER_MS = 5_000
/** Far beyond the lateness of the streams. */
const LATE_MS = 600_000
/** Before a stream has a watermark nothing is late. */
const FIRST_LATE_SEQ = 20_000
const AGAIN_MS = 50

const none = (): Acknowledged => ({ rows: 0, late: 0, rejected: 0, sumSeq: 0n, sumAmount: 0n })

/** One producer, one connection, one batch under way. */
class Producer {
  readonly acknowledged = none()
  batches = 0
  refused = 0
  readonly #stream: string
  readonly #number: number
  readonly #size: number
  readonly #random: ReturnType<typeof seededRandom>
  #seq = 0
  #socket: Socket | null = null
  #answer = ''
  #pending: { request: Buffer; counts: Acknowledged } | null = null

  constructor(stream: string, number: number, size: number) {
    this.#stream = stream
    this.#number = number
    this.#size = size
    this.#random = seededRandom(number + 1)
  }

  get size(): number {
    return this.#size
  }

  get isBusy(): boolean {
    return this.#pending !== null
  }

  send(): void {
    this.#pending = this.#make()
    this.#write()
  }

  close(): void {
    this.#socket?.destroy()
  }

  #make(): { request: Buffer; counts: Acknowledged } {
    const counts = none()
    const nowMs = Date.now()
    let body = ''
    for (let i = 0; i < this.#size; i++) {
      const seq = this.#seq++
      const chance = this.#random.next()
      const amount = seq % 1_000
      // A few keys have most of the rows.
      const key = Math.floor(KEYS * this.#random.next() ** 4)
      const isRejected = chance < 0.002
      const isLate = !isRejected && chance < 0.007 && seq > FIRST_LATE_SEQ
      const at = new Date(nowMs - (isLate ? LATE_MS : Math.floor(this.#random.next() * DISORDER_MS))).toISOString()
      body += `{"producer":${this.#number},"seq":${seq},"key":"k${key}","amount":${isRejected ? '"much"' : amount},"at":"${at}"}\n`
      counts.rows++
      if (isRejected) counts.rejected++
      else {
        if (isLate) counts.late++
        counts.sumSeq += BigInt(seq)
        counts.sumAmount += BigInt(amount)
      }
    }
    const content = Buffer.from(body)
    const head = [
      `POST /streams/${this.#stream} HTTP/1.1`,
      `Host: ${origin.host}`,
      `Authorization: Bearer ${values.token}`,
      'Content-Type: application/x-ndjson',
      `Idempotency-Key: ${this.#stream}-${this.#number}-${this.#seq}`,
      `Content-Length: ${content.length}`,
    ].join('\r\n')
    return { request: Buffer.concat([Buffer.from(`${head}\r\n\r\n`), content]), counts }
  }

  #write(): void {
    if (!this.#pending) return
    this.#answer = ''
    if (!this.#socket) {
      const socket = createConnection({ host: origin.hostname, port: Number(origin.port), noDelay: true })
      socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')))
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#socket = null
        setTimeout(() => this.#write(), AGAIN_MS)
      })
      this.#socket = socket
    }
    this.#socket.write(this.#pending.request)
  }

  #read(text: string): void {
    this.#answer += text
    const headEnd = this.#answer.indexOf('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(this.#answer)?.[1] ?? 0)
    if (headEnd < 0 || this.#answer.length < headEnd + 4 + length || !this.#pending) return
    const status = Number(this.#answer.slice(9, 12))
    if (status !== 202 && status !== 429 && status !== 503) throw new Error(`${this.#stream}: ${this.#answer}`)
    if (status !== 202) {
      this.refused++
      setTimeout(() => this.#write(), AGAIN_MS)
      return
    }
    const { counts } = this.#pending
    const sum = this.acknowledged
    sum.rows += counts.rows
    sum.late += counts.late
    sum.rejected += counts.rejected
    sum.sumSeq += counts.sumSeq
    sum.sumAmount += counts.sumAmount
    this.batches++
    this.#pending = null
  }
}

class Load {
  readonly #producers: readonly Producer[]
  readonly #rate: number
  #budget = 0
  #pacedMs = performance.now()

  constructor(stream: string, rate: number, producers: number, size: number) {
    this.#rate = rate
    this.#producers = Array.from({ length: producers }, (_, number) => new Producer(stream, number, size))
  }

  pace(): void {
    const nowMs = performance.now()
    // What was not sent while the server was away is not made up for: each second has its rate.
    this.#budget = Math.min(this.#budget + ((nowMs - this.#pacedMs) / 1_000) * this.#rate, this.#rate)
    this.#pacedMs = nowMs
    for (const producer of this.#producers)
      if (!producer.isBusy && this.#budget >= producer.size) {
        this.#budget -= producer.size
        producer.send()
      }
  }

  get isBusy(): boolean {
    return this.#producers.some((producer) => producer.isBusy)
  }

  end(): { refused: number; acknowledged: Acknowledged } {
    const acknowledged = none()
    for (const { acknowledged: own } of this.#producers) {
      acknowledged.rows += own.rows
      acknowledged.late += own.late
      acknowledged.rejected += own.rejected
      acknowledged.sumSeq += own.sumSeq
      acknowledged.sumAmount += own.sumAmount
    }
    for (const producer of this.#producers) producer.close()
    return { refused: this.#producers.reduce((sum, { refused }) => sum + refused, 0), acknowledged }
  }
}

const loads = { clicks: new Load('clicks', Number(values.clicks), 16, 500), orders: new Load('orders', Number(values.orders), 2, 100) }
const all = Object.values(loads)
const pace = setInterval(() => {
  for (const load of all) load.pace()
}, 5)
process.on('SIGTERM', () => {
  clearInterval(pace)
  const end = setInterval(() => {
    if (all.some((load) => load.isBusy)) return
    clearInterval(end)
    const result = Object.fromEntries(Object.entries(loads).map(([name, load]) => [name, load.end()]))
    process.stdout.write(
      JSON.stringify(result, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)),
      () => process.exit(0),
    )
  }, 20)
})
