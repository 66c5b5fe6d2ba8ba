// A live model's way through history: the rows of its streams that are committed, as deliveries, in the order of their arrival,
// up to the offsets from which the log is read. They were classified when they came, so all of them are out; the watermark runs
// over them as it did then, except for what was decided while a partition was idle, which the hand-over brings.
import type { ColumnBatch } from '../schema/batch.ts'
import { selectRows } from '../schema/batch.ts'
import { Classifier } from './classify.ts'
import type { Delivery } from './delivery.ts'
import type { SourceState, SourceStream, StreamSource } from './source.ts'

/** What the pipeline of a stream has committed: rows below `offsets` are in its table, and none above is read from there. */
export interface TopicHistory {
  readonly topic: string
  readonly offsets: readonly number[]
  /** Of the stream at these offsets. */
  readonly state: SourceState | null
  /** In the order of arrival; the system's columns stand last. */
  readonly rows: AsyncIterable<ColumnBatch>
}

/** What is committed of a stream, for one who has read nothing of it; null when nothing is. */
export type OpenHistory = (source: StreamSource) => Promise<TopicHistory | null>

export interface Replayed {
  readonly deliveries: readonly Delivery[]
  /** Rows below it have all been delivered, microseconds; null while that is not known. */
  readonly watermarkUs: number | null
}

interface Reader {
  readonly rows: AsyncIterator<ColumnBatch>
  readonly split: Splitter
  next: ColumnBatch | null
}

/** Several streams are gone through side by side, so that what waits for both of them does not wait long. */
export async function* replay(histories: readonly TopicHistory[], streams: readonly SourceStream[]): AsyncGenerator<Replayed> {
  const readers: Reader[] = []
  try {
    for (const { topic, rows } of histories) {
      const iterator = rows[Symbol.asyncIterator]()
      const stream = streams.find(({ name }) => name === topic)!
      readers.push({ rows: iterator, split: new Splitter(stream), next: (await iterator.next()).value ?? null })
    }
    // A stream without history has rows in the log only: nothing is complete before those are read.
    const isWhole = histories.length === streams.length
    for (;;) {
      const first = earliest(readers)
      if (!first) return
      const deliveries = first.split.deliver(first.next!)
      first.next = (await first.rows.next()).value ?? null
      yield { deliveries, watermarkUs: isWhole ? leastOf(readers.map(({ split }) => split.watermarkUs)) : null }
    }
  } finally {
    for (const { rows } of readers) await rows.return?.()
  }
}

/** One who takes what is replayed. */
export interface HistoryTaker {
  take(delivery: Delivery): Promise<void>
  tick(watermarkUs: number | null): Promise<void>
  isStopped(): boolean
}

/** Takes a pipeline through the history of its sources, which stand then where it ends: the log goes on from there. */
export async function readHistory(sources: readonly StreamSource[], open: OpenHistory, taker: HistoryTaker): Promise<void> {
  // Of tables the log has what the lake has not: versions that were replaced. It is read beside the streams; what is older comes first.
  for (const some of [sources.filter(({ isTable }) => isTable), sources.filter(({ isTable }) => !isTable)]) {
    const opened = await Promise.all(some.map(open))
    const histories = opened.filter((history) => history !== null)
    const streams = some.map(({ stream }) => stream)
    for await (const { deliveries, watermarkUs } of replay(histories, streams)) {
      for (const delivery of deliveries) await taker.take(delivery)
      await taker.tick(watermarkUs)
      if (taker.isStopped()) return
    }
    for (const [index, source] of some.entries()) {
      const history = opened[index]
      if (history) await source.restore(history.offsets, history.state)
    }
  }
}

const ingestedUs = ({ columns }: ColumnBatch): number => {
  const column = columns.at(-1)!
  return column.kind === 'integer' ? column.values[0]! : 0
}

function earliest(readers: readonly Reader[]): Reader | null {
  let least: Reader | null = null
  for (const reader of readers) if (reader.next && (!least || ingestedUs(reader.next) < ingestedUs(least.next!))) least = reader
  return least
}

function leastOf(watermarks: readonly (number | null)[]): number | null {
  return watermarks.includes(null) ? null : Math.min(...(watermarks as number[]))
}

/** Rows of one stream by partition, each with its classifier. */
class Splitter {
  readonly #stream: SourceStream
  readonly #classifiers: readonly Classifier[]

  constructor(stream: SourceStream) {
    const { dedupe: _, ...rest } = stream
    this.#stream = stream
    this.#classifiers = Array.from({ length: stream.partitions }, () => new Classifier(rest))
  }

  get watermarkUs(): number | null {
    return leastOf(this.#classifiers.map(({ watermarkUs }) => watermarkUs))
  }

  deliver(batch: ColumnBatch): Delivery[] {
    const system = batch.columns.length - 3
    const partitions = numbersOf(batch, system)
    const rowsOf = Map.groupBy(
      Array.from({ length: batch.rows }, (_, row) => row),
      (row) => partitions[row]!,
    )
    return [...rowsOf].map(([partition, rows]) => {
      const own = rows.length === batch.rows ? batch : selectRows(batch, Int32Array.from(rows))
      const offsets = numbersOf(own, system + 1)
      const appendMs = numbersOf(own, system + 2).map((us) => us / 1_000)
      // As if re-driven: neither late nor a duplicate, since that was decided when they came.
      const redriven = new Uint8Array(own.rows).fill(1)
      const classified = { ...this.#classifiers[partition]!.classify(own, { appendMs, redriven }), redriven: 0 }
      const next = offsets[own.rows - 1]! + 1
      return {
        topic: this.#stream.name,
        partition,
        next,
        batch: own,
        classified,
        rejected: [],
        appendMs,
        offsets,
        controls: [],
        deletes: [],
      }
    })
  }
}

function numbersOf({ columns, rows }: ColumnBatch, index: number): Float64Array {
  const column = columns[index]!
  return column.kind === 'bytes' ? new Float64Array(rows) : column.values.subarray(0, rows)
}
