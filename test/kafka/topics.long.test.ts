// Topics through a real broker: values of every type and format, poison, aborted transactions, partitions that are added, a topic that
// is made anew or has lost what comes next, a broker that is away, and what Kafka's own tools see of it.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import avsc from 'avsc'
import protobuf from 'protobufjs'
import { Bus, countOf, flowsOf, stoppedOf, until, worldFor } from './broker.ts'

const ROWS = `
const shape = {
  id: t.int(), big: t.long(), amount: t.decimal(30, 4), rate: t.double(), small: t.float(), ok: t.boolean(), name: t.string(), day: t.date(),
  seen: t.timestamp(), uid: t.uuid(), raw: t.binary(), page: t.enum('home', 'cart'), maybe: t.string().optional(), tags: t.list(t.string()),
  place: t.struct({ x: t.double(), y: t.double() }).optional(),
}
`

const row = (id: number) => ({
  id,
  big: '-9223372036854775808',
  amount: '-12345678901234567890123456.0123',
  rate: 0.1,
  small: 0.5,
  ok: true,
  name: 'a "quoted"\nline é',
  day: '2026-02-28',
  seen: '2026-01-31T23:59:59.123456Z',
  uid: '123e4567-e89b-12d3-a456-426614174000',
  raw: 'AP8=',
  page: 'cart',
  maybe: null,
  tags: ['x', ''],
  place: { x: 1.5, y: -2 },
})

const SELECT = `SELECT id, big::VARCHAR, amount::VARCHAR, rate, small, ok, name, day::VARCHAR, epoch_us(seen)::VARCHAR, uid::VARCHAR, hex(raw), page, maybe,
  tags::VARCHAR, place::VARCHAR`
const EXPECTED = [
  1,
  '-9223372036854775808',
  '-12345678901234567890123456.0123',
  0.1,
  0.5,
  true,
  'a "quoted"\nline é',
  '2026-02-28',
  '1769903999123456',
  '123e4567-e89b-12d3-a456-426614174000',
  '00FF',
  'cart',
  null,
  "[x, '']",
  "{'x': 1.5, 'y': -2.0}",
]

const AVRO = {
  type: 'record',
  name: 'Row',
  fields: [
    { name: 'id', type: 'int' },
    { name: 'big', type: 'long' },
    { name: 'amount', type: { type: 'bytes', logicalType: 'decimal', precision: 30, scale: 4 } },
    { name: 'rate', type: 'double' },
    { name: 'small', type: 'float' },
    { name: 'ok', type: 'boolean' },
    { name: 'name', type: 'string' },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
    { name: 'seen', type: { type: 'long', logicalType: 'timestamp-micros' } },
    { name: 'uid', type: { type: 'string', logicalType: 'uuid' } },
    { name: 'raw', type: 'bytes' },
    { name: 'page', type: { type: 'enum', name: 'Page', symbols: ['home', 'cart'] } },
    { name: 'maybe', type: ['null', 'string'] },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    {
      name: 'place',
      type: [
        'null',
        {
          type: 'record',
          name: 'Place',
          fields: [
            { name: 'x', type: 'double' },
            { name: 'y', type: 'double' },
          ],
        },
      ],
    },
  ],
}

