// Rows that are replaced, told to a group that follows them: the row before with the sign -1, then the row with the sign 1. What was
// told last is kept beside the operator, by key.
import type { Scratch } from '../../core/scratch.ts'
import type { Column, ColumnBatch, NumberColumn } from '../../schema/batch.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { KeyTable } from '../memory/key-table.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { RowLanes, type SavedRows } from '../memory/row-lanes.ts'
import { Generations, type KeyedTable } from '../spill/generations.ts'
import { joinBatches, type Operator } from './operator.ts'

/** The last column of rows with signs. No column of a user begins with #. */
export const SIGN: Field = { name: '#sign', type: { kind: 'int' }, optional: false }

/** The rows that were told last, by key. */
export class Told implements KeyedTable {
  readonly keys: KeyTable
  readonly #keyCount: number
  /** Of what is not the key. */
  readonly #rest: RowLanes
  readonly #restAt: readonly number[]

  constructor({ fields }: Shape, keyCount: number) {
    const types = fields.map(({ type }) => type)
    this.#keyCount = keyCount
    this.keys = new KeyTable(types.slice(0, keyCount))
    this.#rest = new RowLanes(types.slice(keyCount))
    this.#restAt = types.slice(keyCount).map((_, column) => column)
  }

  columns(slots: Int32Array): Column[] {
    return [...this.keys.columns(slots, slots.length), ...this.#rest.columns(slots, slots.length, this.#restAt)]
  }

  put(slots: Int32Array, columns: readonly Column[]): void {
    this.#rest.putAll(slots, columns.slice(this.#keyCount), null, slots.length)
  }

  write(slot: number, out: RecordWriter): void {
    this.#rest.write(slot, out)
  }

  read(slot: number, from: RecordReader): void {
    this.#rest.read(slot, from)
  }

  get bytes(): number {
    return this.keys.bytes + this.#rest.bytes
  }

  save(): SavedRows & { readonly keys: unknown } {
    return { keys: this.keys.save(), ...this.#rest.save(this.keys.size) }
  }

  restore(saved: unknown): void {
    const { keys, ...rest } = saved as ReturnType<Told['save']>
    this.keys.restore(keys)
    this.#rest.restore(rest, this.keys.size)
  }
}

/** `keyCount`: how many columns of the operator's rows, the first ones, are their key. */
export class Retracting implements Operator {
  readonly #inner: Operator
  readonly #shape: Shape
  readonly #keyCount: number
  readonly #told: Generations<Told>

  constructor(inner: Operator, rows: Shape, keyCount: number, scratch: Scratch | null) {
    this.#inner = inner
    this.#shape = { fields: [...rows.fields, SIGN] }
    this.#keyCount = keyCount
    this.#told = new Generations(() => new Told(rows, keyCount), scratch)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): void {
    this.#inner.probe?.(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): null {
    this.#inner.take(batch, rows, count, side)
    return null
  }

  changed(): ColumnBatch | null {
    const batch = this.#inner.changed?.()
    if (!batch || batch.rows === 0) return null
    const slots = this.#told.find(batch.columns.slice(0, this.#keyCount), null, batch.rows)
    const { table } = this.#told
    const before = slots.filter((slot) => !this.#told.isNew(slot))
    const old = table.columns(before)
    table.put(slots, batch.columns)
    return joinBatches([
      { shape: this.#shape, rows: before.length, columns: [...old, signs(-1, before.length)] },
      { shape: this.#shape, rows: batch.rows, columns: [...batch.columns, signs(1, batch.rows)] },
    ])
  }

  /** What is told takes about as much as what it is told of. */
  fit(limitBytes: number): void {
    this.#inner.fit?.(limitBytes / 2)
    this.#told.fit(limitBytes - this.#inner.bytes)
  }

  get bytes(): number {
    return this.#inner.bytes + this.#told.bytes
  }

  get spilledBytes(): number {
    return (this.#inner.spilledBytes ?? 0) + this.#told.spilledBytes
  }

  save(): unknown {
    return { inner: this.#inner.save(), ...this.#told.save() }
  }

  restore(saved: unknown): void {
    const before = saved as { readonly inner: unknown; readonly keys?: unknown } | null
    this.#inner.restore(before?.inner ?? null)
    // Checkpoints of before had the table beside the operator's state.
    this.#told.restore(before && before.keys !== undefined ? { table: before } : before)
  }
}

export const signs = (sign: 1 | -1, count: number): NumberColumn => ({
  kind: 'number',
  values: new Float64Array(count).fill(sign),
  nulls: null,
})
