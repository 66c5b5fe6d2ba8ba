// A table that Millrace writes for others to read: all types with the values at their edges, three kinds of partition, evolution of
// shape and partition, copy-on-write, a tag. And its rows as texts that can be compared with what another reader gives.

import assert from 'node:assert/strict'
import type { Plain } from '../../src/engine/cell.ts'
import { fileNames } from '../../src/engine/file-names.ts'
import { scanSql } from '../../src/engine/scan.ts'
import type { TestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import type { Lake } from '../../src/lake/open-lake.ts'
import type { LakeSnapshot, LakeTable, LakeType, TableChange } from '../../src/lake/types.ts'
import type { Shape, Type } from '../../src/schema/type.ts'
import { diskLake } from '../simulation/disk-lake.ts'

const TEXT: Type = { kind: 'string' }
const DOUBLE: Type = { kind: 'double' }
const struct = (members: Readonly<Record<string, Type>>): Type => ({
  kind: 'struct',
  fields: Object.entries(members).map(([name, type]) => ({ name, type, optional: true })),
})
const list = (type: Type): Type => ({ kind: 'list', element: { type, optional: true } })
const map = (key: Type, type: Type): Type => ({ kind: 'map', key, value: { type, optional: true } })

/** No part of it may be null. */
const REQUIRED: Type = {
  kind: 'map',
  key: TEXT,
  value: {
    type: {
      kind: 'list',
      element: { type: { kind: 'struct', fields: [{ name: 'c', type: { kind: 'long' }, optional: false }] }, optional: false },
    },
    optional: false,
  },
}

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'at', type: { kind: 'timestamp' }, optional: false },
    { name: 'country', type: { kind: 'string' }, optional: true },
    { name: 'flag', type: { kind: 'boolean' }, optional: true },
    { name: 'small', type: { kind: 'int' }, optional: true },
    { name: 'ratio', type: { kind: 'float' }, optional: true },
    { name: 'wide', type: { kind: 'double' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: true },
    { name: 'huge', type: { kind: 'decimal', precision: 38, scale: 4 }, optional: true },
    { name: 'day', type: { kind: 'date' }, optional: true },
    { name: 'hour', type: { kind: 'time' }, optional: true },
    { name: 'note', type: { kind: 'string' }, optional: true, doc: 'free text' },
    { name: 'ref', type: { kind: 'uuid' }, optional: true },
    { name: 'raw', type: { kind: 'binary' }, optional: true },
    { name: 'extra', type: { kind: 'json' }, optional: true },
    { name: 'kind', type: { kind: 'enum', values: ['home', 'cart'] }, optional: true },
    {
      name: 'place',
      type: struct({ zone: TEXT, xy: struct({ x: DOUBLE, y: { kind: 'float' } }), seen: { kind: 'timestamp' } }),
      optional: true,
    },
    { name: 'tags', type: list(TEXT), optional: true },
    {
      name: 'items',
      type: list(
        struct({ sku: TEXT, price: { kind: 'decimal', precision: 12, scale: 2 }, count: { kind: 'int' }, raw: { kind: 'binary' } }),
      ),
      optional: true,
    },
    { name: 'sizes', type: map(TEXT, { kind: 'long' }), optional: true },
    { name: 'grid', type: map({ kind: 'int' }, list({ kind: 'date' })), optional: true },
    { name: 'codes', type: REQUIRED, optional: true },
    { name: 'local', type: { kind: 'datetime' }, optional: true },
    { name: 'locals', type: map(TEXT, list(struct({ from: { kind: 'datetime' }, at: { kind: 'timestamp' } }))), optional: true },
  ],
}

