// Partitions of a topic put into the order of their times.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Align } from './align.ts'
import type { ReadMessages } from './read-messages.ts'

function messages(partition: number, from: number, times: readonly number[]): ReadMessages {
  return {
    origin: { topic: 't', partition, pipeline: `p${partition}` },
    count: times.length,
    offsets: Float64Array.from(times, (_, place) => from + place),
    times: Float64Array.from(times),
    targets: new Int32Array(times.length),
    isGone: new Uint8Array(times.length),
    lines: Buffer.alloc(0),
    starts: new Int32Array(times.length),
    ends: new Int32Array(times.length),
    refusals: new Map(),
  }
}

const taken = (align: Align, count: number, hasMore: (partition: number) => boolean): [number, number, number][] =>
  [...align.take(Array.from({ length: count }).keys(), hasMore)].flatMap(({ messages: { origin, offsets, times }, from, to }) =>
    Array.from({ length: to - from }, (_, i): [number, number, number] => [origin.partition, offsets[from + i]!, times[from + i]!]),
  )

test('all of it, each partition in its order, and by time where all partitions are here', () => {
  const partition = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(partition, { minLength: 1, maxLength: 4 }), fc.integer({ min: 0, max: 3 }), (partitions, slackMs) => {
      const align = new Align(true, slackMs / 1_000)
      const sorted = partitions.map((times) => times.toSorted((a, b) => a - b))
      for (const [index, times] of sorted.entries()) align.add(messages(index, 10, times))
      const rows = taken(align, partitions.length, () => false)
      for (const [index, times] of sorted.entries())
        assert.deepEqual(
          rows.filter(([own]) => own === index).map(([, , time]) => time),
          times,
        )
      let highest = 0
      for (const [, , time] of rows) {
        assert.ok(time >= highest - slackMs, `${time} after ${highest}`)
        highest = Math.max(highest, time)
      }
    }),
  )
})

test('while one has more to come and nothing here, the others wait, and say from where', () => {
  const align = new Align(true, 0)
  align.add(messages(0, 5, [10, 20]))
  assert.deepEqual(
    taken(align, 2, (partition) => partition === 1),
    [],
  )
  assert.equal(align.waitingFrom(0), 5)
  align.add(messages(1, 0, [15]))
  assert.deepEqual(
    taken(align, 2, () => true),
    [
      [0, 5, 10],
      [1, 0, 15],
    ],
  )
  assert.equal(align.waitingFrom(0), 6)
  assert.equal(align.waitingFrom(1), undefined)
  assert.deepEqual(
    taken(align, 2, () => false),
    [[0, 6, 20]],
  )
  assert.equal(align.holds(0), false)
})

test('without a time nothing waits', () => {
  const align = new Align(false, 0)
  align.add(messages(0, 0, [Number.NaN, Number.NaN]))
  assert.equal(taken(align, 2, () => true).length, 2)
})
