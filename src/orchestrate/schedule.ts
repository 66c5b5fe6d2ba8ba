// When something is due by the clock: cron in its time zone (a gap of summer time runs once at the first valid instant, an
// overlap once), or a fixed period. Pure; croner does the calendar.
import { Cron } from 'croner'

export interface Schedule {
  readonly cron?: string
  readonly everyMs?: number
  readonly zone?: string
}

/** The first instant after `afterMs` at which it is due; null = never. */
export function nextDueMs(schedule: Schedule, afterMs: number): number | null {
  if (schedule.cron !== undefined) {
    const next = new Cron(schedule.cron, { timezone: schedule.zone ?? 'UTC', paused: true }).nextRun(new Date(afterMs))
    return next ? next.getTime() : null
  }
  return schedule.everyMs === undefined ? null : afterMs + schedule.everyMs
}

/** In words, as consoles and plans show it. */
export function printSchedule(schedule: Schedule): string {
  if (schedule.cron !== undefined) return `cron ${schedule.cron} ${schedule.zone ?? 'UTC'}`
  if (schedule.everyMs !== undefined) return `every ${schedule.everyMs / 1_000} s`
  return 'by hand'
}
