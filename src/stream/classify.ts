// Decides, record by record, whether a row is a duplicate, late, or out: a pure function of the partition's own prefix, so
// every pipeline over a stream and every replay decides alike. PROTOCOL rules 6 to 9. One instance per partition.
import type { StreamManifest } from '../define/manifest.ts'
import { type ColumnBatch, microsOf } from '../schema/batch.ts'
import { SeenKeys } from './seen-keys.ts'

/** Everything that a later record's fate depends on, except the dedupe keys, which are read again from the log. */
export interface ClassifierState {
  /** Microseconds; the highest event time that was allowed to advance it, minus the lateness. Null before the first row. */
  readonly watermarkUs: number | null
  readonly skewed: number
}

export interface Classified {
  /** Rows of the batch that are out, deduplicated and late, as indexes in order. */
  readonly out: Int32Array
  /** Watermark after each row of `out`, microseconds; -Infinity while there is none. */
  readonly outWatermarkUs: Float64Array
  readonly late: Int32Array
  readonly duplicates: number
  /** Watermark that each late row was behind, microseconds. */
  readonly lateWatermarkUs: Float64Array
  readonly skewed: number
  /** How many of `out` were re-driven. */
  readonly redriven: number
}

export interface RecordTimes {
  /** Append time of each row, milliseconds. */
  readonly appendMs: Float64Array
  /** True for rows that were re-driven: lateness and dedupe are skipped. */
  readonly redriven: Uint8Array | null
}

export type ClassifiedStream = Pick<StreamManifest, 'shape' | 'source' | 'time' | 'latenessMs' | 'maxSkewMs' | 'dedupe'>

export class Classifier {
  readonly #timeIndex: number
  readonly #latenessUs: number
  readonly #maxSkewUs: number
  /** Places of the dedupe key among the columns. */
  readonly #keyAt: readonly number[]
  /** Null where nothing is deduplicated. */
  readonly #seen: SeenKeys | null
  /** Whether rows move the watermark. Those of a processor do not: they come in the order in which it read its input, which
   *  says nothing about event time, and it tells the watermark by control records. Nor where nothing can be late. */
  readonly #isMoving: boolean
  #watermarkUs: number | null = null
  #skewed = 0

  constructor(stream: ClassifiedStream) {
    const indexOf = (name: string): number => stream.shape.fields.findIndex((field) => field.name === name)
    this.#timeIndex = stream.time === undefined ? -1 : indexOf(stream.time)
    this.#latenessUs = stream.latenessMs * 1_000
    this.#maxSkewUs = stream.maxSkewMs === undefined ? Number.POSITIVE_INFINITY : stream.maxSkewMs * 1_000
    this.#keyAt = (stream.dedupe?.by ?? []).map(indexOf)
    this.#seen = stream.dedupe
      ? new SeenKeys(
          this.#keyAt.map((at) => stream.shape.fields[at]!.type),
          stream.dedupe.withinMs,
        )
      : null
    const isDerived = stream.source === 'processor' && stream.time !== undefined
    this.#isMoving = !isDerived && Number.isFinite(this.#latenessUs)
  }

  get watermarkUs(): number | null {
    return this.#watermarkUs
  }

  save(): ClassifierState {
    return { watermarkUs: this.#watermarkUs, skewed: this.#skewed }
  }

  restore(state: ClassifierState): void {
    this.#watermarkUs = state.watermarkUs
    this.#skewed = state.skewed
  }

  /** A recorded decision that the partition is idle: from here on it counts as if it had seen this watermark. */
  advanceTo(watermarkUs: number): void {
    if (this.#watermarkUs === null || watermarkUs > this.#watermarkUs) this.#watermarkUs = watermarkUs
  }

  /** Fills the dedupe keys from records before the committed offset; changes nothing else. */
  remember(batch: ColumnBatch, appendMs: Float64Array): void {
    this.#repeated(batch, appendMs)
  }

  /** Marks the rows whose key came within the horizon before; null where nothing is deduplicated. */
  #repeated({ columns, rows }: ColumnBatch, appendMs: Float64Array): Uint8Array | null {
    const keys = this.#keyAt.map((at) => columns[at]!)
    return this.#seen?.mark(keys, rows, appendMs) ?? null
  }

  classify(batch: ColumnBatch, times: RecordTimes): Classified {
    const out = new Int32Array(batch.rows)
    const outWatermarkUs = new Float64Array(batch.rows)
    const late: number[] = []
    const lateWatermarkUs: number[] = []
    const repeated = this.#repeated(batch, times.appendMs)
    const eventTimes = this.#timeIndex < 0 ? null : microsOf(batch.columns[this.#timeIndex]!)
    let outCount = 0
    let redrivenCount = 0
    let duplicates = 0
    let skewed = 0
    for (let row = 0; row < batch.rows; row++) {
      const appendMs = times.appendMs[row]!
      const redriven = times.redriven?.[row] === 1
      if (repeated?.[row] === 1 && !redriven) {
        duplicates++
        continue
      }
      const eventUs = eventTimes ? eventTimes[row]! : appendMs * 1_000
      if (!redriven && this.#watermarkUs !== null && eventUs < this.#watermarkUs) {
        late.push(row)
        lateWatermarkUs.push(this.#watermarkUs)
        continue
      }
      if (redriven) redrivenCount++
      if (eventUs > appendMs * 1_000 + this.#maxSkewUs) skewed++
      else if (this.#isMoving) this.advanceTo(eventUs - this.#latenessUs)
      out[outCount] = row
      outWatermarkUs[outCount++] = this.#watermarkUs ?? Number.NEGATIVE_INFINITY
    }
    this.#skewed += skewed
    return {
      out: out.subarray(0, outCount),
      outWatermarkUs: outWatermarkUs.subarray(0, outCount),
      late: Int32Array.from(late),
      duplicates,
      lateWatermarkUs: Float64Array.from(lateWatermarkUs),
      skewed,
      redriven: redrivenCount,
    }
  }
}
