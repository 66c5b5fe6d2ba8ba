// Rewriting manifests: the same files with the same sequence numbers in fewer manifests, clustered by partition; conflicts
// are still found and earlier snapshots still read. Crashes are in test/simulation/care.test.ts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeDataFile } from '../../test/simulation/fake-data-file.ts'
import { FakeDisk } from '../../test/simulation/fake-disk.ts'
import { modelCatalog } from '../../test/simulation/model-catalog.ts'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import { DELETED } from './manifest.ts'
import { MetadataFiles } from './metadata-files.ts'
import { type Lake, openLake } from './open-lake.ts'

const SHOPS = 4
const FILES = 40

async function setUp() {
  const random = seededRandom(7)
  const clock = new VirtualClock(1_750_000_000_000)
  const disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
  const catalog = modelCatalog()
  const open = (): Lake => openLake({ disk, clock, random, catalog, directory: '/srv/lake' })
  const lake = open()
  const int = { kind: 'int' } as const
  await lake.create({
    name: 'orders',
    shape: {
      fields: [
        { name: 'id', type: int, optional: false },
        { name: 'shop', type: int, optional: false },
      ],
    },
    partition: [{ transform: 'identity', column: 'shop' }],
    cluster: [],
    key: [],
  })
  for (let index = 0; index < FILES; index++) {
    const table = await lake.table('orders')
    const shop = (index * 3) % SHOPS
    const file = await fakeDataFile(disk, lake, table, {
      name: `f${index}`,
      rows: 1,
      partition: { shop },
      bounds: { shop: [`${shop}`, `${shop}`] },
    })
    await lake.commit([{ table: 'orders', operation: 'append', add: [file], remove: [] }])
  }
  /** Every live entry by its file, and the manifests. */
  const entries = async () => {
    const files = new MetadataFiles(disk, random)
    const table = await open().table('orders')
    const manifests = await files.list(table.current!.manifestList)
    const all = (await Promise.all(manifests.map((manifest) => files.entries(manifest, table)))).flat()
    const live = all.filter((entry) => entry.status !== DELETED)
    const numbers = live.map((entry) => [entry.file.path, entry.snapshotId, entry.sequence, entry.fileSequence] as const)
    return { manifests, numbers: numbers.sort(([a], [b]) => (a < b ? -1 : 1)) }
  }
  return { lake, open, disk, entries }
}

test('many manifests become few: every entry keeps its snapshot and sequence numbers, totals stay', async () => {
  const { lake, open, entries } = await setUp()
  const before = await entries()
  const old = await lake.table('orders')
  assert.equal(before.manifests.length, FILES)
  assert.equal(await lake.rewriteManifests('orders', { minManifests: FILES + 1 }), null, 'not worth it')
  const done = await lake.rewriteManifests('orders')
  assert.deepEqual([done!.before.length, done!.after.length], [FILES, 1])
  const after = await entries()
  assert.equal(after.manifests.length, 1)
  assert.deepEqual(after.numbers, before.numbers)
  assert.equal(after.manifests[0]!.minSequence, 1)
  const now = await open().table('orders')
  const { summary, operation, sequence } = now.current!
  assert.deepEqual([operation, sequence, now.snapshots.length], ['replace', FILES + 1, FILES + 1])
  assert.equal(summary['total-records'], old.current!.summary['total-records'])
  assert.deepEqual([summary['manifests-replaced'], summary['manifests-created'], summary['entries-processed']], ['40', '1', '40'])
  assert.equal((await open().files(now, now.snapshots[4]!)).length, 5, 'an earlier snapshot is as it was')
  assert.deepEqual(
    (await open().check('orders')).snapshots.flatMap(({ damage }) => damage),
    [],
  )
  assert.equal(await lake.rewriteManifests('orders'), null, 'once is enough')
})

test('cut by size, each manifest holds neighbouring partitions: a question about one opens one', async () => {
  const { lake, open, entries } = await setUp()
  const bytes = (await entries()).manifests.reduce((sum, manifest) => sum + manifest.sizeBytes, 0)
  await lake.rewriteManifests('orders', { targetBytes: Math.floor(bytes / SHOPS) })
  const { manifests } = await entries()
  assert.equal(manifests.length, SHOPS)
  const ranges = manifests.map(({ partitions }) =>
    [partitions![0]!.lower, partitions![0]!.upper].map((bound) => Buffer.from(bound!).readInt32LE()),
  )
  assert.deepEqual(
    ranges.sort(([a], [b]) => a! - b!),
    [...Array(SHOPS).keys()].map((shop) => [shop, shop]),
  )
  const table = await open().table('orders')
  assert.equal((await open().files(table, undefined, [{ column: 'shop', op: '=', values: [2] }])).length, FILES / SHOPS)
})

test('what was added before a rewrite still refuses a commit that did not see it', async () => {
  const { lake, disk } = await setUp()
  const seen = (await lake.table('orders')).snapshots.at(-2)!.id
  await lake.rewriteManifests('orders')
  const table = await lake.table('orders')
  const file = await fakeDataFile(disk, lake, table, { name: 'late', rows: 1, partition: { shop: 0 } })
  // The last file that was added is of shop (39 * 3) % 4.
  const change = (shop: number) => ({
    table: 'orders',
    operation: 'overwrite' as const,
    add: [file],
    remove: [],
    validateFrom: seen,
    validateWhere: [{ column: 'shop', op: '=' as const, values: [shop] }],
  })
  await assert.rejects(lake.commit([change(1)]), { code: 'MR_LAKE_CONFLICT' })
  await lake.commit([change(0)])
})
