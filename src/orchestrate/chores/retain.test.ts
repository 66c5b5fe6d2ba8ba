// Rows past their time: whole files go, edge files are written anew, archived rows are in exactly one of both tables, also when
// the process dies at any call of the commit; models that read the table keep what they made of old rows.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import { MillraceError } from '../../core/errors.ts'
import { seededRandom } from '../../core/random.ts'
import { flushAppend } from '../../engine/flush.ts'
import { movedSql } from '../../engine/lineage.ts'
import { scanSql } from '../../engine/scan.ts'
import { openTestEngine } from '../../engine/testing.ts'
import type { Lease } from '../../lake/lease.ts'
import { type Lake, openLake } from '../../lake/open-lake.ts'
import type { Shape } from '../../schema/type.ts'
import { openStore } from '../../store/open-store.ts'
import { changedRows } from '../../transform/changed-rows.ts'
import { retain } from './retain.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 5, 30, 12)

async function setUp(kind: 'timestamp' | 'date', formatVersion: 2 | 3 = 2) {
  const tested = await openTestEngine({ threads: 1 })
  for (const name of ['lake', 'cold']) mkdirSync(join(tested.directory, name))
  const store = openStore(join(tested.directory, 'control.db'))
  const clock = new VirtualClock(NOW)
  const lake = openLake({
    disk: nodeDisk,
    clock,
    random: seededRandom(1),
    catalog: store.catalog,
    directory: join(tested.directory, 'lake'),
    formerly: [join(tested.directory, 'cold')],
  })
  const shape: Shape = {
    fields: [
      { name: 'id', type: { kind: 'int' }, optional: false },
      { name: 'seen', type: { kind }, optional: true },
    ],
  }
  const about = { shape, partition: [], cluster: [], key: [], formatVersion }
  await lake.create({ name: 'events', ...about })
  await lake.create({ name: 'events__archive', ...about }, join(tested.directory, 'cold'))
  /** One file; ages in days, null for no time. */
  const append = async (...rows: [number, number | null][]): Promise<void> => {
    const of = ([id, age]: [number, number | null]) =>
      `(${id}, ${age === null ? 'NULL' : `make_timestamptz(${(NOW - age * DAY) * 1_000})`})`
    const source = `SELECT id, CAST(born AS ${kind === 'date' ? 'DATE' : 'TIMESTAMPTZ'}) AS seen FROM (VALUES ${rows.map(of).join(', ')}) AS t(id, born)`
    const table = await lake.table('events')
    await lake.commit([await flushAppend({ engine: tested.engine, lake, table, source })])
  }
  const ids = async (name: string): Promise<unknown[]> => {
    const table = await lake.table(name)
    const { rows } = await tested.session.rows(
      `SELECT id FROM (${scanSql({ table, files: await lake.files(table), tails: [] })}) ORDER BY id`,
    )
    return rows.map(([id]) => id)
  }
  return {
    lake,
    engine: tested.engine,
    clock,
    append,
    ids,
    session: tested.session,
    paths: async (name: string) => (await lake.files(await lake.table(name))).map(({ path }) => path),
    async run(over: { lake?: Lake; archive?: boolean; isAsked?: boolean } = {}) {
      const keeping = { keepMs: 30 * DAY, by: 'seen', archive: over.archive ? 'events__archive' : null }
      const parts = { clock, lake: over.lake ?? lake, engine: tested.engine }
      return retain.run(parts, { table: await lake.table('events'), keeping, isAsked: over.isAsked ?? false })
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await tested[Symbol.asyncDispose]()
    },
  }
}

for (const kind of ['timestamp', 'date'] as const) {
  test(`a whole file goes without being read, an edge file is written anew, by ${kind}`, async () => {
    await using world = await setUp(kind)
    await world.append([1, 40], [2, 35])
    await world.append([3, 33], [4, 1], [5, null])
    const older = await world.paths('events')
    await world.append([6, 2])
    const young = (await world.paths('events')).find((path) => !older.includes(path))
    const done = await world.run()
    assert.equal(done!.removedRows, 3)
    assert.match(done!.note, /^3 rows before 2026-05-3\dT/)
    assert.deepEqual([done!.saved.filesBefore, done!.saved.filesAfter], [2, 1])
    assert.deepEqual(await world.ids('events'), [4, 5, 6])
    assert.ok((await world.paths('events')).includes(young!), 'a young file is as it was')
    assert.equal(await world.run(), null, 'once is enough')
    const { snapshots } = await world.lake.table('events')
    assert.deepEqual(
      snapshots.slice(-2).map(({ operation }) => operation),
      ['delete', 'overwrite'],
    )
  })
}

