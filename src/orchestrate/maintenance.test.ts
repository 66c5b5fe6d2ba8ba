// Maintenance over a real lake: small files are joined while others write, old snapshots go, the log forgets what is committed.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import type { Manifest } from '../define/manifest.ts'
import { flushAppend } from '../engine/flush.ts'
import { scanSql } from '../engine/scan.ts'
import { openTestEngine } from '../engine/testing.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import type { Log } from '../log/log.ts'
import { openStore } from '../store/open-store.ts'
import { type Maintained, type MaintenanceParts, startMaintenance } from './maintenance.ts'
import { storeHistory } from './store-history.ts'

async function setUp() {
  const tested = await openTestEngine({ threads: 1 })
  mkdirSync(join(tested.directory, 'lake'))
  const store = openStore(join(tested.directory, 'control.db'))
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const lake = openLake({
    disk: nodeDisk,
    clock,
    random: seededRandom(1),
    catalog: store.catalog,
    directory: join(tested.directory, 'lake'),
  })
  const fields = [{ name: 'id', type: { kind: 'int' }, optional: false }] as const
  await lake.create({ name: 'events', shape: { fields }, partition: [], cluster: [], key: [] })
  const errors: string[] = []
  const retained: unknown[] = []
  const log = {
    topics: () => [{ topic: 'events', partitions: [{}, {}] }],
    retain: async (topic: string, partition: number, limits: object) => void retained.push([topic, partition, limits]),
  } as unknown as Log
  const manifest = { relations: [{ kind: 'stream', name: 'events', keep: { logMs: 1_000 } }] } as unknown as Manifest
  const parts: MaintenanceParts = {
    clock,
    random: seededRandom(2),
    history: storeHistory(store),
    code: () => null,
    onRun: () => {},
    onStep: () => {},
    lake,
    engine: tested.engine,
    log,
    manifest,
    everyMs: 60_000,
    committedOffset: (_topic, partition) => 10 + partition,
    onCommitted: () => {},
    onError: (message) => errors.push(message),
  }
  const append = async (id: number): Promise<void> => {
    const table = await lake.table('events')
    await lake.commit([await flushAppend({ engine: tested.engine, lake, table, source: `SELECT ${id} AS id` })])
  }
  return {
    clock,
    lake,
    parts,
    errors,
    retained,
    append,
    async pass(over: Partial<MaintenanceParts> = {}): Promise<Maintained['steps']> {
      const maintenance = startMaintenance({ ...parts, ...over })
      const { steps } = await maintenance.pass()
      await maintenance.stop()
      return steps
    },
    async ids(): Promise<unknown[]> {
      const table = await lake.table('events')
      const { rows } = await tested.session.rows(
        `SELECT id FROM (${scanSql({ table, files: await lake.files(table), tails: [] })}) ORDER BY id`,
      )
      return rows.map(([id]) => id)
    },
    async [Symbol.asyncDispose]() {
      await store.close()
      await tested[Symbol.asyncDispose]()
    },
  }
}

/** A lake on which something happens before each commit of a compaction. */
const interrupted = (lake: Lake, action: () => Promise<void>): Lake => ({
  ...lake,
  commit: async (changes, also) => {
    await action()
    return lake.commit(changes, also)
  },
})

test('small files are joined, also when rows come meanwhile', async () => {
  await using world = await setUp()
  for (let id = 0; id < 16; id++) await world.append(id)
  const [step, ...more] = await world.pass({ lake: interrupted(world.lake, () => world.append(99)) })
  assert.deepEqual([step!.name, step!.status, more], ['events.compact', 'succeeded', []])
  assert.deepEqual([step!.saved!.filesBefore, step!.saved!.filesAfter], [16, 1])
  assert.ok(step!.saved!.bytesAfter > 0 && step!.saved!.bytesAfter < step!.saved!.bytesBefore)
  const table = await world.lake.table('events')
  assert.equal((await world.lake.files(table)).length, 2)
  assert.deepEqual(await world.ids(), [...Array(16).keys(), 99])
})

