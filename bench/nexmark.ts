// Nexmark in Millrace and in real Flink on the same NDJSON bytes, one query at a time and in turn: processor time of all processes of
// each, and wall time. One JSON line per query; the last says whether the floors hold (exit status 1 when not).
// Usage: node24 bench/nexmark.ts [events, default 2000000] [queries: all of the suite (default), beside, or such as q5,b7] [configurations whose names begin so, default all]
//
// In on both sides: reading the files (two per stream, one for each partition), parsing JSON, watermarks, the query with its state, and
// handing every row of the result to a sink that drops it: Flink's blackhole, a function that counts here. Out on both: checkpoints
// and anything durable. Millrace: scanner and chain of a live model, one thread, in a process of its own that is warm (two seconds of runs before).
// Flink: the SQL of the printer on a cluster of one JobManager and one TaskManager with two slots, both warm (a run before); the
// client's planning is out, and so is what the same job costs on a file of 100 events, which is its start. Of the configurations of
// Flink (state on the heap or in RocksDB, mini-batch off or 1 s) all are printed. Both run in turn, as often as each other, and of both
// the run with the least processor time counts: what else is on the machine only ever adds to it.
import { spawnSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { installFlink } from '../scripts/servers/flink.ts'
import { FlinkCluster, type FlinkJob } from '../scripts/servers/flink-cluster.ts'
import { printFlink } from '../src/engine/algebra/print-flink.ts'
import { flinkType, quoteFlink } from '../src/engine/algebra/print-flink-expression.ts'
import { compileLive } from '../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../src/engine/algebra/relation.ts'
import { openParser } from '../src/engine/ast.ts'
import { openTestEngine } from '../src/engine/testing.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { BESIDE } from '../test/nexmark/beside.ts'
import { liveShapeOf, storedShapeOf } from '../test/nexmark/engine.ts'
import { FIFTY, type StreamName } from '../test/nexmark/events.ts'
import { flinkTable, removeFiles, writeFiles } from '../test/nexmark/flink.ts'
import { QUERIES } from '../test/nexmark/queries.ts'

const EVENTS = Number(process.argv[2] ?? 2_000_000)
const CHOSEN = process.argv[3] ?? 'all'
const PER_SECOND = 10_000
const ROUNDS = 2
const [FLOOR_MEAN, FLOOR_LEAST] = [10, 3]

const HEAP = { 'state.backend.type': 'hashmap' }
const ROCKS = { 'state.backend.type': 'rocksdb', 'state.backend.incremental': 'true' }
const MINI_BATCH = {
  'table.exec.mini-batch.enabled': 'true',
  'table.exec.mini-batch.allow-latency': '1 s',
  'table.exec.mini-batch.size': '50000',
}
const CONFIGURATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  heap: HEAP,
  'heap, mini-batch': { ...HEAP, ...MINI_BATCH },
  RocksDB: ROCKS,
  'RocksDB, mini-batch': { ...ROCKS, ...MINI_BATCH },
}
const wanted = Object.entries(CONFIGURATIONS).filter(([configuration]) => configuration.startsWith(process.argv[4] ?? ''))
if (wanted.length === 0) {
  process.stderr.write(`there is no configuration ${process.argv[4]}; there are: ${Object.keys(CONFIGURATIONS).join('; ')}\n`)
  process.exit(2)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const flink = installFlink()
if ('missing' in flink) {
  process.stderr.write(`Flink is not available: ${flink.missing}\n`)
  process.exit(1)
}
const fifties = Math.ceil(EVENTS / FIFTY / 2) * 2
const files = writeFiles(fifties, PER_SECOND)
const few = writeFiles(2, PER_SECOND)
const engine = await openTestEngine({ threads: 1 })
const parser = await openParser(engine.engine)
const cluster = await FlinkCluster.start(flink.java)

interface Spent {
  readonly wallSeconds: number
  readonly cpuSeconds: number
}

const round = (value: number, digits = 2): number => Number(value.toFixed(digits))
const least = <T extends Spent>(runs: readonly T[]): T => runs.reduce((best, run) => (run.cpuSeconds < best.cpuSeconds ? run : best))

/** In a process of its own, which prints what the last of its runs took. */
function runMillrace(name: string): Spent & { readonly rows: number } {
  const program = fileURLToPath(new URL('nexmark/run-engine.ts', import.meta.url))
  const done = spawnSync(process.execPath, [program, name, files.directory], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(done.stderr)
  return JSON.parse(done.stdout) as Spent & { readonly rows: number }
}

async function runFlink(query: LiveQuery, directory: string, set: Readonly<Record<string, string>>): Promise<FlinkJob> {
  const columns = shapeOfRelation(query.root, storedShapeOf).fields.map(({ name, type }) => `${quoteFlink(name)} ${flinkType(type)}`)
  const sink = `CREATE TABLE dropped (${columns.join(', ')}) WITH ('connector' = 'blackhole')`
  const tables = [...query.streams.map((stream) => flinkTable(stream, directory)), sink]
  return cluster.run({ set, tables, insert: `INSERT INTO dropped ${printFlink(query)}` })
}

/** Without what the job costs on hardly any events. */
async function measureFlink(query: LiveQuery, set: Readonly<Record<string, string>>): Promise<Spent> {
  const start = least([await runFlink(query, few.directory, set), await runFlink(query, few.directory, set)])
  const whole = await runFlink(query, files.directory, set)
  return {
    wallSeconds: Math.max(0.001, whole.wallSeconds - start.wallSeconds),
    cpuSeconds: Math.max(0.01, whole.cpuSeconds - start.cpuSeconds),
  }
}

const named = new Set(CHOSEN.split(','))
const chosen = CHOSEN === 'all' ? QUERIES : CHOSEN === 'beside' ? BESIDE : [...QUERIES, ...BESIDE].filter(({ name }) => named.has(name))
const ratios: number[] = []
for (const { name, sql } of chosen.filter((query) => !query.notInFlink)) {
  const { node } = await parser.parse(sql)
  const query = compileLive(node, liveShapeOf)
  const events = query.streams.reduce((sum, stream) => sum + files.rows[stream === 'arriving' ? 'bid' : (stream as StreamName)], 0)
  await runFlink(query, files.directory, HEAP)
  const own: (Spent & { rows: number })[] = []
  const theirs: Record<string, Spent> = {}
  // Rows as they come keep no state: the configurations do not differ.
  const configurations = query.result === 'append' ? wanted.slice(0, 1) : wanted
  const rounds = Math.max(configurations.length, ROUNDS)
  for (let i = 0; i < rounds; i++) {
    const [configuration, set] = configurations[i % configurations.length]!
    own.push(runMillrace(name))
    const spent = await measureFlink(query, set)
    theirs[configuration] = least([spent, theirs[configuration] ?? spent])
  }
  const [best, peer] = Object.entries(theirs).reduce((a, b) => (b[1].cpuSeconds < a[1].cpuSeconds ? b : a))
  const mine = least(own)
  const ratio = peer.cpuSeconds / mine.cpuSeconds
  ratios.push(ratio)
  const figure = {
    bench: 'nexmark',
    case: name,
    value: round(events / mine.cpuSeconds / 1e6),
    unit: 'M events per CPU-second',
    peer: round(events / peer.cpuSeconds / 1e6),
    ratio: round(ratio, 1),
    against: `Flink 1.20, ${best}`,
    cpuSeconds: round(mine.cpuSeconds),
    wallRatio: round(peer.wallSeconds / mine.wallSeconds, 1),
    wallSeconds: round(mine.wallSeconds),
    peers: Object.fromEntries(
      Object.entries(theirs).map(([key, spent]) => [key, { cpuSeconds: round(spent.cpuSeconds), wallSeconds: round(spent.wallSeconds) }]),
    ),
    rowsOut: mine.rows,
    events,
    load: round(loadavg()[0] ?? 0),
  }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
await cluster[Symbol.asyncDispose]()
parser.close()
await engine[Symbol.asyncDispose]()
removeFiles(files)
removeFiles(few)

const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length)
const floors = [
  { what: 'geometric mean of the ratios of events per CPU-second', floor: FLOOR_MEAN, value: round(mean, 1) },
  { what: 'the least of these ratios', floor: FLOOR_LEAST, value: round(Math.min(...ratios), 1) },
]
const held = floors.every(({ floor, value }) => value >= floor)
process.stdout.write(`${JSON.stringify({ bench: 'nexmark', held, floors })}\n`)
process.exitCode = held ? 0 : 1
