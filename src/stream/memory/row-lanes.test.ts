// Rows in slots, against an array of rows: whatever is put, in whatever slot, comes out in columns, in order, in records and after a
// checkpoint, also one that has a lane for each text; what a cut holds stays as it was.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compareBytes } from '../../core/bytes.ts'
import type { ValueType } from '../../engine/algebra/expression.ts'
import { batchOf, type LaneValue } from '../../engine/testing.ts'
import { type Column, valueAt } from '../../schema/batch.ts'
import { asStored, OpenCuts } from '../testing.ts'
import { makeLane } from './make-lane.ts'
import { RecordReader, RecordWriter } from './record.ts'
import { RowLanes } from './row-lanes.ts'

const TYPES = { n: { kind: 'double' }, a: { kind: 'string' }, l: { kind: 'long' }, b: { kind: 'json' }, c: { kind: 'string' } } as const
const types: readonly ValueType[] = Object.values(TYPES)
const EACH = types.map((_, column) => column)
const TEXTS = [1, 3, 4]

const text = fc.oneof(
  fc.constant(null),
  fc.string({ maxLength: 8 }),
  fc.constantFrom(253, 254, 255, 256, 300, 70_000).map((length) => 'x'.repeat(length)),
)
const row = fc.tuple(fc.option(fc.integer()), text, fc.option(fc.integer()), text, text)
type Row = readonly [number | null, string | null, number | null, string | null, string | null]

const columnsOf = (rows: readonly Row[]): readonly Column[] =>
  batchOf(
    TYPES,
    rows.map((values) => values.map((value): LaneValue => (typeof value === 'string' ? Buffer.from(value) : value))),
  ).columns

function rowsOf(columns: readonly Column[], count: number, which: readonly number[]): unknown[][] {
  const fields = which.map((at) => ({ name: `c${at}`, type: Object.values(TYPES)[at]!, optional: true }))
  const batch = { shape: { fields }, rows: count, columns: columns.slice() }
  return Array.from({ length: count }, (_, i) =>
    which.map((_at, column) => {
      const value = valueAt(batch, column, i)
      return typeof value === 'bigint' ? Number(value) : value
    }),
  )
}

/** Checks that the slots hold these rows. */
function checkRows(lanes: RowLanes, wanted: ReadonlyMap<number, Row>): void {
  const slots = Int32Array.from(wanted.keys())
  const rows = [...wanted.values()]
  for (const which of [EACH, [4], [3, 1], [4, 1, 3, 0], []])
    assert.deepEqual(
      rowsOf(lanes.columns(slots, slots.length, which), slots.length, which),
      rows.map((values) => which.map((at) => values[at])),
    )
}

/** As checkpoints of before have them. */
const savedApart = (rows: readonly Row[]): unknown => {
  const columns = columnsOf(rows)
  const slots = Int32Array.from(rows, (_, slot) => slot)
  const lanes = types.map((type, column) => {
    const lane = makeLane(type)
    lane.putAll(slots, columns[column]!, null, rows.length)
    return lane.save(rows.length)
  })
  return asStored({ lanes })
}

const puts = fc.array(fc.tuple(fc.nat(6), row), { minLength: 1, maxLength: 30 })

test('rows come out as they were put last, one at a time or many at once, and after a checkpoint', () =>
  fc.assert(
    fc.property(puts, fc.boolean(), fc.nat(30), (steps, isOneByOne, cutAt) => {
      let lanes = new RowLanes(types)
      const cuts = new OpenCuts()
      const wanted = new Map<number, Row>()
      for (const [i, [slot, values]] of steps.entries()) {
        if (isOneByOne) lanes.put(slot, columnsOf([values]), 0)
        else lanes.putAll(Int32Array.of(slot), columnsOf([[1, '', null, '', 'other'], values]), Int32Array.of(1), 1)
        wanted.set(slot, values)
        checkRows(lanes, wanted)
        if (i === cutAt) {
          const own = lanes
          cuts.take({ save: () => own.save(7) })
        }
      }
      for (const [found, was] of cuts.close()) assert.deepEqual(found, was)
      // A slot that was never put.
      assert.deepEqual(rowsOf(lanes.columns(Int32Array.of(9), 1, TEXTS), 1, TEXTS), [['', '', '']])
      const saved = asStored(lanes.save(7)) as ReturnType<RowLanes['save']>
      lanes = new RowLanes(types)
      lanes.restore(saved, 7)
      checkRows(lanes, wanted)
    }),
  ))

test('a checkpoint with a lane for each text is read', () =>
  fc.assert(
    fc.property(fc.array(row, { maxLength: 12 }), (rows) => {
      const lanes = new RowLanes(types)
      lanes.restore(savedApart(rows) as ReturnType<RowLanes['save']>, rows.length)
      checkRows(lanes, new Map(rows.entries()))
    }),
  ))

test('a row goes into a record as its lanes do, and out of it', () =>
  fc.assert(
    fc.property(row, (values) => {
      const columns = columnsOf([values])
      const [lanes, copy, own, apart] = [new RowLanes(types), new RowLanes(types), new RecordWriter(), new RecordWriter()]
      lanes.put(0, columns, 0)
      lanes.write(0, own)
      for (const [column, type] of types.entries()) {
        const lane = makeLane(type)
        lane.put(0, columns[column]!, 0)
        lane.write(0, apart)
      }
      const bytes = Buffer.from(own.bytes.subarray(0, own.length))
      assert.deepEqual(bytes, Buffer.from(apart.bytes.subarray(0, apart.length)))
      const reader = new RecordReader()
      reader.open(bytes, 0)
      copy.read(3, reader)
      checkRows(copy, new Map([[3, values]]))
    }),
  ))

test('two rows are compared by a column, null first', () =>
  fc.assert(
    fc.property(row, row, (a, b) => {
      const lanes = new RowLanes(types)
      lanes.putAll(Int32Array.of(0, 1), columnsOf([a, b]), null, 2)
      for (const column of TEXTS) {
        const [x, y] = [a[column] as string | null, b[column] as string | null]
        const wanted =
          x === null || y === null
            ? Number(y === null) - Number(x === null)
            : compareBytes(Buffer.from(x), 0, Buffer.byteLength(x), Buffer.from(y), 0, Buffer.byteLength(y))
        assert.equal(Math.sign(lanes.compare(0, 1, column)), Math.sign(wanted))
      }
    }),
  ))
