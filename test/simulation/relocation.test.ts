// Relocating a warehouse on a disk that crashes at every call in turn: afterwards all tables are at the old place or all at the
// new one, with every snapshot; a second try succeeds, and what the first left behind is an orphan. PROTOCOL rules 14 and 15.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { seededRandom } from '../../src/core/random.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { NewView } from '../../src/lake/views/open-views.ts'
import { fakeDataFile } from './fake-data-file.ts'
import { FakeDisk } from './fake-disk.ts'
import { modelCatalog } from './model-catalog.ts'

const NAMES = ['orders', 'customers']
const [OLD, NEW] = ['/srv/lake', '/big/lake']
const [OLD_STATE, NEW_STATE] = ['/srv/state', '/big/state']
const CHECKPOINT = 'stream.orders/1.checkpoint'
const SHAPE = { fields: [{ name: 'id', type: { kind: 'long' as const }, optional: false }] }

const VIEW: NewView = {
  schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', type: 'long', required: false }] },
  'view-version': {
    'version-id': 1,
    'schema-id': 0,
    'timestamp-ms': 1_750_000_000_000,
    summary: {},
    'default-namespace': ['main'],
    representations: [{ type: 'sql', sql: 'SELECT id FROM orders', dialect: 'duckdb' }],
  },
}

/** How files come to the new place: by the relocation, or by somebody who syncs them, or does not. */
type Copying = 'copies' | 'copied' | 'copied, not synced'

async function copyAll(disk: FakeDisk, directory: string, isSynced: boolean): Promise<void> {
  const to = directory.replace(OLD, NEW)
  await disk.makeDirectory(to)
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`
    if ((await disk.stat(path))?.isDirectory) await copyAll(disk, path, isSynced)
    else if (isSynced || !path.endsWith('.parquet')) await disk.writeNew(`${to}/${name}`, await disk.readFile(path))
    else {
      const file = await disk.open(`${to}/${name}`, 'create')
      await file.write([await disk.readFile(path)], 0)
      await file.close()
    }
  }
  await disk.syncDirectory(to)
}

/** Relocates a view and two tables of two snapshots each, with a crash at the given call; answers whether that kept it from its end. */
async function relocateWithCrash(call: number, copying: Copying = 'copies'): Promise<boolean> {
  const copy = copying === 'copies'
  const random = seededRandom(call)
  const clock = new VirtualClock(1_750_000_000_000)
  const catalog = modelCatalog()
  let disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
  const open = (directory = NEW): Lake => openLake({ disk, clock, random, catalog, directory, formerly: [directory === NEW ? OLD : NEW] })
  const relocate = () =>
    open().relocate({
      from: OLD,
      to: NEW,
      copy,
      removeOld: true,
      ...(copy ? { checkpoints: { from: OLD_STATE, to: NEW_STATE } } : {}),
      spool: '/spool',
      rewritePositions: () => Promise.reject(new Error('there are none')),
    })

  const before = open(OLD)
  for (const table of NAMES) {
    let made = await before.create({ name: table, shape: SHAPE, partition: [], cluster: [], key: [] })
    for (const name of ['a', 'b']) {
      const file = await fakeDataFile(disk, before, made, { name, rows: 1 })
      made = (await before.commit([{ table, operation: 'append', add: [file], remove: [] }])).tables[0]!
    }
    await before.setTag(table, 'first', made.snapshots[0]!.id)
  }
  const view = { name: 'big', shown: 'big' }
  await before.views.create(view, VIEW)
  await catalog.acquire('stream:orders', 'g')
  const checkpoint = { location: copy ? `${OLD_STATE}/${CHECKPOINT}` : `${OLD}/checkpoint`, code: 'c' }
  await disk.makeDirectory(`${OLD_STATE}/stream.orders`)
  for (const directory of [OLD_STATE, '/srv', '/']) await disk.syncDirectory(directory)
  await disk.writeNew(`${OLD_STATE}/${CHECKPOINT}`, 'state')
  await catalog.commit({ tables: [], pipeline: { name: 'stream:orders', generation: 'g', offsets: [], checkpoint }, nowMs: 0 })

  if (!copy) {
    await copyAll(disk, OLD, copying === 'copied')
    await disk.syncDirectory('/big')
    await disk.syncDirectory('/')
  }

  /** The place that all tables are at. */
  const place = async (): Promise<string> => {
    const lake = open()
    const places = new Set<string>()
    for (const name of NAMES) {
      const table = await lake.table(name)
      places.add(table.location.startsWith(`file://${NEW}/`) ? NEW : OLD)
      const counts = [(await lake.files(table, lake.snapshotAt(table, { tag: 'first' }))).length, (await lake.files(table)).length]
      assert.deepEqual(counts, [1, 2], name)
      for (const { damage } of (await lake.check(name)).snapshots) assert.deepEqual(damage, [])
    }
    const { metadata } = await lake.views.load(view)
    places.add(metadata.location.startsWith(`${NEW}/`) || metadata.location.startsWith(`file://${NEW}/`) ? NEW : OLD)
    assert.equal(places.size, 1, 'all tables and views at one place')
    const [found] = [...places]
    if (copy) {
      const { location } = (await catalog.progress('stream:orders')).checkpoint!
      assert.equal(location, `${found === NEW ? NEW_STATE : OLD_STATE}/${CHECKPOINT}`, 'the state of pipelines goes with them')
      assert.equal((await disk.readFile(location)).toString(), 'state')
    }
    return found!
  }

  // What nobody synced has to survive a crash after the end, and not before.
  const isPlain = copying === 'copied, not synced'
  if (!isPlain) disk.crashAt(call)
  const isThrough = await relocate().then(
    () => true,
    () => false,
  )
  if (disk.isCrashed || isPlain) disk = disk.crash()
  else disk.disarm()

  if (isThrough) assert.equal(await place(), NEW)
  else await place()
  await relocate()
  assert.equal(await place(), NEW)
  const row = (await catalog.progress('stream:orders')).checkpoint
  assert.equal(row?.location, copy ? `${NEW_STATE}/${CHECKPOINT}` : `${NEW}/checkpoint`)
  await clock.advance(1_000)
  await open().removeOrphans(0)
  assert.equal(await place(), NEW)
  const left: string[] = []
  const walk = async (directory: string): Promise<void> => {
    for (const name of await disk.list(directory)) {
      const path = `${directory}/${name}`
      if ((await disk.stat(path))?.isDirectory) await walk(path)
      else left.push(path)
    }
  }
  await walk(OLD)
  assert.deepEqual(left, [], 'nothing is left at the old place')
  return !isThrough
}

test('a crash at every call of a relocation', async () => {
  let calls = 0
  while (await relocateWithCrash(calls + 1)) calls++
  assert.ok(calls >= 40, `only ${calls} calls`)
})

test('a crash at every call of a relocation of what was copied already', async () => {
  let calls = 0
  while (await relocateWithCrash(calls + 1, 'copied')) calls++
  assert.ok(calls >= 30, `only ${calls} calls`)
})

test('what somebody copied and did not sync is durable once tables lie there', async () => {
  for (let seed = 1; seed <= 20; seed++) assert.equal(await relocateWithCrash(seed, 'copied, not synced'), false)
})
