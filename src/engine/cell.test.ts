// Text of dates and times against the machine's own calendar.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimalText, isoDate, isoMicros, isoSafeMicros, isoTime, shortestFloat } from './cell.ts'

test('dates as Date prints them, over four-digit years and beyond', () => {
  const check = (days: number): void => assert.equal(isoDate(days), new Date(days * 86_400_000).toISOString().slice(0, -14))
  for (const days of [0, -1, -719_528, -719_529, 2_932_896, 2_932_897, 11_016, 19_782, -25_509]) check(days)
  fc.assert(fc.property(fc.integer({ min: -3_000_000, max: 4_000_000 }), check), { numRuns: 2_000 })
  assert.deepEqual([isoDate(2_147_483_647), isoDate(-2_147_483_647)], ['infinity', '-infinity'])
})

test('instants, fast and exact, agree', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (micros) => {
      assert.equal(isoSafeMicros(micros, 'Z'), isoMicros(BigInt(micros), 'Z'))
    }),
    { numRuns: 2_000 },
  )
  assert.deepEqual(
    [isoMicros(2n ** 63n - 1n, 'Z'), isoMicros(-(2n ** 63n) + 1n, ''), isoSafeMicros(-1, 'Z'), isoSafeMicros(-1, '')],
    ['infinity', '-infinity', '1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999999'],
  )
})

test('times, decimals, floats', () => {
  assert.deepEqual([isoTime(0), isoTime(86_399_000_001), isoTime(0, true)], ['00:00:00', '23:59:59.000001', '00:00:00.000000'])
  assert.deepEqual(
    [decimalText('5', 2), decimalText('-5', 2), decimalText('123', 0), decimalText('-12345', 2)],
    ['0.05', '-0.05', '123', '-123.45'],
  )
  assert.deepEqual(
    [0.1, 16777217, 3.4028235e38, 1.4013e-45].map((value) => shortestFloat(Math.fround(value))),
    [0.1, 16777216, 3.4028235e38, 1.4013e-45],
  )
  fc.assert(fc.property(fc.float({ noNaN: true }), (value) => assert.equal(Math.fround(shortestFloat(value)), value)))
})