const PROTO = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
enum Page { home = 0; cart = 1; }
message Place { double x = 1; double y = 2; }
message Row {
  int32 id = 1; int64 big = 2; string amount = 3; double rate = 4; float small = 5; bool ok = 6; string name = 7; string day = 8;
  google.protobuf.Timestamp seen = 9; string uid = 10; bytes raw = 11; Page page = 12; optional string maybe = 13; repeated string tags = 14; Place place = 15;
}`

const twosComplement = (value: bigint, size: number): Buffer =>
  Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  )

/** As a foreign producer does it: by the library, with its own numbers of 64 bits. */
function avroBytes(id: number): Buffer {
  const long = avsc.types.LongType.__with({
    fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
    toBuffer: (value: bigint) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64LE(value)
      return bytes
    },
    fromJSON: BigInt,
    toJSON: String,
    isValid: (value: unknown) => typeof value === 'bigint',
    compare: () => 0,
  })
  const plain = JSON.parse(JSON.stringify(AVRO).replace('{"type":"long","logicalType":"timestamp-micros"}', '"long"')) as avsc.Schema
  return avsc.Type.forSchema(plain, { registry: { long } }).toBuffer({
    ...row(id),
    big: -9_223_372_036_854_775_808n,
    amount: twosComplement(-123_456_789_012_345_678_901_234_560_123n, 13),
    day: 20_512,
    seen: 1_769_903_999_123_456n,
    raw: Buffer.from([0, 255]),
  })
}

test('values of every type in every format, a registry among them; what sinks write of them comes in again', {
  timeout: 240_000,
}, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus, broker, directory } = world
  for (const topic of ['plain', 'avro_plain', 'avro_registry', 'proto', 'out_json', 'out_avro', 'out_proto']) await bus.make(topic, 1)
  const registered: string[] = []
  const registry = createServer((request, response) => {
    const answer = (body: object): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    if (request.url === '/schemas/ids/7') answer({ schema: JSON.stringify(AVRO) })
    else if (request.url === '/schemas/ids/9') answer({ schema: (JSON.parse(registered.join('')) as { schema: string }).schema })
    else if (request.url === '/subjects/out_avro-value/versions' && request.method === 'POST')
      request.on('data', (chunk) => registered.push(String(chunk))).on('end', () => answer({ id: 9 }))
    else response.writeHead(404).end('{}')
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  t.after(() => registry.close())
  const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`
  const proto = join(directory, 'row.proto')
  writeFileSync(proto, PROTO)
  const server = await world.start(
    `${ROWS}
const registry = config('REGISTRY')
export const plain = stream('plain', shape, { from: bus.topic('plain') })
export const avroPlain = stream('avro_plain', shape, { from: bus.topic('avro_plain', { format: avro({ schema: ${JSON.stringify(AVRO)} }) }) })
export const avroRegistry = stream('avro_registry', shape, { from: bus.topic('avro_registry', { format: avro({ registry }) }) })
export const proto = stream('proto', shape, { from: bus.topic('proto', { format: protobuf({ proto: '../row.proto', message: 'shop.Row' }) }) })
export const outJson = sink('out_json', plain, { to: bus.topic('out_json'), key: ['id', 'page'], every: '500 milliseconds' })
export const outAvro = sink('out_avro', plain, { to: bus.topic('out_avro', { format: avro({ registry }) }), every: '500 milliseconds' })
export const outProto = sink('out_proto', plain, { to: bus.topic('out_proto', { format: protobuf({ proto: '../row.proto', message: 'shop.Row' }) }), every: '500 milliseconds' })
export const jsonBack = stream('json_back', shape, { from: bus.topic('out_json') })
export const avroBack = stream('avro_back', shape, { from: bus.topic('out_avro', { format: avro({ registry }) }) })
export const protoBack = stream('proto_back', shape, { from: bus.topic('out_proto', { format: protobuf({ proto: '../row.proto', message: 'shop.Row' }) }) })
export default project('values', [plain, avroPlain, avroRegistry, proto, outJson, outAvro, outProto, jsonBack, avroBack, protoBack])`,
    { REGISTRY: url },
  )
  const header = Buffer.from([0, 0, 0, 0, 7])
  const root = protobuf.parse(PROTO, { keepCase: true }).root
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!)
  const type = root.lookupType('shop.Row')
  const message = type
    .encode(type.fromObject({ ...row(1), maybe: undefined, seen: { seconds: 1_769_903_999, nanos: 123_456_000 } }))
    .finish()
  await bus.send([
    { topic: 'plain', value: JSON.stringify(row(1), null, 2) },
    { topic: 'avro_plain', value: avroBytes(1) },
    { topic: 'avro_registry', value: Buffer.concat([header, avroBytes(1)]) },
    { topic: 'proto', value: Buffer.from(message) },
  ])
  for (const name of ['plain', 'avro_plain', 'avro_registry', 'proto', 'json_back', 'avro_back', 'proto_back']) {
    await until(
      () => countOf(server, name),
      (count) => count === 1,
    )
    assert.deepEqual(await server.sql(`SELECT message FROM ${name}__rejected`), [], name)
    assert.deepEqual(await server.sql(`${SELECT} FROM ${name}`), [EXPECTED], name)
  }
  const written = await until(
    () => broker.read('out_json'),
    (records) => records.length === 1,
  )
  assert.equal(written[0]!.key, '{"id":1,"page":"cart"}')
  assert.deepEqual(JSON.parse(written[0]!.value!), row(1))
  const { schema } = JSON.parse(registered.join('')) as { schema: string }
  assert.equal((JSON.parse(schema) as { name: string }).name, 'out_avro')
  assert.equal(await server.stop(), 0)
})

