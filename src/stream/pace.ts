// How a pipeline shares the machine with the door: after a round of reads it rests while rows are still coming in and there is
// no time to spare, on its thread or on the processors, so that acknowledgements come first and what is read next is larger
// (each read has a price of its own). Never starves: the further behind the pipeline is, the shorter it rests. Knows only the
// clock, whose timers are late when the thread is busy.
import type { Clock } from '../core/clock.ts'

const STEP_MS = 10
/** So many steps in a row that end on time mean that the thread is not busy. */
const CALM_STEPS = 3
const LATE_MS = 1.5
/** Of the processors; what sends the rows may be on the same machine. */
const FULL_SHARE = 0.65
/** Rest for each millisecond of work: 8 leaves the pipeline a ninth of a busy thread. */
const REST_MAX = 8
const REST_MAX_MS = 500
/** Up to `easyMs` behind it rests as much as it may, from `urgentMs` on not at all. */
const THREAD_BUSY = { easyMs: 500, urgentMs: 1_500 }
/** Every processor is busy: the log takes what comes now, readers have it later. */
const MACHINE_FULL = { easyMs: 1_000, urgentMs: 2_500 }
/** And senders wait for their answers, each with the next request in hand: a burst is taken in first. */
const FLOOD = { easyMs: 4_000, urgentMs: 10_000 }
/** Of the threads that take requests; at a rate that the machine can keep up with they wait for most of the time. */
const FLOOD_SHARE = 0.4

export interface Round {
  /** `clock.monotonicMs()`, `clock.busyMs()` and the time for which requests kept their threads busy, as it began. */
  readonly startedMs: number
  readonly busyMs: number
  readonly intakeMs: number
  /** Age of the newest record that was read. */
  readonly behindMs: number
}

export type Pressure = 'none' | 'full' | 'flood'

const LIMITS = { none: THREAD_BUSY, full: MACHINE_FULL, flood: FLOOD } as const

/** The longest rest after so much work, milliseconds: none after a round that took no time. */
export function restLimitMs(workedMs: number, behindMs: number, pressure: Pressure): number {
  if (workedMs <= 0) return 0
  const { easyMs, urgentMs } = LIMITS[pressure]
  const ease = Math.min(1, Math.max(0, (urgentMs - behindMs) / (urgentMs - easyMs)))
  return Math.min(REST_MAX_MS, Math.max(STEP_MS * CALM_STEPS, workedMs * REST_MAX) * ease)
}

/** Rests until there is time to spare or the limit is reached, or until `signal` is aborted. */
export async function rest(clock: Clock, intakeMs: () => number, round: Round, signal: AbortSignal): Promise<void> {
  const beganMs = clock.monotonicMs()
  const pressure = (): Pressure => {
    const pastMs = clock.monotonicMs() - round.startedMs
    if (clock.busyMs() - round.busyMs <= pastMs * FULL_SHARE) return 'none'
    return intakeMs() - round.intakeMs > pastMs * FLOOD_SHARE ? 'flood' : 'full'
  }
  const limitMs = (): number => restLimitMs(beganMs - round.startedMs, round.behindMs, pressure())
  for (let calm = 0, nowMs = beganMs; calm < CALM_STEPS && nowMs - beganMs < limitMs() && !signal.aborted; ) {
    await clock.sleep(STEP_MS, signal).catch(() => {})
    const wokenMs = clock.monotonicMs()
    calm = pressure() === 'none' && wokenMs - nowMs < STEP_MS + LATE_MS ? calm + 1 : 0
    nowMs = wokenMs
  }
}

const BREATH_MAX_MS = 8

/** The rest of one that somebody waits for: for as long as it worked, up to a limit, so that whatever else is due goes between. */
export async function breathe(clock: Clock, startedMs: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(Math.min(BREATH_MAX_MS, clock.monotonicMs() - startedMs), signal).catch(() => {})
}
