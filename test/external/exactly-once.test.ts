// A pipeline writes two tables of an external catalog while requests are lost, answers are lost, requests arrive late, another
// writer commits to one of the tables, and the process ends between any two steps. Afterwards each table has each file of each
// committed offset once. The catalog is another Millrace, behind a proxy that breaks things.
// Nor does an end between any two steps of maintenance leave a table between what it was and what it was to be.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Clock, systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { asMillraceError } from '../../src/core/errors.ts'
import { integer, type Random, seededRandom, systemRandom } from '../../src/core/random.ts'
import { openExternalCatalog } from '../../src/lake/external/external-catalog.ts'
import { ExternalEntries } from '../../src/lake/external/external-entries.ts'
import { openRestClient } from '../../src/lake/external/rest-client.ts'
import { MetadataFiles } from '../../src/lake/metadata-files.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { CreateTable } from '../../src/lake/types.ts'
import type { Intents } from '../../src/store/intents.ts'
import { openStore } from '../../src/store/open-store.ts'
import { startCatalog, type TestCatalog } from '../iceberg/catalog.ts'
import { fakeDataFile } from '../simulation/fake-data-file.ts'
import { type Fault, startFaultyProxy } from './faulty-proxy.ts'

const SEEDS = process.env['MILLRACE_TEST_ALL'] ? 6 : 2
const COMMITS = 10

/** Waits are real and short: what is tested does not depend on how long they are. */
const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs(), sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 3), signal) }

let server: TestCatalog
before(async () => {
  server = await startCatalog()
})
after(() => server.stop())

interface At {
  readonly url: string
  readonly control: string
  readonly place: string
  readonly namespace: readonly string[]
  readonly mark: string
}

