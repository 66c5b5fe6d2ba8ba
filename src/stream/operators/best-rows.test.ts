// The first rows of rows that come and go, against a sort of all of them: many rows of few values, so that ranks have many rows and
// orders many chunks; told now and then, cut and restored in between. What comes out is followed as a tail follows it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEED } from '../../../test/seed.ts'
import { integer, type Random, seededRandom } from '../../core/random.ts'
import { memoryScratch, type Scratch } from '../../core/scratch.ts'
import { INT, LONG } from '../../engine/algebra/expression.ts'
import type { TopRelation } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, type NumberColumn, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { batchOf, type Plain } from '../plain.ts'
import { asStored } from '../testing.ts'
import { BestRows } from './best-rows.ts'
import { SIGN } from './retraction.ts'

const ROWS: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'part', type: { kind: 'int' }, optional: true },
    { name: 'score', type: { kind: 'int' }, optional: true },
  ],
}
const SIGNED: Shape = { fields: [...ROWS.fields, SIGN] }

interface Row {
  readonly id: number
  readonly part: number | null
  readonly score: number | null
}

interface Case {
  readonly called: 'row_number' | 'rank'
  readonly limit: number
  readonly parts: number
  readonly scores: number
  readonly ids: number
  readonly isRankRead: boolean
}

const topOf = ({ called, limit }: Case): TopRelation => ({
  op: 'top',
  input: { op: 'latest', input: { op: 'scan', stream: 's' }, key: ['id'] },
  window: null,
  partition: [{ op: 'column', name: 'part', type: INT, optional: true }],
  order: [{ value: { op: 'column', name: 'score', type: INT, optional: true }, descending: true, nullsFirst: false }],
  function: called,
  limit,
  name: '#rank',
  ties: [{ op: 'column', name: 'id', type: LONG, optional: false }],
})

/** By id: the row and its rank. */
function firstOf(rows: Iterable<Row>, { called, limit }: Case): Map<number, readonly [Row, number]> {
  const first = new Map<number, readonly [Row, number]>()
  const all = [...rows].sort((a, b) => (b.score ?? -1) - (a.score ?? -1) || a.id - b.id)
  for (const own of Map.groupBy(all, ({ part }) => part).values()) {
    let rank = 0
    for (const [at, row] of own.entries()) {
      if (called === 'row_number' || row.score !== own[at - 1]?.score || at === 0) rank = at + 1
      if (rank <= limit) first.set(row.id, [row, rank])
    }
  }
  return first
}

function follow(given: Case, random: Random, scratch: Scratch | null): { readonly changes: number; readonly spilled: number } {
  const open = (): BestRows => new BestRows(topOf(given), SIGNED, ['id', 'part', 'score'], given.isRankRead, scratch)
  let operator = open()
  operator.restore(null)
  const rows = new Map<number, Row>()
  const told = new Map<number, readonly [Row, number]>()
  let [changes, spilled] = [0, 0]
  const take = (batch: ColumnBatch | null): void => {
    if (!batch) return
    const signs = (batch.columns.at(-1) as NumberColumn).values
    let isThere = false
    for (let row = 0; row < batch.rows; row++) {
      const [id, part, score, rank] = [0, 1, 2, 3].map((at) => valueAt(batch, at, row) as number | bigint | null)
      changes++
      if (signs[row] === -1) {
        assert.ok(!isThere, 'what has gone comes first')
        assert.ok(told.delete(Number(id)), 'it was told')
        continue
      }
      isThere = true
      told.set(Number(id), [{ id: Number(id), part: part as number | null, score: score as number | null }, Number(rank)])
    }
  }
  const maybe = (value: number): number | null => (random.next() < 0.05 ? null : value)
  for (let round = 0; round < 60; round++) {
    // First more and more rows, then fewer and fewer.
    const share = round < 30 ? 0.1 : 0.75
    for (let n = integer(random, 4); n >= 0; n--) {
      const before: Plain[][] = []
      const after: Plain[][] = []
      const ids = new Set(Array.from({ length: 1 + integer(random, 120) }, () => integer(random, given.ids)))
      for (const id of ids) {
        const old = rows.get(id)
        if (old) before.push([BigInt(id), old.part, old.score, -1])
        rows.delete(id)
        if (random.next() < share) continue
        const row = { id, part: maybe(integer(random, given.parts)), score: maybe(integer(random, given.scores)) }
        rows.set(id, row)
        after.push([BigInt(id), row.part, row.score, 1])
      }
      const batch = batchOf(SIGNED, [...before, ...after])
      operator.take(batch, null, batch.rows)
    }
    if (random.next() < 0.2) {
      const saved = asStored(operator.save())
      operator = open()
      operator.restore(saved)
    }
    if (random.next() < 0.3) continue
    take(operator.changed())
    assert.equal(operator.changed(), null)
    if (scratch) operator.fit(round % 2 === 0 ? 1 : 20_000)
    if (operator.spilledBytes > 0) spilled++
    const expected = firstOf(rows.values(), given)
    const shown = (of: ReadonlyMap<number, readonly [Row, number]>) =>
      [...of].map(([id, [{ part, score }, rank]]) => [id, part, score, given.isRankRead ? rank : 0].join()).sort()
    assert.deepEqual(shown(told), shown(expected), `round ${round}, seed ${SEED}`)
  }
  return { changes, spilled }
}

