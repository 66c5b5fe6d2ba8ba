// lag(x) OVER (PARTITION BY key ORDER BY time): rows wait until the watermark has passed their time, are put in order, and come
// out with the values of the row before. Of each partition the values of its last row are kept.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { LagRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'
import type { Operator } from './operator.ts'
import { lagShape } from './shape.ts'
import { TimeBuckets } from './time-buckets.ts'

export class Lag implements Operator {
  readonly openWindows = 0
  readonly #lag: LagRelation
  readonly #shape: Shape
  readonly #project: Projection
  /** Columns of the input, values that lag, ties. */
  readonly #counts: readonly [number, number, number]
  readonly #types: readonly Expression['type'][]
  #held: HeldRows
  #keys: KeyTable
  #waiting = new TimeBuckets()
  /** By partition: a slot that holds its last row. */
  #last = new Map<number, number>()

  constructor(lag: LagRelation, input: Shape) {
    this.#lag = lag
    this.#shape = lagShape(lag, input)
    const columns = input.fields.map(({ name, type }): Expression => ({ op: 'column', name, type, optional: true }))
    const values = lag.columns.map(({ value }) => value)
    const held = [...columns, ...values, ...lag.ties]
    this.#project = compileProjection([lag.time, ...lag.partition, ...held], input)
    this.#counts = [columns.length, values.length, lag.ties.length]
    this.#types = held.map(({ type }) => type)
    this.#held = new HeldRows(this.#types)
    this.#keys = new KeyTable(this.#lag.partition.map(({ type }) => type))
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, ...columns] = this.#project(batch.columns, rows, count)
    const size = this.#lag.partition.length
    const groups = this.#keys.find(columns.slice(0, size), null, count)
    const times = microsOf(time!)
    const kept = columns.slice(size)
    for (let i = 0; i < count; i++) this.#waiting.add(times[i]!, this.#held.add(groups[i]!, times[i]!, kept, i, 0))
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const held = this.#held
    const slots = this.#waiting.take(watermarkUs - this.#lag.delayUs, held.times)
    if (slots.length === 0) return null
    const [columns, values, ties] = this.#counts
    const from = columns + values
    slots.sort((a, b) => held.times.at(a) - held.times.at(b) || held.compare(a, b, from, from + ties))
    const before = slots.map((slot) => {
      const group = held.groupOf(slot)
      const last = this.#last.get(group)
      this.#last.set(group, slot)
      // It is the row before of this one: read once more below, then given up.
      return last ?? -1
    })
    const all = held.columns(Int32Array.from(slots), slots.length, columns)
    const at = Int32Array.from(before, (slot) => (slot < 0 ? slots[0]! : slot))
    const lagged = held.columns(at, at.length, from).slice(columns)
    for (const slot of before) if (slot >= 0) held.remove(slot)
    for (const slot of slots) held.flags.put(slot, 1)
    const isFirst = before.map((slot) => slot < 0)
    return { shape: this.#shape, rows: slots.length, columns: [...all, ...lagged.map((column) => withNulls(column, isFirst))] }
  }

  open(): null {
    return null
  }

  changed(): null {
    return null
  }

  get bytes(): number {
    return this.#held.bytes + this.#keys.bytes
  }

  save(): unknown {
    return { keys: this.#keys.save(), held: this.#held.save() }
  }

  restore(saved: unknown): void {
    this.#keys = new KeyTable(this.#lag.partition.map(({ type }) => type))
    this.#held = new HeldRows(this.#types)
    this.#waiting = new TimeBuckets()
    this.#last = new Map()
    if (saved === null) return
    const { keys, held } = saved as { keys: unknown; held: unknown }
    this.#keys.restore(keys)
    this.#held.restore(held)
    for (const slot of this.#held.slots()) {
      if (this.#held.flags.at(slot) === 1) this.#last.set(this.#held.groupOf(slot), slot)
      else this.#waiting.add(this.#held.times.at(slot), slot)
    }
  }
}

const withNulls = (column: Column, isNull: readonly boolean[]): Column =>
  isNull.includes(true) ? { ...column, nulls: Uint8Array.from(isNull, (own, i) => (own ? 1 : (column.nulls?.[i] ?? 0))) } : column
