// Live models over keyed tables, end to end: rows through the door, deletions by key, changes of several rows as one record, cut into
// commits and killed anywhere. At each moment, and in what is committed, they are their SQL over the rows of the table; a model that
// is deployed later, or computed again, says the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { encodeChanges } from '../../src/log/changes.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Catalog } from '../../src/store/catalog.ts'
import type { Live } from '../../src/stream/live.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, tableOf } from './stream-world.ts'

const FIELDS = [
  field('id', 'long'),
  field('country', 'string', true),
  field('spent', { kind: 'decimal', precision: 12, scale: 2 }),
  field('note', 'string', true),
]
const CUSTOMERS = tableOf('customers', FIELDS, ['id'])
const BY_COUNTRY = `SELECT country, count(*) AS n, sum(spent) AS spent, min(id) AS first FROM customers WHERE country IS NOT NULL GROUP BY country`
const COUNTRY_FIELDS = [
  field('country', 'string'),
  field('n', 'long'),
  field('spent', { kind: 'decimal', precision: 38, scale: 2 }, true),
  field('first', 'long', true),
]
const RICH = 'SELECT id, upper(country) AS country, spent FROM customers WHERE spent > 50'
const RICH_FIELDS = [field('id', 'long'), field('country', 'string', true), field('spent', { kind: 'decimal', precision: 12, scale: 2 })]
const LARGE = `SELECT country, count(*) AS n FROM customers WHERE country IS NOT NULL GROUP BY country HAVING count(*) > 2`
const BY_SIZE = `SELECT n, count(*) AS countries FROM (SELECT country, count(*) AS n FROM customers GROUP BY country) GROUP BY n`
// Fails for some rows, which are set aside.
const NUMBERS = 'SELECT CAST(note AS INT) AS number, count(*) AS n FROM customers WHERE note IS NOT NULL GROUP BY 1'

interface Model {
  readonly sql: string
  readonly fields: typeof FIELDS
  readonly key: readonly string[]
  /** What it is compared with, where it is not its own SQL. */
  readonly batch?: string
}
const MODELS: Readonly<Record<string, Model>> = {
  by_country: { sql: BY_COUNTRY, fields: COUNTRY_FIELDS, key: ['country'] },
  rich: { sql: RICH, fields: RICH_FIELDS, key: ['id'] },
  large: { sql: LARGE, fields: [field('country', 'string'), field('n', 'long')], key: ['country'] },
  by_size: { sql: BY_SIZE, fields: [field('n', 'long'), field('countries', 'long')], key: ['n'] },
  by_any_country: {
    sql: 'SELECT country, note, count(*) AS n, max(spent) AS most FROM customers GROUP BY ALL HAVING count(*) < 4',
    fields: [
      field('country', 'string', true),
      field('note', 'string', true),
      field('n', 'long'),
      field('most', { kind: 'decimal', precision: 12, scale: 2 }, true),
    ],
    key: ['country', 'note'],
  },
  everybody: {
    sql: 'SELECT count(*) AS n, count(country) AS somewhere, sum(spent) AS spent FROM customers',
    fields: [field('n', 'long'), field('somewhere', 'long'), field('spent', { kind: 'decimal', precision: 38, scale: 2 }, true)],
    key: [],
  },
  best_of_countries: {
    sql: `SELECT id, country, spent FROM customers QUALIFY row_number() OVER (PARTITION BY country ORDER BY spent DESC, id) <= 2`,
    fields: [field('id', 'long'), field('country', 'string', true), field('spent', { kind: 'decimal', precision: 12, scale: 2 })],
    key: ['id'],
  },
  best_countries: {
    sql: `SELECT country, n, rank() OVER (ORDER BY n DESC) AS place FROM (SELECT country, count(*) AS n FROM customers GROUP BY country)
      QUALIFY rank() OVER (ORDER BY n DESC) <= 2`,
    fields: [field('country', 'string', true), field('n', 'long'), field('place', 'long')],
    key: ['country'],
  },
  everybody_if_odd: { sql: 'SELECT count(*) AS n FROM customers HAVING count(*) % 2 = 1', fields: [field('n', 'long')], key: [] },
  numbers: {
    sql: NUMBERS.replace('CAST(note AS INT) AS number', 'coalesce(CAST(note AS INT), 0) AS number'),
    fields: [field('number', 'int'), field('n', 'long')],
    key: ['number'],
    batch: NUMBERS.replace('CAST(', 'TRY_CAST(').replace('WHERE', 'WHERE TRY_CAST(note AS INT) IS NOT NULL AND'),
  },
}

