// What is aggregated of frames that move on, by partition. States are merged and never taken back: of the older rows of a frame each
// has what is aggregated of it and of all older ones that came after it, and the newer rows are one state. Where the older ones are used
// up, all rows of the frame become older ones. So a row is merged a few times, however long the frame is: Tangwongsan, Hirzel et al.,
// "General Incremental Sliding-Window Aggregation" (VLDB 2015), two stacks. Rows of one place in a partition are one entry.
import type { Aggregate, Frame } from '../../engine/algebra/relation.ts'
import { AggregateStates } from './aggregate-states.ts'
import { HeldRows, NONE } from './held-rows.ts'
import { Ints } from './paged.ts'
import { TimerHeap } from './timer-heap.ts'

/** What frames keep. Partitions are numbers; rows enter in the order of their partition, all of one time before the first is asked for. */
export interface FrameStates {
  /** The row `row` of `rows`, at this time, microseconds. */
  enter(partition: number, timeUs: number, rows: AggregateStates, row: number): void
  /** Adds what is aggregated of the frame of the last row that entered to the group `to`. */
  addTo(out: AggregateStates, to: number, partition: number): void
  readonly bytes: number
  /** `partitions`: how many there are. */
  save(partitions: number): unknown
  restore(saved: unknown): void
}

/** Frames without a beginning: one state a partition. */
export class RunningStates implements FrameStates {
  readonly #aggregates: readonly Aggregate[]
  #states: AggregateStates

  constructor(aggregates: readonly Aggregate[]) {
    this.#aggregates = aggregates
    this.#states = new AggregateStates(aggregates)
  }

  enter(partition: number, _timeUs: number, rows: AggregateStates, row: number): void {
    this.#states.mergeGroup(rows, row, partition)
  }

  addTo(out: AggregateStates, to: number, partition: number): void {
    out.mergeGroup(this.#states, partition, to)
  }

  get bytes(): number {
    return this.#states.bytes
  }

  save(partitions: number): unknown {
    return this.#states.save(partitions)
  }

  restore(saved: unknown): void {
    this.#states = new AggregateStates(this.#aggregates)
    if (saved !== null) this.#states.restore(saved)
  }
}

interface Saved {
  readonly entries: { readonly size: number }
  readonly states: unknown
}

/** Of `flags`: the entry has the state of all older ones from it on, or its own alone. */
const SUMMED = 1

/** Frames of so many rows or so long: see above. */
export class SlidingStates implements FrameStates {
  readonly #aggregates: readonly Aggregate[]
  readonly #unit: Frame['unit']
  readonly #length: number
  /** The place in its partition in place of a time: the time, or a number. */
  #entries = new HeldRows([])
  /** By entry. */
  #states: AggregateStates
  /** By partition: what is aggregated of the newer rows. */
  #newer: AggregateStates
  /** By partition: its oldest entry. */
  #oldest = new Ints(NONE)
  /** Of ranges: one timer a partition that has entries, at the time of the oldest or before. */
  #timers = new TimerHeap()

  constructor(aggregates: readonly Aggregate[], unit: Frame['unit'], length: number) {
    this.#aggregates = aggregates
    this.#unit = unit
    this.#length = length
    this.#states = new AggregateStates(aggregates)
    this.#newer = new AggregateStates(aggregates)
  }

  get entries(): HeldRows {
    return this.#entries
  }

  enter(partition: number, timeUs: number, rows: AggregateStates, row: number): void {
    const entries = this.#entries
    const last = entries.firstOf(partition)
    const before = last === NONE ? Number.NEGATIVE_INFINITY : entries.times.at(last)
    // A row that was re-driven behind others counts as one of the last of their times.
    const place = this.#unit === 'range' ? Math.max(timeUs, before) : last === NONE ? 0 : before + 1
    // What older entries were summed with does not change.
    const isPeer = before === place && entries.flags.at(last) !== SUMMED
    const entry = isPeer ? last : entries.add(partition, place, [], 0, 0)
    if (last === NONE) this.#begin(partition, entry)
    this.#states.mergeGroup(rows, row, entry)
    this.#newer.mergeGroup(rows, row, partition)
  }

  #begin(partition: number, oldest: number): void {
    this.#oldest.put(partition, oldest)
    if (this.#unit === 'range') this.#timers.push(this.#entries.times.at(oldest), partition, 0)
  }

  addTo(out: AggregateStates, to: number, partition: number): void {
    this.#drop(partition, this.#entries.times.at(this.#entries.firstOf(partition)) - this.#length)
    const oldest = this.#oldest.at(partition)
    if (this.#entries.flags.at(oldest) === SUMMED) out.mergeGroup(this.#states, oldest, to)
    out.mergeGroup(this.#newer, partition, to)
  }

  /** Of a range: no row that is still to come is before this time, microseconds. */
  forgetBefore(timeUs: number): void {
    while (this.#timers.first < timeUs - this.#length) {
      const { slot: partition } = this.#timers.pop()
      this.#drop(partition, timeUs - this.#length)
      const oldest = this.#oldest.at(partition)
      if (oldest !== NONE) this.#begin(partition, oldest)
    }
  }

  /** Entries before the place go. */
  #drop(partition: number, place: number): void {
    const entries = this.#entries
    for (let oldest = this.#oldest.at(partition); oldest !== NONE && entries.times.at(oldest) < place; ) {
      if (entries.flags.at(oldest) !== SUMMED) this.#sum(partition)
      const after = entries.before.at(oldest)
      this.#states.clear(oldest)
      entries.remove(oldest)
      this.#oldest.put(partition, after)
      oldest = after
    }
  }

  /** All are older ones from now on. */
  #sum(partition: number): void {
    const entries = this.#entries
    let after = entries.firstOf(partition)
    entries.flags.put(after, SUMMED)
    for (let entry = entries.next.at(after); entry !== NONE; entry = entries.next.at(entry)) {
      this.#states.mergeGroup(this.#states, after, entry)
      entries.flags.put(entry, SUMMED)
      after = entry
    }
    this.#newer.clear(partition)
  }

  get bytes(): number {
    return this.#entries.bytes + this.#states.bytes + this.#newer.bytes + this.#oldest.bytes + this.#timers.bytes
  }

  save(): unknown {
    const entries = this.#entries.save()
    return { entries, states: this.#states.save(entries.size) }
  }

  restore(saved: unknown): void {
    this.#entries = new HeldRows([])
    this.#states = new AggregateStates(this.#aggregates)
    if (saved !== null) {
      const { entries, states } = saved as Saved
      this.#entries.restore(entries)
      this.#states.restore(states)
    }
    this.index()
  }

  /** What follows from the entries: anew, also where partitions have other numbers. */
  index(): void {
    const entries = this.#entries
    this.#newer = new AggregateStates(this.#aggregates)
    this.#oldest = new Ints(NONE)
    this.#timers = new TimerHeap()
    for (const entry of entries.slots()) {
      const partition = entries.groupOf(entry)
      if (entries.next.at(entry) === NONE) this.#begin(partition, entry)
      if (entries.flags.at(entry) !== SUMMED) this.#newer.mergeGroup(this.#states, entry, partition)
    }
  }
}
