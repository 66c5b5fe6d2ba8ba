// Which changes of a shape are found, and which are safe.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareShapes, isSafeEvolution } from './evolve.ts'
import type { Shape, Type } from './type.ts'

const shapeOf = (type: Type, optional = true): Shape => ({ fields: [{ name: 'x', type, optional }] })
const found = (before: Shape, after: Shape): [string, boolean][] => compareShapes(before, after).map(({ kind, safe }) => [kind, safe])
const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })

test('types: what Iceberg promotes is safe, the rest is not', () => {
  const cases: [Type, Type, [string, boolean][]][] = [
    [{ kind: 'int' }, { kind: 'long' }, [['widened', true]]],
    [{ kind: 'float' }, { kind: 'double' }, [['widened', true]]],
    [decimal(10, 2), decimal(12, 2), [['widened', true]]],
    [decimal(10, 2), decimal(12, 3), [['incompatible', false]]],
    [decimal(10, 2), decimal(9, 2), [['incompatible', false]]],
    [{ kind: 'long' }, { kind: 'int' }, [['incompatible', false]]],
    [{ kind: 'enum', values: ['a'] }, { kind: 'string' }, [['reinterpreted', true]]],
    [{ kind: 'string' }, { kind: 'enum', values: ['a'] }, [['reinterpreted', false]]],
    [{ kind: 'string' }, { kind: 'json' }, [['reinterpreted', false]]],
    [
      { kind: 'enum', values: ['a', 'b'] },
      { kind: 'enum', values: ['b', 'c'] },
      [
        ['values-added', true],
        ['values-removed', false],
      ],
    ],
    [{ kind: 'enum', values: ['a', 'b'] }, { kind: 'enum', values: ['b', 'a'] }, []],
    [{ kind: 'uuid' }, { kind: 'uuid' }, []],
  ] // prettier-ignore
  for (const [from, to, expected] of cases) assert.deepEqual(found(shapeOf(from), shapeOf(to)), expected, `${from.kind} -> ${to.kind}`)
})

test('fields: optional ones may come, any may go', () => {
  const nothing: Shape = { fields: [] }
  assert.deepEqual(found(nothing, shapeOf({ kind: 'int' })), [['added', true]])
  assert.deepEqual(found(nothing, shapeOf({ kind: 'int' }, false)), [['added', false]])
  assert.deepEqual(found(shapeOf({ kind: 'int' }), nothing), [['dropped', true]])
  assert.deepEqual(found(shapeOf({ kind: 'int' }, false), shapeOf({ kind: 'long' })), [
    ['widened', true],
    ['relaxed', true],
  ]) // prettier-ignore
  assert.deepEqual(found(shapeOf({ kind: 'int' }), shapeOf({ kind: 'int' }, false)), [['tightened', false]])
  assert.equal(isSafeEvolution(shapeOf({ kind: 'int' }), shapeOf({ kind: 'long' })), true)
  assert.equal(isSafeEvolution(shapeOf({ kind: 'int' }), shapeOf({ kind: 'string' })), false)
  assert.match(compareShapes(shapeOf({ kind: 'int' }), shapeOf({ kind: 'string' }))[0]!.message, /field x changes its type: int -> string/)
})
