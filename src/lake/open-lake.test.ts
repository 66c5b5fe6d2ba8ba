// The lake on a real directory with the SQLite catalog: commits, isolation, time travel, expiry, evolution. What happens
// when it crashes in the middle is in test/simulation/lake.test.ts.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeDataFile } from '../../test/simulation/fake-data-file.ts'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import type { ErrorCode } from '../core/errors.ts'
import { seededRandom } from '../core/random.ts'
import type { Shape } from '../schema/type.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { type Lake, openLake } from './open-lake.ts'
import type { CreateTable, DataFile, TableChange } from './types.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'at', type: { kind: 'timestamp' }, optional: false },
    { name: 'name', type: { kind: 'string' }, optional: true },
  ],
}

const orders = (name = 'orders'): CreateTable => ({ name, shape: SHAPE, partition: [], cluster: ['id'], key: ['id'] })

interface Bench {
  readonly lake: Lake
  readonly store: Store
  readonly clock: VirtualClock
  readonly directory: string
  /** Another process on the same directory and catalog. */
  other(seed: number): Lake
}

async function withLake(body: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lake-'))
  const store = openStore(join(directory, 'control.db'))
  const clock = new VirtualClock(1_700_000_000_000)
  const other = (seed: number) =>
    openLake({ disk: nodeDisk, clock, random: seededRandom(seed), catalog: store.catalog, directory: join(directory, 'lake') })
  try {
    await body({ lake: other(1), store, clock, directory, other })
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

const code = (expected: ErrorCode) => (error: unknown) => (error as { code?: string }).code === expected

/** Bounds as plain bytes: what is read holds them as Buffers. */
const plain = (file: DataFile) => ({
  ...file,
  columns: [...file.columns].map(([id, stats]) => [id, { ...stats, lower: Buffer.from(stats.lower!), upper: Buffer.from(stats.upper!) }]),
})

const append = (table: string, ...add: DataFile[]): TableChange => ({ table, operation: 'append', add, remove: [] })

const names = (files: readonly DataFile[]): string[] => files.map((file) => file.path.split('/').at(-1)!.replace('.parquet', '')).sort()

test('a table is created once, found again, and its files are those committed', () =>
  withLake(async ({ lake, other }) => {
    const table = await lake.create(orders())
    assert.equal(table.current, null)
    assert.deepEqual(table.schema.identifierIds, [1])
    assert.deepEqual(table.sort, [1])
    await assert.rejects(lake.create(orders()), code('MR_LAKE_TABLE_EXISTS'))
    await assert.rejects(lake.create(orders('Bad-Name')), code('MR_DEFINE_NAME'))
    await assert.rejects(lake.table('absent'), code('MR_LAKE_TABLE_UNKNOWN'))
    assert.deepEqual(await lake.files(table), [])
    const a = await fakeDataFile(nodeDisk, lake, table, { name: 'a', rows: 10, bounds: { id: ['1', '10'] } })
    const b = await fakeDataFile(nodeDisk, lake, table, { name: 'b', rows: 5, bounds: { id: ['11', '15'] } })
    const { tables } = await lake.commit([append('orders', a, b)])
    assert.equal(tables[0]!.current!.summary['total-records'], '15')
    const read = await other(2).table('orders')
    assert.deepEqual(read, tables[0])
    assert.deepEqual((await other(3).files(read)).map(plain), [a, b].map(plain))
    assert.deepEqual(names(await other(4).files(read, undefined, [{ column: 'id', op: '>', values: [10] }])), ['b'])
  }))

test('offsets, checkpoint and cursors move with the tables, and a zombie moves nothing', () =>
  withLake(async ({ lake, store }) => {
    const [a, b] = [await lake.create(orders('a')), await lake.create(orders('b'))]
    await store.catalog.acquire('p', 'g1')
    const pipeline = (generation: string, next: number) => ({
      pipeline: { name: 'p', generation, offsets: [{ topic: 'a', partition: 0, next }] },
      cursors: [{ name: 'c', value: String(next) }],
    })
    const file = (table: typeof a, name: string) => fakeDataFile(nodeDisk, lake, table, { name, rows: 1 })
    await lake.commit([append('a', await file(a, 'a1')), append('b', await file(b, 'b1'))], pipeline('g1', 5))
    await store.catalog.acquire('p', 'g2')
    const zombie = lake.commit([append('a', await file(a, 'a2'))], pipeline('g1', 9))
    await assert.rejects(zombie, code('MR_LAKE_FENCED'))
    const progress = await store.catalog.progress('p')
    assert.deepEqual(progress.offsets, [{ topic: 'a', partition: 0, next: 5 }])
    assert.deepEqual(names(await lake.files(await lake.table('a'))), ['a1'])
    assert.equal((await lake.commit([], pipeline('g2', 7))).tables.length, 0)
    assert.equal(await store.catalog.cursor('c'), '7')
  }))

test('several tables change together or not at all', () =>
  withLake(async ({ lake }) => {
    const [a, b] = [await lake.create(orders('a')), await lake.create(orders('b'))]
    const a1 = await fakeDataFile(nodeDisk, lake, a, { name: 'a1', rows: 1 })
    const before = [await lake.table('a'), await lake.table('b')]
    const broken: TableChange = { table: 'b', operation: 'overwrite', add: [], remove: ['/not/live'] }
    await assert.rejects(lake.commit([append('a', a1), broken]), code('MR_LAKE_CONFLICT'))
    assert.deepEqual([await lake.table('a'), await lake.table('b')], before)
    assert.deepEqual(
      readdirSync(`${lake.dataDirectory(b)}/../metadata`).filter((name) => name.endsWith('.avro')),
      [],
      'what was staged is removed',
    )
  }))

test('an overwrite replaces files; it fails when rows were added that it did not see', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create(orders())
    const file = (name: string, id: string) => fakeDataFile(nodeDisk, lake, table, { name, rows: 1, bounds: { id: [id, id] } })
    const [a, b] = [await file('a', '1'), await file('b', '2')]
    const first = (await lake.commit([append('orders', a, b)])).tables[0]!
    const rewrite = async (name: string, remove: DataFile, extra: Partial<TableChange>) =>
      lake.commit([{ table: 'orders', operation: 'overwrite', add: [await file(name, '1')], remove: [remove.path], ...extra }])
    await rewrite('a2', a, { validateFrom: first.current!.id })
    await assert.rejects(rewrite('b2', b, { validateFrom: first.current!.id }), code('MR_LAKE_CONFLICT'))
    const elsewhere = [{ column: 'id', op: '>=' as const, values: [2] }]
    await rewrite('b3', b, { validateFrom: first.current!.id, validateWhere: elsewhere })
    await assert.rejects(rewrite('a4', a, {}), code('MR_LAKE_CONFLICT'), 'a is not live any more')
    await assert.rejects(rewrite('b4', b, { validateFrom: 12345n }), code('MR_LAKE_CONFLICT'))
    const table2 = await lake.table('orders')
    assert.deepEqual(names(await lake.files(table2)), ['a2', 'b3'])
    assert.equal(table2.current!.summary['total-records'], '2')
    assert.equal(table2.current!.summary['total-data-files'], '2')
    assert.deepEqual(names(await lake.files(table2, table2.snapshots[0])), ['a', 'b'], 'the old snapshot is unchanged')
  }))

