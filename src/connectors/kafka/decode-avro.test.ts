// Values of every Avro type through the library's own encoder, and back as rows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import fc from 'fast-check'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { decimalText } from './avro-json.ts'
import { avroDecoder, compileSchema } from './decode-avro.ts'
import { Undecodable } from './decoder.ts'
import type { SchemaRegistry } from './schema-registry.ts'

const optional = (name: string, type: Field['type']): Field => ({ name, type, optional: true })
const required = (name: string, type: Field['type']): Field => ({ name, type, optional: false })

const SCHEMA = {
  type: 'record',
  name: 'Click',
  namespace: 'shop',
  fields: [
    { name: 'b', type: 'boolean' },
    { name: 'i', type: 'int' },
    { name: 'l', type: 'long' },
    { name: 'f', type: 'float' },
    { name: 'd', type: 'double' },
    { name: 's', type: 'string' },
    { name: 'raw', type: 'bytes' },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 30, scale: 4 } },
    { name: 'fixedAmount', type: { type: 'fixed', name: 'Amount', size: 5, logicalType: 'decimal', precision: 11, scale: 2 } },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'clock', type: { type: 'long', logicalType: 'time-micros' } },
    { name: 'clockMs', type: { type: 'int', logicalType: 'time-millis' } },
    { name: 'seen', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'seenMs', type: { type: 'long', logicalType: 'timestamp-millis' } },
    { name: 'local', type: { type: 'long', logicalType: 'local-timestamp-micros' } },
    { name: 'localMs', type: { type: 'long', logicalType: 'local-timestamp-millis' } },
    { name: 'localAsInstant', type: { type: 'long', logicalType: 'local-timestamp-micros' } },
    { name: 'id', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'fixedId', type: { type: 'fixed', name: 'Id', size: 16, logicalType: 'uuid' } },
    { name: 'page', type: { type: 'enum', name: 'Page', symbols: ['home', 'cart'] } },
    { name: 'maybe', type: ['null', 'long'] },
    { name: 'either', type: ['null', 'Page', 'string', { type: 'int', logicalType: 'date' }] },
    { name: 'tags', type: { type: 'array', items: ['null', 'string'] } },
    { name: 'counts', type: { type: 'map', values: 'long' } },
    {
      name: 'place',
      type: {
        type: 'record',
        name: 'Place',
        fields: [
          { name: 'x', type: 'double' },
          { name: 'hidden', type: 'int' },
        ],
      },
    },
    {
      name: 'tree',
      type: {
        type: 'record',
        name: 'Node',
        fields: [
          { name: 'n', type: 'int' },
          { name: 'next', type: ['null', 'Node'] },
        ],
      },
    },
    { name: 'unasked', type: 'string' },
  ],
}

const SHAPE: Shape = {
  fields: [
    required('b', { kind: 'boolean' }),
    required('i', { kind: 'int' }),
    required('l', { kind: 'long' }),
    required('f', { kind: 'float' }),
    required('d', { kind: 'double' }),
    required('s', { kind: 'string' }),
    required('raw', { kind: 'binary' }),
    required('amount', { kind: 'decimal', precision: 30, scale: 4 }),
    required('fixedAmount', { kind: 'decimal', precision: 11, scale: 2 }),
    required('day', { kind: 'date' }),
    required('clock', { kind: 'time' }),
    required('clockMs', { kind: 'time' }),
    required('seen', { kind: 'timestamp' }),
    required('seenMs', { kind: 'timestamp' }),
    required('local', { kind: 'datetime' }),
    required('localMs', { kind: 'datetime' }),
    required('localAsInstant', { kind: 'timestamp' }),
    required('id', { kind: 'uuid' }),
    required('fixedId', { kind: 'uuid' }),
    required('page', { kind: 'enum', values: ['home', 'cart'] }),
    optional('maybe', { kind: 'long' }),
    optional('either', { kind: 'string' }),
    required('tags', { kind: 'list', element: { type: { kind: 'string' }, optional: true } }),
    required('counts', { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'long' }, optional: false } }),
    required('place', { kind: 'struct', fields: [required('x', { kind: 'double' })] }),
    required('tree', { kind: 'json' }),
  ],
}

const VALUE = {
  b: true,
  i: -7,
  l: 9_223_372_036_854_775_807n,
  f: 0.5,
  d: Number.NaN,
  s: 'line\nbreak "quoted" é',
  raw: Buffer.from([0, 255, 10]),
  amount: Buffer.from([0xff, 0xff, 0x85]),
  fixedAmount: Buffer.from([0, 0, 0, 0x30, 0x39]),
  day: 20_000,
  clock: 86_399_999_999n,
  clockMs: 1_500,
  seen: 1_700_000_000_123_456n,
  seenMs: -1n,
  local: 1_700_000_000_123_456n,
  localMs: -1n,
  localAsInstant: -1n,
  id: '123E4567-e89b-12d3-a456-426614174000',
  fixedId: Buffer.from('123e4567e89b12d3a456426614174000', 'hex'),
  page: 'cart',
  maybe: { long: -9_223_372_036_854_775_808n },
  either: { 'shop.Page': 'home' },
  tags: [{ string: 'a' }, null],
  counts: { x: 9_007_199_254_740_993n },
  place: { x: 1.25, hidden: 3 },
  tree: { n: 1, next: { 'shop.Node': { n: 2, next: null } } },
  unasked: 'left out',
}

