// Rows of frames that move on: each partition's in the order in which they entered, of which the oldest leave when the frame of its
// last row has moved beyond them. Partitions are numbers.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { Frame } from '../../engine/algebra/relation.ts'
import type { Column } from '../../schema/batch.ts'
import { HeldRows, NONE } from '../memory/held-rows.ts'
import { Ints } from '../memory/paged.ts'
import { TimerHeap } from '../memory/timer-heap.ts'

/** A frame that begins somewhere. */
export interface MovingFrame {
  readonly unit: Frame['unit']
  readonly preceding: number
}

export class MovingRows {
  readonly #frame: MovingFrame
  readonly #types: readonly ValueType[]
  readonly #leave: (partition: number, slot: number) => void
  /** The place in its partition in place of a time: the time, or a number. */
  #held: HeldRows
  /** By partition: its oldest row. */
  #oldest = new Ints(NONE)
  /** Of ranges: one timer a partition that has rows, at the time of the oldest or before. */
  #timers = new TimerHeap()

  /** `types`: of what is held of a row. `leave`: told of each that leaves while it is still there, the oldest first. */
  constructor(frame: MovingFrame, types: readonly ValueType[], leave: (partition: number, slot: number) => void) {
    this.#frame = frame
    this.#types = types
    this.#leave = leave
    this.#held = this.#noRows()
  }

  #noRows(): HeldRows {
    return new HeldRows(this.#types, { areApart: true })
  }

  get held(): HeldRows {
    return this.#held
  }

  /** Where a row of this time stands in its partition: one that was re-driven behind others counts as one of the last of their times. */
  placeOf(partition: number, timeUs: number): number {
    const last = this.#held.firstOf(partition)
    const before = last === NONE ? Number.NEGATIVE_INFINITY : this.#held.times.at(last)
    return this.#frame.unit === 'range' ? Math.max(timeUs, before) : last === NONE ? 0 : before + 1
  }

  /** Answers its slot. */
  add(partition: number, place: number, columns: readonly Column[], row: number): number {
    const isFirst = this.#held.firstOf(partition) === NONE
    const slot = this.#held.add(partition, place, columns, row, 0)
    if (isFirst) this.#begin(partition, slot)
    return slot
  }

  #begin(partition: number, oldest: number): void {
    this.#oldest.put(partition, oldest)
    if (this.#frame.unit === 'range') this.#timers.push(this.#held.times.at(oldest), partition, 0)
  }

  /** The oldest row that is in the frame of the last one of the partition, which is there; others leave. */
  oldestOf(partition: number): number {
    this.#moveTo(partition, this.#held.times.at(this.#held.firstOf(partition)) - this.#frame.preceding)
    return this.#oldest.at(partition)
  }

  /** Of a range: no row that is still to come is before this time, microseconds. */
  forgetBefore(timeUs: number): void {
    while (this.#timers.first < timeUs - this.#frame.preceding) {
      const { slot: partition } = this.#timers.pop()
      this.#moveTo(partition, timeUs - this.#frame.preceding)
      const oldest = this.#oldest.at(partition)
      if (oldest !== NONE) this.#begin(partition, oldest)
    }
  }

  /** Rows before the place leave. */
  #moveTo(partition: number, place: number): void {
    for (let oldest = this.#oldest.at(partition); oldest !== NONE && this.#held.times.at(oldest) < place; ) {
      this.#leave(partition, oldest)
      const after = this.#held.before.at(oldest)
      this.#held.remove(oldest)
      this.#oldest.put(partition, after)
      oldest = after
    }
  }

  get bytes(): number {
    return this.#held.bytes + this.#oldest.bytes + this.#timers.bytes
  }

  /** Rows that were saved, none where null. */
  restore(saved: unknown): void {
    this.#held = this.#noRows()
    if (saved !== null) this.#held.restore(saved)
    this.index()
  }

  /** What follows from the rows: anew, also where partitions have other numbers. */
  index(): void {
    this.#oldest = new Ints(NONE)
    this.#timers = new TimerHeap()
    for (const slot of this.#held.slots()) if (this.#held.next.at(slot) === NONE) this.#begin(this.#held.groupOf(slot), slot)
  }
}
