// Aggregates of distinct values that are kept together, against sets of each, through rows that come, groups that are cleared, joined and
// merged, checkpoints and records; and checkpoints of before, which kept each aggregate apart.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BOOLEAN, type Expression, LONG } from '../../engine/algebra/expression.ts'
import type { Aggregate } from '../../engine/algebra/relation.ts'
import { type Column, type ColumnBatch, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import { batchOf } from '../plain.ts'
import { asStored } from '../testing.ts'
import { AggregateStates } from './aggregate-states.ts'

const GROUPS = 3
const column = (name: string, type: Expression['type']): Expression => ({ op: 'column', name, type, optional: true })
const [X, Y, F, G] = [column('x', LONG), column('y', LONG), column('f', BOOLEAN), column('g', BOOLEAN)]
const of = (name: 'count' | 'sum', value: Expression, where: Expression | null): Aggregate => ({
  name: 'a',
  function: name,
  of: [value],
  distinct: true,
  where,
  type: LONG,
})

/** Four of x are kept together, two of y, and one without DISTINCT stands between. */
const AGGREGATES: readonly Aggregate[] = [
  of('count', X, null),
  of('count', Y, F),
  of('count', X, F),
  { ...of('count', X, G), distinct: false },
  of('sum', X, G),
  of('count', Y, null),
  of('count', X, G),
]

interface Row {
  readonly x: number | null
  readonly y: number | null
  readonly f: boolean | null
  readonly g: boolean | null
}

const SHAPE: Shape = {
  fields: [
    { name: 'x', type: { kind: 'long' }, optional: true },
    { name: 'y', type: { kind: 'long' }, optional: true },
    { name: 'f', type: { kind: 'boolean' }, optional: true },
    { name: 'g', type: { kind: 'boolean' }, optional: true },
  ],
}

const asLong = (value: number | null): bigint | null => (value === null ? null : BigInt(value))

/** Arguments and filters in the order of the layout; equal ones are one column. */
function columnsOf(rows: readonly Row[]): Column[] {
  const [x, y, f, g] = batchOf(
    SHAPE,
    rows.map((row) => [asLong(row.x), asLong(row.y), row.f, row.g]),
  ).columns as [Column, Column, Column, Column]
  return [x, y, f, x, f, x, g, x, g, y, x, g]
}

const addTo = (states: AggregateStates, group: number, rows: readonly Row[]): void =>
  states.add(new Int32Array(rows.length).fill(group), columnsOf(rows), null, rows.length)

const valuesOf = (states: AggregateStates, group: number): unknown[] => {
  const columns = states.columns(Int32Array.of(group), 1)
  const shape = { fields: columns.map((_, i) => ({ name: `c${i}`, type: { kind: 'long' as const }, optional: true })) }
  const batch: ColumnBatch = { shape, rows: 1, columns }
  return columns.map((_, i) => {
    const value = valueAt(batch, i, 0)
    return value === null ? null : Number(value)
  })
}

function wanted(rows: readonly Row[]): unknown[] {
  const distinct = (name: 'x' | 'y', where: (row: Row) => unknown): number[] => [
    ...new Set(rows.filter((row) => where(row) && row[name] !== null).map((row) => row[name]!)),
  ]
  const sum = distinct('x', ({ g }) => g)
  return [
    distinct('x', () => true).length,
    distinct('y', ({ f }) => f).length,
    distinct('x', ({ f }) => f).length,
    rows.filter(({ x, g }) => x !== null && g).length,
    sum.length === 0 ? null : sum.reduce((all, value) => all + value, 0),
    distinct('y', () => true).length,
    sum.length,
  ]
}

const row = fc.record<Row>({
  x: fc.option(fc.integer({ min: -3, max: 60 }), { nil: null }),
  y: fc.option(fc.nat(3), { nil: null }),
  f: fc.option(fc.boolean(), { nil: null }),
  g: fc.option(fc.boolean(), { nil: null }),
})
const group = fc.nat(GROUPS - 1)
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), group, rows: fc.array(row, { minLength: 20, maxLength: 60 }) }) },
  // Groups come and go often enough for what is gone to be swept away.
  { weight: 2, arbitrary: fc.record({ do: fc.constant('clear' as const), group, rows: fc.constant<Row[]>([]) }) },
  fc.record({
    do: fc.constantFrom('record' as const, 'store' as const, 'merge' as const, 'join' as const),
    group,
    rows: fc.constant<Row[]>([]),
  }),
)

test('as sets of each, whatever is done to them', () =>
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 30 }), (steps) => {
      let states = new AggregateStates(AGGREGATES)
      let rows: Row[][] = Array.from({ length: GROUPS }, () => [])
      for (const { do: what, group: at, rows: given } of steps) {
        if (what === 'add') {
          addTo(states, at, given)
          rows[at]!.push(...given)
        } else if (what === 'clear') {
          states.clear(at)
          rows[at] = []
        } else if (what === 'record') {
          const record = new RecordWriter()
          states.write(at, record)
          states.clear(at)
          const reader = new RecordReader()
          reader.open(record.bytes, 0)
          states.read(at, reader)
        } else if (what === 'store') {
          const saved = asStored(states.save(GROUPS))
          states = new AggregateStates(AGGREGATES)
          states.restore(saved)
        } else if (what === 'merge') {
          const other = states
          states = new AggregateStates(AGGREGATES)
          // The last group goes to the first.
          states.merge(
            other,
            Int32Array.from({ length: GROUPS }, (_, own) => (own + 1) % GROUPS),
            GROUPS,
          )
          rows = [rows.at(-1)!, ...rows.slice(0, -1)]
        } else {
          const to = (at + 1) % GROUPS
          states.join(at, to)
          rows[to]!.push(...rows[at]!)
          rows[at] = []
        }
        for (let own = 0; own < GROUPS; own++) assert.deepEqual(valuesOf(states, own), wanted(rows[own]!))
      }
    }),
  ))

test('a checkpoint of before, which kept each aggregate apart, gives the same, and goes on', () => {
  const some = fc.sample(row, { numRuns: 60, seed: 7 })
  const before = [some.slice(0, 30), some.slice(10, 40), []]
  const saved = AGGREGATES.map((aggregate, index) => {
    const apart = new AggregateStates([aggregate])
    for (const [own, rows] of before.entries()) {
      const at = [[0], [1, 2], [3, 4], [5, 6], [7, 8], [9], [10, 11]][index]!
      const columns = columnsOf(rows)
      apart.add(
        new Int32Array(rows.length).fill(own),
        at.map((i) => columns[i]!),
        null,
        rows.length,
      )
    }
    const [one] = apart.save(GROUPS) as [Record<string, unknown>]
    if (!aggregate.distinct) return one
    const { pairs, ids, next, dead, members } = one as { members: [{ counts: unknown; over: unknown }] } & Record<string, unknown>
    return { pairs, ids, next, dead, ...members[0] }
  })
  const states = new AggregateStates(AGGREGATES)
  states.restore(asStored(saved))
  for (const [own, rows] of before.entries()) assert.deepEqual(valuesOf(states, own), wanted(rows))
  addTo(states, 1, some.slice(40))
  assert.deepEqual(valuesOf(states, 1), wanted([...before[1]!, ...some.slice(40)]))
})
