// How often each value is in each group, against a map, through rows that come and go, groups that are cleared and merged, checkpoints
// and records; with so many that are gone that they are forgotten.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Column } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'
import { KeyTable } from '../memory/key-table.ts'
import { Doubles } from '../memory/paged.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import { batchOf } from '../plain.ts'
import { asStored } from '../testing.ts'
import { CountedExtreme } from './counted-extreme.ts'
import { ValueCounts } from './value-counts.ts'

const LONG: Type = { kind: 'long' }
const GROUPS = 4

const columnOf = (values: readonly (number | null)[]): Column =>
  batchOf(
    { fields: [{ name: 'v', type: LONG, optional: true }] },
    values.map((value) => [value === null ? null : BigInt(value)]),
  ).columns[0]!

const addTo = (counts: ValueCounts, group: number, values: readonly (number | null)[], by: 1 | -1 = 1): void =>
  counts.add(new Int32Array(values.length).fill(group), columnOf(values), null, values.length, by)

const contentOf = (counts: ValueCounts, group: number): Map<number, number> => {
  const slots = counts.slotsOf(group)
  const { values } = counts.lane.column(Int32Array.from(slots), slots.length) as { values: Float64Array }
  return new Map(slots.map((slot, i) => [values[i]!, counts.countOf(slot)]))
}

const group = fc.nat(GROUPS - 1)
const values = fc.array(fc.option(fc.nat(6), { nil: null }), { maxLength: 12 })
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), group, values }),
  fc.record({ do: fc.constant('remove' as const), group, values }),
  fc.record({ do: fc.constantFrom('clear' as const, 'record' as const), group, values: fc.constant([]) }),
  fc.record({ do: fc.constant('join' as const), group, values: fc.tuple(group) }),
  fc.record({ do: fc.constantFrom('store' as const, 'merge' as const), group, values: fc.constant([]) }),
)

test('as a map, whatever is done to it', () =>
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let counts = new ValueCounts(LONG)
      let wanted = Array.from({ length: GROUPS }, () => new Map<number, number>())
      const put = (to: number, value: number, by: number): void => {
        const now = (wanted[to]!.get(value) ?? 0) + by
        if (now === 0) wanted[to]!.delete(value)
        else wanted[to]!.set(value, now)
      }
      for (const { do: what, group: at, values: given } of steps) {
        if (what === 'add') {
          addTo(counts, at, given)
          for (const value of given) if (value !== null) put(at, value, 1)
        } else if (what === 'remove') {
          const there = given.filter((value, i) => value !== null && given.indexOf(value) === i && wanted[at]!.has(value))
          addTo(counts, at, there, -1)
          for (const value of there) put(at, value!, -1)
        } else if (what === 'clear') {
          counts.clear(at)
          wanted[at]!.clear()
        } else if (what === 'record') {
          const record = new RecordWriter()
          counts.write(at, record)
          counts.clear(at)
          const reader = new RecordReader()
          reader.open(record.bytes, 0)
          counts.read(at, reader)
        } else if (what === 'join' && given[0] !== at) {
          counts.mergeGroup(counts, at, given[0]!)
          counts.clear(at)
          for (const [value, count] of wanted[at]!) put(given[0]!, value, count)
          wanted[at]!.clear()
        } else if (what === 'store') {
          const saved = asStored(counts.save())
          counts = new ValueCounts(LONG)
          counts.restore(saved)
        } else if (what === 'merge') {
          const other = counts
          counts = new ValueCounts(LONG)
          // The last group goes to the first.
          const target = Int32Array.from({ length: GROUPS }, (_, own) => (own + 1) % GROUPS)
          counts.merge(other, target, GROUPS)
          wanted = [wanted.at(-1)!, ...wanted.slice(0, -1)]
        }
        for (let own = 0; own < GROUPS; own++) assert.deepEqual(sorted(contentOf(counts, own)), sorted(wanted[own]!))
      }
    }),
  ))

const sorted = (counts: Map<number, number>): [number, number][] => [...counts].sort(([a], [b]) => a - b)

test('values that are gone take no room for good', () => {
  const counts = new ValueCounts(LONG)
  addTo(counts, 1, [7, 7, 8])
  let most = 0
  for (let round = 0; round < 60; round++) {
    const passing = Array.from({ length: 1_000 }, (_, i) => 100 + round * 1_000 + i)
    addTo(counts, 0, passing)
    if (round % 2 === 0) counts.clear(0)
    else addTo(counts, 0, passing, -1)
    most = Math.max(most, counts.bytes)
  }
  assert.deepEqual([...contentOf(counts, 0)], [])
  assert.deepEqual(sorted(contentOf(counts, 1)), [
    [7, 2],
    [8, 1],
  ])
  const all = new ValueCounts(LONG)
  addTo(
    all,
    0,
    Array.from({ length: 60_000 }, (_, i) => i),
  )
  assert.ok(most < all.bytes / 3, `${most} of ${all.bytes}`)
})

test('a checkpoint of before, which counted nulls too, gives the extreme of the values', () => {
  const pairs = new KeyTable([{ kind: 'int' }, LONG])
  pairs.find([{ kind: 'number', values: Float64Array.of(0, 0, 0, 1), nulls: null }, columnOf([null, 5, 3, null])], null, 4)
  const counts = new Doubles()
  for (const [slot, count] of [2, 1, 0, 1].entries()) counts.put(slot, count)
  const extreme = new CountedExtreme('min', LONG)
  extreme.restore(asStored({ values: pairs.save(), rows: null, counts: counts.freeze(4), dead: 1 }))
  const column = extreme.column(Int32Array.of(0, 1), 2) as { values: Float64Array; nulls: Uint8Array }
  assert.deepEqual([column.values[0], [...column.nulls]], [5, [0, 1]])
})
