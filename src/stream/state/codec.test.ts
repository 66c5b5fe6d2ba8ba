// What state keeps of a value is what JSON would give back of it, and shares nothing with what user code has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { codecOf } from './codec.ts'
import { SmallMap } from './small-map.ts'

test('json: kept and given as JSON has it, whatever user code gives', () => {
  const { keep, give } = codecOf({ kind: 'json' })
  const odd = fc.constantFrom<unknown>(undefined, Number.NaN, -0, Number.POSITIVE_INFINITY, new Date(0), Object.create(null), [undefined], {
    toJSON: () => 'own',
  })
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      fc.jsonValue(),
      odd,
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', '__proto__', '1', 'b'), tie('any'), { maxKeys: 3 }),
    ),
  })).any
  fc.assert(
    fc.property(value, (given) => {
      const expected: unknown = JSON.parse(JSON.stringify(given ?? null) ?? 'null')
      const kept = keep(given)
      assert.deepEqual(kept, expected)
      const own = give(kept)
      assert.deepEqual(own, expected)
      if (typeof own === 'object' && own !== null) {
        assert.notEqual(own, kept)
        assert.notEqual(kept, given)
      }
    }),
    { numRuns: 500 },
  )
})

test('a small map is a map, however many members it has', () => {
  const step = fc.record({ key: fc.integer({ min: 0, max: 30 }).map(String), value: fc.option(fc.integer()) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const small = new SmallMap<number>()
      const map = new Map<string, number>()
      for (const { key, value } of steps) {
        if (value === null) {
          small.delete(key)
          map.delete(key)
        } else {
          small.set(key, value)
          map.set(key, value)
        }
        assert.equal(small.get(key), map.get(key))
        assert.equal(small.size, map.size)
      }
      assert.deepEqual(new Map(small.entries()), map)
      for (let at = small.first; at !== null; at = at.next) if (at.value % 2 === 0) small.remove(at)
      assert.deepEqual(new Map(small.entries()), new Map([...map].filter(([, value]) => value % 2 !== 0)))
    }),
  )
})
