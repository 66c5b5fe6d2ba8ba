// The sum is the exact one, rounded once: checked against rationals over bigint, in every order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addExact, type Exact, exactValue } from './exact-sum.ts'

const sumOf = (terms: readonly number[]): number => {
  const parts: Exact = []
  for (const term of terms) addExact(parts, term)
  return exactValue(parts)
}

/** A double as an integer multiple of 2^-1074. */
function unitsOf(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, x)
  const bits = view.getBigUint64(0)
  const exponent = Number((bits >> 52n) & 0x7ffn)
  const fraction = bits & 0xfffffffffffffn
  const magnitude = exponent === 0 ? fraction : (fraction | 0x10000000000000n) << BigInt(exponent - 1)
  return bits >> 63n ? -magnitude : magnitude
}

/** The nearest double to an integer multiple of 2^-1074, ties to even. */
function nearest(units: bigint): number {
  const magnitude = units < 0n ? -units : units
  const shift = BigInt(Math.max(0, magnitude.toString(2).length - 53))
  let kept = magnitude >> shift
  const rest = magnitude - (kept << shift)
  const half = shift === 0n ? 0n : 1n << (shift - 1n)
  if (shift > 0n && (rest > half || (rest === half && (kept & 1n) === 1n))) kept++
  const value = Number(kept) * 2 ** (Number(shift) - 1074)
  return units < 0n ? -value : value
}

test('it equals the exact sum, rounded, in any order', () => {
  const term = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }),
    fc.double({ noNaN: true, min: -1, max: 1 }),
    fc.constantFrom(1e16, -1e16, 1, 2 ** -53, 0.1, -0, Number.MIN_VALUE),
  )
  fc.assert(
    fc.property(fc.array(term, { maxLength: 40 }), fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (terms, order) => {
      const expected = nearest(terms.reduce((sum, x) => sum + unitsOf(x), 0n))
      const shuffled = terms.map((x) => [order.next().value!, x] as const).sort(([a], [b]) => a - b)
      assert.equal(sumOf(terms) - 0, expected - 0)
      assert.equal(sumOf(shuffled.map(([, x]) => x)) - 0, expected - 0)
    }),
    { numRuns: 300 },
  )
})

test('sums that are no number', () => {
  assert.equal(sumOf([1, Number.POSITIVE_INFINITY, -5]), Number.POSITIVE_INFINITY)
  assert.ok(Number.isNaN(sumOf([Number.POSITIVE_INFINITY, 1, Number.NEGATIVE_INFINITY, 3])))
  assert.ok(Number.isNaN(sumOf([1, Number.NaN, Number.POSITIVE_INFINITY])))
  assert.equal(sumOf([1e308, 1e308, 1e308]), Number.POSITIVE_INFINITY)
  assert.equal(sumOf([-1e308, -1e308, 5]), Number.NEGATIVE_INFINITY)
  assert.equal(sumOf([]), 0)
})
