// Loads of files into a table: which files, what of them, what is set aside and why, for each format and way of loading.
import assert from 'node:assert/strict'
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import type { TableManifest } from '../define/manifest.ts'
import { REJECTED_SHAPE, rejectedName } from '../define/system-columns.ts'
import { scanSql } from '../engine/scan.ts'
import { openTestEngine } from '../engine/testing.ts'
import { openLake } from '../lake/open-lake.ts'
import type { Field, Type } from '../schema/type.ts'
import { openStore } from '../store/open-store.ts'
import { type FileLoad, loadFiles, type RowRule } from './load-files.ts'

const tested = await openTestEngine({ threads: 1 })
mkdirSync(join(tested.directory, 'lake'))
const store = openStore(join(tested.directory, 'control.db'))
const lake = openLake({
  disk: nodeDisk,
  clock: new VirtualClock(0),
  random: seededRandom(1),
  catalog: store.catalog,
  directory: join(tested.directory, 'lake'),
})
after(async () => {
  await store.close()
  await tested[Symbol.asyncDispose]()
})

const FIELDS: readonly Field[] = [
  { name: 'id', type: { kind: 'int' }, optional: false },
  { name: 'name', type: { kind: 'string' }, optional: true },
  { name: 'price', type: { kind: 'decimal', precision: 10, scale: 2 }, optional: true },
  { name: 'kind', type: { kind: 'enum', values: ['a', 'b'] }, optional: true },
]

let tables = 0

/** A table of its own directory. */
async function setUp(
  load: TableManifest['load'],
  format: 'csv' | 'json' | 'parquet' = 'csv',
  how: { columns?: Record<string, string>; fields?: readonly Field[] } = {},
) {
  const name = `t${tables++}`
  const directory = join(tested.directory, name)
  mkdirSync(directory)
  const fields = how.fields ?? FIELDS
  const table: TableManifest = {
    kind: 'table',
    name,
    at: 'tables.ts:7',
    tags: [],
    shape: { fields },
    partition: [],
    cluster: [],
    keep: { logMs: 0 },
    key: ['id'],
    source: { kind: 'files', path: '*', format, options: {}, ...(how.columns ? { columns: how.columns } : {}) },
    load,
  }
  await lake.create({ name, shape: table.shape, partition: [], cluster: [], key: [] })
  await lake.create({ name: rejectedName(name), shape: REJECTED_SHAPE, partition: [], cluster: [], key: [] })
  let stampMs = 1_000_000
  const read = async (relation: string): Promise<unknown[][]> => {
    const found = await lake.table(relation)
    const sql = scanSql({ table: found, files: found.current ? await lake.files(found) : [], tails: [] })
    return (await tested.session.rows(`SELECT * FROM (${sql}) ORDER BY ALL`)).rows as unknown[][]
  }
  return {
    directory,
    /** Each write is newer than the one before. */
    write(file: string, text: string) {
      writeFileSync(join(directory, file), text)
      stampMs += 10_000
      utimesSync(join(directory, file), stampMs / 1_000, stampMs / 1_000)
    },
    async load(rules: readonly RowRule[] = [], full = false): Promise<FileLoad | null> {
      const cursor = full ? null : await store.catalog.cursor(`files:${name}`)
      const staged = await loadFiles({ engine: tested.engine, lake, lease: lake.lease(), directory }, table, '*', cursor, rules)
      if (staged) await lake.commit(staged.changes, { cursors: [staged.cursor] })
      return staged
    },
    rows: () => read(name),
    ids: async () => (await read(name)).map(([id]) => id),
    rejected: async () => (await read(rejectedName(name))).map(([, , , raw, code, message, field]) => ({ raw, code, message, field })),
  }
}

test('full: the table is what the files are now', async () => {
  const t = await setUp('full')
  t.write('1.csv', 'id,name,price,kind\n1,x,1.50,a\n')
  t.write('2.csv', 'id,name,price,kind\n2,,,\n')
  const staged = await t.load()
  assert.deepEqual([staged!.rows, staged!.note], [2, '2 files'])
  assert.deepEqual(await t.rows(), [
    [1, 'x', '1.50', 'a'],
    [2, null, null, null],
  ])
  assert.equal(await t.load(), null)
  t.write('1.csv', 'id,name,price,kind\n3,x,1.50,a\n')
  await t.load()
  assert.deepEqual(await t.ids(), [2, 3])
  rmSync(join(t.directory, '2.csv'))
  assert.deepEqual((await tested.session.rows(`SELECT count(*) FROM (${(await t.load())!.candidate})`)).rows, [[1n]])
  assert.deepEqual(await t.ids(), [3])
})

