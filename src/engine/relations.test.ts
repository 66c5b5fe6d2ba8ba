// Relations as readers see them, over a real lake: rows once and only once through appends and flushes, the latest of a key,
// pins that do not move, and time travel.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import { openStore } from '../store/open-store.ts'
import { type Pin, type PinOptions, RelationStore } from './relations.ts'
import { Generation } from './tail.ts'
import { batchOf, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

interface Bench extends TestEngine {
  readonly lake: Lake
  readonly relations: RelationStore
}

async function withRelations(body: (bench: Bench) => Promise<void>): Promise<void> {
  await using parts = await openTestEngine()
  const store = openStore(`${parts.directory}/control.db`)
  const lake = openLake({
    disk: nodeDisk,
    clock: systemClock,
    random: seededRandom(1),
    catalog: store.catalog,
    directory: `${parts.directory}/lake`,
  })
  try {
    await body({ ...parts, lake, relations: new RelationStore(parts.engine, lake) })
  } finally {
    await store.close()
  }
}

const rowsOf = (rows: readonly (readonly [number, string])[]): ColumnBatch =>
  batchOf(
    { n: { kind: 'long' }, v: { kind: 'string' } },
    rows.map(([n, v]) => [BigInt(n), Buffer.from(v)]),
  )

const { shape } = rowsOf([])

async function add({ lake, relations }: Bench, name: string, key: readonly string[] = []): Promise<void> {
  await lake.create({ name, shape, partition: [], cluster: key.length > 0 ? key : [], key })
  await relations.add({ name, shape, key, tailed: true })
}

async function ask({ relations, session }: Bench, name: string, options: PinOptions = {}): Promise<unknown[]> {
  const pin = await relations.pin(name, options)
  try {
    return await show(session, pin)
  } finally {
    pin.release()
  }
}

const show = async (session: TestEngine['session'], pin: Pin): Promise<unknown[]> =>
  (await session.rows(`SELECT n, v FROM (${pin.scanSql}) ORDER BY n, v`)).rows.map(([n, v]) => `${n}${v}`)

async function flush({ lake, relations }: Bench, ...names: string[]): Promise<void> {
  const cuts = await Promise.all(names.map((name) => relations.writable(name).cut()))
  const changes = (await Promise.all(cuts.map((cut) => cut.changes()))).flat()
  const { tables } = await lake.commit(changes)
  for (const cut of cuts) await cut.publish(tables)
}

test('rows are visible when appended, and after the flush, and once', () =>
  withRelations(async (bench) => {
    await add(bench, 'events')
    assert.deepEqual(await ask(bench, 'events'), [])
    await bench.relations.writable('events').append(
      rowsOf([
        [1, 'a'],
        [2, 'b'],
      ]),
    )
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b'])
    assert.deepEqual(await ask(bench, 'events', { committedOnly: true }), [])
    const cut = await bench.relations.writable('events').cut()
    await bench.relations.writable('events').append(rowsOf([[3, 'c']]))
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b', '3c'])
    const changes = await cut.changes()
    const { tables } = await bench.lake.commit(changes)
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b', '3c'])
    await cut.publish(tables)
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b', '3c'])
    assert.deepEqual(await ask(bench, 'events', { committedOnly: true }), ['1a', '2b'])
    assert.equal(bench.relations.writable('events').pendingRows, 1)
    await assert.rejects(bench.relations.pin('absent'), { code: 'MR_SQL_UNKNOWN' })
  }))

test('keyed: the latest row wins in tails and over files', () =>
  withRelations(async (bench) => {
    await add(bench, 'people', ['n'])
    const people = bench.relations.writable('people')
    await people.append(
      rowsOf([
        [1, 'a'],
        [2, 'a'],
        [1, 'b'],
      ]),
    )
    assert.deepEqual(await ask(bench, 'people'), ['1b', '2a'])
    await flush(bench, 'people')
    await people.append(
      rowsOf([
        [2, 'c'],
        [3, 'c'],
      ]),
    )
    assert.deepEqual(await ask(bench, 'people'), ['1b', '2c', '3c'])
    const cut = await people.cut()
    await people.append(rowsOf([[3, 'd']]))
    assert.deepEqual(await ask(bench, 'people'), ['1b', '2c', '3d'])
    const { tables } = await bench.lake.commit(await cut.changes())
    await cut.publish(tables)
    assert.deepEqual(await ask(bench, 'people'), ['1b', '2c', '3d'])
    assert.deepEqual(await ask(bench, 'people', { committedOnly: true }), ['1b', '2c', '3c'])
  }))

test('a reader whose rows the engine does not take fails by itself, however long the files take to be listed', (t) =>
  withRelations(async (bench) => {
    await add(bench, 'people', ['n'])
    const people = bench.relations.writable('people')
    await people.append(rowsOf([[1, 'a']]))
    await flush(bench, 'people')
    await people.append(rowsOf([[2, 'a']]))
    const hold = t.mock.method(Generation.prototype, 'hold', async () => {
      throw new Error('no room')
    })
    const list = bench.lake.files
    const files = t.mock.method(bench.lake, 'files', async (...of: Parameters<Lake['files']>) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return list(...of)
    })
    await assert.rejects(bench.relations.pin('people'), /no room/)
    assert.equal(files.mock.callCount(), 1)
    hold.mock.restore()
    assert.deepEqual(await ask(bench, 'people'), ['1a', '2a'])
  }))

