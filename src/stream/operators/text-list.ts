// string_agg(x, ', ' ORDER BY x): each group has its texts with how often they are there, and puts them in order when it is asked.
import { STRING } from '../../engine/algebra/expression.ts'
import type { TextListing } from '../../engine/algebra/relation.ts'
import type { BytesColumn, Column } from '../../schema/batch.ts'
import { TextSink } from '../expression/text-sink.ts'
import { CountedValues } from './counted-values.ts'

export class TextList extends CountedValues {
  readonly #separator: string
  readonly #direction: 1 | -1

  constructor({ separator, descending }: TextListing) {
    super(STRING)
    this.#separator = separator
    this.#direction = descending ? -1 : 1
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
    const { lane } = this.values
    const slots = this.values.slotsOf(group).sort((a, b) => this.#direction * lane.compareSlot(b, lane, a))
    const { bytes, start, length } = lane.column(Int32Array.from(slots), slots.length) as BytesColumn
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return slots.flatMap((slot, i) => {
      const text = buffer.toString('utf8', start[i]!, start[i]! + length[i]!)
      return new Array<string>(this.values.countOf(slot)).fill(text)
    })
  }
}
