// A live model that is deployed over rows that are there already reads them from the lake and goes on in the log exactly where
// they end: it has the rows of one that was there from the start, and of the same SQL in batch. One test for each shape of live
// SQL. A changed model, and one that is computed again, show what they had until they are replaced in one commit. The seed is printed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { ModelManifest, StreamManifest } from '../../src/define/manifest.ts'
import { liveShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { flushAppend } from '../../src/engine/flush.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { quoteName } from '../../src/engine/sql-text.ts'
import type { Field, Type } from '../../src/schema/type.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf, until } from '../simulation/stream-world.ts'

const LATENESS_MS = 20_000
const START_MS = Date.UTC(2026, 0, 1)
const decimal = { kind: 'decimal', precision: 12, scale: 2 } as const

const PLACE: Type = {
  kind: 'struct',
  fields: [
    field('city', 'string', true),
    field('geo', { kind: 'struct', fields: [field('lat', 'double'), field('since', 'timestamp'), field('day', 'date', true)] }, true),
    field('worth', { kind: 'decimal', precision: 30, scale: 4 }, true),
    field('note', 'json', true),
    field('code', 'binary', true),
    field('counts', { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'long' }, optional: true } }, true),
  ],
}

const sales = streamOf(
  'sales',
  [
    field('seen', 'timestamp'),
    field('shop', 'string'),
    field('device', 'string', true),
    field('n', 'int', true),
    field('big', 'long', true),
    field('price', decimal, true),
    field('wide', { kind: 'decimal', precision: 30, scale: 4 }, true),
    field('small', { kind: 'decimal', precision: 4, scale: 1 }, true),
    field('heat', 'double', true),
    field('ok', 'boolean', true),
    field('day', 'date', true),
    field('id', 'uuid'),
    field('place', PLACE, true),
    field('tags', { kind: 'list', element: { type: { kind: 'string' }, optional: true } }, true),
  ],
  { time: 'seen', latenessMs: LATENESS_MS, partitions: 2, key: 'shop' },
)
const payments = streamOf('payments', [field('paid', 'timestamp'), field('shop', 'string'), field('sum', decimal)], {
  time: 'paid',
  latenessMs: LATENESS_MS,
})
const STREAMS: readonly StreamManifest[] = [sales, payments]

interface Shaped {
  readonly sql: string
  readonly fields: readonly Field[]
  readonly how?: Partial<ModelManifest>
}

const time = (name: string): Field => field(name, 'timestamp')
const count = field('events', 'long')
const shop = field('shop', 'string')

