// Options that every relation takes, and how partition rules are written. Checked in full by `plan/compile.ts`.
import type { Duration } from '../core/duration.ts'
import type { Fields, KeyOf, KeysOfKind } from './field.ts'

/** `'day(placed)'`, `'bucket(16, id)'`, or a column. */
export type PartitionOf<S extends Fields> =
  | KeyOf<S>
  | `${'year' | 'month' | 'day'}(${KeysOfKind<S, 'timestamp' | 'datetime' | 'date'>})`
  | `hour(${KeysOfKind<S, 'timestamp' | 'datetime'>})`
  | `bucket(${number}, ${KeyOf<S>})`

/** Partition rules where only the row type is known. */
export type PartitionOfRow<R> = 0 extends 1 & R
  ? string
  : (keyof R & string) | `${'year' | 'month' | 'day' | 'hour'}(${keyof R & string})` | `bucket(${number}, ${keyof R & string})`

export interface KeepHow {
  /** How long records stay in the log; default 7 days. */
  readonly log?: Duration
  /** How long rows stay in the table, by `by`; default for ever. */
  readonly table?: Duration
  /** Column of time that says how old a row is. Default: the event time, the time that it is partitioned by, the only one. */
  readonly by?: string
  /** Old rows go to `<name>__archive` instead of nowhere: beside the table, or in this directory or place of the lake's store. */
  readonly archive?: boolean | string
}

export interface RelationHow {
  readonly doc?: string
  /** Team or person who answers for it. */
  readonly owner?: string
  readonly tags?: readonly string[]
  readonly keep?: KeepHow
  /** Freshness target. */
  readonly fresh?: Duration
  /**
   * Iceberg's format version of the table: 2 (default), which every reader knows, or 3, with row ids, deletion vectors and
   * defaults. A table of version 2 becomes one of version 3; there is no way back.
   */
  readonly iceberg?: { readonly version: 2 | 3 }
  /**
   * Whether its rows are encrypted wherever they are kept: tables, log, state. Chosen when it is first deployed. Default: whether
   * anything that it reads is. Engines outside cannot read such a table.
   */
  readonly encrypted?: boolean
}
