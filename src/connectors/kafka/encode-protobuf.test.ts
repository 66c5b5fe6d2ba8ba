// Rows as messages of Protobuf: as the library alone reads them, and back by our own decoder and scanner; what does not fit is said.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { compileScanner } from '../../schema/scan/scanner.ts'
import type { Field, Inner, Type } from '../../schema/type.ts'
import { protobufDecoder } from './decode-protobuf.ts'
import { protobufEncoder } from './encode-protobuf.ts'
import { loadMessage } from './proto-message.ts'
import { misfitsOf } from './protobuf-fit.ts'

const PROTO = `
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/struct.proto";
enum Page { HOME = 0; CART = 1; }
message Place { double x = 1; optional int32 floor = 2; google.protobuf.Struct more = 3; Place inside = 4; }
message Click {
  bool b = 1;
  int32 i = 2;
  sint32 si = 3;
  sfixed32 sf = 4;
  uint32 u = 5;
  fixed32 fu = 6;
  int64 l = 7;
  sint64 sl = 8;
  sfixed64 fl = 9;
  uint64 ul = 10;
  fixed64 ful = 11;
  float f = 12;
  double d = 13;
  string some_text = 14;
  string amount = 15;
  string day = 16;
  string clock = 17;
  string uid = 18;
  bytes raw = 19;
  Page page = 20;
  optional int64 maybe = 21;
  Place place = 22;
  repeated string tags = 23;
  repeated int64 numbers = 24;
  repeated Place places = 25;
  map<string, int64> counts = 26;
  map<int64, string> by_number = 27;
  map<bool, Place> by_truth = 28;
  google.protobuf.Timestamp seen = 29;
  google.protobuf.Int64Value wrapped = 30;
  google.protobuf.BytesValue wrapped_bytes = 31;
  google.protobuf.Struct extra = 32;
  google.protobuf.Value any = 33;
  google.protobuf.ListValue list = 34;
  Place free = 35;
  oneof choice { string left = 36; int32 right = 37; }
  repeated Page pages = 38;
}
message Old { string left_out = 1; }
`
const OLD = 'syntax = "proto2"; package old; message Row { required int32 id = 1; optional string word = 2; required string name = 3; }'

const directory = mkdtempSync(join(tmpdir(), 'millrace-proto-'))
const path = join(directory, 'click.proto')
const oldPath = join(directory, 'old.proto')
writeFileSync(path, PROTO)
writeFileSync(oldPath, OLD)
const FILE = { path, message: 'shop.Click' }
const OLD_FILE = { path: oldPath, message: 'old.Row' }
after(() => rmSync(directory, { recursive: true }))

const required = (name: string, type: Type): Field => ({ name, type, optional: false })
const optional = (name: string, type: Type): Field => ({ name, type, optional: true })
const never = (type: Type): Inner => ({ type, optional: false })
const int = { kind: 'int' } as const
const long = { kind: 'long' } as const
const string = { kind: 'string' } as const
const json = { kind: 'json' } as const
const unsigned = { kind: 'decimal', precision: 20, scale: 0 } as const
const page = { kind: 'enum', values: ['HOME', 'CART'] } as const
const place = {
  kind: 'struct',
  fields: [
    required('x', { kind: 'double' }),
    optional('floor', int),
    optional('more', json),
    optional('inside', { kind: 'struct', fields: [required('x', { kind: 'double' })] }),
  ],
} as const

const FIELDS: Field[] = [
  required('b', { kind: 'boolean' }),
  ...['i', 'si', 'sf'].map((name) => required(name, int)),
  ...['u', 'fu', 'l', 'sl', 'fl'].map((name) => required(name, long)),
  ...['ul', 'ful'].map((name) => required(name, unsigned)),
  required('f', { kind: 'float' }),
  required('d', { kind: 'double' }),
  required('some_text', string),
  required('amount', { kind: 'decimal', precision: 30, scale: 4 }),
  required('day', { kind: 'date' }),
  required('clock', { kind: 'time' }),
  required('uid', { kind: 'uuid' }),
  required('raw', { kind: 'binary' }),
  required('page', page),
  optional('maybe', long),
  optional('place', place),
  required('tags', { kind: 'list', element: never(string) }),
  required('numbers', { kind: 'list', element: never(long) }),
  required('places', { kind: 'list', element: never(place) }),
  required('counts', { kind: 'map', key: string, value: never(long) }),
  required('by_number', { kind: 'map', key: long, value: never(string) }),
  required('by_truth', { kind: 'map', key: string, value: never(place) }),
  optional('seen', { kind: 'timestamp' }),
  optional('wrapped', long),
  optional('wrapped_bytes', { kind: 'binary' }),
  optional('extra', json),
  optional('any', json),
  optional('list', json),
  optional('free', json),
  optional('left', string),
  optional('right', int),
  required('pages', { kind: 'list', element: never(page) }),
]

