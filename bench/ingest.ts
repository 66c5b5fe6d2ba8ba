// Durable ingest over HTTP: events a second acknowledged after fdatasync, at 1, 100 and 1,000 events a request, against an
// empty node:http handler that reads the same bodies and against the disk's own rate of fdatasync, in one run; then a
// sustained load, where acknowledged, visible and committed rows are compared. `--seconds` a case (5), `--sustained` seconds
// (300), `--rate` of the sustained load (110,000 events/s). Load and server share the machine; as fast as possible it comes from wrk
// (Debian's package), which costs a tenth of a generator in JavaScript, at a rate from `ingest-load.ts`.
import { spawn } from 'node:child_process'
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findWrk } from '../scripts/servers/wrk.ts'
import { startServer, type TestServer } from '../test/server/server.ts'

const here = dirname(fileURLToPath(import.meta.url))
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    sustained: { type: 'string', default: '300' },
    rate: { type: 'string', default: '110000' },
  },
})

interface Load {
  readonly acknowledged: number
  readonly failed: number
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

interface Floor {
  readonly name: string
  readonly value: number
  readonly floor: number
  readonly held: boolean
}

/** A server runs for longer than its compiler needs: each case begins warm. */
const WARM_SECONDS = 2

const floors: Floor[] = []
const atLeast = (name: string, value: number, floor: number): void => void floors.push({ name, value, floor, held: value >= floor })

function print(figure: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'ingest', ...figure, load: Number(loadavg()[0]!.toFixed(2)) })}\n`)
}

function load(url: string, token: string, args: Record<string, string | number>): Promise<Load> {
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)])
  const child = spawn(process.execPath, [join(here, 'ingest-load.ts'), '--url', url, '--token', token, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return new Promise((resolve, reject) =>
    child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(text) as Load) : reject(new Error(`the load ended with ${code}`)))),
  )
}

/** Processor seconds of a process so far, user and system. */
async function cpuSeconds(pid: number): Promise<number> {
  const { readFile } = await import('node:fs/promises')
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** The disk alone: 64 KB writes, each synced, as a group commit makes them. */
function syncsPerSecond(directory: string): number {
  const file = openSync(join(directory, 'sync-probe'), 'w')
  const block = Buffer.alloc(64 << 10, 1)
  const untilMs = performance.now() + 2_000
  let count = 0
  while (performance.now() < untilMs) {
    writeSync(file, block)
    fdatasyncSync(file)
    count++
  }
  closeSync(file)
  return count / 2
}

async function emptyHandler(): Promise<{ url: string; close(): void }> {
  const server = createServer((request, response) => {
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    request.on('end', () =>
      response.writeHead(202, { 'content-type': 'application/json', 'content-length': 2 }).end(size > 0 ? '{}' : '[]'),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

/** As fast as it is answered. */
async function flood(wrk: string, url: string, token: string, { events, connections, seconds }: Flood): Promise<Load> {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', join(here, 'ingest-load.lua'), url, '--', String(events), token]
  const child = spawn(wrk, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const text = await child.stdout.setEncoding('utf8').toArray()
  const { requests, ...rest } = JSON.parse(text.join('').trim().split('\n').at(-1)!) as { requests: number } & Load
  return { ...rest, acknowledged: requests * events }
}

interface Flood {
  readonly events: number
  readonly connections: number
  readonly seconds: number
}

async function burst(wrk: string, server: TestServer, empty: string, events: number, connections: number): Promise<void> {
  const seconds = Number(values.seconds)
  for (const [url, token] of [
    [empty, ''],
    [server.url, server.token],
  ] as const)
    await flood(wrk, url, token, { events, connections, seconds: WARM_SECONDS })
  const baseline = await flood(wrk, empty, '', { events, connections, seconds })
  const before = await cpuSeconds(server.pid)
  const result = await flood(wrk, server.url, server.token, { events, connections, seconds })
  const cpu = (await cpuSeconds(server.pid)) - before
  const rate = result.acknowledged / result.seconds
  const ratio = rate / (baseline.acknowledged / baseline.seconds)
  print({
    case: `${events} per POST, acknowledged`,
    value: Math.round(rate),
    unit: 'events/s',
    ratio: Number(ratio.toFixed(3)),
    against: 'empty node:http handler',
    cpuSeconds: Number(cpu.toFixed(2)),
    failed: result.failed,
  })
  print({ case: `${events} per POST, p99`, value: Number(result.p99Ms.toFixed(1)), unit: 'ms', cpuSeconds: Number(cpu.toFixed(2)) })
  print({
    case: `${events} per POST, per processor second of the server`,
    value: Math.round(result.acknowledged / cpu),
    unit: 'events/cpu-s',
    cpuSeconds: Number(cpu.toFixed(2)),
  })
  if (events === 1) atLeast('1 per POST', rate, 30_000)
  if (events === 100) atLeast('100 per POST', rate, 500_000)
}

async function sustained(data: string): Promise<void> {
  const seconds = Number(values.sustained)
  const server = await startServer({
    project: join(here, 'ingest-project'),
    data,
    env: { MILLRACE_FLUSH_MS: '2000', MILLRACE_LOG: 'error' },
  })
  try {
    const before = await cpuSeconds(server.pid)
    const running = load(server.url, server.token, { events: 100, connections: 32, seconds, rate: values.rate })
    let isDone = false
    let worstVisible = 0
    let worstCommitted = 0
    const watch = (async () => {
      while (!isDone) {
        await new Promise((resolve) => setTimeout(resolve, 1_000))
        const lag = await lags(server)
        worstVisible = Math.max(worstVisible, lag.visibleRows)
        worstCommitted = Math.max(worstCommitted, lag.committedRows)
      }
    })()
    const result = await running
    isDone = true
    await watch
    const rate = result.acknowledged / result.seconds
    const cpu = (await cpuSeconds(server.pid)) - before
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const visible = Number((await server.sql('SELECT count(*) FROM clicks'))[0]![0])
    const committed = Number((await server.sql("SELECT sum(committed) FROM millrace.offsets WHERE pipeline = 'stream:clicks'"))[0]![0])
    print({
      case: `sustained ${seconds} s, acknowledged`,
      value: Math.round(rate),
      unit: 'events/s',
      cpuSeconds: Number(cpu.toFixed(1)),
      failed: result.failed,
    })
    print({ case: 'sustained, visible minus acknowledged at the end', value: visible - result.acknowledged, unit: 'rows' })
    print({ case: 'sustained, committed minus acknowledged at the end', value: committed - result.acknowledged, unit: 'rows' })
    print({ case: 'sustained, worst lag until visible', value: Number((worstVisible / rate).toFixed(2)), unit: 's' })
    print({ case: 'sustained, worst lag until committed', value: Number((worstCommitted / rate).toFixed(2)), unit: 's' })
    atLeast('sustained rate', rate, 100_000)
    floors.push({ name: 'visible = acknowledged', value: visible, floor: result.acknowledged, held: visible === result.acknowledged })
    floors.push({ name: 'committed = acknowledged', value: committed, floor: result.acknowledged, held: committed === result.acknowledged })
    floors.push({ name: 'lag until committed <= 5 s', value: worstCommitted / rate, floor: 5, held: worstCommitted / rate <= 5 })
  } finally {
    await server.stop()
  }
}

/** Rows that are durable and not yet read by the pipeline, or not yet committed. */
async function lags(server: TestServer): Promise<{ visibleRows: number; committedRows: number }> {
  const rows = await server.sql(
    "SELECT sum(log_end - committed), (SELECT sum(log_end) FROM millrace.offsets WHERE pipeline = 'stream:clicks') - (SELECT count(*) FROM clicks) FROM millrace.offsets WHERE pipeline = 'stream:clicks'",
  )
  return { committedRows: Number(rows[0]![0] ?? 0), visibleRows: Math.max(0, Number(rows[0]![1] ?? 0)) }
}

const wrk = findWrk()
const data = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const empty = await emptyHandler()
try {
  const server = await startServer({ project: join(here, 'ingest-project'), data: join(data, 'burst'), env: { MILLRACE_LOG: 'error' } })
  print({ case: 'fdatasync of 64 KB', value: Math.round(syncsPerSecond(data)), unit: 'syncs/s' })
  await burst(wrk, server, empty.url, 1, 512)
  await burst(wrk, server, empty.url, 100, 128)
  await burst(wrk, server, empty.url, 1_000, 32)
  server.child.kill('SIGKILL')
  if (Number(values.sustained) > 0) await sustained(join(data, 'sustained'))
} finally {
  empty.close()
  rmSync(data, { recursive: true, force: true })
}
const held = floors.every((floor) => floor.held)
process.stdout.write(`${JSON.stringify({ bench: 'ingest', held, floors })}\n`)
process.exitCode = held ? 0 : 1
