// The demo: the shop example with its real traffic. In the foreground until Ctrl-C; with `--once` for a bounded time, one line
// per component with its figures, and exit status 1 when one of them is zero or the conservation line does not add up.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { ReplayReport } from '../examples/shop/traffic.ts'
import { systemClock } from '../src/core/clock.ts'
import { type RunningProject, startProject } from '../src/runtime/start-project.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const shop = join(root, 'examples', 'shop')
const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    port: { type: 'string', default: process.env['MILLRACE_PORT'] ?? '4100' },
    months: { type: 'string', default: '2' },
    data: { type: 'string' },
  },
})

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

/** A webhook of our own, so that alerts have somewhere to go. */
async function listenForAlerts(): Promise<{ url: string; received: () => number; close: () => void }> {
  let received = 0
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      received++
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received: () => received, close: () => server.close() }
}

/** Traffic runs in a process of its own, as a real shop's would. */
function startTraffic(project: RunningProject, args: readonly string[]): { child: ChildProcess; done: Promise<ReplayReport> } {
  const child = spawn(
    process.execPath,
    [join(shop, 'traffic.ts'), '--url', project.node.url, '--token', project.node.token, '--json', ...args],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let last = ''
  let buffer = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    buffer += text
    const lines = buffer.split('\n')
    buffer = lines.pop()!
    last = lines.filter((line) => line.startsWith('{')).at(-1) ?? last
  })
  const done = new Promise<ReplayReport>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(last) as ReplayReport) : reject(new Error(`traffic ended with ${code}`))))
  })
  return { child, done }
}

const open = (data: string, port: number, alertUrl: string, variables: Record<string, string> = {}): Promise<RunningProject> =>
  startProject({
    directory: shop,
    data,
    environment: 'dev',
    host: '127.0.0.1',
    port,
    isOpen: false,
    variables: { MILLRACE_LOG: 'warn', SHOP_ALERT_URL: alertUrl, ...process.env, ...variables },
  })

async function foreground(): Promise<number> {
  const alerts = await listenForAlerts()
  const project = await open(values.data ?? join(shop, '.millrace'), Number(values.port), process.env['SHOP_ALERT_URL'] ?? alerts.url)
  const { node } = project
  say('the shop is open\n')
  say(`  console   ${node.url}/console/#token=${node.token}`)
  say(`  SQL       npx millrace query "SELECT * FROM daily_revenue ORDER BY day DESC LIMIT 5" --data ${node.data}`)
  say(`  endpoint  curl -H "Authorization: Bearer $(cat ${node.data}/token)" "${node.url}/api/revenue/France?since=2010-01-01"`)
  say(`  metrics   curl -H "Authorization: Bearer $(cat ${node.data}/token)" ${node.url}/metrics`)
  say('\nhistory is replayed now, then a live trickle; Ctrl-C stops')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const traffic = playTraffic(project, stop.signal).catch((error: Error) => {
    if (!stop.signal.aborted) process.stderr.write(`${error.message}\n`)
  })
  await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))
  process.stderr.write('stopping\n')
  await traffic
  await node.stop()
  alerts.close()
  return 0
}

/** History, what is computed from it at once instead of at its time, then a trickle. */
async function playTraffic(project: RunningProject, signal: AbortSignal): Promise<void> {
  const play = (mode: string): Promise<ReplayReport> => {
    const { child, done } = startTraffic(project, ['--mode', mode, '--months', values.months])
    signal.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
    return done
  }
  const { sent } = await play('history')
  if (signal.aborted) return
  await refreshAll(project, new Shop(project.node.url, project.node.token))
  say(`${sent} events of history are in, every model is refreshed; the trickle begins`)
  await play('live')
}

type Row = readonly unknown[]

class Shop {
  readonly #url: string
  readonly #headers: Record<string, string>

  constructor(url: string, token: string) {
    this.#url = url
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  }

  async get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(this.#url + path, { headers: { ...this.#headers, ...headers } })
  }

  async json<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
    const response = await this.get(path, headers)
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
    return (await response.json()) as T
  }

  async post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    const response = await fetch(this.#url + path, {
      method: 'POST',
      headers: { ...this.#headers, ...headers },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`)
    return (await response.json()) as T
  }

  async rows(sql: string, headers: Record<string, string> = {}): Promise<readonly Row[]> {
    return (await this.post<{ rows: Row[] }>('/sql', { sql }, headers)).rows
  }

  async number(sql: string, headers: Record<string, string> = {}): Promise<number> {
    return Number((await this.rows(sql, headers))[0]![0])
  }
}