const EXPECTED = {
  b: true,
  i: -7,
  l: '9223372036854775807',
  f: 0.5,
  d: 'NaN',
  s: 'line\nbreak "quoted" é',
  raw: 'AP8K',
  amount: '-0.0123',
  fixedAmount: '123.45',
  day: '2024-10-04',
  clock: '23:59:59.999999',
  clockMs: '00:00:01.500000',
  seen: '2023-11-14T22:13:20.123456Z',
  seenMs: '1969-12-31T23:59:59.999000Z',
  local: '2023-11-14T22:13:20.123456',
  localMs: '1969-12-31T23:59:59.999000',
  localAsInstant: '1969-12-31T23:59:59.999999',
  id: '123E4567-e89b-12d3-a456-426614174000',
  fixedId: '123e4567-e89b-12d3-a456-426614174000',
  page: 'cart',
  maybe: '-9223372036854775808',
  either: 'home',
  tags: ['a', null],
  counts: { x: '9007199254740993' },
  place: { x: 1.25 },
  tree: { n: 1, next: { n: 2, next: null } },
}

/** JSON with integers beyond doubles as text, so that digits are compared. */
const exact = (line: string): unknown => JSON.parse(line.replaceAll(/([:[,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"'))

const encode = (schema: object, value: object): Buffer => compileSchema(avsc, JSON.stringify(schema)).type.toBuffer(value)

const framed = (id: number, bytes: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, bytes])
}

const registryOf = (schemas: Readonly<Record<number, object>>): SchemaRegistry =>
  ({
    schema: async (id: number, type: string) => (schemas[id] ? { type, text: JSON.stringify(schemas[id]), references: [] } : null),
  }) as unknown as SchemaRegistry

test('values of every type, exactly, and the scanner takes them', async () => {
  const decoder = await avroDecoder({ schema: JSON.stringify(SCHEMA) }, SHAPE.fields)
  const line = String(decoder.line(encode(SCHEMA, VALUE)))
  assert.deepEqual(exact(line), EXPECTED)
  const { batch, rejects } = compileScanner(SHAPE).scan(Buffer.from(`${line}\n`))
  assert.deepEqual(rejects, [])
  assert.equal(batch.rows, 1)
})

test('null branches, the other branches of a union', async () => {
  const decoder = await avroDecoder({ schema: JSON.stringify(SCHEMA) }, SHAPE.fields)
  const seen = (either: unknown): unknown =>
    (exact(String(decoder.line(encode(SCHEMA, { ...VALUE, maybe: null, either })))) as typeof EXPECTED).either
  assert.deepEqual([seen(null), seen({ string: 'x' }), seen({ int: 0 })], [null, 'x', '1970-01-01'])
})

test('decimals of any number of bytes', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }), fc.integer({ min: 0, max: 38 }), (raw, scale) => {
      const bytes = Buffer.from(BigInt.asUintN(136, raw).toString(16).padStart(34, '0'), 'hex')
      const [whole, fraction = ''] = decimalText(bytes, scale).replace('-', '').split('.')
      assert.equal(fraction.length, scale)
      assert.equal(BigInt(whole! + fraction) * (raw < 0n ? -1n : 1n), raw)
    }),
  )
})

test('a registry: each message by the schema whose id it has, read as the given one where there is one', async () => {
  const older = { type: 'record', name: 'R', fields: [{ name: 'a', type: 'int' }] }
  const newer = {
    type: 'record',
    name: 'R',
    fields: [
      { name: 'a', type: 'long' },
      { name: 'c', type: 'string', default: 'none' },
    ],
  }
  const fields = [required('a', { kind: 'long' }), optional('c', { kind: 'string' })]
  const registry = registryOf({ 7: older, 8: newer })
  const [first, second] = [framed(7, encode(older, { a: 1 })), framed(8, encode(newer, { a: 2n, c: 'x' }))]
  const plain = await avroDecoder({ registry }, fields)
  await plain.prepare!([first, second])
  assert.deepEqual([plain.line(first), plain.line(second)], ['{"a":1}', '{"a":2,"c":"x"}'])
  const resolved = await avroDecoder({ registry, schema: JSON.stringify(newer) }, fields)
  await resolved.prepare!([first])
  assert.equal(resolved.line(first), '{"a":1,"c":"none"}')
})

test('what cannot be read says why, and ends nothing', async () => {
  const fields = [required('a', { kind: 'long' })]
  const schema = { type: 'record', name: 'R', fields: [{ name: 'a', type: 'long' }] }
  const decoder = await avroDecoder({ registry: registryOf({ 1: schema }) }, fields)
  const messages = [framed(1, Buffer.alloc(0)), framed(2, Buffer.from([2])), Buffer.from('{"a":1}'), Buffer.alloc(0)]
  await decoder.prepare!(messages)
  for (const message of messages) assert.throws(() => decoder.line(message), Undecodable)
  await assert.rejects(avroDecoder({ schema: '{"type":"nothing"}' }, fields), { code: 'MR_KAFKA_SCHEMA' })
})