test('poison and aborted messages; a table by key; what Kafka’s tools see', { timeout: 240_000 }, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus } = world
  await bus.make('mixed', 1)
  await bus.make('stock', 2)
  const server = await world.start(`
export const mixed = stream('mixed', { id: t.int() }, { from: bus.topic('mixed') })
export const stock = table('stock', { product: t.string(), amount: t.int() }, { from: bus.topic('stock'), key: 'product' })
export default project('poison', [mixed, stock])`)
  await bus.sendAs('one', [{ topic: 'mixed', value: '{"id":1}' }], false)
  await bus.sendAs('one', [{ topic: 'mixed', value: '{"id":2}' }], true)
  await bus.sendAs('one', [{ topic: 'mixed', value: '{"id":3}' }], false)
  const poison = [
    '',
    ' ',
    '{"id":"x"}',
    '{"id":4',
    '[{"id":5}]',
    '{"id":6}\n{"id":7}',
    '{"id":8,"more":1}',
    Buffer.from([0x7b, 0xff]),
    null,
  ]
  await bus.send([...poison.map((value) => ({ topic: 'mixed', value })), { topic: 'mixed', value: '{\n "id": 9\n}' }])
  assert.equal(
    await until(
      () => countOf(server, 'mixed'),
      (count) => count === 2,
    ),
    2,
  )
  assert.deepEqual(await server.sql('SELECT id FROM mixed ORDER BY id'), [[2], [9]])
  const rejected = await server.sql('SELECT code, message, raw FROM mixed__rejected ORDER BY _offset')
  assert.equal(rejected.length, poison.length, JSON.stringify(rejected))
  for (const [index, [, message]] of rejected.entries())
    assert.match(String(message), new RegExp(`\\(topic mixed, partition 0, offset ${6 + index}\\)$`))
  assert.deepEqual(
    rejected.map(([code]) => code),
    [
      'MR_ROW_JSON',
      'MR_ROW_JSON',
      'MR_ROW_TYPE',
      'MR_ROW_JSON',
      'MR_ROW_NOT_OBJECT',
      'MR_ROW_JSON',
      'MR_ROW_UNKNOWN_FIELD',
      'MR_ROW_UTF8',
      'MR_ROW_MESSAGE',
    ],
  )
  await bus.send([
    { topic: 'stock', key: 'a', value: '{"product":"a","amount":1}' },
    { topic: 'stock', key: 'b', value: '{"product":"b","amount":5}' },
    { topic: 'stock', key: 'a', value: '{"product":"a","amount":2}' },
  ])
  await until(
    () => server.sql('SELECT amount FROM stock ORDER BY product'),
    (rows) => rows.length === 2 && rows[0]![0] === 2,
  )
  assert.deepEqual(await server.sql('SELECT product, amount FROM stock ORDER BY product'), [
    ['a', 2],
    ['b', 5],
  ])
  const codecs = ['gzip', 'zstd', 'snappy', 'lz4'] as const
  for (const codec of codecs) await bus.send([{ topic: 'stock', key: codec, value: `{"product":"${codec}","amount":7}` }], codec)
  await until(
    () => countOf(server, 'stock'),
    (count) => count === 6,
  )
  assert.deepEqual((await server.sql('SELECT product FROM stock WHERE amount = 7')).flat().toSorted(), codecs.toSorted())
  assert.equal((await server.post('/streams/mixed', '{"id":1}', { 'content-type': 'application/json' })).status, 404)
  const group = 'millrace.poison.mixed'
  const told = await until(
    async () => (await bus.admin.listConsumerGroupOffsets({ groups: [group] }))[0]?.topics[0]?.partitions[0]?.committedOffset,
    (offset) => offset === 16n,
  )
  assert.equal(told, 16n)
  const metrics = await (await server.get('/metrics')).text()
  assert.match(metrics, /millrace_topic_lag_messages\{direction="in",name="mixed",topic="mixed"\} 0/)
  assert.equal(await server.stop(), 0)
})

