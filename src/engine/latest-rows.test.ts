// The latest row of each key, against a map, for keys of all lanes and values with nulls.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { Type } from '../schema/type.ts'
import { LatestRows } from './latest-rows.ts'
import { batchOf } from './testing.ts'

const columns: Readonly<Record<string, Type>> = {
  name: { kind: 'string' },
  number: { kind: 'int' },
  moment: { kind: 'long' },
  value: { kind: 'long' },
  text: { kind: 'string' },
}
const KEY = ['name', 'number', 'moment']

const big = fc.constantFrom(0n, 1n, 11n, 2n ** 53n + 1n, 2n ** 53n + 2n)
const row = fc.tuple(
  fc.option(fc.constantFrom('', 'a', '1', '1:a', 'é', 'na'), { nil: null }),
  fc.option(fc.constantFrom(0, 1, 11, -1), { nil: null }),
  fc.option(big, { nil: null }),
  fc.option(big, { nil: null }),
  fc.option(fc.string({ maxLength: 3 }), { nil: null }),
)
type Row = readonly (string | number | bigint | null)[]

const batchOfRows = (rows: readonly Row[]): ColumnBatch =>
  batchOf(
    columns,
    rows.map((values) => values.map((value) => (typeof value === 'string' ? Buffer.from(value) : value))),
  )
const rowsOf = (batch: ColumnBatch): Row[] =>
  Array.from({ length: batch.rows }, (_, at) => batch.shape.fields.map((_, column) => valueAt(batch, column, at) as Row[number]))
const { shape } = batchOfRows([])

test('as a map by key, batch after batch, until there are too many', () =>
  fc.assert(
    fc.property(fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 8 }), (batches) => {
      const max = 20
      const latest = new LatestRows(shape, KEY, max)
      const wanted = new Map<string, Row>()
      for (const rows of batches) {
        for (const values of rows)
          wanted.set(
            JSON.stringify(
              values
                .slice(0, 3)
                .map(String)
                .concat(values.slice(0, 3).map((v) => typeof v)),
            ),
            values,
          )
        const before = rowsOf(latest.copy())
        const isTaken = latest.take(batchOfRows(rows))
        assert.equal(isTaken, wanted.size <= max)
        assert.deepEqual(rowsOf(latest.copy()), isTaken ? [...wanted.values()] : before)
        if (!isTaken) return
      }
    }),
  ))
