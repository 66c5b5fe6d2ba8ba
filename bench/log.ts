// The embedded log against its own disk: events acknowledged after fdatasync, single and in blocks, and what the disk
// itself takes in the same run (the log's own groups, written and synced with no log around them).
// Usage: node24 bench/log.ts [seconds per case] [directory]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { nodeDisk } from '../src/core/disk.ts'
import { integer, seededRandom, uuidV7 } from '../src/core/random.ts'
import { openEmbeddedLog } from '../src/log/embedded.ts'
import type { Append, Log } from '../src/log/log.ts'

const SECONDS = Number(process.argv[2] ?? 2)
const directory = mkdtempSync(join(process.argv[3] ?? tmpdir(), 'millrace-bench-'))
const load = Number((loadavg()[0] ?? 0).toFixed(2))

const random = seededRandom(1)
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) Firefox/139.0',
  'Mozilla/5.0 (iPhone) Mobile/15E148',
  'Mozilla/5.0 (Windows NT 10.0) Chrome/137.0',
]

interface Measured {
  readonly perSecond: number
  readonly cpuSeconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** About 250 bytes, as an event of a shop has them. */
function event(number: number): string {
  const id = uuidV7(1.75e12 + number * 7, random)
  const [session, customer, product] = [integer(random, 90_001), integer(random, 10_007), integer(random, 977)]
  const page = ['home', 'product', 'cart', 'checkout'][integer(random, 4)]
  const row = {
    id,
    session: `s${session}`,
    customer: `c${customer}`,
    page,
    product: `p${product}`,
    ip: `10.0.${session % 256}.${customer % 256}`,
  }
  return `${JSON.stringify({ ...row, seen: new Date(1.75e12 + number * 7).toISOString(), agent: AGENTS[integer(random, AGENTS.length)] })}\n`
}

/** Twelve MB of different events, so that compression finds no repetition that traffic does not have. */
function blocks(events: number): Append[] {
  return Array.from({ length: Math.ceil(50_000 / events) }, (_, block) => {
    const lines = Array.from({ length: events }, (_, number) => event(block * events + number)).join('')
    return { partition: 0, kind: 'rows', payload: Buffer.from(lines), count: events, fingerprint: 'bench' }
  })
}

/** `writers` loops that do `action` one after the other, until the time is over. */
async function measure(writers: number, action: () => Promise<unknown>): Promise<Measured> {
  const waits: number[] = []
  let done = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  const endMs = start + SECONDS * 1_000
  const loop = async () => {
    for (let now = performance.now(); now < endMs; ) {
      await action()
      const after = performance.now()
      if (done++ % 16 === 0) waits.push(after - now)
      now = after
    }
  }
  await Promise.all(Array.from({ length: writers }, loop))
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  waits.sort((a, b) => a - b)
  const at = (share: number) => Number((waits[Math.floor(waits.length * share)] ?? 0).toFixed(2))
  return { perSecond: done / seconds, cpuSeconds: (user + system) / 1e6, p50Ms: at(0.5), p99Ms: at(0.99) }
}

function print(name: string, value: number, unit: string, cpuSeconds: number, more: Record<string, unknown> = {}): void {
  process.stdout.write(
    `${JSON.stringify({ bench: 'log', case: name, value: Math.round(value), unit, ...more, cpuSeconds: Number(cpuSeconds.toFixed(2)), load })}\n`,
  )
}

async function measureAppends(log: Log, topic: string, events: number, writers: number): Promise<Measured> {
  await log.ensureTopic(topic, 1)
  const calls = blocks(events).map((part) => [part])
  let next = 0
  return measure(writers, () => log.append(topic, calls[next++ % calls.length]!))
}

/** Groups of this size, written and synced with nothing around them. */
async function measureDisk(groupBytes: number): Promise<Measured> {
  const file = await nodeDisk.open(join(directory, `raw-${groupBytes}`), 'create')
  const bytes = Buffer.alloc(groupBytes, event(1))
  let position = 0
  const measured = await measure(1, async () => {
    await file.write([bytes], position)
    await file.sync()
    position += groupBytes
  })
  await file.close()
  return measured
}

async function measureReads(log: Log, topic: string): Promise<void> {
  const { end } = log.range(topic, 0)
  const cpu = process.cpuUsage()
  const start = performance.now()
  let offset = 0
  while (offset < end && performance.now() - start < SECONDS * 1_000)
    for (const batch of await log.read(topic, 0, offset, 4 << 20)) offset = batch.baseOffset + batch.count
  const { user, system } = process.cpuUsage(cpu)
  print(`read ${topic}`, (offset / (performance.now() - start)) * 1_000, 'events/s', (user + system) / 1e6)
}

const floors: { name: string; floor: number; value: number }[] = []
try {
  for (const compression of ['none', 'zstd'] as const) {
    let groups = 0
    let groupBytes = 0
    const onEvent = (event: { kind: string; bytes?: number }) => {
      if (event.kind !== 'log.committed') return
      groups++
      groupBytes += event.bytes ?? 0
    }
    const log = await openEmbeddedLog({ disk: nodeDisk, clock: systemClock, directory: join(directory, compression), compression, onEvent })
    for (const { events, writers, floor } of [
      { events: 1, writers: 1_000, floor: 400_000 },
      { events: 100, writers: 64, floor: 2_000_000 },
    ]) {
      const name = `${events}-event appends, ${writers} writers, ${compression}`
      groups = groupBytes = 0
      const measured = await measureAppends(log, `t${events}`, events, writers)
      const disk = await measureDisk(Math.ceil(groupBytes / groups))
      const value = measured.perSecond * events
      const against = Math.round((disk.perSecond * measured.perSecond * events) / (groups / SECONDS))
      const { p50Ms, p99Ms } = measured
      print(name, value, 'events/s', measured.cpuSeconds, { ratio: Number((value / against).toFixed(2)), against, p50Ms, p99Ms })
      print(`disk alone, groups of ${Math.ceil(groupBytes / groups)} bytes`, disk.perSecond, 'fdatasync/s', disk.cpuSeconds)
      if (compression === 'none') floors.push({ name, floor, value: Math.round(value) })
    }
    await measureReads(log, 't1')
    await measureReads(log, 't100')
    await log.close()
  }
} finally {
  rmSync(directory, { recursive: true })
}
const held = floors.every(({ floor, value }) => value >= floor)
process.stdout.write(`${JSON.stringify({ bench: 'log', held, floors })}\n`)
process.exitCode = held ? 0 : 1
