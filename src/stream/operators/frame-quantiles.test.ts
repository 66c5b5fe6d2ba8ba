// Quantiles over frames against arrays that are sorted anew for each row: lengths, rows of one time, nulls, filters, aggregates that are
// merged beside them, checkpoints, and those of before, which merged quantiles too.
import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import fc from 'fast-check'
import { BOOLEAN, DOUBLE, type Expression, HUGE, LONG } from '../../engine/algebra/expression.ts'
import type { Aggregate, Frame as FrameOf, FrameRelation } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { IntegerLane } from '../memory/value-lane.ts'
import { batchOf } from '../plain.ts'
import { asStored, goOn } from '../testing.ts'
import { Frame } from './frame.ts'
import { RunningStates, SlidingStates } from './sliding-states.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'card', type: { kind: 'long' }, optional: false },
    { name: 'n', type: { kind: 'long' }, optional: true },
    { name: 'ok', type: { kind: 'boolean' }, optional: true },
    { name: 'id', type: { kind: 'long' }, optional: false },
  ],
}

const column = (name: string, type: Expression['type']): Expression => ({ op: 'column', name, type, optional: true })
const [N, OK, ID] = [column('n', LONG), column('ok', BOOLEAN), column('id', LONG)]
const of = (name: Aggregate['function'], value: Expression, more: Partial<Aggregate> = {}): Aggregate => ({
  name,
  function: name,
  of: [value],
  distinct: false,
  where: null,
  type: name === 'quantile_cont' ? DOUBLE : LONG,
  ...more,
})

const AGGREGATES: readonly Aggregate[] = [
  of('quantile_cont', N, { fraction: '0.25' }),
  of('sum', ID, { type: HUGE }),
  of('quantile_disc', N, { name: 'some', fraction: '0.5', where: OK }),
]

const relationOf = (frame: FrameOf, aggregates = AGGREGATES): FrameRelation => ({
  op: 'frame',
  input: { op: 'scan', stream: 'payments' },
  partition: [column('card', LONG)],
  time: column('seen', { kind: 'timestamp' }),
  delayUs: 0,
  ties: [ID],
  frame,
  aggregates,
})

interface Row {
  readonly seen: number
  readonly card: number
  readonly n: number | null
  readonly ok: boolean | null
}

const batchOfRows = (rows: readonly Row[]): ColumnBatch =>
  batchOf(
    SHAPE,
    rows.map(({ seen, card, n, ok }, id) => [BigInt(seen), BigInt(card), n === null ? null : BigInt(n), ok, BigInt(id)]),
  )

type Results = Map<number, (number | null)[]>

function resultsOf(batch: ColumnBatch | null, into: Results = new Map()): Results {
  for (let row = 0; row < (batch?.rows ?? 0); row++)
    into.set(
      Number(valueAt(batch!, 4, row)),
      [5, 6, 7].map((at) => (valueAt(batch!, at, row) === null ? null : Number(valueAt(batch!, at, row)))),
    )
  return into
}

const inOrder = (rows: readonly Row[]): { readonly row: Row; readonly id: number }[] =>
  rows.map((row, id) => ({ row, id })).sort((a, b) => a.row.seen - b.row.seen || a.id - b.id)

const valuesIn = (own: readonly { readonly row: Row }[], isWanted: (row: Row) => unknown): number[] =>
  own.flatMap(({ row }) => (row.n !== null && isWanted(row) ? [row.n] : [])).sort((a, b) => a - b)

function expected({ unit, preceding }: FrameOf, rows: readonly Row[]): Results {
  const ordered = inOrder(rows)
  return new Map(
    ordered.map(({ row: { seen, card }, id }, i) => {
      const before = ordered.slice(0, i + 1).filter(({ row }) => row.card === card)
      const inRange = ordered.filter(
        ({ row }) => row.card === card && row.seen <= seen && (preceding === null || row.seen >= seen - preceding),
      )
      const own = unit === 'range' ? inRange : preceding === null ? before : before.slice(-preceding - 1)
      const [all, some] = [valuesIn(own, () => true), valuesIn(own, ({ ok }) => ok)]
      const place = (all.length - 1) / 4
      const [low, high] = [all[Math.floor(place)]!, all[Math.ceil(place)]!]
      return [
        id,
        [
          all.length === 0 ? null : low * (1 - (place % 1)) + high * (place % 1),
          own.reduce((sum, row) => sum + row.id, 0),
          some[Math.ceil(some.length / 2) - 1] ?? null,
        ],
      ]
    }),
  )
}

const sorted = (results: Results): unknown[] => [...results].sort(([a], [b]) => a - b)

