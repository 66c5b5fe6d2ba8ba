// Messages behind a registry's head as rows: Protobuf by the schemas that it has, with bytes made by the library and heads by hand, and JSON.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, beforeEach, test } from 'node:test'
import protobuf from 'protobufjs'
import { startRegistry, type TestRegistry } from '../../../test/kafka/registry.ts'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field, Type } from '../../schema/type.ts'
import { type ProtobufSource, protobufDecoder } from './decode-protobuf.ts'
import { withoutId } from './decode-registered.ts'
import { jsonDecoder, Undecodable } from './decoder.ts'
import { SchemaRegistry } from './schema-registry.ts'

let server: TestRegistry
beforeEach(async () => {
  server = await startRegistry()
})
afterEach(() => server.stop())
const directory = mkdtempSync(join(tmpdir(), 'millrace-registered-'))
after(() => rmSync(directory, { recursive: true }))

const required = (name: string, type: Type): Field => ({ name, type, optional: false })
const optional = (name: string, type: Type): Field => ({ name, type, optional: true })
const int: Type = { kind: 'int' }
const long: Type = { kind: 'long' }
const string: Type = { kind: 'string' }

const proto = (
  subject: string,
  schema: string,
  references: readonly (readonly [name: string, subject: string, version: number])[] = [],
): number =>
  server.add(subject, {
    schema,
    schemaType: 'PROTOBUF',
    references: references.map(([name, own, version]) => ({ name, subject: own, version })),
  })

/** Bytes of a message by the library, from a file that stands alone. */
function bytesOf(source: string, type: string, value: object): Buffer {
  const found = protobuf.parse(source, { keepCase: true }).root.lookupType(type)
  return Buffer.from(found.encode(found.fromObject(value)).finish())
}

const message = (id: number, path: readonly number[], body: Uint8Array): Buffer => Buffer.concat([Buffer.of(0, 0, 0, 0, id, ...path), body])

async function decoderFor(fields: readonly Field[], how: Omit<ProtobufSource, 'registry'> = {}) {
  const decoder = await protobufDecoder({ ...how, registry: new SchemaRegistry({ url: server.url }) }, fields)
  return async (value: Uint8Array): Promise<unknown> => {
    await decoder.prepare!([value])
    const line = String(decoder.line(value))
    const { batch, rejects } = compileScanner({ fields }).scan(Buffer.from(`${line}\n`))
    assert.deepEqual([batch.rows, rejects], [1, []], line)
    return JSON.parse(line)
  }
}

const TWO = `syntax = "proto3"; package shop;
enum Page { HOME = 0; CART = 1; }
message Click { int32 id = 1; Page page = 2; optional string word = 3; }
service Shop { rpc Put(Order) returns (Click); }
message Order {
  message Line { int32 id = 1; string word = 2; }
  message Total { int32 id = 1; int64 word = 2; }
  int32 id = 1;
  repeated Line lines = 2;
}`
const ROW = [required('id', int), optional('word', string)]

test('each message by the schema and the name that it begins with; what has been asked is not asked again', async () => {
  const newer = TWO.replace('package shop;', 'package shop; message First { string word = 1; }').replace(
    'int32 id = 1; Page',
    'int64 id = 9; Page',
  )
  const [one, two] = [proto('clicks-value', TWO), proto('clicks-value', newer)]
  const read = await decoderFor(ROW)
  const click = bytesOf(TWO, 'shop.Click', { id: 7, page: 1, word: 'a' })
  assert.deepEqual(await read(message(one, [0], click)), { id: 7, word: 'a' })
  assert.deepEqual(await read(message(one, [2, 0], click)), { id: 7, word: 'a' })
  assert.deepEqual(await read(message(one, [0], Buffer.alloc(0))), { id: 0 })
  assert.deepEqual(await read(message(one, [2, 2], bytesOf(TWO, 'shop.Order', { id: 8 }))), { id: 8 })
  assert.deepEqual(await read(message(one, [4, 2, 0], bytesOf(TWO, 'shop.Order.Line', { id: 9, word: '' }))), { id: 9, word: '' })
  assert.deepEqual(await read(message(two, [2, 2], bytesOf(newer, 'shop.Click', { id: 3 }))), { id: 3 })
  assert.deepEqual(server.requests, [`GET /schemas/ids/${one}`, `GET /schemas/ids/${two}`])
})

test('only messages of one name', async () => {
  const id = proto('clicks-value', TWO)
  const read = await decoderFor(ROW, { message: 'shop.Click' })
  assert.deepEqual(await read(message(id, [0], bytesOf(TWO, 'shop.Click', { id: 7 }))), { id: 7 })
  await assert.rejects(read(message(id, [2, 2], bytesOf(TWO, 'shop.Order', { id: 8 }))), {
    code: 'MR_ROW_MESSAGE',
    message: 'the message is a shop.Order, and no shop.Click',
  })
})