test('a value that the message of a sink cannot hold stops it, and nothing is left out', { timeout: 240_000 }, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus, broker, directory } = world
  await bus.make('words', 1)
  await bus.make('told', 1)
  const proto = join(directory, 'word.proto')
  const write = (values: string): void =>
    writeFileSync(proto, `syntax = "proto3"; package w; enum Word { ${values} } message Told { Word word = 1; }`)
  write('A = 0; B = 1;')
  const source = `
export const words = stream('words', { word: t.string() }, { from: bus.topic('words') })
export const told = sink('told', words, { to: bus.topic('told', { format: protobuf({ proto: '../word.proto', message: 'w.Told' }) }), every: '500 milliseconds' })
export default project('unfit', [words, told])`
  let server = await world.start(source)
  const send = (words: readonly string[]) => bus.send(words.map((word) => ({ topic: 'words', value: JSON.stringify({ word }) })))
  await send(['A', 'B'])
  await until(
    () => broker.read('told'),
    (records) => records.length === 2,
  )
  await send(['B', 'C', 'A'])
  const stopped = await stoppedOf(server, 'told')
  assert.deepEqual([stopped?.code, stopped?.message], ['MR_KAFKA_VALUE', 'w.Told.word: "C" is not a value of the enum Word'])
  assert.equal((await broker.read('told')).length, 2)
  await server.stop()
  write('A = 0; B = 1; C = 2;')
  server = await world.start(source)
  const records = await until(
    () => broker.read('told'),
    (all) => all.length === 5,
  )
  assert.deepEqual(
    records.map(({ value }) => Buffer.from(value!).at(1) ?? 0),
    [0, 1, 1, 2, 0],
  )
  assert.equal(await server.stop(), 0)
})

test('messages that delete rows of a table: compacted, in every spelling of keys, and what follows from them', {
  timeout: 240_000,
}, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus, broker } = world
  await bus.make('stock', 2, { 'cleanup.policy': 'compact' })
  await bus.make('places', 1)
  await bus.make('people', 1)
  await bus.make('left', 1)
  const registry = createServer((request, response) => {
    const found = request.url === '/schemas/ids/3'
    const schema = JSON.stringify({ type: 'record', name: 'Key', fields: [{ name: 'id', type: 'long' }] })
    response.writeHead(found ? 200 : 404).end(found ? JSON.stringify({ schema }) : '{}')
  })
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve))
  t.after(() => registry.close())
  const source = `
export const stock = table('stock', { product: t.string(), amount: t.int() }, { from: bus.topic('stock'), key: 'product' })
export const places = table('places', { shop: t.int(), product: t.string(), row: t.string() }, { from: bus.topic('places'), key: ['shop', 'product'] })
export const people = table('people', { id: t.long(), name: t.string() }, { from: bus.topic('people', { keyFormat: avro({ registry: config('REGISTRY') }) }), key: 'id' })
export const total = model('total', sql\`SELECT amount, count(*) AS n FROM \${stock} GROUP BY amount\`, { fresh: 'live', key: ['amount'] })
export const left = sink('left', stock, { to: bus.topic('left'), every: '500 milliseconds' })
export default project('gone', [stock, places, people, total, left])`
  const env = { REGISTRY: `http://127.0.0.1:${(registry.address() as AddressInfo).port}` }
  let server = await world.start(source, env)
  const put = (product: string, amount: number) => ({ topic: 'stock', key: product, value: JSON.stringify({ product, amount }) })
  const gone = (topic: string, key: string | Buffer) => ({ topic, key, value: null })
  await bus.send([
    put('a', 1),
    put('b', 1),
    put('c', 2),
    put('d', 1),
    put('a', 3),
    gone('stock', 'a'),
    gone('stock', 'b'),
    put('b', 2),
    gone('stock', '"c"'),
  ])
  await bus.send([
    ...['x', 'y', 'z'].map((product) => ({ topic: 'places', value: JSON.stringify({ shop: 7, product, row: 'r' }) })),
    gone('places', '{"product":"x","shop":7,"more":1}'),
    gone('places', 'x'),
  ])
  const avroKey = (id: number): Buffer => Buffer.of(0, 0, 0, 0, 3, id << 1)
  await bus.send([
    ...[1, 2, 3].map((id) => ({ topic: 'people', key: avroKey(id), value: JSON.stringify({ id, name: 'n' }) })),
    gone('people', avroKey(2)),
    gone('people', '3'),
    { topic: 'people', value: null },
  ])
  const shows = async (query: string, expected: readonly (readonly unknown[])[]): Promise<void> =>
    assert.deepEqual(
      await until(
        () => server.sql(query),
        (rows) => JSON.stringify(rows) === JSON.stringify(expected),
      ),
      expected,
      query,
    )
  const STOCK = 'SELECT product, amount FROM stock ORDER BY product'
  await shows(STOCK, [
    ['b', 2],
    ['d', 1],
  ])
  const TOTAL = 'SELECT amount, n::INT FROM total ORDER BY amount'
  await shows(TOTAL, [
    [1, 1],
    [2, 1],
  ])
  await shows('SELECT product FROM places ORDER BY product', [['y'], ['z']])
  await shows('SELECT id::INT FROM people ORDER BY id', [[1], [3]])
  await shows('SELECT raw, code FROM places__rejected', [['x', 'MR_ROW_MESSAGE']])
  await shows('SELECT raw, code FROM people__rejected ORDER BY _offset', [
    ['3', 'MR_ROW_MESSAGE'],
    ['', 'MR_ROW_MESSAGE'],
  ])
  const metrics = await (await server.get('/metrics')).text()
  assert.match(metrics, /millrace_ingest_records_total\{stream="stock",result="deleted"\} 3/)
  assert.match(metrics, /millrace_ingest_records_total\{stream="people",result="deleted"\} 1/)
  // What is in the table goes on from where it is: a row that was committed goes, and comes again, across a kill.
  await bus.send([gone('stock', 'd'), put('e', 5)])
  await server.kill('SIGKILL')
  await bus.send([put('d', 9), gone('stock', 'e'), gone('stock', 'b')])
  server = await world.start(source, env)
  await shows(STOCK, [['d', 9]])
  await shows(TOTAL, [[9, 1]])
  const last = await until(
    async () => new Map((await broker.read('left')).map(({ key, value }) => [key, value])),
    (seen) => [...seen.values()].filter((value) => value !== null).length === 1 && seen.get('{"product":"d"}') !== null,
  )
  assert.deepEqual(
    [...last].filter(([, value]) => value !== null),
    [['{"product":"d"}', '{"product":"d","amount":9}']],
  )
  assert.equal(await server.stop(), 0)
})

