// Rows that wait to go into a table of the engine together, copied out of the batches that they came in. A statement costs the engine
// most of a millisecond however many rows it brings.
import { type ColumnBatch, laneOf } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { GrowingColumn } from './growing-column.ts'

export class WaitingRows {
  readonly #shape: Shape
  readonly #columns: readonly GrowingColumn[]
  #rows = 0

  constructor(shape: Shape) {
    this.#shape = shape
    this.#columns = shape.fields.map(({ type }) => new GrowingColumn(laneOf(type)))
  }

  get rows(): number {
    return this.#rows
  }

  /** All of them, in the order in which they came; until the next are added. */
  get batch(): ColumnBatch {
    return { shape: this.#shape, rows: this.#rows, columns: this.#columns.map((column) => column.column) }
  }

  add(batch: ColumnBatch): void {
    for (const [index, column] of this.#columns.entries()) column.add(batch.columns[index]!, this.#rows, batch.rows)
    this.#rows += batch.rows
  }

  clear(): void {
    for (const column of this.#columns) column.clear()
    this.#rows = 0
  }
}
