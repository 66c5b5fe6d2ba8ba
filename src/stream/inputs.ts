// What a pipeline reads: every partition of every topic, how far it is in each, and up to which time they are complete together. When
// anything is read is `pipeline.ts`.
import type { Log } from '../log/log.ts'
import type { PipelineState } from './commit-cut.ts'
import type { SourceState, StreamSource } from './source.ts'

/** One partition of one topic. */
export interface Input {
  readonly source: StreamSource
  readonly topic: string
  readonly partition: number
}

export interface Offset {
  readonly topic: string
  readonly partition: number
  /** The first that is not read. */
  readonly next: number
}

/** Numbers of all inputs are in the order of `all`. */
export class Inputs {
  readonly all: readonly Input[]
  readonly sources: readonly StreamSource[]
  readonly #log: Pick<Log, 'range'>

  constructor(sources: readonly StreamSource[], log: Pick<Log, 'range'>) {
    this.sources = sources
    this.#log = log
    this.all = sources.flatMap((source) => source.positions.map((_, partition) => ({ source, topic: source.topic, partition })))
  }

  /** Those that a watermark follows. */
  get timed(): readonly Input[] {
    return this.all.filter(({ source }) => source.hasWatermark)
  }

  get positions(): number[] {
    return this.all.map(({ source, partition }) => source.positions[partition]!)
  }

  get offsets(): readonly Offset[] {
    return this.all.map(({ source, topic, partition }) => ({ topic, partition, next: source.positions[partition]! }))
  }

  /** Event time up to which results are complete, microseconds: the least over all partitions of all topics that have one. */
  get watermarkUs(): number | null {
    let least: number | null = Number.POSITIVE_INFINITY
    for (const { hasWatermark, watermarkUs } of this.sources) {
      if (!hasWatermark) continue
      if (watermarkUs === null) return null
      if (watermarkUs < least) least = watermarkUs
    }
    return Number.isFinite(least) ? least : null
  }

  of({ topic, partition }: Pick<Input, 'topic' | 'partition'>): Input {
    return this.all.find((input) => input.topic === topic && input.partition === partition)!
  }

  /** Where the log ends now. */
  get ends(): number[] {
    return this.all.map(({ topic, partition }) => this.#log.range(topic, partition).end)
  }

  /** Of a commit, the next offset of each input: 0 where it has none. */
  nextOf(offsets: readonly Offset[]): number[] {
    return this.all.map((input) => offsets.find((row) => row.topic === input.topic && row.partition === input.partition)?.next ?? 0)
  }

  /** As they were at a commit. */
  async restore(offsets: readonly Offset[], state: PipelineState | null): Promise<void> {
    const next = this.nextOf(offsets)
    for (const source of this.sources) {
      const own = next.filter((_, index) => this.all[index]!.source === source)
      await source.restore(own, state?.sources?.[source.topic] ?? state?.source ?? null)
    }
  }

  /** By topic, for a checkpoint. */
  save(): Readonly<Record<string, SourceState>> {
    return Object.fromEntries(this.sources.map((source) => [source.topic, source.save()]))
  }
}
