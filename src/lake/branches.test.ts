// Branches: made with their retention, read, published together or not at all, refused when main or the branch went on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeDataFile } from '../../test/simulation/fake-data-file.ts'
import { FakeDisk } from '../../test/simulation/fake-disk.ts'
import { modelCatalog } from '../../test/simulation/model-catalog.ts'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import { openLake } from './open-lake.ts'

async function setUp() {
  const random = seededRandom(3)
  const clock = new VirtualClock(1_750_000_000_000)
  const disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
  const lake = openLake({ disk, clock, random, catalog: modelCatalog(), directory: '/srv/lake' })
  const shape = { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] } as const
  for (const name of ['a', 'b']) await lake.create({ name, shape, partition: [], cluster: [], key: [] })
  const append = async (name: string, file: string): Promise<bigint> => {
    const add = [await fakeDataFile(disk, lake, await lake.table(name), { name: file, rows: 1 })]
    return (await lake.commit([{ table: name, operation: 'append', add, remove: [] }])).tables[0]!.current!.id
  }
  const setRef = (name: string, ref: string, id: bigint): Promise<unknown> => {
    const update = { action: 'set-snapshot-ref', 'ref-name': ref, type: 'branch', 'snapshot-id': id }
    return lake.outside.update([{ name, shown: name, requirements: [], updates: [update as never] }])
  }
  /** A snapshot on the branch, as an engine outside writes one: main stays. */
  const appendTo = async (name: string, branch: string, file: string): Promise<bigint> => {
    const main = (await lake.table(name)).current!.id
    await setRef(name, 'main', (await lake.table(name)).refs[branch]!.snapshotId)
    const id = await append(name, file)
    await setRef(name, branch, id)
    await setRef(name, 'main', main)
    return id
  }
  const rows = async (name: string, branch?: string): Promise<string> => {
    const table = await lake.table(name)
    const files = await lake.files(table, branch === undefined ? table.current : lake.snapshotAt(table, { tag: branch }))
    return files
      .map(({ path }) => path.replace(/^.*\/|\.parquet$/g, ''))
      .sort()
      .join()
  }
  await append('a', 'a1')
  await append('b', 'b1')
  return { lake, clock, append, appendTo, rows }
}

test('what is on a branch is read there alone, until it is published with that of another table', async () => {
  const { lake, appendTo, rows } = await setUp()
  for (const name of ['a', 'b']) await lake.createBranch(name, 'audit')
  const heads = { a: await appendTo('a', 'audit', 'a2'), b: await appendTo('b', 'audit', 'b2') }
  assert.deepEqual([await rows('a'), await rows('a', 'audit')], ['a1', 'a1,a2'])
  const both = [
    { table: 'a', branch: 'audit', head: heads.a },
    { table: 'b', branch: 'audit', head: heads.b },
  ]
  await assert.rejects(lake.publish([both[0]!, { ...both[1]!, head: 7n }]), { code: 'MR_LAKE_CONFLICT' })
  assert.deepEqual([await rows('a'), await rows('b')], ['a1', 'b1'], 'of none')
  const tables = await lake.publish(both)
  assert.deepEqual(
    tables.map(({ current }) => current!.id),
    [heads.a, heads.b],
  )
  assert.deepEqual([await rows('a'), await rows('b')], ['a1,a2', 'b1,b2'])
  assert.equal((await lake.table('a')).log.at(-1)!.snapshotId, heads.a)
  const before = (await lake.table('a')).metadataLocation
  await lake.publish([both[0]!])
  assert.equal((await lake.table('a')).metadataLocation, before, 'twice is as good as once')
  assert.deepEqual(Object.keys((await lake.removeBranch('a', 'audit')).refs), ['main'])
})

test('a branch is not published over what main has besides', async () => {
  const { lake, append, appendTo, rows } = await setUp()
  await lake.createBranch('a', 'audit')
  const head = await appendTo('a', 'audit', 'a2')
  await append('a', 'a3')
  await assert.rejects(lake.publish([{ table: 'a', branch: 'audit', head }]), { code: 'MR_LAKE_CONFLICT', message: /main has snapshot/ })
  assert.equal(await rows('a'), 'a1,a3')
  await assert.rejects(lake.publish([{ table: 'a', branch: 'nothing', head }]), { code: 'MR_LAKE_SNAPSHOT_UNKNOWN' })
})

test('names and retention: as the table has them, expiry takes them', async () => {
  const { lake, clock, appendTo } = await setUp()
  const first = (await lake.table('a')).current!.id
  await lake.setTag('a', 'close', first)
  for (const name of ['main', '12', 'a b', 'close']) await assert.rejects(lake.createBranch('a', name), { code: 'MR_LAKE_SPEC' })
  await lake.createBranch('a', 'short', { maxAgeMs: 10_000, minSnapshots: 2, maxSnapshotAgeMs: 1_000 })
  await assert.rejects(lake.createBranch('a', 'short'), { code: 'MR_LAKE_SPEC' })
  await assert.rejects(lake.setTag('a', 'short', first), { code: 'MR_LAKE_SPEC' })
  await assert.rejects(lake.removeBranch('a', 'close'), { code: 'MR_LAKE_SPEC' })
  const ids = []
  for (const file of ['a2', 'a3', 'a4']) {
    await clock.advance(2_000)
    ids.push(await appendTo('a', 'short', file))
  }
  const { refs } = await lake.metadata(await lake.table('a'))
  const { 'snapshot-id': head, ...kept } = refs['short']!
  assert.deepEqual([head, kept], [ids[2], { type: 'branch' }], 'a writer that sets the branch says anew how long')
  await lake.removeBranch('a', 'short')
  await lake.createBranch('a', 'short', { snapshotId: ids[2]!, maxAgeMs: 10_000, minSnapshots: 2, maxSnapshotAgeMs: 1_000 })
  await clock.advance(3_000)
  await lake.expire('a', { olderThanMs: 0, retainLast: 1 })
  assert.deepEqual(
    (await lake.table('a')).snapshots.map(({ id }) => id),
    [first, ids[1], ids[2]],
  )
  await clock.advance(10_000)
  assert.equal((await lake.expire('a', { olderThanMs: 0, retainLast: 1 })).names, 1)
  assert.deepEqual(Object.keys((await lake.table('a')).refs).sort(), ['close', 'main'])
})