/** Ordinary rows, and those at the edges of every type. */
const ROWS = `
  SELECT i::BIGINT AS id, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(i::INTEGER) AS "at", ['de', 'fr', NULL, 'ü b/c=d'][1 + i % 4] AS country,
    i % 2 = 0 AS flag, i::INTEGER - 50 AS small, (i / 7)::FLOAT AS ratio, i / 7 AS wide, (i * 1.25)::DECIMAL(12, 2) AS price,
    (i * 1e20)::DECIMAL(38, 4) AS huge, DATE '1970-01-01' + (i::INTEGER - 50) AS day, TIME '00:00:00.000001' + to_minutes(i) AS hour,
    repeat('xyz', (i % 20)::INTEGER) || i AS note, ('00000000-0000-0000-0000-' || lpad(i::VARCHAR, 12, '0'))::UUID AS ref,
    ('row' || i)::BLOB AS raw, '{"n":' || i || '}' AS extra, 'home' AS kind,
    CASE WHEN i % 5 > 0 THEN {'zone': 'z' || i, 'xy': CASE WHEN i % 3 > 0 THEN {'x': i / 4, 'y': 0.5} END, 'seen': TIMESTAMPTZ '2024-01-01 00:00:00.000001+00'} END AS place,
    [['a', 'ü'], [], NULL, [NULL, repeat('long text ', 3)]][1 + i % 4] AS tags,
    [{'sku': 's' || n, 'price': (n * 1.25)::DECIMAL(12, 2), 'count': n::INTEGER, 'raw': ('r' || n)::BLOB} FOR n IN range(i % 4)] AS items,
    map_from_entries([{'k': 'k' || n, 'v': n} FOR n IN range(i % 3)]) AS sizes, MAP {i::INTEGER: [DATE '2024-01-01' + i::INTEGER, NULL]} AS grid,
    MAP {'a': [{'c': i}, {'c': 0}], 'b': []} AS codes, TIMESTAMP '2024-01-01 00:00:00.000001' + to_hours(i::INTEGER) AS local,
    CASE WHEN i % 3 > 0 THEN MAP {'l': [{'from': TIMESTAMP '1969-12-31 23:59:59.999999', 'at': TIMESTAMPTZ '2024-01-01 00:00:00+00'}, NULL]} END AS locals
  FROM range(100) AS t(i)
  UNION ALL SELECT -9223372036854775807, TIMESTAMPTZ '1969-12-31 23:59:59.999999+00', '', false, -2147483648, '-Infinity', '-Infinity', -9999999999.99,
    -9999999999999999999999999999999999.9999, DATE '0001-01-01', TIME '00:00:00', repeat('😀', 20), 'ffffffff-ffff-ffff-ffff-ffffffffffff', ''::BLOB, 'null', 'cart',
    {'zone': '', 'xy': {'x': '-Infinity'::DOUBLE, 'y': 'NaN'::FLOAT}, 'seen': TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'}, [''],
    [{'sku': NULL, 'price': -9999999999.99, 'count': -2147483648, 'raw': '\\x00\\xFF'::BLOB}, NULL], MAP {'': 9223372036854775807, '"': NULL}, MAP {-1: NULL, 2147483647: []}, MAP {},
    TIMESTAMP '1583-01-01 00:00:00', MAP {'': []}
  UNION ALL SELECT 9223372036854775807, TIMESTAMPTZ '2262-04-11 00:00:00+00', 'zz', true, 2147483647, 'Infinity', 'NaN', 9999999999.99,
    9999999999999999999999999999999999.9999, DATE '9999-12-31', TIME '23:59:59.999999', 'ünïcödé', '00000000-0000-0000-0000-000000000000', '\\xFF\\x00'::BLOB, '[]', 'cart', {'zone': NULL, 'xy': NULL, 'seen': NULL}, NULL, NULL, NULL, NULL, NULL,
    TIMESTAMP '9999-12-31 23:59:59.999999', MAP {'x': [{'from': TIMESTAMP '9999-12-31 23:59:59.999999', 'at': NULL}]}
  UNION ALL SELECT 1000, TIMESTAMPTZ '1970-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  UNION ALL SELECT 1001, TIMESTAMPTZ '1970-01-01 00:00:00+00', 'de', true, 0, -0.0::FLOAT, -0.0::DOUBLE, 0, 0, DATE '1970-01-01', TIME '12:00:00', '', '00000000-0000-0000-0000-000000000001', '\\x00'::BLOB, '0', 'home', NULL, [], [], MAP {}, MAP {}, NULL,
    TIMESTAMP '1970-01-01 00:00:00', MAP {}`

