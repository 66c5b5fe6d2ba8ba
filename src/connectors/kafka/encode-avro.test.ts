// Rows of every type as Avro and back by our own decoder, and as the library alone reads them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import avsc from 'avsc'
import fc from 'fast-check'
import type { Field, Shape, Type } from '../../schema/type.ts'
import { decimalText } from './avro-json.ts'
import { avroDecoder } from './decode-avro.ts'
import { avroEncoder, avroSchemaOf, decimalBytes } from './encode-avro.ts'
import type { SchemaRegistry } from './schema-registry.ts'

const of = (name: string, type: Type, optional = false): Field => ({ name, type, optional })

const SHAPE: Shape = {
  fields: [
    of('b', { kind: 'boolean' }),
    of('i', { kind: 'int' }),
    of('l', { kind: 'long' }),
    of('f', { kind: 'float' }),
    of('d', { kind: 'double' }),
    of('amount', { kind: 'decimal', precision: 38, scale: 10 }),
    of('day', { kind: 'date' }),
    of('clock', { kind: 'time' }),
    of('seen', { kind: 'timestamp' }),
    of('local', { kind: 'datetime' }),
    of('s', { kind: 'string' }),
    of('id', { kind: 'uuid' }),
    of('raw', { kind: 'binary' }),
    of('extra', { kind: 'json' }),
    of('page', { kind: 'enum', values: ['not a symbol', 'x'] }),
    of('maybe', { kind: 'long' }, true),
    of('place', { kind: 'struct', fields: [of('x', { kind: 'double' }), of('at', { kind: 'timestamp' }, true)] }, true),
    of('tags', { kind: 'list', element: { type: { kind: 'decimal', precision: 5, scale: 2 }, optional: true } }),
    of('counts', { kind: 'map', key: { kind: 'string' }, value: { type: { kind: 'long' }, optional: false } }),
  ],
}

const ROW = `{"b":true,"i":-5,"l":"9223372036854775807","f":0.1,"d":"NaN","amount":"-1234567890123456789012345678.0123456789","day":"2026-02-28",
"clock":"23:59:59.999999","seen":"1969-12-31T23:59:59.999999Z","local":"1969-12-31T23:59:59.999999","s":"a\\n\\"é","id":"123e4567-e89b-12d3-a456-426614174000","raw":"AP8=",
"extra":{"n":12345678901234567890,"list":[1.50,"x",null]},"page":"not a symbol","maybe":null,"place":{"x":1.5,"at":null},"tags":["1.10",null],"counts":{"k":9007199254740991}}`

test('a row of every type comes back as it was', async () => {
  const encode = await avroEncoder({ name: 'row', shape: SHAPE })
  const decoder = await avroDecoder({ schema: JSON.stringify(avroSchemaOf('row', SHAPE)) }, SHAPE.fields)
  const back = String(decoder.line(encode(Buffer.from(ROW))))
  const { extra, ...row } = JSON.parse(back.replaceAll('9223372036854775807', '"9223372036854775807"')) as Record<string, unknown>
  const { extra: given, ...expected } = JSON.parse(ROW) as Record<string, unknown>
  assert.deepEqual(row, { ...expected, f: Math.fround(0.1) })
  assert.equal(extra, '{"n":12345678901234567890,"list":[1.50,"x",null]}')
  assert.ok(given)
})

test('the schema is one that the library takes as it is', () => {
  const type = avsc.Type.forSchema(avroSchemaOf('row', SHAPE) as avsc.Schema)
  assert.equal(type.typeName, 'record')
})

test('with a registry, the id that it gives stands before the data', async () => {
  const asked: [string, object][] = []
  const client = { register: async (subject: string, schema: object) => asked.push([subject, schema]) + 40 } as unknown as SchemaRegistry
  const shape = { fields: [of('a', { kind: 'long' })] }
  const encode = await avroEncoder({ name: 'row', shape, registry: { client, subject: 'out-value' } })
  assert.deepEqual([...encode(Buffer.from('{"a":1}'))], [0, 0, 0, 0, 41, 2])
  assert.deepEqual(asked, [['out-value', { type: 'AVRO', text: JSON.stringify(avroSchemaOf('row', shape)), references: [] }]])
})

test('decimals there and back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer({ min: 0, max: 38 }), (raw, scale) => {
      const digits = (raw < 0n ? -raw : raw).toString().padStart(scale + 1, '0')
      const point = digits.length - scale
      const text = `${raw < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`
      assert.equal(decimalText(decimalBytes(text, scale), scale), text)
    }),
  )
})
