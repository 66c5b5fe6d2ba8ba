// Commits of other engines on a disk that loses what was not synced: races between processes, a lost answer, a power cut,
// tables that move and are renamed, and files that are not ours to remove.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeDataFile } from '../../test/simulation/fake-data-file.ts'
import { FakeDisk } from '../../test/simulation/fake-disk.ts'
import { modelCatalog } from '../../test/simulation/model-catalog.ts'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import type { Catalog } from '../store/catalog.ts'
import { toPath } from './location.ts'
import { ADDED } from './manifest.ts'
import { MetadataFiles } from './metadata-files.ts'
import { type Lake, openLake } from './open-lake.ts'
import type { LakeTable } from './types.ts'
import type { Update } from './updates/update.ts'

const DIRECTORY = '/srv/lake'
const SCHEMA = { type: 'struct' as const, 'schema-id': 0, fields: [{ id: 1, name: 'id', required: false, type: 'long' }] }

interface World {
  readonly disk: FakeDisk
  readonly clock: VirtualClock
  readonly catalog: Catalog
  /** A process of its own. */
  open(seed: number, disk?: FakeDisk, catalog?: Catalog): Lake
}

function world(): World {
  const clock = new VirtualClock(1_750_000_000_000)
  const disk = new FakeDisk(seededRandom(3), { nowMs: () => clock.nowMs() })
  const catalog = modelCatalog()
  const open: World['open'] = (seed, on = disk, by = catalog) =>
    openLake({ disk: on, clock, random: seededRandom(seed), catalog: by, directory: DIRECTORY, locations: ['/srv/other'] })
  return { disk, clock, catalog, open }
}

const named = (name: string) => ({ name, shown: name })
const change = (name: string, updates: readonly Update[], requirements: readonly { type: string }[] = []) => ({
  ...named(name),
  requirements,
  updates,
})
const property = (key: string): Update => ({ action: 'set-properties', updates: { [key]: 'x' } })

async function create(lake: Lake, name: string, location?: string): Promise<LakeTable> {
  return lake.outside.create(named(name), await lake.outside.stage(name, { schema: SCHEMA, ...(location ? { location } : {}) }))
}

/** What another engine writes before it commits, nothing of it synced; answers the updates that commit it. */
async function append(disk: FakeDisk, lake: Lake, table: LakeTable, id: number, path?: string, sequence = id): Promise<Update[]> {
  const file = path
    ? { ...(await fakeDataFile(disk, lake, table, { name: `f${id}`, rows: 1 })), path }
    : await fakeDataFile(disk, lake, table, { name: `f${id}`, rows: 1 })
  const files = new MetadataFiles(disk, seededRandom(id), [DIRECTORY])
  const numbers = { id: BigInt(id), parentId: table.current?.id ?? null, sequence }
  const entry = { status: ADDED, snapshotId: numbers.id, sequence, fileSequence: sequence, sortOrderId: null, file } as const
  const before = table.current ? await files.list(table.current.manifestList) : []
  const manifest = await files.writeManifest([entry], table, 0, numbers, 1)
  const list = (await files.writeList([manifest, ...before], table, numbers, 1)).uri
  for (const written of [manifest.path, toPath(list)]) await unsynced(disk, written)
  const snapshot = {
    'snapshot-id': id,
    ...(numbers.parentId === null ? {} : { 'parent-snapshot-id': numbers.parentId }),
    'sequence-number': sequence,
    'timestamp-ms': 1_750_000_000_000 + id,
    'manifest-list': list,
    summary: { operation: 'append' },
    'schema-id': 0,
  }
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
  ]
}

async function unsynced(disk: FakeDisk, path: string): Promise<void> {
  const bytes = await disk.readFile(path)
  await disk.remove(path)
  const file = await disk.open(path, 'create')
  await file.write([bytes], 0)
  await file.close()
}

const paths = async (lake: Lake, table: LakeTable) => (await lake.files(table)).map((file) => toPath(file.path))

test('commits of two processes whose requirements hold all get through, each on top of the other', async () => {
  const { open, clock, catalog } = world()
  const lakes = [open(1), open(2)]
  await create(lakes[0]!, 'n.t')
  let left = 20
  const all = Array.from({ length: 20 }, (_, index) =>
    lakes[index % 2]!.outside.update([change('n.t', [property(`k${index}`)])]).finally(() => left--),
  )
  while (left > 0) await clock.advance(50)
  await Promise.all(all)
  const table = await open(3).table('n.t')
  assert.equal(Object.keys(table.properties).length, 20)
  assert.equal((await catalog.changesAfter(0)).length, 21, 'whoever follows the changes hears of each')
  assert.equal((await open(3).metadata(table))['metadata-log'].length, 20)
})

