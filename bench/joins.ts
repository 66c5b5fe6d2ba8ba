// Events per core-second of live models that join streams, on queries of Nexmark's shapes: the operators alone over scanned rows,
// and with the scan of the logs' JSON before them. Every event of the three streams counts, also those that a query does not read.
// Peer: DuckDB with one thread runs the batch twin once over all rows of tables that were filled before, so it pays neither for
// JSON nor for following the streams. One JSON line per figure.
// Usage: node24 bench/joins.ts [fifties of events, default 20000] [fifties of a batch, default 400]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { SYSTEM_FIELDS } from '../src/define/system-columns.ts'
import { printLive } from '../src/engine/algebra/print-query.ts'
import { compileLive, type StreamShape } from '../src/engine/algebra/read-query.ts'
import { openParser } from '../src/engine/ast.ts'
import { appendBatch, createSql } from '../src/engine/batch-table.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import type { Column, ColumnBatch } from '../src/schema/batch.ts'
import { compileScanner } from '../src/schema/scan/scanner.ts'
import type { Shape } from '../src/schema/type.ts'
import { Chain } from '../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { AUCTION, BID, FIFTY, type StreamName as Name, nexmarkLines, PERSON } from '../test/nexmark/events.ts'

const FIFTIES = Number(process.argv[2] ?? 20_000)
const BATCH = Number(process.argv[3] ?? 400)
const PER_SECOND = 10_000
const LATENESS_US = 1_000_000

const STREAMS = {
  bid: { shape: BID, time: 'date_time', unique: [] },
  auction: { shape: AUCTION, time: 'date_time', unique: ['id'] },
  person: { shape: PERSON, time: 'date_time', unique: ['id'] },
} as const

const storedOf = (name: string): StreamShape => {
  const { shape, time, unique } = STREAMS[name as Name]
  return { fields: [...shape.fields, ...SYSTEM_FIELDS], time, unique }
}

const WINDOWED = `SELECT auction, window_start, window_end, count(*) AS num FROM hop(bid, date_time, INTERVAL 2 SECOND, INTERVAL 10 SECOND) GROUP BY ALL`

