// Columns that are added with a default (Iceberg version 3): rows of before have it, of every type, also where a file is
// written anew or has deletes; rows that say null have null; version 2 refuses it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diskLake } from '../../test/simulation/disk-lake.ts'
import { schemaToShape } from '../lake/schema-mapping.ts'
import { schemaJson } from '../lake/table-metadata.ts'
import { checkParquet } from './check-parquet.ts'
import { movedSql } from './lineage.ts'
import { mergeRows } from './merge.ts'
import { scanSql } from './scan.ts'
import { openTestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

/** Type, default as Iceberg's JSON has it, and as DuckDB prints it. */
const DEFAULTS: readonly (readonly [type: string, json: string | number | bigint | boolean, text: string])[] = [
  ['boolean', true, 'true'],
  ['int', -7, '-7'],
  ['long', 9223372036854775807n, '9223372036854775807'],
  ['float', 1.5, '1.5'],
  ['double', -0.25, '-0.25'],
  ['decimal(12, 2)', '14.20', '14.20'],
  ['decimal(38, 4)', '-1234567890123456789012345678901234.5678', '-1234567890123456789012345678901234.5678'],
  ['date', '1969-12-31', '1969-12-31'],
  ['time', '22:31:08.123456', '22:31:08.123456'],
  ['timestamptz', '2017-11-16T22:31:08.123456+00:00', '2017-11-16 22:31:08.123456+00'],
  ['string', "it's, a ü \\x41", "it's, a ü \\x41"],
  ['uuid', 'f79c3e09-677c-4bbd-a479-3f349cb785e7', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'],
  ['binary', '0041ff', '\\x00A\\xFF'],
]

test('rows of before have the default, rows that say null have null', async () => {
  await using engine = await openTestEngine()
  const { session, directory } = engine
  const lake = diskLake(`${directory}/lake`)
  const shape = { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] } as const
  let table = await lake.create({ name: 't', shape, partition: [], cluster: ['id'], key: ['id'], formatVersion: 3 })
  const commit = async (change: object) =>
    (await lake.commit([{ table: 't', operation: 'append', add: [], remove: [], ...change }])).tables[0]!
  const write = (select: string) => writeParquet(session, { select, table, directory: lake.dataDirectory(table) })
  table = await commit({ add: await write('SELECT i::BIGINT AS id FROM range(100) AS r(i)') })
  const { schema } = table
  const added = DEFAULTS.map(([type, json], i) => ({
    id: i + 2,
    name: `c${i}`,
    required: false,
    type,
    initialDefault: json,
    writeDefault: json,
  }))
  const next = { ...schemaJson({ ...schema, fields: [...schema.fields, ...added] }) }
  const updates = [
    { action: 'add-schema', schema: next },
    { action: 'set-current-schema', 'schema-id': -1 },
  ]
  table = (await lake.outside.update([{ name: 't', shown: 't', requirements: [], updates }]))[0]!
  const nulls = DEFAULTS.map((_, i) => `NULL AS c${i}`).join(', ')
  table = await commit({ add: await write(`SELECT 100::BIGINT AS id, ${nulls}`) })
  const merge = async (from: number, to: number) => {
    const rows = `SELECT i::BIGINT AS id, ${nulls} FROM range(${from}, ${to}) AS r(i)`
    const change = await mergeRows(session, { lake, table, key: ['id'], rows })
    table = await commit(change)
    return change
  }
  assert.equal((await merge(0, 3)).delete?.length, 1)
  const check = async (nullRows: number) => {
    const files = await lake.files(table)
    const columns = DEFAULTS.map((_, i) => `c${i}::VARCHAR`).join(', ')
    const { rows } = await session.rows(
      `SELECT ${columns}, count(*)::INTEGER FROM (${scanSql({ table, files, tails: [] })}) GROUP BY ALL ORDER BY ALL`,
    )
    assert.deepEqual(rows, [
      [...DEFAULTS.map(([, , text]) => text), 101 - nullRows],
      [...DEFAULTS.map(() => null), nullRows],
    ])
    for (const file of files) assert.equal(await checkParquet(session, table, file), null)
  }
  await check(4)
  // Asked for: files that lack the columns are written with them, and nothing changes for who reads.
  assert.deepEqual(await lake.planCompaction(table, { minFiles: 100 }), [])
  const [lacking, ...more] = await lake.planCompaction(table, { minFiles: 100, fillDefaults: true })
  assert.deepEqual([lacking?.files.length, more], [1, []])
  using lease = lake.lease()
  const select = movedSql(table, await lease.local(lacking!.files))
  const add = await writeParquet(session, { select, moved: true, table, directory: lake.dataDirectory(table) })
  table = await commit({ operation: 'replace', add, remove: lacking!.files.map(({ path }) => path), readFrom: table.current!.id })
  assert.deepEqual(await lake.planCompaction(table, { minFiles: 100, fillDefaults: true }), [])
  await check(4)
  assert.equal((await merge(10, 60)).remove.length, 1)
  await check(54)
  // Evolution of our own keeps what another writer gave the columns.
  const shape2 = { fields: [...schemaToShape(table.schema).fields, { name: 'more', type: { kind: 'int' }, optional: true }] }
  table = await commit({ shape: shape2 })
  assert.deepEqual(
    table.schema.fields.slice(1, -1).map((field) => field.initialDefault),
    DEFAULTS.map(([, json]) => json),
  )
  await check(54)
})

test('version 2 takes no default', async () => {
  await using engine = await openTestEngine()
  const lake = diskLake(`${engine.directory}/lake`)
  const shape = { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] } as const
  const { schema } = await lake.create({ name: 't', shape, partition: [], cluster: [], key: [] })
  const field = { id: 2, name: 'n', required: false, type: 'int', initialDefault: 7 }
  const updates = [{ action: 'add-schema', schema: schemaJson({ ...schema, fields: [...schema.fields, field] }) }]
  await assert.rejects(lake.outside.update([{ name: 't', shown: 't', requirements: [], updates }]), { code: 'MR_LAKE_UPDATE' })
})