test('append: new files only; one that changed is said so and not loaded twice', async () => {
  const t = await setUp('append')
  t.write('1.csv', 'id,name,price,kind\n1,,,\n')
  await t.load()
  t.write('2.csv', 'id,name,price,kind\n2,,,\n')
  t.write('1.csv', 'id,name,price,kind\n1,,,\n9,,,\n')
  assert.equal((await t.load())!.note, '1 file; 1 changed after they were loaded, which append does not follow')
  assert.deepEqual(await t.ids(), [1, 2])
  assert.equal(await t.load(), null)
  rmSync(join(t.directory, '1.csv'))
  t.write('3.csv', 'id,name,price,kind\n3,,,\n')
  await t.load()
  t.write('1.csv', 'id,name,price,kind\n1,,,\n')
  assert.equal(await t.load(), null, 'a file that comes back was loaded')
  assert.deepEqual(await t.ids(), [1, 2, 3])
  await t.load([], true)
  assert.deepEqual(await t.ids(), [1, 2, 3], 'everything anew replaces')
})

test('upsert: the last row of a key wins, within a load and over loads', async () => {
  const t = await setUp('upsert')
  t.write('1.csv', 'id,name,price,kind\n1,old,,\n2,keep,,\n1,new,,\n')
  await t.load()
  assert.deepEqual(
    (await t.rows()).map(([id, name]) => [id, name]),
    [
      [1, 'new'],
      [2, 'keep'],
    ],
  )
  t.write('2.csv', 'id,name,price,kind\n2,again,,\n3,more,,\n')
  t.write('1.csv', 'id,name,price,kind\n1,newer,,\n')
  await t.load()
  assert.deepEqual(
    (await t.rows()).map(([id, name]) => [id, name]),
    [
      [1, 'newer'],
      [2, 'again'],
      [3, 'more'],
    ],
  )
  rmSync(join(t.directory, '2.csv'))
  await t.load([], true)
  assert.deepEqual(await t.ids(), [1], 'everything anew forgets what no file has')
})

test('rows that do not fit are set aside with the column and the reason', async () => {
  const t = await setUp('full')
  t.write('1.csv', 'id,name,price,kind\n1,x,1.5,a\nx,,,\n,y,,\n2,,cheap,\n3,,,c\n4,,1.005,\n2.5,,,\n6,,-1,\n')
  const staged = await t.load([{ name: 'sane.between_price', failing: 'coalesce("price" < 0, false)' }])
  assert.deepEqual([staged!.rows, staged!.rejected], [1, 7])
  const rejected = (await t.rejected()).map(({ code, field, message }) => `${code} ${field}: ${message}`)
  assert.deepEqual(rejected.sort(), [
    'MR_ROW_CHECK null: the check sane.between_price failed',
    'MR_ROW_ENUM kind: the value of kind is not among those allowed',
    'MR_ROW_MISSING id: id is missing',
    'MR_ROW_RANGE id: the value of id has more digits than its column',
    'MR_ROW_RANGE price: the value of price has more digits than its column',
    'MR_ROW_TYPE id: the value of id does not fit its column',
    'MR_ROW_TYPE price: the value of price does not fit its column',
  ])
  assert.ok((await t.rejected()).some(({ raw }) => raw === '{"id":"x","name":null,"price":null,"kind":null}'))
})

test('json and parquet, and columns under other names', async () => {
  const json = await setUp('full', 'json', { columns: { name: 'title' } })
  json.write('1.json', '{"id":1,"title":"é","price":1.1,"kind":"a"}\n{"id":2,"title":null,"price":0.1,"kind":"zz"}\n')
  await json.load()
  assert.deepEqual(await json.rows(), [[1, 'é', '1.10', 'a']])
  assert.deepEqual(
    (await json.rejected()).map(({ code }) => code),
    ['MR_ROW_ENUM'],
  )
  const parquet = await setUp('full', 'parquet')
  await tested.session.run(
    `COPY (SELECT 1::BIGINT AS id, 'x' AS name, 2.5::DOUBLE AS price, NULL::VARCHAR AS kind UNION ALL SELECT 5000000000, '', NULL, NULL) TO '${parquet.directory}/1.parquet'`,
  )
  await parquet.load()
  assert.deepEqual(await parquet.rows(), [[1, 'x', '2.50', null]])
  assert.deepEqual(
    (await parquet.rejected()).map(({ code, field }) => [code, field]),
    [['MR_ROW_TYPE', 'id']],
  )
})

