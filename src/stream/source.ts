// A pipeline's view of a stream: reads the log of each partition from where the last commit left off, scans it into
// column batches and classifies every record. Deterministic: the same log gives the same deliveries, however it is cut.
import type { StreamManifest } from '../define/manifest.ts'
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import type { Log, LogBatch } from '../log/log.ts'
import type { Column, ColumnBatch } from '../schema/batch.ts'
import type { Scan, Scanner } from '../schema/scan/scanner.ts'
import { type Classified, Classifier, type ClassifierState } from './classify.ts'
import { type RejectedRow, rejectedFromDoor, rejectedFromScan } from './rejected.ts'

/** One read of one partition, classified. */
export interface Delivery {
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
  readonly controls: number
}

/** What a checkpoint keeps of a source. */
export interface SourceState {
  readonly partitions: readonly ClassifierState[]
}

type SourceStream = Pick<StreamManifest, 'name' | 'shape' | 'partitions' | 'time' | 'latenessMs' | 'maxSkewMs' | 'dedupe'>

const REREAD_BYTES = 4 << 20

export class StreamSource {
  readonly #log: Log
  readonly #stream: SourceStream
  readonly #scanner: Scanner
  readonly #positions: number[]
  #classifiers: Classifier[]

  constructor(log: Log, stream: SourceStream, scanner: Scanner) {
    this.#log = log
    this.#stream = stream
    this.#scanner = scanner
    this.#positions = Array.from({ length: stream.partitions }, () => 0)
    this.#classifiers = this.#positions.map(() => new Classifier(stream))
  }

