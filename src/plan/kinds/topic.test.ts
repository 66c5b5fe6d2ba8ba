// Topics and sinks: each finding by the smallest project that earns it, what the plan says of them, and what a change means.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { avro, json, kafka, protobuf } from '../../define/kafka.ts'
import type { Manifest } from '../../define/manifest.ts'
import { alert, config, failed, http, masks, model, project, secret, sink, sql, stream, t, table, webhook } from '../../index.ts'
import type { Binder } from '../binder.ts'
import { compile } from '../compile.ts'
import { diff } from '../diff.ts'
import { openBinder } from '../open-binder.ts'
import { plan, printPlan } from '../plan.ts'

// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any

let binder: Binder & { close(): void }
before(async () => {
  binder = await openBinder()
})
after(() => binder.close())

const bus = kafka('bus', { brokers: config('BROKERS') })
const columns = { id: t.int(), word: t.string().optional() }
const stored = table('stored', { id: t.int(), word: t.string() }, { key: 'id' })

async function findings(...members: readonly object[]): Promise<readonly string[]> {
  const { findings: found } = await compile(project('sample', members), binder, { root: import.meta.dirname })
  for (const finding of found) assert.match(finding.at, /^topic\.test\.ts:\d+$/, `${finding.message} has no place`)
  return found.map(({ severity, code, message, fix }) => `${severity} ${code} ${message} | ${fix}`)
}

async function expectOne(pattern: RegExp, ...members: readonly object[]): Promise<void> {
  const found = await findings(...members)
  assert.equal(found.length, 1, `expected one finding, got:\n${found.join('\n')}`)
  assert.match(found[0]!, pattern)
}

async function manifestOf(...members: readonly object[]): Promise<Manifest> {
  const { manifest, findings: found, ok } = await compile(project('sample', members), binder, { root: import.meta.dirname })
  assert.ok(ok, JSON.stringify(found))
  return manifest
}

test('what is sound has no findings', async () => {
  const secure = kafka('secure', {
    brokers: 'a:9092, b:9092,[::1]:9093',
    sasl: { mechanism: 'SCRAM-SHA-512', username: config('U'), password: secret('P') },
    tls: { ca: config('CA') },
  })
  const one = stream('one', columns, { from: secure.topic('t.one_2-x', { start: '2026-01-31T00:00:00Z', epoch: 2 }), key: 'id' })
  const two = stream('two', columns, { from: bus.topic('two', { format: avro({ schema: { type: 'string' } }) }) })
  const three = stream('three', columns, { from: bus.topic('three', { format: protobuf({ proto: 'a.proto', message: 'a.B' }) }) })
  const registry = { url: config('R'), username: 'u', password: secret('P') }
  const four = stream('four', columns, { from: bus.topic('four', { format: protobuf({ registry, message: 'a.B' }) }) })
  const five = stream('five', columns, { from: bus.topic('five', { format: protobuf({ proto: 'a.proto', message: 'a.B', registry }) }) })
  const six = stream('six', columns, { from: bus.topic('six', { format: json({ registry: config('R') }) }) })
  const latest = table('latest', { id: t.int() }, { from: bus.topic('latest', { format: avro({ registry: config('R') }) }), key: 'id' })
  const out = sink('out', one, { to: bus.topic('out', { format: avro() }), columns: ['word', '_offset' as 'id'], every: '1 second' })
  const telling = alert('telling', { when: failed(out), to: [webhook('http://localhost')] })
  assert.deepEqual(await findings(one, two, three, four, five, six, latest, out, telling), [])
  const formats = (await manifestOf(four, five, six)).relations.map((relation) => relation.kind === 'stream' && relation.kafka?.format)
  assert.deepEqual(formats, [
    { kind: 'protobuf', message: 'a.B', registry },
    { kind: 'protobuf', proto: 'a.proto', message: 'a.B', registry },
    { kind: 'json', registry: { url: config('R') } },
  ])
  const { relations, sinks } = await manifestOf(one, out)
  const from = relations[0]!.kind === 'stream' ? relations[0]!.kafka : undefined
  assert.deepEqual([from?.start, from?.epoch, from?.connection.tls], [Date.UTC(2026, 0, 31), 2, { ca: config('CA') }])
  assert.deepEqual(
    sinks?.[0]?.shape.fields.map(({ name }) => name),
    ['word', '_offset'],
  )
})