test('of times finer than microseconds the rest is cut off, in every format: docs/guide/streams.md says so', async () => {
  const fields: Field[] = [
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'due', type: { kind: 'datetime' }, optional: false },
  ]
  for (const format of ['csv', 'json', 'parquet'] as const) {
    const { directory, write, load, rows, rejected } = await setUp('full', format, { fields })
    const [seen, due] = ['2026-03-01T10:00:00.123456789Z', '2026-03-01T10:00:00.1234567']
    if (format === 'csv') write('1.csv', `seen,due\n${seen},${due}\n`)
    if (format === 'json') write('1.json', JSON.stringify({ seen, due }))
    if (format === 'parquet')
      await tested.session.run(
        `COPY (SELECT TIMESTAMP_NS '2026-03-01 10:00:00.123456789' AS seen, TIMESTAMP_NS '2026-03-01 10:00:00.1234567' AS due) TO '${directory}/1.parquet'`,
      )
    await load()
    assert.deepEqual(await rejected(), [], format)
    assert.deepEqual(
      (await rows()).map((row) => row.map(String)),
      [['2026-03-01T10:00:00.123456Z', '2026-03-01T10:00:00.123456']],
      format,
    )
  }
})

test('columns of JSON in JSON files are what was written, also where all of them look alike', async () => {
  const fields: Field[] = [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'detail', type: { kind: 'json' }, optional: true },
  ]
  for (const details of [
    ['{"b":1,"a":"x"}', '{"b":2,"a":"y"}', null],
    ['{"b":[1,"x",null],"a":2}', '"text"', '7'],
  ]) {
    const json = await setUp('full', 'json', { fields })
    json.write('1.json', details.map((detail, id) => `{"id":${id},"detail":${detail}}\n`).join(''))
    await json.load()
    assert.deepEqual(
      await json.rows(),
      details.map((detail, id) => [id, detail]),
    )
  }
})

test('nested columns of json and parquet: exact, and refused with the place in the value', async () => {
  const item: Type = {
    kind: 'struct',
    fields: [
      { name: 'sku', type: { kind: 'string' }, optional: false },
      { name: 'n', type: { kind: 'long' }, optional: true },
      { name: 'price', type: { kind: 'decimal', precision: 30, scale: 2 }, optional: true },
      { name: 'at', type: { kind: 'timestamp' }, optional: true },
    ],
  }
  const fields: Field[] = [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'name', type: { kind: 'string' }, optional: true },
    { name: 'items', type: { kind: 'list', element: { type: item, optional: false } }, optional: false },
    { name: 'sizes', type: { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'double' }, optional: true } }, optional: true },
  ]
  const expected = [
    [
      1,
      'é',
      [{ sku: 'a', n: 2n ** 63n - 1n, price: '1234567890123456789012345678.90', at: '2026-01-01T00:00:00.000001Z' }],
      { x: 0.5, nan: Number.NaN },
    ],
    [2, null, [], null],
  ]
  const json = await setUp('full', 'json', { fields })
  json.write(
    '1.json',
    [
      '{"id":1,"name":"é","items":[{"sku":"a","n":9223372036854775807,"price":"1234567890123456789012345678.90","at":"2026-01-01T00:00:00.000001Z"}],"sizes":{"x":0.5,"nan":"NaN"}}',
      '{"id":2,"items":[]}',
      '{"id":3,"items":[{"sku":"a"},{"n":1}]}',
      '{"id":4,"items":"none"}',
      '{"id":5,"name":"x"}',
      '{"id":"six","items":[],"sizes":{}}',
      '{"id":7,"items":[],"sizes":{"x":"y"}}',
    ].join('\n'),
  )
  const staged = await json.load([{ name: 'few', failing: 'coalesce(len(items) > 5, false)' }])
  assert.deepEqual([staged!.rows, staged!.rejected], [2, 5])
  assert.deepEqual(await json.rows(), expected)
  const reasons = (await json.rejected()).map(({ code, field }) => [code, field]).sort((a, b) => (String(a) < String(b) ? -1 : 1))
  assert.deepEqual(reasons, [
    ['MR_ROW_MISSING', 'items'],
    ['MR_ROW_MISSING', 'items[1].sku'],
    ['MR_ROW_TYPE', 'id'],
    ['MR_ROW_TYPE', 'items'],
    ['MR_ROW_TYPE', 'sizes["x"]'],
  ])
  const parquet = await setUp('full', 'parquet', { fields })
  await tested.session.run(
    `COPY (SELECT 1::BIGINT AS id, 'é' AS name, [{'n': 9223372036854775807, 'sku': 'a', 'at': '2026-01-01 00:00:00.000001'::TIMESTAMP, 'price': 1234567890123456789012345678.90::DECIMAL(30, 2)}] AS items, MAP {'x': 0.5::FLOAT, 'nan': 'NaN'} AS sizes
      UNION ALL SELECT 2, NULL, [], NULL UNION ALL SELECT 3, NULL, [NULL], NULL UNION ALL SELECT 4, NULL, [{'n': 1, 'sku': NULL, 'at': NULL, 'price': 0.5}], MAP {}) TO '${parquet.directory}/1.parquet'`,
  )
  await parquet.load()
  assert.deepEqual(await parquet.rows(), expected)
  assert.deepEqual(
    (await parquet.rejected()).map(({ code, field }) => [code, field]),
    [
      ['MR_ROW_MISSING', 'items[0]'],
      ['MR_ROW_MISSING', 'items[0].sku'],
    ],
  )
  assert.deepEqual((await tested.session.rows("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'load#%'")).rows, [[0n]])
})

