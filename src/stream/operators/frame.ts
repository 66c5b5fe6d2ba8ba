// Aggregates over a row and those before it, OVER (PARTITION BY key ORDER BY time ROWS BETWEEN n PRECEDING AND CURRENT ROW): rows wait
// until the watermark has passed their time, are put in order, and come out with what is aggregated of their frames, which is
// computed anew for each row: a frame is short. Of each partition its last n rows are kept.
import type { FrameRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { AggregateStates, groupLayout } from './group-table.ts'
import { joinBatches, type Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { frameShape } from './shape.ts'

/** Rows that are computed together: each is added to the states once for every frame that it stands in. */
const CHUNK_ROWS = 4_096

export class Frame implements Operator {
  readonly #frame: FrameRelation
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  /** By partition: slots of its last rows, in order. */
  #last = new Map<number, number[]>()

  constructor(frame: FrameRelation, input: Shape) {
    this.#frame = frame
    this.#shape = frameShape(frame, input)
    this.#rows = new RowsInOrder(frame, groupLayout([], frame.aggregates).inputs, input)
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
    const out: ColumnBatch[] = []
    for (let from = 0; from < slots.length; from += CHUNK_ROWS) out.push(this.#compute(slots.slice(from, from + CHUNK_ROWS)))
    return joinBatches(out)
  }

  /** Rows in order. */
  #compute(slots: readonly number[]): ColumnBatch {
    const { held, columns, values } = this.#rows
    const [members, frames, gone]: [number[], number[], number[]] = [[], [], []]
    for (const [i, slot] of slots.entries()) {
      const group = held.groupOf(slot)
      const last = this.#last.get(group) ?? []
      this.#last.set(group, last)
      last.push(slot)
      for (const member of last) {
        members.push(member)
        frames.push(i)
      }
      if (last.length > this.#frame.preceding) gone.push(last.shift()!)
      this.#rows.keep(slot)
    }
    const states = new AggregateStates(this.#frame.aggregates)
    const args = held.columns(Int32Array.from(members), members.length, values).slice(columns)
    states.add(Int32Array.from(frames), args, null, members.length)
    const all = Int32Array.from(slots, (_, i) => i)
    const own = held.columns(Int32Array.from(slots), slots.length, columns)
    for (const slot of gone) held.remove(slot)
    return { shape: this.#shape, rows: slots.length, columns: [...own, ...states.columns(all, slots.length)] }
  }

  get bytes(): number {
    return this.#rows.bytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    const kept = this.#rows.restore(saved).sort((a, b) => this.#rows.compare(a, b))
    this.#last = Map.groupBy(kept, (slot) => this.#rows.held.groupOf(slot))
  }
}
