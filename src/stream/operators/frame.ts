// Aggregates over the frame of a row, OVER (PARTITION BY key ORDER BY time ROWS or RANGE BETWEEN ... PRECEDING AND CURRENT ROW): rows
// wait until the watermark has passed their time, are put in order, and come out with what is aggregated of their frames. By then all
// rows of their time are known, which belong to a range. Kept are states, not rows: of each row of a frame, or one of each partition.
import type { FrameRelation } from '../../engine/algebra/relation.ts'
import { type Column, type ColumnBatch, indexes } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { AggregateStates } from './aggregate-states.ts'
import { groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { frameShape } from './shape.ts'
import { RunningStates, SlidingStates } from './sliding-states.ts'

export class Frame implements Operator {
  readonly #frame: FrameRelation
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  readonly #states: RunningStates | SlidingStates

  constructor(frame: FrameRelation, input: Shape) {
    const { aggregates } = frame
    const { unit, preceding } = frame.frame
    this.#frame = frame
    this.#shape = frameShape(frame, input)
    this.#rows = new RowsInOrder(frame, groupLayout([], aggregates).inputs, input)
    this.#states = preceding === null ? new RunningStates(aggregates) : new SlidingStates(aggregates, unit, preceding)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#rows.probe(batch, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    this.#rows.take(batch, rows, count)
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const slots = this.#rows.due(watermarkUs)
    const out = slots.length > 0 ? this.#compute(slots) : null
    if (this.#frame.frame.unit === 'range') this.#forgetBefore(watermarkUs - this.#frame.delayUs)
    return out
  }

  #forgetBefore(timeUs: number): void {
    if (!(this.#states instanceof SlidingStates)) return
    this.#states.forgetBefore(timeUs)
    if (this.#rows.tidy(this.#states.entries)) this.#states.index()
  }

  /** Rows in order. */
  #compute(slots: Int32Array): ColumnBatch {
    const { held } = this.#rows
    const { columns, values } = this.#rows.read(slots)
    const out = new AggregateStates(this.#frame.aggregates)
    const each = indexes(slots.length)
    const own = this.#statesOf(values, each)
    for (let from = 0; from < slots.length; ) {
      const until = this.#frame.frame.unit === 'rows' ? from + 1 : this.#endOfTime(slots, from)
      for (let i = from; i < until; i++) this.#states.enter(held.groupOf(slots[i]!), held.times.at(slots[i]!), own, i)
      for (let i = from; i < until; i++) this.#states.addTo(out, i, held.groupOf(slots[i]!))
      from = until
    }
    for (const slot of slots) held.remove(slot)
    return { shape: this.#shape, rows: slots.length, columns: [...columns, ...out.columns(each, each.length)] }
  }

  /** Of each row alone. */
  #statesOf(args: readonly Column[], each: Int32Array): AggregateStates {
    const states = new AggregateStates(this.#frame.aggregates)
    states.add(each, args, null, each.length)
    return states
  }

  /** Where rows of another time than that of the first begin. */
  #endOfTime(slots: Int32Array, from: number): number {
    const { times } = this.#rows.held
    let until = from + 1
    while (until < slots.length && times.at(slots[until]!) === times.at(slots[from]!)) until++
    return until
  }

  get bytes(): number {
    return this.#rows.bytes + this.#states.bytes
  }

  save(): unknown {
    return { rows: this.#rows.save(), states: this.#states.save(this.#rows.partitions) }
  }

  restore(saved: unknown): void {
    const { rows, states } = saved !== null && 'rows' in (saved as object) ? (saved as Saved) : { rows: saved, states: null }
    this.#states.restore(states)
    // Checkpoints of before had the rows of frames themselves.
    const kept = Int32Array.from(this.#rows.restore(rows).sort((a, b) => this.#rows.compare(a, b)))
    const { held } = this.#rows
    const own = this.#statesOf(this.#rows.valuesOf(kept), indexes(kept.length))
    for (const [i, slot] of kept.entries()) this.#states.enter(held.groupOf(slot), held.times.at(slot), own, i)
    for (const slot of kept) held.remove(slot)
  }
}

interface Saved {
  readonly rows: unknown
  readonly states: unknown
}
