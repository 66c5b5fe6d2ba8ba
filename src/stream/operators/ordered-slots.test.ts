// Slots in order against a plain array: slots that come, go and weigh other, in numbers that chunks are cut and joined at.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SEED } from '../../../test/seed.ts'
import { integer, seededRandom } from '../../core/random.ts'
import { OrderedSlots, type Place } from './ordered-slots.ts'

const SLOTS = 3_000

/** Ranges of slots come or go together, in an order that is not theirs. */
const range = fc.record({
  do: fc.constantFrom('insert' as const, 'remove' as const, 'weigh' as const),
  from: fc.nat(SLOTS),
  many: fc.oneof(fc.nat(5), fc.nat(1_200)),
  step: fc.constantFrom(1, 7, 1_009),
})

/** Equal values in several slots. */
const heldIn = (slot: number): number => Math.imul(slot, 2_654_435_761) % 97

const compare = (a: number, b: number): number => heldIn(a) - heldIn(b) || a - b

const placeOf = (slots: OrderedSlots, slot: number): Place => slots.behind((other) => compare(other, slot) < 0)

for (const isWeighted of [false, true])
  test(`as an array that is sorted, ${isWeighted ? 'with weights' : 'each once'}`, () => {
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 12 }), fc.nat(2_000), fc.nat(4_000), (steps, begun, bound) => {
        const weights = new Map(Array.from({ length: begun }, (_, i) => [(i * 1_009) % SLOTS, 1]))
        const slots = new OrderedSlots([...weights.keys()].sort(compare), isWeighted ? (slot) => weights.get(slot)! : undefined)
        for (const { do: what, from, many, step } of steps) {
          for (let i = 0; i < many; i++) {
            const slot = (from + i * step) % SLOTS
            const place = placeOf(slots, slot)
            const before = weights.get(slot)
            if (before !== undefined) assert.equal(slots.slotAt(place), slot)
            if (what === 'insert' && before === undefined) {
              weights.set(slot, isWeighted ? 1 + (slot % 3) : 1)
              slots.insert(place, slot)
            } else if (what === 'remove' && before !== undefined) {
              slots.remove(place, before)
              weights.delete(slot)
            } else if (what === 'weigh' && before !== undefined && isWeighted) {
              weights.set(slot, before + 2)
              slots.weigh(place, 2)
            }
          }
          const plain = [...weights.keys()].sort(compare)
          const weighed = plain.flatMap((slot) => new Array<number>(weights.get(slot)!).fill(slot))
          assert.deepEqual([slots.size, slots.weight], [plain.length, weighed.length])
          assert.deepEqual([...slots.slice()], plain)
          assert.deepEqual([...slots.slice(from, bound)], plain.slice(from, Math.max(from, bound)))
          assert.deepEqual(
            weighed.map((_, weight) => slots.slotBeyond(weight)),
            weighed,
          )
          // Also of slots that are not in, and of values: where several are equal, before the first and behind the last.
          for (const isBefore of [
            (other: number) => compare(other, from) < 0,
            (other: number) => heldIn(other) < heldIn(from),
            (other: number) => heldIn(other) <= heldIn(from),
            () => true,
          ]) {
            const index = plain.filter(isBefore).length
            const place = slots.behind(isBefore)
            assert.equal(slots.slotAt(place), plain[index])
            assert.deepEqual([slots.count(place, SLOTS), slots.count(place, bound)], [index, Math.min(index, bound)])
          }
        }
      }),
      { numRuns: 60 },
    )
  })

test('slots stand where they were put, in chunks that are cut and joined', () => {
  const random = seededRandom(SEED)
  const slots = new OrderedSlots()
  let plain: number[] = []
  let most = 0
  for (let step = 0; step < 40_000; step++) {
    const value = integer(random, 20_000)
    const isIn = plain.length > 0 && random.next() < (step < 20_000 ? 0.3 : 0.7)
    const at = plain.findIndex((other) => other >= value)
    const place = slots.behind((other) => other < value)
    const index = at < 0 ? plain.length : at
    if (step % 97 === 0) {
      assert.equal(slots.slotAt(place), plain[index])
      assert.deepEqual([slots.count(place, 1_000_000), slots.count(place, 5)], [index, Math.min(index, 5)])
    }
    if (isIn && slots.slotAt(place) !== undefined) {
      slots.remove(place)
      plain = plain.toSpliced(index, 1)
    } else {
      slots.insert(place, value)
      plain = plain.toSpliced(index, 0, value)
    }
    if (step % 1_000 !== 0) continue
    most = Math.max(most, plain.length)
    const [from, until] = [integer(random, plain.length + 1), integer(random, plain.length + 100)]
    assert.deepEqual([...slots.slice()], plain)
    assert.deepEqual([slots.size, [...slots.slice(from, until)]], [plain.length, from < until ? plain.slice(from, until) : []])
  }
  assert.ok(most > 5_000 && plain.length < 1_000, `from ${most} to ${plain.length}`)
})

test('one is found in a few steps, however many there are', () => {
  let compared = 0
  const find = (slot: number): Place =>
    slots.behind((other) => {
      compared++
      return other < slot
    })
  const slots = new OrderedSlots(Array.from({ length: 100_000 }, (_, i) => 2 * i))
  for (let slot = 1; slot < 200_000; slot += 200) {
    slots.insert(find(slot), slot)
    slots.remove(find(slot - 1))
  }
  assert.ok(compared > 0 && compared < 2_000 * 25, `${compared} comparisons of 2,000 slots`)
  assert.deepEqual([slots.slotBeyond(0), slots.slotBeyond(1), slots.slotBeyond(99_999)], [1, 2, 199_998])
})
