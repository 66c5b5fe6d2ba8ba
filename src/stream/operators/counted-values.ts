// What the aggregates share that are computed of all values of a group: add, take away, merge and keep how often each is there.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { Column } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { ValueCounts } from './value-counts.ts'

export abstract class CountedValues implements AggregateState {
  protected readonly values: ValueCounts

  /** See `ValueCounts`. */
  constructor(type: ValueType, onCount?: ConstructorParameters<typeof ValueCounts>[1]) {
    this.values = new ValueCounts(type, onCount)
  }

  abstract column(groups: Int32Array, count: number): Column

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.values.add(groups, column!, rows, count)
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.values.add(groups, column!, rows, count, -1)
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    this.values.merge((from as CountedValues).values, target, count)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    this.values.mergeGroup((from as CountedValues).values, group, to)
  }

  clear(group: number): void {
    this.values.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    this.values.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.values.read(group, from)
  }

  get bytes(): number {
    return this.values.bytes
  }

  save(): unknown {
    return this.values.save()
  }

  restore(saved: unknown): void {
    this.values.restore(saved)
  }
}
