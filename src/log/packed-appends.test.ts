// What is packed comes out as it went in.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Append } from './log.ts'
import { AppendPacker, appendedOf, callsOf, packAppended } from './packed-appends.ts'

const FINGERPRINTS = ['a', 'b', 'c']
const PLAIN = { noNullPrototype: true }

const part = (topic: number): fc.Arbitrary<Append> =>
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
      fingerprint: rest.kind === 'rows' ? FINGERPRINTS[topic]! : '',
      ...(idempotency ? { idempotency } : {}),
    }))

const call = fc
  .record({ call: fc.nat(2 ** 40), topic: fc.nat(2) })
  .chain(({ call, topic }) => fc.array(part(topic), { minLength: 1, maxLength: 3 }).map((parts) => ({ call, topic, parts })))

test('a turn of calls', () => {
  fc.assert(
    fc.property(fc.array(call), (calls) => {
      const packer = new AppendPacker()
      for (const { call, topic, parts } of calls) packer.add(call, topic, parts)
      assert.equal(packer.isEmpty, calls.length === 0)
      assert.deepEqual(plain([...callsOf(packer.take(), FINGERPRINTS)]), plain(calls))
      assert.deepEqual([...callsOf(packer.take(), FINGERPRINTS)], [])
    }),
  )
})

const plain = (calls: readonly { call: number; topic: number; parts: readonly Append[] }[]): unknown =>
  calls.map(({ call, topic, parts }) => ({ call, topic, parts: parts.map((one) => ({ ...one, payload: [...one.payload] })) }))

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
