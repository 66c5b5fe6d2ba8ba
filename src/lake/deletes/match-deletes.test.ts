// Scope of deletes: each kind by sequence number, partition and named file, in tables of the smallest size.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADDED, type Entry } from '../manifest.ts'
import type { DataFile, LakeSpec } from '../types.ts'
import type { DeleteFile } from './delete-manifest.ts'
import { matchDeletes } from './match-deletes.ts'

const SPECS: LakeSpec[] = [
  { id: 0, fields: [] },
  { id: 1, fields: [{ sourceId: 2, fieldId: 1000, name: 'country', transform: 'identity' }] },
]
const partitionOf = (country: string | null | undefined) =>
  country === undefined ? { specId: 0, partition: {} } : { specId: 1, partition: { country } }
const data = (country?: string | null, path = 'a'): DataFile => ({
  path,
  rows: 9,
  sizeBytes: 9,
  columns: new Map(),
  ...partitionOf(country),
})

function deletes(kind: DeleteFile['kind'], sequence: number, country?: string | null, dataFile: string | null = null): Entry<DeleteFile> {
  const file = {
    kind,
    path: `${kind}-${sequence}`,
    rows: 1,
    sizeBytes: 1,
    dataFile,
    equalityIds: [1],
    offset: 0,
    lengthBytes: 0,
    columns: new Map(),
  }
  return { status: ADDED, snapshotId: 1n, sequence, fileSequence: sequence, file: { ...file, ...partitionOf(country) } }
}

function found(entries: readonly Entry<DeleteFile>[], file: DataFile, sequence: number): string[] {
  const matched = matchDeletes(entries, SPECS)(file, sequence)
  if (!matched) return []
  return [...(matched.vector ? [matched.vector] : []), ...matched.positions, ...matched.equality].map((entry) => entry.file.path)
}

test('position deletes are about files that are not newer, equality deletes about older ones only', () => {
  const entries = [deletes('position', 5), deletes('equality', 5)]
  assert.deepEqual(found(entries, data(), 4), ['position-5', 'equality-5'])
  assert.deepEqual(found(entries, data(), 5), ['position-5'])
  assert.deepEqual(found(entries, data(), 6), [])
})

test('deletes stay in their partition, null being one, except equality deletes of a spec without partitions', () => {
  const entries = [deletes('position', 5, 'de'), deletes('equality', 6, null), deletes('equality', 7), deletes('position', 8)]
  assert.deepEqual(found(entries, data('de'), 1), ['position-5', 'equality-7'])
  assert.deepEqual(found(entries, data(null), 1), ['equality-6', 'equality-7'])
  assert.deepEqual(found(entries, data('fr'), 1), ['equality-7'])
  assert.deepEqual(found(entries, data(), 1), ['position-8', 'equality-7'])
})

test('deletes that name one file are about that one', () => {
  const entries = [deletes('position', 5, 'de', 'a')]
  assert.deepEqual(found(entries, data('de'), 1), ['position-5'])
  assert.deepEqual(found(entries, data('de', 'b'), 1), [])
  assert.deepEqual(found(entries, data('fr'), 1), [], 'a file of the same path in another partition is another file')
})

test('a vector stands for all positions before it, not for equality deletes', () => {
  const entries = [deletes('position', 5), deletes('vector', 7, undefined, 'a'), deletes('equality', 8)]
  assert.deepEqual(found(entries, data(), 1), ['vector-7', 'equality-8'])
  assert.deepEqual(found(entries, data(undefined, 'b'), 1), ['position-5', 'equality-8'])
})
