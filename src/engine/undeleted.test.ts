// Deleted rows: random deletes of all kinds against a model of the specification's rules, and the names and columns by which
// the joins could go wrong.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { FILE_PATH_ID, POSITION_ID } from '../lake/deletes/delete-manifest.ts'
import type { DataFile, EqualityDeletes, FileDeletes, LakeTable } from '../lake/types.ts'
import { scanSql } from './scan.ts'
import { quoteText } from './sql-text.ts'
import { lakeTable, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

let count = 0

/** A Parquet file of rows whose columns have these field ids. */
async function parquet(ids: Readonly<Record<string, number>>, select: string): Promise<string> {
  const path = `${parts.directory}/d${count++}.parquet`
  const fields = Object.entries(ids).map(([name, id]) => `${name}: ${id}`)
  await parts.session.run(`COPY (${select}) TO ${quoteText(path)} (FORMAT parquet, FIELD_IDS {${fields.join(', ')}})`)
  return path
}

const positionFile = (named: readonly (readonly [path: string, position: number])[]): Promise<string> =>
  parquet(
    { file_path: FILE_PATH_ID, pos: POSITION_ID },
    `SELECT * FROM (VALUES ${named.map(([path, position]) => `(${quoteText(path)}, ${position}::BIGINT)`).join(', ')}) AS v(file_path, pos)`,
  )

const equalFile = (id: number, values: readonly string[]): Promise<string> =>
  parquet({ k: id }, `SELECT * FROM (VALUES ${values.map((value) => `(${value})`).join(', ')}) AS v(k)`)

const write = async (table: LakeTable, select: string): Promise<DataFile> =>
  (await writeParquet(parts.session, { select, table, directory: parts.directory }))[0]!

const withDeletes = (file: DataFile, deletes: Partial<FileDeletes>): DataFile => ({
  ...file,
  deletes: { sequence: 1, partition: 'p', vector: null, positionFiles: [], equality: [], ...deletes },
})

const read = async (table: LakeTable, files: readonly DataFile[], rest = ''): Promise<readonly (readonly unknown[])[]> =>
  (await parts.session.rows(`SELECT * FROM (${scanSql({ table, files, tails: [] })}) ${rest}`)).rows

const equality = (path: string, fieldIds: readonly number[], sequence = 9, partition: string | null = null): EqualityDeletes => ({
  path,
  fieldIds,
  sequence,
  partition,
})

test('columns that are called like what DuckDB says of a row do not get in the way', async () => {
  const table = lakeTable({ columns: { filename: 'string', file_row_number: 'long', path: 'int', sequence: 'int' } })
  const file = await write(table, "SELECT 'x' || range AS filename, 100 - range AS file_row_number, 7 AS path, 3 AS sequence FROM range(4)")
  const [named, equal] = [await positionFile([[`file:${file.path}`, 1]]), await equalFile(1, ["'x2'"])]
  const deleted = withDeletes(file, { positionFiles: [named], equality: [equality(equal, [1])] })
  assert.deepEqual(await read(table, [deleted], 'ORDER BY 1'), [
    ['x0', 100n, 7, 3],
    ['x3', 97n, 7, 3],
  ])
})

test('the three ways of writing a path name the same file', async () => {
  const table = lakeTable({ columns: { a: 'int' } })
  const file = await write(table, 'SELECT range::INT AS a FROM range(5)')
  const named = await positionFile([
    [file.path, 0],
    [`file:${file.path}`, 2],
    [`file://${file.path}`, 4],
  ])
  assert.deepEqual(await read(table, [withDeletes(file, { positionFiles: [named] })], 'ORDER BY 1'), [[1], [3]])
})

test('a key column that was dropped since, widened, or is in no file still decides', async () => {
  const old = lakeTable({ columns: { a: 'int', gone: 'int' } })
  const file = await write(old, 'SELECT range::INT AS a, (range * 10)::INT AS gone FROM range(5)')
  const field = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  const schema = { id: 1, fields: [field(1, 'a', 'long'), field(3, 'late', 'string')], identifierIds: [] }
  const table: LakeTable = { ...old, schema, schemas: [...old.schemas, schema] }
  const [gone, wide] = [await equalFile(2, ['30::INT', '7::INT']), await equalFile(1, ['0::INT'])]
  const deleted = withDeletes(file, { equality: [equality(gone, [2]), equality(wide, [1])] })
  assert.deepEqual(await read(table, [deleted], 'ORDER BY 1'), [
    [1n, null],
    [2n, null],
    [4n, null],
  ])
  const late = await equalFile(3, ['NULL::VARCHAR'])
  assert.deepEqual(await read(table, [withDeletes(file, { equality: [equality(late, [3])] })]), [], 'a column that rows lack is null')
  assert.throws(() => scanSql({ table, files: [withDeletes(file, { equality: [equality(late, [99])] })], tails: [] }), {
    code: 'MR_LAKE_VERSION',
  })
})

test('keys of nanoseconds are not compared by what is left of them', async () => {
  const table = lakeTable({ columns: { a: 'int', b: 'timestamp_ns' } })
  const file = await write(table, "SELECT range::INT AS a, TIMESTAMP_NS '2024-01-01 00:00:00.123456789' AS b FROM range(5)")
  assert.deepEqual(await read(table, [withDeletes(file, { equality: [equality(await equalFile(1, ['0::INT']), [1])] })], 'WHERE a = 1'), [
    [1, '2024-01-01T00:00:00.123456'],
  ])
  const key = await equalFile(2, ["TIMESTAMP_NS '2024-01-01 00:00:00.123456001'"])
  assert.throws(() => scanSql({ table, files: [withDeletes(file, { equality: [equality(key, [2])] })], tails: [] }), /nanoseconds/)
})

test('a position that a later file of the same path is not about deletes nothing', async () => {
  const table = lakeTable({ columns: { a: 'int' } })
  const [one, two] = [
    await write(table, 'SELECT range::INT AS a FROM range(3)'),
    await write(table, 'SELECT 10 + range::INT AS a FROM range(3)'),
  ]
  const [named, other] = [
    await positionFile([
      [one.path, 0],
      [two.path, 0],
    ]),
    await positionFile([[two.path, 2]]),
  ]
  const files = [withDeletes(one, { positionFiles: [named] }), withDeletes(two, { positionFiles: [other] })]
  assert.deepEqual(await read(table, files, 'ORDER BY 1'), [[1], [2], [10], [11]])
})

// ---- random deletes against the rules

const value = fc.option(fc.integer({ min: 0, max: 6 }), { nil: null })
const aFile = fc.record({
  sequence: fc.integer({ min: 1, max: 6 }),
  partition: fc.constantFrom('p', 'q'),
  rows: fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 12 }),
  vector: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 11 }), { maxLength: 6 }), { nil: null }),
})
const aDelete = fc.record({
  sequence: fc.integer({ min: 1, max: 7 }),
  partition: fc.option(fc.constantFrom('p', 'q'), { nil: null }),
  ids: fc.constantFrom([1], [2], [1, 2]),
  rows: fc.array(fc.tuple(value, value), { minLength: 1, maxLength: 3 }),
})

