// string_agg(x, ', ' ORDER BY x): each group has its texts with how often they are there, and puts them in order when it is asked.
import { STRING } from '../../engine/algebra/expression.ts'
import type { TextListing } from '../../engine/algebra/relation.ts'
import type { BytesColumn, Column } from '../../schema/batch.ts'
import { TextSink } from '../expression/text-sink.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { ValueCounts } from './value-counts.ts'

export class TextList implements AggregateState {
  readonly #separator: string
  readonly #direction: 1 | -1
  readonly #values = new ValueCounts(STRING)

  constructor({ separator, descending }: TextListing) {
    this.#separator = separator
    this.#direction = descending ? -1 : 1
  }

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count)
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#values.add(groups, column!, rows, count, -1)
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    this.#values.merge((from as TextList).#values, target, count)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    this.#values.mergeGroup((from as TextList).#values, group, to)
  }

  /** Null where there is no text. */
  column(groups: Int32Array, count: number): Column {
    const sink = new TextSink(count, 'utf8')
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const texts = this.#textsOf(groups[i]!)
      if (texts.length === 0) nulls[i] = 1
      else sink.put(i, texts.join(this.#separator))
    }
    return sink.column(nulls)
  }

  #textsOf(group: number): readonly string[] {
    const { lane } = this.#values
    const slots = this.#values.slotsOf(group).sort((a, b) => this.#direction * lane.compareSlot(b, lane, a))
    const { bytes, start, length } = lane.column(Int32Array.from(slots), slots.length) as BytesColumn
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return slots.flatMap((slot, i) => {
      const text = buffer.toString('utf8', start[i]!, start[i]! + length[i]!)
      return new Array<string>(this.#values.countOf(slot)).fill(text)
    })
  }

  clear(group: number): void {
    this.#values.clear(group)
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
