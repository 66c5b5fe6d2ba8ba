// The tables that say what each type is elsewhere: DuckDB, JSON Schema, TypeScript; and the fingerprint.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { fromDuckType, toDuckType } from './duckdb.ts'
import { fingerprint } from './fingerprint.ts'
import { shapeToJsonSchema, toJsonSchema } from './json-schema.ts'
import type { Shape, Type } from './type.ts'
import { shapeToTypeScript, toTypeScript } from './typescript.ts'

const types: Type[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'decimal', precision: 38, scale: 2 },
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'datetime' },
  { kind: 'string' },
  { kind: 'uuid' },
  { kind: 'binary' },
  { kind: 'json' },
  { kind: 'enum', values: ['a', "b'c"] },
  { kind: 'list', element: { type: { kind: 'date' }, optional: true } },
  { kind: 'list', element: { type: { kind: 'list', element: { type: { kind: 'uuid' }, optional: true } }, optional: true } },
  { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'decimal', precision: 4, scale: 2 }, optional: true } },
  {
    kind: 'struct',
    fields: [
      { name: 'a', type: { kind: 'long' }, optional: true },
      { name: 'q"u, o(t)e', type: { kind: 'list', element: { type: { kind: 'datetime' }, optional: true } }, optional: true },
    ],
  },
] // prettier-ignore

test('DuckDB takes every type and names it in a way that leads back', async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  await connection.run(`CREATE TABLE t (${types.map((type, i) => `c${i} ${toDuckType(type)}`).join(', ')})`)
  const rows = (
    await connection.runAndReadAll('SELECT data_type FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_index', ['t'])
  ).getRows()
  const back = rows.map(([name]) => fromDuckType(String(name), 'datetime'))
  const stored = types.map((type): Type => (type.kind === 'json' || type.kind === 'enum' ? { kind: 'string' } : type))
  assert.deepEqual(back, stored)
  const names = 'SELECT typeof(x) FROM (VALUES '
  const expressions = [
    '1::TINYINT',
    '1::UBIGINT',
    '1::HUGEINT',
    "'a'::ENUM('a','b''c')",
    "TIMESTAMP '2026-01-01'",
    "'2026-01-01'::TIMESTAMP_NS",
    '1.5',
    "'1'::JSON",
    '[1]',
    'INTERVAL 1 DAY',
    "{'a': 1}",
    '[INTERVAL 1 DAY]',
    "{'x, y (\"z\")': MAP {DATE '2026-01-01': [{'v': 1.5::DECIMAL(4, 2), 'e': 'a, )'::ENUM('a, )', 'b''c')}]}, 'i': [1, 2]::INTEGER[2]}",
    'row(1, 2)',
    'NULL',
    "'1'::BIT",
    "'12:00:00+01'::TIMETZ",
  ]
  const seen: unknown[] = []
  for (const expression of expressions)
    seen.push(fromDuckType(String((await connection.runAndReadAll(`${names}(${expression})) t(x)`)).getRows()[0]![0]), 'timestamp'))
  assert.deepEqual(seen, [
    { kind: 'int' },
    { kind: 'decimal', precision: 20, scale: 0 },
    { kind: 'decimal', precision: 38, scale: 0 },
    { kind: 'enum', values: ['a', "b'c"] },
    { kind: 'timestamp' },
    { kind: 'timestamp' },
    { kind: 'decimal', precision: 2, scale: 1 },
    { kind: 'json' },
    { kind: 'list', element: { type: { kind: 'int' }, optional: true } },
    undefined,
    { kind: 'struct', fields: [{ name: 'a', type: { kind: 'int' }, optional: true }] },
    undefined,
    {
      kind: 'struct',
      fields: [
        {
          name: 'x, y ("z")',
          type: {
            kind: 'map',
            key: { kind: 'date' },
            value: {
              type: {
                kind: 'list',
                element: {
                  type: {
                    kind: 'struct',
                    fields: [
                      { name: 'v', type: { kind: 'decimal', precision: 4, scale: 2 }, optional: true },
                      { name: 'e', type: { kind: 'enum', values: ['a, )', "b'c"] }, optional: true },
                    ],
                  },
                  optional: true,
                },
              },
              optional: true,
            },
          },
          optional: true,
        },
        { name: 'i', type: { kind: 'list', element: { type: { kind: 'int' }, optional: true } }, optional: true },
      ],
    },
    undefined,
    undefined,
    undefined,
    undefined,
  ]) // prettier-ignore
  assert.equal(fromDuckType('constructor', 'timestamp'), undefined)
  const within = (kind: 'timestamp' | 'datetime'): Type => ({ kind: 'list', element: { type: { kind }, optional: true } })
  assert.deepEqual(fromDuckType('TIMESTAMP_NS[]', 'datetime'), within('datetime'))
  assert.deepEqual(fromDuckType('TIMESTAMP WITH TIME ZONE[]', 'datetime'), within('timestamp'))
})

