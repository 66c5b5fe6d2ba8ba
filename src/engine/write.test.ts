// Data files: what is written is what was asked, statistics and partitions agree with the lake's own functions, and nothing
// stays behind.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { DataFile, LakeTable } from '../lake/types.ts'
import { encodeBound } from '../lake/value/bound.ts'
import { decodeValue } from '../lake/value/single-value.ts'
import { valueFromText } from '../lake/value/text-value.ts'
import { applyTransform } from '../lake/value/transform.ts'
import { scanSql } from './scan.ts'
import { quoteText } from './sql-text.ts'
import { lakeTable, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

const write = (table: LakeTable, select: string, rowsPerFile?: number): Promise<DataFile[]> =>
  writeParquet(parts.session, { select, table, directory: parts.directory, ...(rowsPerFile === undefined ? {} : { rowsPerFile }) })

const read = async (table: LakeTable, files: readonly DataFile[], rest = ''): Promise<readonly (readonly unknown[])[]> =>
  (await parts.session.rows(`SELECT * FROM (${scanSql({ table, files, tails: [] })}) ${rest}`)).rows

const left = (): string[] => readdirSync(parts.directory)

test('values, ids and statistics of every type', async () => {
  const table = lakeTable({
    columns: {
      'a"b': 'int',
      'c.d': 'long',
      f: 'float',
      g: 'double',
      m: 'decimal(38, 2)',
      day: 'date',
      clock: 'time',
      seen: 'timestamptz',
      s: 'string',
      u: 'uuid',
      x: 'binary',
      yes: 'boolean',
      none: 'int',
    },
  })
  const row = (n: number): string =>
    `SELECT ${n} AS "a""b", ${n}::BIGINT AS "c.d", ${n}.5 AS f, ${n === 1 ? "'nan'" : n}::DOUBLE AS g, ${n}.25 AS m, DATE '2026-01-0${n}' AS day,
      TIME '0${n}:00:00' AS clock, TIMESTAMPTZ '2026-01-0${n} 00:00:00.000001+00' AS seen, repeat('é', ${n * 10}) AS s,
      '01234567-89ab-cdef-0123-456789abcde${n}' AS u, '\\x0${n}'::BLOB AS x, ${n === 1} AS yes, NULL AS none`
  const files = await write(table, `${row(1)} UNION ALL ${row(2)}`)
  assert.equal(files.length, 1)
  const [file] = files as [DataFile]
  assert.equal(file.rows, 2)
  assert.deepEqual(file.partition, {})
  const rows = await read(table, files, 'ORDER BY "a""b"')
  assert.deepEqual(rows[1], [
    2,
    2n,
    2.5,
    2,
    '2.25',
    '2026-01-02',
    '02:00:00',
    '2026-01-02T00:00:00.000001Z',
    'é'.repeat(20),
    '01234567-89ab-cdef-0123-456789abcde2',
    'Ag==',
    false,
    null,
  ])
  const ids = await parts.session.rows(
    `SELECT name, field_id FROM parquet_schema(${quoteText(file.path)}) WHERE field_id IS NOT NULL ORDER BY field_id`,
  )
  assert.deepEqual(
    ids.rows,
    table.schema.fields.map(({ id, name }) => [name, BigInt(id)]),
  )
  const stats = (name: string) => file.columns.get(table.schema.fields.find((field) => field.name === name)!.id)!
  assert.deepEqual(stats('a"b').lower, encodeBound('int', '1', 'lower'))
  assert.deepEqual(stats('s').upper, encodeBound('string', 'é'.repeat(20), 'upper'))
  assert.equal(decodeValue('timestamptz', stats('seen').upper!), 1767312000000001n)
  assert.deepEqual([stats('g').lower, stats('g').nans, stats('f').nans], [undefined, undefined, 0])
  assert.deepEqual([stats('none').nulls, stats('none').lower, stats('s').nulls, stats('s').values], [2, undefined, 0, 2])
  assert.ok(stats('s').sizeBytes > 0)
})

test('no rows, no files; failures and cancelled writes leave nothing', async () => {
  const before = left()
  const plain = lakeTable({ columns: { v: 'long', p: 'int' } })
  const split = lakeTable({ columns: { v: 'long', p: 'int' }, partitions: { p: ['p', 'identity'] } })
  for (const table of [plain, split]) {
    assert.deepEqual(await write(table, 'SELECT 1 AS v, 2 AS p WHERE false'), [])
    await assert.rejects(
      write(table, "SELECT CASE WHEN range = 250000 THEN error('x')::BIGINT ELSE range END AS v, range % 3 AS p FROM range(300000)"),
      { code: 'MR_SQL_RUNTIME' },
    )
    const aborter = new AbortController()
    setTimeout(() => aborter.abort(), 30)
    const select = 'SELECT a.range * b.range AS v, 1 AS p FROM range(1000000) AS a, range(1000) AS b'
    await assert.rejects(writeParquet(parts.session, { select, table, directory: parts.directory, signal: aborter.signal }), {
      code: 'MR_CANCELLED',
    })
  }
  assert.deepEqual(left(), before)
})

test('partitions by any text, by null, and not by texts that no path can hold', async () => {
  const table = lakeTable({ columns: { v: 'string' }, partitions: { v: ['v', 'identity'] } })
  const values = ['', 'NULL', 'a/b', '..', '%2F', 'é🙂', 'a=b', '__HIVE_DEFAULT_PARTITION__', ' ', 'a"b\'c', '*?[]', 'x\ny', null]
  const files = await write(
    table,
    `SELECT unnest([${values.map((value) => (value === null ? 'NULL' : quoteText(value))).join(', ')}]) AS v`,
  )
  assert.deepEqual(new Set(files.map((file) => file.partition['v'])), new Set(values))
  for (const file of files) assert.deepEqual(await read(table, [file]), [[file.partition['v']]])
  await assert.rejects(write(table, "SELECT repeat('a', 300) AS v"), { code: 'MR_LAKE_SPEC' })
})

const INSTANTS = fc.bigInt({ min: -3_000_000_000_000_000n, max: 9_000_000_000_000_000n })
const TRANSFORMS: readonly (readonly [type: string, transform: string, sql: fc.Arbitrary<string>])[] = [
  ['timestamptz', 'hour', INSTANTS.map((micros) => `make_timestamptz(${micros})`)],
  ['timestamptz', 'day', INSTANTS.map((micros) => `make_timestamptz(${micros})`)],
  ['timestamptz', 'month', INSTANTS.map((micros) => `make_timestamptz(${micros})`)],
  ['timestamp', 'year', INSTANTS.map((micros) => `make_timestamp(${micros})`)],
  ['date', 'month', fc.integer({ min: -800_000, max: 2_000_000 }).map((days) => `DATE '1970-01-01' + ${days}`)],
  ['date', 'year', fc.integer({ min: -700_000, max: 2_000_000 }).map((days) => `DATE '1970-01-01' + ${days}`)],
  ['date', 'bucket[7]', fc.integer({ min: -100_000, max: 100_000 }).map((days) => `DATE '1970-01-01' + ${days}`)],
  ['int', 'bucket[16]', fc.integer().map(String)],
  ['long', 'bucket[16]', fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }).map(String)],
  ['timestamptz', 'bucket[5]', INSTANTS.map((micros) => `make_timestamptz(${micros})`)],
  ['time', 'bucket[5]', fc.integer({ min: 0, max: 86_399 }).map((seconds) => `TIME '00:00:00' + INTERVAL ${seconds} SECONDS`)],
  [
    'string',
    'bucket[16]',
    fc
      .string({ unit: 'grapheme' })
      .filter((text) => !text.includes('\0'))
      .map(quoteText),
  ],
  ['uuid', 'bucket[16]', fc.uuid().map(quoteText)],
  ['decimal(12, 2)', 'bucket[16]', fc.integer().map((value) => `${value}::DECIMAL(12, 2) / 100`)],
  ['binary', 'bucket[16]', fc.uint8Array({ maxLength: 20 }).map((bytes) => `unhex('${Buffer.from(bytes).toString('hex')}')`)],
  ['decimal(12, 2)', 'identity', fc.integer({ min: -5, max: 5 }).map((value) => `${value}.50::DECIMAL(12, 2)`)],
  ['boolean', 'identity', fc.boolean().map(String)],
  ['timestamptz', 'identity', fc.integer({ min: 0, max: 5 }).map((value) => `make_timestamptz(${value}000001)`)],
]

