// Nested values from the JSON of a row into DuckDB: equal to what DuckDB itself reads from that JSON, for any type and value;
// exact where its reading is not; right beyond the borders of chunks. The text goes the way of a row: scanned strictly, then
// appended.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { ColumnBatch } from '../schema/batch.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Field, Inner, Type } from '../schema/type.ts'
import { addSmallRows, SMALL_ROWS } from './batch-rows.ts'
import { appendBatch, createSql, tableName, typedSql } from './batch-table.ts'
import type { Plain } from './cell.ts'
import { batchOfPage, batchSelect } from './result-batch.ts'
import { quoteText } from './sql-text.ts'
import { openTestEngine, type TestEngine } from './testing.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

/** Appends rows of one optional column `c`, given as JSON texts, to `tail.t`. */
async function append(type: Type, texts: readonly string[]): Promise<void> {
  const scan = compileScanner({ fields: [{ name: 'c', type, optional: true }] }).scan(
    Buffer.from(texts.map((text) => `{"c":${text}}`).join('\n')),
  )
  assert.deepEqual(scan.rejects, [])
  await parts.session.run(createSql(scan.batch.shape, 't'))
  await appendBatch(parts.session, 't', scan.batch)
  if (scan.batch.rows > SMALL_ROWS) return
  const place = addSmallRows(parts.session.connection, scan.batch.shape)()
  place.batch = scan.batch
  const differ = `SELECT * FROM (SELECT CAST(c AS VARCHAR) FROM tail.t EXCEPT ALL SELECT CAST(c AS VARCHAR) FROM ${place.sql})`
  assert.deepEqual(await rowsOf(differ), [], 'as they are')
}

/** What `tail.t` has, read as a batch of texts and appended to `tail.back`. */
async function appendBack(type: Type): Promise<void> {
  const shape = { fields: [{ name: 'c', type, optional: true }] }
  await parts.session.run(createSql(shape, 'back'))
  const batches: ColumnBatch[] = []
  for await (const page of parts.session.pages(`SELECT ${batchSelect(shape)} FROM (${typedSql(shape, tableName('t'))})`))
    batches.push(batchOfPage(page, shape))
  for (const batch of batches) await appendBatch(parts.session, 'back', batch)
}

const rowsOf = async (sql: string): Promise<readonly (readonly Plain[])[]> => (await parts.session.rows(sql)).rows

const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0')
const dates = fc.record({ y: fc.integer({ min: 1700, max: 2250 }), m: fc.integer({ min: 1, max: 12 }), d: fc.integer({ min: 1, max: 28 }) })
const dateTexts = dates.map(({ y, m, d }) => `${pad(y, 4)}-${pad(m)}-${pad(d)}`)
const timeTexts = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 999_999 }))
  .map(([hour, minute, micros]) => `${pad(hour)}:${pad(minute)}:07.${pad(micros, 6)}`)
// DuckDB's own reading of JSON ends a text at a zero character.
const strings = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.toWellFormed().replaceAll('\0', '0'))
const decimals = (whole: number, scale: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.bigInt({ min: -(10n ** BigInt(whole)) + 1n, max: 10n ** BigInt(whole) - 1n }),
      fc.bigInt({ min: 0n, max: 10n ** BigInt(scale) - 1n }),
    )
    .map(([before, behind]) => `${before}.${behind.toString().padStart(scale, '0')}`)

/** A type and the JSON texts of its values, as DuckDB reads them too. */
interface Case {
  readonly type: Type
  readonly text: fc.Arbitrary<string>
}

const quoted = (texts: fc.Arbitrary<string>): fc.Arbitrary<string> => texts.map((text) => JSON.stringify(text))

const LEAVES: readonly Case[] = [
  { type: { kind: 'boolean' }, text: fc.boolean().map(String) },
  { type: { kind: 'int' }, text: fc.integer().map(String) },
  { type: { kind: 'long' }, text: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) },
  { type: { kind: 'double' }, text: fc.double().map((value) => (Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`)) },
  { type: { kind: 'float' }, text: fc.float().map((value) => (Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`)) },
  { type: { kind: 'decimal', precision: 5, scale: 2 }, text: quoted(decimals(3, 2)) },
  { type: { kind: 'decimal', precision: 18, scale: 4 }, text: quoted(decimals(14, 4)) },
  { type: { kind: 'decimal', precision: 38, scale: 10 }, text: quoted(decimals(28, 10)) },
  { type: { kind: 'date' }, text: quoted(dateTexts) },
  { type: { kind: 'time' }, text: quoted(timeTexts) },
  { type: { kind: 'timestamp' }, text: quoted(fc.tuple(dateTexts, timeTexts).map(([date, time]) => `${date}T${time}+00:00`)) },
  { type: { kind: 'string' }, text: quoted(strings) },
  { type: { kind: 'uuid' }, text: quoted(fc.uuid()) },
  { type: { kind: 'enum', values: ['a', 'é'] }, text: quoted(fc.constantFrom('a', 'é')) },
]

