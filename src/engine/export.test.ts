// Results as files: the encoders against the plain values of the driver, and each format read back by somebody else.
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import * as arrow from 'apache-arrow'
import fc from 'fast-check'
import { cellOf } from './cell.ts'
import type { SqlValues } from './duckdb.ts'
import { type ExportFormat, type ExportOptions, exportRows } from './export.ts'
import { quoteText } from './sql-text.ts'
import { openTestEngine, type TestEngine } from './testing.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

async function exported(sql: string, format: ExportFormat, values?: SqlValues, options?: ExportOptions): Promise<Buffer> {
  let isReleased = false
  const release = async (): Promise<void> => {
    isReleased = true
  }
  const source = { sql, session: parts.session, release }
  const chunks: Uint8Array[] = []
  for await (const chunk of await exportRows(source, format, values, options)) chunks.push(chunk)
  assert.ok(isReleased)
  return Buffer.concat(chunks)
}

const VALUES = `SELECT * FROM (VALUES
  (1, 9007199254740991, 0.5::DOUBLE, 1.5::FLOAT, true, 'plain', DATE '2026-01-02', TIMESTAMPTZ '2026-01-02 03:04:05.000006+00', 12.30::DECIMAL(9, 2), NULL, [1, 2], {a: 'x'}, '\\x00\\xFF'::BLOB),
  (-2, 9007199254740992, 'nan'::DOUBLE, 0.1::FLOAT, false, 'with "quotes", a \\ and
a line longer than twelve é🙂', DATE '0044-03-15 (BC)', TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', -0.05, NULL, [NULL], {a: NULL}, ''::BLOB),
  (NULL, -9007199254740993, '-infinity'::DOUBLE, NULL, NULL, '', 'infinity'::DATE, 'infinity'::TIMESTAMPTZ, NULL, NULL, NULL, NULL, NULL)
) AS t(i, l, d, f, b, s, day, seen, m, n, list, struct, x)`

test('NDJSON is the JSON form of every cell', async () => {
  for (const numbersAsText of [false, true]) {
    const { columns, rows } = await parts.session.rows(VALUES)
    const lines = (await exported(VALUES, 'ndjson', undefined, { numbersAsText })).toString().trimEnd().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      rows.map((row) => Object.fromEntries(columns.map(({ name, type }, index) => [name, cellOf(row[index], type, { numbersAsText })]))),
    )
  }
  const [first] = (await exported(VALUES, 'ndjson')).toString().split('\n')
  assert.equal(
    first,
    '{"i":1,"l":9007199254740991,"d":0.5,"f":1.5,"b":true,"s":"plain","day":"2026-01-02","seen":"2026-01-02T03:04:05.000006Z","m":"12.30","n":null,"list":[1,2],"struct":{"a":"x"},"x":"AP8="}',
  )
})

test('CSV by RFC 4180, null and empty text apart', async () => {
  const lines = (await exported('SELECT 1 AS a, \'x,"y"\' AS "b,c", NULL AS n, \'\' AS e, [1] AS l, 2.50 AS m', 'csv')).toString()
  assert.equal(lines, 'a,"b,c",n,e,l,m\r\n1,"x,""y""",,"",[1],2.50\r\n')
  assert.equal((await exported('SELECT 1 AS a WHERE false', 'csv')).toString(), 'a\r\n')
  assert.equal((await exported('SELECT 1 AS a WHERE false', 'ndjson')).toString(), '')
})

test('any text through JSON and CSV', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 }), async (texts) => {
      const values = texts.map((text) => text.toWellFormed())
      const sql = 'SELECT unnest($1::VARCHAR[]) AS v'
      const lines = (await exported(sql, 'ndjson', [values])).toString().trimEnd().split('\n')
      assert.deepEqual(
        lines.map((line) => JSON.parse(line).v),
        values,
      )
      assert.deepEqual(parseCsv((await exported(sql, 'csv', [values])).toString()), ['v', ...values])
    }),
    { numRuns: 60 },
  )
})

/** Fields of a CSV of one column. */
function parseCsv(text: string): string[] {
  return [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^\r\n]*))\r\n/gy)].map((match) => match[1]?.replaceAll('""', '"') ?? match[2]!)
}

test('many rows come in several parts, in order', async () => {
  const source = { sql: 'SELECT range AS n FROM range($1)', session: parts.session, release: async () => {} }
  let chunks = 0
  let text = ''
  for await (const chunk of await exportRows(source, 'ndjson', [50_000])) {
    chunks++
    text += Buffer.from(chunk).toString()
  }
  assert.ok(chunks > 3)
  assert.deepEqual(
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).n),
    Array.from({ length: 50_000 }, (_, n) => n),
  )
})

