// How far each partition of a topic is, in memory that the log's thread writes and the process reads: who was told of an append finds it
// there, whatever messages are still on their way.
import type { PartitionRange, TopicStats } from '../log.ts'

type Figures = TopicStats['partitions'][number]

const NAMES = ['start', 'end', 'sizeBytes', 'segments', 'lastAppendMs'] as const satisfies readonly (keyof Figures)[]

export const figuresMemory = (partitions: number): SharedArrayBuffer =>
  new SharedArrayBuffer(partitions * NAMES.length * BigInt64Array.BYTES_PER_ELEMENT)

export class TopicFigures {
  readonly #numbers: BigInt64Array
  readonly partitions: number

  constructor(memory: SharedArrayBuffer) {
    this.#numbers = new BigInt64Array(memory)
    this.partitions = this.#numbers.length / NAMES.length
  }

  write(partition: number, figures: Figures): void {
    for (const [index, name] of NAMES.entries())
      Atomics.store(this.#numbers, partition * NAMES.length + index, BigInt(Math.trunc(figures[name])))
  }

  range(partition: number): PartitionRange {
    return { start: this.#number(partition, 0), end: this.#number(partition, 1) }
  }

  of(partition: number): Figures {
    return Object.fromEntries(NAMES.map((name, index) => [name, this.#number(partition, index)])) as unknown as Figures
  }

  #number(partition: number, index: number): number {
    return Number(Atomics.load(this.#numbers, partition * NAMES.length + index))
  }
}