test('a compaction does not disturb appends, nor an overwrite of other files', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create(orders())
    const file = (name: string) => fakeDataFile(nodeDisk, lake, table, { name, rows: 1 })
    const [a, b, c] = [await file('a'), await file('b'), await file('c')]
    const base = (await lake.commit([append('orders', a, b, c)])).tables[0]!
    await lake.commit([{ table: 'orders', operation: 'replace', add: [await file('ab')], remove: [a.path, b.path] }])
    await lake.commit([append('orders', await file('d'))])
    const again: TableChange = { table: 'orders', operation: 'replace', add: [await file('bc')], remove: [b.path, c.path] }
    await assert.rejects(lake.commit([again]), code('MR_LAKE_CONFLICT'), 'one of its files is gone')
    assert.deepEqual(names(await lake.files(await lake.table('orders'))), ['ab', 'c', 'd'])
    const late: TableChange = { table: 'orders', operation: 'delete', add: [], remove: [c.path], validateFrom: base.current!.id }
    await assert.rejects(lake.commit([late]), code('MR_LAKE_CONFLICT'), 'd was appended')
  }))

test('what was computed before a restore does not undo it', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create(orders())
    const file = (name: string) => fakeDataFile(nodeDisk, lake, table, { name, rows: 1 })
    const [a, b] = [await file('a'), await file('b')]
    const first = (await lake.commit([append('orders', a)])).tables[0]!
    const second = (await lake.commit([append('orders', b)])).tables[0]!
    await lake.restore('orders', first.current!.id)
    const rewrite = { table: 'orders', operation: 'replace' as const, add: [await file('a2')], remove: [a.path] }
    for (const from of [{ readFrom: second.current!.id }, { validateFrom: second.current!.id }])
      await assert.rejects(lake.commit([{ ...rewrite, ...from }]), code('MR_LAKE_CONFLICT'))
    const restored = await lake.table('orders')
    assert.deepEqual(names(await lake.files(restored)), ['a'])
    await lake.commit([{ ...rewrite, readFrom: restored.current!.id }])
    assert.deepEqual(names(await lake.files(await lake.table('orders'))), ['a2'])
  }))

