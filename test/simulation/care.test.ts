// Maintenance on a disk that crashes at every call in turn: afterwards each table is as it was or as it was to be, of several
// all or none; a second try succeeds, nothing that a snapshot needs is gone, and what the first left behind is an orphan.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { seededRandom } from '../../src/core/random.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import { fakeDataFile } from './fake-data-file.ts'
import { FakeDisk } from './fake-disk.ts'
import { modelCatalog } from './model-catalog.ts'

const NAMES = ['orders', 'orders__archive'] as const

interface World {
  readonly lake: Lake
  readonly clock: VirtualClock
  /** A data file of a table, as the engine would have written it. */
  write(table: string, name: string, rows?: number): ReturnType<typeof fakeDataFile>
}

interface Chore {
  readonly name: string
  /** Calls of the disk that it makes at least: a test that sees fewer sees nothing. */
  readonly calls: number
  /** Prepares what it works on. */
  before?(world: World): Promise<void>
  run(world: World): Promise<unknown>
  /** Files of both tables after it. */
  readonly after: string
}

const pathOf = async ({ lake }: World, name: string): Promise<string> =>
  (await lake.files(await lake.table('orders'))).find(({ path }) => path.endsWith(`/${name}.parquet`))!.path

/** Each writes files of names of its own, as the engine does. */
let attempt = 0

const CHORES: readonly Chore[] = [
  {
    name: 'a compaction',
    calls: 6,
    async run(world) {
      attempt++
      const { current } = await world.lake.table('orders')
      const add = [await world.write('orders', `${attempt}/joined`)]
      const remove = [await pathOf(world, 'a'), await pathOf(world, 'b')]
      await world.lake.commit([{ table: 'orders', operation: 'replace', add, remove, readFrom: current!.id }])
    },
    after: 'c,joined|',
  },
  {
    name: 'deleting rows by vectors, and of a file whose last row goes',
    calls: 8,
    async before(world) {
      const add = [await world.write('orders', 'long', 5)]
      await world.lake.commit([{ table: 'orders', operation: 'append', add, remove: [], formatVersion: 3 }])
    },
    async run(world) {
      const whole = await pathOf(world, 'a')
      const some = await pathOf(world, 'long')
      await world.lake.commit([
        {
          table: 'orders',
          operation: 'overwrite',
          add: [],
          remove: [],
          delete: [
            { path: whole, positions: Float64Array.of(0) },
            { path: some, positions: Float64Array.of(1, 3) },
          ],
        },
      ])
    },
    after: 'b,c,long less 2|',
  },
  { name: 'rewriting manifests', calls: 4, run: ({ lake }) => lake.rewriteManifests('orders', { minManifests: 2 }), after: 'a,b,c|' },
  {
    name: 'moving rows to the archive',
    calls: 8,
    async run(world) {
      attempt++
      const [rest, moved] = [await world.write('orders', `${attempt}/rest`), await world.write('orders__archive', `${attempt}/moved`)]
      const remove = [await pathOf(world, 'a'), await pathOf(world, 'b')]
      await world.lake.commit([
        { table: 'orders', operation: 'overwrite', add: [rest], remove },
        { table: 'orders__archive', operation: 'append', add: [moved], remove: [] },
      ])
    },
    after: 'c,rest|moved',
  },
  {
    name: 'expiry',
    calls: 4,
    async before({ lake, clock }) {
      const table = await lake.table('orders')
      await lake.createBranch('orders', 'kept', { snapshotId: table.snapshots[1]!.id, minSnapshots: 1, maxSnapshotAgeMs: 1 })
      await clock.advance(1_000)
    },
    run: ({ lake }) => lake.expire('orders', { olderThanMs: 10, retainLast: 1 }),
    after: 'a,b,c|',
  },
  {
    name: 'naming a snapshot',
    calls: 2,
    run: async ({ lake }) => lake.setTag('orders', 'now', (await lake.table('orders')).current!.id),
    after: 'a,b,c|',
  },
  {
    name: 'publishing a branch of two tables',
    calls: 4,
    async before(world) {
      await world.lake.commit([
        { table: 'orders__archive', operation: 'append', add: [await world.write('orders__archive', 'old')], remove: [] },
      ])
      for (const table of NAMES) {
        const { current } = await world.lake.table(table)
        await world.lake.commit([{ table, operation: 'append', add: [await world.write(table, 'new')], remove: [] }])
        const next = await world.lake.table(table)
        const ref = (name: string, id: bigint) =>
          ({ action: 'set-snapshot-ref', 'ref-name': name, type: 'branch', 'snapshot-id': id }) as never
        const updates = [ref('audit', next.current!.id), ref('main', current!.id)]
        await world.lake.outside.update([{ name: table, shown: table, requirements: [], updates }])
      }
    },
    async run({ lake }) {
      const tables = await Promise.all(NAMES.map((name) => lake.table(name)))
      await lake.publish(tables.map(({ name, refs }) => ({ table: name, branch: 'audit', head: refs['audit']!.snapshotId })))
    },
    after: 'a,b,c,new|new,old',
  },
  {
    name: 'the removal of orphans',
    calls: 2,
    async before(world) {
      for (const name of ['lost1', 'lost2']) await world.write('orders', name)
      await world.clock.advance(1_000)
    },
    run: ({ lake }) => lake.removeOrphans(10),
    after: 'a,b,c|',
  },
  {
    name: 'publishing a branch',
    calls: 2,
    async before({ lake }) {
      const { snapshots } = await lake.table('orders')
      const [first, , last] = snapshots
      const ref = (name: string, id: bigint) =>
        ({ action: 'set-snapshot-ref', 'ref-name': name, type: 'branch', 'snapshot-id': id }) as never
      const updates = [ref('audit', last!.id), ref('main', first!.id)]
      await lake.outside.update([{ name: 'orders', shown: 'orders', requirements: [], updates }])
    },
    async run({ lake }) {
      const head = (await lake.table('orders')).refs['audit']!.snapshotId
      await lake.publish([{ table: 'orders', branch: 'audit', head }])
    },
    after: 'a,b,c|',
  },
]