test('a pin does not move, whatever happens meanwhile', () =>
  withRelations(async (bench) => {
    await add(bench, 'people', ['n'])
    const people = bench.relations.writable('people')
    await people.append(rowsOf([[1, 'a']]))
    const frozen = await people.cut()
    const pin = await bench.relations.pin('people')
    const { tables } = await bench.lake.commit(await frozen.changes())
    await frozen.publish(tables)
    await people.append(rowsOf([[2, 'a']]))
    assert.deepEqual(await show(bench.session, pin), ['1a'])
    await flush(bench, 'people')
    await people.append(rowsOf([[1, 'b']]))
    assert.deepEqual(await show(bench.session, pin), ['1a'])
    assert.notEqual((await bench.relations.pin('people')).version, pin.version)
    pin.release()
    pin.release()
    assert.deepEqual(await ask(bench, 'people'), ['1b', '2a'])
  }))

test('the version changes with every row that a reader would see', () =>
  withRelations(async (bench) => {
    await add(bench, 'people', ['n'])
    const people = bench.relations.writable('people')
    const seen = new Set<string>([bench.relations.versionOf('people')])
    const changed = (what: string): void => {
      const version = bench.relations.versionOf('people')
      assert.ok(!seen.has(version), what)
      seen.add(version)
    }
    await people.append(rowsOf([[1, 'a']]))
    changed('a row')
    await people.append(rowsOf([[1, 'b']]))
    changed('another row of its key')
    await people.replaceProvisional(rowsOf([[2, 'x']]))
    changed('a provisional row')
    await people.replaceProvisional(rowsOf([[2, 'y']]))
    changed('another provisional row')
    await flush(bench, 'people')
    changed('a flush')
  }))

test('the content is another when others commit, not when the tail is flushed or rows are written anew', () =>
  withRelations(async (bench) => {
    await add(bench, 'people', ['n'])
    const { lake, relations, session } = bench
    const people = relations.writable('people')
    const commit = async (operation: 'append' | 'replace', select: string, remove: readonly string[] = []) => {
      const table = await lake.table('people')
      const add = await writeParquet(session, { select, table, directory: lake.dataDirectory(table) })
      const readFrom = operation === 'replace' ? { readFrom: table.current!.id } : {}
      const { tables } = await lake.commit([{ table: 'people', operation, add, remove, ...readFrom }])
      return tables[0]!
    }
    const none = await relations.contentOf('people')
    await people.append(rowsOf([[1, 'a']]))
    await flush(bench, 'people')
    assert.equal(await relations.contentOf('people'), none)
    relations.committed(await commit('append', "SELECT 2::BIGINT AS n, 'b' AS v"))
    const more = await relations.contentOf('people')
    assert.notEqual(more, none)
    await people.append(rowsOf([[1, 'c']]))
    await flush(bench, 'people')
    const files = (await lake.files(await lake.table('people'))).map(({ path }) => path)
    relations.committed(await commit('replace', "SELECT * FROM (VALUES (1::BIGINT, 'c'), (2, 'b')) AS t(n, v)", files))
    assert.equal(await relations.contentOf('people'), more)
    // One that is not heard of before the next flush is found behind it.
    await commit('append', "SELECT 3::BIGINT AS n, 'd' AS v")
    await people.append(rowsOf([[4, 'e']]))
    await flush(bench, 'people')
    assert.notEqual(await relations.contentOf('people'), more)
    assert.deepEqual(await ask(bench, 'people'), ['1c', '2b', '3d', '4e'])
  }))

