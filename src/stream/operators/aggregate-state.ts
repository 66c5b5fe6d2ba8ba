// What every aggregate keeps, by group. States are merged in any order and give the same result: that is what makes windows
// of panes, sessions and batch cuts safe. PROTOCOL rule 10.
import type { Column } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'

/**
 * One aggregate over all groups of a table, or several: then `member` says which of them. Groups are numbers; a group that no row reached
 * has the empty state.
 */
export interface AggregateState {
  /** Row `rows[i]` (i where null) belongs to `groups[i]`; `columns` are the arguments, all of them rows of one batch. */
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  /** Adds the states of another table: its group g goes to `target[g]`, for g below `count`. */
  merge(from: AggregateState, target: Int32Array, count: number): void
  /** Adds the state of one group of another table, or of this one, to the group `to`. */
  mergeGroup(from: AggregateState, group: number, to: number): void
  /** Results of some groups, in order. */
  column(groups: Int32Array, count: number, member: number): Column
  /** Back to the empty state. */
  clear(group: number): void
  /** The state of a group into a record, and out of one into a group that has the empty state. */
  write(group: number, out: RecordWriter, member: number): void
  read(group: number, from: RecordReader, member: number): void
  /** About how many of memory. */
  readonly bytes: number
  /** For checkpoints; groups below `size`. */
  save(size: number): unknown
  restore(saved: unknown): void
}
