// The soak: a steady load of disorder, skewed keys, late rows and rows that are none, with three times `kill -9`; then every row
// that was acknowledged is where it belongs exactly once, live results equal batch SQL over the rows, and memory has not grown.
// `MILLRACE_SOAK_MINUTES` (30) and `MILLRACE_SOAK_RATE` events/s (100,000). The rate that was reached is printed, not asserted:
// it is the machine's.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startServer, type TestServer } from '../server/server.ts'

const here = dirname(fileURLToPath(import.meta.url))
const MINUTES = Number(process.env['MILLRACE_SOAK_MINUTES'] ?? 30)
const RATE = Number(process.env['MILLRACE_SOAK_RATE'] ?? 100_000)
const ORDERS_RATE = Math.min(2_000, RATE)
const KILLS = 3
const SAMPLE_MS = 5_000
/** From the middle to the last third of the last life. */
const GROWTH_MAX = 1.25

/** As the load prints it: sums are text. */
interface Sent {
  readonly refused: number
  readonly acknowledged: { rows: number; late: number; rejected: number; sumSeq: string; sumAmount: string }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function startLoad(server: TestServer): { child: ChildProcess; stop(): Promise<Record<'clicks' | 'orders', Sent>> } {
  const args = ['--origin', server.url, '--token', server.token, '--clicks', String(RATE), '--orders', String(ORDERS_RATE)]
  const child = spawn(process.execPath, [join(here, 'load.ts'), ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)))
  return {
    child,
    async stop() {
      child.kill('SIGTERM')
      assert.equal(await ended, 0, 'the load ended in order')
      return JSON.parse(text)
    },
  }
}

const residentMb = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1_024

const median = (samples: readonly number[]): number => [...samples].sort((a, b) => a - b)[samples.length >> 1]!

/** Reads that fail while a server starts are tried again. */
async function settled(server: TestServer, what: string, sql: string, expected: unknown[][]): Promise<void> {
  let found: unknown[][] = []
  for (let tries = 0; tries < 120; tries++) {
    found = await server.sql(sql)
    if (JSON.stringify(found) === JSON.stringify(expected)) return
    await sleep(1_000)
  }
  assert.deepEqual(found, expected, what)
}

