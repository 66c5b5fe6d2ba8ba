// Live models that look rows up in tables, end to end: rows through the doors, deletions by key, cut into commits and killed anywhere.
// Each row has what the table had when it came, by the append times of the logs; a model that is deployed later says the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { deleteRows } from '../../src/ingest/delete-rows.ts'
import type { LakeTable } from '../../src/lake/types.ts'
import { encodeChanges } from '../../src/log/changes.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf, tableOf } from './stream-world.ts'

const ORDERS = streamOf('orders', [field('id', 'int'), field('customer', 'long', true), field('placed', 'timestamp')], {
  time: 'placed',
  latenessMs: 60_000,
  partitions: 3,
})
const CUSTOMERS = tableOf('customers', [field('id', 'long'), field('tier', 'string'), field('since', 'timestamp', true)], ['id'])
const SQL = 'SELECT o.id, o.customer, c.tier FROM orders o LEFT JOIN customers c ON o.customer = c.id'
const FIELDS = [field('id', 'int'), field('customer', 'long', true), field('tier', 'string', true)]
const TIERED = liveOf('tiered', SQL, FIELDS)
const LATER = liveOf('later', SQL, FIELDS)
const PER_TIER = liveOf(
  'per_tier',
  'SELECT c.tier, count(*) AS orders FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.tier',
  [field('tier', 'string'), field('orders', 'long')],
  { keyed: true, key: ['tier'] },
)
const FIRST = [CUSTOMERS, ORDERS, TIERED, PER_TIER]
/** Beyond 2^53, so that keys are read exactly. */
const BASE = 9_007_199_254_740_993n

const keyAt = (n: number): string => String(BASE + BigInt(n))

async function forget(world: StreamWorld, keys: readonly string[]): Promise<void> {
  const { engine, lake, log, relations } = world.now
  const catchUp = (): Promise<string | null> => world.pipeline('stream:customers').pipeline.catchUp()
  const onCommitted = (table: LakeTable): void => void relations.committed(table)
  const body = Buffer.from(keys.map((id) => `{ "note": "bye", "id": "${id}" }\n`).join(''))
  const request = { contentType: 'application/x-ndjson', contentEncoding: undefined, body }
  const answer = await deleteRows({ engine, lake, log, catchUp, onCommitted }, 'customers', CUSTOMERS, request, { bodyBytesMax: 1 << 20 })
  assert.equal(answer.accepted, keys.length)
}

/** As a statement of SQL does: some rows go and others come in one record. */
async function change(world: StreamWorld, gone: readonly string[], rows: readonly object[]): Promise<void> {
  const lines = (values: readonly object[]): Buffer => Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
  const payload = encodeChanges({ deletes: lines(gone.map((id) => ({ id }))), rows: lines(rows) })
  const fingerprint = compileScanner(CUSTOMERS.shape).fingerprint
  const { log } = world.now
  const { end } = log.range('customers', 0)
  const part = { partition: 0, kind: 'changes' as const, payload, count: gone.length + rows.length, fingerprint }
  await log.append('customers', [part], [{ topic: 'customers', partition: 0, end }])
}

let orders = 0

async function round(world: StreamWorld, random: Random): Promise<void> {
  for (let step = 0; step < 6; step++) {
    await world.clock.advance(integer(random, 3))
    const kind = integer(random, 6)
    const keys = Array.from({ length: 1 + integer(random, 3) }, () => keyAt(integer(random, 8)))
    if (kind === 0) await forget(world, [...new Set(keys)])
    else if (kind === 5) await change(world, [...new Set(keys)], [{ id: keys[0]!, tier: 'moved' }])
    else if (kind < 3)
      await world.send(
        'customers',
        keys.map((id) => ({ id, tier: ['gold', 'iron', 'tin'][integer(random, 3)] })),
      )
    else {
      const placed = new Date(world.clock.nowMs() - integer(random, 900)).toISOString()
      const row = () => ({ id: orders++, customer: random.next() < 0.1 ? null : keyAt(integer(random, 9)), placed })
      await world.send('orders', Array.from({ length: 1 + integer(random, 20) }, row))
    }
  }
}

interface Version {
  readonly id: string
  readonly tier: string | null
  readonly atMs: number
}

/** What the log of the table says, in its order. */
async function versionsOf(world: StreamWorld): Promise<Version[]> {
  const batches = await world.now.log.read('customers', 0, world.now.log.range('customers', 0).start, 1 << 26)
  return batches.flatMap(({ payload, count, kind, appendTimeMs }) =>
    Buffer.from(payload)
      .toString()
      .split('\n')
      .slice(0, count)
      .map((line) => {
        const isGone = kind === 'deletes' || line.startsWith('-')
        const { id, tier } = JSON.parse(line.replace(/^-/, '')) as { id: string; tier?: string }
        return { id, tier: isGone ? null : tier!, atMs: appendTimeMs }
      }),
  )
}

async function expectedOf(world: StreamWorld, versions: readonly Version[]): Promise<string[][]> {
  const rows = await world.ask('SELECT id, customer, epoch_ms(_ingested_at)::BIGINT FROM orders ORDER BY id')
  return rows.map(([id, customer, atMs]) => {
    const last = versions.findLast((version) => version.id === String(customer) && version.atMs < Number(atMs))
    return [String(id), String(customer), String(last?.tier ?? null)]
  })
}