test('by itself the cut moves in steps; asked for, it is exact', async () => {
  await using world = await setUp('timestamp')
  await world.append([1, 30.25], [2, 1])
  assert.equal(await world.run(), null)
  assert.equal((await world.run({ isAsked: true }))!.removedRows, 1)
  assert.deepEqual(await world.ids('events'), [2])
})

test('archived rows move to the other place in one commit', async () => {
  await using world = await setUp('timestamp')
  await world.append([1, 40], [2, 35])
  await world.append([3, 33], [4, 1])
  const done = await world.run({ archive: true })
  assert.match(done!.note, /moved to events__archive$/)
  assert.deepEqual([await world.ids('events'), await world.ids('events__archive')], [[4], [1, 2, 3]])
  for (const path of await world.paths('events__archive')) assert.match(path, /\/cold\/events__archive\/data\//)
  await world.append([5, 50])
  await world.run({ archive: true })
  assert.deepEqual([await world.ids('events'), await world.ids('events__archive')], [[4], [1, 2, 3, 5]])
})

test('a commit that fails, and one that loses, leave each row in exactly one of both', async () => {
  await using world = await setUp('timestamp')
  await world.append([1, 40])
  await world.append([2, 35], [3, 1])
  const failing = (error: Error): Lake => ({ ...world.lake, commit: () => Promise.reject(error) })
  await assert.rejects(world.run({ archive: true, lake: failing(new Error('no disk')) }), /no disk/)
  assert.equal(await world.run({ archive: true, lake: failing(new MillraceError('MR_LAKE_CONFLICT', 'lost')) }), null)
  assert.deepEqual([await world.ids('events'), await world.ids('events__archive')], [[1, 2, 3], []])
  await world.run({ archive: true })
  assert.deepEqual([await world.ids('events'), await world.ids('events__archive')], [[3], [1, 2]])
})

test('to a model that reads the table, rows that were too old did not change', async () => {
  await using world = await setUp('timestamp')
  await world.append([1, 40], [2, 35], [3, 1])
  const from = (await world.lake.table('events')).current!.id.toString()
  await world.append([4, 2])
  await world.run()
  using lease: Lease = world.lake.lease()
  const changed = await changedRows({ lake: world.lake, lease }, await world.lake.table('events'), from)
  assert.ok(typeof changed === 'object')
  const { rows } = await world.session.rows(`SELECT id FROM (${changed.changed})`)
  assert.deepEqual(rows, [[4]])
})

test('in version 3 rows that stay keep who they are, and deleted ones are not counted again', async () => {
  await using world = await setUp('timestamp', 3)
  await world.append([1, 40], [2, 35], [3, 33], [4, 1], [5, 2], [6, null])
  await world.append([7, 50], [8, 45])
  await world.append([9, 3], [10, 2])
  const remove = async (...ids: number[]): Promise<void> => {
    const table = await world.lake.table('events')
    for (const file of await world.lake.files(table)) {
      const { rows } = await world.session.rows(`SELECT id FROM read_parquet('${file.path}')`)
      const positions = rows.flatMap(([id], position) => (ids.includes(Number(id)) ? [position] : []))
      if (positions.length === 0) continue
      const deleted = { path: file.path, positions: Float64Array.from(positions) }
      await world.lake.commit([{ table: 'events', operation: 'delete', add: [], remove: [], delete: [deleted] }])
    }
  }
  await remove(3, 5, 8, 9)
  const lineage = async (): Promise<Map<unknown, unknown>> => {
    const table = await world.lake.table('events')
    const { rows } = await world.session.rows(
      `SELECT id, _row_id, _last_updated_sequence_number FROM (${movedSql(table, await world.lake.files(table))})`,
    )
    return new Map(rows.map(([id, ...of]) => [id, of.map(Number)]))
  }
  const before = await lineage()
  const done = await world.run()
  assert.deepEqual(await world.ids('events'), [4, 6, 10])
  const after = await lineage()
  for (const id of [4, 6, 10]) assert.deepEqual(after.get(id), before.get(id), `row ${id}`)
  assert.equal(done!.removedRows, 3)
})

test('a file whose old rows are deleted already is written anew once, and no row counts as gone', async () => {
  await using world = await setUp('timestamp', 3)
  await world.append([1, 40], [2, 1], [3, 2], [4, 3])
  const [path] = await world.paths('events')
  const deleted = { path: path!, positions: Float64Array.from([0]) }
  await world.lake.commit([{ table: 'events', operation: 'delete', add: [], remove: [], delete: [deleted] }])
  assert.equal((await world.run())!.removedRows, 0)
  assert.deepEqual(await world.ids('events'), [2, 3, 4])
  assert.equal(await world.run(), null)
})
