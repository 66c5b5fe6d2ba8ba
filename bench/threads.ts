// What a second thread would give live models: the same rows through scan and chain on one thread, and split by key over two that
// run at once, each with the state of its keys; keys spread evenly, and with four rows of five on one key. What putting the results of
// two threads into one order would cost is left out, so a model on two threads is as fast as this at most.
// One JSON line per figure. Usage: node24 bench/threads.ts [bids, default 1000000] [rounds, default 3]
import { availableParallelism, loadavg } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { compileLive } from '../src/engine/algebra/read-query.ts'
import { openParser } from '../src/engine/ast.ts'
import { openTestEngine } from '../src/engine/testing.ts'
import { compileScanner } from '../src/schema/scan/scanner.ts'
import { Chain } from '../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { BID, nexmarkLines } from '../test/nexmark/events.ts'

const QUERIES: Readonly<Record<string, string>> = {
  filter: 'SELECT auction, bidder, price FROM bid WHERE price > 1000000',
  groups: 'SELECT auction, count(*) AS bids, sum(price) AS total, max(price) AS most FROM bid GROUP BY ALL',
  windows: 'SELECT window_start, auction, count(*) AS bids FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY ALL',
}
const LINES_PER_BATCH = 20_000
const LATENESS_US = 1_000_000

/** Lines of one thread, in batches. */
interface Share {
  readonly query: string
  readonly batches: readonly Uint8Array[]
}

/** A thread: warm after a run of its own; runs once more whenever it is told to, and says so when it has. */
async function work({ query, batches }: Share): Promise<void> {
  const engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  const { node } = await parser.parse(query)
  const live = compileLive(node, () => BID)
  const chain = new Chain(
    live,
    () => BID,
    shapeOfRelation(live.root, () => BID),
  )
  const scanner = compileScanner(BID)
  const run = (): void => {
    chain.restore(null)
    for (const payload of batches) {
      const { batch } = scanner.scan(payload, { trusted: true })
      chain.take('bid', batch, null, batch.rows)
      chain.changed()
      const times = batch.columns[5]
      if (times?.kind === 'integer' && batch.rows > 0) chain.advance(times.values[batch.rows - 1]! - LATENESS_US)
    }
  }
  run()
  parentPort!.on('message', () => {
    run()
    parentPort!.postMessage('done')
  })
  parentPort!.postMessage('ready')
}

const told = (worker: Worker): Promise<void> =>
  new Promise((resolve, reject) => {
    worker.once('message', () => resolve())
    worker.once('error', reject)
  })

interface Timed {
  readonly wallSeconds: number
  readonly cpuSeconds: number
}

const start = async (query: string, shares: readonly (readonly string[])[]): Promise<readonly Worker[]> => {
  const workers = shares.map((lines) => {
    const batches: Uint8Array[] = []
    for (let from = 0; from < lines.length; from += LINES_PER_BATCH)
      batches.push(Buffer.from(lines.slice(from, from + LINES_PER_BATCH).join('')))
    return new Worker(new URL(import.meta.url), { workerData: { query, batches } satisfies Share })
  })
  await Promise.all(workers.map(told))
  return workers
}

async function timed(workers: readonly Worker[]): Promise<Timed> {
  const [beganMs, before] = [performance.now(), process.cpuUsage()]
  const done = workers.map(told)
  for (const worker of workers) worker.postMessage('run')
  await Promise.all(done)
  const { user, system } = process.cpuUsage(before)
  return { wallSeconds: (performance.now() - beganMs) / 1_000, cpuSeconds: (user + system) / 1e6 }
}

const best = (runs: readonly Timed[]): Timed => runs.reduce((least, run) => (run.wallSeconds < least.wallSeconds ? run : least))
const round = (value: number, digits = 2): number => Number(value.toFixed(digits))

async function measure(): Promise<void> {
  const fifties = Math.ceil(Number(process.argv[2] ?? 1_000_000) / 46)
  const rounds = Number(process.argv[3] ?? 3)
  const lines = nexmarkLines({ from: 0, count: fifties, perSecond: 10_000 })
    .bid.toString('latin1')
    .split(/(?<=\n)/)
  const auctionOf = (line: string): number => Number(/^{"auction":(\d+)/.exec(line)![1])
  const spread = lines.map((line, index) => line.replace(/^{"auction":\d+/, `{"auction":${1_000 + ((index * 7_919) % 10_007)}`))
  const hot = spread.map((line, index) => (index % 5 < 4 ? line.replace(/^{"auction":\d+/, '{"auction":1000') : line))
  for (const [keys, rows] of Object.entries({ spread, hot }))
    for (const [name, query] of Object.entries(QUERIES)) {
      const halves = [0, 1].map((half) => rows.filter((line) => auctionOf(line) % 2 === half))
      const one = await start(query, [rows])
      const two = await start(query, halves)
      const [ones, twos]: [Timed[], Timed[]] = [[], []]
      for (let i = 0; i < rounds; i++) {
        ones.push(await timed(one))
        twos.push(await timed(two))
      }
      for (const worker of [...one, ...two]) await worker.terminate()
      const [single, double] = [best(ones), best(twos)]
      const figure = {
        bench: 'threads',
        case: `${name}, keys ${keys}`,
        value: round(lines.length / single.wallSeconds / 1e6),
        unit: 'M events/s with its scan, one thread',
        twoThreads: round(lines.length / double.wallSeconds / 1e6),
        ratio: round(single.wallSeconds / double.wallSeconds),
        cpuSeconds: [round(single.cpuSeconds), round(double.cpuSeconds)],
        processors: availableParallelism(),
        load: round(loadavg()[0] ?? 0),
      }
      process.stdout.write(`${JSON.stringify(figure)}\n`)
    }
  process.stdout.write(`${JSON.stringify({ bench: 'threads', held: true, floors: [] })}\n`)
}

if (isMainThread) await measure()
else await work(workerData as Share)
