// Golden tables that Spark and Iceberg's Java library wrote (test/corpora/iceberg, made by scripts/iceberg-corpus.ts): position
// deletes, deletion vectors and equality deletes, read row for row as Spark reads them, and rewritten without losing any.
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { DataFile } from '../../src/lake/types.ts'
import { compareTables, foreignLake, readExpected } from './foreign-tables.ts'

// The tables name their files relative to this directory.
process.chdir(join(dirname(dirname(fileURLToPath(import.meta.url))), 'corpora'))
const TABLES = 'iceberg'

async function filesOf(name: string): Promise<DataFile[]> {
  const lake = foreignLake(TABLES)
  return lake.files(await lake.at({ name, location: readExpected(TABLES)[name]!.metadata, snapshotId: null }))
}

test('every snapshot of every golden table has the rows that Spark reads', async () => {
  const tables = Object.values(readExpected(TABLES))
  const snapshots = tables.reduce((sum, { snapshots }) => sum + Math.max(1, Object.keys(snapshots).length), 0)
  assert.ok(snapshots >= 30, `only ${snapshots} snapshots`)
  assert.equal(await compareTables(TABLES), snapshots)
})

test('the golden tables hold every kind of deletes', async () => {
  const deletesOf = async (name: string) => (await filesOf(name)).flatMap(({ deletes }) => (deletes ? [deletes] : []))
  assert.ok((await deletesOf('positions_by_partition')).some(({ positionFiles }) => positionFiles.length > 1))
  assert.ok((await deletesOf('vectors')).every(({ vector }) => vector !== null))
  const upgraded = await deletesOf('upgraded')
  assert.ok(upgraded.some(({ vector }) => vector !== null))
  const equality = (await deletesOf('equality')).flatMap((deletes) => deletes.equality)
  assert.deepEqual([...new Set(equality.map(({ fieldIds }) => fieldIds.join()))].sort(), ['1', '1,2', '2'])
  const partitioned = (await deletesOf('equality_partitioned')).flatMap((deletes) => deletes.equality)
  assert.ok(partitioned.some(({ partition }) => partition === null) && partitioned.some(({ partition }) => partition !== null))
  const [dense] = await deletesOf('dense_vector')
  const isDeleted = (id: number) => (id % 3 === 0 && id < 65_536) || (id > 70_000 && id < 120_000) || id === 131_072 || id === 131_080
  assert.deepEqual([...dense!.vector!.positions], Array.from({ length: 140_000 }, (_, id) => id).filter(isDeleted))
})
