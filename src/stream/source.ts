// A pipeline's view of a stream: reads the log of each partition from where the last commit left off, scans it into
// column batches and classifies every record. Deterministic: the same log gives the same deliveries, however it is cut.
import { addAll } from '../core/add-all.ts'
import { MillraceError } from '../core/errors.ts'
import type { StreamManifest } from '../define/manifest.ts'
import type { Log, LogBatch } from '../log/log.ts'
import type { Scanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { type ClassifiedStream, Classifier, type ClassifierState } from './classify.ts'
import { type Control, type Deletes, type Delivery, joinPieces, type Piece } from './delivery.ts'
import { type Part, PartReader } from './read-parts.ts'
import type { RejectedRow } from './rejected.ts'
import { type FailedCheck, passesAll } from './row-checks.ts'

/** What a checkpoint keeps of a source. */
export interface SourceState {
  readonly partitions: readonly ClassifierState[]
}

export type SourceStream = ClassifiedStream &
  Pick<StreamManifest, 'name' | 'partitions'> & {
    /** Of a keyed table: the columns of its key. */
    readonly tableKey?: readonly string[]
  }

const REREAD_BYTES = 4 << 20

export class StreamSource {
  readonly #log: Log
  readonly #stream: SourceStream
  /** Columns of deliveries beside the system's. */
  readonly #shape: Shape
  readonly #parts: PartReader
  readonly #positions: number[]
  /** By partition: what the log was asked for before it was wanted. */
  readonly #coming = new Map<number, { readonly from: number; readonly batches: Promise<readonly LogBatch[]> }>()
  #classifiers: Classifier[]

  /**
   * `failedCheck`: rows that it refuses are set aside before they are classified, for every reader of the stream alike.
   * `stream.shape` may be a part of the scanner's, which then reads no more of a row than that: deliveries have these columns.
   */
  constructor(log: Log, stream: SourceStream, scanner: Scanner, failedCheck: FailedCheck = passesAll) {
    this.#log = log
    this.#stream = stream
    this.#shape = stream.shape
    this.#parts = new PartReader({ scanner, shape: stream.shape, key: stream.tableKey ?? [], failedCheck })
    this.#positions = Array.from({ length: stream.partitions }, () => 0)
    this.#classifiers = this.#positions.map(() => new Classifier(stream))
  }

  get stream(): SourceStream {
    return this.#stream
  }

  /** The topic that it reads. */
  get topic(): string {
    return this.#stream.name
  }

  get positions(): readonly number[] {
    return this.#positions
  }

  /** Rows of a keyed table are never late and move no watermark: what is computed with them does not wait for them. */
  get hasWatermark(): boolean {
    return Number.isFinite(this.#stream.latenessMs)
  }

  /** The latest row of a key is the row of the table. */
  get isTable(): boolean {
    return this.#stream.tableKey !== undefined
  }

  /** How far rows may come behind the newest, microseconds. */
  get latenessUs(): number {
    return this.#stream.latenessMs * 1_000
  }

  /** Its watermark is told by another pipeline. */
  get isDerived(): boolean {
    return this.#stream.source === 'processor'
  }

  /** Whether a partition without new rows holds up what is computed over all of them, and nobody else tells its watermark. */
  get needsIdleDecisions(): boolean {
    return this.#stream.time !== undefined && this.#stream.source !== 'processor' && this.#stream.partitions > 1
  }

  /** The least watermark over all partitions, microseconds; null while a partition has none. */
  get watermarkUs(): number | null {
    let least: number | null = Number.POSITIVE_INFINITY
    for (const { watermarkUs } of this.#classifiers) {
      if (watermarkUs === null) return null
      if (watermarkUs < least) least = watermarkUs
    }
    return least
  }

  watermarkOf(partition: number): number | null {
    return this.#classifiers[partition]!.watermarkUs
  }

  save(): SourceState {
    return { partitions: this.#classifiers.map((classifier) => classifier.save()) }
  }

  /**
   * Continues at `offsets`; the dedupe keys within the horizon before them are read again from the log.
   * @throws MR_STREAM_STATE when the log does not hold what follows them: records would be missing silently.
   */
  async restore(offsets: readonly number[], state: SourceState | null): Promise<void> {
    this.#coming.clear()
    this.#classifiers = this.#positions.map(() => new Classifier(this.#stream))
    for (let partition = 0; partition < this.#positions.length; partition++) {
      this.#positions[partition] = this.#firstOffset(partition, offsets[partition] ?? 0)
      const saved = state?.partitions[partition]
      if (saved) this.#classifiers[partition]!.restore(saved)
      if (this.#stream.dedupe) await this.#remember(partition, this.#positions[partition]!)
    }
  }

  /** A pipeline that has committed nothing begins with what the log still has. PROTOCOL rules 1 and 2. */
  #firstOffset(partition: number, committed: number): number {
    const { start, end } = this.#log.range(this.#stream.name, partition)
    if (committed === 0) return start
    if (committed >= start && committed <= end) return committed
    throw new MillraceError(
      'MR_STREAM_STATE',
      `${this.#stream.name}, partition ${partition}: offset ${committed} is committed, but the log holds ${start} to ${end}`,
      { fix: 'restore the log and the control database from one backup' },
    )
  }

  async #remember(partition: number, until: number): Promise<void> {
    const { start } = this.#log.range(this.#stream.name, partition)
    if (until <= start) return
    const last = await this.#log.read(this.#stream.name, partition, until - 1, 1)
    const fromMs = (last[0]?.appendTimeMs ?? 0) - this.#stream.dedupe!.withinMs
    let position = Math.max(start, await this.#log.offsetAt(this.#stream.name, partition, fromMs))
    while (position < until) {
      const batches = await this.#log.read(this.#stream.name, partition, position, REREAD_BYTES)
      if (batches.length === 0) return
      for (const part of this.#parts.read(batches, position, until)) {
        if (part.kind === 'rows') this.#classifiers[partition]!.remember(part.batch, part.appendMs)
      }
      const end = batches.at(-1)!
      position = end.baseOffset + end.count
    }
  }

  hasMore(partition: number): boolean {
    return this.#log.range(this.#stream.name, partition).end > this.#positions[partition]!
  }

  /**
   * Asks the log for what `read` gives next of a partition: so several are on their way at once, and what is still to come is sent
   * as soon as it is there. Resolves when the log has answered; at the end of the log that is when more has come, or after `waitMs`.
   */
  async prepare(partition: number, maxBytes: number, waitMs = 0): Promise<void> {
    const from = this.#positions[partition]!
    let coming = this.#coming.get(partition)
    if (coming?.from !== from) {
      coming = { from, batches: this.#log.read(this.#stream.name, partition, from, maxBytes, waitMs) }
      this.#coming.set(partition, coming)
    }
    const found = await coming.batches.catch(() => null) // thrown by `read`
    if (found?.length === 0 && this.#coming.get(partition) === coming) this.#coming.delete(partition)
  }

  /** The next records of a partition, at most about `maxBytes`; null at the end of the log. */
  async read(partition: number, maxBytes: number): Promise<Delivery | null> {
    const from = this.#positions[partition]!
    const coming = this.#coming.get(partition)
    this.#coming.delete(partition)
    let batches: readonly LogBatch[] = coming?.from === from ? await coming.batches : []
    // None: what it waited for has come too late for it.
    if (batches.length === 0) batches = await this.#log.read(this.#stream.name, partition, from, maxBytes)
    const end = batches.at(-1)
    if (!end) return null
    const next = end.baseOffset + end.count
    const delivery = this.#deliver(partition, next, this.#parts.read(batches, from, next))
    this.#positions[partition] = next
    const { readableMs } = batches[0]!
    return readableMs === undefined ? delivery : { ...delivery, readableMs }
  }

  #deliver(partition: number, next: number, parts: readonly Part[]): Delivery {
    const classifier = this.#classifiers[partition]!
    const rejected: RejectedRow[] = []
    const pieces: Piece[] = []
    const controls: Control[] = []
    const deletes: Deletes[] = []
    let before = 0
    for (const part of parts) {
      if (part.kind === 'rejects') addAll(rejected, part.rows)
      else if (part.kind === 'deletes') deletes.push({ before, batch: part.batch })
      else if (part.kind === 'control') {
        if (part.watermarkUs !== null) classifier.advanceTo(part.watermarkUs)
        controls.push({
          before,
          offset: part.offset,
          appendMs: part.appendMs,
          watermarkUs: classifier.watermarkUs ?? Number.NEGATIVE_INFINITY,
        })
      } else {
        addAll(rejected, part.rejected)
        const classified = classifier.classify(part.batch, part)
        before += classified.out.length
        pieces.push({ part, classified })
      }
    }
    return { ...joinPieces(this.#shape, partition, pieces), topic: this.#stream.name, partition, next, rejected, controls, deletes }
  }
}
