// What a pipeline reads of one partition at once, classified, and how it is made of the pieces that were scanned one by one.
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import { type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Classified } from './classify.ts'
import type { RowsPart } from './read-parts.ts'
import type { RejectedRow } from './rejected.ts'

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
  /** When the first record could be read, milliseconds, where the log knows. */
  readonly readableMs?: number
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

/** Rows that were scanned at once. */
export interface Piece {
  readonly part: RowsPart
  readonly classified: Classified
}

type Joined = Pick<Delivery, 'batch' | 'classified' | 'appendMs' | 'offsets'>

/** One batch of all pieces, with the system columns; the usual single piece is not copied. */
export function joinPieces(shape: ColumnBatch['shape'], partition: number, pieces: readonly Piece[]): Joined {
  const rows = pieces.reduce((sum, { part }) => sum + part.batch.rows, 0)
  const offsets = concat(pieces.map(({ part }) => part.offsets))
  const appendMs = concat(pieces.map(({ part }) => part.appendMs))
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

function joinClassified(pieces: readonly Piece[]): Classified {
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

function concat(parts: readonly Float64Array[]): Float64Array {
  if (parts.length === 1) return parts[0]!
  const into = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    into.set(part, at)
    at += part.length
  }
  return into
}
