// Rows that are replaced, told to a group that follows them: the row before with the sign -1, then the row with the sign 1. What was
// told last is kept beside the operator, by key.
import type { Scratch } from '../../core/scratch.ts'
import type { Column, ColumnBatch, NumberColumn } from '../../schema/batch.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { Generations, type KeyedTable } from '../spill/generations.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import { KeyTable } from './key-table.ts'
import { makeLane } from './make-lane.ts'
import { joinBatches, type Operator } from './operator.ts'
import type { ValueLane } from './value-lane.ts'

/** The last column of rows with signs. No column of a user begins with #. */
export const SIGN: Field = { name: '#sign', type: { kind: 'int' }, optional: false }

/** The rows that were told last, by key. */
export class Told implements KeyedTable {
  readonly keys: KeyTable
  readonly #shape: Shape
  readonly #keyCount: number
  /** Of what is not the key. */
  #lanes: readonly ValueLane[]

  constructor(shape: Shape, keyCount: number) {
    this.#shape = shape
    this.#keyCount = keyCount
    this.keys = new KeyTable(shape.fields.slice(0, keyCount).map(({ type }) => type))
    this.#lanes = this.#makeLanes()
  }

  #makeLanes(): ValueLane[] {
    return this.#shape.fields.slice(this.#keyCount).map(({ type }) => makeLane(type))
  }

  columns(slots: Int32Array): Column[] {
    return [...this.keys.columns(slots, slots.length), ...this.#lanes.map((lane) => lane.column(slots, slots.length))]
  }

  put(slots: Int32Array, columns: readonly Column[]): void {
    for (const [index, lane] of this.#lanes.entries())
      for (let i = 0; i < slots.length; i++) lane.put(slots[i]!, columns[this.#keyCount + index]!, i)
  }

  write(slot: number, out: RecordWriter): void {
    for (const lane of this.#lanes) lane.write(slot, out)
  }

  read(slot: number, from: RecordReader): void {
    for (const lane of this.#lanes) lane.read(slot, from)
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, this.keys.bytes)
  }

  save(): { readonly keys: unknown; readonly lanes: readonly unknown[] } {
    return { keys: this.keys.save(), lanes: this.#lanes.map((lane) => lane.save(this.keys.size)) }
  }

  restore(saved: unknown): void {
    const { keys, lanes } = saved as ReturnType<Told['save']>
    this.keys.restore(keys)
    this.#lanes = this.#makeLanes()
    for (const [index, lane] of this.#lanes.entries()) lane.restore(lanes[index])
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
