// Live models over several streams, end to end: rows through the doors, cut into commits and killed anywhere, with the results in the
// tail and in Iceberg equal to batch SQL over the streams' tables. A stream that rests does not hold up the others for good.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { ModelManifest, StreamManifest } from '../../src/define/manifest.ts'
import { liveShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { inlineConstants } from '../../src/engine/sql-text.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf } from './stream-world.ts'

const START = Date.UTC(2026, 0, 1, 12)
const at = (ms: number): string => new Date(START + ms).toISOString()

const ORDERS = streamOf(
  'orders',
  [field('id', 'long'), field('shop', 'string'), field('amount', 'int', true), field('placed', 'timestamp')],
  {
    key: 'id',
    time: 'placed',
    latenessMs: 4_000,
    partitions: 3,
  },
)
const PAYMENTS = streamOf('payments', [field('order_id', 'long'), field('method', 'string', true), field('paid_at', 'timestamp')], {
  key: 'order_id',
  time: 'paid_at',
  latenessMs: 9_000,
  partitions: 2,
})
const ITEMS = streamOf('items', [field('sku', 'long'), field('category', 'string'), field('listed', 'timestamp')], {
  key: 'sku',
  time: 'listed',
  latenessMs: 4_000,
  partitions: 2,
  dedupe: { by: ['sku'], withinMs: 3_600_000 },
})
const STREAMS = [ORDERS, PAYMENTS, ITEMS]

const PAID = liveOf(
  'paid',
  `SELECT o.id, o.placed, o.amount, p.method, p.paid_at FROM orders o
   LEFT JOIN payments p ON p.order_id = o.id AND p.paid_at BETWEEN o.placed AND o.placed + INTERVAL 6 SECONDS`,
  [
    field('id', 'long'),
    field('placed', 'timestamp'),
    field('amount', 'int', true),
    field('method', 'string', true),
    field('paid_at', 'timestamp', true),
  ],
)
const ALL = liveOf(
  'everything',
  `SELECT id, placed AS seen FROM orders UNION ALL SELECT order_id, paid_at FROM payments WHERE method = 'card'`,
  [field('id', 'long'), field('seen', 'timestamp')],
)
const MEANS = liveOf(
  'means',
  `SELECT category, avg(best) AS mean, count(*) AS n FROM (SELECT max(o.amount) AS best, i.category FROM items i JOIN orders o ON i.sku = o.id
   GROUP BY i.sku, i.category) GROUP BY category`,
  [field('category', 'string'), field('mean', 'double', true), field('n', 'long')],
  { keyed: true, key: ['category'] },
)
const VERSIONS = liveOf(
  'versions',
  `SELECT p.order_id, p.paid_at, o.shop, o.amount FROM payments p ASOF JOIN orders o ON o.id = p.order_id AND p.paid_at >= o.placed`,
  [field('order_id', 'long'), field('paid_at', 'timestamp'), field('shop', 'string'), field('amount', 'int', true)],
)
const PEAKS = liveOf(
  'peaks',
  `WITH w AS (SELECT window_start, window_end, shop, count(*) AS n FROM tumble(orders, placed, INTERVAL 5 SECONDS) GROUP BY ALL)
   SELECT a.window_start, a.shop, a.n FROM w a JOIN (SELECT window_end, max(n) AS most FROM w GROUP BY window_end) b
   ON a.window_end = b.window_end AND a.n = b.most`,
  [field('window_start', 'timestamp'), field('shop', 'string'), field('n', 'long')],
)
const RECENT = liveOf(
  'recent',
  `SELECT id, placed, count(*) OVER w AS n, sum(amount) OVER w AS spent, max(amount) OVER (PARTITION BY shop ORDER BY placed) AS most FROM orders
   WINDOW w AS (PARTITION BY shop ORDER BY placed RANGE BETWEEN INTERVAL 4 SECONDS PRECEDING AND CURRENT ROW)`,
  [
    field('id', 'long'),
    field('placed', 'timestamp'),
    field('n', 'long'),
    field('spent', { kind: 'decimal', precision: 38, scale: 0 }, true),
    field('most', 'int', true),
  ],
)
/** With the column that says to which time a row belongs. */
const MODELS: readonly (readonly [ModelManifest, string])[] = [
  [PAID, 'placed'],
  [ALL, 'seen'],
  [MEANS, ''],
  [VERSIONS, 'paid_at'],
  [PEAKS, 'window_start'],
  [RECENT, 'placed'],
]

const rowsOf = (random: Random, stream: StreamManifest, count: number, from: number): object[] =>
  Array.from({ length: count }, () => {
    const key = integer(random, 25)
    const seen = at(from + integer(random, 9_000))
    if (stream === ORDERS)
      return { id: key, shop: 'abc'[integer(random, 3)], amount: random.next() < 0.2 ? null : integer(random, 500), placed: seen }
    if (stream === PAYMENTS)
      return { order_id: key, method: random.next() < 0.2 ? null : random.next() < 0.5 ? 'card' : 'cash', paid_at: seen }
    return { sku: key, category: 'xy'[integer(random, 2)], listed: seen }
  })

/** Rows far ahead in every partition, so that all before them is final. */
async function close(world: StreamWorld, ms: number): Promise<void> {
  const keys = Array.from({ length: 30 }, (_, i) => 1_000 + i)
  await world.send(
    'orders',
    keys.map((id) => ({ id, shop: 'end', amount: 0, placed: at(ms) })),
  )
  await world.send(
    'payments',
    keys.map((order_id) => ({ order_id, method: null, paid_at: at(ms) })),
  )
  await world.send(
    'items',
    keys.map((sku) => ({ sku, category: 'end', listed: at(ms) })),
  )
  await world.caughtUp()
}

/** What is applied is final a moment later, when the pipeline has looked at its watermark. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await check()
    } catch (error) {
      if (tries === 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

test('joins, unions and chains over several streams equal batch SQL, cut and killed anywhere', async () => {
  const random = seededRandom(SEED + 5)
  const manifest = manifestOf({ relations: [...STREAMS, ...MODELS.map(([model]) => model)] })
  await using world = await StreamWorld.open({ manifest, readBytes: 2_000, seed: SEED })
  for (let round = 0; round < 5; round++) {
    for (let batch = 0; batch < 4; batch++) {
      const stream = STREAMS[integer(random, 3)]!
      await world.send(stream.name, rowsOf(random, stream, 1 + integer(random, 25), round * 12_000 + batch * 3_000))
      if (random.next() < 0.3) await world.flush()
      if (random.next() < 0.3) await world.restart({ readBytes: 500 + integer(random, 5_000) })
    }
  }
  const end = 600_000
  await close(world, end)
  for (const committedOnly of [false, true]) {
    if (committedOnly) {
      await world.flush()
      await world.restart()
      await world.caughtUp()
    }
    for (const [model, time] of MODELS) {
      const { node } = await world.now.parser.parse(inlineConstants(model.sql))
      const query = compileLive(node, (name) => liveShape(STREAMS.find((stream) => stream.name === name)!))
      const names = model.shape.fields.map(({ name }) => name).join(', ')
      // Of the rows at the end some are not final.
      const until = time === '' ? "category <> 'end'" : `${time} < '${at(end - 60_000)}'`
      const expected = await world.ask(`SELECT ${names} FROM (${printLive(query, (name) => name)}) WHERE ${until} ORDER BY ALL`)
      assert.ok(expected.length > 1, model.name)
      await eventually(async () => {
        const actual = await world.ask(`SELECT ${names} FROM ${model.name} WHERE ${until} ORDER BY ALL`, committedOnly)
        assert.deepEqual(
          actual.map((row) => row.map(String)),
          expected.map((row) => row.map(String)),
          `${model.name}, seed ${SEED}`,
        )
      })
    }
  }
})

test('offsets of all topics are in the one commit, and the log keeps what any of them has not committed', async () => {
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [...STREAMS, PAID] }) })
  await world.send('orders', rowsOf(seededRandom(1), ORDERS, 20, 0))
  await world.send('payments', rowsOf(seededRandom(2), PAYMENTS, 12, 0))
  await world.flush()
  const { pipeline } = world.pipeline('live:paid')
  const { offsets } = await world.now.store.catalog.progress(pipeline.settings.name)
  const committed = (topic: string): number => offsets.filter((row) => row.topic === topic).reduce((sum, { next }) => sum + next, 0)
  assert.deepEqual([committed('orders'), committed('payments'), offsets.length], [20, 12, 5])
  assert.deepEqual(pipeline.topics, ['orders', 'payments'])
  assert.deepEqual(
    pipeline.inputs.map(({ topic, partition }) => `${topic}/${partition}`),
    ['orders/0', 'orders/1', 'orders/2', 'payments/0', 'payments/1'],
  )
})

test('a stream without rows counts as idle for the pipelines that read others too, and keeps its own lateness', async () => {
  await using world = await StreamWorld.open({
    manifest: manifestOf({ relations: [{ ...ORDERS, partitions: 1 }, { ...PAYMENTS, partitions: 1 }, PAID] }),
  })
  const send = (ms: number) => world.send('orders', [{ id: 1, shop: 'a', amount: 1, placed: at(ms) }])
  await send(0)
  await send(100_000)
  await world.caughtUp()
  assert.equal(world.pipeline('live:paid').pipeline.watermarkUs, null)
  assert.equal(world.now.relations.tailRowsOf('paid'), 0)
  for (let step = 0; step < 40; step++) {
    await world.clock.advance(1_000)
    await send(100_000 + step)
    await world.caughtUp()
  }
  // Rows of payments may still come 9 seconds behind the newest order.
  const expected = world.pipeline('stream:payments').pipeline.watermarkUs!
  assert.ok(expected > (START + 100_000 - 9_000) * 1_000 - 1 && expected <= (START + 100_040 - 9_000) * 1_000, String(expected))
  await eventually(async () => assert.equal(world.now.relations.tailRowsOf('paid'), 1))
  await world.restart()
  await world.caughtUp()
  await eventually(async () => assert.equal(world.now.relations.tailRowsOf('paid'), 1))
})