test('a lost compare-and-set is staged anew without touching data files', () =>
  withLake(async ({ lake, other, clock }) => {
    const table = await lake.create(orders())
    const lakes = [lake, ...Array.from({ length: 3 }, (_, i) => other(10 + i))]
    const files = await Promise.all(lakes.map((one, i) => fakeDataFile(nodeDisk, one, table, { name: `f${i}`, rows: 1 })))
    let open = lakes.length
    const commits = lakes.map((one, i) => one.commit([append('orders', files[i]!)]).finally(() => open--))
    while (open > 0) await clock.advance(50)
    await Promise.all(commits)
    const after = await lake.table('orders')
    assert.deepEqual(
      after.snapshots.map((snapshot) => snapshot.sequence),
      [1, 2, 3, 4],
    )
    assert.deepEqual(names(await lake.files(after)), ['f0', 'f1', 'f2', 'f3'])
  }))

test('time travel by id, tag and time; an unknown snapshot names what there is', () =>
  withLake(async ({ lake, clock }) => {
    const table = await lake.create(orders())
    await clock.advance(1_000)
    const add = async (name: string) =>
      (await lake.commit([append('orders', await fakeDataFile(nodeDisk, lake, table, { name, rows: 1 }))])).tables[0]!
    const first = await add('a')
    const firstMs = clock.nowMs()
    await clock.advance(60_000)
    await add('b')
    const now = await lake.setTag('orders', 'close-2023', first.current!.id)
    assert.equal(lake.snapshotAt(now, { id: first.current!.id }).id, first.current!.id)
    assert.equal(lake.snapshotAt(now, { tag: 'close-2023' }).id, first.current!.id)
    assert.equal(lake.snapshotAt(now, { timestampMs: firstMs + 59_999 }).id, first.current!.id)
    assert.equal(lake.snapshotAt(now, { timestampMs: firstMs + 60_000 }).id, now.current!.id)
    for (const choice of [{ id: 1n }, { tag: 'nope' }, { tag: 'constructor' }, { timestampMs: 5 }]) {
      assert.throws(
        () => lake.snapshotAt(now, choice),
        (error: { code: string; fix: string }) => {
          assert.equal(error.code, 'MR_LAKE_SNAPSHOT_UNKNOWN')
          assert.match(error.fix, new RegExp(`${first.current!.id}.*close-2023`))
          return true
        },
      )
    }
    await assert.rejects(lake.setTag('orders', 'main', first.current!.id), code('MR_LAKE_SPEC'))
    await assert.rejects(lake.setTag('orders', 'x', 99n), code('MR_LAKE_SNAPSHOT_UNKNOWN'))
    assert.deepEqual(Object.keys((await lake.removeTag('orders', 'close-2023')).refs), ['main'])
  }))

