// Streams as they run: rates, lags, watermarks, rejected rows, and whether every row is accounted for.
import type { Clocked } from './admin.ts'

/**
 * in = out + deduplicated + late + rejected, over the decided rows. `pending` rows were acknowledged and are not decided
 * yet; they are not in `in`. `skewed` rows are part of `out`.
 */
export interface Conservation {
  /** Start of the counted window; null = since the beginning. */
  readonly sinceMs: number | null
  readonly in: number
  readonly out: number
  readonly deduplicated: number
  readonly late: number
  readonly rejected: number
  readonly skewed: number
  readonly pending: number
  /** Partitions where it does not add up, with in minus the rest. Empty when it balances. */
  readonly unbalanced: readonly { readonly stream: string; readonly partition: number; readonly by: number }[]
}

export interface StreamSummary {
  readonly name: string
  readonly source: 'http' | 'processor' | 'kafka'
  readonly doc: string | null
  readonly partitions: number
  readonly ratePerSecond: number | null
  /** The longest from arrival to readable, last minute. */
  readonly lagMaxMs: number | null
  /** The oldest partition's watermark; null without event time or before the first row. */
  readonly watermarkMs: number | null
  /** Partitions whose watermark is behind the others by more than the lateness. */
  readonly behind: readonly number[]
  /** Processing stopped with this error. */
  readonly stopped: { readonly code: string; readonly message: string; readonly sinceMs: number } | null
  readonly conservation: Conservation
}

export interface Streams extends Clocked {
  readonly streams: readonly StreamSummary[]
}

/** Points at `startMs + i * stepMs`; null where nothing was measured. */
export interface Series {
  readonly name: string
  readonly values: readonly (number | null)[]
}

export interface StreamDetail extends Clocked {
  readonly stream: StreamSummary
  readonly key: string | null
  readonly time: string | null
  readonly latenessMs: number
  readonly maxSkewMs: number | null
  readonly at: string
  readonly owner: string | null
  readonly series: {
    readonly startMs: number
    readonly stepMs: number
    /** Rows a second: 'in', 'out'. */
    readonly rate: readonly Series[]
    /** Milliseconds, one for each reader of the stream (p99). */
    readonly lag: readonly Series[]
    /** Milliseconds behind now, one for each partition, named by its number. */
    readonly watermark: readonly Series[]
  }
  readonly partitions: readonly {
    readonly partition: number
    readonly endOffset: number
    readonly committedOffset: number
    readonly watermarkMs: number | null
    /** Share of the last 24 h's rows, 0 to 1. */
    readonly share: number | null
  }[]
  readonly rejected: {
    readonly total: number
    /** Most rows first. */
    readonly groups: readonly {
      readonly code: string
      readonly field: string | null
      readonly rows: number
      readonly firstAtMs: number
      readonly lastAtMs: number
      /** Start of the newest row's text, at most 200 characters. Null where a policy hides it. */
      readonly newest: string | null
    }[]
  }
}
