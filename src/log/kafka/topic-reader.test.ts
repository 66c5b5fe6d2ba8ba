// What of a broker's answer is committed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sliceOf } from './topic-reader.ts'

const TRANSACTIONAL = 0x10
const CONTROL = 0x20

const batch = (firstOffset: number, count: number, producer = -1, attributes = producer < 0 ? 0 : TRANSACTIONAL) => ({
  firstOffset: BigInt(firstOffset),
  lastOffsetDelta: count - 1,
  attributes,
  producerId: BigInt(producer),
  records: Array.from({ length: count }, (_, offsetDelta) => ({
    offsetDelta,
    key: null,
    value: Buffer.from(String(firstOffset + offsetDelta)),
  })),
})

/** `type`: 0 an abort, 1 a commit. */
const marker = (offset: number, producer: number, type: 0 | 1) => ({
  ...batch(offset, 1, producer, TRANSACTIONAL | CONTROL),
  records: [{ offsetDelta: 0, key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) }],
})

const seen = (
  records: Parameters<typeof sliceOf>[0]['records'],
  aborted: readonly (readonly [producer: number, first: number])[],
  from = 0,
): [number[], number] => {
  const abortedTransactions = aborted.map(([producerId, firstOffset]) => ({
    producerId: BigInt(producerId),
    firstOffset: BigInt(firstOffset),
  }))
  const slice = sliceOf({ partitionIndex: 2, lastStableOffset: 100n, abortedTransactions, records: records ?? null }, from)
  assert.deepEqual([slice.partition, slice.end], [2, 100])
  return [slice.messages.map(({ offset }) => offset), slice.next]
}

test('plain messages, from where they were asked for', () => {
  assert.deepEqual(seen([batch(0, 3), batch(3, 2)], [], 2), [[2, 3, 4], 5])
  assert.deepEqual(seen(null, [], 7), [[], 7])
})

test('two aborts of one producer, a commit of it between, and another producer inside', () => {
  const records = [
    batch(0, 2, 1),
    batch(2, 1, 9),
    marker(3, 1, 0),
    batch(4, 1, 1),
    marker(5, 1, 1),
    batch(6, 2, 1),
    marker(8, 9, 1),
    batch(9, 1),
    marker(10, 1, 0),
  ]
  assert.deepEqual(
    seen(records, [
      [1, 0],
      [1, 6],
    ]),
    [[2, 4, 9], 11],
  )
})

test('an aborted transaction whose marker is not in the answer, and one that began before it', () => {
  assert.deepEqual(seen([batch(0, 1), batch(1, 2, 4)], [[4, 1]]), [[0], 3])
  assert.deepEqual(seen([batch(11, 2, 4), marker(13, 4, 0), batch(14, 1, 4), marker(15, 4, 1)], [[4, 5]], 11), [[14], 16])
})

test('compaction leaves gaps, and the place behind them counts', () => {
  const compacted = { ...batch(10, 1), lastOffsetDelta: 5 }
  assert.deepEqual(seen([compacted], []), [[10], 16])
})
