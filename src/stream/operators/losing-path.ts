// The way of rows that are replaced by key and can go, through stages without state: what comes out at the end replaces the row of its
// key there; a key whose row went in and does not come out is gone there too. So a row leaves a result when it stops passing a
// condition, though nobody remembers it. Where several rows of one key go in together the last one counts, and all are computed:
// what fails on a row is the same however rows are cut into batches.
import { type Expression, replaceColumns } from '../../engine/algebra/expression.ts'
import type { Relation } from '../../engine/algebra/relation.ts'
import type { ComputeRows } from '../../engine/compute-rows.ts'
import { GONE } from '../../engine/tail.ts'
import { type ColumnBatch, indexes, laneOf, type NumberColumn, nullColumn, selectRows } from '../../schema/batch.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { KeyTable } from '../memory/key-table.ts'
import { joinBatches, type Rows } from './operator.ts'
import { shapeOver } from './shape.ts'
import { ROW, type Stage, stagesOf } from './stage.ts'

/** What came of some rows: those that are there now, and the keys (their columns alone) of those that are not. */
export interface Passed {
  readonly there: ColumnBatch | null
  readonly gone: ColumnBatch | null
}

/** Of a row that went in: another of its key came after it, it is the last and was not seen at the end, or it was. */
const [REPLACED, LAST, SEEN] = [0, 1, 2]

export class LosingPath {
  readonly stages: readonly Stage[]
  readonly #input: Shape
  readonly #shape: Shape
  /** Places of the key among the columns that go in. */
  readonly #keyAt: readonly number[]
  /** Of what goes in: the key as it is called and typed at the end. */
  readonly #endKey: Projection
  readonly #endKeyShape: Shape

  /** `key`: columns of the input by which its rows are replaced and go; `endKey`: the same columns as they are called at the end. */
  constructor(path: readonly Relation[], input: Shape, key: readonly string[], endKey: readonly string[], compute: ComputeRows | null) {
    this.#input = { fields: [...input.fields, ROW] }
    this.stages = stagesOf(path, this.#input, compute)
    this.#shape = path.reduce((shape, relation) => shapeOver(relation, [shape]), input)
    this.#keyAt = key.map((name) => input.fields.findIndex((field) => field.name === name))
    const fields = endKey.map((name) => fieldOf(this.#shape, name)!)
    this.#endKeyShape = { fields }
    this.#endKey = compileProjection(
      fields.map(({ name, type, optional }) => beforeAll({ op: 'column', name, type, optional }, path)),
      input,
    )
  }

  /** Rows as the stages take them: each knows its place in the batch. */
  enter({ batch, rows, count, sift }: Rows): Rows {
    const values = new Float64Array(indexes(batch.rows))
    const columns = [...batch.columns, { kind: 'number', values, nulls: null } as const]
    return { batch: { shape: this.#input, rows: batch.rows, columns }, rows, count, sift }
  }

  /** `went`: rows of the batch, in order, of which those at the end of the stages came. */
  leave(batch: ColumnBatch, went: Int32Array, taken: Rows): Passed {
    const state = this.#lasts(batch, went)
    const { fields } = taken.batch.shape
    const rowAt = fields.findIndex(({ name }) => name === ROW.name)
    const { values } = taken.batch.columns[rowAt] as NumberColumn
    const kept: number[] = []
    for (let i = 0; i < taken.count; i++) {
      const at = taken.rows === null ? i : taken.rows[i]!
      if (state[values[at]!] === REPLACED) continue
      state[values[at]!] = SEEN
      kept.push(at)
    }
    const columns = taken.batch.columns.filter((_, index) => index !== rowAt)
    const rows = { shape: this.#shape, rows: taken.batch.rows, columns }
    return {
      there: kept.length === 0 ? null : selectRows(rows, Int32Array.from(kept)),
      gone: this.#keysOf(
        batch,
        went.filter((row) => state[row] === LAST),
      ),
    }
  }

  /** By row of the batch. */
  #lasts(batch: ColumnBatch, went: Int32Array): Uint8Array {
    const state = new Uint8Array(batch.rows)
    const keys = new KeyTable(this.#keyAt.map((index) => batch.shape.fields[index]!.type))
    const slots = keys.find(
      this.#keyAt.map((index) => batch.columns[index]!),
      went,
      went.length,
    )
    const last = new Int32Array(keys.size)
    for (let i = 0; i < went.length; i++) last[slots[i]!] = went[i]!
    for (const row of last) state[row] = LAST
    return state
  }

  #keysOf(batch: ColumnBatch, rows: Int32Array): ColumnBatch | null {
    if (rows.length === 0) return null
    return { shape: this.#endKeyShape, rows: rows.length, columns: this.#endKey(batch.columns, rows, rows.length) }
  }

  /** Of rows of which nothing but the key is known. */
  keys(batch: ColumnBatch): ColumnBatch | null {
    return this.#keysOf(batch, indexes(batch.rows))
  }

  /** As a tail takes it that can lose rows: what has gone is marked. */
  marked({ there, gone }: Passed): ColumnBatch | null {
    const shape: Shape = { fields: [...this.#shape.fields, GONE] }
    const parts: ColumnBatch[] = []
    if (gone) {
      const columns = this.#shape.fields.map((field) => {
        const at = this.#endKeyShape.fields.findIndex(({ name }) => name === field.name)
        return gone.columns[at] ?? nullColumn(laneOf(field.type), gone.rows)
      })
      parts.push({ shape, rows: gone.rows, columns: [...columns, marks(1, gone.rows)] })
    }
    if (there) parts.push({ shape, rows: there.rows, columns: [...there.columns, marks(0, there.rows)] })
    return joinBatches(parts)
  }
}

const marks = (mark: 0 | 1, rows: number): NumberColumn => ({ kind: 'number', values: new Float64Array(rows).fill(mark), nulls: null })

/** A column at the end as an expression over what goes in. */
const beforeAll = (value: Expression, path: readonly Relation[]): Expression =>
  path.reduceRight(
    (after, relation) =>
      relation.op === 'project' ? replaceColumns(after, (name) => relation.columns.find((column) => column.name === name)?.value) : after,
    value,
  )
