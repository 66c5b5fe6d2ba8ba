// Durations as users write them: `'10 minutes'`. A template-literal type catches a misspelling before anything runs.
import { MillraceError } from './errors.ts'

type Unit = 'millisecond' | 'second' | 'minute' | 'hour' | 'day' | 'week'

export type Duration = `${number} ${Unit}${'' | 's'}`

const UNIT_MS: Record<Unit, number> = { millisecond: 1, second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 }

/** Milliseconds of a duration. @throws MR_DURATION when it is malformed or negative. */
export function durationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?) (millisecond|second|minute|hour|day|week)s?$/.exec(text)
  if (!match)
    throw new MillraceError('MR_DURATION', `"${text}" is not a duration`, { fix: "write it like '10 minutes', '1 hour' or '7 days'" })
  return Number(match[1]) * UNIT_MS[match[2] as Unit]
}

/** At most two units, as the console shows ages: "2 min 51 s", "1 h 36 min", "0.2 s". */
export function formatAge(ms: number): string {
  if (ms < 1_000) return `${(Math.max(0, ms) / 1_000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1_000)
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ]
  const first = parts.findIndex(([count]) => count > 0)
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ')
}