const SHAPES: Readonly<Record<string, Shaped>> = {
  rows: {
    sql: "SELECT id, upper(device) AS device, big, wide, small, heat, ok, day, price * 2 AS twice FROM sales WHERE n > 0 AND shop NOT LIKE 'far%'",
    fields: [
      field('id', 'uuid'),
      field('device', 'string', true),
      field('big', 'long', true),
      field('wide', { kind: 'decimal', precision: 30, scale: 4 }, true),
      field('small', { kind: 'decimal', precision: 4, scale: 1 }, true),
      field('heat', 'double', true),
      field('ok', 'boolean', true),
      field('day', 'date', true),
      field('twice', { kind: 'decimal', precision: 22, scale: 2 }, true),
    ],
  },
  members: {
    sql: "SELECT id, place.city AS city, place.geo.lat AS lat, place.geo.since AS since, place.geo.day AS day, place.worth AS worth, place.note ->> '$.a' AS note, place.code AS code FROM sales WHERE shop NOT LIKE 'far%'",
    fields: [
      field('id', 'uuid'),
      field('city', 'string', true),
      field('lat', 'double', true),
      field('since', 'timestamp', true),
      field('day', 'date', true),
      field('worth', { kind: 'decimal', precision: 30, scale: 4 }, true),
      field('note', 'string', true),
      field('code', 'binary', true),
    ],
  },
  elements: {
    sql: "SELECT shop, tag, count(*) AS events FROM sales, unnest(tags) AS t(tag) WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [shop, field('tag', 'string', true), count],
    how: { keyed: true, key: ['shop', 'tag'] },
  },
  tumble: {
    sql: "SELECT window_start, shop, count(*) AS events, sum(price) AS total, sum(wide) AS wides FROM tumble(sales, seen, INTERVAL 5 SECOND) WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [
      time('window_start'),
      shop,
      count,
      field('total', { kind: 'decimal', precision: 38, scale: 2 }, true),
      field('wides', { kind: 'decimal', precision: 38, scale: 4 }, true),
    ],
  },
  hop: {
    sql: "SELECT window_start, count(*) AS events, max(big) AS most FROM hop(sales, seen, INTERVAL 2 SECOND, INTERVAL 10 SECOND) WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [time('window_start'), count, field('most', 'long', true)],
  },
  session: {
    sql: "SELECT shop, window_start, window_end, count(*) AS events FROM session(sales, seen, INTERVAL 3 SECOND, key := shop) WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [shop, time('window_start'), time('window_end'), count],
  },
  keyed: {
    sql: "SELECT shop, day, count(*) AS events, count(DISTINCT device) AS devices, min(price) AS least FROM sales WHERE shop NOT LIKE 'far%' AND day IS NOT NULL GROUP BY ALL",
    fields: [shop, field('day', 'date'), count, field('devices', 'long'), field('least', decimal, true)],
    how: { keyed: true, key: ['shop', 'day'] },
  },
  nulls: {
    sql: "SELECT device, day, count(*) AS events, min(price) AS least FROM sales WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [field('device', 'string', true), field('day', 'date', true), count, field('least', decimal, true)],
    how: { keyed: true, key: ['device', 'day'] },
  },
  spread: {
    sql: "SELECT shop, device, round(stddev(price) / 1e6, 5) AS spread, round(var_pop(wide) / 1e36, 8) AS wides, round(variance(big) / 1e36, 8) AS bigs, sum(DISTINCT price) AS prices FROM sales WHERE shop NOT LIKE 'far%' GROUP BY ALL",
    fields: [
      shop,
      field('device', 'string', true),
      field('spread', 'double', true),
      field('wides', 'double', true),
      field('bigs', 'double', true),
      field('prices', { kind: 'decimal', precision: 38, scale: 2 }, true),
    ],
    how: { keyed: true, key: ['shop', 'device'] },
  },
  recent: {
    sql: "SELECT id, seen, sum(price) OVER w AS spent, count(*) OVER w AS events, sum(wide) OVER (PARTITION BY shop ORDER BY seen) AS so_far FROM sales WHERE shop NOT LIKE 'far%' WINDOW w AS (PARTITION BY shop ORDER BY seen RANGE BETWEEN INTERVAL 3 SECOND PRECEDING AND CURRENT ROW)",
    fields: [
      field('id', 'uuid'),
      time('seen'),
      field('spent', { kind: 'decimal', precision: 38, scale: 2 }, true),
      count,
      field('so_far', { kind: 'decimal', precision: 38, scale: 4 }, true),
    ],
  },
  whole: {
    sql: "SELECT count(*) AS events, min(price) AS least FROM sales WHERE shop NOT LIKE 'far%'",
    fields: [count, field('least', decimal, true)],
    how: { keyed: true },
  },
  newest: {
    sql: "SELECT shop, device, seen, id FROM sales WHERE shop NOT LIKE 'far%' AND device IS NOT NULL QUALIFY row_number() OVER (PARTITION BY shop, device ORDER BY seen DESC, id) = 1",
    fields: [shop, field('device', 'string'), time('seen'), field('id', 'uuid')],
    how: { keyed: true, key: ['shop', 'device'] },
  },
  join: {
    sql: "SELECT s.id, s.seen, p.paid, p.sum FROM sales AS s JOIN payments AS p ON p.shop = s.shop AND p.paid BETWEEN s.seen AND s.seen + INTERVAL 2 SECOND WHERE s.shop NOT LIKE 'far%'",
    fields: [field('id', 'uuid'), time('seen'), time('paid'), field('sum', decimal)],
  },
  before: {
    sql: "SELECT window_start, shop, events, lag(events) OVER (PARTITION BY shop ORDER BY window_start) AS last FROM (SELECT window_start, shop, count(*) AS events FROM tumble(sales, seen, INTERVAL 2 SECOND) WHERE shop NOT LIKE 'far%' GROUP BY ALL)",
    fields: [time('window_start'), shop, count, field('last', 'long', true)],
  },
}