test('read as a file of the project says: what it does not know is left out', async () => {
  const path = join(directory, 'own.proto')
  writeFileSync(
    path,
    'syntax = "proto3"; package shop; message Other {} message Click { int64 number = 1; optional string word = 3; optional int32 more = 9; }',
  )
  const id = proto('clicks-value', TWO.replace('package shop;', 'package shop; import "nobody/has.proto";'))
  const read = await decoderFor([required('number', long), optional('word', string), optional('more', int)], {
    file: { path, message: 'shop.Click' },
  })
  assert.deepEqual(await read(message(id, [0], bytesOf(TWO, 'shop.Click', { id: 7, page: 1, word: 'a' }))), { number: 7, word: 'a' })
  await assert.rejects(read(message(id, [2, 2], bytesOf(TWO, 'shop.Order', { id: 8 }))), /is a shop\.Order, and no shop\.Click/)
  await assert.rejects(read(message(id + 1, [0], Buffer.alloc(0))), /the registry has no schema 2/)
})

test('files that refer to others: by subject and version, through several, and what everybody has', async () => {
  const money = 'syntax = "proto3"; package common; message Money { int64 units = 1; string currency = 2; }'
  const price = 'syntax = "proto3"; package common; import "common/money.proto"; message Price { Money net = 1; Money gross = 2; }'
  const main = `syntax = "proto3"; package shop; import "common/price.proto"; import public "common/money.proto";
import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto"; import "confluent/meta.proto";
message Sale { common.Price price = 1; google.protobuf.Timestamp seen = 2; google.protobuf.Int64Value maybe = 3 [(confluent.field_meta) = {
      doc: "a note"
    }]; common.Money tip = 4; }`
  proto('money', 'syntax = "proto3"; package common; message Money { string old = 1; }')
  proto('money', money)
  proto('prices', price, [['common/money.proto', 'money', 2]])
  const id = proto('sales-value', main, [
    ['common/price.proto', 'prices', 1],
    ['common/money.proto', 'money', 2],
    ['google/protobuf/timestamp.proto', 'google/protobuf/timestamp.proto', 1],
  ])
  const amount: Type = { kind: 'struct', fields: [required('units', long), required('currency', string)] }
  const fields = [
    required('price', { kind: 'struct', fields: [required('net', amount), optional('gross', amount)] }),
    optional('seen', { kind: 'timestamp' }),
    optional('maybe', long),
    optional('tip', amount),
  ]
  const alone = `syntax = "proto3"; message Money { int64 units = 1; string currency = 2; } message Price { Money net = 1; Money gross = 2; }
message Time { int64 seconds = 1; int32 nanos = 2; } message Wrapped { int64 value = 1; }
message Sale { Price price = 1; Time seen = 2; Wrapped maybe = 3; Money tip = 4; }`
  const sale = { price: { net: { units: 5, currency: 'EUR' } }, seen: { seconds: 1, nanos: 2_000 }, maybe: {}, tip: { units: 1 } }
  const read = await decoderFor(fields)
  assert.deepEqual(await read(message(id, [0], bytesOf(alone, 'Sale', sale))), {
    price: { net: { units: 5, currency: 'EUR' } },
    seen: '1970-01-01T00:00:01.000002Z',
    maybe: 0,
    tip: { units: 1, currency: '' },
  })
  assert.deepEqual(server.requests, [`GET /schemas/ids/${id}`, 'GET /subjects/prices/versions/1', 'GET /subjects/money/versions/2'])
})

/** As the registry prints a file that it got as a descriptor: maps are what they are in the bytes. */
const PRINTED = `// Proto schema formatted by Wire, do not edit.
// Source:${' '}

syntax = "proto3";
package shop;

import "google/protobuf/descriptor.proto";

option java_package = "org.shop";

extend google.protobuf.FieldOptions {
  string secret = 50001;
}
message Stock {
  int32 id = 1 [
    (shop.secret) = "yes",
    json_name = "id"
  ];
  repeated CountsEntry counts = 2;
  repeated PlacesEntry places = 3;

  message CountsEntry {
    option map_entry = true;
    string key = 1;
    int64 value = 2;
  }
  message PlacesEntry {
    option map_entry = true;
    int64 key = 1;
    .shop.Stock.Place value = 2;
  }
  message Place {
    double x = 1;
    double hidden = 2;
  }
}
`