for (const [type, transform, value] of TRANSFORMS) {
  test(`partitions by ${transform} of ${type} as the lake computes them`, async () => {
    const table = lakeTable({ columns: { v: type }, partitions: { p: ['v', transform] } })
    const samples = fc.sample(value, { numRuns: 60, seed: 7 })
    const files = await write(table, `SELECT unnest([${samples.map((sql) => `CAST(${sql} AS ${duck(type)})`).join(', ')}, NULL]) AS v`)
    let rows = 0
    for (const file of files) {
      const shown = type === 'binary' ? 'hex(v)' : 'CAST(v AS VARCHAR)'
      const found = await parts.session.rows(`SELECT ${shown} FROM (${scanSql({ table, files: [file], tails: [] })})`)
      for (const [text] of found.rows) {
        const original = text === null ? null : valueFromText(type, String(text))!
        assert.deepEqual(file.partition['p'], applyTransform(transform, type, original), `${text}`)
        rows++
      }
    }
    assert.equal(rows, samples.length + 1)
  })
}

const duck = (type: string): string => ({ string: 'VARCHAR', long: 'BIGINT', binary: 'BLOB' })[type] ?? type.toUpperCase()

test('files are sorted, and split into ranges that do not overlap', async () => {
  const table = lakeTable({
    columns: { k: 'long', p: 'string' },
    partitions: { p: ['p', 'identity'], k_bucket: ['k', 'bucket[2]'] },
    sort: ['k'],
  })
  const files = await write(table, "SELECT hash(range) % 1000000 AS k, ['a', 'b'][1 + range % 2] AS p FROM range(20000)", 3_000)
  assert.equal(
    files.reduce((sum, file) => sum + file.rows, 0),
    20_000,
  )
  const byPartition = Map.groupBy(files, (file) => JSON.stringify(file.partition))
  assert.equal(byPartition.size, 4)
  for (const group of byPartition.values()) {
    assert.ok(group.every((file) => file.rows <= 3_000))
    const ranges = group
      .map(
        (file) => [decodeValue('long', file.columns.get(1)!.lower!), decodeValue('long', file.columns.get(1)!.upper!)] as [bigint, bigint],
      )
      .sort((a, b) => Number(a[0] - b[0]))
    for (const [index, [lower]] of ranges.entries()) if (index > 0) assert.ok(lower >= ranges[index - 1]![1])
  }
  const sorted = await write(lakeTable({ columns: { k: 'long' }, sort: ['k'] }), 'SELECT (range * 7919) % 10007 AS k FROM range(10007)')
  const order = await parts.session.rows(`SELECT k FROM read_parquet(${quoteText(sorted[0]!.path)})`)
  assert.deepEqual(
    order.rows.map(([k]) => Number(k)),
    Array.from({ length: 10_007 }, (_, index) => index),
  )
})

test('errors are placed in the SELECT that was given', async () => {
  const table = lakeTable({ columns: { é: 'long' } })
  await assert.rejects(write(table, 'SELECT 1 AS é,\n  nothing'), { code: 'MR_SQL_UNKNOWN', message: /\(line 2, column 3\)$/ })
})
