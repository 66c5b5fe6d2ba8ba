// What a node has opened and closes when it stops, in the reverse order.
import type { Clock } from '../core/clock.ts'

export type Closer = () => Promise<void> | void

/** Closes what was opened, the last first, each even when one fails; a second call closes nothing. */
export async function closeAll(closers: Closer[], onError: (cause: unknown) => void): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    try {
      await close()
    } catch (cause) {
      onError(cause)
    }
  }
}

/** Waits for the work, but no longer than that. */
export async function within(clock: Clock, ms: number, work: Promise<void>): Promise<void> {
  const done = new AbortController()
  await Promise.race([work, clock.sleep(ms, done.signal).catch(() => {})])
  done.abort()
}