const KEYS: readonly Case[] = [
  { type: { kind: 'string' }, text: strings },
  { type: { kind: 'long' }, text: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) },
  { type: { kind: 'int' }, text: fc.integer().map(String) },
  { type: { kind: 'date' }, text: dateTexts },
]

const orNull = (text: fc.Arbitrary<string>, isOptional: boolean): fc.Arbitrary<string> =>
  isOptional ? fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.constant('null') }) : text

const innerOf = ({ type, text }: Case, optional: boolean): { readonly inner: Inner; readonly text: fc.Arbitrary<string> } => ({
  inner: { type, optional },
  text: orNull(text, optional),
})

function listCase(of: Case, optional: boolean): Case {
  const { inner, text } = innerOf(of, optional)
  return { type: { kind: 'list', element: inner }, text: fc.array(text, { maxLength: 5 }).map((texts) => `[${texts.join(',')}]`) }
}

function mapCase(key: Case, of: Case, optional: boolean): Case {
  const { inner, text } = innerOf(of, optional)
  const entries = fc.uniqueArray(fc.tuple(key.text, text), { selector: ([name]) => name, maxLength: 4 })
  return {
    type: { kind: 'map', key: key.type, value: inner },
    text: entries.map((pairs) => `{${pairs.map(([name, value]) => `${JSON.stringify(name)} : ${value}`).join(' , ')}}`),
  }
}

/** Optional members are left out, null, or there. */
function structCase(members: readonly (readonly [string, Case, boolean])[]): Case {
  const fields = members.map(([name, { type }, optional]): Field => ({ name, type, optional }))
  const texts = members.map(([name, { text }, optional]) => {
    const member = orNull(text, optional).map((value) => `${JSON.stringify(name)}:${value}`)
    return optional ? fc.option(member) : member
  })
  const order = fc.shuffledSubarray([...members.keys()], { minLength: members.length })
  return {
    type: { kind: 'struct', fields },
    text: fc.tuple(order, fc.tuple(...texts)).map(([places, found]) => `{${places.flatMap((place) => found[place] ?? []).join(',')}}`),
  }
}

const NAMES = ['a', 'b', 'Big', 'with space', 'q"uote', 'é', 'select', 'c.d']

const cases = (depth: number): fc.Arbitrary<Case> => {
  const leaf = fc.constantFrom(...LEAVES)
  if (depth === 0) return leaf
  const inner = cases(depth - 1)
  const members = fc
    .uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
    .chain((names) => fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), inner, fc.boolean()))))
  return fc.oneof(
    { weight: depth === 3 ? 0 : 1, arbitrary: leaf },
    { weight: 2, arbitrary: fc.tuple(inner, fc.boolean()).map(([of, optional]) => listCase(of, optional)) },
    { weight: 2, arbitrary: members.map(structCase) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom(...KEYS), inner, fc.boolean()).map(([key, of, optional]) => mapCase(key, of, optional)),
    },
  )
}

test('any value of any nested type is what DuckDB reads from the same JSON, and comes back as text of the same value', async () => {
  let values = 0
  const examples = cases(3).chain(({ type, text }) =>
    fc.tuple(fc.constant(type), fc.array(orNull(text, true), { minLength: 5, maxLength: 40 })),
  )
  await fc.assert(
    fc.asyncProperty(examples, async ([type, texts]) => {
      await append(type, texts)
      await appendBack(type)
      await parts.session.run('CREATE OR REPLACE TABLE tail.texts (n INTEGER, text VARCHAR)')
      for (const [n, text] of texts.entries()) await parts.session.rows('INSERT INTO tail.texts VALUES ($1, $2)', [n, text])
      const duck = toDuckType(type)
      const different = await rowsOf(
        `SELECT n, text, c FROM tail.t JOIN tail.texts ON t.rowid = n WHERE CAST(c AS ${duck}) IS DISTINCT FROM json_transform(text, ${quoteText(JSON.stringify(duck))})`,
      )
      assert.deepEqual(different, [], duck)
      assert.deepEqual(await rowsOf('SELECT t.c, back.c FROM tail.t POSITIONAL JOIN tail.back WHERE t.c IS DISTINCT FROM back.c'), [], duck)
      values += texts.length
    }),
    { numRuns: 150 },
  )
  assert.ok(values > 1_000)
})

