// The rest of a pipeline: short on a calm thread, bounded by its work on a busy one, none far behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../core/clock.ts'
import { breathe, rest, restLimitMs } from './pace.ts'

/** A thread on which every timer comes `lateMs` too late, on a machine that is busy for `share` of the time. */
function threadClock(lateMs: number, share = 0): Clock {
  let nowMs = 0
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    busyMs: () => nowMs * share,
    sleep: async (ms) => {
      nowMs += ms + lateMs
    },
    after: () => () => {},
  }
}

const never = new AbortController().signal

/** How long it rests after so much work, milliseconds. */
async function rested(clock: Clock, workedMs: number, behindMs: number, signal = never): Promise<number> {
  const round = { startedMs: clock.monotonicMs(), busyMs: clock.busyMs(), behindMs }
  await clock.sleep(workedMs)
  const beganMs = clock.monotonicMs()
  await rest(clock, round, signal)
  return clock.monotonicMs() - beganMs
}

test('a calm thread is used again after three steps, a busy one after eight times the work', async () => {
  const calm = await rested(threadClock(0.2), 30, 100)
  assert.ok(calm < 31, `${calm} ms`)
  const busy = await rested(threadClock(12), 30, 100)
  assert.ok(busy >= 8 * 30 && busy < 8 * 42 + 22, `${busy} ms`)
})

test('on a full machine a calm thread rests too, and longer when far behind', async () => {
  const full = await rested(threadClock(0.2, 0.9), 30, 1_000)
  assert.ok(full >= 240 && full < 260, `${full} ms`)
  assert.equal(await rested(threadClock(0.2, 0.9), 30, 2_500), 0)
  const half = await rested(threadClock(0.2, 0.5), 30, 1_000)
  assert.ok(half < 31, `${half} ms`)
})

test('the further behind, the shorter; a second and a half behind, not at all, unless the machine is full', async () => {
  assert.equal(restLimitMs(30, 500, false), 240)
  assert.equal(restLimitMs(30, 1_000, false), 120)
  assert.equal(restLimitMs(1_000, 0, false), 500)
  assert.equal(restLimitMs(0, 0, true), 0)
  assert.equal(restLimitMs(30, 1_000, true), 240)
  assert.equal(restLimitMs(30, 1_750, true), 120)
  assert.equal(await rested(threadClock(12), 30, 1_500), 0)
})

test('whoever is waited for need not wait for the rest', async () => {
  const busy = threadClock(12)
  const wanted = new AbortController()
  let steps = 0
  const clock = { ...busy, sleep: async (ms: number) => busy.sleep(ms).then(() => (steps++ > 0 ? wanted.abort() : undefined)) }
  assert.equal(await rested(clock, 1_000, 0, wanted.signal), 22)
})

test('one that somebody waits for reads again a tick after the last read began', async () => {
  const clock = threadClock(12, 0.9)
  await breathe(clock, { startedMs: 0 }, never)
  assert.equal(clock.monotonicMs(), 17)
  await breathe(clock, { startedMs: 0 }, never)
  assert.equal(clock.monotonicMs(), 29, 'after long work it only lets others have their turn')
})
