// Messages of a schema registry through a real broker: Protobuf and JSON behind the ids of their schemas, as values and as keys, in and out.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import protobuf from 'protobufjs'
import { countOf, stoppedOf, until, type World, worldFor } from './broker.ts'
import { startRegistry, type TestRegistry } from './registry.ts'

async function partsFor(t: TestContext): Promise<{ readonly world: World; readonly registry: TestRegistry } | undefined> {
  const world = await worldFor(t)
  if (!world) return undefined
  const registry = await startRegistry()
  t.after(() => registry.stop())
  return { world, registry }
}

const MONEY = 'syntax = "proto3"; package common; message Money { int64 units = 1; string currency = 2; }'
const MAIN = `syntax = "proto3"; package shop;
import "common/money.proto";
import "google/protobuf/timestamp.proto";
message Unrelated { string id = 1; }
message Sale { message Key { int32 id = 1; } int32 id = 1; common.Money price = 2; google.protobuf.Timestamp seen = 3; optional string word = 4; map<string, int64> counts = 5; }`

const ROWS = `
const sale = {
  id: t.int(), price: t.struct({ units: t.long(), currency: t.string() }).optional(), seen: t.timestamp().optional(), word: t.string().optional(),
  counts: t.map(t.string(), t.long()),
}
const registry = config('REGISTRY')
const own = { proto: '../protos/sale.proto', message: 'shop.Sale', registry }
`

const SELECT = `SELECT id, price::VARCHAR, epoch_us(seen)::VARCHAR, word, counts::VARCHAR`
const EXPECTED = [7, "{'units': 9007199254740993, 'currency': EUR}", '1500000', null, '{a=-5}']

/** The library alone, from the two files. */
function saleBytes(id: number): Buffer {
  const root = protobuf.parse(MONEY, { keepCase: true }).root
  protobuf.parse(MAIN, root, { keepCase: true })
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!)
  const type = root.lookupType('shop.Sale')
  const value = { id, price: { units: '9007199254740993', currency: 'EUR' }, seen: { seconds: 1, nanos: 500_000_000 }, counts: { a: -5 } }
  return Buffer.from(type.encode(type.fromObject(value)).finish())
}

const framed = (id: number, path: readonly number[], body: Uint8Array | string): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(id, 1)
  return Buffer.concat([head, Buffer.from(path), Buffer.from(body)])
}