/** The lake of a process that ends, for good, when `mayGoOn` says so. */
async function openProcess(at: At, mayGoOn: () => boolean) {
  const store = openStore(at.control)
  let isDead = false
  const step = <A extends unknown[], T>(action: (...args: A) => Promise<T>) => {
    const guarded = async (...args: A): Promise<T> => {
      if (isDead || !mayGoOn()) {
        isDead = true
        throw new Error('killed before a step')
      }
      const done = await action(...args)
      if (!mayGoOn()) {
        isDead = true
        throw new Error('killed after a step')
      }
      return done
    }
    return guarded
  }
  try {
    const client = await openRestClient({ clock, random: systemRandom }, { uri: at.url, token: server.server.token })
    const { unfinished, ...steps } = store.intents
    const intents: Intents = {
      unfinished,
      begin: step(steps.begin),
      finish: step(steps.finish),
      forget: step(steps.forget),
      note: steps.note,
    }
    const catalog = await openExternalCatalog({
      clock,
      random: systemRandom,
      files: new MetadataFiles(nodeDisk, systemRandom, [at.place]),
      local: store.catalog,
      intents,
      entries: new ExternalEntries({ ...client, call: step(client.call) }, at.namespace),
      mark: at.mark,
    })
    const lake = openLake({ disk: nodeDisk, clock, random: systemRandom, catalog, directory: at.place })
    return { lake, catalog, close: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}

const table = (name: string): CreateTable => ({
  name,
  shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
  partition: [],
  cluster: [],
  key: [],
})

const filesOf = async (lake: Lake, name: string): Promise<string[]> =>
  (await lake.files(await lake.table(name))).map((file) => file.path.split('/').at(-1)!).sort()

const FAULTS: readonly Fault[] = ['request lost', 'answer lost', 'late']

async function run(seed: number, hasTransactions: boolean): Promise<Map<string, number>> {
  const random: Random = seededRandom(seed)
  const chance = (of: number) => integer(random, of) === 0
  const namespace = ['crash', `s${seed}${hasTransactions ? 't' : ''}`]
  const directory = mkdtempSync(join(tmpdir(), 'external-'))
  const place = join(server.data, 'lake', namespace.join('-'))
  const isCommit = (method: string, path: string) => method === 'POST' && /\/tables\/|transactions/.test(path)
  let isCalm = true
  let between = async (): Promise<void> => {}
  const proxy = await startFaultyProxy({
    target: `${server.server.url}/iceberg`,
    hasTransactions,
    faultOf: (method, path) => (!isCalm && chance(isCommit(method, path) ? 3 : 20) ? FAULTS[integer(random, 3)]! : 'none'),
    // Others are faster on the second table when the first has the commit already.
    onDone: async (method, path) => (!isCalm && method === 'POST' && path.endsWith('/tables/a') ? between() : undefined),
  })
  const at = { url: proxy.url, control: join(directory, 'control.db'), place, namespace, mark: 'millrace.commit.one' }
  const theirs = { ...at, url: `${server.server.url}/iceberg`, control: join(directory, 'other.db'), mark: 'millrace.commit.two' }
  const happened = new Map<string, number>()
  const count = (what: string) => happened.set(what, (happened.get(what) ?? 0) + 1)
  try {
    const first = await openProcess(at, () => true)
    for (const name of ['a', 'b']) await first.lake.create(table(name))
    await first.close()
    const other = await openProcess(theirs, () => true)
    isCalm = false
    let others = 0
    const disturb = async (): Promise<void> => {
      if (!chance(2)) return
      const b = await other.lake.table('b')
      const file = await fakeDataFile(nodeDisk, other.lake, b, { name: `other${others++}`, rows: 1 })
      await other.lake.commit([{ table: 'b', operation: 'append', add: [file], remove: [] }])
    }
    between = disturb
    let next = 0
    for (let life = 0; next < COMMITS; life++) {
      assert.ok(life < 500, `no progress past ${next}: ${JSON.stringify([...happened])}`)
      let stepsLeft = 5 + integer(random, 60)
      const alive = await openProcess(at, () => stepsLeft-- > 0).catch((error: unknown) => {
        count(`start: ${asMillraceError(error).code}`)
        return null
      })
      if (!alive) continue
      try {
        await alive.catalog.acquire('p', `g${life}`)
        for (;;) {
          next = (await alive.catalog.progress('p')).offsets[0]?.next ?? 0
          if (next >= COMMITS) break
          const changes = []
          for (const name of ['a', 'b']) {
            const file = await fakeDataFile(nodeDisk, alive.lake, await alive.lake.table(name), { name: `${life}/${next}`, rows: 1 })
            changes.push({ table: name, operation: 'append' as const, add: [file], remove: [] })
          }
          await disturb()
          const pipeline = { name: 'p', generation: `g${life}`, offsets: [{ topic: 't', partition: 0, next: next + 1 }] }
          const [done] = await Promise.allSettled([alive.lake.commit(changes, { pipeline }), chance(2) ? disturb() : undefined])
          if (done.status === 'rejected') throw done.reason
          count('committed')
        }
      } catch (error) {
        count(asMillraceError(error).code)
        // What a commit has left behind when it fails is its own: the next life continues from the progress.
      } finally {
        await alive.close()
      }
    }
    isCalm = true
    const last = await openProcess(at, () => true)
    const wanted = Array.from({ length: COMMITS }, (_, i) => `${i}.parquet`).sort()
    const added = Array.from({ length: others }, (_, i) => `other${i}.parquet`)
    assert.deepEqual(await filesOf(last.lake, 'a'), wanted, `seed ${seed}`)
    assert.deepEqual(await filesOf(last.lake, 'b'), [...wanted, ...added].sort(), `seed ${seed}`)
    assert.equal((await last.catalog.progress('p')).offsets[0]?.next, COMMITS)
    await last.close()
    await other.close()
    for (const [fault, times] of proxy.made) happened.set(fault, times)
    return happened
  } finally {
    await proxy.stop()
    rmSync(directory, { recursive: true })
  }
}

for (const hasTransactions of [true, false])
  test(`each commit is in both tables once, ${hasTransactions ? 'with' : 'without'} transactions over tables`, async () => {
    const seen = new Map<string, number>()
    const from = Number(process.env['MILLRACE_TEST_SEED'] ?? 1)
    for (let seed = from; seed < from + SEEDS; seed++)
      for (const [what, times] of await run(seed, hasTransactions)) seen.set(what, (seen.get(what) ?? 0) + times)
    for (const what of ['committed', 'MR_INTERNAL', ...FAULTS])
      assert.ok((seen.get(what) ?? 0) > 0, `${what} never happened: ${JSON.stringify([...seen])}`)
  })

test('an answer of success that cannot be read leaves a commit open, and it is found to be done', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'external-'))
  const place = join(server.data, 'lake', 'garbled')
  let isGarbled = false
  const proxy = await startFaultyProxy({
    target: `${server.server.url}/iceberg`,
    hasTransactions: true,
    faultOf: (method, path) => (isGarbled && method === 'POST' && path.endsWith('/tables/a') ? 'answer garbled' : 'none'),
  })
  const at = { url: proxy.url, control: join(directory, 'control.db'), place, namespace: ['garbled'], mark: 'millrace.commit.one' }
  try {
    const { lake, catalog, close } = await openProcess(at, () => true)
    await lake.create(table('a'))
    await catalog.acquire('p', 'g')
    const file = await fakeDataFile(nodeDisk, lake, await lake.table('a'), { name: '0', rows: 1 })
    const pipeline = { name: 'p', generation: 'g', offsets: [{ topic: 't', partition: 0, next: 1 }] }
    isGarbled = true
    const committed = lake.commit([{ table: 'a', operation: 'append', add: [file], remove: [] }], { pipeline })
    await assert.rejects(committed)
    isGarbled = false
    assert.equal((await catalog.progress('p')).offsets[0]?.next, 1)
    assert.deepEqual(await filesOf(lake, 'a'), ['0.parquet'])
    await close()
  } finally {
    await proxy.stop()
    rmSync(directory, { recursive: true })
  }
})

