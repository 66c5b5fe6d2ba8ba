// Sessions of many keys, with rows out of order that open, extend and join them, while most keys come and go. Against sorting all
// rows of a key. The seed is printed.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEED } from '../../../test/seed.ts'
import { integer, seededRandom } from '../../core/random.ts'
import { memoryScratch } from '../../core/scratch.ts'
import type { Expression } from '../../engine/algebra/expression.ts'
import type { GroupRelation, Window } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, valueAt } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { batchOf, type Plain } from '../plain.ts'
import { asStored } from '../testing.ts'
import { SessionGroup } from './session-group.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'key', type: { kind: 'int' }, optional: false },
    { name: 'n', type: { kind: 'int' }, optional: false },
  ],
}
const column = (name: string, kind: 'timestamp' | 'int'): Expression => ({ op: 'column', name, type: { kind }, optional: false })

const GAP = 100
const DISORDER = 400
const WINDOW = { kind: 'session', time: column('seen', 'timestamp'), gapUs: GAP, by: column('key', 'int') } as const satisfies Window
const GROUP: GroupRelation = {
  op: 'group',
  input: { op: 'scan', stream: 's' },
  window: WINDOW,
  keys: [{ name: 'k', value: column('key', 'int') }],
  aggregates: [
    { name: 'c', function: 'count', of: [], distinct: false, where: null, type: { kind: 'long' } },
    { name: 'm', function: 'max', of: [column('n', 'int')], distinct: false, where: null, type: { kind: 'int' } },
    { name: 'd', function: 'count', of: [column('n', 'int')], distinct: true, where: null, type: { kind: 'long' } },
  ],
}

/** start, end, key, rows, greatest n, distinct n. */
const shown = (batch: ColumnBatch | null): string[] =>
  Array.from({ length: batch?.rows ?? 0 }, (_, row) => batch!.columns.map((_column, i) => String(valueAt(batch!, i, row))).join(' '))

function expectedOf(rows: readonly (readonly [number, number, number])[]): string[] {
  const byKey = Map.groupBy(rows, ([, key]) => key)
  return [...byKey].flatMap(([key, own]) => {
    const sorted = own.toSorted(([a], [b]) => a - b)
    const sessions: (readonly [number, number, number])[][] = []
    for (const row of sorted) {
      const last = sessions.at(-1)
      if (last && row[0] - last.at(-1)![0] < GAP) last.push(row)
      else sessions.push([row])
    }
    return sessions.map((session) => {
      const values = session.map(([, , n]) => n)
      return [session[0]![0], session.at(-1)![0] + GAP, key, session.length, Math.max(...values), new Set(values).size].join(' ')
    })
  })
}

for (const memoryBytes of [Number.POSITIVE_INFINITY, 8_000, 1])
  test(`sessions equal those of the sorted rows, across joins, restarts and forgotten keys: memory ${memoryBytes}`, () => {
    const seed = SEED
    console.log(`seed ${seed}`)
    const random = seededRandom(seed)
    const scratch = memoryScratch()
    let operator = new SessionGroup(GROUP, WINDOW, SHAPE, scratch)
    operator.restore(null)
    let spilled = 0
    const rows: (readonly [number, number, number])[] = []
    const closed: string[] = []
    let time = 0
    let watermark = 0
    for (let batch = 0; batch < 150; batch++) {
      // Keys move on: most are never seen again.
      const own = Array.from({ length: 100 }, () => {
        time += integer(random, 6)
        return [
          Math.max(watermark, time - integer(random, DISORDER)),
          Math.floor(time / 12) + integer(random, 25),
          integer(random, 5),
        ] as const
      })
      rows.push(...own)
      const plain: Plain[][] = own.map(([seen, key, n]) => [BigInt(seen), key, n])
      operator.take(batchOf(SHAPE, plain), null, plain.length)
      if (random.next() < 0.2) {
        const saved = asStored(operator.save())
        operator = new SessionGroup(GROUP, WINDOW, SHAPE, scratch)
        operator.restore(saved)
      }
      watermark = Math.max(watermark, time - DISORDER)
      closed.push(...shown(operator.advance(watermark)))
      operator.fit(memoryBytes)
      if (operator.spilledBytes > 0) spilled++
    }
    const open = shown(operator.open())
    assert.ok(closed.length > 1_000 && open.length > 0)
    assert.deepEqual([...closed, ...open].sort(), expectedOf(rows).sort())
    closed.push(...shown(operator.advance(Number.MAX_SAFE_INTEGER)))
    assert.deepEqual(closed.sort(), expectedOf(rows).sort())
    assert.equal(operator.open(), null)
    assert.equal(spilled > 100, memoryBytes < 100_000, `something was spilled ${spilled} times`)
  })

test('keys whose sessions are over are forgotten: memory stays what it was', () => {
  const operator = new SessionGroup(GROUP, WINDOW, SHAPE)
  operator.restore(null)
  const sizes: number[] = []
  for (let batch = 0; batch < 200; batch++) {
    const plain: Plain[][] = Array.from({ length: 1_000 }, (_, i) => [BigInt(batch * GAP), batch * 1_000 + i, 1])
    operator.take(batchOf(SHAPE, plain), null, plain.length)
    operator.advance((batch - 1) * GAP)
    sizes.push(operator.bytes)
  }
  assert.ok(sizes[199]! <= sizes[20]! * 1.5, `${sizes[20]} bytes, then ${sizes[199]}`)
})