test('Arrow keeps types and values', async () => {
  const sql = `SELECT range::INTEGER AS i, range * 1000000000000 AS l, range / 2 AS d, range % 2 = 0 AS b, DATE '2026-01-01' + range::INTEGER AS day,
    TIMESTAMPTZ '2026-01-01 00:00:00.000001+00' + INTERVAL (range) SECONDS AS seen, (range - 3)::DECIMAL(9, 2) AS m, (range - 3)::DECIMAL(38, 1) AS w,
    'text number ' || range AS s, CASE WHEN range % 3 = 0 THEN NULL ELSE range END AS n, CASE WHEN range % 3 = 0 THEN NULL ELSE {a: range} END AS o FROM range(5000)`
  const table = arrow.tableFromIPC(await exported(sql, 'arrow'))
  assert.equal(table.numRows, 5000)
  assert.deepEqual(
    table.schema.fields.map((field) => `${field.name} ${field.type}`),
    [
      'i Int32',
      'l Int64',
      'd Float64',
      'b Bool',
      'day Date32<DAY>',
      'seen Timestamp<MICROSECOND, UTC>',
      'm Decimal[9e+2]',
      'w Decimal[38e+1]',
      's Utf8',
      'n Int64',
      'o Utf8',
    ],
  )
  for (const row of [0, 1, 2047, 2048, 4999]) {
    const found = table.get(row)!.toJSON()
    assert.equal(found['i'], row)
    assert.equal(found['l'], BigInt(row) * 1_000_000_000_000n)
    assert.equal(found['b'], row % 2 === 0)
    assert.equal(found['s'], `text number ${row}`)
    assert.equal(found['n'], row % 3 === 0 ? null : BigInt(row))
    assert.equal(found['o'], row % 3 === 0 ? null : `{"a":${row}}`)
    assert.equal(found['day'], Date.UTC(2026, 0, 1 + row))
    assert.equal(wordOf(found['m']), BigInt(row - 3) * 100n)
    assert.equal(wordOf(found['w']), BigInt(row - 3) * 10n)
  }
  const seen = table.getChild('seen')!.data[0]!.values as BigInt64Array
  assert.equal(seen[1], 1767225601000001n)
  assert.equal(arrow.tableFromIPC(await exported('SELECT 1 AS a WHERE false', 'arrow')).numRows, 0)
})

/** A decimal of 128 bits as an integer. */
const wordOf = (words: Uint32Array): bigint =>
  BigInt.asIntN(
    128,
    words.reduce((sum, word, index) => sum | (BigInt(word) << BigInt(32 * index)), 0n),
  )

test('Parquet is written whole, with parameters, and its temporary file goes', async () => {
  const bytes = await exported(
    "SELECT sum(range) AS huge, count(*) AS n, 'x' AS a, $1 AS a, INTERVAL 3 DAYS AS i FROM range(10)",
    'parquet',
    ['é'],
  )
  writeFileSync(`${parts.directory}/e.parquet`, bytes)
  const { columns, rows } = await parts.session.rows(`SELECT * FROM read_parquet(${quoteText(`${parts.directory}/e.parquet`)})`)
  assert.deepEqual(rows, [['45', 10n, 'x', 'é', '3 days']])
  assert.deepEqual(
    columns.map(({ name, type }) => `${name} ${type}`),
    ['huge DECIMAL(38,0)', 'n BIGINT', 'a VARCHAR', 'a_1 VARCHAR', 'i VARCHAR'],
  )
  assert.deepEqual(readdirSync(parts.session.exportDirectory), [])
})

test('errors come before any byte; a reader that goes away frees the source', async () => {
  for (const format of ['ndjson', 'csv', 'arrow', 'parquet'] as const) {
    await assert.rejects(exported('SELECT nothing', format), { code: 'MR_SQL_UNKNOWN' })
    await assert.rejects(exported("SELECT CASE WHEN range = 900000 THEN error('x') ELSE range::VARCHAR END FROM range(1000000)", format), {
      code: 'MR_SQL_RUNTIME',
    })
  }
  let isReleased = false
  const release = async (): Promise<void> => {
    isReleased = true
  }
  const source = { sql: 'SELECT * FROM range(1000000)', session: parts.session, release }
  const bytes = await exportRows(source, 'csv', undefined)
  await bytes.return!()
  assert.ok(isReleased)
  assert.deepEqual((await parts.session.rows('SELECT 1')).rows, [[1]])
})