test('the count is what a reader finds; where files cannot be read it is what is committed, and the changes', () =>
  withRelations(async (bench) => {
    const { relations } = bench
    await add(bench, 'events')
    await add(bench, 'people', ['n'])
    assert.deepEqual([await relations.countOf('events'), await relations.countOf('people')], [null, null])
    for (const name of ['events', 'people']) {
      const writable = relations.writable(name)
      await writable.append(
        rowsOf([
          [1, 'a'],
          [2, 'a'],
        ]),
      )
      await flush(bench, name)
      await writable.append(rowsOf([[1, 'b']]))
      await writable.append(rowsOf([[1, 'c']]))
      await writable.replaceProvisional(
        rowsOf([
          [2, 'open'],
          [3, 'open'],
        ]),
      )
    }
    assert.deepEqual([await relations.countOf('events'), (await ask(bench, 'events')).length], [{ rows: 6, changes: 0 }, 6])
    assert.deepEqual([await relations.countOf('people'), (await ask(bench, 'people')).length], [{ rows: 3, changes: 0 }, 3])
    for (const { path } of await bench.lake.files(relations.tableOf('people')!)) rmSync(path)
    assert.deepEqual(await relations.countOf('people'), { rows: 3, changes: 0 }, 'it is remembered')
    await relations.writable('people').append(rowsOf([[4, 'd']]))
    assert.deepEqual(await relations.countOf('people'), { rows: 2, changes: 5 })
  }))

test('provisional rows are shown, replaced, and never committed', () =>
  withRelations(async (bench) => {
    await add(bench, 'counts', ['n'])
    const counts = bench.relations.writable('counts')
    await counts.append(rowsOf([[1, 'final']]))
    await counts.replaceProvisional(
      rowsOf([
        [1, 'x'],
        [2, 'x'],
      ]),
    )
    assert.deepEqual(await ask(bench, 'counts'), ['1x', '2x'])
    await counts.replaceProvisional(rowsOf([[2, 'y']]))
    assert.deepEqual(await ask(bench, 'counts'), ['1final', '2y'])
    await flush(bench, 'counts')
    assert.deepEqual(await ask(bench, 'counts', { committedOnly: true }), ['1final'])
    await counts.replaceProvisional(rowsOf([]))
    assert.deepEqual(await ask(bench, 'counts'), ['1final'])
  }))

test('reset forgets what is not committed; earlier snapshots can be read', () =>
  withRelations(async (bench) => {
    await add(bench, 'events')
    const events = bench.relations.writable('events')
    await events.append(rowsOf([[1, 'a']]))
    await flush(bench, 'events')
    const first = (await bench.relations.pin('events')).snapshotId!
    await events.append(rowsOf([[2, 'b']]))
    await flush(bench, 'events')
    await events.append(rowsOf([[3, 'c']]))
    await events.reset()
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b'])
    assert.deepEqual(await ask(bench, 'events', { at: { version: first } }), ['1a'])
    await bench.lake.setTag('events', 'old', BigInt(first))
    bench.relations.committed(await bench.lake.table('events'))
    assert.deepEqual(await ask(bench, 'events', { at: { version: 'old' } }), ['1a'])
    await assert.rejects(ask(bench, 'events', { at: { version: '5' } }), { code: 'MR_LAKE_SNAPSHOT_UNKNOWN' })
  }))