/** Prints a component's figures; a zero is a fault. */
class Report {
  #faults: string[] = []

  component(name: string, figures: Record<string, number | string>): void {
    say(
      `${name} ${Object.entries(figures)
        .map(([key, value]) => `${key}=${value}`)
        .join(' ')}`,
    )
    for (const [key, value] of Object.entries(figures))
      if (value === 0 || Number.isNaN(value)) this.#faults.push(`${name}: ${key} is ${value}`)
  }

  expect(isTrue: boolean, what: string): void {
    if (!isTrue) this.#faults.push(what)
  }

  end(): number {
    for (const fault of this.#faults) process.stderr.write(`${fault}\n`)
    return this.#faults.length === 0 ? 0 : 1
  }
}

const STORED = ['order_lines', 'clicks', 'payments', 'fraud_labels'] as const

async function waitFor(what: string, isDone: () => Promise<boolean>, limitMs: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + limitMs
  while (!(await isDone())) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`${what} did not happen within ${limitMs} ms`)
    await systemClock.sleep(200)
  }
}

async function once(): Promise<number> {
  const data = values.data ?? mkdtempSync(join(tmpdir(), 'millrace-demo-'))
  const alerts = await listenForAlerts()
  const project = await open(data, 0, alerts.url, { MILLRACE_FLUSH_MS: '5000', MILLRACE_MAINTENANCE_MS: '10000' })
  try {
    return await report(project, alerts.received)
  } finally {
    await project.node.stop()
    alerts.close()
    if (!values.data) rmSync(data, { recursive: true, force: true })
  }
}

interface Run {
  readonly run: { readonly state: string }
  readonly steps: readonly { readonly name: string; readonly state: string; readonly error: unknown }[]
}

/** Commits what came and refreshes every stored model. */
async function refreshAll({ node, manifest }: RunningProject, client: Shop): Promise<{ run: Run; models: number }> {
  await node.flush()
  const models = manifest.relations.filter(
    (relation) => relation.kind === 'model' && (relation.refresh === 'full' || relation.refresh === 'incremental'),
  )
  const { id } = await client.post<{ id: string }>('/admin/runs', { assets: models.map((model) => model.name) })
  const read = (): Promise<Run> => client.json<Run>(`/admin/runs/${id}`)
  await waitFor('the refresh of all models', async () => !['running', 'queued'].includes((await read()).run.state), 90_000)
  return { run: await read(), models: models.length }
}

