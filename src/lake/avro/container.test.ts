// The Avro codec: what is written comes back, other codecs are read, damage is noticed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { seededRandom } from '../../core/random.ts'
import { readContainer, writeContainer } from './container.ts'
import { AvroEncoder, compileWriter } from './encode.ts'
import type { AvroSchema, AvroValue } from './schema.ts'

const SCHEMA: AvroSchema = {
  type: 'record',
  name: 'row',
  fields: [
    { name: 'flag', type: 'boolean' },
    { name: 'count', type: 'long' },
    { name: 'ratio', type: 'double' },
    { name: 'small', type: 'float' },
    { name: 'text', type: ['null', 'string'], default: null },
    { name: 'raw', type: 'bytes' },
    { name: 'fixed', type: { type: 'fixed', name: 'four', size: 4 } },
    { name: 'list', type: { type: 'array', items: 'int' } },
    { name: 'inner', type: { type: 'record', name: 'inner', fields: [{ name: 'n', type: 'int' }] } },
  ],
}

const rows = fc.array(
  fc.record({
    flag: fc.boolean(),
    count: fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    ratio: fc.double({ noNaN: true }),
    small: fc.float({ noNaN: true }),
    text: fc.option(fc.string({ unit: 'grapheme' })),
    raw: fc.uint8Array({ maxLength: 50 }),
    fixed: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    list: fc.array(fc.integer()),
    inner: fc.record({ n: fc.integer() }),
  }),
)

/** As it is read: safe integers as numbers, bytes as plain arrays. */
const plain = (value: AvroValue): unknown => {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  return value
}

const write = (values: readonly AvroValue[]) =>
  writeContainer(SCHEMA, compileWriter(SCHEMA), values, { 'format-version': '2' }, seededRandom(1))

test('rows, schema and header come back', () => {
  fc.assert(
    fc.property(rows, (values) => {
      const file = readContainer(write(values), 'x')
      assert.deepEqual(file.rows.map(plain), values.map(plain))
      assert.deepEqual(file.schema, SCHEMA)
      assert.equal(file.meta.get('format-version'), '2')
    }),
  )
})

test('more than one block', () => {
  const values = Array.from({ length: 25_000 }, (_, n) => ({ n }))
  const schema: AvroSchema = { type: 'record', name: 'r', fields: [{ name: 'n', type: 'int' }] }
  assert.deepEqual(readContainer(writeContainer(schema, compileWriter(schema), values, {}, seededRandom(1)), 'x').rows, values)
})

function containerOf(
  codec: string,
  compress: (bytes: Uint8Array) => Uint8Array,
  schema: AvroSchema,
  body: Uint8Array,
  count: number,
): Buffer {
  const to = new AvroEncoder()
  to.raw(Buffer.from('Obj\x01', 'latin1'))
  to.long(-2)
  to.long(99) // a negative count is followed by a size, which readers may skip by
  for (const [key, value] of [
    ['avro.schema', JSON.stringify(schema)],
    ['avro.codec', codec],
  ]) {
    to.string(key!)
    to.string(value!)
  }
  to.long(0)
  to.raw(new Uint8Array(16))
  to.long(count)
  to.bytes(compress(body))
  to.raw(new Uint8Array(16))
  return Buffer.from(to.take())
}

test('files of other writers: codecs, blocks with sizes, maps, enums, wide unions', () => {
  const schema: AvroSchema = {
    type: 'record',
    name: 'r',
    fields: [
      { name: 'map', type: { type: 'map', values: 'int' } },
      { name: 'kind', type: { type: 'enum', name: 'e', symbols: ['a', 'b'] } },
      { name: 'any', type: ['string', 'null', 'long'] },
      { name: 'day', type: { type: 'int', logicalType: 'date' } },
    ],
  }
  const body = new AvroEncoder()
  body.long(-1)
  body.long(4)
  body.string('k')
  body.long(7)
  body.long(0)
  body.long(1)
  body.long(2)
  body.long(2n ** 60n)
  body.long(-3)
  for (const [codec, compress] of [
    ['null', (bytes: Uint8Array) => bytes],
    ['deflate', (bytes: Uint8Array) => deflateRawSync(bytes)],
    ['zstandard', (bytes: Uint8Array) => zstdCompressSync(bytes)],
  ] as const) {
    const { rows: read } = readContainer(containerOf(codec, compress, schema, body.take(), 1), 'x')
    assert.deepEqual(read, [{ map: { k: 7 }, kind: 'b', any: 2n ** 60n, day: -3 }], codec)
  }
  assert.throws(
    () =>
      readContainer(
        containerOf('snappy', (bytes) => bytes, schema, body.take(), 1),
        'm.avro',
      ),
    {
      code: 'MR_LAKE_CORRUPT',
      message: /m\.avro.*snappy/,
    },
  )
})

test('a cut or changed file is refused, never half read', () => {
  const values = Array.from({ length: 50 }, (_, i) => ({
    flag: true,
    count: i,
    ratio: i,
    small: 0,
    text: 'x'.repeat(i),
    raw: new Uint8Array(3),
    fixed: new Uint8Array(4),
    list: [i],
    inner: { n: i },
  }))
  const bytes = write(values)
  // A cut at the end of the header or of a block leaves a whole, shorter container.
  for (let size = 0; size < bytes.length; size += 7) {
    try {
      assert.equal(readContainer(bytes.subarray(0, size), 'x').rows.length, 0)
    } catch (error) {
      assert.equal((error as { code: string }).code, 'MR_LAKE_CORRUPT')
    }
  }
  const changed = Buffer.from(bytes)
  changed[changed.length - 1]! ^= 1
  assert.throws(() => readContainer(changed, 'x'), { code: 'MR_LAKE_CORRUPT' })
  assert.throws(() => readContainer(Buffer.from('not avro at all'), 'x'), { code: 'MR_LAKE_CORRUPT' })
})