const COUNTED = (how: string): string => `
export const counted = stream('counted', { id: t.int() }, { from: bus.topic('counted'${how}) })
export default project('topics', [counted])`
const numbered = (from: number, count: number, partition: number) =>
  Array.from({ length: count }, (_, index) => ({ topic: 'counted', partition, value: `{"id":${from + index}}` }))

test('partitions are added, the broker is away, and where to start', { timeout: 240_000 }, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus, broker } = world
  await bus.make('counted', 1)
  await bus.send(numbered(0, 10, 0))
  let server = await world.start(COUNTED(`, { start: 'latest' }`))
  await until(
    () => flowsOf(server),
    ([flow]) => flow?.lag === 0,
  )
  await bus.send(numbered(100, 10, 0))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 10,
    ),
    10,
  )
  await bus.admin.createPartitions({ topics: [{ name: 'counted', count: 3, assignments: null }] })
  await bus.send(numbered(200, 5, 2))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 15,
    ),
    15,
  )
  await broker.kill()
  const stopped = await stoppedOf(server, 'counted')
  assert.equal(stopped?.code, 'MR_KAFKA_BUSY')
  const ready = (await (await server.get('/ready')).json()) as { components: { topics: string } }
  assert.equal(ready.components.topics, 'failing')
  await server.stop()
  // A project starts without its broker, and reads on when it is there.
  server = await world.start(COUNTED(`, { start: 'latest' }`))
  assert.equal(await countOf(server, 'counted'), 15)
  await broker.start()
  await bus.send(numbered(300, 5, 1))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 20,
    ),
    20,
  )
  assert.equal((await flowsOf(server))[0]!.stopped, null)
  assert.deepEqual(await server.sql('SELECT count(*), count(DISTINCT id), min(id) FROM counted'), [[20, 20, 100]])
  assert.equal(await server.stop(), 0)
})