const modelOf = (name: string, prefix = '', memoryBytes?: number) => {
  const { sql, fields, key } = MODELS[name]!
  return liveOf(`${prefix}${name}`, sql, fields, { keyed: true, loses: true, key, ...(memoryBytes ? { memoryBytes } : {}) })
}
const FIRST = [CUSTOMERS, ...Object.keys(MODELS).map((name) => modelOf(name))]

const idOf = (n: number): string => String(9_007_199_254_740_993n + BigInt(n))

const rowOf = (random: Random, ids: number): object => ({
  id: idOf(integer(random, ids)),
  country: ['de', 'fr', 'it', 'at', null][integer(random, 5)],
  spent: `${integer(random, 100)}.${10 + integer(random, 80)}`,
  note: ['7', '8', 'x', null][integer(random, 4)],
})
const lines = (rows: readonly object[]): Buffer => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))

/** A few changes of the table, each of some kind. */
async function change(world: StreamWorld, random: Random, ids = 24): Promise<void> {
  const { log } = world.now
  const { fingerprint } = compileScanner(CUSTOMERS.shape)
  for (let step = 0; step < 4; step++) {
    await world.clock.advance(integer(random, 3))
    const keys = [...new Set(Array.from({ length: 1 + integer(random, 6) }, () => idOf(integer(random, ids))))].map((id) => ({ id }))
    const rows = Array.from({ length: 1 + integer(random, 12) }, () => rowOf(random, ids))
    const kind = integer(random, 4)
    if (kind < 2) await world.send('customers', rows)
    else if (kind === 2)
      await log.append('customers', [{ partition: 0, kind: 'deletes', payload: lines(keys), count: keys.length, fingerprint: '' }])
    else {
      const payload = encodeChanges({ deletes: lines(keys), rows: lines(rows) })
      await log.append('customers', [{ partition: 0, kind: 'changes', payload, count: keys.length + rows.length, fingerprint }])
    }
  }
}

/** Rows of all models are those of their SQL over the table. Answers how many there were. */
async function compare(world: StreamWorld, prefix: string, committedOnly: boolean): Promise<number> {
  let count = 0
  for (const [name, { sql, fields, batch = sql }] of Object.entries(MODELS)) {
    const columns = fields.map((one) => `CAST(${one.name} AS VARCHAR)`).join(', ')
    const expected = await world.ask(`SELECT ${columns} FROM (${batch}) ORDER BY ALL`, committedOnly)
    const found = await world.ask(`SELECT ${columns} FROM ${prefix}${name} ORDER BY ALL`, committedOnly)
    assert.deepEqual(found, expected, `${prefix}${name}${committedOnly ? ', committed' : ''}`)
    count += found.length
  }
  return count
}

