// Variances are those of the exact values, rounded once, whatever the order of rows, the states that are merged and the rows that were
// taken away again: checked against fractions over bigint.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { VarianceFunction } from '../../engine/algebra/relation.ts'
import { type Column, valueAt } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'
import { ratio } from '../exact-ratio.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import { batchOf } from '../plain.ts'
import { asStored } from '../testing.ts'
import { Variance } from './variance.ts'

const DOUBLE: Type = { kind: 'double' }
const LONG: Type = { kind: 'long' }
const only = new Int32Array(1)

const columnOf = (type: Type, values: readonly (number | bigint | null)[]): Column =>
  batchOf(
    { fields: [{ name: 'v', type, optional: true }] },
    values.map((value) => [value]),
  ).columns[0]!

const resultOf = (state: Variance): unknown =>
  valueAt({ shape: { fields: [{ name: 'v', type: DOUBLE, optional: true }] }, rows: 1, columns: [state.column(only, 1)] }, 0, 0)

const add = (state: Variance, type: Type, values: readonly (number | bigint | null)[]): void =>
  state.add(new Int32Array(values.length), [columnOf(type, values)], null, values.length)

/** In three states, one restored from a checkpoint and one from a record, in both orders; and what came and went. */
function ways(name: VarianceFunction, type: Type, values: readonly (number | bigint)[]): unknown[] {
  return [values, [...values].reverse()].map((own) => {
    const states = [0, 1, 2].map((part) => {
      const state = new Variance(name, type)
      add(
        state,
        type,
        own.filter((_, i) => i % 3 === part),
      )
      return state
    })
    const restored = new Variance(name, type)
    restored.restore(asStored(states[1]!.save(1)))
    const record = new RecordWriter()
    states[2]!.write(0, record)
    const read = new Variance(name, type)
    const reader = new RecordReader()
    reader.open(record.bytes, 0)
    read.read(0, reader)
    const whole = states[0]!
    whole.merge(restored, only, 1)
    whole.mergeGroup(read, 0, 0)
    const passing = [values[0]!, values.at(-1)!, values[0]!]
    add(whole, type, passing)
    whole.remove(new Int32Array(3), [columnOf(type, passing)], null, 3)
    return resultOf(whole)
  })
}

/** Of whole numbers, in units of 1 / `unit` each. */
function expected(name: VarianceFunction, values: readonly bigint[], unit: bigint): number {
  const n = BigInt(values.length)
  const sum = values.reduce((total, value) => total + value, 0n)
  const squares = values.reduce((total, value) => total + value * value, 0n)
  const apart = n * squares - sum * sum
  const variance = apart === 0n ? 0 : ratio({ digits: apart, exponent: 0 }, n * (name.endsWith('_samp') ? n - 1n : n) * unit * unit)
  return name.startsWith('stddev') ? Math.sqrt(variance) : variance
}

const NAMES: readonly VarianceFunction[] = ['var_samp', 'var_pop', 'stddev_samp', 'stddev_pop']
const anyOf = fc.constantFrom(...NAMES)

test('integers, also of 64 bits', () => {
  const value = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.bigInt({ min: -1_000n, max: 1_000n }))
  fc.assert(
    fc.property(anyOf, fc.array(value, { minLength: 3, maxLength: 30 }), (name, values) => {
      const exact = expected(name, values, 1n)
      assert.deepEqual(ways(name, LONG, values), [exact, exact])
    }),
  )
})

test('decimals of any width', () => {
  for (const precision of [12, 38]) {
    const type: Type = { kind: 'decimal', precision, scale: 3 }
    const most = 10n ** BigInt(precision) - 1n
    fc.assert(
      fc.property(anyOf, fc.array(fc.bigInt({ min: -most, max: most }), { minLength: 3, maxLength: 20 }), (name, values) => {
        const exact = expected(name, values, 1_000n)
        assert.deepEqual(ways(name, type, values), [exact, exact])
      }),
    )
  }
})

test('doubles, which lie close together far from 0 too', () => {
  // Whole multiples of 2^-60.
  const term = fc.tuple(fc.bigInt({ min: -(2n ** 52n), max: 2n ** 52n }), fc.nat(120))
  fc.assert(
    fc.property(anyOf, fc.array(term, { minLength: 3, maxLength: 30 }), (name, terms) => {
      const exact = expected(
        name,
        terms.map(([digits, power]) => digits << BigInt(power)),
        1n << 60n,
      )
      const values = terms.map(([digits, power]) => Number(digits) * 2 ** (power - 60))
      assert.deepEqual(ways(name, DOUBLE, values), [exact, exact])
    }),
  )
  assert.deepEqual(ways('var_samp', DOUBLE, [1e15, 1e15 + 1, 1e15 + 2]), [1, 1])
  assert.deepEqual(ways('var_pop', DOUBLE, [1e150, 1e150, 1e150]), [0, 0])
})

test('of too few rows there is none, of one row of all it is 0', () => {
  for (const name of NAMES) {
    const state = new Variance(name, DOUBLE)
    assert.equal(resultOf(state), null)
    add(state, DOUBLE, [null, 5, null])
    assert.equal(resultOf(state), name.endsWith('_pop') ? 0 : null)
    add(state, DOUBLE, [5])
    assert.equal(resultOf(state), 0)
    state.clear(0)
    assert.equal(resultOf(state), null)
  }
})

test('infinities and what is no number have none, until they go', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1e300]) {
    const state = new Variance('stddev_pop', DOUBLE)
    add(state, DOUBLE, [1, value, 3])
    assert.throws(() => resultOf(state), { code: 'MR_SQL_RUNTIME', message: /beyond the range of DOUBLE/ })
    state.remove(only, [columnOf(DOUBLE, [value])], null, 1)
    assert.equal(resultOf(state), 1)
  }
})
