// Storage looked at as a whole: real files by a real engine, and committed offsets against what a log holds. Damage of every
// kind of file is in src/lake/health/health.test.ts, the commands in test/cli/storage.test.ts.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { modelCatalog } from '../../test/simulation/model-catalog.ts'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import { openTestEngine } from '../engine/testing.ts'
import { writeParquet } from '../engine/write.ts'
import { openLake } from '../lake/open-lake.ts'
import type { Log } from '../log/log.ts'
import { restoreTable, verifyStorage } from './verify-storage.ts'

const NO_LOG = { topics: () => [] } as unknown as Log

async function setUp() {
  const tested = await openTestEngine()
  const directory = join(tested.directory, 'lake')
  mkdirSync(directory)
  const lake = openLake({ disk: nodeDisk, clock: new VirtualClock(0), random: seededRandom(1), catalog: modelCatalog(), directory })
  let table = await lake.create({
    name: 'orders',
    shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
    partition: [],
    cluster: [],
    key: [],
  })
  for (const from of [1_000, 1_100, 1_200]) {
    const add = await writeParquet(tested.session, {
      select: `SELECT ${from} + range AS id FROM range(100)`,
      table,
      directory: lake.dataDirectory(table),
    })
    table = (await lake.commit([{ table: 'orders', operation: 'append', add, remove: [] }])).tables[0]!
  }
  const verify = () => verifyStorage({ lake, engine: tested.engine, log: NO_LOG }, [])
  return { ...tested, lake, table, verify, [Symbol.asyncDispose]: () => tested[Symbol.asyncDispose]() }
}

test('whole tables, and each file once however many snapshots have it', async () => {
  await using world = await setUp()
  const [report, ...others] = (await world.verify()).tables
  assert.deepEqual(others, [])
  assert.deepEqual([report!.table, report!.snapshots, report!.damage], ['orders', 3, []])
  // Three lists, three manifests, three data files.
  assert.equal(report!.files, 9)
  assert.deepEqual(report!.good, world.table.snapshots.map(({ id }) => String(id)).toReversed())
})

test('a file of the right size that is garbled inside is found, with all snapshots that need it; they cannot be gone back to', async () => {
  await using world = await setUp()
  const [first, second, third] = world.table.snapshots
  const old = new Set((await world.lake.files(world.table, first)).map(({ path }) => path))
  const newer = (await world.lake.files(world.table, second)).find(({ path }) => !old.has(path))!
  writeFileSync(newer.path, readFileSync(newer.path).fill(0, 4, 40))
  const [report] = (await world.verify()).tables
  assert.deepEqual(
    report!.damage.map(({ path, snapshots }) => [path, snapshots]),
    [[newer.path, [String(third!.id), String(second!.id)]]],
  )
  assert.match(report!.damage[0]!.what, /^cannot be read/)
  assert.deepEqual(report!.good, [String(first!.id)])
  await assert.rejects(restoreTable(world.lake, world.engine, 'orders', { id: second!.id }), (error: { code: string; fix: string }) => {
    assert.equal(error.code, 'MR_LAKE_CORRUPT')
    assert.ok(error.fix.includes(`--to ${first!.id}`) && !error.fix.includes(String(third!.id)), error.fix)
    return true
  })
  const restored = await restoreTable(world.lake, world.engine, 'orders', { id: first!.id })
  assert.equal(restored.current!.summary['total-records'], '100')
})

test('a table of which nothing can be read is damage, not the end', async () => {
  await using world = await setUp()
  rmSync(join(world.directory, 'lake', 'orders', 'metadata'), { recursive: true })
  const [report] = (await world.verify()).tables
  assert.match(report!.damage[0]!.what, /missing/)
  assert.deepEqual(report!.good, [])
})

test('committed offsets that the log does not reach any more, or not yet', async () => {
  await using world = await setUp()
  const log = { topics: () => [{ topic: 'clicks', partitions: [{ start: 10, end: 20 }] }] } as unknown as Log
  const at = (committed: number, topic = 'clicks') => ({ pipeline: `p${committed}`, topic, partition: 0, committed })
  const { offsets, gaps } = await verifyStorage({ lake: world.lake, engine: world.engine, log }, [
    at(10),
    at(20),
    at(9),
    at(21),
    at(0, 'gone'),
    at(1, 'gone'),
  ])
  assert.equal(offsets, 6)
  assert.deepEqual(
    gaps.map(({ pipeline, committed, logStart, logEnd }) => [pipeline, committed, logStart, logEnd]),
    [
      ['p9', 9, 10, 20],
      ['p21', 21, 10, 20],
      ['p1', 1, 0, 0],
    ],
  )
})