const shape: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    {
      name: 'odd name',
      type: { kind: 'enum', values: ['a', "it's", 'back\\slash'] },
      optional: true,
      doc: 'Where */ it\n was',
      unit: 'GBP',
    },
    { name: 'extra', type: { kind: 'json' }, optional: true },
  ],
}

test('JSON Schema: null is allowed where a field is optional, doc and unit are kept', () => {
  const { properties, required } = shapeToJsonSchema(shape) as { properties: Record<string, Record<string, unknown>>; required: string[] }
  assert.deepEqual(required, ['id'])
  assert.deepEqual(properties['odd name'], {
    type: ['string', 'null'],
    enum: ['a', "it's", 'back\\slash', null],
    description: 'Where */ it\n was; unit: GBP',
  })
  assert.deepEqual(properties['extra'], {})
  const pattern = new RegExp(toJsonSchema({ kind: 'decimal', precision: 4, scale: 2 })['pattern'] as string)
  assert.deepEqual(
    ['12.34', '0', '-1.5', '123', '1.234', '01'].map((text) => pattern.test(text)),
    [true, true, true, false, false, false],
  )
  for (const type of types) assert.equal(typeof toJsonSchema(type), 'object', type.kind)
  const clock = toJsonSchema({ kind: 'datetime' })
  assert.equal(clock['format'], 'date-time-local')
  assert.deepEqual(
    ['2026-03-01T14:05:00', '2026-03-01 14:05:00.000001', '2026-03-01T14:05:00Z', '2026-03-01T14:05:00+01:00', '2026-03-01'].map((text) =>
      new RegExp(clock['pattern'] as string).test(text),
    ),
    [true, true, false, false, false],
  )
  assert.deepEqual(toJsonSchema({ kind: 'list', element: { type: { kind: 'struct', fields: [shape.fields[2]!] }, optional: true } }), {
    type: 'array',
    items: { type: ['object', 'null'], properties: { extra: {} }, additionalProperties: false },
  })
  assert.deepEqual(toJsonSchema({ kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'date' }, optional: false } }), {
    type: 'object',
    additionalProperties: { type: 'string', format: 'date' },
  })
})

test('TypeScript: quoted where needed, null where optional', () => {
  assert.equal(
    shapeToTypeScript(shape),
    "{\n  id: bigint\n  /** Where * / it was Unit: GBP. */\n  'odd name': 'a' | 'it\\'s' | 'back\\\\slash' | null\n  extra: unknown\n}",
  )
  assert.deepEqual(
    types.map((type) => toTypeScript(type)),
    [
      'boolean',
      'number',
      'bigint',
      'number',
      'number',
      'Decimal',
      'string',
      'string',
      'Instant',
      'string',
      'string',
      'string',
      'Uint8Array',
      'unknown',
      "'a' | 'b\\'c'",
      '(string | null)[]',
      '((string | null)[] | null)[]',
      'Record<string, Decimal | null>',
      "{\n  a: bigint | null\n  'q\"u, o(t)e': (string | null)[] | null\n}",
    ],
  )
})

test('the fingerprint depends on names, types and optionality only, and never changes', () => {
  assert.equal(fingerprint(shape), fingerprint({ fields: shape.fields.map(({ doc: _, unit: __, ...field }) => field) }))
  assert.match(fingerprint(shape), /^[0-9a-f]{16}$/)
  assert.equal(fingerprint({ fields: [{ name: 'id', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: true }] }), FIXED)
  const changed = types.flatMap((type) => [true, false].map((optional) => fingerprint({ fields: [{ name: 'id', type, optional }] })))
  assert.equal(new Set(changed).size, types.length * 2)
})

/** Stands in data of existing installations. */
const FIXED = '2a92e81b37a65980'
