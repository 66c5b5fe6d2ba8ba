// What a pipeline tells about itself: hints for metrics, alerts and those who wait; nothing relies on one.
import type { MillraceError } from '../core/errors.ts'
import type { Delivery } from './delivery.ts'

export type StreamEvent =
  | { readonly kind: 'applied'; readonly pipeline: string; readonly partition: number; readonly delivery: Delivery; readonly lag: number }
  /**
   * All that was read in a round is taken in; `waitedMs`: since the oldest record of it was appended, `ownMs`: since that could be read,
   * and so was durable; null where the log does not know.
   */
  | { readonly kind: 'taken'; readonly pipeline: string; readonly waitedMs: number; readonly ownMs: number | null }
  | {
      readonly kind: 'flushed'
      readonly pipeline: string
      readonly tables: readonly string[]
      readonly rows: number
      readonly tookMs: number
    }
  /** `againMs`: when it starts again from its last commit; infinite when another owner has taken over. */
  | { readonly kind: 'failed'; readonly pipeline: string; readonly error: MillraceError; readonly againMs: number }
  /** After a failure: all that there is was read again and is committed. */
  | { readonly kind: 'recovered'; readonly pipeline: string }
