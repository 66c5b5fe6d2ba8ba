// The rows of a table, or of groups, that are replaced by key and can go, told to a group that follows them: the row of before with the
// sign -1, then the one in its place, if any, with the sign 1. Rows of a batch have unlike keys.
import type { Scratch } from '../../core/scratch.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import type { Packed } from '../memory/pack.ts'
import { Bytes } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { Generations } from '../spill/generations.ts'
import { joinBatches, type Operator } from './operator.ts'
import { SIGN, signs, Told } from './retraction.ts'

/** What is kept for as long as the row is there. */
export const FOR_GOOD = Number.MAX_VALUE
/** Keys that have gone are given up once they are this many and most of all. */
export const GONE_MIN = 4_096

/** Keys that have gone stay without a row, until there are too many. */
class TableTold extends Told {
  /** By slot: whether the row is there. */
  readonly #isThere = new Bytes()

  isThere(slot: number): boolean {
    return this.#isThere.at(slot) === 1
  }

  override put(slots: Int32Array, columns: readonly Column[]): void {
    super.put(slots, columns)
    for (const slot of slots) this.#isThere.put(slot, 1)
  }

  /** Answers whether the row was there; its values stay until another has the slot. */
  drop(slot: number): boolean {
    const wasThere = this.isThere(slot)
    this.#isThere.put(slot, 0)
    return wasThere
  }

  override write(slot: number, out: RecordWriter): void {
    out.byte(this.#isThere.at(slot))
    if (this.isThere(slot)) super.write(slot, out)
  }

  override read(slot: number, from: RecordReader): void {
    this.#isThere.put(slot, from.byte())
    if (this.isThere(slot)) super.read(slot, from)
  }

  dueOf(slot: number): number {
    return this.isThere(slot) ? FOR_GOOD : Number.POSITIVE_INFINITY
  }

  override get bytes(): number {
    return super.bytes + this.#isThere.bytes
  }

  override save() {
    return { ...super.save(), there: this.#isThere.freeze(this.keys.size) }
  }

  override restore(saved: unknown): void {
    super.restore(saved)
    this.#isThere.restore((saved as { readonly there: Packed }).there)
  }
}

export class TableRows implements Operator {
  readonly #shape: Shape
  /** By place in the key: the column of the rows. */
  readonly #keyAt: readonly number[]
  /** Columns of the rows, those of the key first, as they are kept. */
  readonly #order: readonly number[]
  readonly #rows: Generations<TableTold>
  /** Rows that have gone since those were given up. */
  #gone = 0

  /** `key`: names of the columns by which rows are replaced and go. */
  constructor(key: readonly string[], rows: Shape, scratch: Scratch | null) {
    const { fields } = rows
    this.#keyAt = key.map((name) => fields.findIndex((field) => field.name === name))
    this.#order = [...this.#keyAt, ...[...fields.keys()].filter((index) => !this.#keyAt.includes(index))]
    this.#shape = { fields: [...fields, SIGN] }
    const kept: Shape = { fields: this.#order.map((index) => fields[index]!) }
    this.#rows = new Generations(() => new TableTold(kept, key.length), scratch)
  }

  /** Nothing is computed here. */
  take(batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null {
    if (rows !== null) throw new TypeError('cannot be: rows of a table come as whole batches')
    const columns = this.#order.map((index) => batch.columns[index]!)
    const slots = this.#rows.find(columns.slice(0, this.#keyAt.length), null, count)
    const { table } = this.#rows
    const old = this.#told(
      slots.filter((slot) => table.isThere(slot)),
      -1,
    )
    table.put(slots, columns)
    const own = batch.columns.slice(0, this.#order.length)
    return joinBatches([old, { shape: this.#shape, rows: count, columns: [...own, signs(1, count)] }])
  }

  /** `batch`: the columns of the key in its order. */
  forget(batch: ColumnBatch): ColumnBatch | null {
    const slots = this.#rows.find(batch.columns, null, batch.rows)
    const { table } = this.#rows
    // A key that comes twice goes once.
    const there = slots.filter((slot) => table.drop(slot))
    const old = this.#told(there, -1)
    this.#gone += slots.length
    if (this.#gone > GONE_MIN && this.#gone * 2 > table.keys.size) {
      this.#rows.prune()
      this.#gone = 0
    }
    return old
  }

  #told(slots: Int32Array, sign: 1 | -1): ColumnBatch {
    const kept = this.#rows.table.columns(slots)
    const columns: Column[] = []
    for (const [at, index] of this.#order.entries()) columns[index] = kept[at]!
    return { shape: this.#shape, rows: slots.length, columns: [...columns, signs(sign, slots.length)] }
  }

  fit(limitBytes: number): void {
    this.#rows.fit(limitBytes)
  }

  get bytes(): number {
    return this.#rows.bytes
  }

  get spilledBytes(): number {
    return this.#rows.spilledBytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    this.#rows.restore(saved)
    this.#gone = 0
  }
}
