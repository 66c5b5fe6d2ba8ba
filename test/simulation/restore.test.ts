// Going back to a snapshot on a disk that crashes at every call in turn: afterwards the table is as it was or as it was to be,
// never between; a second try succeeds, and what the first left behind is an orphan. PROTOCOL rules 14 and 19.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { seededRandom } from '../../src/core/random.ts'
import { parentOf, toPath } from '../../src/lake/location.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import { fakeDataFile } from './fake-data-file.ts'
import { FakeDisk } from './fake-disk.ts'
import { modelCatalog } from './model-catalog.ts'

const NAME = 'orders'

/** Restores the first of three snapshots, with a crash at the given call; answers whether that kept it from its end. */
async function restoreWithCrash(call: number, isMetadataDamaged: boolean): Promise<boolean> {
  const random = seededRandom(call)
  const clock = new VirtualClock(1_750_000_000_000)
  const catalog = modelCatalog()
  let disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
  const open = (): Lake => openLake({ disk, clock, random, catalog, directory: '/srv/lake' })
  const names = async (lake: Lake): Promise<string> => {
    const files = await lake.files(await lake.table(NAME))
    return files
      .map(({ path }) => path.split('/').at(-1)!.replace('.parquet', ''))
      .sort()
      .join()
  }

  const lake = open()
  let table = await lake.create({
    name: NAME,
    shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
    partition: [],
    cluster: [],
    key: [],
  })
  for (const name of ['a', 'b', 'c']) {
    const file = await fakeDataFile(disk, lake, table, { name, rows: 1 })
    table = (await lake.commit([{ table: NAME, operation: 'append', add: [file], remove: [] }])).tables[0]!
  }
  const [first, second] = table.snapshots
  if (isMetadataDamaged) {
    await disk.remove(toPath(table.metadataLocation))
    await disk.syncDirectory(parentOf(toPath(table.metadataLocation)))
  }
  await catalog.commit({ tables: [], cursors: [{ name: 'offset', value: '3' }], nowMs: clock.nowMs() })

  disk.crashAt(call)
  const isThrough = await open()
    .restore(NAME, first!.id)
    .then(
      () => true,
      () => false,
    )
  if (disk.isCrashed) disk = disk.crash()
  else disk.disarm()

  const pointer = (await catalog.table(NAME))!
  const isOld = pointer.location === table.metadataLocation
  if (!isOld) assert.equal(await names(open()), 'a')
  else if (!isMetadataDamaged) assert.equal(await names(open()), 'a,b,c')
  else await assert.rejects(open().table(NAME), { code: 'MR_LAKE_CORRUPT' })
  assert.equal(await catalog.cursor('offset'), '3', 'offsets stay')

  const again = await open().restore(NAME, second!.id)
  assert.equal(await names(open()), 'a,b')
  assert.deepEqual(
    (await open().check(NAME)).snapshots.flatMap(({ damage }) => damage),
    [],
  )
  await clock.advance(1_000)
  await open().removeOrphans(0)
  assert.equal(await names(open()), 'a,b')
  const { snapshots } = await open().check(NAME)
  assert.equal(snapshots[0]!.snapshot.id, again.current!.id)
  assert.deepEqual(
    snapshots.flatMap(({ damage }) => damage),
    [],
  )
  return !isThrough
}

for (const isMetadataDamaged of [false, true]) {
  test(`a crash at every call of a restore${isMetadataDamaged ? ' of a table whose metadata is gone' : ''}`, async () => {
    // The first call of all finds nothing where the metadata was.
    let calls = isMetadataDamaged ? 1 : 0
    while (await restoreWithCrash(calls + 1, isMetadataDamaged)) calls++
    assert.ok(calls >= 8, `only ${calls} calls`)
  })
}