test('spellings that DuckDB does not read: exact all the same', async () => {
  const type: Type = {
    kind: 'struct',
    fields: [
      { name: 'l', type: { kind: 'long' }, optional: true },
      { name: 'm', type: { kind: 'decimal', precision: 38, scale: 2 }, optional: true },
      { name: 'x', type: { kind: 'binary' }, optional: true },
      { name: 's', type: { kind: 'string' }, optional: true },
      { name: 'j', type: { kind: 'json' }, optional: true },
      { name: 'k', type: { kind: 'map', key: { kind: 'uuid' }, value: { type: { kind: 'double' }, optional: true } }, optional: true },
    ],
  }
  await append(type, [
    '{"l":"9223372036854775807","m":123456789012345678901234567890123456.78,"x":"AP8=","s":"a\\u0000b","j":{"b": [1.0, null]},"k":{}}',
    '{"l":-9.223372036854775808e18,"m":"1e-1","x":"","s":"\\ud83d\\ude42 longer than twelve bytes","k":{"123E4567-E89B-12D3-A456-426614174000":-0}}',
  ])
  const read = 'SELECT c.l, CAST(c.m AS DECIMAL(38, 2)), c.x, c.s, c.j, map_keys(c.k)[1], CAST(map_values(c.k)[1] AS VARCHAR)'
  await appendBack(type)
  for (const table of ['t', 'back'])
    assert.deepEqual(await rowsOf(`${read} FROM tail.${table}`), [
      [2n ** 63n - 1n, '123456789012345678901234567890123456.78', 'AP8=', 'a\0b', '{"b": [1.0, null]}', null, null],
      [-(2n ** 63n), '0.10', '', '🙂 longer than twelve bytes', null, '123e4567-e89b-12d3-a456-426614174000', '-0.0'],
    ])
})

test('borders of chunks: many rows, and many elements in one', async () => {
  const element: Type = {
    kind: 'struct',
    fields: [
      { name: 'n', type: { kind: 'int' }, optional: true },
      { name: 's', type: { kind: 'string' }, optional: false },
    ],
  }
  const type: Type = { kind: 'list', element: { type: { kind: 'list', element: { type: element, optional: true } }, optional: true } }
  const value = (n: number): string =>
    n % 7 === 0 ? 'null' : `{"n":${n % 5 === 0 ? 'null' : n},"s":"element ${n}${n % 2 ? ' with a long text' : ''}"}`
  const list = (from: number, count: number): string => `[${Array.from({ length: count }, (_, i) => value(from + i)).join(',')}]`
  for (const [rows, lists, elements] of [
    [3, 2, 5_000],
    [2_049, 2, 3],
    [5_000, 1, 1],
    [1, 4_097, 1],
    [2, 0, 0],
  ] as const) {
    let n = 0
    const next = (count: number): number => {
      n += count
      return n - count
    }
    const texts = Array.from({ length: rows }, () => `[${Array.from({ length: lists }, () => list(next(elements), elements)).join(',')}]`)
    await append(type, texts)
    const [found] = await rowsOf(`WITH e AS (SELECT unnest(l) AS e FROM (SELECT unnest(c) AS l, rowid AS r FROM tail.t))
      SELECT count(*), count(e), count(e.n), coalesce(sum(e.n), 0), count(DISTINCT e.s) FILTER (e.s = 'element ' || coalesce(e.n, regexp_extract(e.s, '\\d+')::INTEGER) || CASE WHEN regexp_extract(e.s, '\\d+')::INTEGER % 2 = 1 THEN ' with a long text' ELSE '' END) FROM e`)
    const all = Array.from({ length: n }, (_, i) => i)
    const there = all.filter((i) => i % 7 !== 0)
    const numbered = there.filter((i) => i % 5 !== 0)
    const sum = numbered.reduce((total, i) => total + i, 0)
    assert.deepEqual(
      found?.map(String),
      [n, there.length, numbered.length, sum, there.length].map(String),
      `${rows} x ${lists} x ${elements}`,
    )
    assert.deepEqual(await rowsOf('SELECT count(*), coalesce(sum(len(c)), 0)::BIGINT FROM tail.t'), [[BigInt(rows), BigInt(rows * lists)]])
  }
})