test('a topic that was made anew, or has lost what comes next, stops loudly; an epoch goes on', { timeout: 240_000 }, async (t) => {
  const world = await worldFor(t)
  if (!world) return
  const { bus } = world
  await bus.make('counted', 1)
  await bus.send(numbered(0, 10, 0))
  let server = await world.start(COUNTED(''))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 10,
    ),
    10,
  )
  await server.stop()
  await bus.admin.deleteTopics({ topics: ['counted'] })
  await until(
    async () => (await bus.admin.listTopics()).includes('counted'),
    (isThere) => !isThere,
  )
  await bus.make('counted', 1)
  await until(
    async () => (await bus.admin.listTopics()).includes('counted'),
    (isThere) => isThere,
  )
  // The producer of before still knows of the topic of before.
  const after = new Bus(t, world.broker.brokers)
  await after.send(numbered(50, 20, 0))
  server = await world.start(COUNTED(''))
  const anew = await stoppedOf(server, 'counted')
  assert.equal(anew?.code, 'MR_KAFKA_TOPIC')
  assert.match(anew!.message, /made anew/)
  assert.match(anew!.fix, /epoch: 1/)
  assert.equal(await countOf(server, 'counted'), 10)
  await server.stop()
  server = await world.start(COUNTED(', { epoch: 1 }'))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 30,
    ),
    30,
  )
  await server.stop()
  await after.send(numbered(100, 10, 0))
  await bus.admin.deleteRecords({ topics: [{ name: 'counted', partitions: [{ partition: 0, offset: 25n }] }] })
  server = await world.start(COUNTED(', { epoch: 1 }'))
  const lost = await stoppedOf(server, 'counted')
  assert.equal(lost?.code, 'MR_KAFKA_RANGE')
  assert.match(lost!.message, /begins at offset 25, and counted was to read on at 20: 5 messages are gone/)
  assert.equal(await countOf(server, 'counted'), 30)
  await server.stop()
  server = await world.start(COUNTED(', { epoch: 2 }'))
  assert.equal(
    await until(
      () => countOf(server, 'counted'),
      (count) => count === 35,
    ),
    35,
  )
  assert.deepEqual(await server.sql('SELECT id FROM counted WHERE id >= 100 ORDER BY id'), [[105], [106], [107], [108], [109]])
  assert.equal(await server.stop(), 0)
})

test('a user logs in over TLS, by every mechanism; who may not is told so', { timeout: 240_000 }, async (t) => {
  const user = { name: 'alice', password: 'wonderland' }
  const world = await worldFor(t, user)
  if (!world) return
  const { bus, broker } = world
  await bus.make('counted', 1)
  await bus.make('copied', 1)
  await bus.send(numbered(0, 10, 0))
  const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']
  const names = mechanisms.map((_, index) => `by${index}`)
  const source = `
const cluster = (mechanism, password) => kafka('secure', {
  brokers: config('SECURE'), sasl: { mechanism, username: config('USER_NAME'), password }, tls: { ca: config('CA') },
})
const from = (mechanism, password = secret('PASSWORD')) => cluster(mechanism, password).topic('counted')
${mechanisms.map((mechanism, index) => `export const by${index} = stream('by${index}', { id: t.int() }, { from: from('${mechanism}') })`).join('\n')}
export const wrong = stream('wrong', { id: t.int() }, { from: from('PLAIN', secret('WRONG')) })
export const copied = sink('copied', by1, { to: cluster('SCRAM-SHA-512', secret('PASSWORD')).topic('copied'), every: '500 milliseconds' })
export default project('secure', [${names.join(', ')}, wrong, copied])`
  const env = { SECURE: broker.secure!.brokers, CA: broker.secure!.ca, USER_NAME: user.name, PASSWORD: user.password, WRONG: 'guess' }
  const server = await world.start(source, env)
  for (const name of names)
    assert.equal(
      await until(
        () => countOf(server, name),
        (count) => count === 10,
      ),
      10,
      name,
    )
  assert.equal((await stoppedOf(server, 'wrong'))?.code, 'MR_KAFKA_DENIED')
  assert.equal(
    (
      await until(
        () => broker.read('copied'),
        (records) => records.length === 10,
      )
    ).length,
    10,
  )
  assert.equal(await server.stop(), 0)
})