test('12 writers in 2 processes who read, append and try again: no row is lost, and history is one line', async () => {
  const { open, clock, disk } = world()
  const lakes = [open(1), open(2)]
  await create(lakes[0]!, 'n.t')
  let [left, refused] = [12, 0]
  const writers = Array.from({ length: 12 }, async (_, writer) => {
    const lake = lakes[writer % 2]!
    for (let count = 0; count < 10; ) {
      const table = await lake.table('n.t')
      const id = 1_000_000 + refused * 1_000 + writer * 10 + count
      const main = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': table.current?.id ?? null }
      const updates = await append(disk, lake, table, id, undefined, (table.current?.sequence ?? 0) + 1)
      const isDone = await lake.outside.update([change('n.t', updates, [main])]).then(
        () => true,
        (error: { code?: string }) => {
          assert.equal(error.code, 'MR_LAKE_CONFLICT')
          return false
        },
      )
      if (isDone) count++
      else refused++
    }
    left--
  })
  while (left > 0) await clock.advance(50)
  await Promise.all(writers)
  const lake = open(3)
  const table = await lake.table('n.t')
  assert.deepEqual(
    table.snapshots.map((snapshot) => snapshot.sequence),
    Array.from({ length: 120 }, (_, index) => index + 1),
  )
  for (const [index, snapshot] of table.snapshots.entries()) assert.equal(snapshot.parentId, table.snapshots[index - 1]?.id ?? null)
  assert.equal(new Set(await paths(lake, table)).size, 120)
  assert.ok(refused > 0, 'nobody was ever refused')
})

test('a requirement that stops holding while others commit is refused and changes nothing', async () => {
  const { open } = world()
  const [one, two] = [open(1), open(2)]
  const table = await create(one, 'n.t')
  const none = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }
  await two.outside.update([change('n.t', [property('a')], [none])])
  await one.outside.update([change('n.t', [property('b')], [none])])
  const requirement = { type: 'assert-table-uuid', uuid: 'another' }
  await assert.rejects(one.outside.update([change('n.t', [property('c')], [requirement])]), { code: 'MR_LAKE_CONFLICT' })
  assert.deepEqual(Object.keys((await open(3).table('n.t')).properties), ['a', 'b'])
  assert.equal(table.uuid, (await open(3).table('n.t')).uuid)
})

test('one table that fails leaves all as they were', async () => {
  const { open, catalog } = world()
  const lake = open(1)
  await create(lake, 'n.a')
  await create(lake, 'n.b')
  const before = await catalog.tables()
  const uuid = { type: 'assert-table-uuid', uuid: 'another' }
  await assert.rejects(lake.outside.update([change('n.a', [property('x')]), change('n.b', [property('x')], [uuid])]), {
    code: 'MR_LAKE_CONFLICT',
  })
  assert.deepEqual(await catalog.tables(), before)
})

test('an answer that is lost is no refusal, and its files stay', async () => {
  const { open, catalog, disk } = world()
  await create(open(1), 'n.t')
  const breaking: Catalog = {
    ...catalog,
    commit: async (request) => {
      await catalog.commit(request)
      throw new Error('the connection broke')
    },
  }
  await assert.rejects(open(2, disk, breaking).outside.update([change('n.t', [property('a')])]), { message: 'the connection broke' })
  assert.deepEqual((await open(3).table('n.t')).properties, { a: 'x' })
})

test('what the other engine wrote survives a power cut right after its commit', async () => {
  const { open, disk } = world()
  const lake = open(1)
  const table = await create(lake, 'n.t')
  await lake.outside.update([change('n.t', await append(disk, lake, table, 1))])
  const survivor = disk.crash()
  const after = open(2, survivor)
  const [path] = await paths(after, await after.table('n.t'))
  assert.equal((await survivor.readFile(path!)).toString(), 'f1')
})

