// min and max of values that may be taken away again: the extreme is looked for among all that are there when it is asked for.
import type { ValueType } from '../../engine/algebra/expression.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import { makeLane } from './make-lane.ts'
import { ValueCounts } from './value-counts.ts'

export class CountedExtreme {
  readonly #sign: 1 | -1
  readonly #type: ValueType
  readonly #values: ValueCounts

  constructor(name: 'min' | 'max', type: ValueType) {
    this.#sign = name === 'max' ? 1 : -1
    this.#type = type
    this.#values = new ValueCounts(type)
  }

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count)
  }

  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count, -1)
  }

  column(groups: Int32Array, count: number): Column {
    const { lane } = this.#values
    const best = makeLane(this.#type)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const slots = this.#values.slotsOf(groups[i]!)
      if (slots.length === 0) nulls[i] = 1
      else
        best.copy(
          i,
          lane,
          slots.reduce((a, b) => (lane.compareSlot(a, lane, b) * this.#sign > 0 ? b : a)),
        )
    }
    const all = indexes(count)
    return { ...best.column(all, count), nulls }
  }

  write(group: number, out: RecordWriter): void {
    this.#values.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.#values.read(group, from)
  }

  get bytes(): number {
    return this.#values.bytes
  }

  save(): unknown {
    return this.#values.save()
  }

  restore(saved: unknown): void {
    this.#values.restore(saved)
  }
}