test('Protobuf and JSON come in by the ids of their schemas, and go out to where they can be read by them', {
  timeout: 240_000,
}, async (t) => {
  const parts = await partsFor(t)
  if (!parts) return
  const { world, registry } = parts
  const { bus, broker, directory } = world
  mkdirSync(join(directory, 'protos', 'common'), { recursive: true })
  writeFileSync(join(directory, 'protos', 'sale.proto'), MAIN)
  writeFileSync(join(directory, 'protos', 'common', 'money.proto'), MONEY)
  for (const topic of ['in_proto', 'in_json', 'plain', 'out_proto', 'out_json']) await bus.make(topic, 1)
  registry.add('common-money', { schema: MONEY, schemaType: 'PROTOBUF' })
  const references = [{ name: 'common/money.proto', subject: 'common-money', version: 1 }]
  const id = registry.add('in_proto-value', { schema: MAIN, schemaType: 'PROTOBUF', references })
  const server = await world.start(
    `${ROWS}
export const byId = stream('by_id', sale, { from: bus.topic('in_proto', { format: protobuf({ registry, message: 'shop.Sale' }) }) })
export const byFile = stream('by_file', sale, { from: bus.topic('in_proto', { format: protobuf(own) }) })
export const text = stream('text', sale, { from: bus.topic('in_json', { format: json({ registry }) }) })
export const plain = stream('plain', sale, { from: bus.topic('plain') })
export const outProto = sink('out_proto', byId, { to: bus.topic('out_proto', { format: protobuf(own) }), every: '500 milliseconds' })
export const outJson = sink('out_json', byId, { to: bus.topic('out_json', { format: json({ registry }) }), every: '500 milliseconds' })
export const protoBack = stream('proto_back', sale, { from: bus.topic('out_proto', { format: protobuf({ registry }) }) })
export const jsonBack = stream('json_back', sale, { from: bus.topic('out_json', { format: json({ registry }) }) })
export default project('registry', [byId, byFile, text, plain, outProto, outJson, protoBack, jsonBack])`,
    { REGISTRY: registry.url },
  )
  const json = '{"id":7,"price":{"units":"9007199254740993","currency":"EUR"},"seen":"1970-01-01T00:00:01.5Z","counts":{"a":-5}}'
  await bus.send([
    { topic: 'in_proto', value: framed(id, [2, 2], saleBytes(7)) },
    { topic: 'in_proto', value: framed(id, [0], Buffer.of(0x0a, 1, 0x61)) },
    { topic: 'in_proto', value: framed(99, [2, 2], saleBytes(8)) },
    { topic: 'in_proto', value: framed(id, [2, 2], Buffer.of(0xff, 0xff)) },
    { topic: 'in_proto', value: saleBytes(9) },
    { topic: 'in_json', value: framed(99, [], json) },
    { topic: 'in_json', value: json },
    { topic: 'plain', value: framed(99, [], json) },
    { topic: 'plain', value: json },
  ])
  for (const name of ['by_id', 'by_file', 'text', 'plain', 'proto_back', 'json_back']) {
    await until(
      () => countOf(server, name),
      (count) => count === 1,
    )
    assert.deepEqual(await server.sql(`${SELECT} FROM ${name}`), [EXPECTED], name)
  }
  const reasons = async (name: string, expected: readonly RegExp[]): Promise<void> => {
    const rejected = await until(
      () => server.sql(`SELECT code, message FROM ${name}__rejected ORDER BY _offset`),
      (rows) => rows.length === expected.length,
    )
    assert.equal(rejected.length, expected.length, JSON.stringify(rejected))
    for (const [index, [code, message]] of rejected.entries()) {
      assert.equal(code, 'MR_ROW_MESSAGE')
      assert.match(String(message), expected[index]!)
    }
  }
  for (const name of ['by_id', 'by_file'])
    await reasons(name, [
      /the message is a shop\.Unrelated, and no shop\.Sale \(topic in_proto, partition 0, offset 1\)$/,
      /the registry has no schema 99/,
      /the message is not a shop\.Sale: /,
      /does not begin with a zero byte and the id of a schema/,
    ])
  await reasons('text', [/does not begin with a zero byte and the id of a schema/])
  await reasons('plain', [/the message begins with a zero byte, .* json\(\{ registry \}\)/])
  for (const name of ['proto_back', 'json_back']) await reasons(name, [])
  assert.deepEqual(registry.versions('common/money.proto'), [{ schema: MONEY, schemaType: 'PROTOBUF' }])
  assert.deepEqual(registry.versions('out_proto-value'), [
    { schema: MAIN, schemaType: 'PROTOBUF', references: [{ name: 'common/money.proto', subject: 'common/money.proto', version: 1 }] },
  ])
  const [schema] = registry.versions('out_json-value')
  assert.equal(schema!.schemaType, 'JSON')
  assert.deepEqual((JSON.parse(schema!.schema) as { required: unknown }).required, ['id', 'counts'])
  const [written] = await broker.read('out_json')
  assert.match(written!.value!, /^\0{4}.\{"id":7,/)
  assert.equal(await server.stop(), 0)
})

test('keys behind the ids of their schemas delete rows; a schema that is refused stops its sink alone', { timeout: 240_000 }, async (t) => {
  const parts = await partsFor(t)
  if (!parts) return
  const { world } = parts
  const { bus } = world
  const registry = await startRegistry({ closed: ['told-value'] })
  t.after(() => registry.stop())
  for (const topic of ['by_values', 'by_file', 'in_json', 'told']) await bus.make(topic, 1)
  const KEY = 'syntax = "proto3"; package shop; message Stock { string word = 1; message Key { int32 id = 1; } int32 id = 2; }'
  writeFileSync(join(world.directory, 'stock.proto'), KEY)
  const id = registry.add('by_values-value', { schema: KEY, schemaType: 'PROTOBUF' })
  const server = await world.start(
    `
const shape = { id: t.int(), word: t.string() }
const registry = config('REGISTRY')
export const byValues = table('by_values', shape, { from: bus.topic('by_values', { format: protobuf({ registry }) }), key: 'id' })
export const byFile = table('by_file', shape, {
  from: bus.topic('by_file', { keyFormat: protobuf({ proto: '../stock.proto', message: 'shop.Stock.Key', registry }) }), key: 'id',
})
export const inJson = table('in_json', shape, { from: bus.topic('in_json', { format: json({ registry }) }), key: 'id' })
export const told = sink('told', byFile, { to: bus.topic('told', { format: json({ registry }) }), every: '500 milliseconds' })
export default project('keys', [byValues, byFile, inJson, told])`,
    { REGISTRY: registry.url },
  )
  const stock = (one: number): Buffer => framed(id, [0], Buffer.of(0x0a, 1, 0x61, 0x10, one))
  const key = (one: number): Buffer => framed(id, [4, 0, 0], Buffer.of(8, one))
  const rows = [1, 2, 3]
  await bus.send([
    ...rows.map((one) => ({ topic: 'by_values', key: key(one), value: stock(one) })),
    { topic: 'by_values', key: key(2), value: null },
    { topic: 'by_values', key: '3', value: null },
    ...rows.map((one) => ({ topic: 'by_file', key: key(one), value: `{"id":${one},"word":"a"}` })),
    { topic: 'by_file', key: key(2), value: null },
    { topic: 'by_file', key: '3', value: null },
    ...rows.map((one) => ({ topic: 'in_json', key: String(one), value: framed(9, [], `{"id":${one},"word":"a"}`) })),
    { topic: 'in_json', key: framed(8, [], '{"id":2}'), value: null },
    { topic: 'in_json', key: framed(8, [], '3'), value: null },
  ])
  const shows = async (name: string, ids: readonly number[]): Promise<void> => {
    const query = `SELECT id, word FROM ${name} ORDER BY id`
    const expected = ids.map((one) => [one, 'a'])
    const seen = await until(
      () => server.sql(query),
      (found) => JSON.stringify(found) === JSON.stringify(expected),
    )
    assert.deepEqual(seen, expected, name)
  }
  await shows('by_values', [1])
  await shows('by_file', [1, 3])
  await shows('in_json', [1])
  assert.deepEqual(await server.sql('SELECT raw, code FROM by_file__rejected'), [['3', 'MR_ROW_MESSAGE']])
  const stopped = await stoppedOf(server, 'told')
  assert.equal(stopped?.code, 'MR_KAFKA_SCHEMA')
  assert.match(stopped!.message, /answers 409 to \/subjects\/told-value\/versions: .*incompatible/)
  assert.equal(await server.stop(), 0)
})