  get positions(): readonly number[] {
    return this.#positions
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

  /** Continues at `offsets`; the dedupe keys within the horizon before them are read again from the log. */
  async restore(offsets: readonly number[], state: SourceState | null): Promise<void> {
    this.#classifiers = this.#positions.map(() => new Classifier(this.#stream))
    for (let partition = 0; partition < this.#positions.length; partition++) {
      const { start } = this.#log.range(this.#stream.name, partition)
      this.#positions[partition] = Math.max(offsets[partition] ?? 0, start)
      const saved = state?.partitions[partition]
      if (saved) this.#classifiers[partition]!.restore(saved)
      if (this.#stream.dedupe) await this.#remember(partition, this.#positions[partition]!)
    }
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
        if (part.kind === 'rows') this.#classifiers[partition]!.remember(part.scan.batch, part.appendMs)
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
    let controls = 0
    for (const part of parts) {
      if (part.kind === 'rejects') rejected.push(...part.rows)
      else if (part.kind === 'control') {
        controls++
        classifier.advanceTo(part.watermarkUs)
      } else {
        rejected.push(...part.rejected)
        pieces.push({ part, classified: classifier.classify(part.scan.batch, part) })
      }
    }
    return { ...joinPieces(this.#scanner.shape, partition, pieces), partition, next, rejected, controls }
  }

  /** Cuts log batches into runs that are scanned at once: rows of one shape follow each other. */
  #parts(batches: readonly LogBatch[], from: number, until: number): Part[] {
    const parts: Part[] = []
    for (let i = 0; i < batches.length; ) {
      const batch = batches[i]!
      if (batch.kind === 'control') {
        if (batch.baseOffset >= from && batch.baseOffset < until) parts.push({ kind: 'control', watermarkUs: controlWatermark(batch) })
        i++
      } else if (batch.kind === 'rejects') {
        parts.push({ kind: 'rejects', rows: rejectedFromDoor(batch).filter((row) => row.offset >= from && row.offset < until) })
        i++
      } else {
        const run = [batch]
        while (++i < batches.length && batches[i]!.kind === 'rows' && batches[i]!.fingerprint === batch.fingerprint) run.push(batches[i]!)
        parts.push(this.#scanRun(run, from, until))
      }
    }
    return parts
  }

  #scanRun(run: readonly LogBatch[], from: number, until: number): RowsPart {
    const trusted = run[0]!.fingerprint === this.#scanner.fingerprint
    const payload = run.length === 1 ? run[0]!.payload : Buffer.concat(run.map((batch) => batch.payload))
    const scan = this.#scanner.scan(payload, { trusted })
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
    return cutRows({ scan, lineOffset, lineMs, redriven, partition: run[0]!.partition, payload }, from, until)
  }
}

interface RowsPart {
  readonly kind: 'rows'
  readonly scan: Pick<Scan, 'batch'>
  readonly offsets: Float64Array
  readonly appendMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly rejected: readonly RejectedRow[]
}

type Part =
  | RowsPart
  | { readonly kind: 'rejects'; readonly rows: readonly RejectedRow[] }
  | { readonly kind: 'control'; readonly watermarkUs: number }

interface ScannedRun {
  readonly scan: Scan
  readonly lineOffset: Float64Array
  readonly lineMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly partition: number
  readonly payload: Uint8Array
}

/** Keeps the rows whose offsets lie in [from, until): a batch may begin before the position. */
function cutRows(run: ScannedRun, from: number, until: number): RowsPart {
  const { scan, lineOffset } = run
  const rows = scan.batch.rows
  let first = 0
  while (first < rows && lineOffset[scan.lines[first]!]! < from) first++
  let last = rows
  while (last > first && lineOffset[scan.lines[last - 1]!]! >= until) last--
  const batch = first === 0 && last === rows ? scan.batch : sliceBatch(scan.batch, first, last)
  const pickLine = (values: Float64Array): Float64Array => {
    const picked = new Float64Array(last - first)
    for (let row = first; row < last; row++) picked[row - first] = values[scan.lines[row]!]!
    return picked
  }
  const redriven = run.redriven && Uint8Array.from({ length: last - first }, (_, i) => run.redriven![scan.lines[first + i]!]!)
  const rejected = rejectedFromScan(run.partition, scan, run.payload, run.lineOffset, run.lineMs).filter(
    (row) => row.offset >= from && row.offset < until,
  )
  return { kind: 'rows', scan: { batch }, offsets: pickLine(lineOffset), appendMs: pickLine(run.lineMs), redriven, rejected }
}

function sliceBatch(batch: ColumnBatch, first: number, last: number): ColumnBatch {
  const cut = <A extends Float64Array | Int32Array | Uint8Array | BigInt64Array>(values: A): A => values.subarray(first, last) as A
  const columns = batch.columns.map((column): Column => {
    const nulls = column.nulls && cut(column.nulls)
    if (column.kind === 'number') return { ...column, values: cut(column.values), nulls }
    if (column.kind === 'integer')
      return { ...column, values: column.big ? column.values : cut(column.values), big: column.big && cut(column.big), nulls }
    return { ...column, start: cut(column.start), length: cut(column.length), nulls }
  })
  return { shape: batch.shape, rows: last - first, columns }
}

function controlWatermark(batch: LogBatch): number {
  const decision = JSON.parse(Buffer.from(batch.payload).toString('utf8')) as { watermarkUs: number }
  return decision.watermarkUs
}

type Joined = Pick<Delivery, 'batch' | 'classified' | 'appendMs' | 'offsets'>

/** One batch of all pieces, with the system columns; the usual single piece is not copied. */
function joinPieces(shape: ColumnBatch['shape'], partition: number, pieces: readonly { part: RowsPart; classified: Classified }[]): Joined {
  const rows = pieces.reduce((sum, { part }) => sum + part.scan.batch.rows, 0)
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
      ? pieces[0]!.part.scan.batch.columns
      : joinColumns(
          shape,
          pieces.map(({ part }) => part.scan.batch),
        )
  const batch: ColumnBatch = { shape: { fields: [...shape.fields, ...SYSTEM_FIELDS] }, rows, columns: [...own, ...system] }
  return { batch, classified: joinClassified(pieces), appendMs, offsets }
}

function joinClassified(pieces: readonly { part: RowsPart; classified: Classified }[]): Classified {
  if (pieces.length === 1) return pieces[0]!.classified
  const out: number[] = []
  const late: number[] = []
  const lateWatermarkUs: number[] = []
  let duplicates = 0
  let skewed = 0
  let base = 0
  for (const { part, classified } of pieces) {
    for (const row of classified.out) out.push(base + row)
    for (const row of classified.late) late.push(base + row)
    lateWatermarkUs.push(...classified.lateWatermarkUs)
    duplicates += classified.duplicates
    skewed += classified.skewed
    base += part.scan.batch.rows
  }
  return { out: Int32Array.from(out), late: Int32Array.from(late), duplicates, lateWatermarkUs: Float64Array.from(lateWatermarkUs), skewed }
}

function joinColumns(shape: ColumnBatch['shape'], batches: readonly ColumnBatch[]): Column[] {
  return shape.fields.map((_field, index) => joinColumn(batches.map((batch) => [batch.columns[index]!, batch.rows])))
}

function joinColumn(parts: readonly (readonly [Column, number])[]): Column {
  const rows = parts.reduce((sum, [, count]) => sum + count, 0)
  const first = parts[0]?.[0]
  const nulls = parts.some(([column]) => column.nulls) ? new Uint8Array(rows) : null
  let at = 0
  for (const [column, count] of parts) {
    if (nulls && column.nulls) nulls.set(column.nulls.subarray(0, count), at)
    at += count
  }
  if (!first || first.kind === 'number') {
    return {
      kind: 'number',
      values: concat(
        parts.map(([column, count]) => (column as { values: Float64Array }).values.subarray(0, count)),
        new Float64Array(rows),
      ),
      nulls,
    }
  }
  if (first.kind === 'integer') return { ...joinIntegers(parts, rows), nulls }
  return { ...joinBytes(parts, rows), nulls }
}

function joinIntegers(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'integer'; values: Float64Array; big: BigInt64Array | null } {
  const columns = parts.map(([column, count]) => ({ column: column as Extract<Column, { kind: 'integer' }>, count }))
  if (columns.every(({ column }) => column.big === null)) {
    return {
      kind: 'integer',
      values: concat(
        columns.map(({ column, count }) => column.values.subarray(0, count)),
        new Float64Array(rows),
      ),
      big: null,
    }
  }
  const big = new BigInt64Array(rows)
  let at = 0
  for (const { column, count } of columns)
    for (let i = 0; i < count; i++) big[at++] = column.big ? column.big[i]! : BigInt(column.values[i]!)
  return { kind: 'integer', values: new Float64Array(0), big }
}

function joinBytes(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'bytes'; bytes: Uint8Array; start: Int32Array; length: Int32Array } {
  const columns = parts.map(([column, count]) => ({ column: column as Extract<Column, { kind: 'bytes' }>, count }))
  const start = new Int32Array(rows)
  const length = new Int32Array(rows)
  let at = 0
  let base = 0
  for (const { column, count } of columns) {
    for (let i = 0; i < count; i++, at++) {
      start[at] = base + column.start[i]!
      length[at] = column.length[i]!
    }
    base += column.bytes.length
  }
  return { kind: 'bytes', bytes: Buffer.concat(columns.map(({ column }) => column.bytes)), start, length }
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