const frames = fc.record<FrameOf>({ unit: fc.constantFrom('rows', 'range'), preceding: fc.constantFrom(null, 0, 1, 3, 12, 40) })
/** Few times and values, so that many rows have the same. */
const row = fc.record<Row>({
  seen: fc.nat(60),
  card: fc.nat(2),
  n: fc.option(fc.integer({ min: -9, max: 9 }), { nil: null }),
  ok: fc.option(fc.boolean(), { nil: null }),
})
const rows = fc.array(row, { minLength: 1, maxLength: 120 })
const watermarks = fc.array(fc.nat(70), { maxLength: 8 })

test('each row has the quantiles of its frame, however the watermark moves', () =>
  fc.assert(
    fc.property(frames, rows, watermarks, fc.nat(60), (frame, own, marks, stopped) => {
      const open = () => new Frame(relationOf(frame), SHAPE)
      const operator = open()
      operator.restore(null)
      operator.take(batchOfRows(own), null, own.length)
      const results: Results = new Map()
      goOn(operator, open, marks, stopped, (out) => resultsOf(out, results))
      assert.deepEqual(sorted(results), sorted(expected(frame, own)))
    }),
    { numRuns: 300 },
  ))

/** As it was when quantiles were merged: the states of all aggregates together, and partitions numbered as they came. */
function savedBefore(frame: FrameOf, aggregates: readonly Aggregate[], own: readonly Row[], cut: number): unknown {
  const cards = [...new Set(own.map(({ card }) => card))]
  const { unit, preceding } = frame
  const states = preceding === null ? new RunningStates(aggregates) : new SlidingStates(aggregates, { unit, preceding })
  const came = inOrder(own).filter(({ row }) => row.seen < cut)
  const [, , n, ok, id] = batchOfRows(own).columns
  const columns = { n: n!, ok: ok!, id: id! }
  const named = (value: Expression): keyof typeof columns => (value as { name: keyof typeof columns }).name
  states.begin(
    aggregates.map(({ of, where }) => [...of, ...(where ? [where] : [])].map((value) => columns[named(value)])),
    own.length,
  )
  for (const { row, id } of came) {
    states.enter(cards.indexOf(row.card), row.seen, id)
    states.read(cards.indexOf(row.card), id)
  }
  if (states instanceof SlidingStates && unit === 'range') states.forgetBefore(cut)
  return states.save(cards.length)
}

test('a checkpoint of before, which merged quantiles too', () =>
  fc.assert(
    fc.property(frames, rows, fc.nat(70), fc.boolean(), (frame, own, cut, isAlone) => {
      const aggregates = isAlone ? [AGGREGATES[0]!, AGGREGATES[2]!, AGGREGATES[2]!] : AGGREGATES
      const operator = new Frame(relationOf(frame, aggregates), SHAPE)
      operator.restore(null)
      operator.take(batchOfRows(own), null, own.length)
      const results = resultsOf(operator.advance(cut))
      const { rows: waiting } = asStored(operator.save()) as { rows: unknown }
      const restored = new Frame(relationOf(frame, aggregates), SHAPE)
      restored.restore({ rows: waiting, states: asStored(savedBefore(frame, aggregates, own, cut)) })
      resultsOf(restored.advance(1_000), results)
      const wanted = [...expected(frame, own)].map(([id, [first, sum, last]]) => [id, [first, isAlone ? last : sum, last]] as const)
      assert.deepEqual(sorted(results), sorted(new Map(wanted as never)))
    }),
    { numRuns: 300 },
  ))

test('a row is put in its place in a few steps, however long its frame is', () => {
  const count = 6_000
  const own = Array.from({ length: count }, (_, i): Row => ({ seen: i, card: 0, n: (i * 7_919) % 6_007, ok: true }))
  for (const unit of ['rows', 'range'] as const) {
    const operator = new Frame(relationOf({ unit, preceding: 1_000 }, AGGREGATES.slice(0, 1)), SHAPE)
    operator.restore(null)
    operator.take(batchOfRows(own), null, count)
    const compare = mock.method(IntegerLane.prototype, 'compareSlot')
    assert.equal(operator.advance(count)?.rows, count)
    const compared = compare.mock.callCount()
    compare.mock.restore()
    assert.ok(compared > count && compared < count * 30, `${compared} comparisons of ${count} rows`)
  }
})

test('values that have left a range take no memory, nor do their partitions', () => {
  const operator = new Frame(relationOf({ unit: 'range', preceding: 100 }), SHAPE)
  operator.restore(null)
  const sizes: number[] = []
  for (let round = 0; round < 40; round++) {
    // Cards that never come again, of twenty rows each.
    const own = Array.from(
      { length: 4_000 },
      (_, i): Row => ({ seen: round * 1_000 + (i % 50), card: round * 200 + (i % 200), n: i, ok: true }),
    )
    operator.take(batchOfRows(own), null, own.length)
    assert.equal(operator.advance(round * 1_000 + 60)?.rows, own.length)
    sizes.push(operator.bytes)
  }
  assert.ok(Math.max(...sizes.slice(20)) <= 1.5 * Math.max(...sizes.slice(0, 20)), `${sizes} bytes`)
})
