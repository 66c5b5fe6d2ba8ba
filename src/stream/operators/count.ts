// count(*), count(x), bool_and and bool_or: one number a group.
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, PAGE_BITS, PAGE_MASK } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { most } from '../memory/value-lane.ts'
import type { AggregateState } from './aggregate-state.ts'

abstract class OneNumber implements AggregateState {
  protected readonly values = new Doubles()

  abstract add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  abstract column(groups: Int32Array, count: number): Column
  protected abstract join(a: number, b: number): number

  merge(from: AggregateState, target: Int32Array, count: number): void {
    for (let group = 0; group < count; group++) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    this.values.put(to, this.join(this.values.at(to), (from as OneNumber).values.at(group)))
  }

  clear(group: number): void {
    this.values.put(group, 0)
  }

  write(group: number, out: RecordWriter): void {
    out.number(this.values.at(group))
  }

  read(group: number, from: RecordReader): void {
    this.values.put(group, from.number())
  }

  get bytes(): number {
    return this.values.bytes
  }

  save(size: number): unknown {
    return this.values.freeze(size)
  }

  restore(saved: unknown): void {
    this.values.restore(saved as Packed)
  }
}

export class Count extends OneNumber {
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const { pages } = this.#reached(groups, count)
    const nulls = columns[0]?.nulls ?? null
    if (nulls === null) for (let i = 0; i < count; i++) pages[groups[i]! >>> PAGE_BITS]![groups[i]! & PAGE_MASK]!++
    else
      for (let i = 0; i < count; i++)
        if (nulls[rows === null ? i : rows[i]!] === 0) pages[groups[i]! >>> PAGE_BITS]![groups[i]! & PAGE_MASK]!++
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const { pages } = this.#reached(groups, count)
    const nulls = columns[0]?.nulls ?? null
    for (let i = 0; i < count; i++)
      if (nulls === null || nulls[rows === null ? i : rows[i]!] === 0) pages[groups[i]! >>> PAGE_BITS]![groups[i]! & PAGE_MASK]!--
  }

  #reached(groups: Int32Array, count: number): Doubles {
    this.values.fit(most(groups, count) + 1)
    this.values.touch(groups, count)
    return this.values
  }

  protected join(a: number, b: number): number {
    return a + b
  }

  column(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = this.values.at(groups[i]!)
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
    const column = columns[0] as NumberColumn
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (column.nulls !== null && column.nulls[row] === 1) continue
      const group = groups[i]!
      this.values.put(group, this.join(this.values.at(group), column.values[row] === this.#decisive ? 2 : 1))
    }
  }

  protected join(a: number, b: number): number {
    return Math.max(a, b)
  }

  column(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const state = this.values.at(groups[i]!)
      values[i] = state === 2 ? this.#decisive : 1 - this.#decisive
      nulls[i] = state === 0 ? 1 : 0
    }
    return { kind: 'number', values, nulls }
  }
}
