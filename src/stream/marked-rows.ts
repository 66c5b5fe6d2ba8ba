// What the log says of a keyed table, as its hot tail takes it: rows and keys that have gone in the order in which they stand,
// each with a mark that says which it is.
import { GONE } from '../engine/tail.ts'
import { type Column, type ColumnBatch, laneOf, selectRows } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Deletes } from './delivery.ts'

/** `out`: rows of the batch, as indexes in order; `deletes` stand between them. */
export function markedRows(batch: ColumnBatch, out: Int32Array, deletes: readonly Deletes[]): ColumnBatch {
  const rows = (from: number, to: number): ColumnBatch => (to - from === batch.rows ? batch : selectRows(batch, out.subarray(from, to)))
  const parts: { readonly batch: ColumnBatch; readonly isGone: boolean }[] = []
  let at = 0
  for (const { before, batch: gone } of deletes) {
    if (before > at) parts.push({ batch: rows(at, before), isGone: false })
    at = before
    if (gone.rows > 0) parts.push({ batch: gone, isGone: true })
  }
  if (out.length > at) parts.push({ batch: rows(at, out.length), isGone: false })
  const { fields } = batch.shape
  const columns: readonly Column[] =
    parts.length === 1
      ? parts[0]!.batch.columns
      : fields.map((field, index) =>
          joinColumns(
            laneOf(field.type),
            parts.map((part) => [part.batch.columns[index]!, part.batch.rows]),
          ),
        )
  const count = parts.reduce((sum, part) => sum + part.batch.rows, 0)
  const marks = new Float64Array(count)
  let row = 0
  for (const part of parts) {
    if (part.isGone) marks.fill(1, row, row + part.batch.rows)
    row += part.batch.rows
  }
  return { shape: { fields: [...fields, GONE] }, rows: count, columns: [...columns, { kind: 'number', values: marks, nulls: null }] }
}
