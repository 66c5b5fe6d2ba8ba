// Retry with exponential back-off and full jitter.
import type { Clock } from './clock.ts'
import { asMillraceError } from './errors.ts'
import type { Random } from './random.ts'

export interface RetryOptions {
  /** Tries in all, the first included. */
  tryMax: number
  /** Upper bound of the first wait; doubles each time up to `waitMaxMs`. */
  waitMs: number
  waitMaxMs: number
  signal?: AbortSignal
  /** Whether an error is worth another try; default: it says so itself. */
  isRetryable?: (error: unknown) => boolean
  onRetry?: (error: unknown, attempt: number, waitMs: number) => void
}

/** Runs `action` until it succeeds, fails for good or the tries are used up; then throws its last error. */
export async function retry<T>(clock: Clock, random: Random, options: RetryOptions, action: (attempt: number) => Promise<T>): Promise<T> {
  const isRetryable = options.isRetryable ?? ((error) => asMillraceError(error).retryable)
  for (let attempt = 1; ; attempt++) {
    try {
      return await action(attempt)
    } catch (error) {
      if (attempt >= options.tryMax || !isRetryable(error)) throw error
      const waitMs = Math.round(random.next() * Math.min(options.waitMaxMs, options.waitMs * 2 ** (attempt - 1)))
      options.onRetry?.(error, attempt, waitMs)
      await clock.sleep(waitMs, options.signal)
    }
  }
}
