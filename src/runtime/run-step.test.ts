// Checks that read or are set on a view: it is stored nowhere, and is defined over what it reads.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import type { CheckManifest, Manifest, Relation } from '../define/manifest.ts'
import { RelationStore } from '../engine/relations.ts'
import { openTestEngine } from '../engine/testing.ts'
import { openLake } from '../lake/open-lake.ts'
import { openStore } from '../store/open-store.ts'
import { checkRelation, recheck } from './step-checks.ts'
import type { StepParts } from './step-parts.ts'

const shape = { fields: [{ name: 'id', type: { kind: 'int' }, optional: false }] } as const
const sqlOf = (text: string) => ({ text, params: [] })
const orders = { kind: 'table', name: 'orders', source: { kind: 'none' }, shape, key: [] } as unknown as Relation
const odd = {
  kind: 'model',
  name: 'odd',
  refresh: 'view',
  inputs: ['orders'],
  shape,
  sql: sqlOf('SELECT id FROM orders WHERE id % 2 = 1'),
} as unknown as Relation

test('checks on a view, and checks whose SQL reads one', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const directory = join(tested.directory, 'lake')
  mkdirSync(directory)
  const store = openStore(join(tested.directory, 'control.db'))
  try {
    const clock = new VirtualClock(1_000)
    const lake = openLake({ disk: nodeDisk, clock, random: seededRandom(1), catalog: store.catalog, directory })
    await lake.create({ name: 'orders', shape, partition: [], cluster: [], key: [] })
    const relations = new RelationStore(tested.engine, lake)
    await relations.add({ name: 'orders', shape, key: [], tailed: false })
    const checkOf = (name: string, rule: CheckManifest['rule']): CheckManifest => ({ name, severity: 'warn', rule })
    const checks = [
      { name: 'few', at: 'a.ts:1', on: 'odd', checks: [checkOf('few.rows', { kind: 'row_count', max: 1 })] },
      { name: 'none', at: 'a.ts:2', on: 'orders', checks: [checkOf('none.odd', { kind: 'sql', sql: sqlOf('FROM odd') })] },
    ]
    const saved: unknown[] = []
    const parts = {
      clock,
      engine: tested.engine,
      relations,
      checks: { save: async (rows: readonly unknown[]) => void saved.push(...rows), values: async () => [] },
      manifest: () => ({ relations: [orders, odd], checks }) as unknown as Manifest,
      onChecked: () => {},
    } as unknown as StepParts
    const statuses = async (relation: Relation, candidate?: string) =>
      (await checkRelation(parts, relation, candidate === undefined ? {} : { [relation.name]: candidate })).map(
        ({ status, measured, failedRows }) => [status, measured ?? failedRows],
      )
    assert.deepEqual(await statuses(orders), [['pass', 0]])
    assert.deepEqual(await statuses(orders, 'SELECT * FROM (VALUES (1), (2), (3)) AS rows(id)'), [['fail', 2]])
    assert.deepEqual(
      (await recheck(parts, odd, null)).map(({ status, measured }) => [status, measured]),
      [['pass', '0 rows']],
    )
    assert.equal(saved.length, 1)
  } finally {
    await store.close()
  }
})
