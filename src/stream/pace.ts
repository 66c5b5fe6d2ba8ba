// How a pipeline shares its thread with the door: after a round of reads it rests while rows are still coming in and the
// thread has no time to spare, so that acknowledgements come first and what is read next is larger (each read has a price of
// its own). Never starves: the further behind the pipeline is, the shorter it rests. Knows only the clock, whose timers are
// late when the thread is busy.
import type { Clock } from '../core/clock.ts'

const STEP_MS = 10
/** So many steps in a row that end on time mean that the thread is not busy. */
const CALM_STEPS = 3
const LATE_MS = 1.5
/** Rest for each millisecond of work: 8 leaves the pipeline a ninth of a busy thread. */
const REST_MAX = 8
const REST_MAX_MS = 500
/** Up to `EASY_MS` behind it rests as much as it may, from `URGENT_MS` on not at all. */
const EASY_MS = 500
const URGENT_MS = 1_500

export interface Round {
  /** How long the round took. */
  readonly workedMs: number
  /** Age of the newest record that was read. */
  readonly behindMs: number
}

/** The longest rest after a round, milliseconds: none after one that took no time. */
export function restLimitMs({ workedMs, behindMs }: Round): number {
  if (workedMs <= 0) return 0
  const ease = Math.min(1, Math.max(0, (URGENT_MS - behindMs) / (URGENT_MS - EASY_MS)))
  return Math.min(REST_MAX_MS, Math.max(STEP_MS * CALM_STEPS, workedMs * REST_MAX) * ease)
}

/** Rests until the thread is calm or the limit is reached, or until `signal` is aborted. */
export async function rest(clock: Clock, round: Round, signal: AbortSignal): Promise<void> {
  const startedMs = clock.monotonicMs()
  const limitMs = restLimitMs(round)
  for (let calm = 0, nowMs = startedMs; calm < CALM_STEPS && nowMs - startedMs < limitMs && !signal.aborted; ) {
    await clock.sleep(STEP_MS, signal).catch(() => {})
    const wokenMs = clock.monotonicMs()
    calm = wokenMs - nowMs < STEP_MS + LATE_MS ? calm + 1 : 0
    nowMs = wokenMs
  }
}