type Pair = readonly [number | null, number | null]
const listed = (rows: readonly Pair[]): string => rows.map(([k, v]) => `(${k ?? 'NULL'}::INT, ${v ?? 'NULL'}::INT)`).join(', ')

test('random positions and equal rows are gone, and nothing else', async () => {
  const table = lakeTable({ columns: { k: 'int', v: 'int' } })
  let gone = 0
  await fc.assert(
    fc.asyncProperty(fc.array(aFile, { minLength: 1, maxLength: 3 }), fc.array(aDelete, { maxLength: 4 }), async (files, deletes) => {
      const written = await Promise.all(files.map(({ rows }) => write(table, `SELECT * FROM (VALUES ${listed(rows)}) AS t(k, v)`)))
      const sources = await Promise.all(
        deletes.map(({ rows }) => parquet({ k: 1, v: 2 }, `SELECT * FROM (VALUES ${listed(rows)}) AS t(k, v)`)),
      )
      const about = (file: (typeof files)[number]) =>
        deletes.flatMap((one, i) =>
          file.sequence < one.sequence && (one.partition === null || one.partition === file.partition)
            ? [{ ...one, path: sources[i]! }]
            : [],
        )
      const scanned = files.map((file, i) =>
        withDeletes(written[i]!, {
          sequence: file.sequence,
          partition: file.partition,
          vector: file.vector && { path: 'v', positions: Float64Array.from(file.vector.toSorted((a, b) => a - b)) },
          equality: about(file).map(({ path, ids, sequence, partition }) => equality(path, ids, sequence, partition)),
        }),
      )
      const left = files.flatMap((file) =>
        file.rows.filter(
          (row, i) =>
            !file.vector?.includes(i) &&
            !about(file).some(({ ids, rows }) => rows.some((other) => ids.every((id) => other[id - 1] === row[id - 1]))),
        ),
      )
      gone += files.reduce((sum, { rows }) => sum + rows.length, 0) - left.length
      const found = await read(table, scanned)
      assert.deepEqual(found.map((row) => JSON.stringify(row)).sort(), left.map((row) => JSON.stringify(row)).sort())
    }),
    { numRuns: 60 },
  )
  assert.ok(gone > 100, `only ${gone} rows were deleted`)
})
