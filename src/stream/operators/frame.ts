// Aggregates over the frame of a row, OVER (PARTITION BY key ORDER BY time ROWS or RANGE BETWEEN ... PRECEDING AND CURRENT ROW): rows
// wait until the watermark has passed their time, are put in order, and come out with what is aggregated of their frames. By then all
// rows of their time are known, which belong to a range. Kept are states, not rows: of each row of a frame, or one of each partition;
// for quantiles their values.
import type { Aggregate, FrameRelation, QuantileFunction } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { RunningQuantiles, SlidingQuantiles } from './frame-quantiles.ts'
import { groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { frameShape } from './shape.ts'
import { type FrameStates, type MovingStates, RunningStates, SlidingStates } from './sliding-states.ts'

/** Some aggregates of the frame, by their number. */
interface Part {
  readonly members: readonly number[]
  readonly states: FrameStates
}

export class Frame implements Operator {
  readonly #frame: FrameRelation
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  /** Those that are merged, and quantiles; neither is empty. */
  readonly #merged: Part | null
  readonly #quantiles: Part | null
  readonly #parts: readonly Part[]

  constructor(frame: FrameRelation, input: Shape) {
    const { aggregates } = frame
    this.#frame = frame
    this.#shape = frameShape(frame, input)
    this.#rows = new RowsInOrder(frame, groupLayout([], aggregates).inputs, input)
    const numbers = [...aggregates.keys()]
    this.#merged = partOf(
      frame,
      numbers.filter((number) => !isQuantile(aggregates[number]!)),
      mergedStates,
    )
    this.#quantiles = partOf(
      frame,
      numbers.filter((number) => isQuantile(aggregates[number]!)),
      quantileStates,
    )
    this.#parts = [this.#merged, this.#quantiles].filter((part) => part !== null)
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
    if (this.#frame.frame.preceding === null) return
    const moving = this.#parts.map(({ states }) => states as MovingStates)
    for (const states of moving) states.forgetBefore(timeUs)
    if (this.#rows.tidy(moving.map(({ held }) => held))) for (const states of moving) states.index()
  }

  /** Rows in order. */
  #compute(slots: Int32Array): ColumnBatch {
    const { held } = this.#rows
    const { columns, values } = this.#rows.read(slots)
    this.#begin(values, slots.length)
    for (let from = 0; from < slots.length; ) {
      const until = this.#frame.frame.unit === 'rows' ? from + 1 : this.#endOfTime(slots, from)
      for (let i = from; i < until; i++) this.#enter(slots[i]!, i)
      for (let i = from; i < until; i++) for (const { states } of this.#parts) states.read(held.groupOf(slots[i]!), i)
      from = until
    }
    for (const slot of slots) held.remove(slot)
    return { shape: this.#shape, rows: slots.length, columns: [...columns, ...this.#results()] }
  }

  /** `values`: arguments and filters of the rows that are to enter, in the order of the layout. */
  #begin(values: readonly Column[], count: number): void {
    const rest = [...values]
    const columns = this.#frame.aggregates.map(({ of, where }) => rest.splice(0, of.length + (where ? 1 : 0)))
    for (const { states, members } of this.#parts)
      states.begin(
        members.map((number) => columns[number]!),
        count,
      )
  }

  #enter(slot: number, row: number): void {
    const { held } = this.#rows
    for (const { states } of this.#parts) states.enter(held.groupOf(slot), held.times.at(slot), row)
  }

  #results(): Column[] {
    const results: Column[] = []
    for (const { states, members } of this.#parts) for (const [i, column] of states.results().entries()) results[members[i]!] = column
    return results
  }

  /** Where rows of another time than that of the first begin. */
  #endOfTime(slots: Int32Array, from: number): number {
    const { times } = this.#rows.held
    let until = from + 1
    while (until < slots.length && times.at(slots[until]!) === times.at(slots[from]!)) until++
    return until
  }

  get bytes(): number {
    return this.#parts.reduce((sum, { states }) => sum + states.bytes, this.#rows.bytes)
  }

  save(): unknown {
    const [merged, quantiles] = [this.#merged, this.#quantiles].map((part) => part?.states.save(this.#rows.partitions) ?? null)
    return { rows: this.#rows.save(), states: merged, quantiles }
  }

  restore(saved: unknown): void {
    const { rows, states, quantiles } = saved !== null && 'rows' in (saved as object) ? (saved as Saved) : { rows: saved, states: null }
    if (quantiles === undefined && states !== null) this.#restoreTogether(states)
    else {
      this.#merged?.states.restore(states)
      this.#quantiles?.states.restore(quantiles ?? null)
    }
    // Checkpoints of before had the rows of frames themselves.
    const kept = Int32Array.from(this.#rows.restore(rows).sort((a, b) => this.#rows.compare(a, b)))
    this.#begin(this.#rows.valuesOf(kept), kept.length)
    for (const [i, slot] of kept.entries()) this.#enter(slot, i)
    for (const slot of kept) this.#rows.held.remove(slot)
  }

  /** Checkpoints of before had quantiles among the states that are merged. */
  #restoreTogether(saved: unknown): void {
    const { entries, states } = Array.isArray(saved) ? { entries: null, states: saved } : (saved as { entries: unknown; states: unknown[] })
    const [merged, quantiles] = [this.#merged, this.#quantiles].map((part) => part?.members.map((number) => states[number]))
    this.#merged?.states.restore(entries === null ? merged : { entries, states: merged })
    if (this.#quantiles?.states instanceof SlidingQuantiles) this.#quantiles.states.restoreMerged(entries, quantiles!)
    else this.#quantiles?.states.restore(quantiles)
  }
}

const isQuantile = ({ function: name }: Aggregate): boolean => name === 'quantile_cont' || name === 'quantile_disc'

function partOf(
  frame: FrameRelation,
  members: readonly number[],
  statesOf: (frame: FrameRelation, of: readonly Aggregate[]) => FrameStates,
): Part | null {
  return members.length === 0
    ? null
    : {
        members,
        states: statesOf(
          frame,
          members.map((number) => frame.aggregates[number]!),
        ),
      }
}

function mergedStates({ frame: { unit, preceding } }: FrameRelation, of: readonly Aggregate[]): FrameStates {
  return preceding === null ? new RunningStates(of) : new SlidingStates(of, { unit, preceding })
}

function quantileStates({ frame: { unit, preceding } }: FrameRelation, of: readonly Aggregate[]): FrameStates {
  const quantiles = of.map((own) => ({ function: own.function as QuantileFunction, type: own.of[0]!.type, fraction: own.fraction! }))
  return preceding === null ? new RunningQuantiles(quantiles) : new SlidingQuantiles(quantiles, { unit, preceding })
}

interface Saved {
  readonly rows: unknown
  readonly states: unknown
  readonly quantiles?: unknown
}
