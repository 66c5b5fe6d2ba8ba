// The routes of a registry's API: what is asked, what is made of each answer, and how often.
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startRegistry, type TestRegistry } from '../../../test/kafka/registry.ts'
import { SchemaRegistry } from './schema-registry.ts'

async function registryFor(t: TestContext, how: Parameters<typeof startRegistry>[0] = {}): Promise<TestRegistry> {
  const registry = await startRegistry(how)
  t.after(() => registry.stop())
  return registry
}

const PROTO = 'syntax = "proto3"; message A {}'

test('schemas by id, once each; one that is not there is asked again', async (t) => {
  const server = await registryFor(t)
  const avro = server.add('a-value', { schema: '"string"' })
  const references = [{ name: 'a.proto', subject: 'a', version: 1 }]
  const proto = server.add('b-value', { schema: PROTO, schemaType: 'PROTOBUF', references })
  const registry = new SchemaRegistry({ url: `${server.url}/` })
  for (let again = 0; again < 2; again++) {
    assert.deepEqual(await registry.schema(avro, 'AVRO'), { type: 'AVRO', text: '"string"', references: [] })
    assert.deepEqual(await registry.schema(proto, 'PROTOBUF'), { type: 'PROTOBUF', text: PROTO, references })
    assert.equal(await registry.schema(9, 'AVRO'), null)
  }
  assert.deepEqual(server.requests, ['GET /schemas/ids/1', 'GET /schemas/ids/2', 'GET /schemas/ids/9', 'GET /schemas/ids/9'])
  await assert.rejects(registry.schema(avro, 'PROTOBUF'), {
    code: 'MR_KAFKA_SCHEMA',
    message: /^schema 1 of .* is AVRO, and PROTOBUF is read$/,
  })
})

test('what a schema refers to, by subject and version', async (t) => {
  const server = await registryFor(t)
  server.add('common/a.proto', { schema: 'old', schemaType: 'PROTOBUF' })
  server.add('common/a.proto', { schema: PROTO, schemaType: 'PROTOBUF' })
  const registry = new SchemaRegistry({ url: server.url })
  const reference = { name: 'a.proto', subject: 'common/a.proto', version: 2 }
  assert.equal((await registry.referenced(reference, 'PROTOBUF')).text, PROTO)
  await registry.referenced(reference, 'PROTOBUF')
  assert.deepEqual(server.requests, ['GET /subjects/common%2Fa.proto/versions/2'])
  await assert.rejects(registry.referenced({ ...reference, version: 3 }, 'PROTOBUF'), {
    code: 'MR_KAFKA_SCHEMA',
    message: /has no version 3 of common\/a\.proto/,
  })
  await assert.rejects(registry.referenced(reference, 'JSON'), { code: 'MR_KAFKA_SCHEMA', message: /is PROTOBUF, and JSON is read/ })
})

test('registering, with what is referred to', async (t) => {
  const server = await registryFor(t, { login: 'alice:wonder:land' })
  const registry = new SchemaRegistry({ url: server.url, username: 'alice', password: 'wonder:land' })
  server.add('a b.proto', { schema: 'old', schemaType: 'PROTOBUF' })
  const reference = await registry.reference('a b.proto', { type: 'PROTOBUF', text: PROTO, references: [] })
  assert.deepEqual(reference, { name: 'a b.proto', subject: 'a b.proto', version: 2 })
  const id = await registry.register('out-value', { type: 'PROTOBUF', text: 'main', references: [reference] })
  assert.equal(await registry.register('out-value', { type: 'PROTOBUF', text: 'main', references: [reference] }), id)
  assert.equal(await registry.register('other-value', { type: 'AVRO', text: '"int"', references: [] }), id + 1)
  assert.deepEqual(server.versions('out-value'), [{ schema: 'main', schemaType: 'PROTOBUF', references: [reference] }])
  assert.deepEqual(server.versions('other-value'), [{ schema: '"int"' }])
  assert.deepEqual(server.requests.slice(0, 2), ['POST /subjects/a%20b.proto/versions', 'POST /subjects/a%20b.proto'])
  await assert.rejects(new SchemaRegistry({ url: server.url }).schema(1, 'AVRO'), { code: 'MR_KAFKA_SCHEMA', message: /answers 401/ })
})

test('a registry that refuses, talks of something else, or is away', async (t) => {
  const schema = { type: 'JSON', text: '{}', references: [] } as const
  const server = await registryFor(t, { closed: ['out-value'] })
  const refused = new SchemaRegistry({ url: server.url }).register('out-value', schema)
  await assert.rejects(refused, { code: 'MR_KAFKA_SCHEMA', message: /answers 409 to \/subjects\/out-value\/versions: .*incompatible/ })
  const missing = new SchemaRegistry({ url: server.url }).register('out-value', {
    ...schema,
    references: [{ name: 'x', subject: 'x', version: 1 }],
  })
  await assert.rejects(missing, { code: 'MR_KAFKA_SCHEMA' })
  const answering = async (listener: RequestListener): Promise<SchemaRegistry> => {
    const other = createServer(listener)
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    t.after(() => other.close())
    return new SchemaRegistry({ url: `http://127.0.0.1:${(other.address() as AddressInfo).port}` })
  }
  const page = await answering((_, response) => response.end('<html>'))
  await assert.rejects(page.schema(1, 'AVRO'), { code: 'MR_KAFKA_SCHEMA', message: /what is no JSON/ })
  const empty = await answering((_, response) => response.end('{}'))
  await assert.rejects(empty.register('s', schema), { code: 'MR_KAFKA_SCHEMA', message: /does not register a schema for s/ })
  await assert.rejects(empty.schema(1, 'JSON'), { code: 'MR_KAFKA_SCHEMA', message: /answers \/schemas\/ids\/1 with no schema/ })
  const away = await answering((_, response) => response.destroy())
  await assert.rejects(away.schema(1, 'AVRO'), { code: 'MR_KAFKA_SCHEMA', message: /cannot be reached/, retryable: true })
})
