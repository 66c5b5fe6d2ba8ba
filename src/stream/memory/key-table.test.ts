// Groups are found by value alone: whatever the batch, the representation of integers, nulls, NaN or -0, the size of the table,
// and after a checkpoint. Against a Map.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ValueType } from '../../engine/algebra/expression.ts'
import { batchOf, type LaneValue } from '../../engine/testing.ts'
import { valueAt } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'
import { asStored } from '../testing.ts'
import { KeyTable } from './key-table.ts'

const TYPES: Readonly<Record<string, Type>> = { l: { kind: 'long' }, d: { kind: 'double' }, s: { kind: 'string' } }

const row: fc.Arbitrary<LaneValue[]> = fc.tuple(
  fc.constantFrom<LaneValue>(null, 0n, 1n, -1n, 9007199254740991n, 9007199254740993n, -9223372036854775808n),
  fc.constantFrom<LaneValue>(null, 0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY),
  fc.constantFrom<LaneValue>(null, ...['', 'a', 'é', 'a longer text'].map((text) => Buffer.from(text))),
)

const textOf = (values: readonly LaneValue[]): string =>
  values
    .map((value) => (value === null ? 'null' : value instanceof Uint8Array ? `'${Buffer.from(value)}'` : String(value === 0 ? 0 : value)))
    .join('|')

test('each distinct key is one group', () => {
  fc.assert(
    fc.property(fc.array(fc.array(row, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 6 }), fc.nat(5), (batches, savedAt) => {
      const types = Object.values(TYPES) as ValueType[]
      let table = new KeyTable(types)
      const groups = new Map<string, number>()
      for (const [index, rows] of batches.entries()) {
        const batch = batchOf(TYPES, rows)
        const found = table.find(batch.columns, null, rows.length)
        for (const [i, values] of rows.entries()) {
          const text = textOf(values)
          if (!groups.has(text)) groups.set(text, groups.size)
          assert.equal(found[i], groups.get(text), text)
        }
        if (index !== savedAt) continue
        const saved = asStored(table.save())
        table = new KeyTable(types)
        table.restore(saved)
      }
      assert.equal(table.size, groups.size)
      const all = Int32Array.from({ length: table.size }, (_, group) => group)
      const columns = table.columns(all, all.length)
      const shape = batchOf(TYPES, []).shape
      for (const [text, group] of groups) {
        const values = columns.map((_, column) => valueAt({ shape, rows: all.length, columns }, column, group))
        assert.equal(textOf(values.map((value) => (typeof value === 'string' ? Buffer.from(value) : (value as LaneValue)))), text)
      }
    }),
    { numRuns: 200 },
  )
})

test('a hundred thousand keys keep their groups while the index grows', () => {
  const table = new KeyTable([{ kind: 'long' }])
  const keys = Array.from({ length: 100_000 }, (_, i) => [BigInt(i) * 7919n])
  const { columns } = batchOf({ l: { kind: 'long' } }, keys)
  const first = table.find(columns, null, keys.length)
  assert.deepEqual([...table.find(columns, null, keys.length)], [...first])
  assert.equal(table.size, keys.length)
})
