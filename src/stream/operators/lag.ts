// lag(x) OVER (PARTITION BY key ORDER BY time): rows wait until the watermark has passed their time, are put in order, and come
// out with the values of the row before. Of each partition the values of its last row are kept.
import type { LagRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { Ints } from '../memory/paged.ts'
import type { Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { lagShape } from './shape.ts'

export class Lag implements Operator {
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  /** By partition: a slot that holds its last row. */
  #last = new Ints(NONE)

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
    const { held } = this.#rows
    // The row before each: read once more below, then given up. Of a first one any row is read.
    const before = new Int32Array(slots.length)
    const isFirst = new Uint8Array(slots.length)
    for (let i = 0; i < slots.length; i++) {
      const group = held.groupOf(slots[i]!)
      const last = this.#last.at(group)
      this.#last.put(group, slots[i]!)
      before[i] = last === NONE ? slots[0]! : last
      isFirst[i] = last === NONE ? 1 : 0
    }
    const { columns } = this.#rows.read(slots)
    const lagged = this.#rows.valuesOf(before)
    for (let i = 0; i < slots.length; i++) if (isFirst[i] === 0) held.remove(before[i]!)
    for (const slot of slots) this.#rows.keep(slot)
    return { shape: this.#shape, rows: slots.length, columns: [...columns, ...lagged.map((column) => withNulls(column, isFirst))] }
  }

  get bytes(): number {
    return this.#rows.bytes + this.#last.bytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    const kept = this.#rows.restore(saved)
    this.#last = new Ints(NONE)
    for (const slot of kept) this.#last.put(this.#rows.held.groupOf(slot), slot)
  }
}

const withNulls = (column: Column, isNull: Uint8Array): Column =>
  isNull.includes(1) ? { ...column, nulls: isNull.map((own, i) => own | (column.nulls?.[i] ?? 0)) } : column
