// Parquet files against their manifests: whole ones of every type pass, and what is cut, garbled or another file does not.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import type { DataFile, LakeTable } from '../lake/types.ts'
import { checkParquet } from './check-parquet.ts'
import { lakeTable, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

let parts: TestEngine
let file: DataFile
const TABLE = lakeTable({
  columns: {
    ...{
      id: 'long',
      small: 'int',
      huge: 'decimal(38, 4)',
      price: 'decimal(12, 2)',
      ratio: 'float',
      wide: 'double',
      day: 'date',
      at: 'timestamptz',
    },
    ...{ local: 'timestamp', text: 'string', ref: 'uuid', raw: 'binary', hour: 'time', flag: 'boolean', often: 'string', nan: 'double' },
  },
})

const write = async (table: LakeTable, select: string): Promise<DataFile> =>
  (await writeParquet(parts.session, { table, directory: parts.directory, select }))[0]!

before(async () => {
  parts = await openTestEngine()
  file = await write(
    TABLE,
    `SELECT i::BIGINT AS id, -i AS small, 9999999999999999999999999999999999.9999 - i AS huge, i * -1.25 AS price, i / 7 AS ratio,
      CASE WHEN i % 3 = 0 THEN '-Infinity'::DOUBLE ELSE i / 9 END AS wide, DATE '0001-01-01' + i::INT AS day,
      TIMESTAMPTZ '1969-12-31 23:59:59.999999+00' - to_hours(i) AS at, TIMESTAMP '2024-01-01' + to_hours(i) AS local, repeat('é😀', 20) || i AS text,
      ('00000000-0000-0000-0000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS ref, ('x' || i)::BLOB AS raw, TIME '00:00:01' + to_seconds(i) AS hour,
      i % 2 = 0 AS flag, CASE WHEN i > 5 THEN 'q' END AS often, CASE WHEN i = 4 THEN 'NaN'::DOUBLE ELSE i END AS nan FROM range(2000) AS t(i)`,
  )
})
after(() => parts[Symbol.asyncDispose]())

test('a whole file passes, also one of no nulls, only nulls, or from before a column was there', async () => {
  assert.equal(await checkParquet(parts.session, TABLE, file), null)
  const table = lakeTable({ columns: { a: 'int', b: 'int' } })
  const one = await write(table, 'SELECT 1 AS a, NULL::INT AS b')
  assert.equal(await checkParquet(parts.session, table, one), null)
  const schema = { ...table.schema, fields: [...table.schema.fields, { id: 3, name: 'late', type: 'decimal(5, 2)', required: false }] }
  assert.equal(await checkParquet(parts.session, { ...table, schema }, one), null)
})

const damaged = (name: string, change: (bytes: Buffer) => Buffer): DataFile => {
  const path = `${parts.directory}/${name}.parquet`
  writeFileSync(path, change(Buffer.from(readFileSync(file.path))))
  return { ...file, path }
}

test('a file that is missing, cut, empty, not Parquet, or has a broken footer is refused', async () => {
  const cases = [
    damaged('cut', (bytes) => bytes.subarray(0, bytes.length / 2)),
    damaged('empty', () => Buffer.alloc(0)),
    damaged('other', () => Buffer.from('this is no Parquet file, whatever its name')),
    damaged('footer', (bytes) => bytes.fill(0xff, bytes.length - 400, bytes.length - 300)),
    damaged('page', (bytes) => bytes.fill(0, 4, 60)),
  ]
  for (const one of cases) assert.match((await checkParquet(parts.session, TABLE, one)) ?? 'passes', /^cannot be read: /, one.path)
  assert.equal(await checkParquet(parts.session, TABLE, { ...file, path: `${parts.directory}/nowhere.parquet` }), 'is missing')
})

test('another number of rows, other nulls, and values outside of the bounds are told', async () => {
  assert.match((await checkParquet(parts.session, TABLE, { ...file, rows: 1999 }))!, /^has 2000 rows instead of 1999$/)
  const table = lakeTable({ columns: { a: 'int', b: 'string' } })
  const [one, two] = [
    await write(table, "SELECT range::INT AS a, 'x' AS b FROM range(5)"),
    await write(table, "SELECT 1 + range::INT AS a, 'x' AS b FROM range(5)"),
  ]
  assert.match((await checkParquet(parts.session, table, { ...one, path: two.path }))!, /^has 1 values in a outside of its bounds$/)
  const nulls = await write(table, 'SELECT range::INT AS a, NULL::VARCHAR AS b FROM range(5)')
  assert.match((await checkParquet(parts.session, table, { ...one, path: nulls.path }))!, /^has 5 nulls in b instead of 0$/)
})

test('columns of types that Millrace does not hold, which another engine wrote, are passed over', async () => {
  const table = lakeTable({ columns: { a: 'int', b: 'string' } })
  const one = await write(table, "SELECT range::INT AS a, 'x' AS b FROM range(5)")
  const [a, b] = table.schema.fields
  for (const type of ['of the nested column items', 'variant']) {
    const foreign = { ...table, schema: { ...table.schema, fields: [a!, { ...b!, type }] } }
    assert.equal(await checkParquet(parts.session, foreign, one), null)
    assert.match((await checkParquet(parts.session, foreign, { ...one, rows: 4 }))!, /^has 5 rows instead of 4$/)
  }
})
