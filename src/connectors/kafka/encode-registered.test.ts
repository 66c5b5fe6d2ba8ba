// Rows as messages behind a registry's head: which schema is registered, with what it imports, and every byte that is written.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import { startRegistry, type TestRegistry } from '../../../test/kafka/registry.ts'
import type { Field, Type } from '../../schema/type.ts'
import { protobufDecoder } from './decode-protobuf.ts'
import { jsonEncoder } from './encode-json.ts'
import { protobufEncoder } from './encode-protobuf.ts'
import { type RegistryTarget, SchemaRegistry } from './schema-registry.ts'

let server: TestRegistry
beforeEach(async () => {
  server = await startRegistry()
})
afterEach(() => server.stop())
const directory = mkdtempSync(join(tmpdir(), 'millrace-registered-'))
after(() => rmSync(directory, { recursive: true }))

const required = (name: string, type: Type): Field => ({ name, type, optional: false })
const optional = (name: string, type: Type): Field => ({ name, type, optional: true })
const ROW = [required('id', { kind: 'int' }), optional('word', { kind: 'string' })]

const target = (): RegistryTarget => ({ client: new SchemaRegistry({ url: server.url }), subject: 'out-value' })

/** Absolute path of a file that is written now. */
function file(name: string, text: string): string {
  const path = join(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

const encoderFor = (path: string, message: string, fields = ROW) =>
  protobufEncoder({ file: { path, message }, shape: { fields }, registry: target() })

const TWO = `syntax = "proto3"; package shop;
message Other {}
message Click { message Part { int32 id = 1; } int32 id = 1; optional string word = 2; }
`

test('the file is registered as it is, and the message found by its place', async () => {
  const path = file('two.proto', TWO)
  const click = await encoderFor(path, 'shop.Click')
  const row = Buffer.from('{"id":7,"word":"a"}')
  assert.deepEqual([...click(row)], [0, 0, 0, 0, 1, 2, 2, 8, 7, 0x12, 1, 0x61])
  assert.deepEqual([...click(Buffer.from('{"id":0,"word":null}'))].slice(0, 7), [0, 0, 0, 0, 1, 2, 2])
  const part = await encoderFor(path, 'shop.Click.Part', ROW.slice(0, 1))
  assert.deepEqual([...part(Buffer.from('{"id":1}'))], [0, 0, 0, 0, 1, 4, 2, 0, 8, 1])
  const first = await encoderFor(file('first.proto', TWO.replace('message Other {}', '')), 'shop.Click')
  assert.deepEqual([...first(row)], [0, 0, 0, 0, 2, 0, 8, 7, 0x12, 1, 0x61])
  assert.deepEqual(server.versions('out-value')[0], { schema: TWO, schemaType: 'PROTOBUF' })
  assert.deepEqual(new Set(server.requests), new Set(['POST /subjects/out-value/versions']))
  const back = await protobufDecoder({ registry: new SchemaRegistry({ url: server.url }) }, ROW)
  await back.prepare!([click(row)])
  assert.equal(back.line(click(row)), '{"id":7,"word":"a"}')
})

test('files that it imports are registered before, under the names of their imports', async () => {
  const money = 'syntax = "proto3"; package common; message Money { int64 units = 1; }'
  const price =
    'syntax = "proto3"; package common; import "money.proto"; import "google/protobuf/wrappers.proto"; message Price { Money net = 1; google.protobuf.Int64Value tax = 2; }'
  const main =
    'syntax = "proto3"; package shop; import "common/price.proto"; import "google/protobuf/timestamp.proto"; message Sale { common.Price price = 1; google.protobuf.Timestamp seen = 2; }'
  file('sales/common/money.proto', money)
  file('sales/common/price.proto', price)
  const path = file('sales/sale.proto', main)
  server.add('money.proto', { schema: 'another before', schemaType: 'PROTOBUF' })
  const amount: Type = { kind: 'struct', fields: [required('units', { kind: 'long' })] }
  const fields = [required('price', { kind: 'struct', fields: [required('net', amount)] }), required('seen', { kind: 'timestamp' })]
  const encode = await encoderFor(path, 'shop.Sale', fields)
  const row = Buffer.from('{"price":{"net":{"units":5}},"seen":"1970-01-01T00:00:01Z"}')
  assert.deepEqual([...encode(row)], [0, 0, 0, 0, 4, 0, 0x0a, 4, 0x0a, 2, 8, 5, 0x12, 2, 8, 1])
  const [moneys, prices] = [
    { name: 'money.proto', subject: 'money.proto', version: 2 },
    { name: 'common/price.proto', subject: 'common/price.proto', version: 1 },
  ]
  assert.deepEqual(server.versions('money.proto')[1], { schema: money, schemaType: 'PROTOBUF' })
  assert.deepEqual(server.versions('common/price.proto'), [{ schema: price, schemaType: 'PROTOBUF', references: [moneys] }])
  assert.deepEqual(server.versions('out-value'), [{ schema: main, schemaType: 'PROTOBUF', references: [prices] }])
  const back = await protobufDecoder({ registry: new SchemaRegistry({ url: server.url }) }, fields)
  await back.prepare!([encode(row)])
  assert.equal(back.line(encode(row)), '{"price":{"net":{"units":5}},"seen":"1970-01-01T00:00:01.000000Z"}')
})

test('what a registry cannot be told is refused', async () => {
  const refused = async (path: string, message: string, why: RegExp): Promise<void> => {
    await assert.rejects(encoderFor(path, message), { code: 'MR_KAFKA_SCHEMA', message: why }, String(why))
    assert.deepEqual(server.versions('out-value'), [])
  }
  file('odd/a/one.proto', 'syntax = "proto3"; import "same.proto"; message One { Same same = 1; }')
  file('odd/a/same.proto', 'syntax = "proto3"; message Same {}')
  file('odd/same.proto', 'syntax = "proto3"; package other; message Same {}')
  const both = file('odd/both.proto', 'syntax = "proto3"; import "a/one.proto"; import "same.proto"; message Click { One one = 1; }')
  await refused(both, 'Click', /which file the import "same\.proto" is: it is .*odd\/a\/same\.proto and .*odd\/same\.proto/)
  const above = file('odd/b/above.proto', 'syntax = "proto3"; import "../same.proto"; message Click { other.Same same = 1; }')
  await refused(above, 'Click', /the import "\.\.\/same\.proto" is: it depends on where/)
  const elsewhere = file('odd/elsewhere.proto', 'syntax = "proto3"; import "same.proto"; message Click {}')
  await refused(elsewhere, 'other.Same', /the message other\.Same is not in .*elsewhere\.proto itself/)
  await refused(elsewhere, 'shop.None', /the Protobuf message shop\.None of .* cannot be used/)
})

test('a registry that refuses the schema stops the sink', async (t) => {
  const closed = await startRegistry({ closed: ['out-value'] })
  t.after(() => closed.stop())
  const registry: RegistryTarget = { client: new SchemaRegistry({ url: closed.url }), subject: 'out-value' }
  const encoder = protobufEncoder({ file: { path: file('two.proto', TWO), message: 'shop.Click' }, shape: { fields: ROW }, registry })
  await assert.rejects(encoder, { code: 'MR_KAFKA_SCHEMA', message: /answers 409 .*incompatible/, retryable: true })
  await assert.rejects(jsonEncoder('out', { fields: ROW }, registry), { code: 'MR_KAFKA_SCHEMA', message: /answers 409/ })
})

test('JSON as answers have it, behind the id of a schema that follows from the columns', async () => {
  const fields: readonly Field[] = [
    { ...required('id', { kind: 'long' }), doc: 'of the click' },
    required('amount', { kind: 'decimal', precision: 5, scale: 2 }),
    optional('page', { kind: 'enum', values: ['home', 'cart'] }),
    required('tags', { kind: 'list', element: { type: { kind: 'string' }, optional: true } }),
    optional('extra', { kind: 'json' }),
  ]
  const encode = await jsonEncoder('out', { fields }, target())
  const row = '{"id":"9007199254740993","amount":"1.50","page":null,"tags":["a",null],"extra":{"n":1.50}}'
  const bytes = encode(Buffer.from(row))
  assert.deepEqual([...bytes.subarray(0, 5)], [0, 0, 0, 0, 1])
  assert.equal(Buffer.from(bytes.subarray(5)).toString(), row)
  const [entry] = server.versions('out-value')
  assert.equal(entry!.schemaType, 'JSON')
  assert.deepEqual(JSON.parse(entry!.schema), {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'out',
    type: 'object',
    properties: {
      id: {
        type: ['integer', 'string'],
        format: 'int64',
        pattern: '^-?(0|[1-9][0-9]*)$',
        description: 'of the click; a string beyond 2^53 - 1',
      },
      amount: { type: ['string', 'number'], format: 'decimal', pattern: '^-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?$' },
      page: { type: ['string', 'null'], enum: ['home', 'cart', null] },
      tags: { type: 'array', items: { type: ['string', 'null'] } },
      extra: {},
    },
    required: ['id', 'amount', 'tags'],
    additionalProperties: false,
  })
})
