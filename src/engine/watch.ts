// Time limit and cancellation of a question. DuckDB forgets an interrupt that comes before the statement has begun, so it is
// repeated until the call is over.
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'

const AGAIN_MS = 20

export interface Limits {
  /** Aborts when a limit is reached. */
  readonly signal: AbortSignal
  /** What to throw when a limit was reached. */
  reason(): MillraceError | undefined
  /** From now until the answered function is called, reaching a limit interrupts the connection. */
  interrupting(connection: { interrupt(): void }): () => void
  end(): void
}

export function watch(clock: Clock, { timeoutMs, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Limits {
  const reached = new AbortController()
  const reason = (): MillraceError | undefined => (reached.signal.aborted ? (reached.signal.reason as MillraceError) : undefined)
  const cancelled = (): void => reached.abort(new MillraceError('MR_CANCELLED', 'the query was cancelled'))
  const late = (): void =>
    reached.abort(
      new MillraceError('MR_SQL_TIMEOUT', `the query ran longer than ${timeoutMs} ms`, { fix: 'ask for less, or raise the time limit' }),
    )
  const forget = timeoutMs === undefined ? () => {} : clock.after(timeoutMs, late)
  if (signal?.aborted) cancelled()
  else signal?.addEventListener('abort', cancelled, { once: true })
  return {
    signal: reached.signal,
    reason,
    interrupting(connection) {
      let cancel = (): void => {}
      const interrupt = (): void => {
        connection.interrupt()
        cancel = clock.after(AGAIN_MS, interrupt)
      }
      if (reached.signal.aborted) interrupt()
      else reached.signal.addEventListener('abort', interrupt, { once: true })
      return () => {
        cancel()
        reached.signal.removeEventListener('abort', interrupt)
      }
    },
    end() {
      forget()
      signal?.removeEventListener('abort', cancelled)
    },
  }
}