test('a reader beside a writer sees every row that was acknowledged once, in every read', () =>
  withRelations(async (bench) => {
    await add(bench, 'events')
    const events = bench.relations.writable('events')
    let acknowledged = 0
    let isDone = false
    const writer = (async () => {
      while (!isDone) {
        await events.append(rowsOf(Array.from({ length: 50 }, (_, index) => [acknowledged + index, 'v'] as const)))
        acknowledged += 50
        // An append does not give way to others by itself.
        await new Promise(setImmediate)
      }
    })()
    const flusher = (async () => {
      while (!isDone) {
        await flush(bench, 'events')
        await new Promise(setImmediate)
      }
    })()
    try {
      for (let read = 0; read < 20; read++) {
        const least = acknowledged
        const pin = await bench.relations.pin('events')
        const { rows } = await bench.session.rows(`SELECT count(*), count(DISTINCT n), coalesce(max(n) + 1, 0) FROM (${pin.scanSql})`)
        pin.release()
        const [count, distinct, next] = rows[0]!.map(Number) as [number, number, number]
        assert.deepEqual([count, count], [distinct, next])
        assert.ok(count >= least, `${count} rows, ${least} were acknowledged`)
      }
    } finally {
      isDone = true
      await Promise.all([writer, flusher])
    }
    await flush(bench, 'events')
    assert.equal((await ask(bench, 'events', { committedOnly: true })).length, acknowledged)
  }))

/** `events` with a row in each of two snapshots; answers the id of the first. */
async function twoSnapshots(bench: Bench): Promise<bigint> {
  await add(bench, 'events')
  const events = bench.relations.writable('events')
  await events.append(rowsOf([[1, 'a']]))
  await flush(bench, 'events')
  const first = (await bench.lake.table('events')).current!.id
  await events.append(rowsOf([[2, 'b']]))
  await flush(bench, 'events')
  return first
}

test('a table that goes back to an earlier snapshot is read as it is then; one that nobody added, as the catalog has it', () =>
  withRelations(async (bench) => {
    const { lake, relations } = bench
    const first = await twoSnapshots(bench)
    assert.deepEqual(await ask(bench, 'events'), ['1a', '2b'])
    const back = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': first }
    const [table] = await lake.outside.update([{ name: 'events', shown: 'events', requirements: [], updates: [back] }])
    relations.committed(table!)
    assert.deepEqual(await ask(bench, 'events'), ['1a'])
    await lake.rename('events', 'elsewhere.events')
    assert.deepEqual(await ask(bench, 'elsewhere.events'), ['1a'])
    await assert.rejects(relations.pin('absent'), { code: 'MR_SQL_UNKNOWN' })
  }))

test('a table that nobody added has the columns of then at an earlier snapshot, and those of now on a branch', () =>
  withRelations(async (bench) => {
    const { lake, relations, session } = bench
    const first = await twoSnapshots(bench)
    const n = { name: 'n', type: { kind: 'long' as const }, optional: true }
    const other = { shape: { fields: [n, { name: 'v', type: { kind: 'double' as const }, optional: true }] } }
    await lake.commit([{ table: 'events', operation: 'append', add: [], remove: [], shape: { fields: [n] } }])
    await lake.commit([{ table: 'events', operation: 'append', add: [], remove: [], ...other }])
    await lake.rename('events', 'events_of_others')
    const refs = ['branch', 'tag'].map((type) => ({ action: 'set-snapshot-ref', 'ref-name': type, type, 'snapshot-id': first }))
    await lake.outside.update([{ name: 'events_of_others', shown: 'x', requirements: [], updates: refs }])
    const seen = async (version?: string): Promise<unknown> => {
      const pin = await relations.pin('events_of_others', version === undefined ? {} : { at: { version } })
      const { rows } = await session.rows(`SELECT n, v FROM (${pin.scanSql}) ORDER BY n`)
      pin.release()
      return rows
    }
    assert.deepEqual(await seen(), [
      [1n, null],
      [2n, null],
    ])
    assert.deepEqual([await seen(String(first)), await seen('tag'), await seen('branch')], [[[1n, 'a']], [[1n, 'a']], [[1n, null]]])
  }))
