// Rejected rows: how the door writes them into the log, and how they are read back, whether the door or a later strict
// scan (after the shape changed) refused them. Identified by (partition, offset). PROTOCOL rule 5.
import { REJECTED_SHAPE } from '../define/system-columns.ts'
import type { LogBatch } from '../log/log.ts'
import { rawText } from '../log/refusal.ts'
import type { Column, ColumnBatch } from '../schema/batch.ts'
import type { Scan } from '../schema/scan/scanner.ts'

export interface RejectedRow {
  readonly partition: number
  readonly offset: number
  readonly appendMs: number
  readonly raw: string
  readonly code: string
  readonly message: string
  readonly field: string | null
}

/** Rows of a `rejects` batch of the log. */
export function rejectedFromDoor(batch: LogBatch): RejectedRow[] {
  const lines = Buffer.from(batch.payload.buffer, batch.payload.byteOffset, batch.payload.byteLength).toString('utf8').split('\n')
  return lines.slice(0, batch.count).map((line, index) => ({
    ...(JSON.parse(line) as Pick<RejectedRow, 'raw' | 'code' | 'message' | 'field'>),
    partition: batch.partition,
    offset: batch.baseOffset + index,
    appendMs: batch.appendTimeMs,
  }))
}

/** Rows that a strict scan of the log refused. `lineOffset` and `lineMs` are by line of the scanned bytes. */
export function rejectedFromScan(
  partition: number,
  scan: Scan,
  payload: Uint8Array,
  lineOffset: Float64Array,
  lineMs: Float64Array,
): RejectedRow[] {
  return scan.rejects.map((reject) => ({
    partition,
    offset: lineOffset[reject.line]!,
    appendMs: lineMs[reject.line]!,
    raw: rawText(payload.subarray(reject.start, reject.end)),
    code: reject.code,
    message: reject.message,
    field: reject.field,
  }))
}

/** As a batch of `<stream>__rejected`. */
export function rejectedBatch(rows: readonly RejectedRow[]): ColumnBatch {
  const text = (values: readonly (string | null)[]): Column => {
    const parts = values.map((value) => Buffer.from(value ?? ''))
    const start = new Int32Array(rows.length)
    const length = Int32Array.from(parts, (part) => part.length)
    for (let i = 1; i < rows.length; i++) start[i] = start[i - 1]! + length[i - 1]!
    const nulls = values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 1 : 0)) : null
    return { kind: 'bytes', bytes: Buffer.concat(parts), start, length, nulls }
  }
  const columns: Column[] = [
    { kind: 'number', values: Float64Array.from(rows, (row) => row.partition), nulls: null },
    { kind: 'integer', values: Float64Array.from(rows, (row) => row.offset), big: null, nulls: null },
    { kind: 'integer', values: Float64Array.from(rows, (row) => row.appendMs * 1_000), big: null, nulls: null },
    text(rows.map((row) => row.raw)),
    text(rows.map((row) => row.code)),
    text(rows.map((row) => row.message)),
    text(rows.map((row) => row.field)),
  ]
  return { shape: REJECTED_SHAPE, rows: rows.length, columns }
}
