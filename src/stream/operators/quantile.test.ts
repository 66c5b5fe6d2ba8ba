// Quantiles of groups against arrays that are sorted anew, through rows that come and go, groups that are cleared, filled again, joined
// and merged, checkpoints and records, asked for all the time or at the end alone.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { type Column, type NumberColumn, valueIn } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import { NumberLane } from '../memory/value-lane.ts'
import { batchOf } from '../plain.ts'
import { asStored } from '../testing.ts'
import { Quantile } from './quantile.ts'

const DOUBLE: Type = { kind: 'double' }
const GROUPS = 3

type Value = number | null

const columnOf = (values: readonly Value[]): Column =>
  batchOf(
    { fields: [{ name: 'v', type: DOUBLE, optional: true }] },
    values.map((value) => [value]),
  ).columns[0]!

const groupsOf = (group: number, values: readonly Value[]): Int32Array => new Int32Array(values.length).fill(group)

/** NaN is the greatest. */
const inOrder = (values: readonly number[]): number[] =>
  values.toSorted((a, b) => Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || (a === b ? 0 : a < b ? -1 : 1))

function expected(name: 'quantile_cont' | 'quantile_disc', values: readonly number[]): number | null {
  if (values.length === 0) return null
  const sorted = inOrder(values.map((value) => value + 0))
  if (name === 'quantile_disc') return sorted[Math.max(0, Math.ceil(values.length * 0.25) - 1)]!
  const place = (values.length - 1) * 0.25
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
  return Number.isInteger(place) ? low : low * (1 - (place % 1)) + high * (place % 1)
}

const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -30, max: 30 }) },
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.1),
  fc.double({ noNaN: true }),
)
const values = fc.array(fc.option(number, { nil: null, freq: 8 }), { maxLength: 60 })
const group = fc.nat(GROUPS - 1)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), group, values }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), group, values }) },
  fc.record({
    do: fc.constantFrom('clear' as const, 'record' as const, 'store' as const, 'merge' as const, 'join' as const),
    group,
    values: fc.constant<Value[]>([]),
  }),
)

for (const name of ['quantile_cont', 'quantile_disc'] as const)
  test(`${name} of what is there, whatever is done to it`, () =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, isAskedAlways) => {
        let state = new Quantile(name, DOUBLE, '0.25')
        let there: number[][] = Array.from({ length: GROUPS }, () => [])
        const check = (): void => {
          const column = state.column(
            Int32Array.from({ length: GROUPS }, (_, i) => i),
            GROUPS,
          )
          const shown = there.map((_, own) => valueIn(DOUBLE, column, own) as number | null)
          assert.deepEqual(
            shown,
            there.map((own) => expected(name, own)),
          )
        }
        for (const { do: what, group: at, values: given } of steps) {
          if (what === 'add') {
            state.add(groupsOf(at, given), [columnOf(given)], null, given.length)
            there[at]!.push(...given.filter((value) => value !== null))
          } else if (what === 'remove') {
            // Some that are there: every second.
            const gone = there[at]!.filter((_, i) => i % 2 === given.length % 2)
            there[at] = there[at]!.filter((_, i) => i % 2 !== given.length % 2)
            state.remove(groupsOf(at, gone), [columnOf(gone)], null, gone.length)
          } else if (what === 'clear') {
            state.clear(at)
            there[at] = []
          } else if (what === 'record') {
            const record = new RecordWriter()
            state.write(at, record)
            state.clear(at)
            const reader = new RecordReader()
            reader.open(record.bytes, 0)
            state.read(at, reader)
          } else if (what === 'store') {
            const saved = asStored(state.save())
            state = new Quantile(name, DOUBLE, '0.25')
            state.restore(saved)
          } else if (what === 'merge') {
            const other = state
            state = new Quantile(name, DOUBLE, '0.25')
            // The last group goes to the first.
            state.merge(
              other,
              Int32Array.from({ length: GROUPS }, (_, own) => (own + 1) % GROUPS),
              GROUPS,
            )
            there = [there.at(-1)!, ...there.slice(0, -1)]
          } else {
            const to = (at + 1) % GROUPS
            state.mergeGroup(state, at, to)
            state.clear(at)
            there[to]!.push(...there[at]!)
            there[at] = []
          }
          if (isAskedAlways) check()
        }
        check()
      }),
    ))

test('a group that is asked for again is not sorted again, nor read', () => {
  const state = new Quantile('quantile_cont', DOUBLE, '0.5')
  const only = new Int32Array(1)
  const many = Array.from({ length: 50_000 }, (_, i) => (i * 7_919) % 50_021)
  state.add(groupsOf(0, many), [columnOf(many)], null, many.length)
  state.column(only, 1)
  const compare = mock.method(NumberLane.prototype, 'compareSlot')
  const medians: number[] = []
  for (let i = 0; i < 2_000; i++) {
    state.add(only, [columnOf([i % 2 === 0 ? -i : 60_000 + i])], null, 1)
    medians.push((state.column(only, 1) as NumberColumn).values[0]!)
  }
  const compared = compare.mock.callCount()
  compare.mock.restore()
  assert.ok(compared > 0 && compared < 2_000 * 30, `${compared} comparisons`)
  const all = inOrder([...many, ...Array.from({ length: 2_000 }, (_, i) => (i % 2 === 0 ? -i : 60_000 + i))])
  assert.equal(medians.at(-1), (all[25_999]! + all[26_000]!) / 2)
})

test('what is kept in order goes with its group', () => {
  const state = new Quantile('quantile_disc', DOUBLE, '0.5')
  const sizes: number[] = []
  for (let round = 0; round < 40; round++) {
    const some = Array.from({ length: 2_000 }, (_, i) => round * 2_000 + i)
    state.add(groupsOf(round % 4, some), [columnOf(some)], null, some.length)
    state.column(Int32Array.of(round % 4), 1)
    state.clear(round % 4)
    sizes.push(state.bytes)
  }
  assert.ok(Math.max(...sizes.slice(20)) <= 1.5 * Math.max(...sizes.slice(0, 20)), `${sizes} bytes`)
})