const shown = async (world: StreamWorld, model: string, committedOnly = false): Promise<string[][]> =>
  (await world.ask(`SELECT id, customer, tier FROM ${model} ORDER BY id`, committedOnly)).map((row) => row.map(String))

const countTiers = (rows: readonly (readonly string[])[]): string[][] =>
  [
    ...Map.groupBy(
      rows.filter(([, , tier]) => tier !== 'null'),
      ([, , tier]) => tier!,
    ),
  ]
    .map(([tier, of]) => [tier, String(of.length)])
    .sort()

for (const seed of [SEED, SEED + 1, SEED + 2]) {
  test(`rows have what the table had when they came, cut and killed anywhere (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    orders = 0
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }), readBytes: 500, seed })
    for (let n = 0; n < 8; n++) {
      await round(world, random)
      if (random.next() < 0.4) await world.flush()
      if (random.next() < 0.5) await world.restart({ readBytes: 100 + integer(random, 900) })
    }
    await world.caughtUp()
    const versions = await versionsOf(world)
    assert.ok(versions.some(({ tier }) => tier === null) && versions.some(({ tier }) => tier === 'moved'), 'nothing was deleted or moved')
    const expected = await expectedOf(world, versions)
    assert.ok(expected.some(([, , tier]) => tier === 'null') && expected.some(([, , tier]) => tier !== 'null'))
    assert.deepEqual(await shown(world, 'tiered'), expected)
    await world.flush()
    assert.deepEqual(await shown(world, 'tiered', true), expected)
    const tiers = await world.ask('SELECT tier, orders FROM per_tier ORDER BY tier', true)
    assert.deepEqual(
      tiers.map((row) => row.map(String)),
      countTiers(expected),
    )
    // The table itself is what its log says.
    const now = [...new Map(versions.map((version) => [version.id, version])).values()].filter(({ tier }) => tier !== null)
    const rows = await world.ask('SELECT id, tier FROM customers ORDER BY id', true)
    assert.deepEqual(
      rows.map((row) => row.map(String)),
      now.map(({ id, tier }) => [id, tier]).sort(),
    )

    // A model that comes later goes through history, the table through its log: the same.
    await world.restart({ manifest: manifestOf({ relations: [...FIRST, LATER] }) })
    do await round(world, random)
    while (orders === expected.length)
    await world.flush()
    const all = await expectedOf(world, await versionsOf(world))
    assert.ok(all.length > expected.length)
    assert.deepEqual(await shown(world, 'later', true), all)
    assert.deepEqual(await shown(world, 'tiered', true), all)
    assert.ok(
      world.events.every(({ kind }) => kind !== 'failed'),
      'no pipeline failed',
    )
  })
}

test('of a table whose log was forgotten, what nothing has replaced is looked up', async () => {
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }) })
  await world.send(
    'customers',
    ['a', 'b', 'c'].map((tier, i) => ({ id: keyAt(i), tier })),
  )
  await world.clock.advance(5)
  await world.send(
    'orders',
    [0, 1, 2].map((i) => ({ id: i, customer: keyAt(i), placed: '2026-01-01T12:00:00Z' })),
  )
  await world.flush()
  await world.clock.advance(4_000_000)
  await world.send('customers', [{ id: keyAt(0), tier: 'z' }])
  await world.clock.advance(5)
  await world.send(
    'orders',
    [0, 1, 2].map((i) => ({ id: 3 + i, customer: keyAt(i), placed: '2026-01-01T13:10:00Z' })),
  )
  await world.flush()
  const { log } = world.now
  const retained = await log.retain('customers', 0, { beforeMs: world.clock.nowMs() - 1_000, keepFrom: 3 })
  assert.ok(retained > 0 && log.range('customers', 0).start === 3, 'the first segment is gone')
  await world.restart({ manifest: manifestOf({ relations: [...FIRST, LATER] }) })
  await world.flush()
  assert.deepEqual(
    (await shown(world, 'tiered', true)).map(([, , tier]) => tier),
    ['a', 'b', 'c', 'z', 'b', 'c'],
  )
  // Of key 0 only the row is left that came after the first orders.
  assert.deepEqual(
    (await shown(world, 'later', true)).map(([, , tier]) => tier),
    ['null', 'b', 'c', 'z', 'b', 'c'],
  )
})

test('the log of a table is kept as far as a model has not committed it', async () => {
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }) })
  await world.send('customers', [{ id: keyAt(1), tier: 'gold' }])
  await world.clock.advance(5)
  await world.send('orders', [{ id: 1, customer: keyAt(1), placed: '2026-01-01T12:00:00Z' }])
  await world.flush()
  const { pipeline } = world.pipeline('live:tiered')
  assert.deepEqual(pipeline.inputs.map(({ topic, committed }) => `${topic} ${committed}`).sort(), [
    'customers 1',
    ...pipeline.inputs
      .filter(({ topic }) => topic === 'orders')
      .map(({ committed }) => `orders ${committed}`)
      .sort(),
  ])
  assert.ok(pipeline.watermarkUs === null || pipeline.watermarkUs > 0, 'a table does not hold the watermark up')
})