/** Runs the chore with a crash at the given call; answers whether it came so far. */
async function withCrash(chore: Chore, call: number): Promise<boolean> {
  const random = seededRandom(call)
  const clock = new VirtualClock(1_750_000_000_000)
  const catalog = modelCatalog()
  let disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
  const world = (): World => {
    const lake = openLake({ disk, clock, random, catalog, directory: '/srv/lake' })
    return { lake, clock, write: async (table, name, rows = 1) => fakeDataFile(disk, lake, await lake.table(table), { name, rows }) }
  }
  const state = async (): Promise<string> => {
    const { lake } = world()
    const names = async (name: string): Promise<string> => {
      const files = await lake.files(await lake.table(name))
      return files
        .map(({ path, deletes }) => {
          const deleted = deletes?.vector?.positions.length
          return `${path.replace(/^.*\/|\.parquet$/g, '')}${deleted ? ` less ${deleted}` : ''}`
        })
        .sort()
        .join()
    }
    return (await Promise.all(NAMES.map(names))).join('|')
  }
  const damage = async (): Promise<readonly unknown[]> => {
    const checks = await Promise.all(NAMES.map((name) => world().lake.check(name)))
    return checks.flatMap(({ snapshots }) => snapshots.flatMap((snapshot) => snapshot.damage))
  }

  const first = world()
  for (const name of NAMES)
    await first.lake.create({
      name,
      shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
      partition: [],
      cluster: [],
      key: [],
    })
  for (const name of ['a', 'b', 'c'])
    await first.lake.commit([{ table: 'orders', operation: 'append', add: [await first.write('orders', name)], remove: [] }])
  await chore.before?.(first)
  const old = await state()

  const doomed = world()
  disk.crashAt(call)
  await chore.run(doomed).catch(() => {})
  const { isCrashed } = disk
  if (isCrashed) disk = disk.crash()
  else disk.disarm()

  const now = await state()
  assert.ok(now === old || now === chore.after, `${chore.name}, call ${call}: ${now}`)
  assert.deepEqual(await damage(), [])
  if (now === old) await chore.run(world())
  assert.equal(await state(), chore.after)
  await clock.advance(1_000)
  await world().lake.removeOrphans(10)
  assert.equal(await state(), chore.after)
  assert.deepEqual(await damage(), [])
  return isCrashed
}

for (const chore of CHORES) {
  test(`a crash at every call of ${chore.name}`, async () => {
    let calls = 0
    while (await withCrash(chore, calls + 1)) calls++
    assert.ok(calls >= chore.calls, `only ${calls} calls`)
  })
}
