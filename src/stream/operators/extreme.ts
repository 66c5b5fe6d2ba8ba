// min, max, arg_min and arg_max. Of several rows with the extreme, arg_min and arg_max take the one whose value is extreme too,
// which no order of rows changes. Nulls are left out.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { Column } from '../../schema/batch.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { Packed } from '../memory/pack.ts'
import { Bytes } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { ValueLane } from '../memory/value-lane.ts'
import type { AggregateState } from './aggregate-state.ts'

export class Extreme implements AggregateState {
  /** Compared in their order; the first is what is given. */
  readonly #types: readonly ValueType[]
  readonly #order: readonly number[]
  readonly #sign: 1 | -1
  #lanes: readonly ValueLane[]
  readonly #seen = new Bytes()

  /** `types` of the value, and of what it is chosen by where that is another. */
  constructor(direction: 'min' | 'max', types: readonly ValueType[]) {
    this.#types = types
    this.#sign = direction === 'max' ? 1 : -1
    this.#order = types.length === 1 ? [0] : [1, 0]
    this.#lanes = types.map(makeLane)
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    if (columns.length === 1) {
      this.#lanes[0]!.keepExtremes(groups, columns[0]!, rows, count, this.#sign, this.#seen)
      return
    }
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (isAnyNull(columns, row)) continue
      const group = groups[i]!
      if (this.#seen.at(group) === 1 && !this.#isBetterRow(group, columns, row)) continue
      this.#seen.put(group, 1)
      for (let key = 0; key < columns.length; key++) this.#lanes[key]!.put(group, columns[key]!, row)
    }
  }

  #isBetterRow(group: number, columns: readonly Column[], row: number): boolean {
    for (const key of this.#order) {
      const order = this.#lanes[key]!.compareRow(group, columns[key]!, row)
      if (order !== 0) return order * this.#sign > 0
    }
    return false
  }

  #isBetterSlot(group: number, lanes: readonly ValueLane[], other: number): boolean {
    for (const key of this.#order) {
      const order = this.#lanes[key]!.compareSlot(group, lanes[key]!, other)
      if (order !== 0) return order * this.#sign > 0
    }
    return false
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    for (let group = 0; group < count; group++) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as Extreme
    if (other.#seen.at(group) !== 1) return
    if (this.#seen.at(to) === 1 && !this.#isBetterSlot(to, other.#lanes, group)) return
    this.#seen.put(to, 1)
    for (let key = 0; key < this.#lanes.length; key++) this.#lanes[key]!.copy(to, other.#lanes[key]!, group)
  }

  column(groups: Int32Array, count: number): Column {
    const column = this.#lanes[0]!.column(groups, count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) nulls[i] = 1 - this.#seen.at(groups[i]!)
    return { ...column, nulls }
  }

  clear(group: number): void {
    this.#seen.put(group, 0)
  }

  write(group: number, out: RecordWriter): void {
    out.byte(this.#seen.at(group))
    if (this.#seen.at(group) === 1) for (const lane of this.#lanes) lane.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    const seen = from.byte()
    if (seen === 0) return
    this.#seen.put(group, seen)
    for (const lane of this.#lanes) lane.read(group, from)
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, { bytes }) => sum + bytes, this.#seen.bytes)
  }

  save(size: number): unknown {
    return { seen: this.#seen.freeze(size), lanes: this.#lanes.map((lane) => lane.save(size)) }
  }

  restore(saved: unknown): void {
    const { seen, lanes } = saved as { seen: Packed; lanes: readonly unknown[] }
    this.#seen.restore(seen)
    this.#lanes = this.#types.map(makeLane)
    for (const [key, lane] of this.#lanes.entries()) lane.restore(lanes[key])
  }
}

function isAnyNull(columns: readonly Column[], row: number): boolean {
  for (const { nulls } of columns) if (nulls !== null && nulls[row] === 1) return true
  return false
}
