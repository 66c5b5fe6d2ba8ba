// What the encoder writes, the scanner reads back, value by value: for values of every type and lane.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ColumnBatch, selectRows, valueAt } from './batch.ts'
import { encodeRows } from './encode-json.ts'
import { compileScanner } from './scan/scanner.ts'
import type { Shape, Type } from './type.ts'

const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })
const types: Type[] = [
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  decimal(18, 4),
  decimal(38, 10),
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'string' },
  { kind: 'uuid' },
  { kind: 'binary' },
  { kind: 'json' },
  { kind: 'enum', values: ['a', 'b"\n'] },
] // prettier-ignore
const shape: Shape = { fields: types.map((type, i) => ({ name: `${type.kind}"${i}`, type, optional: true })) }
const scanner = compileScanner(shape)

const valuesOf = (batch: ColumnBatch): unknown[][] =>
  Array.from({ length: batch.rows }, (_, row) => batch.columns.map((_column, i) => valueAt(batch, i, row)))

const scaled = (digits: number, scale: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: -(10n ** BigInt(digits)) + 1n, max: 10n ** BigInt(digits) - 1n }).map((value) => `${value}e-${scale}`)
const iso = (from: string, to: string) =>
  fc.date({ min: new Date(from), max: new Date(to), noInvalidDate: true }).map((date) => date.toISOString())

const rows = fc.tuple(
  fc.boolean(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
  fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true }), fc.constant('NaN')),
  fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom('NaN', 'Infinity', '-Infinity', -0)),
  scaled(18, 4),
  scaled(38, 10),
  iso('0001-01-01T00:00:00Z', '9999-12-31T23:59:59Z').map((text) => text.slice(0, 10)),
  iso('1970-01-01T00:00:00Z', '1970-01-02T00:00:00Z').map((text) => text.slice(11, 23)),
  iso('1690-01-01T00:00:00Z', '2250-01-01T00:00:00Z').map((text) => text.replace('Z', '123Z')),
  fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
  fc.uuid(),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.jsonValue(),
  fc.constantFrom('a', 'b"\n'),
)

function lineOf(row: readonly unknown[], present: readonly boolean[]): string {
  const members = row.flatMap((value, i) => (present[i] ? [`${JSON.stringify(shape.fields[i]!.name)}:${spell(value)}`] : []))
  return `{${members.join(',')}}\n`
}

const spell = (value: unknown): string => (Object.is(value, -0) ? '-0' : JSON.stringify(value))

test('scan(encode(scan(rows))) is scan(rows), and the encoding of that is the same bytes', () => {
  const presence = fc.array(fc.boolean(), { minLength: types.length, maxLength: types.length })
  fc.assert(
    fc.property(fc.array(fc.tuple(rows, presence), { maxLength: 20 }), (cases) => {
      const first = scanner.scan(Buffer.from(cases.map(([row, present]) => lineOf(row, present)).join('')))
      const encoded = encodeRows(first.batch)
      const second = scanner.scan(encoded)
      const lone = (reject: { code: string }): boolean => reject.code === 'MR_ROW_UTF8'
      assert.ok(first.rejects.every(lone) && first.rejects.length + first.batch.rows === cases.length, JSON.stringify(first.rejects))
      assert.deepEqual(second.rejects, [])
      assert.deepEqual(valuesOf(second.batch), valuesOf(first.batch))
      assert.deepEqual(encodeRows(second.batch), encoded)
      assert.deepEqual(scanner.scan(encoded, { trusted: true }).batch.rows, first.batch.rows)
    }),
    { numRuns: 300 },
  )
})

test('spelling: strings where JSON numbers would lose digits', () => {
  const input = `{"long\\"2":9007199254740991,"decimal\\"5":"1.5","timestamp\\"9":"1969-12-31T23:59:59.5Z","double\\"4":"NaN"}\n{"long\\"2":"9007199254740992","time\\"8":"01:02:03"}\n{}\n`
  const { batch, rejects } = scanner.scan(Buffer.from(input))
  assert.deepEqual(rejects, [])
  assert.equal(
    encodeRows(batch).toString(),
    '{"long\\"2":9007199254740991,"double\\"4":"NaN","decimal\\"5":"1.5000","timestamp\\"9":"1969-12-31T23:59:59.500000Z"}\n{"long\\"2":"9007199254740992","time\\"8":"01:02:03.000000"}\n{}\n',
  )
  assert.equal(encodeRows(batch, Int32Array.of(2, 2)).toString(), '{}\n{}\n')
  assert.equal(encodeRows(batch, Int32Array.of(1)).toString(), encodeRows(selectRows(batch, Int32Array.of(1))).toString())
})

test('line breaks in json values become spaces', () => {
  const bytes = Buffer.from('{\n"a":\r\n1}')
  const one: Shape = { fields: [{ name: 'j', type: { kind: 'json' }, optional: false }] }
  const batch: ColumnBatch = {
    shape: one,
    rows: 1,
    columns: [{ kind: 'bytes', bytes, start: Int32Array.of(0), length: Int32Array.of(bytes.length), nulls: null }],
  }
  assert.equal(encodeRows(batch).toString(), '{"j":{ "a":  1}}\n')
})
