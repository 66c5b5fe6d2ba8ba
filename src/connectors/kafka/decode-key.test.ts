// Keys of messages as lines that the scanner of a table's key takes: each way in which producers write them, and what is none.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import avsc from 'avsc'
import protobuf from 'protobufjs'
import { valueAt } from '../../schema/batch.ts'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field, Type } from '../../schema/type.ts'
import { avroDecoder } from './decode-avro.ts'
import { jsonKeys, keyDecoder, registeredKeys, textKeys } from './decode-key.ts'
import { protobufDecoder } from './decode-protobuf.ts'
import { withoutId } from './decode-registered.ts'
import { type Decoder, Undecodable } from './decoder.ts'
import type { SchemaRegistry } from './schema-registry.ts'

const of = (name: string, type: Type): Field => ({ name, type, optional: false })
const TEXT = [of('k', { kind: 'string' })]
const BOTH = [of('a', { kind: 'string' }), of('b', { kind: 'long' })]

/** The values of a key, or the code of why it is none. */
async function read(decoder: Decoder, columns: readonly Field[], key: string | Uint8Array): Promise<unknown> {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key
  await decoder.prepare?.([bytes])
  try {
    const line = decoder.line(bytes)
    const { batch, rejects } = compileScanner({ fields: columns }, { unknown: 'ignore' }).scan(Buffer.from(`${line}\n`))
    return rejects[0]?.code ?? columns.map((_, column) => valueAt(batch, column, 0))
  } catch (error) {
    if (error instanceof Undecodable) return error.code
    throw error
  }
}

test('one column: an object, its value as JSON, or plain text', async () => {
  const cases: readonly (readonly [string | Uint8Array, unknown])[] = [
    ['{"k":"a","more":1}', ['a']],
    [' {\n"k": "a" }', ['a']],
    ['"a \\"quoted\\""', ['a "quoted"']],
    ['a', ['a']],
    ['', ['']],
    ['42', ['42']],
    ['null', ['null']],
    ['"not closed', ['"not closed']],
    ['two\nlines', ['two\nlines']],
    ['{"other":"a"}', 'MR_ROW_MISSING'],
    ['{"k":1}', 'MR_ROW_TYPE'],
    ['{"k":null}', 'MR_ROW_MISSING'],
    ['{', 'MR_ROW_JSON'],
    [Buffer.from([0xff]), 'MR_ROW_UTF8'],
  ]
  for (const [key, expected] of cases) assert.deepEqual(await read(jsonKeys(TEXT), TEXT, key), expected, String(key))
})

test('one column of another type', async () => {
  const cases: readonly (readonly [Type, string, unknown])[] = [
    [{ kind: 'int' }, '42', [42]],
    [{ kind: 'int' }, '-1', [-1]],
    [{ kind: 'int' }, 'x', 'MR_ROW_TYPE'],
    [{ kind: 'int' }, '4,2', 'MR_ROW_TYPE'],
    [{ kind: 'boolean' }, 'true', [true]],
    [{ kind: 'long' }, '9223372036854775807', [9_223_372_036_854_775_807n]],
    [{ kind: 'long' }, '9223372036854775808', 'MR_ROW_RANGE'],
    [{ kind: 'decimal', precision: 5, scale: 2 }, '1.50', [150n]],
    [{ kind: 'uuid' }, '123E4567-e89b-12d3-a456-426614174000', ['123e4567-e89b-12d3-a456-426614174000']],
    [{ kind: 'date' }, '1970-01-02', [1]],
    [{ kind: 'enum', values: ['x'] }, 'x', ['x']],
    [{ kind: 'enum', values: ['x'] }, 'y', 'MR_ROW_ENUM'],
  ]
  for (const [type, key, expected] of cases) {
    const columns = [of('k', type)]
    assert.deepEqual(await read(jsonKeys(columns), columns, key), expected, `${type.kind} ${key}`)
    assert.deepEqual(await read(textKeys(columns), columns, key), expected, `${type.kind} ${key} as text`)
  }
})

test('several columns are an object', async () => {
  assert.deepEqual(await read(jsonKeys(BOTH), BOTH, '{"b":"7","a":"x"}'), ['x', 7n])
  assert.equal(await read(jsonKeys(BOTH), BOTH, '{"a":"x"}'), 'MR_ROW_MISSING')
  for (const key of ['x', '"x"', '7', '["x",7]']) assert.equal(await read(jsonKeys(BOTH), BOTH, key), 'MR_ROW_MESSAGE', key)
})