test('expiry keeps what is recent, tagged or pinned, and removes the files that only the rest needs', () =>
  withLake(async ({ lake, clock, directory }) => {
    const table = await lake.create(orders())
    const files: DataFile[] = []
    for (let i = 0; i < 6; i++) {
      const file = await fakeDataFile(nodeDisk, lake, table, { name: `f${i}`, rows: 1 })
      const remove = i === 0 ? [] : [files[i - 1]!.path]
      await lake.commit([{ table: 'orders', operation: 'overwrite', add: [file], remove }])
      files.push(file)
      await clock.advance(1_000)
    }
    const before = await lake.table('orders')
    await lake.setTag('orders', 'kept', before.snapshots[1]!.id)
    await lake.setTag('orders', 'short', before.snapshots[2]!.id, { maxAgeMs: 500 })
    const release = lake.pin(before, before.snapshots[3]!)
    const limits = { olderThanMs: 100, retainLast: 2 }
    assert.equal((await lake.expire('orders', limits)).snapshots, 2)
    const data = () => readdirSync(join(directory, 'lake/orders/data')).map((name) => name.replace('.parquet', ''))
    assert.deepEqual(data(), ['f1', 'f3', 'f4', 'f5'])
    const after = await lake.table('orders')
    assert.deepEqual(Object.keys(after.refs).sort(), ['kept', 'main'])
    assert.deepEqual(names(await lake.files(after, lake.snapshotAt(after, { tag: 'kept' }))), ['f1'])
    assert.throws(() => lake.snapshotAt(after, { id: before.snapshots[0]!.id }), code('MR_LAKE_SNAPSHOT_UNKNOWN'))
    release()
    release()
    assert.equal((await lake.expire('orders', limits)).snapshots, 1)
    assert.deepEqual(data(), ['f1', 'f4', 'f5'])
    assert.deepEqual(await lake.expire('orders', limits), { snapshots: 0, names: 0, files: 0, bytes: 0 })
    for (const snapshot of (await lake.table('orders')).snapshots) await lake.files(after, snapshot)
  }))

test("a table's own properties say how long its history is", () =>
  withLake(async ({ lake, clock }) => {
    const properties = {
      'history.expire.max-snapshot-age-ms': '2500',
      'history.expire.min-snapshots-to-keep': '1',
      'history.expire.max-ref-age-ms': '3500',
    }
    const table = await lake.create({ ...orders(), properties })
    for (let i = 0; i < 5; i++) {
      await lake.commit([append('orders', await fakeDataFile(nodeDisk, lake, table, { name: `f${i}`, rows: 1 }))])
      await clock.advance(1_000)
    }
    const [first, second, ...rest] = (await lake.table('orders')).snapshots
    await lake.setTag('orders', 'old', first!.id)
    await lake.setTag('orders', 'own', second!.id, { maxAgeMs: 10_000 })
    const { bytes, ...expired } = await lake.expire('orders', { olderThanMs: 0, retainLast: 100 })
    assert.deepEqual(expired, { snapshots: 2, names: 1, files: 2 })
    assert.ok(bytes >= 0)
    const after = await lake.table('orders')
    assert.deepEqual(
      after.snapshots.map((snapshot) => snapshot.id),
      [second!.id, ...rest.slice(1).map((snapshot) => snapshot.id)],
    )
    assert.deepEqual(Object.keys(after.refs).sort(), ['main', 'own'])
  }))

