// Each reason for which a row is rejected, with its message, its place and its neighbours left alone; and values that must
// not be rejected. Every line is read by the generated loop first (padding follows) and by the exact path (none follows).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueAt } from '../../src/schema/batch.ts'
import { compileScanner, type Reject, type ScannerOptions } from '../../src/schema/scan/scanner.ts'
import type { Shape, Type } from '../../src/schema/type.ts'

const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })
const one = (type: Type, optional = false): Shape => ({ fields: [{ name: 'v', type, optional }] })
const padding = Buffer.alloc(400, '\n')

/** The value that both paths read, or the code that both give. */
function read(type: Type, text: string): unknown {
  const scanner = compileScanner(one(type))
  const line = Buffer.from(`{"v":${text}}`)
  const results = [line, Buffer.concat([line, padding])].map((input) => {
    const { batch, rejects } = scanner.scan(input)
    assert.equal(batch.rows + rejects.length, 1)
    return batch.rows === 1 ? valueAt(batch, 0, 0) : rejects[0]!.code.slice('MR_ROW_'.length)
  })
  assert.deepEqual(results[0], results[1], text)
  return results[0]
}

const TABLE: [Type, Record<string, unknown>][] = [
  [
    { kind: 'int' },
    {
      '0': 0,
      '-0': 0,
      '2147483647': 2147483647,
      '-2147483648': -2147483648,
      '1.0': 1,
      '1e3': 1000,
      '2147483648': 'RANGE',
      '-2147483649': 'RANGE',
      '1.5': 'RANGE',
      '1e-1': 'RANGE',
      '"5"': 'TYPE',
      true: 'TYPE',
      '01': 'JSON',
      '+1': 'JSON',
    },
  ],
  [
    { kind: 'long' },
    {
      '9223372036854775807': 9223372036854775807n,
      '"-9223372036854775808"': -9223372036854775808n,
      '9007199254740993': 9007199254740993n,
      '1e18': 10n ** 18n,
      '9223372036854775808': 'RANGE',
      '-9223372036854775809': 'RANGE',
      '1e400': 'RANGE',
      '0.5': 'RANGE',
      '""': 'TYPE',
      '"1.0"': 'TYPE',
      '" 1"': 'TYPE',
      '"01"': 'TYPE',
      '"\\u0035"': 5n,
      '{}': 'TYPE',
    },
  ],
  [
    decimal(5, 2),
    {
      '999.99': 99999n,
      '"999.99"': 99999n,
      '-0.00': 0n,
      '1e2': 10000n,
      '12300e-2': 12300n,
      '1.500': 150n,
      '0e9999999999': 0n,
      '"1E+1"': 1000n,
      '1000': 'RANGE',
      '0.001': 'RANGE',
      '1.005': 'RANGE',
      '1e99999999999': 'RANGE',
      '1e-99999999999': 'RANGE',
      '"1."': 'TYPE',
      '".5"': 'TYPE',
      '"x"': 'TYPE',
      '"1e"': 'TYPE',
      '[]': 'TYPE',
    },
  ],
  [
    decimal(18, 0),
    { '999999999999999999': 999999999999999999n, '-123456789012345678': -123456789012345678n, '1000000000000000000': 'RANGE' },
  ],
  [
    decimal(38, 2),
    {
      '1': '1.00',
      '"1.50"': '1.50',
      '-0': '0.00',
      '0.10': '0.10',
      '123456789012345678901234567890123456.78': '123456789012345678901234567890123456.78',
      '1e35': `1${'0'.repeat(35)}.00`,
      '1e36': 'RANGE',
      '0.001': 'RANGE',
    },
  ],
  [decimal(38, 38), { '0.5': `0.5${'0'.repeat(37)}`, '-1e-38': `-0.${'0'.repeat(37)}1`, '1': 'RANGE' }],
  [
    { kind: 'double' },
    {
      '1': 1,
      '-0': -0,
      '0.1': 0.1,
      '1e-400': 0,
      '1.7976931348623157e308': Number.MAX_VALUE,
      '123456789012345678901234567890': 1.2345678901234568e29,
      '"NaN"': Number.NaN,
      '"-Infinity"': -Infinity,
      '1e400': 'RANGE',
      '-1e400': 'RANGE',
      '"1"': 'TYPE',
      NaN: 'JSON',
      Infinity: 'JSON',
      '1.': 'JSON',
      '.1': 'JSON',
      '0x10': 'JSON',
    },
  ],
  [{ kind: 'float' }, { '0.1': Math.fround(0.1), '16777217': 16777216, '3.4028235e38': Math.fround(3.4028235e38), '3.5e38': 'RANGE' }],
  [{ kind: 'boolean' }, { true: true, false: false, '1': 'TYPE', '"true"': 'TYPE', tru: 'JSON', True: 'JSON' }],
  [
    { kind: 'date' },
    {
      '"1970-01-02"': 1,
      '"2024-02-29"': 19782,
      '"0001-01-01"': -719162,
      '"9999-12-31"': 2932896,
      '"2023-02-29"': 'RANGE',
      '"2026-00-01"': 'RANGE',
      '"0000-01-01"': 'RANGE',
      '"2026-1-1"': 'TYPE',
      '"20260101"': 'TYPE',
      '"2026-01-01T00:00:00Z"': 'TYPE',
      '20260101': 'TYPE',
    },
  ],
  [
    { kind: 'time' },
    {
      '"00:00:00"': 0n,
      '"23:59:59.999999"': 86399999999n,
      '"01:02:03.5"': 3723500000n,
      '"00:00:00.1234560"': 123456n,
      '"24:00:00"': 'RANGE',
      '"00:00:60"': 'RANGE',
      '"00:00:00.1234567"': 'RANGE',
      '"00:00"': 'TYPE',
      '"00:00:00."': 'TYPE',
      '"00:00:00Z"': 'TYPE',
    },
  ],
  [
    { kind: 'timestamp' },
    {
      '"1970-01-01T00:00:00Z"': 0n,
      '"1970-01-01T00:00:00"': 0n,
      '"1970-01-01 01:00:00+01"': 0n,
      '"1969-12-31T23:59:59.999999Z"': -1n,
      '"1970-01-01T00:00:00.0000001Z"': 'RANGE',
      '"1600-01-01T00:00:00Z"': 'RANGE',
      '"2300-01-01T00:00:00Z"': 'RANGE',
      '"2255-06-06T00:47:34.740991+01"': 9_007_199_254_740_991n,
      '"2255-06-06T00:47:34.740992+01"': 'RANGE',
      '"2026-02-30T00:00:00Z"': 'RANGE',
      '"2026-01-01T00:00:60Z"': 'RANGE',
      '"2026-01-01"': 'TYPE',
      '1767225600000': 'TYPE',
      '"2026-01-01T00:00:00 Z"': 'TYPE',
      '"\\u0031970-01-01T00:00:00Z"': 0n,
    },
  ],
  [
    { kind: 'datetime' },
    {
      '"1970-01-01T00:00:00"': 0n,
      '"1970-01-01 00:00:01"': 1_000_000n,
      '"1970-01-01t00:00:00.5"': 500_000n,
      '"1969-12-31T23:59:59.999999"': -1n,
      '"1970-01-01T00:00:00.000001000"': 1n,
      '"1970-01-01T00:00:00.0000001"': 'RANGE',
      '"1600-01-01T00:00:00"': 'RANGE',
      '"2300-01-01T00:00:00"': 'RANGE',
      '"2255-06-05T23:47:34.740991"': 9_007_199_254_740_991n,
      '"2255-06-05T23:47:34.740992"': 'RANGE',
      '"2026-02-30T00:00:00"': 'RANGE',
      '"2026-01-01T24:00:00"': 'RANGE',
      '"1970-01-01T00:00:00Z"': 'TYPE',
      '"1970-01-01T00:00:00z"': 'TYPE',
      '"1970-01-01T00:00:00+00:00"': 'TYPE',
      '"1970-01-01T00:00:00-01"': 'TYPE',
      '"2026-01-01"': 'TYPE',
      '"2026-01-01T00:00"': 'TYPE',
      '1767225600000': 'TYPE',
      '"\\u0031970-01-01T00:00:00"': 0n,
    },
  ],
  [
    { kind: 'string' },
    {
      '""': '',
      '"é"': 'é',
      '"\\u0000"': '\u0000',
      '"\\ud83d\\ude00"': '😀',
      '"\\/\\b\\f\\n\\r\\t\\"\\\\"': '/\b\f\n\r\t"\\',
      '"\\ud800"': 'UTF8',
      '"\\udc00\\ud800"': 'UTF8',
      '"\\ud800\\u0041"': 'UTF8',
      '"\t"': 'JSON',
      '"\\x"': 'JSON',
      "'a'": 'JSON',
      '5': 'TYPE',
      '[]': 'TYPE',
    },
  ],
  [
    { kind: 'uuid' },
    {
      '"123e4567-e89b-12d3-a456-426614174000"': '123e4567-e89b-12d3-a456-426614174000',
      '"123E4567-E89B-12D3-A456-42661417400F"': '123e4567-e89b-12d3-a456-42661417400f',
      '"123e4567e89b12d3a456426614174000"': 'TYPE',
      '"123e4567-e89b-12d3-a456-42661417400g"': 'TYPE',
      '"{123e4567-e89b-12d3-a456-426614174000}"': 'TYPE',
      '""': 'TYPE',
    },
  ],
  [
    { kind: 'enum', values: ['a', 'bé', ''] },
    { '"a"': 'a', '"b\\u00e9"': 'bé', '""': '', '"A"': 'ENUM', '"ab"': 'ENUM', '1': 'TYPE' },
  ],
  [
    { kind: 'binary' },
    {
      '""': Buffer.from(''),
      '"AAEC/w=="': Buffer.from([0, 1, 2, 255]),
      '"AAEC\\/w=="': Buffer.from([0, 1, 2, 255]),
      '"AAE"': 'TYPE',
      '"AA=="': Buffer.from([0]),
      '"AB=="': 'TYPE',
      '"A-_="': 'TYPE',
      '5': 'TYPE',
    },
  ],
  [
    { kind: 'json' },
    {
      '{"a":[1,{}]}': '{"a":[1,{}]}',
      '1.50': '1.50',
      '"x"': '"x"',
      false: 'false',
      '{"a":1,"a":2}': '{"a":1,"a":2}',
      '[1,]': 'JSON',
      '"\\ud800"': 'UTF8',
      [`${'['.repeat(63)}${']'.repeat(63)}`]: `${'['.repeat(63)}${']'.repeat(63)}`,
      [`${'['.repeat(64)}${']'.repeat(64)}`]: 'JSON',
      ['['.repeat(100_000)]: 'JSON',
    },
  ],
] // prettier-ignore

