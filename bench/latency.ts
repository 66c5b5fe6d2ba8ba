// How long an event takes until the result of a live model shows it, from outside, under an open loop of events over HTTP:
// each request has its time and is sent then, whatever the server does. Probes are single events among the load, each of a key
// of its own; somebody asks for their rows by SQL, one question `--ask-ms` after the other. For a probe, from when it was due: until it
// is acknowledged (it is durable then), until a question has shown its result, and how long that was after the acknowledgement; a
// question takes its time too, and the one that was on its way when the result came shows the old one. So what is without the disk and
// without who asks is the server's own measure: `millrace_pipeline_own_delay_seconds`, from a row that is durable, and so readable in the log,
// to its result where the next question sees it, of the oldest row of each round.
// Then how long a server with a million keys needs after `kill -9` until it shows the result of a new event.
// `--rate` events/s (200,000), `--seconds` (20; 0 = recovery alone), `--ask-ms` (5), `--keys` of the recovery (1,000,000; 0 = none).
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startServer, type TestServer } from '../test/server/server.ts'

const here = dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '20' },
    keys: { type: 'string', default: '1000000' },
    'ask-ms': { type: 'string', default: '5' },
  },
})
const project = join(here, 'latency-project')
const EVENTS_PER_POST = 400
const KEYS = 1_000
const PROBE_EVERY_MS = 20
/** Probes take turns with so many keys, so that each is seen by itself. */
const PROBE_KEYS = 64
const WARM_MS = 5_000
const SEEN_MAX_MS = 60_000

interface Floor {
  readonly name: string
  readonly value: number
  readonly floor: number
  readonly held: boolean
}
const floors: Floor[] = []
const atMost = (name: string, value: number, floor: number): void => void floors.push({ name, value, floor, held: value <= floor })

function print(figure: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'latency', ...figure, load: Number(loadavg()[0]!.toFixed(2)) })}\n`)
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const round = (ms: number): number => Number(ms.toFixed(1))

function quantiles(samples: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...samples].sort((a, b) => a - b)
  const at = (share: number): number => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN)
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** A connection that sends one request at a time and tells when each is answered. */
class Connection {
  readonly #socket: Socket
  readonly #queue: { request: Buffer; done(status: number): void }[] = []
  #pending = ''

  constructor(server: TestServer) {
    const { hostname, port } = new URL(server.url)
    this.#socket = createConnection({ host: hostname, port: Number(port), noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')))
  }

  /** Requests that wait behind others are late: their time counts. */
  send(request: Buffer): Promise<number> {
    return new Promise((done) => {
      this.#queue.push({ request, done })
      if (this.#queue.length === 1) this.#socket.write(request)
    })
  }

  #read(text: string): void {
    this.#pending += text
    const headEnd = this.#pending.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.#pending)?.[1] ?? 0)
    if (this.#pending.length < headEnd + 4 + length) return
    const status = Number(this.#pending.slice(9, 12))
    this.#pending = ''
    this.#queue.shift()!.done(status)
    const next = this.#queue[0]
    if (next) this.#socket.write(next.request)
  }

  close(): void {
    this.#socket.destroy()
  }
}

function requestOf(server: TestServer, lines: readonly object[]): Buffer {
  const body = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const head = `POST /streams/events HTTP/1.1\r\nHost: ${new URL(server.url).host}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/x-ndjson\r\nContent-Length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

const event = (key: string, seq: number) => ({
  key,
  seq,
  amount: seq % 1_000,
  note: 'https://shop.example/category/gifts?from=mail',
  seen: new Date(1_764_000_000_000 + seq).toISOString(),
})

/** Calls `send` at each time of the schedule: late calls are made up for, none is left out. */
async function openLoop(everyMs: number, forMs: number, send: (dueMs: number) => void): Promise<void> {
  const startMs = performance.now()
  let sent = 0
  while (sent * everyMs < forMs) {
    const nowMs = performance.now() - startMs
    for (; sent * everyMs <= nowMs && sent * everyMs < forMs; sent++) send(startMs + sent * everyMs)
    await sleep(1)
  }
}

