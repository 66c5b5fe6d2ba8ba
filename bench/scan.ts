// How fast a click of nine fields is scanned on one core: strict as at ingest, trusted and projected as from the log, and
// by the exact path that takes what the generated loops leave, against JSON.parse per line. One JSON line per figure.
import { loadavg } from 'node:os'
import { compileScanner } from '../src/schema/scan/scanner.ts'
import type { Shape } from '../src/schema/type.ts'

const ROWS = 50_000
const ROUNDS = 12

const click: Shape = {
  fields: [
    { name: 'id', type: { kind: 'uuid' }, optional: false },
    { name: 'session', type: { kind: 'string' }, optional: false },
    { name: 'customer', type: { kind: 'long' }, optional: true },
    { name: 'page', type: { kind: 'enum', values: ['home', 'product', 'cart', 'checkout'] }, optional: false },
    { name: 'product', type: { kind: 'string' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: true },
    { name: 'dwell', type: { kind: 'double' }, optional: false },
    { name: 'agent', type: { kind: 'string' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}

/** A row from its number alone: every run measures the same bytes. */
function clickOf(i: number): Record<string, unknown> {
  const mixed = Math.imul(i + 1, 0x9e3779b1) >>> 0
  const hex = mixed.toString(16).padStart(8, '0')
  const page = ['home', 'product', 'cart', 'checkout'][mixed & 3]!
  return {
    id: `${hex}-0b5c-4d1e-8f00-${hex}abcd`,
    session: `s-${hex}-${i & 1023}`,
    ...(mixed & 8 ? { customer: mixed % 100_000 } : {}),
    page,
    ...(page === 'product' ? { product: `SKU-${mixed % 5000}`, price: ((mixed % 100_000) / 100).toFixed(2) } : {}),
    dwell: (mixed % 100_000) / 1000,
    agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/129.0 Safari/537.36',
    seen: new Date(1_767_225_600_000 + i * 20).toISOString(),
  }
}

const rows = Array.from({ length: ROWS }, (_, i) => clickOf(i))
const lines = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
const uneven = Buffer.from(rows.map((row) => ` ${JSON.stringify(row)}\n`).join(''))

interface Figure {
  readonly rate: number
  readonly cpuSeconds: number
}

/** The best round by processor time, in rows a second of one core. */
function measure(work: () => number): Figure {
  let best = Number.POSITIVE_INFINITY
  let spent = 0
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    const done = work()
    const used = process.cpuUsage(before)
    const seconds = (used.user + used.system) / 1e6
    if (done !== ROWS) throw new Error(`${done} of ${ROWS} rows`)
    spent += seconds
    if (round > 1) best = Math.min(best, seconds)
  }
  return { rate: ROWS / best, cpuSeconds: spent }
}

function parseLines(): number {
  let count = 0
  for (const line of lines.toString().split('\n')) if (line !== '') count += typeof JSON.parse(line).dwell === 'number' ? 1 : 0
  return count
}

const scanner = compileScanner(click)
const strict = (input: Buffer) => () => scanner.scan(input).batch.rows
const trusted = (columns: string[]) => () => scanner.scan(lines, { trusted: true, columns }).batch.rows

const cases: [string, () => number][] = [
  ['JSON.parse', parseLines],
  ['strict', strict(lines)],
  ['trusted all columns', trusted(click.fields.map((field) => field.name))],
  ['trusted 3 columns', trusted(['page', 'dwell', 'seen'])],
  ['trusted 2 columns', trusted(['session', 'page'])],
  ['exact path', strict(uneven)],
]

const figures = new Map(cases.map(([name, work]) => [name, measure(work)]))
const base = figures.get('JSON.parse')!.rate
for (const [name, { rate, cpuSeconds }] of figures) {
  const figure = { bench: 'scan', case: name, value: Math.round(rate / 1e4) / 100, unit: 'M rows per core-second' }
  const against = { ratio: Math.round((rate / base) * 100) / 100, against: 'JSON.parse' }
  process.stdout.write(`${JSON.stringify({ ...figure, ...against, cpuSeconds: Math.round(cpuSeconds * 100) / 100, load: loadavg()[0] })}\n`)
}
const floors = [
  { case: 'strict', floor: 1.5, held: figures.get('strict')!.rate >= 1.5e6 },
  { case: 'trusted 3 columns', floor: 3, held: figures.get('trusted 3 columns')!.rate >= 3e6 },
]
const held = floors.every((floor) => floor.held)
process.stdout.write(`${JSON.stringify({ bench: 'scan', held, floors })}\n`)
process.exitCode = held ? 0 : 1