/** As the engine prints it. */
const ROW = {
  b: true,
  i: -2_147_483_648,
  si: 2_147_483_647,
  sf: -1,
  u: 4_294_967_295,
  fu: 4_294_967_295,
  l: '-9223372036854775808',
  sl: '-9223372036854775808',
  fl: '9223372036854775807',
  ul: '18446744073709551615',
  ful: '18446744073709551614',
  f: 0.5,
  d: '-Infinity',
  some_text: 'a\n"é',
  amount: '-12345678901234567890123456.0123',
  day: '2026-02-28',
  clock: '23:59:59.999999',
  uid: '123e4567-e89b-12d3-a456-426614174000',
  raw: 'AP8=',
  page: 'CART',
  maybe: 0,
  place: { x: 1.5, floor: null, more: '{"deep":[1,{"er":null}]}', inside: { x: -2 } },
  tags: ['x', ''],
  numbers: [1, '9007199254740993'],
  places: [{ x: 0, floor: 3, more: null, inside: null }],
  counts: { k: '9007199254740993', '12345678': 8 },
  by_number: { '-5': 'minus five', '12345678': 'eight digits', '9223372036854775807': 'most' },
  by_truth: { false: { x: 1, floor: null, more: null, inside: null }, true: { x: 2, floor: null, more: null, inside: null } },
  seen: '1969-12-31T23:59:59.123456Z',
  wrapped: '9007199254740993',
  wrapped_bytes: '',
  extra: { n: 1.5, none: null, list: [true, null, 'x', { o: {} }], e: 1e300 },
  any: [null, 9007199254740991],
  list: [],
  free: { x: 2.5, inside: { x: 1 } },
  left: null,
  right: 0,
  pages: ['CART', 'HOME'],
}

const encoded = async (row: object): Promise<Uint8Array> =>
  (await protobufEncoder({ file: FILE, shape: { fields: FIELDS } }))(Buffer.from(JSON.stringify(row)))

const exact = (line: string): Record<string, unknown> =>
  JSON.parse(line.replaceAll(/([:[,])(-?\d{16,})(?=[,}\]])/g, '$1"$2"')) as Record<string, unknown>

/** What our own source makes of it. */
async function back(row: object): Promise<Record<string, unknown>> {
  const line = String((await protobufDecoder({ file: FILE }, FIELDS)).line(await encoded(row)))
  const { batch, rejects } = compileScanner({ fields: FIELDS }).scan(Buffer.from(`${line}\n`))
  assert.deepEqual([batch.rows, rejects], [1, []], line)
  return exact(line)
}

/** Null members are left out by the decoder; JSON inside of a struct is a value there, not text. */
const spelled = (row: object): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(row, (name, value) => (name === 'more' && value !== null ? JSON.parse(value) : value)),
    (name, value) => (value === null && ['floor', 'more', 'inside', 'left', 'maybe'].includes(name) ? undefined : value),
  ) as Record<string, unknown>

test('a row of every type comes back as it was', async () => {
  const { any, extra, ...row } = await back(ROW)
  const { any: _any, extra: _extra, ...expected } = spelled(ROW)
  assert.deepEqual(row, expected)
  assert.deepEqual(
    any,
    [null, 9_007_199_254_740_991].map((value) => (value === null ? null : String(value))),
  )
  assert.deepEqual(extra, ROW.extra)
})

