// Advice on stored tables: said when there is reason to, and silent otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lakeTable } from '../engine/testing.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { DataFile, LakeSnapshot, LakeTable } from '../lake/types.ts'
import { adviceOf, adviseStorage } from './storage-advice.ts'

const DAY_MS = 86_400_000
const NOW_MS = 100 * DAY_MS

const snapshot = (id: number, ageDays: number): LakeSnapshot => ({
  id: BigInt(id),
  parentId: id === 0 ? null : BigInt(id - 1),
  sequence: id,
  timestampMs: NOW_MS - ageDays * DAY_MS,
  operation: 'append',
  summary: {},
  schemaId: 0,
  manifestList: '',
})

function tableOf(ages: readonly number[], tags: Readonly<Record<string, number>> = {}): LakeTable {
  const snapshots = ages.map((age, id) => snapshot(id, age))
  const named = Object.entries(tags).map(([name, id]) => [name, { snapshotId: BigInt(id), kind: 'tag' as const }])
  const current = snapshots.at(-1)!
  return {
    ...lakeTable({ columns: { a: 'int' } }),
    snapshots,
    current,
    refs: { main: { snapshotId: current.id, kind: 'branch' }, ...Object.fromEntries(named) },
  }
}

const files = (count: number, sizeBytes: number, more: Partial<DataFile> = {}): DataFile[] =>
  Array.from({ length: count }, (_, i) => ({ path: `f${i}`, rows: 1, sizeBytes, specId: 0, partition: {}, columns: new Map(), ...more }))

const said = (table: LakeTable, of: readonly DataFile[]): string[] => adviceOf(table, of, NOW_MS).map(({ detail }) => detail)

test('a table that the catalog denies', async () => {
  const lake = { catalog: { denied: async () => ['secret'] }, tables: async () => [] } as unknown as Lake
  assert.deepEqual(
    (await adviseStorage(lake, NOW_MS)).map(({ table }) => table),
    ['secret'],
  )
})

test('a healthy table gets no advice', () => {
  assert.deepEqual(said(tableOf([40, 20, 0], { fresh: 1 }), [...files(150, 1_000), ...files(500, 64 * 1024 * 1024)]), [])
})

test('many small files, and those that maintenance leaves alone', () => {
  const [one, ...none] = adviceOf(tableOf([0]), files(201, 1_000), NOW_MS)
  assert.deepEqual(none, [])
  assert.equal(one!.detail, '201 of 201 files are smaller than 32 MiB')
  assert.match(one!.fix, /coarser/)
  assert.match(adviceOf(tableOf([0]), files(201, 1_000, { specId: 3 }), NOW_MS)[0]!.fix, /earlier partitioning/)
})

test('long histories, tags that keep old files, rows that others deleted', () => {
  assert.deepEqual(said(tableOf(Array.from({ length: 501 }, (_, i) => (i < 20 ? 31 : 1))), files(1, 1)), [
    '501 snapshots are kept, 20 older than 30 days',
  ])
  assert.deepEqual(said(tableOf([40, 35, 0], { a: 0, b: 1 }), files(1, 1)), ['a, b keep files that are older than 30 days'])
  assert.deepEqual(said(tableOf([40], { now: 0 }), files(1, 1)), [], 'the current snapshot is kept anyway')
  const deletes = { sequence: 1, partition: '', vector: null, positionFiles: ['p'], equality: [] }
  assert.match(said(tableOf([0]), [...files(2, 1), ...files(1, 1, { deletes })])[0]!, /rows of 1 of 3 files/)
})
