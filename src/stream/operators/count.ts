// count(*), count(x), bool_and and bool_or: one number a group.
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { AggregateState } from './aggregate-state.ts'
import { grown, type Packed, pack, unpackDoubles } from './pack.ts'
import { most } from './value-lane.ts'

abstract class OneNumber implements AggregateState {
  protected values: Float64Array = new Float64Array(16)

  abstract add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  abstract column(groups: Int32Array, count: number): Column
  protected abstract join(a: number, b: number): number

  merge(from: AggregateState, target: Int32Array, count: number): void {
    const other = from as OneNumber
    other.values = grown(other.values, count)
    this.values = grown(this.values, most(target, count) + 1)
    for (let group = 0; group < count; group++) this.mergeGroup(other, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    this.values = grown(this.values, to + 1)
    this.values[to] = this.join(this.values[to]!, (from as OneNumber).values[group] ?? 0)
  }

  clear(group: number): void {
    this.values = grown(this.values, group + 1)
    this.values[group] = 0
  }

  get bytes(): number {
    return this.values.byteLength
  }

  save(size: number): unknown {
    this.values = grown(this.values, size)
    return pack(this.values, size)
  }

  restore(saved: unknown): void {
    this.values = unpackDoubles(saved as Packed)
  }
}

export class Count extends OneNumber {
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.values = grown(this.values, most(groups, count) + 1)
    const { values } = this
    const nulls = columns[0]?.nulls ?? null
    if (nulls === null) for (let i = 0; i < count; i++) values[groups[i]!]!++
    else for (let i = 0; i < count; i++) if (nulls[rows === null ? i : rows[i]!] === 0) values[groups[i]!]!++
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.values = grown(this.values, most(groups, count) + 1)
    const nulls = columns[0]?.nulls ?? null
    for (let i = 0; i < count; i++) if (nulls === null || nulls[rows === null ? i : rows[i]!] === 0) this.values[groups[i]!]!--
  }

  protected join(a: number, b: number): number {
    return a + b
  }

  column(groups: Int32Array, count: number): Column {
    this.values = grown(this.values, most(groups, count) + 1)
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.values[groups[i]!]!
    return { kind: 'integer', values, big: null, nulls: null }
  }
}

/** 0: no row yet; 1: the other way; 2: decided (a false one for AND, a true one for OR). */
export class Truth extends OneNumber {
  readonly #decisive: 0 | 1

  constructor(name: 'bool_and' | 'bool_or') {
    super()
    this.#decisive = name === 'bool_and' ? 0 : 1
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.values = grown(this.values, most(groups, count) + 1)
    const column = columns[0] as NumberColumn
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (column.nulls !== null && column.nulls[row] === 1) continue
      const group = groups[i]!
      this.values[group] = this.join(this.values[group]!, column.values[row] === this.#decisive ? 2 : 1)
    }
  }

  protected join(a: number, b: number): number {
    return Math.max(a, b)
  }

  column(groups: Int32Array, count: number): Column {
    this.values = grown(this.values, most(groups, count) + 1)
    const values = new Float64Array(count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const state = this.values[groups[i]!]!
      values[i] = state === 2 ? this.#decisive : 1 - this.#decisive
      nulls[i] = state === 0 ? 1 : 0
    }
    return { kind: 'number', values, nulls }
  }
}