const modelOf = (prefix: string, name: string): ModelManifest => {
  const { sql, fields, how } = SHAPES[name]!
  return liveOf(`${prefix}_${name}`, sql, fields, how)
}

const uuidOf = (random: Random): string =>
  Array.from({ length: 32 }, () => integer(random, 16).toString(16))
    .join('')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

function saleAt(random: Random, ms: number): object {
  const pick = <T>(...of: readonly T[]): T => of[integer(random, of.length)]!
  const maybe = <T>(value: T): T | null => (random.next() < 0.15 ? null : value)
  return {
    seen: new Date(START_MS + ms - integer(random, LATENESS_MS * 1.2)).toISOString(),
    shop: pick('north', 'south', 'east', 'a shop whose name is long'),
    device: maybe(pick('a', 'b', 'é', 'a longer name of a device')),
    n: maybe(integer(random, 40) - 20),
    big: maybe(pick('9223372036854775807', '-5', '4503599627370497')),
    price: maybe(pick('7.00', '-3.10', '9999999999.99')),
    wide: maybe(pick('9.5', '-12345678901234567890.1234')),
    small: maybe(pick('99.9', '-0.1')),
    heat: maybe(pick(1.5, -0.25, 1e300)),
    ok: maybe(pick(true, false)),
    day: maybe(pick('2026-01-01', '1969-12-31')),
    id: uuidOf(random),
    place: maybe({
      city: maybe(pick('Ulm', 'a "city"\n')),
      geo: maybe({ lat: pick<unknown>(1.5, -0.25, 'NaN'), since: '2026-03-01T10:00:00.000123Z', day: maybe('1969-12-31') }),
      worth: maybe('12345678901234567890.1234'),
      note: maybe(pick<unknown>({ a: 'x', b: [1] }, 'a', 3)),
      code: maybe('AAH/'),
      counts: maybe({ 'k"': maybe('9223372036854775807'), l: 1 }),
    }),
    tags: maybe(Array.from({ length: integer(random, 3) }, () => maybe(pick('a', 'b', 'é"')))),
  }
}

/** Rows of both streams, some of them late; the clock goes along. */
async function sendSome(world: StreamWorld, random: Random, at: { ms: number }, batches: number): Promise<void> {
  for (let i = 0; i < batches; i++) {
    const rows = Array.from({ length: 1 + integer(random, 60) }, () => {
      at.ms += integer(random, 400)
      return saleAt(random, at.ms)
    })
    await world.send('sales', rows)
    const paid = Array.from({ length: integer(random, 20) }, () => ({
      paid: new Date(START_MS + at.ms - integer(random, LATENESS_MS * 1.2)).toISOString(),
      shop: ['north', 'south'][integer(random, 2)],
      sum: `${integer(random, 1_000)}.25`,
    }))
    if (paid.length > 0) await world.send('payments', paid)
    await world.clock.advance(100)
  }
}

/** A row far ahead in every partition: what came before is complete then. */
async function sendFar(world: StreamWorld, random: Random): Promise<void> {
  const seen = new Date(START_MS + 30 * 86_400_000).toISOString()
  for (let i = 0; i < 40; i++) await world.send('sales', [{ ...saleAt(random, 0), seen, shop: `far ${i}` }])
  await world.send('payments', [{ paid: seen, shop: 'far', sum: '0.00' }])
}

const shown = (fields: readonly Field[]): string => fields.map(({ name }) => `CAST(${quoteName(name)} AS VARCHAR)`).join(', ')