const MORE = `
  SELECT (2000 + i)::BIGINT AS id, TIMESTAMPTZ '2024-02-01 00:00:00+00' + to_hours(i::INTEGER) AS "at", 'se' AS country, i::BIGINT * 5000000000 AS small,
    i / 3 AS ratio, (i * 1e9)::DECIMAL(14, 2) AS price, 'later ' || i AS comment, i::INTEGER AS added,
    NULL AS flag, NULL AS huge, NULL AS day, NULL AS hour, NULL AS ref, NULL AS raw, NULL AS extra, NULL AS kind,
    {'zone': 'n' || i, 'seen': NULL, 'note': 'new'} AS place, ['t' || i] AS tags, [{'price': 123456789012.25, 'count': 5000000000 + i, 'raw': NULL, 'sku': 'again'}] AS items,
    MAP {'s': i} AS sizes, NULL AS grid, MAP {'z': [{'c': i}]} AS codes,
    TIMESTAMP '2024-02-01 12:00:00' + to_hours(i::INTEGER) AS local, NULL AS locals FROM range(30) AS t(i)`

const ITEM: Record<string, Type> = { price: { kind: 'decimal', precision: 14, scale: 2 }, count: { kind: 'long' }, raw: { kind: 'binary' } }

const EVOLVED: Shape = {
  fields: [
    ...SHAPE.fields.filter((field) => field.name !== 'note' && field.name !== 'wide').map((field) => widened(field)),
    { name: 'comment', type: { kind: 'string' }, optional: true },
    { name: 'added', type: { kind: 'int' }, optional: true },
  ],
}

/** An item lost its sku before it got another one. */
const WITHOUT_SKU: Shape = {
  fields: EVOLVED.fields.map((field) => (field.name === 'items' ? { ...field, type: list(struct(ITEM)) } : field)),
}

function widened(field: Shape['fields'][number]): Shape['fields'][number] {
  if (field.name === 'place') return { ...field, type: struct({ zone: TEXT, seen: { kind: 'timestamp' }, note: TEXT }) }
  if (field.name === 'items') return { ...field, type: list(struct({ ...ITEM, sku: TEXT })) }
  if (field.name === 'small') return { ...field, type: { kind: 'long' } }
  if (field.name === 'ratio') return { ...field, type: { kind: 'double' } }
  return field.name === 'price' ? { ...field, type: { kind: 'decimal', precision: 14, scale: 2 } } : field
}

export type Row = Record<string, string | null>

/** Rows of a snapshot by DuckDB. */
export async function rowsAsText({ session }: TestEngine, lake: Lake, table: LakeTable, snapshot: LakeSnapshot): Promise<Row[]> {
  using lease = lake.lease()
  const files = await lease.local(await lake.files(table, snapshot))
  const schema = table.schemas.find((one) => one.id === snapshot.schemaId)!
  const texts = schema.fields.map(({ name, type }) => `${textSql(`"${name}"`, type)} AS "${name}"`)
  const { rows } = await session.rows(`SELECT ${texts.join(', ')} FROM (${scanSql({ table: { ...table, schema }, files, tails: [] })})`)
  return rows.map((row) => Object.fromEntries(schema.fields.map((field, i) => [field.name, nestedText(field.type, row[i]!)])))
}

/** A nested value as JSON text, as the scripts beside this give it; other values as they are. */
export const nestedText = (type: LakeType, value: Plain): string | null =>
  value !== null && typeof type !== 'string' ? JSON.stringify(partText(type, value)) : (value as string | null)

