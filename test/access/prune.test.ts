// Files that a question leaves unread: by which terms, for whom, and that the answer is the same. What a caller may not see
// never decides what is read.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { seededRandom } from '../../src/core/random.ts'
import { openParser } from '../../src/engine/ast.ts'
import { RelationStore } from '../../src/engine/relations.ts'
import { batchOf, openTestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import type { Identity } from '../../src/govern/identity.ts'
import { openGuard, type SecureOptions } from '../../src/govern/secure.ts'
import { openLake } from '../../src/lake/open-lake.ts'
import { openStore } from '../../src/store/open-store.ts'
import { ADMIN, caller, FRANCE, field, MASK_KEY, manifestOf, OFFICER, openShop, type Shop, tableOf } from './fixture.ts'

let shop: Shop
before(async () => {
  shop = await openShop()
})
after(async () => {
  assert.equal(shop.open.count, 0, 'every pin was released')
  await shop.close()
})

/** By what the relations of a question are pruned, as text. */
async function terms(identity: Identity, sql: string, options?: SecureOptions): Promise<Record<string, string[]>> {
  shop.pruned.clear()
  await shop.ask(identity, sql, options)
  const texts = [...shop.pruned].map(([relation, prune]) => [
    relation,
    prune.map(({ column, op, values }) => [column, op, ...values].join(' ')),
  ])
  return Object.fromEntries(texts) as Record<string, string[]>
}

test('who sees all rows prunes by what the question says', async () => {
  const join = "SELECT count(*) FROM orders o JOIN customers c ON o.customer = c.id WHERE o.id = 4 AND c.country = 'FR'"
  for (const identity of [ADMIN, OFFICER]) {
    assert.deepEqual(await terms(identity, join), { orders: ['id = 4'], customers: ['country = FR'] })
    assert.deepEqual(await terms(identity, 'SELECT count(*) FROM main.ORDERS WHERE id > $1', { params: [5] }), { orders: ['id > 5'] })
    assert.deepEqual(await terms(identity, 'SELECT count(*) FROM orders WHERE id = $n', { params: { n: '7' } }), { orders: ['id = 7'] })
  }
  assert.deepEqual(await terms(ADMIN, "SELECT id FROM millrace.runs WHERE id = 'r1'"), { 'millrace.runs': [] })
})

test('under a row filter nothing of the question is pruned, not even what is not filtered', async () => {
  assert.deepEqual(await terms(FRANCE, 'SELECT count(*) FROM orders WHERE id = 4'), { orders: [] })
  assert.deepEqual(await terms(FRANCE, "SELECT count(*) FROM orders WHERE country = 'US'"), { orders: [] })
  const both = "SELECT count(*) FROM clicks, orders WHERE page = 'home' AND id = 4"
  assert.deepEqual(await terms(FRANCE, both), { clicks: [], orders: [] })
})

test('a masked column is compared as the caller sees it: no term', async () => {
  const sql = "SELECT count(*) FROM clicks WHERE ip = '10.0.0.1' AND page = 'home' AND ip IS NOT NULL"
  assert.deepEqual(await terms(FRANCE, sql), { clicks: ['page = home'] })
  assert.deepEqual(await terms(OFFICER, sql), { clicks: ['ip = 10.0.0.1', 'page = home', 'ip is not null'] })
})

test('views of the project, and a relation that is named twice, are read as one state: whole', async () => {
  const view = "SELECT count(*) FROM spenders s, orders o WHERE o.id = 4 AND s.country = 'FR'"
  assert.deepEqual(await terms(ADMIN, view), { orders: [], customers: [] })
  assert.deepEqual(await terms(caller(['guest']), 'SELECT count(*) FROM french WHERE id = 4'), { orders: [] })
  const twice = "SELECT count(*) FROM orders a, orders b, customers c WHERE a.id = 4 AND b.id = 5 AND c.id = 'c1'"
  assert.deepEqual(await terms(ADMIN, twice), { orders: [], customers: ['id = c1'] })
})

test('over files and a tail, a pruned question answers as the whole one, from fewer files', async () => {
  await using parts = await openTestEngine()
  const store = openStore(`${parts.directory}/control.db`)
  const lake = openLake({
    disk: nodeDisk,
    clock: systemClock,
    random: seededRandom(1),
    catalog: store.catalog,
    directory: `${parts.directory}/lake`,
  })
  const relations = new RelationStore(parts.engine, lake)
  const parser = await openParser(parts.engine)
  const people = { ...tableOf('people', [field('n', 'long', { optional: false }), field('name', 'string', { pii: 'name' })]), key: ['n'] }
  const manifest = manifestOf([people], {
    roles: [{ name: 'reader', at: 'test:1', attributes: { fields: [] } }],
    grants: [{ name: 'g', at: 'test:1', to: ['reader'], on: ['people'], privilege: 'read' }],
    masks: [{ name: 'm', at: 'test:1', by: { name: 'redact' }, except: [] }],
  })
  const read: number[] = []
  const guard = await openGuard({
    engine: parts.engine,
    parser,
    manifest: () => manifest,
    maskKey: MASK_KEY,
    systemRelation: () => false,
    async resolve(relation, at, options) {
      const pin = await relations.pin(relation, { ...options, ...(at ? { at } : {}) })
      read.push(pin.scanSql.match(/\.parquet'/g)?.length ?? 0)
      return pin
    },
  })
  try {
    const table = await lake.create({ name: 'people', shape: people.shape, partition: [], cluster: ['n'], key: ['n'] })
    const directory = lake.dataDirectory(table)
    const select = "SELECT range AS n, 'name' || range AS name FROM range(100)"
    const add = await writeParquet(parts.session, { select, table, directory, rowsPerFile: 10 })
    await lake.commit([{ table: 'people', operation: 'append', add, remove: [] }])
    await relations.add({ name: 'people', shape: people.shape, key: ['n'], tailed: true })
    const types = { n: { kind: 'long' }, name: { kind: 'string' } } as const
    await relations.writable('people').append(
      batchOf(types, [
        [15n, Buffer.from('changed')],
        [200n, Buffer.from('new')],
      ]),
    )
    const ask = async (identity: Identity, where: string): Promise<{ rows: unknown; files: number }> => {
      read.length = 0
      const secured = await guard.secure(identity, `SELECT n, name FROM people WHERE ${where} ORDER BY n`)
      try {
        return { rows: (await secured.session.rows(secured.sql)).rows, files: read[0]! }
      } finally {
        await secured.release()
      }
    }
    const cases: Readonly<Record<string, number>> = {
      'n = 15': 1,
      "n = '15.4'": 10,
      'n IN (5, 99)': 2,
      'n >= 95': 1,
      'n = 200': 0,
      'n = 5000': 0,
      // By its bounds the first file may have it too.
      "name = 'name15'": 2,
      "name = 'changed'": 0,
    }
    for (const [where, files] of Object.entries(cases)) {
      // A condition that is never true beside it gives no term: the whole table is read.
      const whole = await ask(ADMIN, `(${where} OR n + 0 < -1)`)
      const pruned = await ask(ADMIN, where)
      assert.deepEqual(pruned.rows, whole.rows, where)
      assert.deepEqual([pruned.files, whole.files], [files, 10], where)
    }
    const reader = caller(['reader'])
    assert.deepEqual(await ask(reader, "name = 'name15'"), { rows: [], files: 10 })
    assert.equal((await ask(reader, 'n = 20')).files, 1)
  } finally {
    guard.close()
    parser.close()
    await store.close()
  }
})
