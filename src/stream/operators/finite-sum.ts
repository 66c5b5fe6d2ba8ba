// sum and avg of doubles that may be taken away again: what is infinite or no number is counted apart, since nothing takes it out of
// a sum.
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { RealSum, type SumName } from './sum.ts'

/** How many are no number, infinite, and infinite below zero. */
type Others = [number, number, number]

export class FiniteSum {
  readonly #finite: RealSum
  #others = new Map<number, Others>()

  constructor(name: SumName) {
    this.#finite = new RealSum(name)
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const [own, kept] = this.#count(groups, columns[0] as NumberColumn, rows, count, 1)
    this.#finite.add(own, columns, kept, kept.length)
  }

  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const [own, kept] = this.#count(groups, columns[0] as NumberColumn, rows, count, -1)
    this.#finite.remove(own, columns, kept, kept.length)
  }

  /** The finite rows and their groups. */
  #count(
    groups: Int32Array,
    { values, nulls }: NumberColumn,
    rows: Int32Array | null,
    count: number,
    by: 1 | -1,
  ): [Int32Array, Int32Array] {
    const [own, kept]: [number[], number[]] = [[], []]
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls !== null && nulls[row] === 1) continue
      const [group, value] = [groups[i]!, values[row]!]
      if (Number.isFinite(value)) {
        own.push(group)
        kept.push(row)
        continue
      }
      const others = this.#others.get(group) ?? [0, 0, 0]
      others[Number.isNaN(value) ? 0 : value > 0 ? 1 : 2] += by
      this.#others.set(group, others)
    }
    return [Int32Array.from(own), Int32Array.from(kept)]
  }

  column(groups: Int32Array, count: number): Column {
    const column = this.#finite.column(groups, count) as NumberColumn
    const nulls = column.nulls ?? new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const [nan, above, below] = this.#others.get(groups[i]!) ?? [0, 0, 0]
      if (nan + above + below === 0) continue
      nulls[i] = 0
      if (nan > 0 || (above > 0 && below > 0)) column.values[i] = Number.NaN
      else column.values[i] = above > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    }
    return { ...column, nulls }
  }

  write(group: number, out: RecordWriter): void {
    this.#finite.write(group, out)
    const others = this.#others.get(group)
    out.byte(others ? 1 : 0)
    for (const count of others ?? []) out.number(count)
  }

  read(group: number, from: RecordReader): void {
    this.#finite.read(group, from)
    if (from.byte() === 1) this.#others.set(group, [from.number(), from.number(), from.number()])
  }

  get bytes(): number {
    return this.#finite.bytes
  }

  save(size: number): unknown {
    return { finite: this.#finite.save(size), others: [...this.#others].map(([group, others]) => [group, [...others]]) }
  }

  restore(saved: unknown): void {
    const { finite, others } = saved as { finite: unknown; others: [number, Others][] }
    this.#finite.restore(finite)
    this.#others = new Map(others)
  }
}
