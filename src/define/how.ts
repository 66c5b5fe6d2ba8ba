// Options that every relation takes, and how partition rules are written. Checked in full by `plan/compile.ts`.
import type { Duration } from '../core/duration.ts'
import type { Fields, KeyOf, KeysOfKind } from './field.ts'

/** `'day(placed)'`, `'bucket(16, id)'`, or a column. */
export type PartitionOf<S extends Fields> =
  | KeyOf<S>
  | `${'year' | 'month' | 'day'}(${KeysOfKind<S, 'timestamp' | 'date'>})`
  | `hour(${KeysOfKind<S, 'timestamp'>})`
  | `bucket(${number}, ${KeyOf<S>})`

/** Partition rules where only the row type is known. */
export type PartitionOfRow<R> = 0 extends 1 & R
  ? string
  : (keyof R & string) | `${'year' | 'month' | 'day' | 'hour'}(${keyof R & string})` | `bucket(${number}, ${keyof R & string})`

export interface RelationHow {
  readonly doc?: string
  /** Team or person who answers for it. */
  readonly owner?: string
  readonly tags?: readonly string[]
  /** How long records stay in the log (default 7 days) and rows in the table (default for ever). */
  readonly keep?: { readonly log?: Duration; readonly table?: Duration }
  /** Freshness target. */
  readonly fresh?: Duration
  /**
   * Iceberg's format version of the table: 2 (default), which every reader knows, or 3, with row ids, deletion vectors and
   * defaults. A table of version 2 becomes one of version 3; there is no way back.
   */
  readonly iceberg?: { readonly version: 2 | 3 }
}
