// What user code may do to the engine, against the real program: it throws, never comes back, ends its thread, answers a
// promise. Each such call is set aside with the reason and the place, all other rows are counted once and in order, the
// server goes on answering, and a server that is killed in between comes to the same.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const DOES: Readonly<Record<number, string>> = {
  5: 'throw',
  12: 'loop',
  13: 'loop',
  20: 'exit',
  27: 'promise',
  33: 'loop later',
  36: 'clock',
  37: 'today',
  38: 'chance',
}
const ORDERS = 48

test('a call that throws, loops, exits or is async is set aside with its place; everything else goes on', {
  timeout: 120_000,
}, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-processor-'))
  let server: TestServer | null = null
  t.after(() => {
    server?.child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })
  const start = (): Promise<TestServer> =>
    startServer({ project: join(root, 'test', 'processor', 'project'), data, env: { MILLRACE_FLUSH_MS: '300' } })
  server = await start()
  const orders = Array.from({ length: ORDERS }, (_, id) => ({
    id,
    customer: `c${id % 3}`,
    does: DOES[id] ?? 'count',
    seen: new Date(Date.UTC(2026, 0, 1) + id * 1_000).toISOString(),
  }))
  // The watermark passes the timer with the last row of each customer.
  const closing = [0, 1, 2].map((n) => ({ id: 100 + n, customer: `c${n}`, does: 'count', seen: '2026-01-01T12:00:00Z' }))
  for (const rows of [orders.slice(0, 10), orders.slice(10), closing]) {
    const answer = await server.post('/streams/orders', rows.map((row) => `${JSON.stringify(row)}\n`).join(''), {
      'content-type': 'application/x-ndjson',
    })
    assert.equal(answer.status, 202)
  }
  // While calls loop, the stream's own table goes on.
  for (let tries = 0; tries < 100 && (await server.sql('SELECT count(*) FROM orders'))[0]![0] !== ORDERS + 3; tries++) await sleep(20)
  assert.deepEqual(await server.sql('SELECT count(*) FROM orders'), [[ORDERS + 3]])
  const setAside = Object.keys(DOES).length
  const isDone = async (): Promise<boolean> => {
    const [[counted], [refused]] = (await Promise.all([
      server!.sql('SELECT count(*) FROM counted').then(([row]) => row),
      server!.sql('SELECT count(*) FROM counted__rejected').then(([row]) => row),
    ])) as [[number], [number]]
    return counted === ORDERS + 3 - (setAside - 1) && refused === setAside
  }
  for (let tries = 0; tries < 200 && !(await isDone()); tries++) {
    await sleep(250)
    if (tries !== 6) continue
    await server.kill('SIGKILL')
    server = await start()
  }
  const counted = await server.sql('SELECT id, customer, nth FROM counted ORDER BY id')
  const nth = new Map<string, number>()
  const sound = [...orders, ...closing].filter(({ does }) => does === 'count' || does === 'loop later')
  assert.deepEqual(
    counted,
    sound.map(({ id, customer }) => {
      nth.set(customer, (nth.get(customer) ?? 0) + 1)
      return [id, customer, nth.get(customer)]
    }),
    'every other row is there once, and what was set aside left no trace in the state',
  )
  const refused = (await server.sql("SELECT code, message, raw FROM counted__rejected ORDER BY code, raw->>'$.id'")) as [
    string,
    string,
    string,
  ][]
  const told = refused.map(([code, , raw]) => {
    const { id, timer } = JSON.parse(raw) as { id?: number; timer?: string }
    return [code, id ?? timer]
  })
  assert.deepEqual(
    told.sort((a, b) => (String(a) < String(b) ? -1 : 1)),
    [
      ['MR_ROW_PROCESSOR', 27],
      ['MR_ROW_PROCESSOR', 36],
      ['MR_ROW_PROCESSOR', 37],
      ['MR_ROW_PROCESSOR', 38],
      ['MR_ROW_PROCESSOR', 5],
      ['MR_ROW_PROCESSOR_EXIT', 20],
      ['MR_ROW_PROCESSOR_TIME', 12],
      ['MR_ROW_PROCESSOR_TIME', 13],
      ['MR_ROW_PROCESSOR_TIME', 'later'],
    ],
  )
  const messageOf = (id: number): string => refused.find(([, , raw]) => (JSON.parse(raw) as { id?: number }).id === id)![1]
  assert.match(messageOf(5), /^counted threw on partition \d, offset \d+: order 5 is refused\n {4}at .*millrace\.ts:\d+:\d+/)
  assert.match(
    messageOf(12),
    /^counted on partition \d, offset \d+ ran longer than 400 ms\n {4}at spin \(.*millrace\.ts:1[12]:\d+\)\n {4}at .*millrace\.ts:\d+/,
  )
  assert.match(messageOf(20), /^counted on partition \d, offset \d+: its thread ended with status 3/)
  assert.match(messageOf(27), /must not be async/)
  assert.equal(readdirSync(join(data, 'temp', 'state', 'counted')).length, 1, 'a thread that ended leaves nothing of what it spilled')
  assert.match(messageOf(36), /the clock was read/)
  assert.match(messageOf(37), /the clock was read/)
  assert.match(messageOf(38), /chance was read/)
  assert.equal(await server.stop(), 0)
})

test('code that takes all memory ends its thread, not the server', { timeout: 120_000 }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-processor-'))
  const env = { MILLRACE_FLUSH_MS: '300', NODE_OPTIONS: '--max-old-space-size=256' }
  const server = await startServer({ project: join(root, 'test', 'processor', 'project'), data, env })
  t.after(() => {
    server.child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })
  const rows = [0, 1, 2, 3].map((id) => ({ id, customer: 'c', does: id === 2 ? 'hoard' : 'count', seen: '2026-01-01T00:00:00Z' }))
  const body = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  assert.equal((await server.post('/streams/orders', body, { 'content-type': 'application/x-ndjson' })).status, 202)
  for (let tries = 0; tries < 200 && (await server.sql('SELECT count(*) FROM hoarded'))[0]![0] !== 3; tries++) await sleep(250)
  assert.deepEqual(await server.sql('SELECT id FROM hoarded ORDER BY id'), [[0], [1], [3]])
  const refused = await server.sql("SELECT code, raw->>'$.id', message FROM hoarded__rejected")
  assert.deepEqual(
    refused.map(([code, id]) => [code, id]),
    [['MR_ROW_PROCESSOR_EXIT', '2']],
  )
  assert.match(String(refused[0]![2]), /memory/)
  assert.equal(await server.stop(), 0)
})
