// What is aggregated of frames that move on, by partition. States are merged and never taken back: of the older rows of a frame each
// has what is aggregated of it and of all older ones that came after it, and the newer rows are one state. Where the older ones are used
// up, all rows of the frame become older ones. So a row is merged a few times, however long the frame is: Tangwongsan, Hirzel et al.,
// "General Incremental Sliding-Window Aggregation" (VLDB 2015), two stacks. Rows of one place in a partition are one entry.
import type { Aggregate } from '../../engine/algebra/relation.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import { type HeldRows, NONE } from '../memory/held-rows.ts'
import { AggregateStates } from './aggregate-states.ts'
import { type MovingFrame, MovingRows } from './moving-rows.ts'

/**
 * What frames keep. Partitions are numbers; rows enter in the order of their partition, all of one time before the first of them is
 * read.
 */
export interface FrameStates {
  /** So many rows are about to enter, and to be read: of each aggregate its arguments and its filter. */
  begin(columns: readonly (readonly Column[])[], count: number): void
  enter(partition: number, timeUs: number, row: number): void
  /** The results of this row are those of the frame of the last one that entered the partition. */
  read(partition: number, row: number): void
  results(): Column[]
  readonly bytes: number
  /** `partitions`: how many there are. */
  save(partitions: number): unknown
  /** What was saved; null: nothing. */
  restore(saved: unknown): void
}

/** Frames of which some rows leave. */
export interface MovingStates extends FrameStates {
  readonly held: HeldRows
  /** Of a range: no row that is still to come is before this time, microseconds. */
  forgetBefore(timeUs: number): void
  /** Partitions, which `held` knows, have other numbers. */
  index(): void
}

/** States that are merged: each row is one, and each result. */
abstract class MergedStates {
  protected readonly aggregates: readonly Aggregate[]
  /** Of rows that enter. */
  protected rows: AggregateStates
  protected out: AggregateStates
  #count = 0

  constructor(aggregates: readonly Aggregate[]) {
    this.aggregates = aggregates
    this.rows = this.none()
    this.out = this.none()
  }

  protected none(): AggregateStates {
    return new AggregateStates(this.aggregates)
  }

  begin(columns: readonly (readonly Column[])[], count: number): void {
    this.#count = count
    this.out = this.none()
    this.rows = this.none()
    this.rows.add(indexes(count), columns.flat(), null, count)
  }

  results(): Column[] {
    return this.out.columns(indexes(this.#count), this.#count)
  }
}

/** Frames without a beginning: one state a partition. */
export class RunningStates extends MergedStates implements FrameStates {
  #states = this.none()

  enter(partition: number, _timeUs: number, row: number): void {
    this.#states.mergeGroup(this.rows, row, partition)
  }

  read(partition: number, row: number): void {
    this.out.mergeGroup(this.#states, partition, row)
  }

  get bytes(): number {
    return this.#states.bytes
  }

  save(partitions: number): unknown {
    return this.#states.save(partitions)
  }

  restore(saved: unknown): void {
    this.#states = this.none()
    if (saved !== null) this.#states.restore(saved)
  }
}

interface Saved {
  readonly entries: unknown
  readonly states: unknown
}

/** Of `flags`: the entry has the state of all older ones from it on, or its own alone. */
export const SUMMED = 1

/** Frames of so many rows or so long: see above. */
export class SlidingStates extends MergedStates implements MovingStates {
  readonly #entries: MovingRows
  /** By entry. */
  #states = this.none()
  /** By partition: what is aggregated of the newer rows. */
  #newer = this.none()

  constructor(aggregates: readonly Aggregate[], frame: MovingFrame) {
    super(aggregates)
    this.#entries = new MovingRows(frame, [], (partition, entry) => this.#leave(partition, entry))
  }

  get held(): HeldRows {
    return this.#entries.held
  }

  enter(partition: number, timeUs: number, row: number): void {
    const { held } = this.#entries
    const last = held.firstOf(partition)
    const place = this.#entries.placeOf(partition, timeUs)
    // What older entries were summed with does not change.
    const isPeer = last !== NONE && held.times.at(last) === place && held.flags.at(last) !== SUMMED
    const entry = isPeer ? last : this.#entries.add(partition, place, [], 0)
    this.#states.mergeGroup(this.rows, row, entry)
    this.#newer.mergeGroup(this.rows, row, partition)
  }

  read(partition: number, row: number): void {
    const oldest = this.#entries.oldestOf(partition)
    if (this.held.flags.at(oldest) === SUMMED) this.out.mergeGroup(this.#states, oldest, row)
    this.out.mergeGroup(this.#newer, partition, row)
  }

  forgetBefore(timeUs: number): void {
    this.#entries.forgetBefore(timeUs)
  }

  #leave(partition: number, entry: number): void {
    if (this.held.flags.at(entry) !== SUMMED) this.#sum(partition)
    this.#states.clear(entry)
  }

  /** All are older ones from now on. */
  #sum(partition: number): void {
    const { held } = this.#entries
    let after = held.firstOf(partition)
    held.flags.put(after, SUMMED)
    for (let entry = held.next.at(after); entry !== NONE; entry = held.next.at(entry)) {
      this.#states.mergeGroup(this.#states, after, entry)
      held.flags.put(entry, SUMMED)
      after = entry
    }
    this.#newer.clear(partition)
  }

  get bytes(): number {
    return this.#entries.bytes + this.#states.bytes + this.#newer.bytes
  }

  save(): unknown {
    const entries = this.held.save()
    return { entries, states: this.#states.save(entries.size) }
  }

  restore(saved: unknown): void {
    const { entries, states } = (saved as Saved | null) ?? { entries: null, states: null }
    this.#entries.restore(entries)
    this.#states = this.none()
    if (states !== null) this.#states.restore(states)
    this.#sumNewer()
  }

  index(): void {
    this.#entries.index()
    this.#sumNewer()
  }

  #sumNewer(): void {
    this.#newer = this.none()
    for (const entry of this.held.slots())
      if (this.held.flags.at(entry) !== SUMMED) this.#newer.mergeGroup(this.#states, entry, this.held.groupOf(entry))
  }
}
