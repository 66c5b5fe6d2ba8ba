// A topic of Kafka in memory, whose reader answers as a broker may: nothing, or some of what is there, with gaps between the offsets.
import { integer, type Random } from '../../src/core/random.ts'
import type { TopicMessage, TopicReader, TopicSlice } from '../../src/log/kafka/topic-reader.ts'

export class FakeTopic {
  readonly partitions: readonly TopicMessage[][]
  readonly #random: Random

  constructor(random: Random, partitions: number) {
    this.#random = random
    this.partitions = Array.from({ length: partitions }, () => [])
  }

  /** Answers the offset that it gets. */
  send(partition: number, key: string | null, value: string | null): number {
    const bytes = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text))
    const offset = this.end(partition) + (integer(this.#random, 4) === 0 ? integer(this.#random, 5) : 0)
    this.partitions[partition]!.push({ offset, key: bytes(key), value: bytes(value) })
    return offset
  }

  end(partition: number): number {
    return (this.partitions[partition]!.at(-1)?.offset ?? -1) + 1
  }

  reader(): TopicReader {
    return {
      state: async () => ({ id: 'one', partitions: this.partitions.map((_, partition) => ({ start: 0, end: this.end(partition) })) }),
      offsetsAt: async () => [],
      fetch: async (positions) => {
        await new Promise((resolve) => setImmediate(resolve))
        return [...positions].flatMap(([partition, from]) => this.#slice(partition, from))
      },
      tell: async () => {},
      close: async () => {},
    }
  }

  #slice(partition: number, from: number): TopicSlice[] {
    const end = this.end(partition)
    if (from >= end || integer(this.#random, 4) === 0) return []
    const all = this.partitions[partition]!.filter(({ offset }) => offset >= from)
    const messages = all.slice(0, 1 + integer(this.#random, 20))
    return [{ partition, messages, next: messages.at(-1)!.offset + 1, end }]
  }
}
