// A pipeline's view of a stream: reads the log of each partition from where the last commit left off, scans it into
// column batches and classifies every record. Deterministic: the same log gives the same deliveries, however it is cut.
import { MillraceError } from '../core/errors.ts'
import type { StreamManifest } from '../define/manifest.ts'
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import type { Log, LogBatch } from '../log/log.ts'
import { rawText } from '../log/refusal.ts'
import { type Column, type ColumnBatch, laneOf, selectRows } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Scan, Scanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { type Classified, type ClassifiedStream, Classifier, type ClassifierState } from './classify.ts'
import { decisionsOf } from './control.ts'
import { deletedKeys } from './deleted-keys.ts'
import { type RejectedRow, rejectedFromDoor, rejectedFromScan } from './rejected.ts'
import type { FailedCheck } from './row-checks.ts'

/** One read of one partition, classified. */
export interface Delivery {
  readonly topic: string
  readonly partition: number
  /** Offset after the last record of this delivery. */
  readonly next: number
  /** All rows that the scanner took, with the system columns after the stream's own. */
  readonly batch: ColumnBatch
  readonly classified: Classified
  readonly rejected: readonly RejectedRow[]
  /** Append time of each row of `batch`, milliseconds. */
  readonly appendMs: Float64Array
  readonly offsets: Float64Array
  /** Records that are neither rows nor rejects: recorded decisions. */
  readonly controls: readonly Control[]
  /** Keys of a table that have gone. */
  readonly deletes: readonly Deletes[]
}

/** Rows that have gone together. */
export interface Deletes {
  /** The row of `classified.out` before which they stand, as an index of that list. */
  readonly before: number
  /** With the columns of the delivery's batch: the key and the system's are there, the others null. */
  readonly batch: ColumnBatch
}

