// lag(x) OVER (PARTITION BY key ORDER BY time): rows wait until the watermark has passed their time, are put in order, and come
// out with the values of the row before. Of each partition the values of its last row are kept.
import type { LagRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import type { Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { lagShape } from './shape.ts'

export class Lag implements Operator {
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  /** By partition: a slot that holds its last row. */
  #last = new Map<number, number>()

  constructor(lag: LagRelation, input: Shape) {
    this.#shape = lagShape(lag, input)
    this.#rows = new RowsInOrder(
      lag,
      lag.columns.map(({ value }) => value),
      input,
    )
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
    if (slots.length === 0) return null
    const { held, columns, values } = this.#rows
    const before = slots.map((slot) => {
      const group = held.groupOf(slot)
      const last = this.#last.get(group)
      this.#last.set(group, slot)
      // It is the row before of this one: read once more below, then given up.
      return last ?? -1
    })
    const all = held.columns(Int32Array.from(slots), slots.length, columns)
    const at = Int32Array.from(before, (slot) => (slot < 0 ? slots[0]! : slot))
    const lagged = held.columns(at, at.length, values).slice(columns)
    for (const slot of before) if (slot >= 0) held.remove(slot)
    for (const slot of slots) this.#rows.keep(slot)
    const isFirst = before.map((slot) => slot < 0)
    return { shape: this.#shape, rows: slots.length, columns: [...all, ...lagged.map((column) => withNulls(column, isFirst))] }
  }

  get bytes(): number {
    return this.#rows.bytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    const kept = this.#rows.restore(saved)
    this.#last = new Map(kept.map((slot) => [this.#rows.held.groupOf(slot), slot]))
  }
}

const withNulls = (column: Column, isNull: readonly boolean[]): Column =>
  isNull.includes(true) ? { ...column, nulls: Uint8Array.from(isNull, (own, i) => (own ? 1 : (column.nulls?.[i] ?? 0))) } : column
