// min and max of values that may be taken away again. Of each group a value is known that no other is beyond; when it is not there any
// more, the extreme is looked for among all that are.
import type { ValueType } from '../../engine/algebra/expression.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import { makeLane } from '../memory/make-lane.ts'
import { Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { ValueCounts } from './value-counts.ts'

const NONE = -1

export class CountedExtreme {
  readonly #sign: 1 | -1
  readonly #type: ValueType
  readonly #values: ValueCounts
  /** By group: the slot of such a value, there or not; NONE where none is known. */
  #bounds = new Ints(NONE)
  #numbering = 0

  constructor(name: 'min' | 'max', type: ValueType) {
    this.#sign = name === 'max' ? 1 : -1
    this.#type = type
    this.#values = new ValueCounts(type, (slot, group, before) => before === 0 && this.#came(slot, group))
  }

  #came(slot: number, group: number): void {
    const bound = this.#boundOf(group)
    if (bound !== NONE && !this.#isBeyond(bound, slot)) this.#bounds.put(group, slot)
  }

  #boundOf(group: number): number {
    if (this.#numbering !== this.#values.numbering) {
      this.#numbering = this.#values.numbering
      this.#bounds = new Ints(NONE)
    }
    return this.#bounds.at(group)
  }

  #isBeyond(slot: number, other: number): boolean {
    const { lane } = this.#values
    return lane.compareSlot(other, lane, slot) * this.#sign > 0
  }

  /** The slot of the extreme; NONE where there is no value. */
  #extremeOf(group: number): number {
    const bound = this.#boundOf(group)
    if (bound !== NONE && this.#values.countOf(bound) !== 0) return bound
    let extreme = NONE
    for (const slot of this.#values.slotsOf(group)) if (extreme === NONE || this.#isBeyond(slot, extreme)) extreme = slot
    this.#bounds.put(group, extreme)
    return extreme
  }

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count)
  }

  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count, -1)
  }

  column(groups: Int32Array, count: number): Column {
    const best = makeLane(this.#type)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const slot = this.#extremeOf(groups[i]!)
      if (slot === NONE) nulls[i] = 1
      else best.copy(i, this.#values.lane, slot)
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
    return this.#values.bytes + this.#bounds.bytes
  }

  save(): unknown {
    return this.#values.save()
  }

  restore(saved: unknown): void {
    this.#values.restore(saved)
  }
}