test('a table whose files may have no field ids is refused, not read as nulls', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create({ ...orders(), properties: { 'schema.name-mapping.default': '[]' } })
    const file = await fakeDataFile(nodeDisk, lake, table, { name: 'a', rows: 1 })
    const { tables } = await lake.commit([append('orders', file)])
    await assert.rejects(lake.files(tables[0]!), code('MR_LAKE_VERSION'))
  }))

test('files of other formats are not read, and neither removed nor in the way of what is', () =>
  withLake(async ({ lake, directory }) => {
    const table = await lake.create(orders())
    const lost = await fakeDataFile(nodeDisk, lake, table, { name: 'lost', rows: 1 })
    const file = { ...(await fakeDataFile(nodeDisk, lake, table, { name: 'a', rows: 1 })), format: 'ORC' }
    const { tables } = await lake.commit([append('orders', file)])
    await assert.rejects(lake.files(tables[0]!), code('MR_LAKE_VERSION'))
    assert.deepEqual(
      (await lake.check('orders')).snapshots.map(({ damage, dataFiles }) => [damage, dataFiles.length]),
      [[[], 1]],
    )
    const clock = new VirtualClock(4_000_000_000_000) // the files carry the machine's time
    const random = seededRandom(9)
    const future = openLake({ disk: nodeDisk, clock, random, catalog: lake.catalog, directory: join(directory, 'lake') })
    assert.equal((await future.removeOrphans(1_000)).files, 1)
    assert.deepEqual([existsSync(file.path), existsSync(lost.path)], [true, false])
    await lake.drop('orders', { purge: true })
    assert.ok(!existsSync(file.path))
  }))

test('orphans go when they are old; what is reachable or young stays', () =>
  withLake(async ({ lake, other, directory }) => {
    const table = await lake.create(orders())
    const kept = await fakeDataFile(nodeDisk, lake, table, { name: 'kept', rows: 1 })
    await fakeDataFile(nodeDisk, lake, table, { name: 'lost', rows: 1 })
    await lake.commit([append('orders', kept)])
    await lake.create(orders('gone'))
    await lake.drop('gone')
    let denied = ['secret']
    // The files carry the machine's time, far beyond the virtual clock's.
    assert.equal((await lake.removeOrphans(1_000)).files, 0)
    const future = openLake({
      disk: nodeDisk,
      clock: new VirtualClock(4_000_000_000_000),
      random: seededRandom(9),
      catalog: { ...lake.catalog, denied: async () => denied },
      directory: join(directory, 'lake'),
    })
    // What another's catalog denies may have files here.
    assert.equal((await future.removeOrphans(1_000)).files, 0)
    denied = []
    assert.equal((await future.removeOrphans(1_000)).files, 2, 'the lost data file and the metadata of the dropped table')
    assert.deepEqual(names(await other(5).files(await other(5).table('orders'))), ['kept'])
    assert.deepEqual(readdirSync(join(directory, 'lake/orders/data')), ['kept.parquet'])
    assert.deepEqual(readdirSync(join(directory, 'lake/gone/metadata')), [])
  }))

