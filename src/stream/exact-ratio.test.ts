// Doubles go to whole numbers and back without loss; a ratio is the nearest double.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { plus, ratio, sumOf, times } from './exact-ratio.ts'

const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
const wholeOf = (bits: number): fc.Arbitrary<bigint> => fc.bigInt({ min: 1n, max: 1n << BigInt(bits) })

test('a double is what it was', () => {
  fc.assert(
    fc.property(finite, (x) => {
      const { digits, exponent } = sumOf([x])
      assert.equal(ratio({ digits: digits < 0n ? -digits : digits, exponent }, 1n), Math.abs(x))
    }),
    { numRuns: 500 },
  )
  for (const x of [Number.MAX_VALUE, Number.MIN_VALUE, 2 ** -1022, 1, 3]) assert.equal(ratio(sumOf([x]), 1n), x)
  assert.equal(ratio(times(sumOf([1e200]), sumOf([1e200])), 1n), Number.POSITIVE_INFINITY)
})

test('sums and products are exact', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer(), fc.integer({ min: -40, max: 40 })), { maxLength: 20 }), (terms) => {
      const values = terms.map(([digits, power]) => digits * 2 ** power)
      const exact = terms.reduce((sum, [digits, power]) => sum + (BigInt(digits) << BigInt(power + 40)), 0n)
      const { digits, exponent } = sumOf(values)
      // In units of 2^-80, which the square of the least term has.
      assert.equal(digits << BigInt(exponent + 1_200), exact << 1_160n)
      const square = times({ digits, exponent }, { digits, exponent })
      assert.equal(square.digits << BigInt(square.exponent + 2_400), (exact * exact) << 2_320n)
      assert.equal(plus(square, { ...square, digits: -square.digits }).digits, 0n)
    }),
  )
})

test('no double is nearer to a ratio', () => {
  fc.assert(
    fc.property(wholeOf(200), wholeOf(120), (over, by) => {
      const nearest = ratio({ digits: over, exponent: 0 }, by)
      /** |over / by - x|, in units of 1 / (by * 2^1200). */
      const distanceTo = (x: number): bigint => {
        const { digits, exponent } = sumOf([x])
        const apart = (over << 1_200n) - ((digits * by) << BigInt(exponent + 1_200))
        return apart < 0n ? -apart : apart
      }
      const step = nearest * 2 ** -52
      for (const other of [nearest - step, nearest + step, nearest - step / 2, nearest + step / 2])
        assert.ok(distanceTo(nearest) <= distanceTo(other), `${over} / ${by}: ${other} is nearer than ${nearest}`)
    }),
    { numRuns: 500 },
  )
  // Half-way between two doubles but for the last digit of a long number.
  assert.equal(ratio({ digits: (2n ** 53n + 1n) * 2n ** 100n, exponent: -100 }, 1n), 2 ** 53)
  assert.equal(ratio({ digits: (2n ** 53n + 1n) * 2n ** 100n + 1n, exponent: -100 }, 1n), 2 ** 53 + 2)
})
