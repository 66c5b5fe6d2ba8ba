// The key table against a Map, through growth, expiry and keys that collide in the index.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { digestBody, digestKey, type KeyEntry, KeyTable } from './key-table.ts'

/** Few different first words, so that many keys want one place. */
const keyOf = (number: number): string => (number % 3).toString(16).padStart(8, '0') + number.toString(16).padStart(24, '0')
const entryOf = (key: number, first: number): KeyEntry => ({
  key: keyOf(key),
  body: '00000000ffffffff',
  first,
  count: 2,
  timeMs: first * 10,
})

test('behaves as a map in the order of time', () => {
  const action = fc.oneof(
    { weight: 8, arbitrary: fc.record({ add: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ expire: fc.integer({ min: 0, max: 120 }) }) },
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300, size: 'max' }), (actions) => {
      const table = new KeyTable()
      let model: KeyEntry[] = []
      let first = 0
      for (const act of actions) {
        if ('add' in act) {
          if (model.some((entry) => entry.key === keyOf(act.add))) continue
          const entry = entryOf(act.add, first++)
          table.add(entry)
          model.push(entry)
        } else {
          const beforeMs = (first - act.expire) * 10
          table.expire(beforeMs)
          model = model.filter((entry) => entry.timeMs >= beforeMs)
        }
      }
      assert.equal(table.size, model.length)
      for (let key = 0; key <= 400; key++)
        assert.deepEqual(
          table.get(keyOf(key)),
          model.find((entry) => entry.key === keyOf(key)),
        )
      const middle = Math.floor(first / 2)
      assert.deepEqual(
        table.from(middle),
        model.filter((entry) => entry.first >= middle),
      )
    }),
    { numRuns: 60 },
  )
})

test('a key that comes again after its time takes the place of the old one', () => {
  const table = new KeyTable()
  table.add(entryOf(1, 0))
  table.add(entryOf(1, 5))
  assert.equal(table.get(keyOf(1))?.first, 5)
  table.expire(10)
  assert.equal(table.get(keyOf(1))?.first, 5)
  table.expire(60)
  assert.equal(table.get(keyOf(1)), undefined)
  assert.equal(table.size, 0)
})

test('digests have their stored form', () => {
  assert.equal(digestKey('abc'), 'ba7816bf8f01cfea414140de5dae2223')
  assert.equal(digestBody('abc'), 'ba7816bf8f01cfea')
})