test('the cluster and the topic', async () => {
  const from = (how: Wrong, topic: Wrong = {}, name = 'topic') => stream('s', columns, { from: kafka('bus', how).topic(name, topic) })
  await expectOne(/MR_DEFINE_VALUE stream "s": kafka "bus" has no brokers \| write brokers/, from({}))
  await expectOne(/kafka "bus" has no brokers/, from({ brokers: 'localhost' }))
  await expectOne(/"borkers", which does not exist/, from({ brokers: 'a:1', borkers: 1 }))
  const sasl = { username: 'u', password: secret('P') }
  await expectOne(/cannot log in by "SCRAM" \| .*SCRAM-SHA/, from({ brokers: 'a:1', sasl: { ...sasl, mechanism: 'SCRAM' } }))
  await expectOne(
    /sasl.password in the project's files \| write secret/,
    from({ brokers: 'a:1', sasl: { ...sasl, mechanism: 'PLAIN', password: 'p' } }),
  )
  await expectOne(/"a b" cannot be a topic's name/, from({ brokers: 'a:1' }, {}, 'a b'))
  await expectOne(/a topic has no option "begin"/, from({ brokers: 'a:1' }, { begin: 1 }))
  await expectOne(/"yesterday" is no place to start/, from({ brokers: 'a:1' }, { start: 'yesterday' }))
  await expectOne(/epoch 1.5 is not a whole number/, from({ brokers: 'a:1' }, { epoch: 1.5 }))
  await expectOne(/messages of format "xml" cannot be read/, from({ brokers: 'a:1' }, { format: 'xml' }))
  await expectOne(/Avro messages without a schema/, from({ brokers: 'a:1' }, { format: avro() }))
  await expectOne(/the Avro schema is not JSON/, from({ brokers: 'a:1' }, { format: avro({ schema: '{' }) }))
  const read = (format: Wrong) => from({ brokers: 'a:1' }, { format })
  await expectOne(/Protobuf needs a file and a message .*protobuf\(\{ registry \}\)/, read(protobuf({} as Wrong)))
  await expectOne(/Protobuf needs a file and a message/, read(protobuf({ proto: 'a.proto', registry: 'http://r' } as Wrong)))
  await expectOne(/Protobuf needs a file and a message/, read(protobuf({ message: 7, registry: 'http://r' } as Wrong)))
  await expectOne(/json\(\) is about messages of a registry \| write json\(\{ registry \}\), or 'json'/, read(json({} as Wrong)))
  await expectOne(
    /the format avro has no option "registy" \| did you mean "registry"/,
    read(avro({ schema: '"int"', registy: 1 } as Wrong)),
  )
  await expectOne(/a registry has no address/, read(avro({ registry: { username: 'u' } } as Wrong)))
  const open = { url: 'http://r', username: 'u', password: 'p' } as Wrong
  for (const format of [json, avro, protobuf])
    await expectOne(/a registry has its password in the project's files \| write secret/, read(format({ registry: open })))
  await expectOne(
    /rows that arrive from a topic are merged by key/,
    table('s', columns, { from: bus.topic('s'), key: 'id', load: 'append' }),
  )
  await expectOne(/is merged by key, but has none/, table('s', columns, { from: bus.topic('s'), load: 'upsert' }))
})

test('how keys of messages that delete rows are read', async () => {
  const keyed = (keyFormat: Wrong, key: Wrong = 'id') =>
    table('keyed', { id: t.int(), word: t.string() }, { from: bus.topic('keyed', { keyFormat }), key })
  const registry = config('R')
  for (const format of [
    'text',
    'json',
    json({ registry }),
    avro({ schema: '"int"' }),
    avro({ registry }),
    protobuf({ proto: 'k', message: 'K' }),
    protobuf({ registry }),
    protobuf({ proto: 'k', message: 'K', registry }),
  ])
    assert.deepEqual(await findings(keyed(format)), [])
  assert.deepEqual(await findings(keyed('json', ['id', 'word'])), [])
  await expectOne(/keys of messages that are text hold one value, and the key is id, word/, keyed('text', ['id', 'word']))
  await expectOne(/messages of format "xml" cannot be read/, keyed('xml'))
  await expectOne(/here are no rows that go \| remove it/, stream('s', columns, { from: bus.topic('s', { keyFormat: 'text' }) }))
  const source = stream('source', columns, { from: http() })
  await expectOne(/keyFormat is about topics that are read/, source, sink('out', source, { to: bus.topic('out', { keyFormat: 'text' }) }))
  const { relations } = await manifestOf(keyed('text'))
  assert.deepEqual(relations[0]!.kind === 'table' && relations[0]!.source.kind === 'kafka' && relations[0]!.source.keyFormat, {
    kind: 'text',
  })
})

test('sinks', async () => {
  const source = stream('source', columns, { from: http() })
  const view = model('view', sql`SELECT id FROM source`, { refresh: 'view' })
  const to = bus.topic('out')
  await expectOne(/sink "out", from: stream "source" .* is not part of the project/, sink('out', source, { to }), stored)
  await expectOne(/"view" is a view, which never changes by itself/, source, view, sink('out', view, { to } as Wrong))
  await expectOne(/nothing that a sink can write to/, source, sink('out', source, { to: http() as Wrong }))
  await expectOne(/start is about topics that are read/, source, sink('out', source, { to: bus.topic('out', { start: 'latest' }) }))
  await expectOne(
    /the Avro schema of what is written follows from the columns/,
    source,
    sink('out', source, { to: bus.topic('o', { format: avro({ schema: '{}' }) }) }),
  )
  await expectOne(/there is no column "nope"/, source, sink('out', source, { to, key: 'nope' as Wrong }))
  await expectOne(/the key column "word" may be null/, source, sink('out', source, { to, key: 'word' }))
  await expectOne(/sink "out" has an option "mode", which does not exist/, source, sink('out', source, { to, mode: 'x' } as Wrong))
  const sealed = stream('sealed', columns, { from: http(), encrypted: true })
  await expectOne(/warning MR_PLAN_POLICY sink "out" writes rows of the encrypted "sealed"/, sealed, sink('out', sealed, { to }))
  await expectOne(/MR_DURATION/, source, sink('out', source, { to, every: 'soon' as Wrong }))
})

test('sinks of Protobuf fit the message of their file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-fit-'))
  after(() => rmSync(directory, { recursive: true }))
  const proto = join(directory, 'out.proto')
  writeFileSync(proto, 'syntax = "proto3"; package p; message Out { int32 id = 1; optional string word = 2; }')
  const source = stream('source', columns, { from: http() })
  const out = (how: object = {}, message = 'p.Out', file = proto) =>
    sink('out', source, { to: bus.topic('o', { format: protobuf({ proto: file, message }) }), ...how })
  assert.deepEqual(await findings(source, out()), [])
  assert.deepEqual((await manifestOf(source, out())).sinks?.[0]?.to.format, { kind: 'protobuf', proto, message: 'p.Out' })
  const registered = (file: string, message = 'p.Out') =>
    sink('out', source, { to: bus.topic('o', { format: protobuf({ proto: file, message, registry: 'http://r' }) }) })
  assert.deepEqual(await findings(source, registered(proto)), [])
  const around = join(directory, 'around.proto')
  writeFileSync(around, 'syntax = "proto3"; package q; import "./out.proto"; message Around { int32 id = 1; optional string word = 2; }')
  await expectOne(/^error MR_KAFKA_SCHEMA sink "out": .* which file the import "\.\/out\.proto" is/, source, registered(around, 'q.Around'))
  writeFileSync(around, 'syntax = "proto3"; package q; import "out.proto"; message Around { int32 id = 1; optional string word = 2; }')
  assert.deepEqual(await findings(source, registered(around, 'q.Around')), [])
  await expectOne(/^error MR_KAFKA_SCHEMA sink "out": the message p\.Out is not in .*around\.proto itself/, source, registered(around))
  await expectOne(
    /Protobuf needs a file and a message \| write protobuf\(\{ proto: 'click\.proto', message: 'shop\.Click' \}\)$/,
    source,
    sink('out', source, { to: bus.topic('o', { format: protobuf({ registry: 'http://r' }) }) }),
  )
  const offset = { columns: ['id', '_offset'] as Wrong }
  await expectOne(
    /^error MR_DEFINE_VALUE sink "out": the message p\.Out has no field for the column "_offset" \| add the field/,
    source,
    out(offset),
  )
  const wide = stream('source', { id: t.string() }, { from: http() })
  await expectOne(/^error .* the column "id" is string, which a field of int32 cannot hold/, wide, out())
  const maybe = stream('source', { id: t.int().optional() }, { from: http() })
  await expectOne(/^warning MR_DEFINE_VALUE sink "out": the column "id" may be null/, maybe, out())
  await expectOne(/^error MR_KAFKA_SCHEMA sink "out": the Protobuf message p\.None of .* cannot be used/, source, out({}, 'p.None'))
  await expectOne(
    /^error MR_KAFKA_SCHEMA sink "out": the Protobuf message p\.Out of .*none\.proto cannot be used/,
    source,
    out({}, 'p.Out', 'none.proto'),
  )
  await expectOne(
    /Protobuf needs a file and a message/,
    source,
    sink('out', source, { to: bus.topic('o', { format: protobuf({} as Wrong) }) }),
  )
})