async function rowsIn(world: StreamWorld, name: string, fields: readonly Field[]): Promise<string[]> {
  return (await world.ask(`SELECT ${shown(fields)} FROM ${name}`)).map((row) => row.join(' | ')).sort()
}

/** The same SQL in batch, over what is in the streams' tables. */
async function batchRows(world: StreamWorld, { sql, fields }: Shaped): Promise<string[]> {
  const statement = await world.now.parser.parse(sql)
  const query = compileLive(statement.node, (name) => {
    const found = STREAMS.find((stream) => stream.name === name)
    return found && liveShape(found)
  })
  const text = printLive(query, (name) => name)
  return (await world.ask(`SELECT ${shown(fields)} FROM (${text})`)).map((row) => row.join(' | ')).sort()
}

for (const name of Object.keys(SHAPES)) {
  test(`${name}: from history and the log as from the log alone, and as in batch (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    const shape = SHAPES[name]!
    const first = manifestOf({ relations: [...STREAMS, modelOf('old', name)] })
    await using world = await StreamWorld.open({ manifest: first, seed: SEED, readBytes: 4_000 })
    const at = { ms: 60_000 }
    await sendSome(world, random, at, 8)
    await world.driving(world.flush())
    // Some rows are in the log only when the new model starts.
    await sendSome(world, random, at, 3)
    await world.caughtUp()
    await world.restart({ manifest: manifestOf({ relations: [...STREAMS, modelOf('old', name), modelOf('new', name)] }) })
    await world.caughtUp()
    // A delivery without rows is a decision: that a stream rests, as it does when much time passes while the flush is driven.
    const fromLog = world.events.flatMap((event) =>
      event.kind === 'applied' && event.pipeline.startsWith('live:new') ? [...event.delivery.offsets.subarray(0, 1)] : [],
    )
    assert.ok(fromLog.length > 0 && Math.min(...fromLog) > 0, 'what was committed was not read from the log')
    await sendSome(world, random, at, 4)
    await world.restart()
    await sendFar(world, random)
    await world.driving(world.flush())
    const rows = await rowsIn(world, `new_${name}`, shape.fields)
    assert.ok(rows.length > (name === 'whole' ? 0 : 5), `${rows.length} rows`)
    assert.deepEqual(rows, await rowsIn(world, `old_${name}`, shape.fields), 'as the one that was there from the start')
    assert.deepEqual(rows, await batchRows(world, shape), 'as in batch')
    assert.ok(Number((await world.ask('SELECT count(*) FROM sales__late'))[0]![0]) > 0, 'some rows were late')
  })
}

test('a changed model and one that is computed again show what they had until one commit replaces it', async () => {
  const random = seededRandom(SEED)
  const per = (sql: string) =>
    manifestOf({ relations: [...STREAMS, liveOf('per_shop', sql, [shop, count], { keyed: true, key: ['shop'] })] })
  await using world = await StreamWorld.open({ manifest: per('SELECT shop, count(*) AS events FROM sales GROUP BY ALL'), seed: SEED })
  const at = { ms: 60_000 }
  await sendSome(world, random, at, 6)
  await world.driving(world.flush())
  const before = await rowsIn(world, 'per_shop', [shop, count])
  const snapshots = () => world.now.lake.table('per_shop').then((table) => table.snapshots.length)
  const known = await snapshots()

  await world.restart({ manifest: per('SELECT shop, 2 * count(*) AS events FROM sales GROUP BY ALL') })
  assert.deepEqual(await rowsIn(world, 'per_shop', [shop, count]), before, 'the old rows are shown at first')
  await world.caughtUp()
  await world.driving(world.flush())
  const doubled = before.map((row) => row.replace(/\d+$/, (events) => String(2 * Number(events))))
  assert.deepEqual(await rowsIn(world, 'per_shop', [shop, count]), doubled)
  assert.equal(await snapshots(), known + 1, 'one commit replaced them')

  const { pipeline } = world.pipeline('live:per_shop')
  await world.driving(pipeline.startRebuild())
  assert.equal(pipeline.rebuild, null)
  assert.deepEqual(await rowsIn(world, 'per_shop', [shop, count]), doubled)
  assert.equal(await snapshots(), known + 2)
  await sendSome(world, random, at, 3)
  await world.caughtUp()
  await world.restart()
  await world.driving(world.flush())
  const expected = (await world.ask('SELECT shop, 2 * count(*) FROM sales GROUP BY ALL')).map((row) => row.join(' | ')).sort()
  assert.deepEqual(await rowsIn(world, 'per_shop', [shop, count]), expected, 'it goes on from there')
})

for (const [when, asksAt] of [
  ['follows the log', 1],
  ['sleeps', 2],
] as const)
  test(`a rebuild that is asked for in the moment before the pipeline ${when} does not wait for the next row`, {
    timeout: 60_000,
  }, async () => {
    const counted = liveOf('per_shop', 'SELECT shop, count(*) AS events FROM sales GROUP BY ALL', [shop, count], {
      keyed: true,
      key: ['shop'],
    })
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [...STREAMS, counted] }), seed: SEED })
    const random = seededRandom(SEED)
    await world.send('sales', [saleAt(random, 60_000)])
    await world.driving(world.flush())
    const { pipeline, sink } = world.pipeline('live:per_shop')
    const tick = sink.tick.bind(sink)
    let [ticks, rebuilt] = [0, null as Promise<void> | null]
    sink.tick = async (watermarkUs) => {
      await tick(watermarkUs)
      // The first follows the row, the second finds that there is no more.
      if (++ticks === asksAt) rebuilt = pipeline.startRebuild()
    }
    await world.send('sales', [saleAt(random, 60_100)])
    await world.driving(until(() => rebuilt !== null))
    // Time stands still from now on: no timer wakes it.
    await rebuilt!
    assert.equal(
      (await rowsIn(world, 'per_shop', [shop, count])).reduce((sum, row) => sum + Number(row.split(' | ')[1]), 0),
      2,
    )
  })

test('a rebuild that is asked for while another runs has what came in between', async () => {
  const counted = liveOf('per_shop', 'SELECT shop, count(*) AS events FROM sales GROUP BY ALL', [shop, count], {
    keyed: true,
    key: ['shop'],
  })
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [...STREAMS, counted] }), seed: SEED })
  const random = seededRandom(SEED)
  await world.send('sales', [{ ...saleAt(random, 60_000), shop: 'north' }])
  await world.driving(world.flush())
  const { pipeline } = world.pipeline('live:per_shop')
  const first = pipeline.startRebuild()
  await until(() => (pipeline.rebuild?.historyRows ?? 0) > 0)
  // Its history is read; the row that another engine adds now is not in it.
  const { engine, lake, relations } = world.now
  const table = await lake.table('sales')
  const source = scanSql({ table, files: await lake.files(table), tails: [] })
  const { tables } = await lake.commit([await flushAppend({ engine, lake, table, source })])
  relations.committed(tables[0]!)
  const second = pipeline.startRebuild()
  await world.driving(Promise.all([first, second]))
  assert.equal(pipeline.rebuild, null)
  assert.deepEqual(await rowsIn(world, 'per_shop', [shop, count]), ['north | 2'])
})

test('a model that goes back to what it was before shows the rows of that definition, and no others', async () => {
  const random = seededRandom(SEED)
  const id = field('id', 'uuid')
  const per = (sql: string) => manifestOf({ relations: [...STREAMS, liveOf('chosen', sql, [id])] })
  const [all, some] = [per('SELECT id FROM sales'), per("SELECT id FROM sales WHERE shop = 'north'")]
  await using world = await StreamWorld.open({ manifest: all, seed: SEED })
  const at = { ms: 60_000 }
  for (const manifest of [all, some, all, some]) {
    await world.restart({ manifest })
    await sendSome(world, random, at, 3)
    await world.caughtUp()
    await world.driving(world.flush())
    const expected = (await world.ask(`SELECT id FROM sales ${manifest === all ? '' : "WHERE shop = 'north'"}`)).map(String).sort()
    assert.deepEqual(await rowsIn(world, 'chosen', [id]), expected)
  }
})
