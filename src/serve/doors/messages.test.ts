// What is packed comes out as it went in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Append } from '../../log/log.ts'
import { appendedOf, callsOf, collectedOf, packAppended, Turn } from './messages.ts'

const FINGERPRINTS = ['a', 'b', 'c']
const PLAIN = { noNullPrototype: true }

const part = (door: number): fc.Arbitrary<Append> =>
  fc
    .record({
      partition: fc.nat(200),
      kind: fc.constantFrom('rows' as const, 'rejects' as const),
      count: fc.integer({ min: 1, max: 1e6 }),
      payload: fc.uint8Array({ minLength: 1, maxLength: 50 }),
      idempotency: fc.option(fc.record({ key: fc.string(), hash: fc.string() }, PLAIN), { nil: undefined }),
    })
    .map(({ idempotency, ...rest }) => ({
      ...rest,
      fingerprint: rest.kind === 'rows' ? FINGERPRINTS[door]! : '',
      ...(idempotency ? { idempotency } : {}),
    }))

const call = fc
  .record({ call: fc.nat(2 ** 40), door: fc.nat(2) })
  .chain(({ call, door }) => fc.array(part(door), { minLength: 1, maxLength: 3 }).map((parts) => ({ call, door, parts })))

const collected = fc.record(
  {
    door: fc.nat(2),
    accepted: fc.nat(),
    rejected: fc.nat(),
    bytes: fc.nat(),
    tookMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  },
  PLAIN,
)

test('a turn of calls and of what was collected', () => {
  fc.assert(
    fc.property(fc.array(call), fc.array(collected), (calls, counts) => {
      const turn = new Turn()
      for (const { call, door, parts } of calls) turn.append(call, door, parts)
      for (const count of counts) turn.collected(count)
      const packed = turn.take()
      const got = [...callsOf(packed, FINGERPRINTS)]
      assert.deepEqual(plain(got), plain(calls))
      assert.deepEqual([...collectedOf(packed)], counts)
      assert.deepEqual([...callsOf(turn.take(), FINGERPRINTS)], [])
    }),
  )
})

const plain = (calls: readonly { call: number; door: number; parts: readonly Append[] }[]): unknown =>
  calls.map(({ call, door, parts }) => ({ call, door, parts: parts.map((one) => ({ ...one, payload: [...one.payload] })) }))

test('answers of the log', () => {
  const appended = fc.record(
    { partition: fc.nat(9), first: fc.integer({ min: -1 }), last: fc.integer({ min: -1 }), duplicate: fc.boolean() },
    PLAIN,
  )
  fc.assert(
    fc.property(fc.array(fc.record({ call: fc.nat(), appended: fc.array(appended, { maxLength: 3 }) }, PLAIN)), (answers) => {
      const numbers: number[] = []
      for (const { call, appended } of answers) packAppended(numbers, call, appended)
      assert.deepEqual([...appendedOf(Float64Array.from(numbers))], answers)
    }),
  )
})