const QUERIES: Readonly<Record<string, string>> = {
  q3: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`,
  q4: `SELECT category, avg(final) AS mean FROM (SELECT max(b.price) AS final, a.category FROM auction a JOIN bid b ON a.id = b.auction
       AND b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) GROUP BY category`,
  'q5 by a join': `WITH w AS (${WINDOWED}) SELECT a.auction, a.num FROM w a JOIN (SELECT window_start, window_end, max(num) AS most FROM w GROUP BY ALL) m
       ON a.window_start = m.window_start AND a.window_end = m.window_end AND a.num >= m.most`,
  'q7 by a join': `SELECT b.auction, b.price, b.bidder, b.date_time FROM bid b JOIN (SELECT max(price) AS best, window_end FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY window_start, window_end) m
       ON b.price = m.best AND b.date_time BETWEEN m.window_end - INTERVAL 10 SECOND AND m.window_end`,
  q8: `SELECT p.id, p.name, p.window_start FROM (SELECT id, name, window_start, window_end FROM tumble(person, date_time, INTERVAL 10 SECOND) GROUP BY ALL) p
       JOIN (SELECT seller, window_start, window_end FROM tumble(auction, date_time, INTERVAL 10 SECOND) GROUP BY ALL) a
       ON p.id = a.seller AND p.window_start = a.window_start AND p.window_end = a.window_end`,
  q20: `SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time, b.extra, a.item_name, a.reserve, a.date_time AS listed, a.expires, a.seller, a.extra AS more
       FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`,
  'interval join, left': `SELECT a.id, a.date_time, b.price FROM auction a LEFT JOIN bid b ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL 5 SECOND`,
  'version at the time': `SELECT b.auction, b.price, a.category FROM bid b ASOF JOIN auction a ON b.auction = a.id AND b.date_time >= a.date_time`,
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill'), threads: 1 })
const session = await engine.session()
const parser = await openParser(engine)

interface Feed {
  readonly name: Name
  readonly payload: Buffer
  readonly scan: () => ColumnBatch
}

/** What comes of each stream in turn. */
const rounds: Feed[][] = []
const offsets = { bid: 0, auction: 0, person: 0 }
const scanners = { bid: compileScanner(BID), auction: compileScanner(AUCTION), person: compileScanner(PERSON) }
let events = 0

function feed(name: Name, payload: Buffer): Feed {
  const first = offsets[name]
  const scan = (): ColumnBatch => {
    const { batch } = scanners[name].scan(payload, { trusted: true })
    const at = batch.columns[STREAMS[name].shape.fields.findIndex((own) => own.name === STREAMS[name].time)] as Extract<
      Column,
      { kind: 'integer' }
    >
    const system: Column[] = [
      { kind: 'number', values: new Float64Array(batch.rows), nulls: null },
      { kind: 'integer', values: Float64Array.from({ length: batch.rows }, (_, row) => first + row), big: null, nulls: null },
      { kind: 'integer', values: at.values, big: null, nulls: null },
    ]
    return { shape: storedOf(name), rows: batch.rows, columns: [...batch.columns, ...system] }
  }
  const { rows } = scan()
  offsets[name] += rows
  events += rows
  return { name, payload, scan }
}

for (let from = 0; from < FIFTIES; from += BATCH) {
  const lines = nexmarkLines({ from, count: Math.min(BATCH, FIFTIES - from), perSecond: PER_SECOND })
  rounds.push((['person', 'auction', 'bid'] as const).map((name) => feed(name, lines[name])))
}
const scanned = rounds.map((round) => round.map(({ name, scan }) => ({ name, batch: scan() })))

for (const name of Object.keys(STREAMS) as Name[]) {
  const shape: Shape = storedOf(name)
  await session.run(createSql(shape, name))
  for (const round of scanned) for (const own of round) if (own.name === name) await appendBatch(session, name, own.batch)
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

function runChain(chain: Chain, streams: readonly string[], batchesOf: (round: number) => { name: string; batch: () => ColumnBatch }[]) {
  chain.restore(null)
  let rows = 0
  const count = (batch: ColumnBatch | null): void => {
    rows += batch?.rows ?? 0
  }
  const before = cpuSeconds()
  for (let round = 0; round < rounds.length; round++) {
    let watermarkUs = Number.POSITIVE_INFINITY
    for (const { name, batch: read } of batchesOf(round)) {
      if (!streams.includes(name)) continue
      const batch = read()
      count(chain.take(name, batch, null, batch.rows))
      watermarkUs = Math.min(
        watermarkUs,
        (batch.columns.at(-1) as Extract<Column, { kind: 'integer' }>).values[batch.rows - 1]! - LATENESS_US,
      )
    }
    count(chain.advance(watermarkUs))
    count(chain.changed())
  }
  return { seconds: cpuSeconds() - before, rows }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))
const million = (seconds: number): number => round(events / seconds / 1e6, 2)
for (const [name, text] of Object.entries(QUERIES)) {
  const { node } = await parser.parse(text)
  const query = compileLive(node, storedOf)
  const chain = new Chain(query, storedOf, shapeOfRelation(query.root, storedOf))
  const held = (index: number) => scanned[index]!.map((own) => ({ name: own.name as string, batch: () => own.batch }))
  runChain(chain, query.streams, held)
  const operators = runChain(chain, query.streams, held)
  const withScan = runChain(chain, query.streams, (index) => rounds[index]!.map((own) => ({ name: own.name as string, batch: own.scan })))
  const before = cpuSeconds()
  await session.run(`CREATE OR REPLACE TABLE memory.tail.result AS ${printLive(query, (stream) => `memory.tail.${stream}`)}`)
  const peer = cpuSeconds() - before
  const figure = {
    bench: 'joins',
    case: name,
    value: million(operators.seconds),
    unit: 'M events per core-second, operators alone',
    withScan: million(withScan.seconds),
    peer: million(peer),
    against: 'DuckDB, the batch twin once over all rows',
    cpuSeconds: round(operators.seconds, 2),
    rowsOut: operators.rows,
    events,
    batch: BATCH * FIFTY,
    load: round(loadavg()[0] ?? 0, 2),
  }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
parser.close()
session.close()
engine.close()
rmSync(directory, { recursive: true, force: true })
process.stdout.write(`${JSON.stringify({ bench: 'joins', held: true, floors: [] })}\n`)
