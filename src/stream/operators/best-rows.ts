// QUALIFY row_number() or rank() over rows that are replaced and go, as `latest` tells them with signs: the first rows of each
// partition, given out with the sign 1 when they come or change, and with -1, before those, when they are among the first no more.
import type { Scratch } from '../../core/scratch.ts'
import { type ColumnExpression, type Expression, sameExpression } from '../../engine/algebra/expression.ts'
import type { TopRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch, NumberColumn } from '../../schema/batch.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { Generations } from '../spill/generations.ts'
import { type BestLayout, BestTable } from './best-table.ts'
import { joinBatches, type Operator } from './operator.ts'
import { SIGN, signs } from './retraction.ts'
import type { OrderedBy } from './row-order.ts'
import { topShape } from './shape.ts'
import { GONE_MIN } from './table-rows.ts'

/** Rows that are moved at most for each partition without a row when those are given up. */
const MOVED_MAX = 16

export class BestRows implements Operator {
  readonly #project: Projection
  readonly #layout: BestLayout
  /** Places of the kept columns among those of a row. */
  readonly #keptAt: readonly number[]
  readonly #shape: Shape
  readonly #partitions: Generations<BestTable>
  /** Partitions whose last row has gone since those were given up. */
  #gone = 0

  /** `input`: rows with signs. `kept`: names of the columns that are read later; `isRankRead`: so is the rank. */
  constructor(top: TopRelation, input: Shape, kept: readonly string[], isRankRead: boolean, scratch: Scratch | null) {
    const row: Expression[] = []
    const placeOf = (value: Expression): number => {
      const found = row.findIndex((known) => sameExpression(known, value))
      return found >= 0 ? found : row.push(value) - 1
    }
    const columnOf = (name: string): ColumnExpression => ({ op: 'column', name, type: fieldOf(input, name)!.type, optional: true })
    const order = top.order.map(({ value, ...by }): OrderedBy => ({ ...by, at: placeOf(value) }))
    const ties = top.ties!.map((value): OrderedBy => ({ at: placeOf(value), descending: false, nullsFirst: false }))
    this.#keptAt = kept.map((name) => placeOf(columnOf(name)))
    const partition = top.partition.map(({ type }) => type)
    this.#layout = { top, partition, row: row.map(({ type }) => type), order, ties, isRankRead }
    this.#project = compileProjection([columnOf(SIGN.name), ...top.partition, ...row], input)
    const { fields } = topShape(top, { fields: kept.map((name) => fieldOf(input, name)!) })
    this.#shape = { fields: [...fields, SIGN] }
    this.#partitions = new Generations(() => new BestTable(this.#layout), scratch)
  }

  /** Nothing is computed here that could fail. */
  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [sign, ...columns] = this.#project(batch.columns, rows, count)
    const { values } = sign as NumberColumn
    const size = this.#layout.partition.length
    const row = columns.slice(size)
    const partitions = this.#partitions.find(columns.slice(0, size), null, count)
    const { table } = this.#partitions
    for (let i = 0; i < count; i++) {
      const partition = partitions[i]!
      if (values[i] === 1) table.add(partition, row, i)
      else {
        table.remove(partition, row, i)
        if (!table.hasRows(partition)) this.#gone++
      }
    }
    return null
  }

  changed(): ColumnBatch | null {
    const { table } = this.#partitions
    if (!table.isPending) return null
    const { gone, there, ranks } = table.tell()
    const out = joinBatches([this.#batchOf(gone, new Array(gone.length).fill(0), -1), this.#batchOf(there, ranks, 1)])
    if (this.#gone > GONE_MIN && this.#gone * 2 > table.keys.size && this.#gone * MOVED_MAX > table.rows) {
      this.#partitions.prune()
      this.#gone = 0
    }
    return out
  }

  #batchOf(slots: readonly number[], ranks: readonly number[], sign: 1 | -1): ColumnBatch {
    const row = this.#partitions.table.columns(Int32Array.from(slots))
    const rank: Column = { kind: 'integer', values: Float64Array.from(ranks), big: null, nulls: null }
    return { shape: this.#shape, rows: slots.length, columns: [...this.#keptAt.map((at) => row[at]!), rank, signs(sign, slots.length)] }
  }

  /** What has changed holds partitions of the young table. */
  fit(limitBytes: number): void {
    if (!this.#partitions.table.isPending) this.#partitions.fit(limitBytes)
  }

  get bytes(): number {
    return this.#partitions.bytes
  }

  get spilledBytes(): number {
    return this.#partitions.spilledBytes
  }

  save(): unknown {
    return this.#partitions.save()
  }

  restore(saved: unknown): void {
    this.#partitions.restore(saved)
    this.#gone = 0
  }
}
