// What a change of columns is said to mean, inside of nested ones too.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Field, Type } from '../schema/type.ts'
import { compareShapes } from './compare-shapes.ts'

const INT: Type = { kind: 'int' }
const field = (name: string, type: Type, optional = true, was?: string): Field => ({ name, type, optional, ...(was ? { was } : {}) })
const struct = (...fields: Field[]): Type => ({ kind: 'struct', fields })
const list = (type: Type, optional = true): Type => ({ kind: 'list', element: { type, optional } })
const map = (key: Type, type: Type): Type => ({ kind: 'map', key, value: { type, optional: true } })

const changes = (before: Field[], after: Field[]): string[] =>
  compareShapes({ fields: before }, { fields: after }).map(({ effect, reason }) => `${effect}: ${reason}`)

test('members, elements, keys and values are compared as columns are', () => {
  const before = [field('c', struct(field('a', INT), field('gone', INT), field('l', list(struct(field('x', INT))), false)))]
  const after = [
    field(
      'c',
      struct(field('a', { kind: 'long' }), field('l', list(struct(field('x', { kind: 'string' }), field('y', INT, false)), false), true)),
    ),
  ]
  assert.deepEqual(changes(before, before), [])
  assert.deepEqual(changes(before, after), [
    'breaking: member "gone" of column "c" is removed: who reads it fails',
    'additive: member "a" of column "c" changes from int to long',
    'additive: member "l" of column "c" may now be null',
    'refused: an element of member "l" of column "c" may no longer be null, but stored rows may hold null',
    'refused: member "x" of an element of member "l" of column "c" changes from int to string',
    'refused: member "y" of an element of member "l" of column "c" is added and may not be null, but rows stored before have no value',
  ])
  assert.deepEqual(changes([field('m', map(INT, list(INT)))], [field('m', map({ kind: 'long' }, list({ kind: 'double' })))]), [
    'additive: a key of column "m" changes from int to long',
    'refused: an element of a value of column "m" changes from int to double',
  ])
  assert.deepEqual(changes([field('m', map(INT, INT))], [field('m', list(INT))]), [
    'refused: column "m" changes from map(int, int optional) to list(int optional)',
  ])
})

test('a new name of what was there is a change of name', () => {
  assert.deepEqual(
    changes(
      [field('a', INT), field('s', struct(field('x', INT)))],
      [field('b', INT, true, 'a'), field('s', struct(field('y', INT, true, 'x')))],
    ),
    [
      'breaking: column "a" is called "b" now: who reads or sends it by its old name fails',
      'breaking: member "x" of column "s" is called "y" now: who reads or sends it by its old name fails',
    ],
  )
  assert.deepEqual(changes([field('b', INT)], [field('b', INT, true, 'a')]), [])
})
