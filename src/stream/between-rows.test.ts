// Changes of a table in any order: read as parts, from any offset, they leave the rows that they leave line by line, in few parts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { valueAt } from '../schema/batch.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { type Part, PartReader } from './read-parts.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'a', type: { kind: 'long' }, optional: false },
    { name: 'n', type: { kind: 'int' }, optional: false },
    { name: 'b', type: { kind: 'string' }, optional: false },
  ],
}
const scanner = compileScanner(SHAPE)
const reader = new PartReader({
  scanner,
  shape: SHAPE,
  key: ['a', 'b'],
  failedCheck: (batch, row) => (valueAt(batch, 1, row) === 13 ? { check: 'c', column: 'n' } : null),
})

interface Line {
  readonly isGone: boolean
  readonly a: number
  readonly b: string
  readonly n: number
}

function partsOf(lines: readonly Line[], from: number, until: number): Part[] {
  const text = lines.map(({ isGone, a, b, n }) => (isGone ? `-${JSON.stringify({ b, a })}\n` : `${JSON.stringify({ a, n, b })}\n`)).join('')
  const about = {
    partition: 0,
    baseOffset: 100,
    count: lines.length,
    appendTimeMs: 5,
    kind: 'changes',
    fingerprint: scanner.fingerprint,
  } as const
  return reader.read([{ ...about, payload: Buffer.from(text) }], from, until)
}

/** Rows by key after the parts, and the offsets in the order in which they came. */
function carriedOut(parts: readonly Part[]): {
  readonly rows: Map<string, unknown>
  readonly offsets: number[]
  readonly rejected: number[]
} {
  const rows = new Map<string, unknown>()
  const offsets: number[] = []
  const rejected: number[] = []
  for (const part of parts)
    if (part.kind === 'rows') {
      for (let row = 0; row < part.batch.rows; row++) {
        rows.set(`${valueAt(part.batch, 0, row)} ${valueAt(part.batch, 2, row)}`, valueAt(part.batch, 1, row))
        offsets.push(part.offsets[row]!)
        assert.equal(part.appendMs[row], 5)
      }
      rejected.push(...part.rejected.map(({ offset }) => offset))
    } else if (part.kind === 'deletes')
      for (let row = 0; row < part.batch.rows; row++) {
        rows.delete(`${valueAt(part.batch, 0, row)} ${valueAt(part.batch, 2, row)}`)
        offsets.push(Number(valueAt(part.batch, 4, row)))
      }
  return { rows, offsets, rejected }
}

const line = fc.record({
  isGone: fc.boolean(),
  a: fc.integer({ min: 0, max: 2 }),
  b: fc.constantFrom('x', 'y'),
  n: fc.integer({ min: 0, max: 20 }),
})

test('the rows that are left are those of the lines one by one', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 40 }), fc.nat(45), fc.nat(45), (lines, skip, take) => {
      const [from, until] = [100 + skip, 100 + skip + take]
      const { rows, offsets, rejected } = carriedOut(partsOf(lines, from, until))
      const wanted = lines.map((one, at) => ({ ...one, offset: 100 + at })).filter(({ offset }) => offset >= from && offset < until)
      const isRefused = ({ isGone, n }: Line): boolean => !isGone && n === 13
      const expected = new Map<string, unknown>()
      for (const { isGone, a, b, n } of wanted.filter((one) => !isRefused(one)))
        if (isGone) expected.delete(`${a} ${b}`)
        else expected.set(`${a} ${b}`, n)
      assert.deepEqual(rows, expected)
      const numbers = (some: readonly { readonly offset: number }[]) => some.map(({ offset }) => offset)
      assert.deepEqual(
        offsets.toSorted((x, y) => x - y),
        numbers(wanted.filter((one) => !isRefused(one))),
      )
      assert.deepEqual(rejected, numbers(wanted.filter(isRefused)))
    }),
    { numRuns: 500 },
  )
})

test('keys that go between rows of others are one part', () => {
  const lines = Array.from({ length: 2_000 }, (_, n): Line => ({ isGone: n % 2 === 1, a: n, b: 'x', n: 1 }))
  assert.equal(partsOf(lines, 100, 2_100).length, 3)
})
