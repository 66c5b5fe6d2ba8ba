// Publishing a branch: checks see what is on it, in every table that is published with it; one that blocks leaves all as they were.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import type { Manifest } from '../define/manifest.ts'
import { flushAppend } from '../engine/flush.ts'
import { RelationStore } from '../engine/relations.ts'
import { openTestEngine } from '../engine/testing.ts'
import { openLake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import { openStore } from '../store/open-store.ts'
import { publishBranch } from './publish-branch.ts'
import type { StepParts } from './step-parts.ts'

test('a check that blocks sees the branches of all tables; without one they become main together', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const directory = join(tested.directory, 'lake')
  mkdirSync(directory)
  const store = openStore(join(tested.directory, 'control.db'))
  try {
    const lake = openLake({ disk: nodeDisk, clock: new VirtualClock(0), random: seededRandom(1), catalog: store.catalog, directory })
    const relations = new RelationStore(tested.engine, lake)
    const shape = { fields: [{ name: 'id', type: { kind: 'int' }, optional: false }] } as const
    const append = async (name: string, id: number): Promise<bigint> => {
      const table = await lake.table(name)
      const change = await flushAppend({ engine: tested.engine, lake, table, source: `SELECT ${id} AS id` })
      return (await lake.commit([change])).tables[0]!.current!.id
    }
    for (const name of ['orders', 'lines']) {
      await lake.create({ name, shape, partition: [], cluster: [], key: [] })
      const first = await append(name, 1)
      const ref = (to: string, id: bigint) => ({ action: 'set-snapshot-ref', 'ref-name': to, type: 'branch', 'snapshot-id': id }) as never
      const second = await append(name, 2)
      await lake.outside.update([{ name, shown: name, requirements: [], updates: [ref('audit', second), ref('main', first)] }])
      await relations.add({ name, shape, key: [], tailed: false })
    }
    const relation = (name: string) => ({ kind: 'table', name, shape, key: [], source: { kind: 'none' }, load: 'append' })
    const rule = { kind: 'references', column: 'id', to: { relation: 'orders', column: 'id' } }
    const checks = [{ name: 'sound', at: 'a.ts:1', on: 'lines', checks: [{ name: 'sound.order', severity: 'block', rule }] }]
    const saved: unknown[] = []
    const heard: string[] = []
    const parts = {
      clock: new VirtualClock(0),
      engine: tested.engine,
      lake,
      relations,
      checks: { save: async (rows: readonly unknown[]) => void saved.push(...rows), values: async () => [] },
      manifest: () => ({ relations: [relation('orders'), relation('lines')], checks }) as unknown as Manifest,
      onChecked: () => {},
      onCommitted: (table: LakeTable) => void heard.push(table.name),
    } as unknown as StepParts
    const before = await store.catalog.tables()
    await assert.rejects(publishBranch(parts, ['lines'], 'audit'), { code: 'MR_CHECK_BLOCKED' })
    assert.deepEqual([await store.catalog.tables(), heard, saved.length], [before, [], 1])
    const { tables, checks: outcomes } = await publishBranch(parts, ['lines', 'orders'], 'audit')
    assert.deepEqual(
      tables.map(({ name, current, refs }) => [name, current!.id === refs['audit']!.snapshotId]),
      [
        ['lines', true],
        ['orders', true],
      ],
    )
    assert.deepEqual([outcomes.map(({ status }) => status), heard, saved.length], [['pass'], ['lines', 'orders'], 2])
    await assert.rejects(publishBranch(parts, ['lines'], 'nothing'), { code: 'MR_LAKE_SNAPSHOT_UNKNOWN' })
    await assert.rejects(publishBranch(parts, [], 'audit'), { code: 'MR_USAGE' })
  } finally {
    await store.close()
  }
})