test('a compaction whose files are gone meanwhile leaves everything as it is, without noise', async () => {
  await using world = await setUp()
  for (let id = 0; id < 16; id++) await world.append(id)
  const [first] = await world.lake.files(await world.lake.table('events'))
  const drop = async (): Promise<void> => {
    await world.lake.commit([{ table: 'events', operation: 'delete', add: [], remove: [first!.path] }])
  }
  assert.deepEqual([await world.pass({ lake: interrupted(world.lake, drop) }), world.errors], [[], []])
  assert.deepEqual(await world.parts.history.list({ limit: 10 }), [], 'a pass that did nothing leaves no run')
  assert.equal((await world.ids()).length, 15)
})

test('passes: snapshots beyond a week expire but for the last hundred; the log keeps what is not committed', async () => {
  await using world = await setUp()
  for (let id = 0; id < 102; id++) await world.append(id)
  const maintenance = startMaintenance({ ...world.parts, everyMs: 8 * 86_400_000 })
  await world.clock.advance(8 * 86_400_000)
  while (world.retained.length < 2) await new Promise((resolve) => setImmediate(resolve))
  await maintenance.stop()
  const [recorded] = await world.parts.history.list({ limit: 10 })
  const beforeMs = world.clock.nowMs() - 1_000
  assert.deepEqual(world.retained, [
    ['events', 0, { beforeMs, keepFrom: 10 }],
    ['events', 1, { beforeMs, keepFrom: 11 }],
  ])
  assert.deepEqual(world.errors, [])
  assert.equal((await world.lake.table('events')).snapshots.length, 100)
  const { run, steps } = recorded!
  assert.deepEqual([run.name, run.trigger, run.status], ['maintenance', 'maintenance', 'succeeded'])
  assert.deepEqual(
    steps.map(({ name, note }) => [name, note]),
    [
      ['events.compact', '102 small files became 1'],
      ['events.expire', '3 snapshots expired'],
    ],
  )
  assert.ok(steps[1]!.saved!.filesBefore >= 3 && steps[1]!.saved!.bytesBefore > 0)
  assert.deepEqual(await world.parts.history.lastSteps(), [], 'it says nothing of how fresh the table is')
  assert.equal((await world.ids()).length, 102)
})

test('a tag beyond its time goes in a pass, however short the history, and readers hear of it', async () => {
  await using world = await setUp()
  await world.append(1)
  const first = (await world.lake.table('events')).current!
  await world.lake.setTag('events', 'short', first.id, { maxAgeMs: 1_000 })
  await world.lake.setTag('events', 'kept', first.id)
  const heard: string[][] = []
  const onCommitted: MaintenanceParts['onCommitted'] = (table) => void heard.push(Object.keys(table.refs).sort())
  await world.pass({ onCommitted })
  assert.deepEqual(heard, [])
  await world.clock.advance(1_001)
  await world.pass({ onCommitted })
  await world.pass({ onCommitted })
  assert.deepEqual(heard, [['kept', 'main']])
  assert.equal((await world.lake.table('events')).snapshots.length, 1)
})

test('asked for, few files are enough and one table can be named; a failure is a failed step, and told once', async () => {
  await using world = await setUp()
  for (let id = 0; id < 3; id++) await world.append(id)
  const maintenance = startMaintenance(world.parts)
  assert.deepEqual((await maintenance.pass()).steps, [])
  await assert.rejects(maintenance.run(['nothing'], 'ann'), /there is no table nothing/)
  const { runId, steps } = await maintenance.run(['events'], 'ann')
  assert.deepEqual(
    steps.map(({ name, saved }) => [name, saved!.filesBefore, saved!.filesAfter]),
    [['events.compact', 3, 1]],
  )
  assert.equal((await world.parts.history.run(runId!))!.run.trigger, 'maintenance by ann')
  await maintenance.stop()
  const broken = startMaintenance({ ...world.parts, lake: { ...world.lake, planCompaction: () => Promise.reject(new Error('no disk')) } })
  const [failed] = (await broken.pass()).steps
  assert.deepEqual([failed!.name, failed!.status, failed!.error!.message], ['events.compact', 'failed', 'no disk'])
  assert.deepEqual((await broken.pass()).steps, [])
  assert.equal(world.errors.length, 1)
  await broken.stop()
})