/** A recorded decision, or a tick: a record that says only that time has passed. */
export interface Control {
  /** The row of `classified.out` before which it stands, as an index of that list. */
  readonly before: number
  readonly offset: number
  readonly appendMs: number
  /** Watermark of the partition after it, microseconds; -Infinity while there is none. */
  readonly watermarkUs: number
}

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
  readonly #scanner: Scanner
  /** Columns of deliveries beside the system's. */
  readonly #shape: Shape
  readonly #isPart: boolean
  readonly #failedCheck: FailedCheck
  readonly #positions: number[]
  #classifiers: Classifier[]

  /**
   * `failedCheck`: rows that it refuses are set aside before they are classified, for every reader of the stream alike.
   * `stream.shape` may be a part of the scanner's, which then reads no more of a row than that: deliveries have these columns.
   */
  constructor(log: Log, stream: SourceStream, scanner: Scanner, failedCheck: FailedCheck = () => null) {
    this.#log = log
    this.#stream = stream
    this.#scanner = scanner
    this.#shape = stream.shape
    this.#isPart = stream.shape.fields.length < scanner.shape.fields.length
    this.#failedCheck = failedCheck
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
      for (const part of this.#parts(batches, position, until)) {
        if (part.kind === 'rows') this.#classifiers[partition]!.remember(part.batch, part.appendMs)
      }
      const end = batches.at(-1)!
      position = end.baseOffset + end.count
    }
  }

  hasMore(partition: number): boolean {
    return this.#log.range(this.#stream.name, partition).end > this.#positions[partition]!
  }

  /** The next records of a partition, at most about `maxBytes`; null at the end of the log. */
  async read(partition: number, maxBytes: number): Promise<Delivery | null> {
    const from = this.#positions[partition]!
    const batches = await this.#log.read(this.#stream.name, partition, from, maxBytes)
    const end = batches.at(-1)
    if (!end) return null
    const next = end.baseOffset + end.count
    const delivery = this.#deliver(partition, next, this.#parts(batches, from, next))
    this.#positions[partition] = next
    return delivery
  }

  #deliver(partition: number, next: number, parts: readonly Part[]): Delivery {
    const classifier = this.#classifiers[partition]!
    const rejected: RejectedRow[] = []
    const pieces: { part: RowsPart; classified: Classified }[] = []
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

  /** Cuts log batches into runs that are scanned at once: rows of one shape follow each other. */
  #parts(batches: readonly LogBatch[], from: number, until: number): Part[] {
    const parts: Part[] = []
    for (let i = 0; i < batches.length; ) {
      const batch = batches[i]!
      if (batch.kind === 'control') {
        for (const [index, { watermarkUs }] of decisionsOf(batch).entries())
          if (batch.baseOffset + index >= from && batch.baseOffset + index < until)
            parts.push({ kind: 'control', watermarkUs, offset: batch.baseOffset + index, appendMs: batch.appendTimeMs })
        i++
      } else if (batch.kind === 'rejects') {
        parts.push({ kind: 'rejects', rows: rejectedFromDoor(batch).filter((row) => row.offset >= from && row.offset < until) })
        i++
      } else if (batch.kind === 'deletes') {
        parts.push({ kind: 'deletes', batch: deletedKeys(batch, { from, until, shape: this.#shape, key: this.#stream.tableKey ?? [] }) })
        i++
      } else {
        const run = [batch]
        while (++i < batches.length && batches[i]!.kind === 'rows' && batches[i]!.fingerprint === batch.fingerprint) run.push(batches[i]!)
        parts.push(this.#scanRun(run, from, until))
      }
    }
    return parts
  }

  /** Rows of another shape of the stream are read whole, since they may not be of this one. */
  #scan(payload: Uint8Array, trusted: boolean): Scan {
    const columns = this.#shape.fields.map(({ name }) => name)
    if (!this.#isPart || trusted) return this.#scanner.scan(payload, this.#isPart ? { trusted, columns } : { trusted })
    const scan = this.#scanner.scan(payload, { trusted })
    const { fields } = this.#scanner.shape
    const own = columns.map((name) => scan.batch.columns[fields.findIndex((field) => field.name === name)]!)
    return { ...scan, batch: { shape: this.#shape, rows: scan.batch.rows, columns: own } }
  }

  #scanRun(run: readonly LogBatch[], from: number, until: number): RowsPart {
    const trusted = run[0]!.fingerprint === this.#scanner.fingerprint
    const payload = run.length === 1 ? run[0]!.payload : Buffer.concat(run.map((batch) => batch.payload))
    const scan = this.#scan(payload, trusted)
    const lines = run.reduce((sum, batch) => sum + batch.count, 0)
    const lineOffset = new Float64Array(lines)
    const lineMs = new Float64Array(lines)
    const redriven = run.some((batch) => batch.redriveOf !== undefined) ? new Uint8Array(lines) : null
    let line = 0
    for (const batch of run) {
      lineMs.fill(batch.appendTimeMs, line, line + batch.count)
      if (redriven && batch.redriveOf !== undefined) redriven.fill(1, line, line + batch.count)
      for (let i = 0; i < batch.count; i++) lineOffset[line++] = batch.baseOffset + i
    }
    return cutRows({ scan, lineOffset, lineMs, redriven, partition: run[0]!.partition, payload }, from, until, this.#failedCheck)
  }
}

interface RowsPart {
  readonly kind: 'rows'
  readonly batch: ColumnBatch
  readonly offsets: Float64Array
  readonly appendMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly rejected: readonly RejectedRow[]
}

type Part =
  | RowsPart
  | { readonly kind: 'rejects'; readonly rows: readonly RejectedRow[] }
  | { readonly kind: 'deletes'; readonly batch: ColumnBatch }
  | { readonly kind: 'control'; readonly watermarkUs: number | null; readonly offset: number; readonly appendMs: number }

interface ScannedRun {
  readonly scan: Scan
  readonly lineOffset: Float64Array
  readonly lineMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly partition: number
  readonly payload: Uint8Array
}

/** Keeps the rows whose offsets lie in [from, until), since a batch may begin before the position, and that pass the checks. */
function cutRows(run: ScannedRun, from: number, until: number, failedCheck: FailedCheck): RowsPart {
  const { scan, lineOffset } = run
  const offsetOf = (row: number): number => lineOffset[scan.lines[row]!]!
  const isWithin = ({ offset }: RejectedRow): boolean => offset >= from && offset < until
  const rejected = rejectedFromScan(run.partition, scan, run.payload, lineOffset, run.lineMs).filter(isWithin)
  const kept = new Int32Array(scan.batch.rows)
  let count = 0
  for (let row = 0; row < scan.batch.rows; row++) {
    if (offsetOf(row) < from || offsetOf(row) >= until) continue
    const failed = failedCheck(scan.batch, row)
    if (failed === null) kept[count++] = row
    else rejected.push(setAside(run, row, failed))
  }
  const rows = kept.subarray(0, count)
  const batch = count === scan.batch.rows ? scan.batch : selectRows(scan.batch, rows)
  const pick = (values: Float64Array): Float64Array => {
    const picked = new Float64Array(count)
    for (let i = 0; i < count; i++) picked[i] = values[scan.lines[rows[i]!]!]!
    return picked
  }
  const redriven = run.redriven && Uint8Array.from(rows, (row) => run.redriven![scan.lines[row]!]!)
  return { kind: 'rows', batch, offsets: pick(lineOffset), appendMs: pick(run.lineMs), redriven, rejected }
}

function setAside(
  { scan, payload, partition, lineOffset, lineMs }: ScannedRun,
  row: number,
  failed: { check: string; column: string },
): RejectedRow {
  const line = scan.lines[row]!
  return {
    partition,
    offset: lineOffset[line]!,
    appendMs: lineMs[line]!,
    raw: rawText(payload.subarray(scan.lineStart[row]!, scan.lineEnd[row]!)),
    code: 'MR_ROW_CHECK',
    message: `the check ${failed.check} failed`,
    field: failed.column,
  }
}

/** Not push(...items): a call takes only so many arguments. */
function addAll<T>(to: T[], items: readonly T[]): void {
  for (const item of items) to.push(item)
}

type Joined = Pick<Delivery, 'batch' | 'classified' | 'appendMs' | 'offsets'>

/** One batch of all pieces, with the system columns; the usual single piece is not copied. */
function joinPieces(shape: ColumnBatch['shape'], partition: number, pieces: readonly { part: RowsPart; classified: Classified }[]): Joined {
  const rows = pieces.reduce((sum, { part }) => sum + part.batch.rows, 0)
  const offsets = concat(
    pieces.map(({ part }) => part.offsets),
    new Float64Array(rows),
  )
  const appendMs = concat(
    pieces.map(({ part }) => part.appendMs),
    new Float64Array(rows),
  )
  const system: Column[] = [
    { kind: 'number', values: new Float64Array(rows).fill(partition), nulls: null },
    { kind: 'integer', values: offsets, big: null, nulls: null },
    { kind: 'integer', values: appendMs.map((ms) => ms * 1_000), big: null, nulls: null },
  ]
  const own =
    pieces.length === 1
      ? pieces[0]!.part.batch.columns
      : joinColumnsOf(
          shape,
          pieces.map(({ part }) => part.batch),
        )
  const batch: ColumnBatch = { shape: { fields: [...shape.fields, ...SYSTEM_FIELDS] }, rows, columns: [...own, ...system] }
  return { batch, classified: joinClassified(pieces), appendMs, offsets }
}

function joinClassified(pieces: readonly { part: RowsPart; classified: Classified }[]): Classified {
  if (pieces.length === 1) return pieces[0]!.classified
  const out: number[] = []
  const outWatermarkUs: number[] = []
  const late: number[] = []
  const lateWatermarkUs: number[] = []
  let duplicates = 0
  let skewed = 0
  let redriven = 0
  let base = 0
  for (const { part, classified } of pieces) {
    for (const row of classified.out) out.push(base + row)
    for (const watermarkUs of classified.outWatermarkUs) outWatermarkUs.push(watermarkUs)
    for (const row of classified.late) late.push(base + row)
    for (const watermarkUs of classified.lateWatermarkUs) lateWatermarkUs.push(watermarkUs)
    duplicates += classified.duplicates
    skewed += classified.skewed
    redriven += classified.redriven
    base += part.batch.rows
  }
  return {
    out: Int32Array.from(out),
    outWatermarkUs: Float64Array.from(outWatermarkUs),
    late: Int32Array.from(late),
    duplicates,
    lateWatermarkUs: Float64Array.from(lateWatermarkUs),
    skewed,
    redriven,
  }
}

function joinColumnsOf(shape: ColumnBatch['shape'], batches: readonly ColumnBatch[]): Column[] {
  return shape.fields.map((field, index) =>
    joinColumns(
      laneOf(field.type),
      batches.map((batch) => [batch.columns[index]!, batch.rows]),
    ),
  )
}

function concat(parts: readonly Float64Array[], into: Float64Array): Float64Array {
  if (parts.length === 1) return parts[0]!
  let at = 0
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
  return into
}