test('the library alone reads the same', async () => {
  const type = (await new protobuf.Root().load(path, { keepCase: true })).lookupType('shop.Click')
  const seen = type.toObject(type.decode(await encoded(ROW)), { longs: String, enums: String, bytes: String }) as Record<string, unknown>
  const { extra: _, any: _any, ...plain } = seen
  const { place: _place, places: _places, by_truth, free, by_number, ...flat } = plain
  assert.deepEqual(flat, {
    ...{ b: true, i: -2_147_483_648, si: 2_147_483_647, sf: -1, u: 4_294_967_295, fu: 4_294_967_295, l: '-9223372036854775808' },
    ...{ sl: '-9223372036854775808', fl: '9223372036854775807', ul: '18446744073709551615', ful: '18446744073709551614', f: 0.5 },
    ...{ d: Number.NEGATIVE_INFINITY, some_text: 'a\n"é', amount: ROW.amount, day: ROW.day, clock: ROW.clock, uid: ROW.uid, raw: 'AP8=' },
    ...{
      page: 'CART',
      maybe: '0',
      tags: ['x', ''],
      numbers: ['1', '9007199254740993'],
      counts: { k: '9007199254740993', '12345678': '8' },
    },
    ...{ seen: { seconds: '-1', nanos: 123_456_000 }, wrapped: { value: '9007199254740993' }, wrapped_bytes: {}, list: {}, right: 0 },
    pages: ['CART', 'HOME'],
  })
  assert.deepEqual(by_truth, { false: { x: 1 }, true: { x: 2 } })
  assert.deepEqual(free, { x: 2.5, inside: { x: 1 } })
  assert.equal(Object.keys(by_number as object).length, 3)
})

const EMPTY = { ...ROW, ...Object.fromEntries(FIELDS.filter((field) => field.optional).map(({ name }) => [name, null])) }

test('null is a field that is not set', async () => {
  const row = await back(EMPTY)
  for (const { name } of FIELDS.filter((field) => field.optional)) assert.ok(!(name in row), name)
})

test('numbers of 64 bits there and back', async () => {
  const encode = await protobufEncoder({ file: FILE, shape: { fields: FIELDS } })
  const decoder = await protobufDecoder({ file: FILE }, FIELDS)
  const signed = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  const positive = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  fc.assert(
    fc.property(signed, positive, fc.integer(), (l, ul, i) => {
      const row = {
        ...EMPTY,
        l: String(l),
        sl: String(l),
        fl: String(l),
        ul: String(ul),
        ful: String(ul),
        i,
        si: i,
        sf: i,
        by_number: { [String(l)]: 'x' },
      }
      const line = JSON.parse(
        String(decoder.line(encode(Buffer.from(JSON.stringify(row))))).replaceAll(/:(-?\d+)(?=[,}])/g, ':"$1"'),
      ) as object
      const expected = {
        l: `${l}`,
        sl: `${l}`,
        fl: `${l}`,
        ul: `${ul}`,
        ful: `${ul}`,
        i: `${i}`,
        si: `${i}`,
        sf: `${i}`,
        by_number: { [`${l}`]: 'x' },
      }
      assert.deepEqual({ ...expected, ...line }, { ...line, ...expected })
    }),
  )
})

test('what a field cannot hold is an error that names it', async () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ u: -1 }, /^shop\.Click\.u: -1 does not fit into uint32$/],
    [{ u: 4_294_967_296 }, /4294967296 does not fit into uint32/],
    [{ ul: '18446744073709551616' }, /does not fit into uint64/],
    [{ ul: '-1' }, /does not fit into uint64/],
    [{ i: null }, /\.i: it is null, and the file has no way to say that/],
    [{ tags: null }, /\.tags: it is null/],
    [{ tags: ['x', null] }, /\.tags\[1\]: it is null, and elements/],
    [{ page: 'SHOP' }, /\.page: "SHOP" is not a value of the enum Page/],
    [{ left: 'x', right: 1 }, /left and right are both there, and choice is one of them/],
    [{ free: { x: 1, y: 2 } }, /\.free: Place has no field y/],
    [{ free: 7 }, /\.free: 7 is no Place/],
    [{ free: { x: '1' } }, /\.free\.x: .* is no number of 64 bits/],
    [{ free: { floor: 1.5 } }, /\.free\.floor: 1.5 does not fit into int32/],
    [{ by_truth: { maybe: { x: 1 } } }, /\.by_truth: the key maybe is neither true nor false/],
    [{ by_number: { ten: 'x' } }, /\.by_number\.ten: ten does not fit into int64/],
    [{ extra: [1] }, /\.extra: .* is no object/],
    [{ list: {} }, /\.list: .* is no list/],
  ]
  for (const [more, why] of cases)
    await assert.rejects(
      encoded({ ...ROW, ...more }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'MR_KAFKA_VALUE')
        assert.match(error.message, why)
        return true
      },
      String(why),
    )
  const big = JSON.stringify(ROW).replace('"n":1.5', '"n":12345678901234567890')
  const encode = await protobufEncoder({ file: FILE, shape: { fields: FIELDS } })
  assert.throws(() => encode(Buffer.from(big)), /\.extra\.n: 12345678901234567890 has more digits than a double/)
})

