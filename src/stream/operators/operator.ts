// The one operator with state that a live model has, between stages without: rows in, rows out, at once or when the watermark
// has passed them. Deterministic and independent of the order and the cuts of its input. PROTOCOL rule 10.
import type { Column, ColumnBatch } from '../../schema/batch.ts'

export interface Operator {
  /** Rows `rows[i]` of the batch, all of them where null. What comes out has the shape that the plan says. */
  take(batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null
  /** What is final up to this event time, microseconds; it is forgotten here. */
  advance(watermarkUs: number): ColumnBatch | null
  /** What is not final yet, as it stands. */
  open(): ColumnBatch | null
  /** Of keyed results: rows that changed since the last call. */
  changed(): ColumnBatch | null
  /** Windows that are open; 0 where there are none. */
  readonly openWindows: number
  /** Plain data for a checkpoint, a copy as of now. */
  save(): unknown
  /** From nothing, or from what `save` gave. */
  restore(saved: unknown): void
}

/** Several batches of one shape as one; null for none. */
export function joinBatches(parts: readonly ColumnBatch[]): ColumnBatch | null {
  const filled = parts.filter(({ rows }) => rows > 0)
  if (filled.length <= 1) return filled[0] ?? null
  const rows = filled.reduce((sum, part) => sum + part.rows, 0)
  const columns = filled[0]!.columns.map((_, index) =>
    joinColumns(
      filled.map((part) => [part.columns[index]!, part.rows] as const),
      rows,
    ),
  )
  return { shape: filled[0]!.shape, rows, columns }
}

function joinColumns(parts: readonly (readonly [Column, number])[], rows: number): Column {
  const nulls = joinNulls(parts, rows)
  const { kind } = parts[0]![0]
  if (kind === 'bytes') return { ...joinBytes(parts, rows), nulls }
  if (kind === 'integer' && parts.some(([column]) => column.kind === 'integer' && column.big)) return { ...joinBig(parts, rows), nulls }
  const values = new Float64Array(rows)
  let at = 0
  for (const [column, count] of parts) {
    values.set((column as Extract<Column, { kind: 'number' }>).values.subarray(0, count), at)
    at += count
  }
  return kind === 'integer' ? { kind, values, big: null, nulls } : { kind: 'number', values, nulls }
}

function joinNulls(parts: readonly (readonly [Column, number])[], rows: number): Uint8Array | null {
  if (parts.every(([{ nulls }]) => nulls === null)) return null
  const joined = new Uint8Array(rows)
  let at = 0
  for (const [{ nulls }, count] of parts) {
    if (nulls) joined.set(nulls.subarray(0, count), at)
    at += count
  }
  return joined
}

function joinBig(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'integer'; values: Float64Array; big: BigInt64Array } {
  const joined = new BigInt64Array(rows)
  let at = 0
  for (const [column, count] of parts as readonly (readonly [Extract<Column, { kind: 'integer' }>, number])[])
    for (let i = 0; i < count; i++) joined[at++] = column.big ? column.big[i]! : BigInt(column.values[i]!)
  return { kind: 'integer', values: new Float64Array(0), big: joined }
}

function joinBytes(
  parts: readonly (readonly [Column, number])[],
  rows: number,
): { kind: 'bytes'; bytes: Uint8Array; start: Int32Array; length: Int32Array } {
  const columns = parts as readonly (readonly [Extract<Column, { kind: 'bytes' }>, number])[]
  const start = new Int32Array(rows)
  const length = new Int32Array(rows)
  let at = 0
  let base = 0
  for (const [column, count] of columns) {
    for (let i = 0; i < count; i++, at++) {
      start[at] = base + column.start[i]!
      length[at] = column.length[i]!
    }
    base += column.bytes.length
  }
  return { kind: 'bytes', bytes: Buffer.concat(columns.map(([column]) => column.bytes)), start, length }
}
