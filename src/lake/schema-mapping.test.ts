// Shapes and Iceberg schemas: types, ids that are given once, and every kind of evolution.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Field, Shape, Type } from '../schema/type.ts'
import { partsOf } from './nested-type.ts'
import { type Numbered, schemaToShape, shapeToSchema } from './schema-mapping.ts'
import type { LakeField } from './types.ts'

const field = (name: string, type: Type, optional = true): Field => ({ name, type, optional })
const shape = (...fields: Field[]): Shape => ({ fields })
const long: Type = { kind: 'long' }
const int: Type = { kind: 'int' }
const string: Type = { kind: 'string' }

const ids = ({ schema }: Numbered) => Object.fromEntries(schema.fields.map((one) => [one.name, one.id]))
const evolve = (previous: Numbered, next: Shape, renames?: Record<string, string>) =>
  shapeToSchema(next, previous, renames ? { renames } : {})
const refused = (action: () => unknown, message: RegExp) =>
  assert.throws(action, (error: { code: string; message: string }) => error.code === 'MR_SCHEMA_EVOLUTION' && message.test(error.message))

test('every type has its Iceberg type; enum and json come back as string', () => {
  const all = shape(
    field('a', { kind: 'boolean' }),
    field('b', int),
    field('c', long, false),
    field('d', { kind: 'float' }),
    field('e', { kind: 'double' }),
    field('f', { kind: 'decimal', precision: 12, scale: 2 }),
    field('g', { kind: 'date' }),
    field('h', { kind: 'time' }),
    field('i', { kind: 'timestamp' }),
    { ...field('j', string), doc: 'a name' },
    field('k', { kind: 'uuid' }),
    field('l', { kind: 'binary' }),
    field('m', { kind: 'json' }),
    field('n', { kind: 'enum', values: ['x'] }),
    field('o', { kind: 'datetime' }),
  )
  const { schema, lastColumnId } = shapeToSchema(all, undefined, { key: ['c'] })
  assert.deepEqual(
    schema.fields.map((one) => one.type),
    [
      'boolean',
      'int',
      'long',
      'float',
      'double',
      'decimal(12, 2)',
      'date',
      'time',
      'timestamptz',
      'string',
      'uuid',
      'binary',
      'string',
      'string',
      'timestamp',
    ],
  )
  assert.equal(lastColumnId, 15)
  assert.deepEqual(schema.identifierIds, [3])
  const back = schemaToShape(schema)
  assert.deepEqual(back.fields.slice(0, 12), all.fields.slice(0, 12))
  assert.deepEqual(
    back.fields.slice(12).map((one) => one.type.kind),
    ['string', 'string', 'datetime'],
  )
})

test('identifier fields need every key column to be required', () => {
  assert.deepEqual(shapeToSchema(shape(field('a', long)), undefined, { key: ['a'] }).schema.identifierIds, [])
})

test('a column keeps its id through rename and reorder; one that comes back is new', () => {
  const first = shapeToSchema(shape(field('a', long), field('b', string)))
  const renamed = evolve(first, shape(field('c', string), field('a', long)), { b: 'c' })
  assert.deepEqual(ids(renamed), { c: 2, a: 1 })
  const dropped = evolve(renamed, shape(field('a', long)))
  const again = evolve(dropped, shape(field('a', long), field('c', string)))
  assert.deepEqual(ids(again), { a: 1, c: 3 })
  const swapped = evolve(first, shape(field('b', long), field('a', string)), { a: 'b', b: 'a' })
  assert.deepEqual(ids(swapped), { b: 1, a: 2 })
  const replaced = evolve(first, shape(field('a', long), field('b', int), field('old', string)), { b: 'old' })
  assert.deepEqual(ids(replaced), { a: 1, b: 3, old: 2 })
})