test('a crash at any call leaves the old table or the new one; the request that comes again is carried out once in all', async () => {
  const finished = { key: 'k', request: 'r', answer: '{}' }
  let [crashes, before, after] = [0, 0, 0]
  for (let call = 1; ; call++) {
    const { open, disk, catalog } = world()
    const lake = open(1)
    const updates = await append(disk, lake, await create(lake, 'n.t'), 1)
    const commit = (by: Lake) =>
      by.outside.update([{ ...change('n.t', updates), requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main' }] }], finished)
    disk.crashAt(call)
    const isDone = await commit(lake).then(
      () => true,
      () => false,
    )
    disk.disarm()
    const survivor = open(2, disk.isCrashed ? disk.kill() : disk)
    const wasThere = (await survivor.table('n.t')).snapshots.length === 1
    assert.ok(wasThere || !isDone)
    assert.equal((await catalog.finished('k', 1_750_000_000_000)) !== null, wasThere, 'the change and the key are one transaction')
    if (!wasThere) await commit(survivor)
    assert.equal((await survivor.table('n.t')).snapshots.length, 1)
    // The same with the power gone: once the commit is there, so is all that it names.
    if (wasThere) {
      const cut = disk.crash()
      const [path] = await paths(open(3, cut), await open(3, cut).table('n.t'))
      assert.equal((await cut.readFile(path!)).toString(), 'f1')
    }
    if (isDone) break
    crashes++
    if (wasThere) after++
    else before++
  }
  assert.ok(crashes >= 10 && before >= 10, `${crashes} crashes, ${before} before the commit, ${after} after it`)
})

test('a table that was renamed, and one that moved, keep their files when orphans go', async () => {
  const { open, disk, clock } = world()
  const lake = open(1)
  const first = await create(lake, 'n.t')
  await lake.outside.update([change('n.t', await append(disk, lake, first, 1))])
  await lake.rename('n.t', 'n.renamed')
  const second = await create(lake, 'n.t')
  assert.notEqual(second.location, first.location)
  await lake.outside.update([change('n.t', await append(disk, lake, second, 1))])
  await lake.outside.update([change('n.t', [{ action: 'set-location', location: `file://${DIRECTORY}/elsewhere` }])])
  await fakeDataFile(disk, lake, first, { name: 'lost', rows: 1 })
  await clock.advance(10_000)
  assert.ok((await open(2).removeOrphans(1_000)).files > 0, 'the lost file and those of lost attempts')
  for (const name of ['n.t', 'n.renamed']) {
    const table = await open(3).table(name)
    for (const path of await paths(open(3), table)) assert.ok(await disk.stat(path), `${name}: ${path}`)
  }
  assert.equal(await disk.stat(`${toPath(first.location)}/data/lost.parquet`), undefined)
})

test('a purge and an expiry remove what lies in the table, and nothing that a manifest names elsewhere', async () => {
  const { open, disk, clock } = world()
  const lake = open(1)
  const table = await create(lake, 'n.t')
  const other = await create(lake, 'n.other')
  await lake.outside.update([change('n.other', await append(disk, lake, other, 1))])
  const [theirs] = await paths(lake, await lake.table('n.other'))
  await lake.outside.update([change('n.t', await append(disk, lake, table, 1, theirs!))])
  const current = await lake.table('n.t')
  await lake.outside.update([change('n.t', await append(disk, lake, current, 2))])
  await lake.outside.update([change('n.t', [{ action: 'remove-snapshot-ref', 'ref-name': 'main' }])])
  await clock.advance(10_000)
  await lake.expire('n.t', { olderThanMs: 1_000, retainLast: 1 })
  assert.ok(await disk.stat(theirs!))
  assert.equal(await disk.stat(`${toPath(table.location)}/data/f2.parquet`), undefined)
  const last = await lake.table('n.t')
  await lake.outside.update([change('n.t', await append(disk, lake, last, 3, theirs!))])
  await lake.drop('n.t', { purge: true })
  assert.ok(await disk.stat(theirs!))
  assert.deepEqual(
    disk.paths().filter((path) => path.startsWith(`${toPath(table.location)}/metadata/`)),
    [],
  )
})

test('a confined commit adds files of the table itself and no others', async () => {
  const { open, disk } = world()
  const lake = open(1)
  const [table, other] = [await create(lake, 'n.t'), await create(lake, 'n.other')]
  const confined = (updates: readonly Update[]) => lake.outside.update([{ ...change('n.t', updates), confined: true }])
  await lake.outside.update([change('n.other', await append(disk, lake, other, 1))])
  const [theirs] = await paths(lake, await lake.table('n.other'))
  await assert.rejects(confined(await append(disk, lake, table, 1, theirs!)), { code: 'MR_LAKE_LOCATION' })
  await assert.rejects(confined(await append(disk, lake, other, 2)), { code: 'MR_LAKE_LOCATION' })
  await assert.rejects(confined(await append(disk, lake, table, 3, `${DIRECTORY}/x/../${theirs!}`)), { code: 'MR_LAKE_LOCATION' })
  await confined(await append(disk, lake, table, 4))
  await confined(await append(disk, lake, await lake.table('n.t'), 5))
  assert.equal((await paths(lake, await lake.table('n.t'))).length, 2)
  const [add, set] = await append(disk, lake, await lake.table('n.t'), 6)
  await disk.remove(toPath((add!['snapshot'] as { 'manifest-list': string })['manifest-list']))
  await assert.rejects(confined([add!, set!]), { code: 'MR_LAKE_CORRUPT' }, 'what cannot be looked into is not let in')
})

test('a table says itself what expires, and that nothing of it is removed', async () => {
  const { open, disk, clock } = world()
  const lake = open(1)
  const made = await create(lake, 'n.t')
  for (const id of [1, 2, 3, 4]) await lake.outside.update([change('n.t', await append(disk, lake, await lake.table('n.t'), id))])
  const say = (updates: Record<string, string>) => lake.outside.update([change('n.t', [{ action: 'set-properties', updates }])])
  await clock.advance(10_000)
  const limits = { olderThanMs: 1_000, retainLast: 1 }
  await say({ 'gc.enabled': 'false' })
  assert.deepEqual(await lake.expire('n.t', limits), { snapshots: 0, names: 0, files: 0, bytes: 0 })
  await say({ 'gc.enabled': 'true', 'history.expire.max-snapshot-age-ms': '3600000' })
  assert.equal((await lake.expire('n.t', limits)).snapshots, 0)
  await say({ 'history.expire.max-snapshot-age-ms': '1000', 'history.expire.min-snapshots-to-keep': '3' })
  assert.equal((await lake.expire('n.t', limits)).snapshots, 1)
  await say({ 'gc.enabled': 'false' })
  await lake.drop('n.t', { purge: true })
  assert.ok(await disk.stat(`${toPath(made.location)}/data/f4.parquet`))
})

test('earlier metadata files that a registered table names elsewhere are not removed', async () => {
  const { open, disk } = world()
  const lake = open(1)
  const made = await create(lake, 'n.t')
  const metadata = { ...(await lake.metadata(made)), 'metadata-log': [{ 'metadata-file': '/srv/secret', 'timestamp-ms': 1 }] }
  await disk.makeDirectory('/srv')
  await disk.writeNew('/srv/secret', 'mine')
  const forged = `${toPath(made.location)}/metadata/00009-forged.metadata.json`
  await disk.writeNew(
    forged,
    JSON.stringify(metadata, (_key, value) => (typeof value === 'bigint' ? Number(value) : value)),
  )
  await lake.drop('n.t')
  await lake.outside.register(named('n.t'), { location: `file://${forged}`, overwrite: false })
  await lake.outside.update([change('n.t', [{ action: 'set-properties', updates: { 'write.metadata.previous-versions-max': '1' } }])])
  assert.equal((await disk.readFile('/srv/secret')).toString(), 'mine')
})

test('places: under the lake or an allowed directory, and no other table may overlap them', async () => {
  const { open } = world()
  const lake = open(1)
  await create(lake, 'n.a', 'file:/srv/other/a')
  for (const location of [
    'file:///etc/a',
    '/srv/lake',
    '/srv/lake/../../etc',
    'file:///srv/lake/a?b',
    's3://bucket/a',
    '/srv/other/a',
    '/srv/other/a/inside',
  ])
    await assert.rejects(create(lake, 'n.b', location), { code: 'MR_LAKE_LOCATION' }, location)
  await create(lake, 'n.b', '/srv/other/ab')
  const outside = { action: 'set-properties', updates: { 'write.metadata.path': '/etc' } }
  await assert.rejects(lake.outside.update([change('n.b', [outside])]), { code: 'MR_LAKE_LOCATION' })
  await assert.rejects(lake.outside.update([change('n.b', [{ action: 'set-location', location: '/srv/other/a' }])]), {
    code: 'MR_LAKE_LOCATION',
  })
})

test('a table of a version that Millrace does not write is kept, and written by its own engine only', async () => {
  const { open, disk } = world()
  const lake = open(1)
  const make = async (name: string, version: string) => {
    const staged = await lake.outside.stage(name, { schema: SCHEMA, properties: { 'format-version': version } })
    return lake.outside.create(named(name), staged)
  }
  let files = 0
  const append = async (table: LakeTable) => {
    const file = await fakeDataFile(disk, lake, table, { name: `f${files++}`, rows: 2 })
    return lake.commit([{ table: table.name, operation: 'append', add: [file], remove: [] }])
  }
  const old = await make('n.old', '1')
  await assert.rejects(append(old), { code: 'MR_LAKE_VERSION' })
  await lake.outside.update([change('n.old', [property('a')])])
  const table = await make('n.t', '3')
  assert.deepEqual([table.formatVersion, (await lake.metadata(table))['next-row-id']], [3, 0])
  await append(table)
  assert.equal((await lake.metadata(await lake.table('n.t')))['next-row-id'], 2)
  await lake.outside.update([change('n.old', [{ action: 'upgrade-format-version', 'format-version': 3 }])])
  await append(await lake.table('n.old'))
  assert.equal((await lake.metadata(await lake.table('n.old')))['next-row-id'], 2)
})