test('every type: exact values at the edges, codes beyond them', () => {
  for (const [type, cases] of TABLE) {
    for (const [text, expected] of Object.entries(cases)) assert.deepEqual(read(type, text), expected, `${type.kind} ${text.slice(0, 60)}`)
    assert.equal(read(type, 'null'), 'MISSING')
  }
})

const shape: Shape = {
  fields: [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'name', type: { kind: 'string' }, optional: true },
  ],
}

function rejectsOf(lines: readonly (string | Buffer)[], options?: ScannerOptions): readonly Reject[] {
  const input = Buffer.concat(lines.flatMap((line) => [Buffer.from('{"id":1}\n'), Buffer.from(line), Buffer.from('\n')]))
  const exact = compileScanner(shape, options).scan(input)
  const looped = compileScanner(shape, options).scan(Buffer.concat([input, padding]))
  assert.deepEqual(exact.rejects, looped.rejects)
  assert.equal(exact.batch.rows, lines.length * 2 - exact.rejects.length)
  for (const { line, start, end } of exact.rejects) assert.deepEqual(input.subarray(start, end), Buffer.from(lines[(line - 1) / 2]!))
  return exact.rejects
}

test('messages name the field, the value and what was expected', () => {
  const rejects = rejectsOf([
    '{"id":"5"}',
    `{"id":${'9'.repeat(60)}}`,
    '{"name":"x"}',
    '{"id":null}',
    '{"id":1,"nome":2}',
    '{"id":1,"id":2}',
    '[1]',
    '{"id":1',
    '{"id":1} x',
    Buffer.from('{"id":1,"name":"\xff"}', 'latin1'),
    '\ufeff{"id":1}',
    '{"id":1,"name":"\\ud800"}',
    '{"id":"x"',
  ])
  assert.deepEqual(
    rejects.map(({ code, field, message }) => `${code} ${field}: ${message}`),
    [
      'MR_ROW_TYPE id: field id: expected an int, -2147483648 to 2147483647, got "5"',
      `MR_ROW_RANGE id: field id: expected an int, -2147483648 to 2147483647, got ${'9'.repeat(40)}...`,
      'MR_ROW_MISSING id: field id is required and missing: expected an int, -2147483648 to 2147483647',
      'MR_ROW_MISSING id: field id is required and null: expected an int, -2147483648 to 2147483647',
      'MR_ROW_UNKNOWN_FIELD nome: field nome is not part of the shape (id, name)',
      'MR_ROW_DUPLICATE_FIELD id: field id occurs twice',
      'MR_ROW_NOT_OBJECT null: expected a JSON object, got [1]',
      'MR_ROW_JSON null: byte 7 of the line, at its end: a comma or } must stand here',
      'MR_ROW_JSON null: byte 9 of the line, near x: the line goes on after the value',
      'MR_ROW_UTF8 null: the line is not valid UTF-8',
      'MR_ROW_JSON null: byte 0 of the line, near \ufeff{"id":1}: a value must stand here (the line starts with a byte order mark)',
      'MR_ROW_UTF8 null: byte 16 of the line, near \\ud800"}: half of a surrogate pair, which is no text',
      'MR_ROW_JSON null: byte 9 of the line, at its end: a comma or } must stand here',
    ],
  )
})

