// The kill campaign of topics: the program is killed at random while it reads two topics and writes three, and the broker once. Then what
// was produced and committed is in the stream exactly once, in the order of its keys, and the table has the last row of each key that was
// not deleted last; an independent consumer (Kafka's own, reading committed messages) sees each row of the sinks exactly once.
// MILLRACE_ROUNDS says how often.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { integer, seededRandom } from '../../src/core/random.ts'
import { startServer, type TestServer } from '../server/server.ts'
import { Bus, brokerFor, countOf, projectIn, type Sent, sleep, until } from './broker.ts'

const ROUNDS = Number(process.env['MILLRACE_ROUNDS'] ?? (process.env['MILLRACE_TEST_ALL'] ? 12 : 6))
const SEED = Number(process.env['MILLRACE_SEED'] ?? 20261126)
const KEYS = 6
const PARTITIONS = 3

interface Row {
  readonly id: number
  readonly key: string
  readonly amount: number
}

const PROJECT = `
import { config, model, project, sink, sql, stream, t, table } from 'millrace'
import { kafka } from 'millrace/kafka'
const bus = kafka('bus', { brokers: config('BROKERS') })
export const events = stream('events', { id: t.long(), key: t.string(), amount: t.int(), at: t.timestamp() }, {
  from: bus.topic('events'), key: 'key', time: 'at', lateness: '1 day', partitions: 2,
})
export const totals = model('totals', sql\`SELECT key, count(*) AS events, sum(amount) AS amount FROM \${events} GROUP BY key\`, {
  fresh: 'live', key: ['key'], emit: 'changes',
})
export const copied = sink('copied', events, { to: bus.topic('copied'), key: 'id', every: '500 milliseconds' })
export const summed = sink('summed', totals, { to: bus.topic('summed'), every: '500 milliseconds' })
export const stock = table('stock', { product: t.string(), amount: t.int() }, { from: bus.topic('stock'), key: 'product' })
export const sizes = model('sizes', sql\`SELECT amount, count(*) AS products FROM \${stock} GROUP BY amount\`, { fresh: 'live', key: ['amount'] })
export const left = sink('left', stock, { to: bus.topic('left'), every: '500 milliseconds' })
export default project('crash', [events, totals, copied, summed, stock, sizes, left])
`

