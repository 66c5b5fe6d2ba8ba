// Which rows repeat a key within the horizon, against the whole history; and what is kept of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { batchOf } from './plain.ts'
import { SeenKeys } from './seen-keys.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'string' }, optional: true },
    { name: 'n', type: { kind: 'long' }, optional: false },
  ],
}
const types = SHAPE.fields.map(({ type }) => type)
const WITHIN_MS = 10

interface Row {
  readonly id: string | null
  readonly n: number
  /** Since the row before. */
  readonly ms: number
}

const row = fc.record({
  id: fc.constantFrom('', 'a', 'b', 'a longer identifier', null),
  n: fc.nat(1),
  ms: fc.oneof({ weight: 6, arbitrary: fc.nat(2) }, { weight: 1, arbitrary: fc.integer({ min: 8, max: 25 }) }),
})

const batch = (rows: readonly Row[]): ColumnBatch =>
  batchOf(
    SHAPE,
    rows.map(({ id, n }) => [id, BigInt(n)]),
  )

/** Append times of all rows; they begin at 0. */
function timesOf(rows: readonly Row[]): Float64Array {
  let ms = 0
  return Float64Array.from(rows, (own, i) => {
    if (i > 0) ms += own.ms
    return ms
  })
}

test('a row repeats a key that came within the horizon, in whatever calls the rows come', () => {
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), fc.array(fc.integer({ min: 1, max: 20 })), (rows, cuts) => {
      const times = timesOf(rows)
      const isSame = (a: Row, b: Row): boolean => a.id === b.id && a.n === b.n
      const expected = rows.map((own, i) =>
        rows.slice(0, i).some((other, j) => isSame(own, other) && times[i]! - times[j]! <= WITHIN_MS) ? 1 : 0,
      )
      const seen = new SeenKeys(types, WITHIN_MS)
      const marks: number[] = []
      for (let from = 0, cut = 0; from < rows.length; cut++) {
        const until = Math.min(rows.length, from + (cuts[cut] ?? 7))
        marks.push(...seen.mark(batch(rows.slice(from, until)).columns, until - from, times.slice(from, until)))
        from = until
      }
      assert.deepEqual(marks, expected)
    }),
    { numRuns: 400 },
  )
})

test('what is beyond the horizon takes no memory', () => {
  const seen = new SeenKeys(types, WITHIN_MS)
  const sizes: number[] = []
  for (let round = 0; round < 40; round++) {
    const rows = Array.from({ length: 1_000 }, (_, i): Row => ({ id: `key ${round} ${i}`, n: 0, ms: 0 }))
    const marks = seen.mark(batch(rows).columns, rows.length, new Float64Array(rows.length).fill(round * 2))
    assert.ok(marks.every((mark) => mark === 0))
    sizes.push(seen.bytes)
  }
  assert.ok(Math.max(...sizes.slice(20)) <= 1.2 * Math.max(...sizes.slice(0, 20)), `${sizes} bytes`)
})
