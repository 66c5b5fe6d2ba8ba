// Instants and ages. Times follow the reader's zone; ages tick with the server's clock.
import { serverNow, useNow } from '../api/clock.ts'
import { usePreferences } from '../api/preferences.ts'
import { formatAge, formatDuration, formatInstant, formatTime, steady } from './format.ts'

export function Time({ at, how = 'usual' }: { readonly at: number; readonly how?: 'usual' | 'clock' | 'minute' | 'milli' }) {
  const { zone } = usePreferences()
  return (
    <time className="num" dateTime={new Date(at).toISOString()} title={formatInstant(at, zone)}>
      {formatTime(at, serverNow(), zone, how)}
    </time>
  )
}

/** Time since `at`, ticking. */
export function Age({ at, short = false }: { readonly at: number; readonly short?: boolean }) {
  const age = Math.max(0, useNow() - at)
  return <span className="num">{steady(short ? formatDuration(age, 'short') : formatAge(age))}</span>
}

/** A length of time that does not tick; `fine` shows milliseconds. */
export function Span({ ms, fine = false }: { readonly ms: number; readonly fine?: boolean }) {
  return <span className="num">{formatDuration(ms, fine ? 'fine' : 'measured')}</span>
}