test('rows longer than allowed are rejected unread', () => {
  const long = `{"id":2,"name":"${'x'.repeat(100)}"}`
  assert.deepEqual(rejectsOf([long], { maxRowBytes: long.length }), [])
  assert.deepEqual(
    rejectsOf([long], { maxRowBytes: long.length - 1 }).map(({ code, message }) => [code, message]),
    [['MR_ROW_TOO_LARGE', `the row has ${long.length} bytes, allowed are ${long.length - 1}`]],
  )
  const mega = `{"id":2,"name":"${'x'.repeat(1_048_576)}"}`
  assert.deepEqual(
    rejectsOf([mega]).map(({ code }) => code),
    ['MR_ROW_TOO_LARGE'],
  ) // prettier-ignore
})

test('unknown fields can be passed over, but must be JSON', () => {
  const lines = ['{"a":{"id":5},"id":2,"id ":"","b":[1,2]}', '{"id":2,"a":1,"a":2}', '{"id":2,"a":01}', '{"id":2,"a":"\\ud800"}', '{"a":1}']
  const codes = rejectsOf(lines, { unknown: 'ignore' }).map(({ line, code }) => [line, code])
  assert.deepEqual(codes, [
    [5, 'MR_ROW_JSON'],
    [7, 'MR_ROW_UTF8'],
    [9, 'MR_ROW_MISSING'],
  ]) // prettier-ignore
})

test('names that JavaScript objects have by themselves are nothing special', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty']
  const scanner = compileScanner({ fields: names.map((name) => ({ name, type: { kind: 'int' }, optional: false })) })
  const { batch } = scanner.scan(Buffer.from('{"__proto__":1,"constructor":2,"toString":3,"hasOwnProperty":4}'))
  assert.deepEqual(
    names.map((_, column) => valueAt(batch, column, 0)),
    [1, 2, 3, 4],
  ) // prettier-ignore
  assert.deepEqual(
    rejectsOf(['{"id":1,"__proto__":{}}']).map(({ code }) => code),
    ['MR_ROW_UNKNOWN_FIELD'],
  ) // prettier-ignore
})