test('shape, partition, order and properties change in the same commit as data', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create(orders())
    const a = await fakeDataFile(nodeDisk, lake, table, {
      name: 'a',
      rows: 1,
      bounds: { at: ['2024-01-01 00:00:00+00', '2024-01-02 00:00:00+00'] },
    })
    await lake.commit([append('orders', a)])
    const shape: Shape = {
      fields: [
        SHAPE.fields[0]!,
        SHAPE.fields[1]!,
        { name: 'title', type: { kind: 'string' }, optional: true },
        { name: 'n', type: { kind: 'int' }, optional: true },
      ],
    }
    const changed = (
      await lake.commit([
        {
          table: 'orders',
          operation: 'append',
          add: [],
          remove: [],
          shape,
          renames: { name: 'title' },
          partition: [{ transform: 'day', column: 'at' }],
          cluster: ['at'],
          properties: { 'millrace.note': 'x' },
        },
      ])
    ).tables[0]!
    assert.deepEqual(
      changed.schema.fields.map((field) => [field.id, field.name]),
      [
        [1, 'id'],
        [2, 'at'],
        [3, 'title'],
        [4, 'n'],
      ],
    )
    assert.equal(changed.properties['millrace.note'], 'x')
    assert.deepEqual(changed.sort, [2])
    assert.equal(changed.spec.id, 1)
    const b = await fakeDataFile(nodeDisk, lake, changed, { name: 'b', rows: 1, partition: { at_day: 19_800 } })
    const c = await fakeDataFile(nodeDisk, lake, changed, { name: 'c', rows: 1, partition: { at_day: 19_724 } })
    await lake.commit([append('orders', b)])
    const both = (await lake.commit([append('orders', c)])).tables[0]!
    const on = async (op: '=' | '<' | '>=', value: string) =>
      names(await lake.files(both, undefined, [{ column: 'at', op, values: [value] }]))
    assert.deepEqual(await on('=', '2024-01-02'), ['a', 'c'], 'files of both specs are pruned')
    assert.deepEqual(await on('>=', '2024-03-18'), ['b'])
    assert.deepEqual(await on('<', '2024-01-02'), ['a', 'c'])
    await assert.rejects(
      lake.commit([{ table: 'orders', operation: 'append', add: [], remove: [], shape: { fields: [SHAPE.fields[0]!] } }]),
      code('MR_SCHEMA_EVOLUTION'),
    )
    await assert.rejects(lake.commit([append('orders', { ...b, specId: 7 })]), code('MR_LAKE_SPEC'))
  }))

test('a hundred small manifests become one, and nothing is lost', () =>
  withLake(async ({ lake, other }) => {
    const table = await lake.create(orders())
    for (let i = 0; i < 105; i++)
      await lake.commit([append('orders', await fakeDataFile(nodeDisk, lake, table, { name: `f${i}`, rows: 1 }))])
    const after = await other(3).table('orders')
    assert.equal((await other(3).files(after)).length, 105)
    assert.equal(after.current!.summary['total-records'], '105')
    const metadata = readdirSync(`${lake.dataDirectory(table)}/../metadata`)
    assert.equal(metadata.filter((name) => name.endsWith('.metadata.json')).length, 101, 'the log keeps 100 and the current one')
  }))

test('compaction is planned per partition, in sort order, for many small files only', () =>
  withLake(async ({ lake }) => {
    const table = await lake.create({ ...orders(), partition: [{ transform: 'day', column: 'at' }] })
    const file = (name: string, day: number, id: number, sizeBytes: number) =>
      fakeDataFile(nodeDisk, lake, table, {
        name,
        rows: 1,
        sizeBytes,
        partition: { at_day: day },
        bounds: { id: [String(id), String(id)] },
      })
    const add: DataFile[] = []
    for (let i = 0; i < 20; i++) add.push(await file(`s${i}`, 1, 100 - i, 10))
    for (let i = 0; i < 15; i++) add.push(await file(`t${i}`, 2, i, 10))
    add.push(await file('large', 1, 5, 1_000))
    const after = (await lake.commit([append('orders', ...add)])).tables[0]!
    const groups = await lake.planCompaction(after, { smallBytes: 100, targetBytes: 100 })
    assert.deepEqual(
      groups.map((group) => [group.partition['at_day'], group.files.length, group.sizeBytes]),
      [
        [1, 10, 100],
        [1, 10, 100],
      ],
    )
    assert.deepEqual(names(groups[0]!.files), names(add.slice(10, 20)), 'neighbours in the sort order')
    assert.deepEqual(await lake.planCompaction(after, { smallBytes: 100, minFiles: 21 }), [])
  }))
