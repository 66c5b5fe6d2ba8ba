// Sums are exact and independent of order, of how rows are spread over states that are merged, and of checkpoints.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { batchOf } from '../../engine/testing.ts'
import { type Column, valueAt } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'
import { asStored } from '../testing.ts'
import { ExactSum, RealSum } from './sum.ts'

const LONG: Type = { kind: 'long' }
const only = new Int32Array(1)

function sumOf(state: ExactSum | RealSum, type: Type): unknown {
  const shape = { fields: [{ name: 'v', type, optional: true }] }
  return valueAt({ shape, rows: 1, columns: [state.column(only, 1)] }, 0, 0)
}

const columnOf = (type: Type, values: readonly (number | bigint)[]): Column =>
  batchOf(
    { v: type },
    values.map((value) => [value]),
  ).columns[0]!

/** Rows in three states, one of them restored, merged in both orders. */
function merged<S extends ExactSum | RealSum>(make: () => S, type: Type, values: readonly (number | bigint)[], type_: Type): unknown[] {
  return [values, [...values].reverse()].map((own) => {
    const states = [0, 1, 2].map((part) => {
      const state = make()
      const some = own.filter((_, i) => i % 3 === part)
      state.add(new Int32Array(some.length), [columnOf(type, some)], null, some.length)
      return state
    })
    const restored = make()
    restored.restore(asStored(states[1]!.save(1)))
    states[0]!.merge(restored, only, 1)
    states[0]!.mergeGroup(states[2]!, 0, 0)
    return sumOf(states[0]!, type_)
  })
}

test('integers beyond 2^53 and beyond 64 bits', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 3, maxLength: 40 }), (values) => {
      const total = String(values.reduce((sum, value) => sum + value, 0n))
      const huge: Type = { kind: 'decimal', precision: 38, scale: 0 }
      assert.deepEqual(
        merged(() => new ExactSum('sum', LONG), LONG, values, huge),
        [total, total],
      )
    }),
  )
})

test('doubles are the exact sum, rounded once', () => {
  // Whole multiples of 2^-60 add up exactly as integers.
  const term = fc
    .tuple(fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }), fc.nat(120))
    .map(([digits, power]) => [digits << BigInt(power), digits, power] as const)
  fc.assert(
    fc.property(fc.array(term, { minLength: 3, maxLength: 40 }), (terms) => {
      const values = terms.map(([, digits, power]) => Number(digits) * 2 ** (power - 60))
      const exact = Number(terms.reduce((sum, [whole]) => sum + whole, 0n)) * 2 ** -60
      const double: Type = { kind: 'double' }
      assert.deepEqual(
        merged(() => new RealSum('sum'), double, values, double),
        [exact, exact].map((value) => value + 0),
      )
    }),
  )
})

test('no row gives null, infinities of both signs give NaN', () => {
  const double: Type = { kind: 'double' }
  assert.equal(sumOf(new RealSum('sum'), double), null)
  assert.equal(sumOf(new ExactSum('avg', LONG), double), null)
  assert.deepEqual(
    merged(() => new RealSum('sum'), double, [1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], double),
    [Number.NaN, Number.NaN],
  )
})
