// A table written through the engine and the lake, read by PyIceberg: all types, three kinds of partition, evolution of
// shape and partition, copy-on-write, a tag. Rows must be equal, and what PyIceberg prunes by our statistics must lose none.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { mergeRows } from '../../src/engine/merge.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import type { LakeTable, LakeType, TableChange } from '../../src/lake/types.ts'
import { comparable, makeOwnTable, type Row, rowsAsText } from './own-table.ts'

const installed = installPyIceberg()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in installed && !isRequired ? `PyIceberg is not available: ${installed.missing}` : false

type Where = readonly (readonly [string, string, string | number | null])[]
interface Answer {
  readonly table: {
    readonly snapshots: string[]
    readonly current: string
    readonly totalRecords: string
    readonly refs: Record<string, string>
    readonly specs: Record<string, [string, string][]>
    readonly columns: [number, string, string, boolean][]
  }
  readonly scans: readonly { readonly rows: Row[]; readonly files: string[] }[]
}

function ask(table: LakeTable, scans: readonly { readonly snapshot?: string; readonly where?: Where }[]): Answer {
  assert.ok('python' in installed)
  const script = join(dirname(fileURLToPath(import.meta.url)), 'read_table.py')
  const input = JSON.stringify({ metadata: table.metadataLocation, scans })
  const done = spawnSync(installed.python, [script], { input, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  assert.equal(done.status, 0, done.stderr)
  return JSON.parse(done.stdout) as Answer
}

/** PyIceberg reads a list of structs that is null as an empty one (apache/iceberg-python#3833); Spark reads it as it is. */
const asRead = (row: Row): Row => ({ ...row, items: row['items'] ?? '[]' })

/** A type as PyIceberg prints it, with the ids inside. */
function icebergText(type: LakeType): string {
  if (typeof type === 'string') return type
  if (type.type === 'list') return `list<${icebergText(type.element)}>`
  if (type.type === 'map') return `map<${icebergText(type.key)}, ${icebergText(type.value)}>`
  const fields = type.fields.map(
    (field) => `${field.id}: ${field.name}: ${field.required ? 'required' : 'optional'} ${icebergText(field.type)}`,
  )
  return `struct<${fields.join(', ')}>`
}

test('PyIceberg reads what was written, now and at a tag, and prunes by our statistics without losing a row', { skip }, async () => {
  assert.ok('python' in installed, 'missing' in installed ? installed.missing : '')
  await using engine = await openTestEngine()
  const { lake, first, last } = await makeOwnTable(engine, 'events')
  const filters: Where[] = [
    [['id', '=', 7]],
    [['at', '>=', '2024-02-01T00:00:00+00:00']],
    [['at', '<', '1970-01-01T00:00:00+00:00']],
    [['country', '=', 'ü b/c=d']],
    [['country', 'is null', null]],
    [['small', '<', -2000000000]],
    [['price', '>=', '9999999999.00']],
    [['day', '=', '9999-12-31']],
    [
      ['comment', 'is not null', null],
      ['added', '>=', 20],
    ],
    [['huge', '<', '-1.0000']],
    [['ref', '=', 'ffffffff-ffff-ffff-ffff-ffffffffffff']],
    [['hour', '>=', '23:59:59.999999']],
    [['local', '>=', '2024-02-01T12:00:00']],
    [['local', '<', '1970-01-01T00:00:00']],
  ]
  const answer = ask(last, [{}, { snapshot: String(first.current!.id) }, ...filters.map((where) => ({ where }))])
  const [now, before, ...filtered] = answer.scans
  const all = (await rowsAsText(engine, lake, last, last.current!)).map(asRead)
  assert.equal(all.length, 104 + 30 - 1)
  assert.deepEqual(comparable(now!.rows), comparable(all))
  assert.deepEqual(comparable(before!.rows), comparable((await rowsAsText(engine, lake, last, first.current!)).map(asRead)))

  assert.deepEqual(
    answer.table.snapshots,
    last.snapshots.map((snapshot) => String(snapshot.id)),
  )
  assert.equal(answer.table.current, String(last.current!.id))
  assert.equal(answer.table.totalRecords, '133')
  assert.deepEqual(answer.table.refs, { main: String(last.current!.id), before: String(first.current!.id) })
  assert.deepEqual(answer.table.specs, {
    0: [
      ['at_month', 'month'],
      ['id_bucket', 'bucket[4]'],
      ['country', 'identity'],
    ],
    1: [['at_day', 'day']],
  })
  assert.deepEqual(
    answer.table.columns.map(([id, name, type]) => [id, name, type]),
    last.schema.fields.map((field) => [field.id, field.name, icebergText(field.type)]),
  )

  for (const [i, where] of filters.entries()) {
    const sql = where.map(([column, op, value]) => (value === null ? `"${column}" ${op}` : `"${column}" ${op} '${value}'`)).join(' AND ')
    const files = await lake.lease().local(await lake.files(last))
    const { rows } = await engine.session.rows(
      `SELECT id::VARCHAR FROM (${scanSql({ table: last, files, tails: [] })}) WHERE ${sql} ORDER BY 1`,
    )
    assert.ok(rows.length > 0, `${sql} matches nothing`)
    assert.deepEqual(
      filtered[i]!.rows.map((row) => row['id']).sort(),
      rows.map((row) => row[0]),
      sql,
    )
    assert.ok(filtered[i]!.files.length < files.length, `${sql} opened all files`)
  }
})

test('PyIceberg reads a table that went back to an earlier snapshot, and the history before it', { skip }, async () => {
  assert.ok('python' in installed, 'missing' in installed ? installed.missing : '')
  await using engine = await openTestEngine()
  const { lake, first, last } = await makeOwnTable(engine, 'events')
  const restored = await lake.restore('events', first.current!.id)
  const { table, scans } = ask(restored, [{}, { snapshot: String(last.current!.id) }])
  const rows = (await rowsAsText(engine, lake, restored, restored.current!)).map(asRead)
  assert.equal(rows.length, 104)
  assert.deepEqual(comparable(scans[0]!.rows), comparable(rows))
  assert.deepEqual(comparable(scans[1]!.rows), comparable((await rowsAsText(engine, lake, restored, last.current!)).map(asRead)))
  assert.deepEqual([table.current, table.totalRecords], [String(restored.current!.id), '104'])
})

test('PyIceberg reads a table of version 3 without the rows that vectors delete, also before its compaction', { skip }, async () => {
  assert.ok('python' in installed, 'missing' in installed ? installed.missing : '')
  await using engine = await openTestEngine()
  const { lake, last } = await makeOwnTable(engine, 'events')
  const commit = async (change: Partial<TableChange>) =>
    (await lake.commit([{ table: 'events', operation: 'append', add: [], remove: [], ...change }])).tables[0]!
  const upgraded = await commit({ formatVersion: 3 })
  const merge = async (table: LakeTable, ids: string) =>
    commit(await mergeRows(engine.session, { lake, table, key: ['id'], rows: scanSql({ table, files: [], tails: [] }), keys: ids }))
  await merge(upgraded, 'SELECT i::BIGINT AS id FROM range(2001, 2004) AS r(i)')
  const deleted = await merge(await lake.table('events'), 'SELECT i::BIGINT AS id FROM range(5, 100, 20) AS r(i) UNION ALL SELECT 2010')
  const vectors = (await lake.files(deleted)).filter((file) => file.deletes?.vector)
  assert.ok(vectors.length >= 1)
  const { table, scans } = ask(deleted, [{}, { snapshot: String(last.current!.id) }])
  const rows = (await rowsAsText(engine, lake, deleted, deleted.current!)).map(asRead)
  assert.equal(rows.length, 133 - 8)
  assert.deepEqual(comparable(scans[0]!.rows), comparable(rows))
  assert.equal(scans[1]!.rows.length, 133)
  assert.equal(table.current, String(deleted.current!.id))
})
