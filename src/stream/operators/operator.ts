// An operator with state of a live model, between stages without: rows in, rows out, at once or when the watermark has passed
// them. Deterministic and independent of the order and the cuts of its input. PROTOCOL rule 10.
import { type ColumnBatch, indexes } from '../../schema/batch.ts'
import { joinColumns } from '../../schema/join-columns.ts'

/** Some rows of a batch, all of the first `count` where `rows` is null. */
export interface Rows {
  readonly batch: ColumnBatch
  readonly rows: Int32Array | null
  readonly count: number
  /** Where rows are looked for on which DuckDB fails: they are left out and noted, instead of an error. */
  readonly sift?: Sift | undefined
}

export interface Sift {
  /** By row of the batch: the row that went in; null where they are the same. */
  readonly ids: Int32Array | null
  /** By the row that went in: what failed. */
  readonly failed: Map<number, string>
}

/** After a stage that makes a row of each of its rows. */
export function siftAfter({ rows, count, sift }: Rows): Sift | undefined {
  if (!sift) return undefined
  return siftAt(rows === null ? indexes(count) : rows.slice(0, count), sift)
}

/** After a stage each of whose rows was made of the row `at[i]` of the batch. */
export const siftAt = (at: Int32Array, sift: Sift | undefined): Sift | undefined =>
  sift && { ids: sift.ids === null ? at : at.map((row) => sift.ids![row]!), failed: sift.failed }

/** What an operator does not have, it does not do: it keeps nothing that a watermark makes final, that is open, or that changes. */
export interface Operator {
  /** Computes what `take` computes of each row before it changes anything, and changes nothing. */
  probe?(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): void
  /** Rows `rows[i]` of the batch, all of them where null. What comes out has the shape that the plan says. `side`: of a join, 1 for the right. */
  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: 0 | 1): ColumnBatch | null
  /** What is final up to this event time, microseconds; it is forgotten here. */
  advance?(watermarkUs: number): ColumnBatch | null
  /** What is not final yet, as it stands. */
  open?(): ColumnBatch | null
  /** Of keyed results: rows that changed since the last call. */
  changed?(): ColumnBatch | null
  /** Of a lookup, keys of the right side have gone; of rows that can go, these keys (their columns alone) have. */
  forget?(batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null
  /** No row of a stream that is still to come came before this, microseconds. */
  settle?(arrivedUs: number): void
  /** Puts on the disk what was used least, so that no more memory is taken than this, as far as it can. No row waits in `changed`. */
  fit?(limitBytes: number): void
  /** What it has on the disk. */
  readonly spilledBytes?: number
  /** About how many of memory. */
  readonly bytes: number
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
      filled[0]!.columns[index]!.kind,
      filled.map((part) => [part.columns[index]!, part.rows] as const),
    ),
  )
  return { shape: filled[0]!.shape, rows, columns }
}