test(`${ROUNDS} kills while two topics are read and three are written, one of the broker`, { timeout: 900_000 }, async (t) => {
  const broker = await brokerFor(t)
  if (!broker) return
  const random = seededRandom(SEED)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-kafka-crash-'))
  t.after(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }))
  const bus = new Bus(t, broker.brokers)
  await bus.make('events', PARTITIONS)
  await bus.make('copied', 2)
  await bus.make('summed', 2)
  await bus.make('stock', PARTITIONS, { 'cleanup.policy': 'compact' })
  await bus.make('left', 1)
  const project = projectIn(join(directory, 'project'), PROJECT)
  const start = (): Promise<TestServer> =>
    startServer({
      project,
      data: join(directory, 'data'),
      env: { BROKERS: broker.brokers, MILLRACE_FLUSH_MS: '700', MILLRACE_QUERY_ROWS: '1000000' },
    })

  let isDone = false
  t.after(() => {
    isDone = true
  })
  let aborted = 0
  const produce = async (): Promise<void> => {
    let id = 0
    while (!isDone) {
      const sent = Array.from({ length: 1 + integer(random, 40) }, (): Sent => {
        const row = { id: id++, key: `k${integer(random, KEYS)}`, amount: integer(random, 1_000) }
        const at = new Date(Date.UTC(2026, 0, 1) + row.id * 1_000).toISOString()
        // A key keeps its partition, so that its rows have an order.
        return { topic: 'events', partition: Number(row.key.slice(1)) % PARTITIONS, key: row.key, value: JSON.stringify({ ...row, at }) }
      })
      for (let count = integer(random, 20); count > 0; count--) {
        const number = integer(random, 40)
        const [key, partition] = [`p${number}`, number % PARTITIONS]
        const value = random.next() < 0.4 ? null : JSON.stringify({ product: key, amount: integer(random, 10) })
        sent.push({ topic: 'stock', partition, key, value })
      }
      const [how, producer] = [random.next(), `producer${integer(random, 2)}`]
      // What becomes of it while the broker is away, Kafka's own consumer says in the end.
      await (how < 0.3 ? bus.send(sent) : bus.sendAs(producer, sent, how < 0.8)).catch(() => sleep(500))
      if (how >= 0.8) aborted++
      await sleep(integer(random, 30))
    }
    for (const producer of ['producer0', 'producer1'])
      await until(
        () =>
          bus.sendAs(producer, [{ topic: 'events', partition: 0, value: 'never seen' }], false).then(
            () => true,
            () => false,
          ),
        (isEnded) => isEnded,
      )
  }
  const producing = produce()
  const brokerDies = integer(random, ROUNDS)
  let server = await start()
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(500 + integer(random, 3_000))
    if (round === brokerDies) {
      await broker.kill()
      await sleep(1_000)
      await broker.start()
      await sleep(1_000)
    }
    await server.kill('SIGKILL')
    server = await start()
  }
  isDone = true
  await producing
  const expected = (await broker.read('events'))
    .map(({ value }) => JSON.parse(value!) as Row)
    .map(({ id, key, amount }): Row => ({ id, key, amount }))
  expected.sort((a, b) => a.id - b.id)
  assert.equal(new Set(expected.map(({ id }) => id)).size, expected.length)
  assert.ok(aborted > 0)
  const message = `MILLRACE_SEED=${SEED}\n${server.errors()}`
  assert.ok(expected.length > 500, `only ${expected.length} messages were committed`)
  assert.equal(
    await until(
      () => countOf(server, 'events'),
      (count) => count >= expected.length,
    ),
    expected.length,
    message,
  )
  const rows = await server.sql('SELECT id, key, amount FROM events ORDER BY id')
  assert.deepEqual(
    rows.map(([id, key, amount]) => ({ id: Number(id), key, amount })),
    expected,
    message,
  )
  const disordered = await server.sql(
    'SELECT count(*) FROM (SELECT id, lag(id) OVER (PARTITION BY key ORDER BY _partition, _offset) AS before FROM events) WHERE before > id',
  )
  assert.equal(Number(disordered[0]![0]), 0, `rows of a key have changed places\n${message}`)
  assert.equal(await countOf(server, 'events__rejected'), 0)

  const copied = await until(
    () => broker.read('copied'),
    (records) => records.length >= expected.length,
  )
  const seen = copied.map(({ value }) => JSON.parse(value!) as Row)
  assert.deepEqual(
    seen.map(({ id, key, amount }) => ({ id, key, amount })).toSorted((a, b) => a.id - b.id),
    expected,
    message,
  )
  for (const { key, value } of copied) assert.deepEqual(JSON.parse(key!), { id: JSON.parse(value!).id })

  const changes = await broker.read('stock')
  const deletions = changes.filter(({ value }) => value === null).length
  assert.ok(deletions > 50, `only ${deletions} messages deleted a row`)
  const stock = new Map(changes.map(({ key, value }) => [key!, value]))
  const present = [...stock]
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [key, (JSON.parse(value!) as { amount: number }).amount])
  const inTable = await until(
    () => server.sql('SELECT product, amount FROM stock ORDER BY product'),
    (found) => JSON.stringify(found) === JSON.stringify(present.toSorted()),
  )
  assert.deepEqual(inTable, present.toSorted(), message)
  assert.equal(await countOf(server, 'stock__rejected'), 0)
  const sizes = await server.sql('SELECT amount, count(*)::INT AS products FROM stock GROUP BY amount ORDER BY amount')
  assert.deepEqual(
    await until(
      () => server.sql('SELECT amount, products::INT FROM sizes ORDER BY amount'),
      (found) => JSON.stringify(found) === JSON.stringify(sizes),
    ),
    sizes,
    message,
  )
  const lastOfSink = async () =>
    [...new Map((await broker.read('left')).map(({ key, value }) => [key, value])).values()].filter((value) => value !== null).toSorted()
  const wantedLast = present.map(([product, amount]) => JSON.stringify({ product, amount })).toSorted()
  assert.deepEqual(await until(lastOfSink, (found) => JSON.stringify(found) === JSON.stringify(wantedLast)), wantedLast, message)

  const totals = await server.sql('SELECT key, count(*), sum(amount) FROM events GROUP BY key ORDER BY key')
  const wanted = totals.map(([key, events, amount]) => ({ key, events: Number(events), amount: Number(amount) }))
  const last = await until(
    async () => latest(await broker.read('summed')),
    (seen) => JSON.stringify(seen) === JSON.stringify(wanted),
  )
  assert.deepEqual(last, wanted, message)
  assert.equal(await server.stop(), 0)
})

/** The last message of each key. */
function latest(records: readonly { key: string | null; value: string | null }[]): unknown[] {
  const byKey = new Map<string, { key: string; events: number; amount: number }>()
  for (const { key, value } of records) {
    const row = JSON.parse(value!) as { key: string; events: number; amount: number | string }
    assert.ok((byKey.get(key!)?.events ?? 0) < row.events, `${key} was told twice, or went back: ${value}`)
    byKey.set(key!, { key: row.key, events: Number(row.events), amount: Number(row.amount) })
  }
  return [...byKey.values()].toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