test('what can never fit is known before', async () => {
  const click = await loadMessage(FILE)
  assert.deepEqual(misfitsOf(click, FIELDS), [])
  const wrong: readonly (readonly [Field, RegExp])[] = [
    [required('nope', string), /^the message shop\.Click has no field for the column "nope"$/],
    [required('b', int), /"b" is int, which a field of bool cannot hold/],
    [required('i', string), /"i" is string, which a field of int32/],
    [required('l', { kind: 'decimal', precision: 10, scale: 2 }), /"l" is decimal\(10, ?2\)/],
    [required('f', { kind: 'double' }), /"f" is double, which a field of float/],
    [required('d', { kind: 'decimal', precision: 10, scale: 2 }), /which a field of double/],
    [required('some_text', { kind: 'boolean' }), /which a field of string/],
    [required('raw', string), /which a field of bytes/],
    [required('page', { kind: 'enum', values: ['HOME', 'SHOP'] }), /which a field of Page/],
    [required('seen', { kind: 'date' }), /which a field of google\.protobuf\.Timestamp/],
    [required('wrapped', string), /which a field of google\.protobuf\.Int64Value/],
    [required('extra', string), /which a field of google\.protobuf\.Struct/],
    [required('place', string), /which a field of Place/],
    [required('place', { kind: 'struct', fields: [required('y', int)] }), /shop\.Place has no field for the column "place\.y"/],
    [required('tags', string), /which a field of repeated string/],
    [
      required('tags', { kind: 'list', element: never({ kind: 'boolean' }) }),
      /"tags\[\]" is boolean, which a field of repeated string cannot hold/,
    ],
    [required('counts', { kind: 'list', element: never(long) }), /which a field of a map of int64/],
    [required('by_number', { kind: 'map', key: { kind: 'boolean' }, value: never(string) }), /"by_number" is map/],
  ]
  for (const [field, why] of wrong) {
    const found = misfitsOf(click, [field])
    assert.deepEqual(
      found.map(({ isNever }) => isNever),
      [true],
      `${field.name}: ${JSON.stringify(found)}`,
    )
    assert.match(found[0]!.message, why)
  }
  const sometimes: readonly (readonly [Field, RegExp])[] = [
    [optional('i', int), /"i" may be null, and the file cannot tell that from its default/],
    [optional('tags', { kind: 'list', element: never(string) }), /cannot tell that from empty/],
    [required('tags', { kind: 'list', element: { type: string, optional: true } }), /"tags\[\]" may be null, and elements/],
  ]
  for (const [field, why] of sometimes) {
    const found = misfitsOf(click, [field])
    assert.deepEqual(
      found.map(({ isNever }) => isNever),
      [false],
    )
    assert.match(found[0]!.message, why)
  }
  assert.match(
    misfitsOf(click, [required('left', string), required('right', int)])[0]!.message,
    /"left" and "right" are never null, and choice/,
  )
  const old = await loadMessage(OLD_FILE)
  assert.deepEqual(misfitsOf(old, [required('id', int), required('name', string), optional('word', string)]), [])
  assert.deepEqual(
    misfitsOf(old, [optional('id', int)]).map(({ isNever, message }) => [isNever, message]),
    [
      [false, 'the column "id" may be null, and the file requires it: a row that has null there stops the sink'],
      [true, 'the message old.Row requires the field "name", and no column has it'],
    ],
  )
})
