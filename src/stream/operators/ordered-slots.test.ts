// Slots in order against an array that is sorted anew, through slots that come, go and weigh other, in numbers that chunks are cut and
// joined at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OrderedSlots } from './ordered-slots.ts'

const SLOTS = 3_000

/** Ranges of slots come or go together, in an order that is not theirs. */
const range = fc.record({
  do: fc.constantFrom('add' as const, 'remove' as const, 'weigh' as const),
  from: fc.nat(SLOTS),
  many: fc.oneof(fc.nat(5), fc.nat(1_200)),
  step: fc.constantFrom(1, 7, 1_009),
})

/** Equal values in several slots. */
const heldIn = (slot: number): number => Math.imul(slot, 2_654_435_761) % 97

const compare = (a: number, b: number): number => heldIn(a) - heldIn(b) || a - b

for (const isWeighted of [false, true])
  test(`as an array that is sorted, ${isWeighted ? 'with weights' : 'each once'}`, () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), fc.nat(2_000), (steps, begun) => {
        const weights = new Map(Array.from({ length: begun }, (_, i) => [(i * 1_009) % SLOTS, 1]))
        const slots = new OrderedSlots([...weights.keys()], compare, isWeighted ? (slot) => weights.get(slot)! : null)
        for (const { do: what, from, many, step } of steps) {
          for (let i = 0; i < many; i++) {
            const slot = (from + i * step) % SLOTS
            const before = weights.get(slot)
            if (what === 'add' && before === undefined) {
              weights.set(slot, isWeighted ? 1 + (slot % 3) : 1)
              slots.add(slot)
            } else if (what === 'remove' && before !== undefined) {
              slots.remove(slot, before)
              weights.delete(slot)
            } else if (what === 'weigh' && before !== undefined && isWeighted) {
              weights.set(slot, before + 2)
              slots.weigh(slot, 2)
            }
          }
          const all = [...weights.keys()].sort(compare).flatMap((slot) => new Array<number>(weights.get(slot)!).fill(slot))
          assert.deepEqual([slots.size, slots.weight], [weights.size, all.length])
          assert.deepEqual(
            all.map((_, place) => slots.at(place)),
            all,
          )
        }
      }),
      { numRuns: 60 },
    )
  })

test('one is found in a few steps, however many there are', () => {
  let compared = 0
  const counted = (a: number, b: number): number => {
    compared++
    return a - b
  }
  const all = Array.from({ length: 100_000 }, (_, i) => 2 * i)
  const slots = new OrderedSlots(all, counted)
  compared = 0
  for (let slot = 1; slot < 200_000; slot += 200) {
    slots.add(slot)
    slots.remove(slot - 1)
  }
  assert.ok(compared < 2_000 * 25, `${compared} comparisons of 2,000 slots`)
  assert.deepEqual([slots.at(0), slots.at(1), slots.at(99_999)], [1, 2, 199_998])
})
