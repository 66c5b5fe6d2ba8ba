// What is packed comes out as it went in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { collectedOf, packCollected } from './messages.ts'

const collected = fc.record(
  {
    door: fc.nat(2),
    accepted: fc.nat(),
    rejected: fc.nat(),
    bytes: fc.nat(),
    tookMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  },
  { noNullPrototype: true },
)

test('what was collected', () => {
  fc.assert(
    fc.property(fc.array(collected), (counts) => {
      const numbers: number[] = []
      for (const count of counts) packCollected(numbers, count)
      assert.deepEqual([...collectedOf(Float64Array.from(numbers))], counts)
    }),
  )
})
