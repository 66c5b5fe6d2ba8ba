// Versions of rows over random changes of a keyed table, with compactions between, against SQL over every state that the table
// had: islands of refreshes in which a row stayed the same. On tables of version 2 and of version 3, where rows end by vectors.

import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SEED } from '../../test/seed.ts'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { integer, type Random, seededRandom } from '../core/random.ts'
import type { ModelManifest } from '../define/manifest.ts'
import { HISTORY_FIELDS } from '../define/system-columns.ts'
import { movedSql } from '../engine/lineage.ts'
import { mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import { openTestEngine } from '../engine/testing.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import type { Shape } from '../schema/type.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { isCurrent, publish, type Staged, stage } from './refresh.ts'

const FIELDS: Shape['fields'] = [
  { name: 'id', type: { kind: 'int' }, optional: false },
  { name: 'city', type: { kind: 'string' }, optional: true },
  { name: 'visits', type: { kind: 'int' }, optional: true },
]

const modelOf = (text: string): ModelManifest => ({
  kind: 'model',
  name: 'history',
  at: 'test.ts:1',
  tags: [],
  shape: { fields: [...FIELDS, ...HISTORY_FIELDS] },
  partition: [],
  cluster: ['id'],
  keep: { logMs: 0 },
  sql: { text, params: [] },
  inputs: ['people'],
  refresh: 'scd2',
  key: ['id'],
  emit: 'final',
  declared: false,
})

const tested = await openTestEngine({ threads: 1 })
after(() => tested[Symbol.asyncDispose]())
let worlds = 0

interface World {
  readonly lake: Lake
  readonly store: Store
  readonly clock: VirtualClock
}

async function openWorld(formatVersion: 2 | 3): Promise<World> {
  const directory = join(tested.directory, `versions-${worlds++}`)
  mkdirSync(join(directory, 'lake'), { recursive: true })
  const [store, clock] = [openStore(join(directory, 'control.db')), new VirtualClock(Date.UTC(2026, 0, 1))]
  const { catalog } = store
  const lake = openLake({ disk: nodeDisk, clock, random: seededRandom(1), catalog, directory: join(directory, 'lake') })
  await lake.create({ name: 'people', shape: { fields: FIELDS }, partition: [], cluster: ['id'], key: ['id'], formatVersion })
  const { shape } = modelOf('')
  await lake.create({ name: 'history', shape, partition: [], cluster: ['id'], key: [], formatVersion })
  return { lake, store, clock }
}

async function refresh({ lake, store }: World, model: ModelManifest, full = false): Promise<Staged> {
  const inputs = [{ name: 'people', table: await lake.table('people'), keyed: true }]
  const last = (await store.catalog.refreshOf('history'))?.inputs ?? null
  using lease = lake.lease()
  const staged = await stage({ engine: tested.engine, lake, lease }, model, { inputs, last, code: 'c', full })
  await publish(lake, staged, { id: 'run' })
  return staged
}

/** People that come, change, stay as they are or go. */
async function change({ lake }: World, random: Random): Promise<void> {
  const ids = [...new Set(Array.from({ length: 1 + integer(random, 5) }, () => integer(random, 40)))]
  const rows = ids
    .filter(() => integer(random, 4) > 0)
    .map((id) => `(${id}, ${['NULL', "'Oslo'", "'Rome'"][integer(random, 3)]}, ${integer(random, 2)})`)
  const values = rows.length > 0 ? `VALUES ${rows.join(', ')}` : "VALUES (0, 'x', 0) LIMIT 0"
  const session = await tested.engine.session()
  const change = await mergeRows(session, {
    lake,
    table: await lake.table('people'),
    key: ['id'],
    rows: `SELECT * FROM (${values}) AS v(id, city, visits)`,
    keys: `SELECT * FROM (VALUES ${ids.map((id) => `(${id})`).join(', ')}) AS v(id)`,
  })
  session.close()
  await lake.commit([change])
}

async function compact({ lake }: World, name: string): Promise<void> {
  const table = await lake.table(name)
  const files = await lake.files(table)
  if (files.length < 2) return
  const add = await withRelations(tested.engine, {}, (session) =>
    writeParquet(session, { select: movedSql(table, files), moved: true, table, directory: lake.dataDirectory(table) }),
  )
  await lake.commit([{ table: name, operation: 'replace', add, remove: files.map((file) => file.path), readFrom: table.current!.id }])
}

async function scanOf(lake: Lake, name: string): Promise<string> {
  const table = await lake.table(name)
  return scanSql({ table, files: table.current ? await lake.files(table) : [], tails: [] })
}

/** Islands of steps in which a row was there and the same. */
const EXPECTED = `
  WITH marked AS (
    SELECT *, lag(step) OVER w IS DISTINCT FROM step - 1 OR lag(city) OVER w IS DISTINCT FROM city OR lag(visits) OVER w IS DISTINCT FROM visits AS begins
    FROM states WINDOW w AS (PARTITION BY id ORDER BY step)
  ), islands AS (SELECT *, count(*) FILTER (begins) OVER (PARTITION BY id ORDER BY step) AS island FROM marked)
  SELECT i.id, any_value(city) AS city, any_value(visits) AS visits, min(i.moment) AS valid_from, any_value(n.moment) AS valid_to, any_value(n.moment) IS NULL AS is_current
  FROM (SELECT id, city, visits, island, min(moment) AS moment, max(step) AS last FROM islands GROUP BY ALL) AS i LEFT JOIN steps AS n ON n.step = i.last + 1
  GROUP BY i.id, i.island`

const COLUMNS = 'id, city, visits, epoch_us(valid_from)::VARCHAR, epoch_us(valid_to)::VARCHAR, is_current'

for (const formatVersion of [2, 3] as const) {
  test(`versions of rows on version ${formatVersion} are the islands of their states`, async () => {
    const seed = SEED
    const random = seededRandom(seed)
    const world = await openWorld(formatVersion)
    const model = modelOf('SELECT id, city, visits FROM people')
    await tested.session.run(
      'CREATE OR REPLACE TEMP TABLE states (step INTEGER, moment TIMESTAMPTZ, id INTEGER, city VARCHAR, visits INTEGER)',
    )
    await tested.session.run('CREATE OR REPLACE TEMP TABLE steps (step INTEGER, moment TIMESTAMPTZ)')
    let vectors = 0
    for (let step = 0; step < 25; step++) {
      await world.clock.advance(1 + integer(random, 5_000))
      await change(world, random)
      const people = await world.lake.table('people')
      await refresh(world, model, integer(random, 3) === 0)
      const at = `make_timestamptz(${(people.current?.timestampMs ?? world.clock.nowMs()) * 1000})`
      await tested.session.run(`INSERT INTO states SELECT ${step}, ${at}, id, city, visits FROM (${await scanOf(world.lake, 'people')})`)
      await tested.session.run(`INSERT INTO steps SELECT ${step}, ${at}`)
      if (integer(random, 4) === 0) await compact(world, 'history')
      const expected = await tested.session.rows(`SELECT ${COLUMNS} FROM (${EXPECTED}) ORDER BY ALL`)
      const found = await tested.session.rows(`SELECT ${COLUMNS} FROM (${await scanOf(world.lake, 'history')}) ORDER BY ALL`)
      assert.deepEqual(found.rows, expected.rows, `seed ${seed}, step ${step}`)
      vectors += (await world.lake.files(await world.lake.table('history'))).filter((file) => file.deletes?.vector).length
    }
    assert.equal(vectors > 0, formatVersion === 3)
    const { inputs } = await refresh(world, model)
    const read = { inputs: [{ name: 'people', table: await world.lake.table('people'), keyed: true }], last: inputs }
    assert.ok(isCurrent({ ...read, code: 'c' }, await world.lake.table('history')), 'nothing to do until its input changes')
    assert.ok(!isCurrent({ ...read, code: 'd' }, await world.lake.table('history')))
    assert.match((await refresh(world, model, true)).note, /^0 begun, 0 ended$/)
    await world.store.close()
  })
}

test('two versions of one instant follow each other; two rows of one key are refused', async () => {
  const world = await openWorld(3)
  const random = seededRandom(5)
  await change(world, random)
  await refresh(world, modelOf('SELECT id, city, visits FROM people'))
  await refresh(world, modelOf('SELECT id, city, visits + 1 AS visits FROM people'), true)
  const scan = await scanOf(world.lake, 'history')
  const { rows } = await tested.session.rows(
    `SELECT bool_and(valid_from < coalesce(valid_to, 'infinity')), count(*) FILTER (is_current) FROM (${scan})`,
  )
  const people = await tested.session.rows(`SELECT count(*) FROM (${await scanOf(world.lake, 'people')})`)
  assert.deepEqual(rows[0], [true, people.rows[0]![0]])
  const twice = modelOf('SELECT id, city, visits FROM people UNION ALL SELECT id, city, 9 FROM people')
  await assert.rejects(
    refresh(world, twice, true),
    (error: { code: string; message: string }) => error.code === 'MR_RUN_KEY' && /id \d/.test(error.message),
  )
  await world.store.close()
})
