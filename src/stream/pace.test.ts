// The rest of a pipeline: short on a calm thread, bounded by its work on a busy one, none far behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../core/clock.ts'
import { rest, restLimitMs } from './pace.ts'

/** A thread on which every timer comes `lateMs` too late. */
function threadClock(lateMs: number): Clock {
  let nowMs = 0
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms + lateMs
    },
    after: () => () => {},
  }
}

test('a calm thread is used again after three steps, a busy one after eight times the work', async () => {
  const calm = threadClock(0.2)
  await rest(calm, { workedMs: 30, behindMs: 100 }, new AbortController().signal)
  assert.ok(calm.nowMs() < 31, `${calm.nowMs()} ms`)
  const busy = threadClock(12)
  await rest(busy, { workedMs: 30, behindMs: 100 }, new AbortController().signal)
  assert.ok(busy.nowMs() >= 240 && busy.nowMs() < 260, `${busy.nowMs()} ms`)
})

test('the further behind, the shorter; a second and a half behind, not at all', async () => {
  assert.equal(restLimitMs({ workedMs: 30, behindMs: 500 }), 240)
  assert.equal(restLimitMs({ workedMs: 30, behindMs: 1_000 }), 120)
  assert.equal(restLimitMs({ workedMs: 1_000, behindMs: 0 }), 500)
  assert.equal(restLimitMs({ workedMs: 0, behindMs: 0 }), 0)
  const busy = threadClock(12)
  await rest(busy, { workedMs: 30, behindMs: 1_500 }, new AbortController().signal)
  assert.equal(busy.nowMs(), 0)
})

test('whoever is waited for need not wait for the rest', async () => {
  const busy = threadClock(12)
  const wanted = new AbortController()
  await rest({ ...busy, sleep: async (ms) => busy.sleep(ms).then(() => wanted.abort()) }, { workedMs: 1_000, behindMs: 0 }, wanted.signal)
  assert.equal(busy.nowMs(), 22)
})