test('files of a commit that is not finished are no orphans, however old', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'external-'))
  const place = join(server.data, 'lake', 'unfinished')
  let isLost = false
  const proxy = await startFaultyProxy({
    target: `${server.server.url}/iceberg`,
    hasTransactions: true,
    faultOf: (method) => (isLost && method === 'POST' ? 'request lost' : 'none'),
  })
  const at = { url: proxy.url, control: join(directory, 'control.db'), place, namespace: ['unfinished'], mark: 'millrace.commit.one' }
  try {
    const { lake, close } = await openProcess(at, () => true)
    await lake.create(table('a'))
    const file = await fakeDataFile(nodeDisk, lake, await lake.table('a'), { name: '0', rows: 1 })
    isLost = true
    await assert.rejects(lake.commit([{ table: 'a', operation: 'append', add: [file], remove: [] }]), { code: 'MR_CATALOG_BUSY' })
    await lake.removeOrphans(-60_000)
    await close()
    isLost = false
    const next = await openProcess(at, () => true)
    assert.deepEqual(await filesOf(next.lake, 'a'), ['0.parquet'])
    assert.ok(existsSync(file.path))
    await next.close()
  } finally {
    await proxy.stop()
    rmSync(directory, { recursive: true })
  }
})

interface Chore {
  readonly name: string
  run(lake: Lake): Promise<unknown>
  /** Files of the table after it. */
  readonly after: readonly string[]
}

const CHORES: readonly Chore[] = [
  {
    name: 'a compaction',
    async run(lake) {
      const now = await lake.table('orders')
      const add = [await fakeDataFile(nodeDisk, lake, now, { name: `${integer(systemRandom, 1e9)}/joined`, rows: 2 })]
      const remove = (await lake.files(now)).map(({ path }) => path).filter((path) => /\/[ab]\.parquet$/.test(path))
      await lake.commit([{ table: 'orders', operation: 'replace', add, remove, readFrom: now.current!.id }])
    },
    after: ['c.parquet', 'joined.parquet'],
  },
  {
    name: 'expiry',
    run: (lake) => lake.expire('orders', { olderThanMs: 0, retainLast: 1 }),
    after: ['a.parquet', 'b.parquet', 'c.parquet'],
  },
  {
    name: 'publishing a branch',
    async run(lake) {
      const { snapshots, refs } = await lake.table('orders')
      if (!refs['audit']) await lake.createBranch('orders', 'audit', { snapshotId: snapshots.at(-1)!.id })
      const head = (await lake.table('orders')).refs['audit']!.snapshotId
      await lake.publish([{ table: 'orders', branch: 'audit', head }])
    },
    after: ['a.parquet', 'b.parquet', 'c.parquet'],
  },
]

for (const chore of CHORES)
  test(`a process that ends between any two steps of ${chore.name}`, { timeout: 600_000 }, async () => {
    const withEnd = async (steps: number): Promise<boolean> => {
      const namespace = ['ends', `${chore.name.replaceAll(' ', '-')}-${steps}`]
      const directory = mkdtempSync(join(tmpdir(), 'external-'))
      const place = join(server.data, 'lake', namespace.join('-'))
      const at = {
        url: `${server.server.url}/iceberg`,
        control: join(directory, 'control.db'),
        place,
        namespace,
        mark: 'millrace.commit.one',
      }
      const state = async (lake: Lake): Promise<string> => {
        const { snapshots } = await lake.check('orders')
        assert.deepEqual(
          snapshots.flatMap(({ damage }) => damage),
          [],
        )
        return JSON.stringify([await filesOf(lake, 'orders'), (await lake.table('orders')).refs['audit']?.snapshotId.toString()])
      }
      try {
        const first = await openProcess(at, () => true)
        await first.lake.create(table('orders'))
        for (const name of ['a', 'b', 'c']) {
          const add = [await fakeDataFile(nodeDisk, first.lake, await first.lake.table('orders'), { name, rows: 1 })]
          await first.lake.commit([{ table: 'orders', operation: 'append', add, remove: [] }])
        }
        const old = await filesOf(first.lake, 'orders')
        await first.close()
        let left = steps
        let isDead = false
        const doomed = await openProcess(at, () => left-- > 0).catch(() => null)
        if (!doomed) isDead = true
        else {
          await chore.run(doomed.lake).catch(() => {
            isDead = true
          })
          await doomed.close()
        }
        const next = await openProcess(at, () => true)
        await state(next.lake)
        const now = await filesOf(next.lake, 'orders')
        assert.ok(
          [old, chore.after].some((files) => files.join() === now.join()),
          `${chore.name}, ${steps} steps: ${now}`,
        )
        if (isDead && now.join() === old.join()) await chore.run(next.lake)
        assert.deepEqual(await filesOf(next.lake, 'orders'), chore.after)
        await next.lake.removeOrphans(-1_000_000)
        await state(next.lake)
        await next.close()
        return isDead
      } finally {
        rmSync(directory, { recursive: true })
      }
    }
    let steps = 0
    while (await withEnd(steps)) steps++
    assert.ok(steps >= 10, `only ${steps} steps`)
  })
