// Rejected rows: how the door writes them into the log, and how they are read back, whether the door or a later strict
// scan (after the shape changed) refused them. Identified by (partition, offset). PROTOCOL rule 5.
import { REJECTED_SHAPE } from '../define/system-columns.ts'
import type { LogBatch } from '../log/log.ts'
import { rawText } from '../log/refusal.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Scan } from '../schema/scan/scanner.ts'
import { batchOf } from './plain.ts'

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
export const rejectedBatch = (rows: readonly RejectedRow[]): ColumnBatch =>
  batchOf(
    REJECTED_SHAPE,
    rows.map((row) => [row.partition, row.offset, row.appendMs * 1_000, row.raw, row.code, row.message, row.field]),
  )
