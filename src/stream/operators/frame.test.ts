// Frames against what is aggregated of all of their rows anew: lengths, rows of one time, how often the watermark moves. States of rows
// that have left a range go, and so do partitions without rows; no frame is read again for each of its rows.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { type Expression, HUGE, LONG } from '../../engine/algebra/expression.ts'
import type { Frame as FrameOf, FrameRelation } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { batchOf } from '../plain.ts'
import { asStored, goOn } from '../testing.ts'
import { AggregateStates } from './aggregate-states.ts'
import { Frame } from './frame.ts'
import { groupLayout } from './group-table.ts'
import { RowsInOrder } from './rows-in-order.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'at', type: { kind: 'timestamp' }, optional: false },
    { name: 'card', type: { kind: 'long' }, optional: false },
    { name: 'n', type: { kind: 'long' }, optional: false },
    { name: 'id', type: { kind: 'long' }, optional: false },
  ],
}

const column = (name: string): Expression => ({
  op: 'column',
  name,
  type: SHAPE.fields.find((field) => field.name === name)!.type,
  optional: false,
})

const relationOf = (frame: FrameOf): FrameRelation => ({
  op: 'frame',
  input: { op: 'scan', stream: 'payments' },
  partition: [column('card')],
  time: column('at'),
  delayUs: 0,
  ties: [column('id')],
  frame,
  aggregates: [
    { name: 'c', function: 'count', of: [], distinct: false, where: null, type: LONG },
    { name: 's', function: 'sum', of: [column('n')], distinct: false, where: null, type: HUGE },
    { name: 'm', function: 'max', of: [column('n')], distinct: false, where: null, type: LONG },
  ],
})

type Row = readonly [at: number, card: number, n: number]

const open = (frame: FrameOf): Frame => {
  const operator = new Frame(relationOf(frame), SHAPE)
  operator.restore(null)
  return operator
}

const rowsOf = (rows: readonly Row[], from = 0): ColumnBatch =>
  batchOf(
    SHAPE,
    rows.map(([at, card, n], i) => [BigInt(at), BigInt(card), BigInt(n), BigInt(from + i)]),
  )

/** By id: count, sum and maximum. */
function resultsOf(batch: ColumnBatch | null, into = new Map<number, number[]>()): Map<number, number[]> {
  for (let row = 0; row < (batch?.rows ?? 0); row++)
    into.set(
      Number(valueAt(batch!, 3, row)),
      [4, 5, 6].map((at) => Number(valueAt(batch!, at, row))),
    )
  return into
}

function expected({ unit, preceding }: FrameOf, rows: readonly Row[]): Map<number, number[]> {
  const ordered = rows.map((row, id) => ({ row, id })).sort((a, b) => a.row[0] - b.row[0] || a.id - b.id)
  return new Map(
    ordered.map(({ row: [at, card], id }, i) => {
      const before = ordered.slice(0, i + 1).filter(({ row }) => row[1] === card)
      const inRange = ordered.filter(({ row }) => row[1] === card && row[0] <= at && (preceding === null || row[0] >= at - preceding))
      const own = unit === 'range' ? inRange : preceding === null ? before : before.slice(-preceding - 1)
      const values = own.map(({ row }) => row[2])
      return [id, [values.length, values.reduce((sum, n) => sum + n, 0), Math.max(...values)]]
    }),
  )
}

const frames = fc.record({ unit: fc.constantFrom('rows' as const, 'range' as const), preceding: fc.constantFrom(null, 0, 1, 3, 12, 40) })
/** Few times, so that many rows have the same. */
const someRows = fc.array(fc.tuple(fc.nat(60), fc.nat(2), fc.integer({ min: -50, max: 50 })), { minLength: 1, maxLength: 60 })

test('each row has what is aggregated of its frame, however the watermark moves', () => {
  fc.assert(
    fc.property(frames, someRows, fc.array(fc.nat(70), { maxLength: 8 }), fc.nat(60), (frame, rows, watermarks, stopped) => {
      const operator = open(frame)
      operator.take(rowsOf(rows), null, rows.length)
      const results = new Map<number, number[]>()
      goOn(
        operator,
        () => new Frame(relationOf(frame), SHAPE),
        watermarks,
        stopped,
        (out) => resultsOf(out, results),
      )
      const wanted = expected(frame, rows)
      assert.deepEqual(
        [...results].sort(([a], [b]) => a - b),
        [...wanted].sort(([a], [b]) => a - b),
      )
    }),
    { numRuns: 300 },
  )
})

