// How fast questions are answered over HTTP: one after the other, and sixteen at once; as administrator by SQL, under a policy of rows
// and a mask, and by an endpoint. The rows are committed, the last ones in the hot tail. In turn with a peer: DuckDB in this process
// answers the same question on a table of its own, without HTTP, policy, snapshot or audit record.
// One JSON line per figure. Usage: node24 bench/answers.ts [questions, default 1000] [rows, default 100000]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { startServer } from '../test/server/server.ts'

const QUESTIONS = Number(process.argv[2] ?? 1_000)
const ROWS = Number(process.argv[3] ?? 100_000)
const AT_ONCE = 16
const COUNTRIES = ['AT', 'BE', 'DE', 'FR', 'GB']
const SQL = 'SELECT country, count(*), sum(spent) FROM customers GROUP BY country ORDER BY country'

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const project = join(dirname(fileURLToPath(import.meta.url)), 'answers-project')
const server = await startServer({ project, data: join(directory, 'data'), env: { MILLRACE_LOG: 'error' } })

const customer = (id: number) => ({
  id: String(id),
  name: `name ${id}`,
  country: COUNTRIES[id % COUNTRIES.length],
  spent: (id * 7) % 1_000,
})

async function send(from: number, to: number): Promise<void> {
  const lines = Array.from({ length: to - from }, (_, i) => `${JSON.stringify(customer(from + i))}\n`).join('')
  const response = await server.post('/streams/customers', lines, { 'content-type': 'application/x-ndjson' })
  if (response.status !== 202) throw new Error(await response.text())
}

async function until(sql: string, isThere: (rows: unknown[][]) => boolean): Promise<void> {
  while (!isThere(await server.sql(sql))) await new Promise((resolve) => setTimeout(resolve, 50))
}

const quantile = (sorted: readonly number[], share: number): number => Number(sorted[Math.floor((sorted.length - 1) * share)]!.toFixed(2))

interface Measured {
  readonly p50: number
  readonly p99: number
  readonly perSecond: number
}

async function measure(ask: () => Promise<unknown>): Promise<Measured> {
  for (let i = 0; i < 50; i++) await ask()
  const times: number[] = []
  for (let i = 0; i < QUESTIONS; i++) {
    const startMs = performance.now()
    await ask()
    times.push(performance.now() - startMs)
  }
  times.sort((a, b) => a - b)
  const startMs = performance.now()
  const each = async (): Promise<void> => {
    for (let i = 0; i < QUESTIONS / AT_ONCE; i++) await ask()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, each))
  const perSecond = Math.round((Math.ceil(QUESTIONS / AT_ONCE) * AT_ONCE * 1_000) / (performance.now() - startMs))
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), perSecond }
}

async function expectOk(response: Promise<Response>): Promise<unknown> {
  const answered = await response
  if (!answered.ok) throw new Error(await answered.text())
  return answered.json()
}

try {
  for (let from = 0; from < ROWS; from += 10_000) await send(from, Math.min(ROWS, from + 10_000))
  await until("SELECT coalesce(min(committed), 0) FROM millrace.offsets WHERE topic = 'customers'", (rows) => Number(rows[0]?.[0]) >= ROWS)
  await send(0, 1_000)
  const peer = await (await DuckDBInstance.create(':memory:')).connect()
  await peer.run(
    `CREATE TABLE customers AS SELECT i AS id, 'name ' || i AS name, ${JSON.stringify(COUNTRIES).replaceAll('"', "'")}[1 + i % 5] AS country, ((i * 7) % 1000)::DOUBLE AS spent FROM range(${ROWS}) AS r(i)`,
  )
  const as = { 'millrace-as': 'analyst', 'millrace-as-attributes': JSON.stringify({ country: 'DE' }) }
  let next = 0
  const someId = (): number => {
    next += 7_919
    return next % ROWS
  }
  const byId = (): string => `SELECT * FROM customers WHERE id = ${someId()}`
  const cases: Readonly<Record<string, { readonly ask: () => Promise<unknown>; readonly peer: () => Promise<unknown> }>> = {
    'groups, by SQL': { ask: () => server.sql(SQL), peer: () => peer.runAndReadAll(SQL) },
    'groups, by SQL under a policy': {
      ask: () => server.sql(SQL, as),
      peer: () => peer.runAndReadAll(SQL.replace(' GROUP', " WHERE country = 'DE' GROUP")),
    },
    'one row, by SQL that was never asked before': { ask: () => server.sql(byId()), peer: () => peer.runAndReadAll(byId()) },
    'one row, by the endpoint': {
      ask: () => expectOk(server.get(`/api/customers/${someId()}`, as)),
      peer: () => peer.runAndReadAll(byId()),
    },
  }
  for (const [name, { ask, peer: askPeer }] of Object.entries(cases)) {
    const ours = await measure(ask)
    const theirs = await measure(askPeer)
    const figure = { value: ours.p50, unit: 'ms, one after the other, p50', p99: ours.p99, perSecond: ours.perSecond, peer: theirs }
    const load = Number(loadavg()[0]!.toFixed(2))
    process.stdout.write(
      `${JSON.stringify({ bench: 'answers', case: name, ...figure, against: 'DuckDB in process', ratio: Number((ours.p50 / theirs.p50).toFixed(1)), load })}\n`,
    )
  }
} finally {
  server.child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
process.stdout.write(`${JSON.stringify({ bench: 'answers', held: true, floors: [] })}\n`)