async function report(project: RunningProject, alertsReceived: () => number): Promise<number> {
  const { node, manifest } = project
  const client = new Shop(node.url, node.token)
  const result = new Report()
  const sent = await startTraffic(project, ['--mode', 'history', '--months', values.months]).done
  const { run, models } = await refreshAll(project, client)
  for (const step of run.steps) result.expect(step.state === 'done', `${step.name} is ${step.state}: ${JSON.stringify(step.error)}`)

  const files = manifest.relations.filter((relation) => relation.kind === 'table' && relation.source.kind === 'files')
  let fileRows = 0
  for (const table of files) fileRows += await client.number(`SELECT count(*) FROM ${table.name}`)
  result.component('sources', {
    files: files.length,
    file_rows: fileRows,
    streams: manifest.relations.filter((relation) => relation.kind === 'stream').length,
  })

  const counts = await Promise.all(STORED.map(async (name) => ({ name, ...(await conservation(client, name)) })))
  const sum = (pick: (count: (typeof counts)[number]) => number): number => counts.reduce((total, count) => total + pick(count), 0)
  result.component('ingestion', {
    accepted: Object.values(sent.streams).reduce((total, stream) => total + stream.accepted, 0),
    rejected: Object.values(sent.streams).reduce((total, stream) => total + stream.rejected, 0),
    requests: Object.values(sent.streams).reduce((total, stream) => total + stream.batches, 0),
  })
  const stored = await client.rows(
    'SELECT count(DISTINCT relation), count(*), sum(total_bytes) FROM (SELECT *, row_number() OVER (PARTITION BY relation ORDER BY sequence DESC) AS n FROM millrace.snapshots) WHERE n = 1',
  )
  const snapshots = await client.number('SELECT count(*) FROM millrace.snapshots')
  result.component('storage', { tables: Number(stored[0]![0]), snapshots, bytes: Number(stored[0]![2]) })
  result.component('processing', {
    suspects: await client.number('SELECT count(*) FROM suspects'),
    windows: await client.number('SELECT count(*) FROM views_per_minute'),
  })
  const fraud = await client.rows('SELECT * FROM fraud_quality')
  result.component('transformation', {
    models,
    fact_rows: await client.number('SELECT count(*) FROM fact_sales'),
    revenue_days: await client.number('SELECT count(DISTINCT day) FROM daily_revenue'),
    fraud_rows: fraud.length,
  })
  result.component('orchestration', {
    runs: await client.number('SELECT count(*) FROM millrace.runs'),
    steps: await client.number("SELECT count(*) FROM millrace.steps WHERE status = 'succeeded'"),
  })
  result.component('quality', {
    checks: await client.number('SELECT count(*) FROM millrace.checks'),
    results: await client.number('SELECT count(*) FROM millrace.check_results'),
    passed: await client.number("SELECT count(*) FROM millrace.check_results WHERE status = 'pass'"),
  })

  const asFrance = { 'millrace-as': 'analyst', 'millrace-as-attributes': '{"country":"France"}' }
  const seen = await client.number('SELECT count(*) FROM daily_revenue', asFrance)
  const others = await client.number("SELECT count(*) FROM daily_revenue WHERE country <> 'France'", asFrance)
  result.expect(others === 0, `an analyst for France sees ${others} rows of other countries`)
  result.component('governance', {
    analyst_rows: seen,
    all_rows: await client.number('SELECT count(*) FROM daily_revenue'),
    audit_records: await client.number('SELECT count(*) FROM millrace.audit'),
  })
  const endpoint = await client.json<{ data: unknown[] }>('/api/revenue/France?since=2000-01-01')
  const openapi = await client.json<{ paths: object }>('/openapi.json')
  result.component('serving', {
    endpoint_rows: endpoint.data.length,
    openapi_paths: Object.keys(openapi.paths).length,
    console: (await client.get('/console/')).status,
  })
  // Two real order lines have negative prices: the check on orders fails, and its alert goes out after their commit.
  await waitFor('an alert', async () => alertsReceived() > 0, 45_000).catch(() => {})
  const metrics = await (await client.get('/metrics')).text()
  result.component('monitoring', {
    metrics: metrics.split('\n').filter((line) => line.startsWith('millrace_')).length,
    alerts: alertsReceived(),
  })
  result.component('scaling', {
    partitions: manifest.relations.reduce((total, relation) => total + (relation.kind === 'stream' ? relation.partitions : 0), 0),
    pipelines: await client.number('SELECT count(DISTINCT pipeline) FROM millrace.offsets'),
  })
  const ready = await client.get('/ready')
  result.component('operation', { ready: ready.status, rss_mb: Math.round(process.memoryUsage().rss / 1e6) })

  for (const count of counts) {
    const report = sent.streams[count.name]
    result.expect(
      count.in === report.accepted + report.rejected,
      `${count.name}: ${report.accepted + report.rejected} rows were answered, ${count.in} are there`,
    )
    result.expect(
      count.rejected === report.rejected,
      `${count.name}: ${report.rejected} rows were rejected at the door, ${count.rejected} are kept`,
    )
  }
  const line = {
    in: sum((c) => c.in),
    out: sum((c) => c.out),
    late: sum((c) => c.late),
    rejected: sum((c) => c.rejected),
    deduplicated: sum((c) => c.deduplicated),
  }
  say(`conservation in=${line.in} out=${line.out} late=${line.late} rejected=${line.rejected} deduplicated=${line.deduplicated}`)
  result.expect(line.in === line.out + line.late + line.rejected + line.deduplicated, 'in is not out + late + rejected + deduplicated')
  return result.end()
}

/** What the server counted, held against the rows that it shows. */
async function conservation(
  client: Shop,
  name: string,
): Promise<{ in: number; out: number; late: number; rejected: number; deduplicated: number }> {
  const { stream } = await client.json<{
    stream: { conservation: { in: number; out: number; late: number; rejected: number; deduplicated: number } }
  }>(`/admin/streams/${name}`)
  return stream.conservation
}

process.exitCode = await (values.once ? once() : foreground())