async function processorSeconds(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

interface Probe {
  readonly key: string
  readonly seq: number
  readonly dueMs: number
  ackedMs: number
  seenMs: number
}

/** Asks for the probes' rows until told to stop. */
async function watch(server: TestServer, probes: readonly Probe[], isOver: () => boolean): Promise<number[]> {
  const asked: number[] = []
  let first = 0
  while (!isOver()) {
    const askedMs = performance.now()
    const rows = await server.sql("SELECT key, newest FROM totals WHERE key LIKE 'probe%'")
    const nowMs = performance.now()
    asked.push(nowMs - askedMs)
    const newest = new Map(rows.map(([key, seq]) => [String(key), Number(seq)]))
    for (let i = first; i < probes.length; i++) {
      const probe = probes[i]!
      if (probe.seenMs === 0 && (newest.get(probe.key) ?? -1) >= probe.seq) probe.seenMs = nowMs
      if (i === first && probe.seenMs > 0) first++
    }
    await sleep(Number(values['ask-ms']))
  }
  return asked
}

/** Counts of the server's histogram by the upper bounds of its buckets, in seconds. */
async function shown(server: TestServer): Promise<Map<number, number>> {
  const answer = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${server.token}` } })
  const line = /^millrace_pipeline_own_delay_seconds_bucket\{le="([^"]+)",pipeline="live:totals"\} (\d+)$/gm
  return new Map(
    Array.from((await answer.text()).matchAll(line), ([, bound, count]) => [Number(bound!.replace('+Inf', 'Infinity')), Number(count)]),
  )
}

/** The bound of the bucket that the quantile is in, milliseconds. */
function boundOf(share: number, before: Map<number, number>, after: Map<number, number>): number {
  const counts = [...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)] as const)
  const total = counts.at(-1)?.[1] ?? 0
  return round((counts.find(([, count]) => count >= total * share)?.[0] ?? Number.NaN) * 1_000)
}

async function latency(data: string): Promise<void> {
  const server = await startServer({ project, data, env: { MILLRACE_LOG: 'error' } })
  try {
    const rate = Number(values.rate)
    const forMs = Number(values.seconds) * 1_000 + WARM_MS
    const requests = Array.from({ length: 32 }, (_, n) =>
      requestOf(
        server,
        Array.from({ length: EVENTS_PER_POST }, (_, i) => event(`k${(n * EVENTS_PER_POST + i * 7_919) % KEYS}`, n * EVENTS_PER_POST + i)),
      ),
    )
    const connections = Array.from({ length: 16 }, () => new Connection(server))
    const probing = Array.from({ length: 16 }, () => new Connection(server))
    const probes: Probe[] = []
    let isOver = false
    let failed = 0
    let acknowledged = 0
    const watching = watch(server, probes, () => isOver)
    const before = await processorSeconds(server.pid)
    const startMs = performance.now()
    let posts = 0
    const load = openLoop((EVENTS_PER_POST / rate) * 1_000, forMs, () => {
      const n = posts++
      connections[n % connections.length]!.send(requests[n % requests.length]!).then((status) => {
        if (status === 202) acknowledged += EVENTS_PER_POST
        else failed++
      })
    })
    const probed = openLoop(PROBE_EVERY_MS, forMs, (dueMs) => {
      const seq = probes.length
      const probe: Probe = { key: `probe${seq % PROBE_KEYS}`, seq, dueMs, ackedMs: 0, seenMs: 0 }
      probes.push(probe)
      probing[seq % probing.length]!.send(requestOf(server, [event(probe.key, seq)])).then(() => {
        probe.ackedMs = performance.now()
      })
    })
    await sleep(WARM_MS)
    const shownBefore = await shown(server)
    await Promise.all([load, probed])
    const shownAfter = await shown(server)
    const seconds = (performance.now() - startMs) / 1_000
    await sleep(3_000)
    isOver = true
    const asked = await watching
    const cpuSeconds = (await processorSeconds(server.pid)) - before
    const timed = probes.filter(({ dueMs }) => dueMs - startMs >= WARM_MS)
    const unseen = timed.filter(({ seenMs, ackedMs }) => seenMs === 0 || ackedMs === 0).length
    const whole = timed.filter(({ seenMs, ackedMs }) => seenMs > 0 && ackedMs > 0)
    const durable = quantiles(whole.map(({ seenMs, ackedMs, dueMs }) => Math.max(seenMs, ackedMs) - dueMs))
    const after = quantiles(whole.map(({ seenMs, ackedMs }) => Math.max(0, seenMs - ackedMs)))
    const acks = quantiles(whole.map(({ ackedMs, dueMs }) => ackedMs - dueMs))
    const got = acknowledged / seconds
    print({ case: 'events acknowledged', value: Math.round(got), unit: 'events/s', wanted: rate, failed, cpuSeconds: round(cpuSeconds) })
    print({ case: 'event -> acknowledged, p99', value: acks.p99, unit: 'ms', p50: acks.p50, max: acks.max })
    print({ case: 'acknowledged -> result seen, p99', value: after.p99, unit: 'ms', p50: after.p50, max: after.max })
    print({
      case: 'event -> result seen and acknowledged, p99',
      value: durable.p99,
      unit: 'ms',
      p50: durable.p50,
      max: durable.max,
      unseen,
    })
    const own = { p50: boundOf(0.5, shownBefore, shownAfter), p99: boundOf(0.99, shownBefore, shownAfter) }
    print({ case: 'row readable -> result shown, p99 (of the server, upper bound)', value: own.p99, unit: 'ms', p50: own.p50 })
    const questions = quantiles(asked)
    print({ case: 'a question, p99', value: questions.p99, unit: 'ms', p50: questions.p50, asked: asked.length })
    if (got < rate * 0.98)
      print({ case: 'the rate was not reached: latencies are those of the rate above', value: round(got / rate), unit: 'share' })
    floors.push({ name: `rate of ${rate} events/s`, value: Math.round(got), floor: rate * 0.98, held: got >= rate * 0.98 })
    floors.push({ name: 'probes that were never seen', value: unseen, floor: 0, held: unseen === 0 })
    atMost('without the durable acknowledgement, p99 ms: row readable -> result shown', own.p99, 15)
    atMost('with the durable acknowledgement, p99 ms: event due -> acknowledged and seen by who asks', durable.p99, 75)
    for (const connection of [...connections, ...probing]) connection.close()
  } finally {
    server.child.kill('SIGKILL')
  }
}

async function seen(server: TestServer, key: string): Promise<void> {
  const untilMs = performance.now() + SEEN_MAX_MS
  while ((await server.sql(`SELECT 1 FROM totals WHERE key = '${key}'`)).length === 0) {
    if (performance.now() > untilMs) throw new Error(`the result of ${key} did not come`)
    await sleep(2)
  }
}

/** A million keys in the state, all committed; then some more that are only in the log. */
async function recovery(data: string, keys: number): Promise<void> {
  const env = { MILLRACE_LOG: 'error' }
  const first = await startServer({ project, data, env: { ...env, MILLRACE_FLUSH_MS: '3000' } })
  const connection = new Connection(first)
  const each = 10_000
  for (let from = 0; from < keys; from += each)
    await connection.send(
      requestOf(
        first,
        Array.from({ length: Math.min(each, keys - from) }, (_, i) => event(`k${from + i}`, from + i)),
      ),
    )
  const committed = "SELECT sum(committed) FROM millrace.offsets WHERE pipeline LIKE 'live:totals%'"
  while (Number((await first.sql(committed))[0]![0]) < keys) await sleep(200)
  await connection.send(
    requestOf(
      first,
      Array.from({ length: each }, (_, i) => event(`k${i * 97}`, keys + i)),
    ),
  )
  await first.kill('SIGKILL')
  const startMs = performance.now()
  const second = await startServer({ project, data, env })
  const readyMs = performance.now() - startMs
  try {
    const again = new Connection(second)
    await again.send(requestOf(second, [event('first', keys + each)])) // as new as the others: it would be late
    await seen(second, 'first')
    const firstMs = performance.now() - startMs
    const [[count, total]] = (await second.sql('SELECT count(*), sum(events) FROM totals')) as [[unknown, unknown]]
    print({ case: `recovery after kill -9 with ${keys} keys: ready`, value: round(readyMs / 1_000), unit: 's' })
    print({ case: `recovery after kill -9 with ${keys} keys: first result`, value: Number((firstMs / 1_000).toFixed(2)), unit: 's' })
    atMost('recovery, s', Number((firstMs / 1_000).toFixed(2)), 2)
    floors.push({ name: 'events after recovery', value: Number(total), floor: keys + each + 1, held: Number(total) === keys + each + 1 })
    print({ case: 'keys after recovery', value: Number(count), unit: 'keys' })
    again.close()
  } finally {
    second.child.kill('SIGKILL')
  }
}

const data = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
try {
  if (Number(values.seconds) > 0) await latency(join(data, 'latency'))
  if (Number(values.keys) > 0) await recovery(join(data, 'recovery'), Number(values.keys))
} finally {
  rmSync(data, { recursive: true, force: true })
}
const held = floors.every((floor) => floor.held)
process.stdout.write(`${JSON.stringify({ bench: 'latency', held, floors })}\n`)
process.exitCode = held ? 0 : 1
