// Events per core-second of live models on queries of Nexmark's shapes: the operators alone over scanned rows, and with the
// scan of the log's JSON before them. Peer: DuckDB with one thread over the same rows in the same micro-batches, which appends a
// batch and runs the batch SQL of the model over it alone, without carrying any state from batch to batch. The ratio is that of the
// chain with its scan of JSON, which the peer does not do.
// One JSON line per figure. Usage: node24 bench/stream.ts [bids, default 1000000] [rows of a batch, default 20000]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { SYSTEM_FIELDS } from '../src/define/system-columns.ts'
import { printLive } from '../src/engine/algebra/print-query.ts'
import { compileLive } from '../src/engine/algebra/read-query.ts'
import { openParser } from '../src/engine/ast.ts'
import { createSql } from '../src/engine/batch-table.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import type { Column, ColumnBatch } from '../src/schema/batch.ts'
import { compileScanner } from '../src/schema/scan/scanner.ts'
import type { Shape } from '../src/schema/type.ts'
import { Chain } from '../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { BID, nexmarkLines } from '../test/nexmark/events.ts'
import { appendAsPeer } from './peer-append.ts'

/** Whole fifties of events, of which 46 are bids. */
const FIFTIES = Math.round(Number(process.argv[3] ?? 20_000) / 46)
const BATCH = FIFTIES * 46
const BIDS = Math.ceil(Number(process.argv[2] ?? 1_000_000) / BATCH) * BATCH
const PER_SECOND = 10_000
const LATENESS_US = 1_000_000
const SHAPE: Shape = { fields: [...BID.fields, ...SYSTEM_FIELDS] }

const QUERIES: Readonly<Record<string, string>> = {
  q1: 'SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid',
  q2: 'SELECT auction, price FROM bid WHERE auction % 123 = 0',
  q5: `SELECT window_start, auction, count(*) AS num FROM hop(bid, date_time, INTERVAL 2 SECOND, INTERVAL 10 SECOND) GROUP BY ALL
       QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) = 1`,
  q7: `SELECT window_start, auction, price, bidder, date_time FROM tumble(bid, date_time, INTERVAL 10 SECOND)
       QUALIFY rank() OVER (PARTITION BY window_start ORDER BY price DESC) = 1`,
  q11: 'SELECT bidder, window_start, window_end, count(*) AS bids FROM session(bid, date_time, INTERVAL 10 SECOND, key := bidder) GROUP BY ALL',
  q12: 'SELECT bidder, window_start, count(*) AS bids FROM tumble(bid, _ingested_at, INTERVAL 10 SECOND) GROUP BY ALL',
  q17: `SELECT auction, CAST(date_time AS DATE) AS day, count(*) AS total, count(*) FILTER (WHERE price < 10000) AS low,
       count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS middle, count(*) FILTER (WHERE price >= 1000000) AS high,
       min(price) AS least, max(price) AS most, avg(price) AS mean, sum(price) AS sum FROM bid GROUP BY 1, 2`,
  q18: 'SELECT auction, bidder, price, channel, url, date_time, extra FROM bid QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) = 1',
}

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill'), threads: 1 })
const session = await engine.session()
const parser = await openParser(engine)
const scanner = compileScanner(BID)

const payloads = Array.from(
  { length: Math.ceil(BIDS / BATCH) },
  (_, i) => nexmarkLines({ from: i * FIFTIES, count: FIFTIES, perSecond: PER_SECOND }).bid,
)

function scanned(index: number): ColumnBatch {
  const { batch } = scanner.scan(payloads[index]!, { trusted: true })
  const offsets = Float64Array.from({ length: batch.rows }, (_, row) => index * BATCH + row)
  const at = batch.columns[5] as Extract<Column, { kind: 'integer' }>
  const system: Column[] = [
    { kind: 'number', values: new Float64Array(batch.rows), nulls: null },
    { kind: 'integer', values: offsets, big: null, nulls: null },
    { kind: 'integer', values: at.values, big: null, nulls: null },
  ]
  return { shape: SHAPE, rows: batch.rows, columns: [...batch.columns, ...system] }
}

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Processor time and rows that came out. */
interface Spent {
  readonly seconds: number
  readonly rows: number
}

function runChain(chain: Chain, batchOf: (index: number) => ColumnBatch): Spent {
  chain.restore(null)
  let rows = 0
  const count = (batch: ColumnBatch | null): void => {
    rows += batch?.rows ?? 0
  }
  const before = cpuSeconds()
  for (let index = 0; index < payloads.length; index++) {
    const batch = batchOf(index)
    count(chain.take('bid', batch, null, batch.rows))
    count(chain.changed())
    const times = (batch.columns[5] as Extract<Column, { kind: 'integer' }>).values
    count(chain.advance(times[batch.rows - 1]! - LATENESS_US))
  }
  return { seconds: cpuSeconds() - before, rows }
}

async function runPeer(sql: string, batches: readonly ColumnBatch[]): Promise<Spent> {
  const before = cpuSeconds()
  for (const batch of batches) {
    await session.run(createSql(SHAPE, 'bid'))
    await appendAsPeer(session, 'bid', batch)
    await session.run(`CREATE OR REPLACE TABLE memory.tail.result AS ${sql}`)
  }
  return { seconds: cpuSeconds() - before, rows: 0 }
}

const round = (value: number, digits: number): number => Number(value.toFixed(digits))
const batches = payloads.map((_, index) => scanned(index))
for (const [name, text] of Object.entries(QUERIES)) {
  const { node } = await parser.parse(text)
  const query = compileLive(node, () => SHAPE)
  const chain = new Chain(
    query,
    () => SHAPE,
    shapeOfRelation(query.root, () => SHAPE),
  )
  runChain(chain, (index) => batches[index]!)
  const operators = runChain(chain, (index) => batches[index]!)
  const withScan = runChain(chain, scanned)
  const peer = await runPeer(
    printLive(query, () => 'memory.tail.bid'),
    batches,
  )
  const million = ({ seconds }: Spent): number => round(BIDS / seconds / 1e6, 2)
  const figure = {
    bench: 'stream',
    case: name,
    value: million(operators),
    unit: 'M events per core-second, operators alone',
    withScan: million(withScan),
    peer: million(peer),
    against: 'DuckDB per micro-batch',
    ratio: round(peer.seconds / withScan.seconds, 1),
    cpuSeconds: round(operators.seconds, 2),
    rowsOut: operators.rows,
    batch: BATCH,
    bids: BIDS,
    load: round(loadavg()[0] ?? 0, 2),
  }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
parser.close()
session.close()
engine.close()
rmSync(directory, { recursive: true, force: true })
process.stdout.write(`${JSON.stringify({ bench: 'stream', held: true, floors: [] })}\n`)
