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
async function rested(clock: Clock, workedMs: number, behindMs: number, signal = never, intakeShare = 0): Promise<number> {
  const intakeMs = (): number => clock.monotonicMs() * intakeShare
  const round = { startedMs: clock.monotonicMs(), busyMs: clock.busyMs(), intakeMs: intakeMs(), behindMs }
  await clock.sleep(workedMs)
  const beganMs = clock.monotonicMs()
  await rest(clock, intakeMs, round, signal)
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

test('a burst of senders that wait for their answers is taken in first, for ten seconds at most', async () => {
  const flood = (behindMs: number, share = 0.9, intakeShare = 0.9): Promise<number> =>
    rested(threadClock(0.2, share), 30, behindMs, never, intakeShare)
  const early = await flood(4_000)
  assert.ok(early >= 240 && early < 260, `${early} ms`)
  const late = await flood(7_000)
  assert.ok(late >= 120 && late < 140, `${late} ms`)
  assert.equal(await flood(10_000), 0)
  assert.equal(await flood(4_000, 0.9, 0.2), 0, 'at a rate that is kept up with, requests wait for their sender')
  assert.equal(await flood(4_000, 0.5, 0.9), 0, 'with a processor to spare nobody waits')
})

test('the further behind, the shorter; a second and a half behind, not at all, unless the machine is full', async () => {
  assert.equal(restLimitMs(30, 500, 'none'), 240)
  assert.equal(restLimitMs(30, 1_000, 'none'), 120)
  assert.equal(restLimitMs(1_000, 0, 'none'), 500)
  assert.equal(restLimitMs(0, 0, 'full'), 0)
  assert.equal(restLimitMs(30, 1_000, 'full'), 240)
  assert.equal(restLimitMs(30, 1_750, 'full'), 120)
  assert.equal(await rested(threadClock(12), 30, 1_500), 0)
})

test('whoever is waited for need not wait for the rest', async () => {
  const busy = threadClock(12)
  const wanted = new AbortController()
  let steps = 0
  const clock = { ...busy, sleep: async (ms: number) => busy.sleep(ms).then(() => (steps++ > 0 ? wanted.abort() : undefined)) }
  assert.equal(await rested(clock, 1_000, 0, wanted.signal), 22)
})

test('one that somebody waits for rests for as long as it worked, 8 ms at most', async () => {
  const clock = threadClock(0, 0.9)
  await clock.sleep(6)
  await breathe(clock, 2, never)
  assert.equal(clock.monotonicMs(), 10)
  await breathe(clock, 0, never)
  assert.equal(clock.monotonicMs(), 18)
})
