// What Millrace does to tables in which others deleted rows: it appends, rewrites, compacts, expires and compares snapshots
// without bringing a row back or removing a delete file that is needed. On a copy of the golden tables.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeDisk } from '../../src/core/disk.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import type { Lake } from '../../src/lake/open-lake.ts'
import type { DataFile, LakeTable } from '../../src/lake/types.ts'
import { changedRows } from '../../src/transform/changed-rows.ts'
import { foreignLake, readExpected } from './foreign-tables.ts'

const copy = mkdtempSync(join(tmpdir(), 'millrace-foreign-'))
let engine: TestEngine
before(async () => {
  cpSync(join(dirname(dirname(fileURLToPath(import.meta.url))), 'corpora', 'iceberg'), join(copy, 'iceberg'), { recursive: true })
  // The tables name their files relative to this directory.
  process.chdir(copy)
  engine = await openTestEngine({ directories: ['iceberg'] })
})
after(async () => {
  await engine[Symbol.asyncDispose]()
  process.chdir(tmpdir())
  rmSync(copy, { recursive: true })
})

const code = (expected: ErrorCode) => (error: unknown) => (error as { code?: string }).code === expected

async function open(name: string): Promise<{ lake: Lake; table: LakeTable }> {
  const lake = foreignLake('iceberg/t')
  await lake.catalog.commit({ tables: [{ name, from: null, to: readExpected('iceberg')[name]!.metadata, snapshotId: null }], nowMs: 0 })
  return { lake, table: await lake.table(name) }
}

async function rowsOf(lake: Lake, table: LakeTable, files?: readonly DataFile[]): Promise<string[]> {
  const sql = scanSql({ table, files: files ?? (await lake.files(table)), tails: [] })
  return (await engine.session.rows(`SELECT * FROM (${sql})`)).rows
    .map((row) => JSON.stringify(row, (_key, value) => (typeof value === 'bigint' ? `${value}` : value)))
    .sort()
}

const rewrite = async (lake: Lake, table: LakeTable, files: readonly DataFile[]): Promise<DataFile[]> =>
  writeParquet(engine.session, { select: scanSql({ table, files, tails: [] }), table, directory: lake.dataDirectory(table) })

for (const name of ['positions_by_partition', 'equality', 'equality_partitioned', 'clocks']) {
  test(`${name}: rows appended, rewritten and compacted by Millrace are those that there were`, async () => {
    const { lake, table } = await open(name)
    const before = await rowsOf(lake, table)
    const [first, ...rest] = await lake.files(table)
    // Appended: rows that equality deletes name come back, since they are newer.
    const again = await writeParquet(engine.session, {
      select: `SELECT * FROM (${scanSql({ table, files: [{ ...first!, deletes: undefined! }], tails: [] })})`,
      table,
      directory: lake.dataDirectory(table),
    })
    const appended = (await lake.commit([{ table: name, operation: 'append', add: again, remove: [] }])).tables[0]!
    assert.equal((await rowsOf(lake, appended)).length, before.length + first!.rows)
    assert.equal(appended.current!.summary['total-delete-files'], table.current!.summary['total-delete-files'])
    const removed = (
      await lake.commit([{ table: name, operation: 'delete', add: [], remove: again.map(({ path }) => path), readFrom: table.current!.id }])
    ).tables[0]!
    assert.deepEqual(await rowsOf(lake, removed), before)
    const files = [first!, ...rest]
    const add = await rewrite(lake, removed, files)
    const compacted = (
      await lake.commit([{ table: name, operation: 'replace', add, remove: files.map(({ path }) => path), readFrom: removed.current!.id }])
    ).tables[0]!
    assert.ok((await lake.files(compacted)).every(({ deletes }) => !deletes))
    assert.deepEqual(await rowsOf(lake, compacted), before)
  })
}

test('a rewrite that was computed before rows were deleted is refused', async () => {
  const { lake, table } = await open('equality')
  const beforeDelete = table.snapshots.at(-2)!
  assert.equal(table.current!.operation, 'delete')
  const stale = (await lake.files(table, beforeDelete)).filter(({ deletes }) => deletes)
  const add = await rewrite(lake, table, stale)
  const change = { table: 'equality', operation: 'replace', add, remove: stale.map(({ path }) => path) } as const
  await assert.rejects(lake.commit([{ ...change, readFrom: beforeDelete.id }]), code('MR_LAKE_CONFLICT'))
  await assert.rejects(lake.commit([{ ...change, validateFrom: beforeDelete.id, validateWhere: [] }]), code('MR_LAKE_CONFLICT'))
})

test('the rows that changed between two snapshots are those that were deleted, though no data file changed', async () => {
  const { lake, table } = await open('positions_by_partition')
  const [inserted, deleted] = table.snapshots
  const then: LakeTable = { ...table, current: deleted!, snapshots: [inserted!, deleted!], schema: table.schemas[0]! }
  const changed = await changedRows({ lake, lease: lake.lease() }, then, String(inserted!.id))
  assert.ok(typeof changed === 'object')
  const { rows } = await engine.session.rows(`SELECT id FROM (${changed.changed}) ORDER BY id`)
  assert.deepEqual(
    rows.map(([id]) => Number(id)),
    Array.from({ length: 15 }, (_, i) => i * 4),
  )
})

test('expiry and orphan removal leave every delete file that a kept snapshot needs', async () => {
  const { lake, table } = await open('vectors')
  const before = await rowsOf(lake, table)
  const expired = await lake.expire('vectors', { olderThanMs: 0, retainLast: 1 })
  assert.equal(expired.snapshots, table.snapshots.length - 1)
  assert.ok(expired.files > 0, 'replaced vectors are gone')
  assert.ok((await lake.removeOrphans(-1_000_000)).files >= 0)
  const after = await lake.table('vectors')
  assert.deepEqual(await rowsOf(foreignLake('iceberg/t'), after), before)
  const left = (await nodeDisk.list('iceberg/t/vectors/metadata')).filter((name) => name.endsWith('.metadata.json'))
  assert.ok(left.length >= 1)
  assert.match(
    (await nodeDisk.readFile(after.metadataLocation)).toString(),
    /"format-version":3.*"next-row-id":250/s,
    'what Millrace does not know is carried along',
  )
})
