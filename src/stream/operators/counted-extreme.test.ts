// Extremes of values that come and go, against all that are there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Column, valueIn } from '../../schema/batch.ts'
import { asStored } from '../testing.ts'
import { CountedExtreme } from './counted-extreme.ts'

const GROUPS = 3
const all = Int32Array.from({ length: GROUPS }, (_, group) => group)
const column = (values: readonly number[]): Column => ({ kind: 'integer', values: Float64Array.from(values), big: null, nulls: null })

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      rows: fc.array(fc.tuple(fc.nat(GROUPS - 1), fc.nat(9)), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.array(fc.nat(50), { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('store' as const) }) },
)

type Row = readonly [group: number, value: number]

function check(extreme: CountedExtreme, name: 'min' | 'max', rows: readonly Row[]): void {
  const found = extreme.column(all, GROUPS)
  for (const group of all) {
    const values = rows.filter(([own]) => own === group).map(([, value]) => value)
    const own = valueIn({ kind: 'long' }, found, group)
    assert.equal(own === null ? null : Number(own), values.length === 0 ? null : Math[name](...values))
  }
}

for (const name of ['min', 'max'] as const) {
  test(`${name} of what is there`, () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let extreme = new CountedExtreme(name, { kind: 'long' })
        const rows: Row[] = []
        for (const own of steps) {
          if (own.kind === 'add') {
            extreme.add(
              Int32Array.from(own.rows, ([group]) => group),
              [column(own.rows.map(([, value]) => value))],
              null,
              own.rows.length,
            )
            rows.push(...own.rows)
          } else if (own.kind === 'remove') {
            const gone = own.which.flatMap((which) => (rows.length === 0 ? [] : rows.splice(which % rows.length, 1)))
            extreme.remove(
              Int32Array.from(gone, ([group]) => group),
              [column(gone.map(([, value]) => value))],
              null,
              gone.length,
            )
          } else if (own.kind === 'ask') check(extreme, name, rows)
          else {
            const saved = asStored(extreme.save())
            extreme = new CountedExtreme(name, { kind: 'long' })
            extreme.restore(saved)
          }
        }
        check(extreme, name, rows)
      }),
      { numRuns: 300 },
    )
  })

  test(`${name} while most values that were there are forgotten`, () => {
    const extreme = new CountedExtreme(name, { kind: 'long' })
    const ones = (count: number): Int32Array => new Int32Array(count).fill(1)
    const value = (i: number): number => (i * 7_919) % 100_003
    for (let i = 0; i < 30_000; i += 1_000) {
      const values = Array.from({ length: 1_000 }, (_, k) => value(i + k))
      extreme.add(ones(1_000), [column(values)], null, 1_000)
      // All but three of a hundred go again.
      const gone = values.filter((_, k) => k % 100 > 2)
      extreme.remove(ones(gone.length), [column(gone)], null, gone.length)
      const kept = Array.from({ length: i + 1_000 }, (_, k) => k)
        .filter((k) => (k % 1_000) % 100 <= 2)
        .map((k): Row => [1, value(k)])
      check(extreme, name, kept)
    }
  })
}