test('types may widen, and nothing else', () => {
  const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })
  const allowed: [Type, Type][] = [
    [int, long],
    [{ kind: 'float' }, { kind: 'double' }],
    [decimal(9, 2), decimal(12, 2)],
    [string, { kind: 'enum', values: ['a'] }],
    [{ kind: 'json' }, string],
  ]
  const forbidden: [Type, Type][] = [
    [long, int],
    [{ kind: 'double' }, { kind: 'float' }],
    [decimal(9, 2), decimal(9, 3)],
    [decimal(9, 2), decimal(8, 2)],
    [int, string],
    [int, { kind: 'double' }],
    [{ kind: 'date' }, { kind: 'timestamp' }],
    [{ kind: 'timestamp' }, { kind: 'datetime' }],
    [{ kind: 'datetime' }, { kind: 'timestamp' }],
  ]
  for (const [from, to] of allowed) assert.equal(ids(evolve(shapeToSchema(shape(field('a', from))), shape(field('a', to))))['a'], 1)
  for (const [from, to] of forbidden)
    refused(() => evolve(shapeToSchema(shape(field('a', from))), shape(field('a', to))), /column a is a .* cannot become/)
})

test('required may become optional, not the other way; a new column must be optional', () => {
  const required = shapeToSchema(shape(field('a', long, false)))
  assert.equal(evolve(required, shape(field('a', long, true))).schema.fields[0]!.required, false)
  refused(() => evolve(shapeToSchema(shape(field('a', long))), shape(field('a', long, false))), /optional and cannot become required/)
  refused(() => evolve(required, shape(field('a', long, false), field('b', long, false))), /new column b is required/)
})

test('renames must name what there is; a column in use may not be dropped', () => {
  const first = shapeToSchema(shape(field('a', long), field('b', long)))
  refused(() => evolve(first, shape(field('a', long), field('x', long)), { nope: 'x' }), /nope cannot be renamed/)
  refused(() => evolve(first, shape(field('a', long), field('b', long)), { b: 'x' }), /renamed to x, which/)
  refused(() => shapeToSchema(shape(field('a', long)), first, { inUse: new Map([[2, 'partition']]) }), /b cannot be dropped.*partition/)
})

test('the same shape gives the same schema back', () => {
  const first = shapeToSchema(shape(field('a', long), field('b', string)))
  assert.equal(evolve(first, shape(field('a', long), field('b', { kind: 'json' }))), first)
})

test('over any history of adding and dropping no id is given twice', () => {
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }), { maxLength: 12 }), (history) => {
      let current = shapeToSchema(shape(field('a', long)))
      const owner = new Map<number, string>([[1, 'a']])
      let before = new Set([1])
      for (const names of history) {
        current = evolve(current, shape(...names.map((name) => field(name, long))))
        for (const one of current.schema.fields) {
          if (!before.has(one.id)) assert.ok(!owner.has(one.id), 'a dead id came back')
          owner.set(one.id, one.name)
        }
        before = new Set(current.schema.fields.map((one) => one.id))
      }
    }),
  )
})

test('types that are not here are refused by name; of nanoseconds the microseconds are read', () => {
  const schema = (type: string) => ({ id: 0, fields: [{ id: 1, name: 'at', type, required: false }], identifierIds: [] })
  for (const type of ['unknown', 'variant'])
    assert.throws(() => schemaToShape(schema(type)), {
      code: 'MR_SCHEMA_TYPE',
      message: new RegExp(`column at has the Iceberg type ${type}`),
    })
  assert.throws(() => schemaToShape(schema('list<int>')), { code: 'MR_SCHEMA_TYPE' })
  const kinds = ['timestamp_ns', 'timestamptz_ns'].map((type) => schemaToShape(schema(type)).fields[0]!.type.kind)
  assert.deepEqual(kinds, ['datetime', 'timestamp'])
})

test('names that differ in case alone are refused, also inside of a struct', () => {
  const twins = ['b', 'c', 'B'].map((name, id) => ({ id, name, type: 'int', required: false }))
  const inside: LakeField = { id: 9, name: 's', type: { type: 'struct', fields: twins }, required: false }
  for (const fields of [twins, [inside]])
    assert.throws(() => schemaToShape({ id: 0, fields, identifierIds: [] }), { code: 'MR_SCHEMA_TYPE', message: /the names b and B/ })
})

