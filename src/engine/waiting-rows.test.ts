// Rows that wait: what came in, batch behind batch, whatever it was that other batches did with the memory.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { Type } from '../schema/type.ts'
import { batchOf } from './testing.ts'
import { WaitingRows } from './waiting-rows.ts'

const columns: Readonly<Record<string, Type>> = { number: { kind: 'double' }, whole: { kind: 'long' }, text: { kind: 'string' } }
const row = fc.tuple(
  fc.option(fc.double({ noNaN: true })),
  fc.option(fc.constantFrom(0n, -7n, 2n ** 53n + 1n, -(2n ** 63n))),
  fc.option(fc.string({ maxLength: 40 })),
)

const batchOfRows = (rows: readonly (readonly (string | number | bigint | null)[])[]): ColumnBatch =>
  batchOf(
    columns,
    rows.map((values) => values.map((value) => (typeof value === 'string' ? Buffer.from(value) : value))),
  )
const rowsOf = (batch: ColumnBatch): unknown[] =>
  Array.from({ length: batch.rows }, (_, at) => batch.shape.fields.map((_, column) => valueAt(batch, column, at)))

test('batches of all kinds, one behind the other, and again after they are gone', () =>
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 8 }), (batches) => {
      const waiting = new WaitingRows(batchOfRows([]).shape)
      for (let round = 0; round < 2; round++) {
        const expected: unknown[] = []
        for (const rows of batches) {
          const batch = batchOfRows(rows)
          expected.push(...rowsOf(batch))
          waiting.add(batch)
          // Who made the batch uses its arrays for the next one.
          for (const column of batch.columns) (column.kind === 'bytes' ? column.bytes : column.values).fill(0)
          assert.equal(waiting.rows, expected.length)
        }
        assert.deepEqual(rowsOf(waiting.batch), expected)
        waiting.clear()
        assert.equal(waiting.batch.rows, 0)
      }
    }),
  ))
