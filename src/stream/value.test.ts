// Values go round: what the scanner read, as user code sees it, emitted as JSON, is read again as the same; and batches that
// are made from plain values are what the scanner would have made.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { batchOf, type Plain } from './plain.ts'
import { codecOf } from './state/codec.ts'
import { encodeRow, rowAt } from './value.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'b', type: { kind: 'boolean' }, optional: true },
    { name: 'i', type: { kind: 'int' }, optional: true },
    { name: 'l', type: { kind: 'long' }, optional: true },
    { name: 'd', type: { kind: 'double' }, optional: true },
    { name: 'n', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: true },
    { name: 'w', type: { kind: 'decimal', precision: 38, scale: 4 }, optional: true },
    { name: 'day', type: { kind: 'date' }, optional: true },
    { name: 't', type: { kind: 'time' }, optional: true },
    { name: 'at', type: { kind: 'timestamp' }, optional: true },
    { name: 'c', type: { kind: 'datetime' }, optional: true },
    { name: 's', type: { kind: 'string' }, optional: true },
    { name: 'u', type: { kind: 'uuid' }, optional: true },
    { name: 'x', type: { kind: 'binary' }, optional: true },
    { name: 'j', type: { kind: 'json' }, optional: true },
    { name: 'e', type: { kind: 'enum', values: ['home', 'cart'] }, optional: true },
    {
      name: 'items',
      type: {
        kind: 'list',
        element: {
          type: {
            kind: 'struct',
            fields: [
              { name: 'price', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: false },
              { name: 'n', type: { kind: 'long' }, optional: true },
              { name: 'at', type: { kind: 'timestamp' }, optional: true },
              { name: 'c', type: { kind: 'datetime' }, optional: true },
              { name: 'x', type: { kind: 'binary' }, optional: true },
              { name: 'j', type: { kind: 'json' }, optional: true },
            ],
          },
          optional: true,
        },
      },
      optional: true,
    },
    { name: 'sizes', type: { kind: 'map', key: { kind: 'int' }, value: { type: { kind: 'double' }, optional: true } }, optional: true },
  ],
}
const LINES = [
  '{"b":true,"i":-7,"l":"9223372036854775807","d":0.1,"n":"-3.50","w":"-1234567890123456789.0001","day":"2026-02-28","t":"14:05:00","at":"2026-01-01T00:00:00.000001Z","c":"2026-01-01T00:00:00.000001","s":"é\\"\\n","u":"0e37df36-f698-11e6-8dd4-cb9ced3df976","x":"AP8=","j":{"a":[1,null,"é"]},"e":"cart"}',
  '{"d":"NaN","l":5,"j":"text","x":"","items":[{"price":3e0,"n":"9223372036854775807","at":"2026-01-01T00:00:00.000001Z","c":"2026-01-01 00:00:00","x":"AP8=","j":[1]},null,{"price":"-0.10"}],"sizes":{"-1":"NaN","2":null,"1":0.1}}',
  '{"items":[],"sizes":{}}',
  '{"d":"-Infinity","j":null,"day":"0001-01-01","at":"1969-12-31T23:59:59.999999Z","c":"1969-12-31T23:59:59.000000"}',
  '{}',
]
const scan = (lines: readonly string[]): ColumnBatch => {
  const { batch, rejects } = compileScanner(SHAPE).scan(Buffer.from(lines.map((line) => `${line}\n`).join('')))
  assert.deepEqual(rejects, [])
  return batch
}
const plainRows = (batch: ColumnBatch): Plain[][] =>
  Array.from({ length: batch.rows }, (_, row) =>
    SHAPE.fields.map((field, column) => {
      const value = valueAt(batch, column, row)
      if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
      return field.name === 'w' && value !== null ? Decimal.from(value as string).unscaled : value
    }),
  )

test('nested values as user code sees them', () => {
  const { items, sizes } = rowAt(scan(LINES), 1, SHAPE) as { items: (Record<string, unknown> | null)[]; sizes: unknown }
  const [first, second, third] = items
  assert.deepEqual([String(first!['price']), first!['n'], first!['j']], ['3.00', 9_223_372_036_854_775_807n, [1]])
  assert.ok(first!['at'] instanceof Instant && first!['at'].toIso() === '2026-01-01T00:00:00.000001Z')
  assert.equal(first!['c'], '2026-01-01T00:00:00.000000')
  assert.deepEqual([...(first!['x'] as Uint8Array)], [0, 255])
  assert.equal(second, null)
  assert.deepEqual({ ...third, price: String(third!['price']) }, { price: '-0.10', n: null, at: null, c: null, x: null, j: null })
  assert.deepEqual(sizes, { '-1': Number.NaN, 2: null, 1: 0.1 })
})

test('nested state: equal values have equal text, whatever the order of their members', () => {
  const type = SHAPE.fields.find(({ name }) => name === 'items')!.type
  const codec = codecOf(type)
  const price = Decimal.from('3.00')
  const [one, other] = [codec.textOf([{ price, n: 5n }]), codec.textOf([{ n: 5n, price }])]
  assert.equal(one, other)
  assert.deepEqual(codec.textOf(codec.valueOf(one)), codec.textOf([{ n: 5n, price, at: null, c: null, x: null, j: null }]))
})

test('a row as user code sees it', () => {
  const row = rowAt(scan(LINES), 0, SHAPE)
  assert.equal(row['l'], 9_223_372_036_854_775_807n)
  assert.equal(String(row['n']), '-3.50')
  assert.equal(String(row['w']), '-1234567890123456789.0001')
  assert.equal(row['day'], '2026-02-28')
  assert.equal(row['t'], '14:05:00.000000')
  assert.equal((row['at'] as Instant).toIso(), '2026-01-01T00:00:00.000001Z')
  assert.deepEqual(row['j'], { a: [1, null, 'é'] })
  assert.deepEqual([...(row['x'] as Uint8Array)], [0, 255])
  assert.equal(rowAt(scan(LINES), 3, SHAPE)['i'], null)
})

test('what is emitted unchanged is read as it was', () => {
  const batch = scan(LINES)
  const emitted = (of: ColumnBatch) => Array.from({ length: of.rows }, (_, row) => encodeRow(SHAPE, rowAt(of, row, SHAPE), 'p'))
  const again = scan(emitted(batch))
  assert.deepEqual(emitted(again), emitted(batch))
  // Of nested values the text is another spelling of the same.
  const flat = (of: ColumnBatch) => plainRows(of).map((row) => row.slice(0, -2))
  assert.deepEqual(flat(again), flat(batch))
})

test('a batch from plain values is the scanner’s', () => {
  const batch = scan(LINES)
  assert.deepEqual(plainRows(batchOf(SHAPE, plainRows(batch))), plainRows(batch))
})

test('a row that does not fit its shape is refused with the column', () => {
  const shape: Shape = { fields: [{ name: 'id', type: { kind: 'int' }, optional: false }] }
  assert.throws(() => encodeRow(shape, { id: 1, extra: 2 }, 'p'), { code: 'MR_PROCESSOR', message: /"extra"/ })
  assert.throws(() => encodeRow(shape, { id: null }, 'p'), { code: 'MR_PROCESSOR', message: /without "id"/ })
  assert.equal(
    encodeRow(SHAPE, { n: Decimal.from('1.5'), at: Instant.fromMicros(0), l: 5n }, 'p'),
    '{"l":"5","n":"1.5","at":"1970-01-01T00:00:00.000000Z"}',
  )
})