const struct = (...fields: Field[]): Type => ({ kind: 'struct', fields })
const list = (type: Type, optional = true): Type => ({ kind: 'list', element: { type, optional } })
const map = (type: Type, optional = true): Type => ({ kind: 'map', key: string, value: { type, optional } })

/** Ids of all parts by their path. */
function allIds({ schema }: Numbered): Record<string, number> {
  const paths = (one: LakeField, place: string): [string, number][] => [
    [place, one.id],
    ...partsOf(one.type).flatMap((part) => paths(part, `${place}.${part.name}`)),
  ]
  return Object.fromEntries(schema.fields.flatMap((one) => paths(one, one.name)))
}

test('parts of nested types have ids of their own, given once, at every depth', () => {
  const first = shapeToSchema(
    shape(field('id', long, false), field('s', struct(field('a', int), field('l', list(struct(field('x', int), field('y', string))))))),
  )
  assert.deepEqual(allIds(first), { id: 1, s: 2, 's.a': 3, 's.l': 4, 's.l.element': 5, 's.l.element.x': 6, 's.l.element.y': 7 })
  const second = evolve(
    first,
    shape(field('id', long, false), field('s', struct(field('l', list(struct(field('x', long), field('z', map(string)))))))),
  )
  assert.deepEqual(allIds(second), {
    id: 1,
    s: 2,
    's.l': 4,
    's.l.element': 5,
    's.l.element.x': 6,
    's.l.element.z': 8,
    's.l.element.z.key': 9,
    's.l.element.z.value': 10,
  })
  const third = evolve(
    second,
    shape(field('id', long, false), field('s', struct(field('a', int), field('l', list(struct(field('y', string), field('x', long))))))),
  )
  assert.deepEqual(allIds(third), { id: 1, s: 2, 's.a': 11, 's.l': 4, 's.l.element': 5, 's.l.element.y': 12, 's.l.element.x': 6 })
  assert.equal(evolve(third, schemaToShape(third.schema)), third)
  assert.equal(third.lastColumnId, 12)
})

test('what may be null inside a nested type is stored, and may only become more', () => {
  const before = shapeToSchema(shape(field('s', struct(field('a', int, false), field('l', list(int, false)), field('m', map(int, false))))))
  assert.deepEqual(
    schemaToShape(before.schema).fields[0]!.type,
    struct(field('a', int, false), field('l', list(int, false)), field('m', map(int, false))),
  )
  const after = evolve(before, shape(field('s', struct(field('a', int), field('l', list(int)), field('m', map(int))))))
  assert.notEqual(after, before)
  refused(() => evolve(after, schemaToShape(before.schema)), /s\.a is optional and cannot become required/)
  refused(() => evolve(after, shape(field('s', struct(field('a', int), field('l', list(int, false)))))), /s\.l\.element is optional/)
})

test('what says what it was goes on, columns and members, unless the old name is taken or the new one is known', () => {
  const was = (name: string, type: Type, old: string): Field => ({ ...field(name, type), was: old })
  const first = shapeToSchema(shape(field('a', int), field('s', list(struct(field('x', int), field('y', string))))))
  const renamed = shape(was('b', int, 'a'), was('t', list(struct(was('z', long, 'x'), field('y', string))), 's'))
  const second = evolve(first, renamed)
  assert.deepEqual(allIds(second), { b: 1, t: 2, 't.element': 3, 't.element.z': 4, 't.element.y': 5 })
  assert.equal(evolve(second, renamed), second, 'it stays said')
  const swapped = evolve(
    second,
    shape(was('a', int, 'b'), field('b', int), field('t', list(struct(was('y', string, 'z'), field('z', long))))),
  )
  assert.deepEqual(allIds(swapped), { a: 6, b: 1, t: 2, 't.element': 3, 't.element.y': 5, 't.element.z': 4 })
  refused(() => evolve(first, shape(was('b', string, 'a'))), /the column a is a int and cannot become a string/)
})