test('each row is merged a few times, not once for each frame that it stands in', () => {
  const count = 4_000
  const rows = Array.from({ length: count }, (_, i): Row => [i, 0, i % 7])
  for (const unit of ['rows', 'range'] as const) {
    const operator = open({ unit, preceding: 1_000 })
    operator.take(rowsOf(rows), null, count)
    const merge = mock.method(AggregateStates.prototype, 'mergeGroup')
    const results = resultsOf(operator.advance(count))
    const merges = merge.mock.callCount()
    merge.mock.restore()
    assert.deepEqual(results.get(count - 1), [1_001, rows.slice(-1_001).reduce((sum, [, , n]) => sum + n, 0), 6])
    assert.ok(merges >= count && merges <= 6 * count, `${merges} merges of ${count} rows`)
  }
})

test('rows that have left a range take no memory, nor do their partitions', () => {
  const operator = open({ unit: 'range', preceding: 100 })
  const sizes: number[] = []
  for (let round = 0; round < 40; round++) {
    // Cards that never come again.
    const rows = Array.from({ length: 2_000 }, (_, i): Row => [round * 1_000 + (i % 50), round * 2_000 + i, i])
    operator.take(rowsOf(rows), null, rows.length)
    assert.equal(operator.advance(round * 1_000 + 60)?.rows, 2_000)
    sizes.push(operator.bytes)
  }
  assert.ok(Math.max(...sizes.slice(20)) <= 1.5 * Math.max(...sizes.slice(0, 20)), `${sizes} bytes`)
  // A card of which one row is in the range and one is not.
  operator.take(
    rowsOf([
      [50_000, 5, 1],
      [50_150, 5, 2],
    ]),
    null,
    2,
  )
  assert.deepEqual(
    [...resultsOf(operator.advance(50_151)).values()],
    [
      [1, 1, 1],
      [1, 2, 2],
    ],
  )
  operator.take(rowsOf([[50_250, 5, 4]]), null, 1)
  assert.deepEqual([...resultsOf(operator.advance(50_251)).values()], [[2, 6, 4]])
})

test('a row that is re-driven behind others counts as one of the last of their times', () => {
  const operator = open({ unit: 'range', preceding: 50 })
  const through = (rows: readonly Row[], watermark: number): number[][] => {
    operator.take(rowsOf(rows), null, rows.length)
    return [...resultsOf(operator.advance(watermark)).values()]
  }
  assert.deepEqual(
    through(
      [
        [90, 0, 1],
        [100, 0, 2],
      ],
      101,
    ),
    [
      [1, 1, 1],
      [2, 3, 2],
    ],
  )
  assert.deepEqual(through([[40, 0, 10]], 102), [[3, 13, 10]])
  assert.deepEqual(through([[145, 0, 3]], 146), [[3, 15, 10]])
  assert.deepEqual(through([[151, 0, 4]], 152), [[2, 7, 4]])
  // Of a partition without rows.
  assert.deepEqual(through([[40, 1, 10]], 153), [[1, 10, 10]])
  assert.deepEqual(through([[155, 1, 1]], 156), [[1, 1, 1]])
})

test('a checkpoint of before, which had the rows of frames themselves', () => {
  const relation = relationOf({ unit: 'rows', preceding: 2 })
  const rows: Row[] = [
    [1, 0, 10],
    [2, 0, 20],
    [3, 1, 5],
    [4, 0, 30],
  ]
  const inOrder = new RowsInOrder(relation, groupLayout([], relation.aggregates).inputs, SHAPE)
  inOrder.take(rowsOf(rows), null, rows.length)
  for (const slot of inOrder.due(4)) inOrder.keep(slot)
  const operator = new Frame(relation, SHAPE)
  operator.restore(asStored(inOrder.save()))
  operator.take(
    rowsOf(
      [
        [5, 0, 1],
        [6, 1, 7],
        [7, 0, 2],
      ],
      4,
    ),
    null,
    3,
  )
  assert.deepEqual(
    [...resultsOf(operator.advance(10))],
    [
      [3, [3, 60, 30]],
      [4, [3, 51, 30]],
      [5, [2, 12, 7]],
      [6, [3, 33, 30]],
    ],
  )
})

test('a checkpoint of before, which held equal values each by itself', () => {
  const frame: FrameOf = { unit: 'rows', preceding: null }
  const rows: Row[] = [
    [1, 0, 10],
    [3, 0, 5],
    [2, 0, 20],
  ]
  const before = open(frame)
  before.take(rowsOf(rows), null, rows.length)
  const saved = asStored(before.save()) as { readonly rows: { readonly held: { lanes: unknown[] } } }
  const { lanes } = saved.rows.held
  assert.equal(lanes.length, 4)
  // The columns, what is added and compared of `n`, and the order of rows of one time.
  saved.rows.held.lanes = [0, 1, 2, 3, 2, 2, 3].map((lane) => lanes[lane])
  const operator = open(frame)
  operator.restore(saved)
  assert.deepEqual(
    [...resultsOf(operator.advance(10))],
    [
      [0, [1, 10, 10]],
      [2, [2, 30, 20]],
      [1, [3, 35, 20]],
    ],
  )
})