test('maps as descriptors have them, and the messages that these count', async () => {
  const id = proto('stock-value', PRINTED)
  const asMaps = `syntax = "proto3"; package shop; message Stock { int32 id = 1; map<string, int64> counts = 2; map<int64, Place> places = 3;
message Place { double x = 1; double hidden = 2; } }`
  const place: Type = { kind: 'struct', fields: [required('x', { kind: 'double' })] }
  const mapOf = (key: Type, type: Type): Type => ({ kind: 'map', key, value: { type, optional: false } })
  const read = await decoderFor([required('id', int), required('counts', mapOf(string, long)), required('places', mapOf(long, place))])
  const stock = { id: 1, counts: { 'a "b"': 5, '': 0 }, places: { '-7': { x: 1.5, hidden: 2 }, '0': {} } }
  assert.deepEqual(await read(message(id, [0], bytesOf(asMaps, 'shop.Stock', stock))), {
    ...stock,
    places: { '-7': { x: 1.5 }, '0': { x: 0 } },
  })
  // One key twice, the second time without its value; an entry of defaults alone.
  const twice = Buffer.of(0x12, 5, 0x0a, 1, 0x61, 0x10, 9, 0x12, 3, 0x0a, 1, 0x61, 0x1a, 0)
  assert.deepEqual(await read(message(id, [0], twice)), { id: 0, counts: { a: 0 }, places: { '0': { x: 0 } } })
  const places = await decoderFor([required('x', { kind: 'double' })])
  assert.deepEqual(await places(message(id, [4, 0, 4], bytesOf(asMaps, 'shop.Stock.Place', { x: 2.5 }))), { x: 2.5 })
})

test('a message that is at fault says why, and ends nothing', async () => {
  const id = proto('clicks-value', TWO)
  const read = await decoderFor(ROW)
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [Buffer.alloc(0), /does not begin with a zero byte and the id of a schema/],
    [Buffer.from('{"id":7}'), /does not begin with a zero byte/],
    [bytesOf(TWO, 'shop.Click', { id: 7, word: 'plain' }), /does not begin with a zero byte/],
    [message(id + 1, [0], Buffer.alloc(0)), /the registry has no schema 2/],
    [message(id, [], Buffer.alloc(0)), /does not say which one of its schema it is/],
    [message(id, [2, 4], Buffer.alloc(0)), /the schema 1 has no message at 2/],
    [message(id, [4, 0, 0], Buffer.alloc(0)), /has no message at 0\.0/],
    [message(id, [0], Buffer.of(0xff, 0xff)), /the message is not a shop\.Click: /],
    [message(id, [0], Buffer.of(8, 1, 0x1a, 5, 0x61)), /the message is not a shop\.Click: /],
  ]
  for (const [value, why] of cases)
    await assert.rejects(read(value), (error) => error instanceof Undecodable && why.test(error.message), String(why))
  assert.deepEqual(await read(message(id, [0], bytesOf(TWO, 'shop.Click', { id: 7 }))), { id: 7 })
})

test('a schema that cannot be used stops', async () => {
  const read = await decoderFor(ROW)
  const stops = async (id: number, why: RegExp): Promise<void> => {
    await assert.rejects(read(message(id, [0], Buffer.alloc(0))), { code: 'MR_KAFKA_SCHEMA', message: why }, String(why))
  }
  await stops(server.add('avro', { schema: '"string"' }), /is AVRO, and PROTOBUF is read/)
  await stops(proto('broken', 'syntax = "proto3"; message {'), /the Protobuf schema 2 of the registry cannot be used/)
  await stops(
    proto('alone', 'syntax = "proto3"; import "gone.proto"; message A { Gone id = 1; }'),
    /schema 3 .*no such Type or Enum 'Gone'/,
  )
  await stops(
    proto('absent', 'syntax = "proto3"; import "gone.proto"; message A { Gone id = 1; }', [['gone.proto', 'gone', 4]]),
    /has no version 4 of gone/,
  )
  await stops(
    proto('mixed', 'syntax = "proto3"; import "gone.proto"; message A { Gone id = 1; }', [['gone.proto', 'avro', 1]]),
    /version 1 of avro .* is AVRO, and PROTOBUF is read/,
  )
})

test('JSON behind an id, without asking', () => {
  const decoder = withoutId(jsonDecoder)
  const framed = (text: string): Buffer => message(200, [], Buffer.from(text))
  assert.equal(String(decoder.line(framed('{"id":7}'))), '{"id":7}')
  assert.equal(String(decoder.line(framed('{\n "id": 7\n}'))), '{ "id": 7}')
  assert.throws(() => decoder.line(Buffer.from('{"id":7}')), /does not begin with a zero byte and the id of a schema/)
  assert.throws(() => decoder.line(framed('')), { code: 'MR_ROW_JSON' })
  assert.throws(() => decoder.line(framed('[\n]')), { code: 'MR_ROW_NOT_OBJECT' })
  assert.equal(decoder.prepare, undefined)
})

test('messages of a registry in a topic that is read without one name the format', async () => {
  const framed = message(1, [], Buffer.from('{"id":7}'))
  assert.throws(() => jsonDecoder.line(framed), { code: 'MR_ROW_MESSAGE', message: /begins with a zero byte.* json\(\{ registry \}\)/ })
  const path = join(directory, 'two.proto')
  writeFileSync(path, TWO)
  const plain = await protobufDecoder({ file: { path, message: 'shop.Click' } }, ROW)
  assert.throws(() => plain.line(message(1, [0], Buffer.alloc(0))), { message: /protobuf\(\{ proto, message, registry \}\)/ })
  assert.equal(plain.line(Buffer.alloc(0)), '{"id":0}')
})