const CASES: readonly Case[] = [
  { called: 'row_number', limit: 1, parts: 7, scores: 5, ids: 300, isRankRead: false },
  { called: 'row_number', limit: 10, parts: 2, scores: 1_000, ids: 6_000, isRankRead: true },
  { called: 'row_number', limit: 700, parts: 1, scores: 50, ids: 6_000, isRankRead: false },
  { called: 'row_number', limit: 600, parts: 1, scores: 50, ids: 3_000, isRankRead: true },
  { called: 'rank', limit: 1, parts: 3, scores: 4, ids: 1_000, isRankRead: false },
  { called: 'rank', limit: 10, parts: 2, scores: 300, ids: 6_000, isRankRead: true },
  { called: 'rank', limit: 3, parts: 1, scores: 2, ids: 5_000, isRankRead: true },
  { called: 'rank', limit: 1_000, parts: 2, scores: 9, ids: 5_000, isRankRead: false },
]

for (const [at, given] of CASES.entries())
  test(`${given.called} up to ${given.limit}, of ${given.ids} rows with ${given.scores} values${given.isRankRead ? ', with the rank' : ''}`, () => {
    assert.ok(follow(given, seededRandom(SEED + at), null).changes > 100)
    const tight = follow({ ...given, parts: given.parts * 5 }, seededRandom(SEED - at), memoryScratch())
    assert.ok(tight.changes > 100 && tight.spilled > 20, `${tight.changes} changes, spilled ${tight.spilled} times`)
  })

test('a row that goes and was never there is no silent error', () => {
  const operator = new BestRows(topOf(CASES[0]!), SIGNED, ['id', 'part', 'score'], false, null)
  operator.take(batchOf(SIGNED, [[1n, 1, 1, 1]]), null, 1)
  assert.throws(() => operator.take(batchOf(SIGNED, [[1n, 1, 2, -1]]), null, 1), { code: 'MR_ASSERT' })
  assert.throws(() => operator.take(batchOf(SIGNED, [[1n, 9, 1, -1]]), null, 1), { code: 'MR_ASSERT' })
})

test('partitions whose rows have gone take no memory', () => {
  const operator = new BestRows(topOf({ ...CASES[0]!, limit: 3 }), SIGNED, ['id', 'part', 'score'], false, null)
  const sizes: number[] = []
  for (let round = 0; round < 24; round++) {
    const rows = Array.from({ length: 2_000 }, (_, i): Plain[] => [BigInt(i), round * 2_000 + i, 1])
    for (const sign of [1, -1]) {
      operator.take(
        batchOf(
          SIGNED,
          rows.map((row) => [...row, sign]),
        ),
        null,
        rows.length,
      )
      operator.changed()
    }
    sizes.push(operator.bytes)
  }
  assert.ok(Math.max(...sizes.slice(12)) <= 1.5 * Math.max(...sizes.slice(0, 12)), `${sizes} bytes`)
})

test('more rows than a call has arguments come, move and go at once', () => {
  const operator = new BestRows(topOf({ ...CASES[4]!, limit: 1 }), SIGNED, ['id', 'part', 'score'], true, null)
  const rows = Array.from({ length: 200_000 }, (_, i): Plain[] => [BigInt(i), 1, 1])
  const take = (sign: number): ColumnBatch => {
    const batch = batchOf(
      SIGNED,
      rows.map((row) => [...row, sign]),
    )
    operator.take(batch, null, batch.rows)
    return operator.changed()!
  }
  assert.equal(take(1).rows, rows.length)
  operator.take(batchOf(SIGNED, [[200_000n, 1, 2, 1]]), null, 1)
  assert.equal(operator.changed()!.rows, rows.length + 1, 'all but one fall out')
  operator.take(batchOf(SIGNED, [[200_000n, 1, 2, -1]]), null, 1)
  assert.equal(operator.changed()!.rows, rows.length + 1, 'and come back')
  assert.equal(take(-1).rows, rows.length)
})
