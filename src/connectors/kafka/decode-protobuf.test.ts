// Values of every Protobuf type through the library's own encoder, and back as rows.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import protobuf from 'protobufjs'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field } from '../../schema/type.ts'
import { protobufDecoder } from './decode-protobuf.ts'
import { Undecodable } from './decoder.ts'

const PROTO = `
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
enum Page { HOME = 0; CART = 1; }
message Place { double x = 1; int32 hidden = 2; }
message Click {
  bool b = 1;
  int32 i = 2;
  int64 l = 3;
  uint64 u = 4;
  sint64 z = 5;
  fixed64 x = 6;
  float f = 7;
  double d = 8;
  string some_text = 9;
  bytes raw = 10;
  Page page = 11;
  optional int64 maybe = 12;
  Place place = 13;
  repeated string tags = 14;
  map<string, int64> counts = 15;
  map<int64, string> by_number = 16;
  google.protobuf.Timestamp seen = 17;
  google.protobuf.Int64Value wrapped = 18;
  google.protobuf.Struct extra = 19;
  oneof choice { string left = 20; int32 right = 21; }
  string unasked = 22;
}
`

const directory = mkdtempSync(join(tmpdir(), 'millrace-proto-'))
const path = join(directory, 'click.proto')
writeFileSync(path, PROTO)
const FILE = { path, message: 'shop.Click' }
after(() => rmSync(directory, { recursive: true }))

const required = (name: string, type: Field['type']): Field => ({ name, type, optional: false })
const optional = (name: string, type: Field['type']): Field => ({ name, type, optional: true })
const long = { kind: 'long' } as const
const string = { kind: 'string' } as const

const FIELDS: Field[] = [
  required('b', { kind: 'boolean' }),
  required('i', { kind: 'int' }),
  required('l', long),
  required('u', { kind: 'decimal', precision: 20, scale: 0 }),
  required('z', long),
  required('x', { kind: 'decimal', precision: 20, scale: 0 }),
  required('f', { kind: 'float' }),
  required('d', { kind: 'double' }),
  required('some_text', string),
  required('raw', { kind: 'binary' }),
  required('page', { kind: 'enum', values: ['HOME', 'CART'] }),
  optional('maybe', long),
  optional('place', { kind: 'struct', fields: [required('x', { kind: 'double' })] }),
  required('tags', { kind: 'list', element: { type: string, optional: false } }),
  required('counts', { kind: 'map', key: string, value: { type: long, optional: false } }),
  required('by_number', { kind: 'map', key: long, value: { type: string, optional: false } }),
  optional('seen', { kind: 'timestamp' }),
  optional('wrapped', long),
  optional('extra', { kind: 'json' }),
  optional('left', string),
  optional('right', { kind: 'int' }),
]

const typeOf = async (): Promise<protobuf.Type> => (await new protobuf.Root().load(path, { keepCase: true })).lookupType('shop.Click')
const exact = (line: string): unknown => JSON.parse(line.replaceAll(/([:[,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"'))

async function throughBoth(value: object): Promise<unknown> {
  const type = await typeOf()
  const bytes = type.encode(type.fromObject(value)).finish()
  const line = String((await protobufDecoder({ file: FILE }, FIELDS)).line(bytes))
  const { batch, rejects } = compileScanner({ fields: FIELDS }).scan(Buffer.from(`${line}\n`))
  assert.deepEqual([batch.rows, rejects], [1, []], line)
  return exact(line)
}

test('values of every type, exactly, and the scanner takes them', async () => {
  const seen = await throughBoth({
    b: true,
    i: -2_147_483_648,
    l: '-9223372036854775808',
    u: '18446744073709551615',
    z: '9223372036854775807',
    x: '18446744073709551614',
    f: 0.5,
    d: Number.POSITIVE_INFINITY,
    some_text: 'a\n"é',
    raw: Buffer.from([0, 255]),
    page: 'CART',
    maybe: 0,
    place: { x: 1.5, hidden: 9 },
    tags: ['x', ''],
    counts: { k: '9007199254740993' },
    by_number: { '-5': 'minus five' },
    seen: { seconds: -1, nanos: 123_456_000 },
    wrapped: { value: '9007199254740993' },
    extra: { fields: { n: { numberValue: 1.5 }, list: { listValue: { values: [{ boolValue: true }, { nullValue: 0 }] } } } },
    right: 0,
    unasked: 'left out',
  })
  assert.deepEqual(seen, {
    b: true,
    i: -2_147_483_648,
    l: '-9223372036854775808',
    u: '18446744073709551615',
    z: '9223372036854775807',
    x: '18446744073709551614',
    f: 0.5,
    d: 'Infinity',
    some_text: 'a\n"é',
    raw: 'AP8=',
    page: 'CART',
    maybe: 0,
    place: { x: 1.5 },
    tags: ['x', ''],
    counts: { k: '9007199254740993' },
    by_number: { '-5': 'minus five' },
    seen: '1969-12-31T23:59:59.123456Z',
    wrapped: '9007199254740993',
    extra: { n: 1.5, list: [true, null] },
    right: 0,
  })
})

test('what is not set is the default of its type, or null where its presence is told', async () => {
  assert.deepEqual(await throughBoth({}), {
    b: false,
    i: 0,
    l: 0,
    u: 0,
    z: 0,
    x: 0,
    f: 0,
    d: 0,
    some_text: '',
    raw: '',
    page: 'HOME',
    tags: [],
    counts: {},
    by_number: {},
  })
})

test('what cannot be read says why', async () => {
  const decoder = await protobufDecoder({ file: FILE }, FIELDS)
  assert.throws(() => decoder.line(Buffer.from([0xff, 0xff, 0xff])), Undecodable)
  const type = await typeOf()
  const nanos = type.encode(type.fromObject({ seen: { seconds: 1, nanos: 1 } })).finish()
  assert.throws(() => decoder.line(nanos), /more than microseconds/)
  await assert.rejects(protobufDecoder({ file: { path, message: 'shop.Missing' } }, FIELDS), { code: 'MR_KAFKA_SCHEMA' })
  await assert.rejects(protobufDecoder({ file: { ...FILE, path: join(directory, 'none.proto') } }, FIELDS), { code: 'MR_KAFKA_SCHEMA' })
})
