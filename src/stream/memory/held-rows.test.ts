// The rows of a key stay in the order of their times, of one time in that in which they were added, whatever is added, looked for and
// removed, and after a checkpoint, also one whose lists are in the order in which rows were added.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Column } from '../../schema/batch.ts'
import { asStored } from '../testing.ts'
import { HeldRows, NONE } from './held-rows.ts'

interface Row {
  readonly slot: number
  readonly group: number
  readonly timeUs: number
  readonly number: number
}

const GROUPS = 3
const numbers = (values: readonly number[]): Column => ({ kind: 'number', values: Float64Array.from(values), nulls: null })

const step = fc.oneof(
  fc.record({
    kind: fc.constant('add' as const),
    rows: fc.array(fc.tuple(fc.integer({ min: -1, max: GROUPS - 1 }), fc.nat(12)), { minLength: 1, maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant('remove' as const), which: fc.nat(30) }),
  fc.record({
    kind: fc.constant('look' as const),
    group: fc.integer({ min: -1, max: GROUPS - 1 }),
    timeUs: fc.integer({ min: -1, max: 13 }),
  }),
  fc.record({ kind: fc.constant('store' as const), isOfBefore: fc.boolean() }),
)

/** The newest first. */
const listOf = (rows: readonly Row[], group: number): Row[] =>
  rows.filter((row) => row.group === group).sort((a, b) => b.timeUs - a.timeUs || b.number - a.number)

/** Lists as checkpoints of before have them: the row that was added last is first. */
function asBefore(saved: unknown, rows: readonly Row[]): unknown {
  const { size } = saved as { size: number }
  const [next, before] = [new Int32Array(size).fill(NONE), new Int32Array(size).fill(NONE)]
  for (let group = 0; group < GROUPS; group++) {
    const own = rows.filter((row) => row.group === group).sort((a, b) => b.number - a.number)
    for (const [i, { slot }] of own.entries()) {
      next[slot] = own[i + 1]?.slot ?? NONE
      before[slot] = own[i - 1]?.slot ?? NONE
    }
  }
  return { ...(saved as object), next: new Uint8Array(next.buffer), before: new Uint8Array(before.buffer) }
}

test('rows of a key are in the order of their times', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let held = new HeldRows([{ kind: 'int' }])
      const rows: Row[] = []
      let added = 0
      for (const own of steps) {
        if (own.kind === 'add') {
          const values = own.rows.map((_, i) => added + i)
          const batch = {
            groups: Int32Array.from(own.rows, ([group]) => group),
            times: Float64Array.from(own.rows, ([, timeUs]) => timeUs),
            columns: [numbers(values)],
          }
          const slots = held.addAll(batch, null, own.rows.length)
          for (const [i, [group, timeUs]] of own.rows.entries()) rows.push({ slot: slots[i]!, group, timeUs, number: added++ })
        } else if (own.kind === 'remove' && rows.length > 0) {
          const [gone] = rows.splice(own.which % rows.length, 1)
          held.remove(gone!.slot)
        } else if (own.kind === 'look') {
          const expected = own.group < 0 ? undefined : listOf(rows, own.group).find(({ timeUs }) => timeUs <= own.timeUs)
          assert.equal(held.latestAt(own.group, own.timeUs), expected?.slot ?? NONE)
        } else if (own.kind === 'store') {
          const saved = asStored(held.save())
          held = new HeldRows([{ kind: 'int' }])
          held.restore(own.isOfBefore ? asBefore(saved, rows) : saved)
        }
        for (let group = 0; group < GROUPS; group++) {
          const list: number[] = []
          for (let slot = held.firstOf(group), after = NONE; slot !== NONE; slot = held.next.at(slot)) {
            assert.equal(held.before.at(slot), after)
            list.push(slot)
            after = slot
          }
          assert.deepEqual(
            list,
            listOf(rows, group).map(({ slot }) => slot),
          )
        }
        assert.equal(held.count, rows.length)
      }
    }),
    { numRuns: 500 },
  )
})