test('a steady load with kills: every row once, live equals batch, memory stays', async (t) => {
  if (process.platform !== 'linux') return t.skip('memory is read from /proc')
  const data = mkdtempSync(join(tmpdir(), 'millrace-soak-'))
  const env = { MILLRACE_LOG: 'error', MILLRACE_QUERY_TIMEOUT_MS: '600000' }
  const project = join(here, 'project')
  let server = await startServer({ project, data, env })
  const port = new URL(server.url).port
  const load = startLoad(server)
  t.after(async () => {
    load.child.kill('SIGKILL')
    await server.kill('SIGKILL').catch(() => {})
    rmSync(data, { recursive: true, force: true })
  })
  const startedMs = performance.now()
  const lifeMs = (MINUTES * 60_000) / (KILLS + 2)
  let samples: number[] = []
  // The last life is two parts long: memory has the time to show what it does.
  for (let life = 0; life <= KILLS; life++) {
    const untilMs = performance.now() + lifeMs * (life === KILLS ? 2 : 1)
    samples = []
    while (performance.now() < untilMs) {
      await sleep(Math.min(SAMPLE_MS, Math.max(1, untilMs - performance.now())))
      samples.push(residentMb(server.pid))
    }
    const lag = await server.sql(
      'SELECT stream, max(log_end - committed) FROM (SELECT topic AS stream, log_end, committed FROM millrace.offsets) GROUP BY ALL ORDER BY ALL',
    )
    t.diagnostic(
      `life ${life + 1}: memory ${Math.round(samples[0]!)} to ${Math.round(Math.max(...samples))} MB, at the end ${Math.round(samples.at(-1)!)}; rows to be committed ${lag.map((row) => row.join(' ')).join(', ')}; load ${loadavg()[0]!.toFixed(1)}`,
    )
    if (life === KILLS) break
    await server.kill('SIGKILL')
    const downMs = performance.now()
    server = await startServer({ project, data, env, args: ['--port', port] })
    t.diagnostic(`killed, and ready again after ${((performance.now() - downMs) / 1_000).toFixed(1)} s`)
  }
  const sent = await load.stop()
  const seconds = (performance.now() - startedMs) / 1_000
  const { clicks, orders } = sent
  t.diagnostic(
    `${clicks.acknowledged.rows} and ${orders.acknowledged.rows} events in ${Math.round(seconds)} s: ${Math.round(clicks.acknowledged.rows / seconds)}/s, the time without a server included; ${clicks.refused + orders.refused} batches were refused and sent again`,
  )
  assert.ok(clicks.acknowledged.late > 0 && clicks.acknowledged.rejected > 0 && orders.acknowledged.late > 0, 'the load was what it says')

  for (const [name, { acknowledged }] of Object.entries(sent)) {
    const { rows, late, rejected, sumSeq, sumAmount } = acknowledged
    const good = rows - late - rejected
    await settled(
      server,
      `${name}: each row is in the table, among the late or among the rejected`,
      `SELECT CAST((SELECT count(*) FROM ${name}) AS INTEGER), CAST((SELECT count(*) FROM ${name}__late) AS INTEGER), CAST((SELECT count(*) FROM ${name}__rejected) AS INTEGER)`,
      [[good, late, rejected]],
    )
    const both = `(SELECT seq, amount FROM ${name} UNION ALL SELECT seq, amount FROM ${name}__late)`
    assert.deepEqual(
      await server.sql(`SELECT CAST(sum(seq) AS VARCHAR), CAST(sum(amount) AS VARCHAR) FROM ${both}`),
      [[sumSeq, sumAmount]],
      `${name}: the rows are those that were sent`,
    )
  }
  const doubled = 'SELECT count(*) - count(DISTINCT producer * 10000000000 + seq) FROM orders'
  assert.equal(Number((await server.sql(doubled))[0]![0]), 0, 'no order twice')

  await settled(server, 'the processor saw every row', 'SELECT (SELECT count(*) FROM numbered) = (SELECT count(*) FROM orders)', [[true]])
  const gaps = await server.sql(
    'SELECT key FROM numbered GROUP BY key HAVING count(*) <> max(nth) OR count(DISTINCT nth) <> count(*) LIMIT 5',
  )
  assert.deepEqual(gaps, [], 'it counted without a gap')
  await settled(
    server,
    'the keyed live model equals batch SQL',
    `SELECT count(*)::INTEGER FROM ((SELECT key, events, seq FROM newest EXCEPT ALL SELECT key, count(*), max(seq) FROM orders GROUP BY ALL)
      UNION ALL (SELECT key, count(*), max(seq) FROM orders GROUP BY ALL EXCEPT ALL SELECT key, events, seq FROM newest))`,
    [[0]],
  )
  assert.ok(Number((await server.sql('SELECT count(*) FROM per_ten'))[0]![0]) > 0, 'windows were closed')
  await settled(
    server,
    'closed windows equal batch SQL',
    `WITH batch AS (SELECT time_bucket(INTERVAL 10 SECOND, "at", TIMESTAMPTZ '1970-01-01 00:00:00+00') AS window_start, key, count(*) AS events, sum(amount)::DECIMAL(38, 0) AS total FROM clicks GROUP BY ALL),
      live AS (SELECT window_start, key, events, total::DECIMAL(38, 0) AS total FROM per_ten),
      closed AS (SELECT max(window_start) AS until FROM live)
    SELECT count(*)::INTEGER FROM ((SELECT * FROM batch WHERE window_start <= (SELECT until FROM closed) EXCEPT ALL SELECT * FROM live)
      UNION ALL (SELECT * FROM live EXCEPT ALL SELECT * FROM batch))`,
    [[0]],
  )

  const third = Math.max(1, Math.floor(samples.length / 3))
  const [first, last] = [median(samples.slice(third, 2 * third)), median(samples.slice(-third))]
  t.diagnostic(`memory of the last life: ${Math.round(first)} MB in its middle, ${Math.round(last)} MB in its last third`)
  if (samples.length >= 30) assert.ok(last <= first * GROWTH_MAX, `memory grew from ${Math.round(first)} to ${Math.round(last)} MB`)
  else t.diagnostic('too short for memory to say something: not asserted')
  assert.equal(await server.stop(), 0)
})