test('the plan says what flows where, and what a change means', async () => {
  const source = (how: object = {}) => stream('source', columns, { from: bus.topic('in', how), partitions: 2, key: 'id' })
  const out = (topic = 'out') => sink('out', stored, { to: bus.topic(topic) })
  const before = await manifestOf(source(), stored, out())
  const text = printPlan(plan(null, before))
  assert.match(text, /create table source[\s\S]*live: topic in of bus \(json\), copied into 2 partitions of the log/)
  assert.match(text, /start sink out[\s\S]*stored to topic out of bus \(json\), by id: what is committed, at most 5 s after it came/)
  const people = table('people', { id: t.int(), email: t.string().pii('email') }, { key: 'id' })
  const hidden = masks('hidden', { email: 'hash' })
  const told = printPlan(plan(null, await manifestOf(people, hidden, sink('out', people, { to: bus.topic('out') }))))
  assert.match(told, /after it came; personal data leaves: email \(email\)/)
  const change = async (...members: readonly object[]) => diff(before, await manifestOf(...members))
  const [anew] = await change(source({ epoch: 1 }), stored, out())
  assert.deepEqual([anew?.class, anew?.reasons], ['additive', ['topic in of bus is read from its start (earliest)']])
  const [read] = await change(source({ format: avro({ schema: { type: 'string' } }) }), stored, out())
  assert.equal(read?.class, 'setting')
  const [moved] = await change(source(), stored, out('elsewhere'))
  assert.deepEqual([moved?.kind, moved?.class], ['sink', 'refused'])
  const [gone] = await change(source(), stored)
  assert.deepEqual([gone?.kind, gone?.action, gone?.class], ['sink', 'removed', 'setting'])
  const elsewhere = stream('source', columns, { from: http(), partitions: 2, key: 'id' })
  assert.equal((await change(elsewhere, stored, out()))[0]?.class, 'refused')
})