test('exact values of 38 digits and doubles are taken as they are', async () => {
  const fields: Field[] = [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'wide', type: { kind: 'decimal', precision: 38, scale: 4 }, optional: true },
    { name: 'd', type: { kind: 'double' }, optional: true },
  ]
  const t = await setUp('full', 'csv', { fields })
  t.write('1.csv', 'id,wide,d\n9223372036854775807,1234567890123456789012345678901234.5678,0.1\n-1,-0.0001,1e300\n')
  assert.equal((await t.load())!.rejected, 0)
  assert.deepEqual(await t.rows(), [
    [-1n, '-0.0001', 1e300],
    [9_223_372_036_854_775_807n, '1234567890123456789012345678901234.5678', 0.1],
  ])
})

test('a column that a file or an object leaves out has its default; an empty cell and null are null', async () => {
  const fields: Field[] = [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'kind', type: { kind: 'enum', values: ['a', "b'"] }, optional: false, default: "b'" },
    { name: 'price', type: { kind: 'decimal', precision: 20, scale: 2 }, optional: true, default: '123456789012345678.25' },
    { name: 'raw', type: { kind: 'binary' }, optional: true, default: 'AP8=' },
    { name: 'at', type: { kind: 'timestamp' }, optional: true, default: '2026-01-01T00:00:00.000001Z' },
    { name: 'on', type: { kind: 'boolean' }, optional: true, default: 'true' },
  ]
  const all = ["b'", '123456789012345678.25', 'AP8=', '2026-01-01T00:00:00.000001Z', true]
  const none = ["b'", null, null, null, null]
  for (const load of ['full', 'upsert'] as const) {
    const csv = await setUp(load, 'csv', { fields, columns: { price: 'cost' } })
    csv.write('1.csv', 'id\n1\n2\n')
    csv.write('2.csv', "id,kind,cost,raw,at,on\n2,b',,,,\n3,,1,,,\n")
    csv.write('3.csv', 'id,cost\n4,2.50\n')
    await csv.load()
    const doubled = load === 'full' ? [[2, ...all]] : []
    const rest = [
      [2, ...none],
      [4, all[0], '2.50', ...all.slice(2)],
    ]
    assert.deepEqual(new Set((await csv.rows()).map(String)), new Set([[1, ...all], ...doubled, ...rest].map(String)))
    assert.deepEqual(
      (await csv.rejected()).map(({ code, field }) => [code, field]),
      [['MR_ROW_MISSING', 'kind']],
    )
  }
  const json = await setUp('full', 'json', { fields })
  json.write(
    '1.json',
    '{"id":1}\n{"id":2,"price":null,"raw":null,"at":null,"on":null}\n{"id":3,"kind":null}\n{"id":4,"kind":"a","price":0.10,"on":false}',
  )
  await json.load()
  assert.deepEqual(await json.rows(), [
    [1, ...all],
    [2, ...none],
    [4, 'a', '0.10', 'AP8=', all[3], false],
  ])
  assert.deepEqual(
    (await json.rejected()).map(({ code, field }) => [code, field]),
    [['MR_ROW_MISSING', 'kind']],
  )
  const parquet = await setUp('full', 'parquet', { fields })
  await tested.session.run(`COPY (SELECT 1 AS id) TO '${parquet.directory}/1.parquet'`)
  await tested.session.run(`COPY (SELECT 2 AS id, 'a' AS kind, NULL::DECIMAL(20, 2) AS price) TO '${parquet.directory}/2.parquet'`)
  await parquet.load()
  assert.deepEqual(await parquet.rows(), [
    [1, ...all],
    [2, 'a', null, ...all.slice(2)],
  ])
})

test('no file, a pattern that leaves the project, and a file that cannot be read', async () => {
  const t = await setUp('full')
  await assert.rejects(t.load(), { code: 'MR_INGEST_SOURCE', message: /no file matches/ })
  t.write('1.csv', 'id,name\n1,x\n')
  await assert.rejects(t.load(), { code: 'MR_INGEST_SOURCE', message: /could not be read/ })
  assert.equal((await lake.table('t0')).name, 't0')
})