/** A part of a nested value: every leaf as text, keys of maps in order. */
function partText(type: LakeType, value: Plain): unknown {
  if (value === null) return null
  if (typeof type === 'string') {
    if (type === 'timestamptz' || type === 'timestamp') return String(value).replace('T', ' ').replace('Z', '')
    return type === 'binary' ? Buffer.from(String(value), 'base64').toString('hex') : String(value)
  }
  if (type.type === 'list') return (value as Plain[]).map((element) => partText(type.element, element))
  const of = value as Readonly<Record<string, Plain>>
  if (type.type === 'struct') return Object.fromEntries(type.fields.map((field) => [field.name, partText(field.type, of[field.name]!)]))
  const keys = Object.keys(of).sort((a, b) => (a < b ? -1 : 1))
  return keys.map((key) => [key, partText(type.value, of[key]!)])
}

function textSql(column: string, type: LakeType): string {
  if (type === 'timestamptz') return `strftime(${column} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')`
  if (type === 'timestamp') return `strftime(${column}, '%Y-%m-%d %H:%M:%S.%f')`
  if (type === 'time') return `strftime(DATE '2000-01-01' + ${column}, '%H:%M:%S.%f')`
  if (type === 'binary') return `lower(hex(${column}))`
  if (typeof type !== 'string') return column
  if (type === 'date') return `strftime(${column}, '%Y-%m-%d')`
  return `CAST(${column} AS VARCHAR)`
}

/** Floats by value: their texts differ from library to library. */
export function comparable(rows: readonly Row[]): unknown[] {
  const number = (text: string) => Number(text.replace(/^(-?)inf.*/i, '$1Infinity').replace(/^nan$/i, 'NaN'))
  const value = (name: string, text: string | null) => {
    if (text === null || (name !== 'ratio' && name !== 'wide')) return text
    return name === 'ratio' ? Math.fround(number(text)) : number(text)
  }
  const plain = rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, text]) => [name, value(name, text)])))
  return plain.sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1))
}

export interface OwnTable {
  readonly lake: Lake
  readonly first: LakeTable
  readonly last: LakeTable
}

/** Commits it to `<directory>/lake/<name>`; `omitted`: columns of types that the reader does not have. */
export async function makeOwnTable(engine: TestEngine, name: string, omitted: readonly string[] = []): Promise<OwnTable> {
  const without = ({ fields }: Shape): Shape => ({ fields: fields.filter((field) => !omitted.includes(field.name)) })
  const lake = diskLake(`${engine.directory}/lake`, fileNames(engine.engine))
  const created = await lake.create({
    name,
    shape: without(SHAPE),
    partition: [
      { transform: 'month', column: 'at' },
      { transform: 'bucket', column: 'id', buckets: 4 },
      { transform: 'identity', column: 'country' },
    ],
    cluster: ['id'],
    key: ['id'],
  })
  const write = (table: LakeTable, select: string) => writeParquet(engine.session, { select, table, directory: lake.dataDirectory(table) })
  const commit = async (change: Partial<TableChange>) =>
    (await lake.commit([{ table: name, operation: 'append', add: [], remove: [], ...change }])).tables[0]!
  const first = await commit({ add: await write(created, ROWS) })
  await lake.setTag(name, 'before', first.current!.id)
  await commit({ shape: without(WITHOUT_SKU) })
  const evolved = await commit({
    shape: without(EVOLVED),
    partition: [{ transform: 'day', column: 'at' }],
    properties: { owner: 'interop' },
  })
  const second = await commit({ add: await write(evolved, MORE) })
  // Copy-on-write: one file is written again without one of its rows, under the new partition spec.
  const [victim, ...others] = await lake.files(second, undefined, [
    { column: 'id', op: '=', values: [5] },
    { column: 'country', op: '=', values: ['fr'] },
    { column: 'at', op: '=', values: ['2024-01-01 05:00:00'] },
  ])
  assert.equal(others.length, 0, 'partition values alone name one file')
  using lease = lake.lease()
  const kept = `SELECT * FROM (${scanSql({ table: second, files: await lease.local([victim!]), tails: [] })}) WHERE id <> 5`
  const last = await commit({
    operation: 'overwrite',
    add: await write(second, kept),
    remove: [victim!.path],
    validateFrom: second.current!.id,
  })
  return { lake, first, last }
}