for (const seed of [SEED, SEED + 1, SEED + 2])
  test(`models follow the rows of a table, cut and killed anywhere (seed ${seed})`, async () => {
    const random = seededRandom(seed)
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }), readBytes: 300, seed })
    let rows = 0
    for (let n = 0; n < 10; n++) {
      await change(world, random)
      if (random.next() < 0.6) {
        await world.caughtUp()
        await Promise.all(world.now.pipelines.map(({ pipeline }) => pipeline.catchUp()))
        rows += await compare(world, '', false)
      }
      if (random.next() < 0.5) {
        await world.flush()
        rows += await compare(world, '', true)
      }
      if (random.next() < 0.5) await world.restart({ readBytes: 100 + integer(random, 900) })
    }
    await world.flush()
    rows += await compare(world, '', true)
    assert.ok(rows > 50, `only ${rows} rows were compared`)

    // What comes later begins with what is committed; the log goes on from there.
    await change(world, random)
    await world.restart({ manifest: manifestOf({ relations: [...FIRST, ...Object.keys(MODELS).map((name) => modelOf(name, 'later_'))] }) })
    await change(world, random)
    await world.flush()
    await compare(world, '', true)
    await compare(world, 'later_', true)
    await change(world, random)
    await world.flush()
    await compare(world, 'later_', true)
    assert.deepEqual(
      world.events.filter(({ kind }) => kind === 'failed'),
      [],
    )
  })

test('of a table whose log was forgotten, a later model begins with the rows that are left', async () => {
  const random = seededRandom(SEED)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }), readBytes: 500 })
  await change(world, random)
  await change(world, random)
  await world.flush()
  await world.clock.advance(4_000_000)
  await change(world, random)
  await world.flush()
  const { log } = world.now
  const { start, end } = log.range('customers', 0)
  await log.retain('customers', 0, { beforeMs: world.clock.nowMs() - 1_000, keepFrom: end })
  assert.ok(log.range('customers', 0).start > start, 'a segment is gone')
  await world.restart({ manifest: manifestOf({ relations: [...FIRST, ...Object.keys(MODELS).map((name) => modelOf(name, 'later_'))] }) })
  await world.flush()
  assert.ok((await compare(world, 'later_', true)) > 5)
  await change(world, random)
  await world.flush()
  await compare(world, 'later_', true)
  // Computed again: what is shown is replaced in one commit.
  await Promise.all(world.now.pipelines.filter(({ makes }) => MODELS[makes]).map(({ pipeline }) => pipeline.startRebuild()))
  await compare(world, '', true)
})

const commitOf = (when: 'before' | 'after') => {
  const left = new Map<string, number>()
  return (catalog: Catalog): Catalog => ({
    ...catalog,
    // Each pipeline's first commits fail, before they happen or after.
    commit: async (request) => {
      const name = request.pipeline?.name ?? ''
      const n = left.get(name) ?? 2
      left.set(name, n - 1)
      if (n > 0 && when === 'before') throw new Error('SQLITE_BUSY')
      const committed = await catalog.commit(request)
      if (n > 0) throw new Error('SQLITE_IOERR')
      return committed
    },
  })
}

for (const when of ['before', 'after'] as const)
  test(`a commit that fails ${when} it happened loses and doubles nothing`, async () => {
    const random = seededRandom(SEED)
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: FIRST }), readBytes: 300 })
    await change(world, random)
    await world.flush()
    for (let n = 0; n < 3; n++) {
      await world.restart({ wrapCatalog: commitOf(when) })
      await change(world, random)
      const flushed = world.flush()
      await change(world, random)
      await world.driving(flushed)
      await world.driving(world.flush())
      await compare(world, '', true)
    }
    assert.ok(world.events.filter(({ kind }) => kind === 'failed').length >= 12, 'commits failed')
  })

test('rows of a table go to the disk where they have no room', async () => {
  const random = seededRandom(SEED)
  const model = modelOf('large', '', 40 << 10)
  const others = Object.keys(MODELS).flatMap((name) => (name === 'large' ? [] : [modelOf(name)]))
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [CUSTOMERS, model, ...others] }) })
  let spilled = 0
  for (let n = 0; n < 4; n++) {
    await world.send(
      'customers',
      Array.from({ length: 1_500 }, () => rowOf(random, 3_000)),
    )
    await change(world, random, 3_000)
    await world.flush()
    await compare(world, '', true)
    spilled += (world.pipeline('live:large').sink as Live).spilledBytes
    if (n % 2 === 0) await world.restart()
  }
  assert.ok(spilled > 10_000, `${spilled} bytes were on the disk`)
})
