// Rows that are replaced, told to a group that follows them: the row before with the sign -1, then the row with the sign 1. What was
// told last is kept beside the operator, by key.
import type { ColumnBatch, NumberColumn } from '../../schema/batch.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { KeyTable } from './key-table.ts'
import { joinBatches, type Operator } from './operator.ts'
import { makeLane, type ValueLane } from './value-lane.ts'

/** The last column of rows with signs. No column of a user begins with #. */
export const SIGN: Field = { name: '#sign', type: { kind: 'int' }, optional: false }

/** `keyCount`: how many columns of the operator's rows, the first ones, are their key. */
export class Retracting implements Operator {
  readonly openWindows = 0
  readonly #inner: Operator
  readonly #shape: Shape
  readonly #rows: Shape
  readonly #keyCount: number
  #keys: KeyTable
  #lanes: readonly ValueLane[]

  constructor(inner: Operator, rows: Shape, keyCount: number) {
    this.#inner = inner
    this.#rows = rows
    this.#shape = { fields: [...rows.fields, SIGN] }
    this.#keyCount = keyCount
    this.#keys = this.#makeKeys()
    this.#lanes = this.#makeLanes()
  }

  #makeKeys(): KeyTable {
    return new KeyTable(this.#rows.fields.slice(0, this.#keyCount).map(({ type }) => type))
  }

  /** Of what is not the key. */
  #makeLanes(): ValueLane[] {
    return this.#rows.fields.slice(this.#keyCount).map(({ type }) => makeLane(type))
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): void {
    this.#inner.probe(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): null {
    this.#inner.take(batch, rows, count, side)
    return null
  }

  advance(): null {
    return null
  }

  open(): null {
    return null
  }

  changed(): ColumnBatch | null {
    const batch = this.#inner.changed()
    if (!batch || batch.rows === 0) return null
    const known = this.#keys.size
    const slots = this.#keys.find(batch.columns.slice(0, this.#keyCount), null, batch.rows)
    const before = slots.filter((slot) => slot < known)
    const values = this.#lanes.map((lane) => lane.column(before, before.length))
    const old = [...this.#keys.columns(before, before.length), ...values]
    for (const [index, lane] of this.#lanes.entries())
      for (let i = 0; i < batch.rows; i++) lane.put(slots[i]!, batch.columns[this.#keyCount + index]!, i)
    return joinBatches([
      { shape: this.#shape, rows: before.length, columns: [...old, signs(-1, before.length)] },
      { shape: this.#shape, rows: batch.rows, columns: [...batch.columns, signs(1, batch.rows)] },
    ])
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, this.#inner.bytes + this.#keys.bytes)
  }

  save(): unknown {
    const { size } = this.#keys
    return { inner: this.#inner.save(), keys: this.#keys.save(), lanes: this.#lanes.map((lane) => lane.save(size)) }
  }

  restore(saved: unknown): void {
    this.#keys = this.#makeKeys()
    this.#lanes = this.#makeLanes()
    const { inner, keys, lanes } = (saved as { inner: unknown; keys: unknown; lanes: readonly unknown[] } | null) ?? {
      inner: null,
      keys: null,
      lanes: [],
    }
    this.#inner.restore(inner)
    if (keys === null) return
    this.#keys.restore(keys)
    for (const [index, lane] of this.#lanes.entries()) lane.restore(lanes[index])
  }
}

const signs = (sign: 1 | -1, count: number): NumberColumn => ({ kind: 'number', values: new Float64Array(count).fill(sign), nulls: null })