test('text is what it is', async () => {
  for (const key of ['"a"', '{"k":"a"}', ' a']) assert.deepEqual(await read(textKeys(TEXT), TEXT, key), [key])
})

const RECORD = JSON.stringify({
  type: 'record',
  name: 'Key',
  fields: [
    { name: 'b', type: 'int' },
    { name: 'a', type: ['null', 'string'] },
  ],
})

test('Avro: a record, or the value of one column', async () => {
  const records = keyDecoder(await avroDecoder({ schema: RECORD }, BOTH), BOTH)
  const type = avsc.Type.forSchema(JSON.parse(RECORD) as avsc.Schema)
  assert.deepEqual(await read(records, BOTH, type.toBuffer({ b: 7, a: 'x' })), ['x', 7n])
  assert.equal(await read(records, BOTH, type.toBuffer({ b: 7, a: null })), 'MR_ROW_MISSING')
  assert.equal(await read(records, BOTH, Buffer.from([0xff])), 'MR_ROW_MESSAGE')
  const text = avsc.Type.forSchema('string').toBuffer('x')
  assert.deepEqual(await read(keyDecoder(await avroDecoder({ schema: '"string"' }, TEXT), TEXT), TEXT, text), ['x'])
  assert.equal(await read(keyDecoder(await avroDecoder({ schema: '"string"' }, BOTH), BOTH), BOTH, text), 'MR_ROW_MESSAGE')
})

test('where values come by a registry, keys may', async () => {
  const registry = {
    schema: async (id: number) => (id === 5 ? { type: 'AVRO', text: '"string"', references: [] } : null),
  } as unknown as SchemaRegistry
  const keys = registeredKeys(keyDecoder(await avroDecoder({ registry }, TEXT), TEXT), jsonKeys(TEXT))
  const registered = (id: number): Buffer => Buffer.concat([Buffer.of(0, 0, 0, 0, id), avsc.Type.forSchema('string').toBuffer('x')])
  assert.deepEqual(await read(keys, TEXT, registered(5)), ['x'])
  assert.equal(await read(keys, TEXT, registered(6)), 'MR_ROW_MESSAGE')
  assert.deepEqual(await read(keys, TEXT, 'plain'), ['plain'])
})

test('keys of a registry in JSON: an object, or the value of one column', async () => {
  const framed = (text: string): Buffer => Buffer.concat([Buffer.of(0, 0, 0, 0, 5), Buffer.from(text)])
  const keys = withoutId(jsonKeys(TEXT))
  assert.deepEqual(await read(keys, TEXT, framed('{"k":"a"}')), ['a'])
  assert.deepEqual(await read(keys, TEXT, framed(' "a"')), [' "a"'])
  assert.deepEqual(await read(keys, TEXT, framed('"a"')), ['a'])
  assert.deepEqual(await read(withoutId(jsonKeys(BOTH)), BOTH, framed('{"a":"x","b":7}')), ['x', 7n])
  assert.equal(await read(keys, TEXT, '"a"'), 'MR_ROW_MESSAGE')
})

const directory = mkdtempSync(join(tmpdir(), 'millrace-keys-'))
after(() => rmSync(directory, { recursive: true }))

test('Protobuf', async () => {
  const source = 'syntax = "proto3"; package shop; message Key { string a = 1; int64 b = 2; }'
  const path = join(directory, 'key.proto')
  writeFileSync(path, source)
  const type = protobuf.parse(source).root.lookupType('shop.Key')
  const keys = keyDecoder(await protobufDecoder({ file: { path, message: 'shop.Key' } }, BOTH), BOTH)
  assert.deepEqual(await read(keys, BOTH, type.encode({ a: 'x', b: 7 }).finish()), ['x', 7n])
  const schema = { type: 'PROTOBUF', text: source, references: [] }
  const registry = { schema: async (id: number) => (id === 5 ? schema : null) } as unknown as SchemaRegistry
  const registered = registeredKeys(keyDecoder(await protobufDecoder({ registry }, BOTH), BOTH), jsonKeys(BOTH))
  const framed = (id: number): Buffer => Buffer.concat([Buffer.of(0, 0, 0, 0, id, 0), type.encode({ a: 'x', b: 7 }).finish()])
  assert.deepEqual(await read(registered, BOTH, framed(5)), ['x', 7n])
  assert.equal(await read(registered, BOTH, framed(6)), 'MR_ROW_MESSAGE')
  assert.deepEqual(await read(registered, BOTH, '{"a":"x","b":7}'), ['x', 7n])
})
