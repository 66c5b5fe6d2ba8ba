// The committed rows of a stream's table in the order in which the log had them, up to given offsets: what a live model reads
// in place of a log that is long, or that has been forgotten. PROTOCOL rules 10 and 16. Knows nothing of watermarks.
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import type { Engine } from './duckdb.ts'
import { batchOfPage, batchSelect } from './result-batch.ts'
import { scanSql } from './scan.ts'

export interface CommittedRows {
  readonly table: LakeTable
  /** Columns that are wanted beside the system's, which stand last. */
  readonly shape: Shape
  /** By partition: rows at or above this offset belong to the log. */
  readonly below: readonly number[]
}

/** Batches hold rows of several partitions. The files stay where they are until the last one is taken, or the reader stops. */
export async function* readHistory(
  { engine, lake }: { readonly engine: Engine; readonly lake: Lake },
  { table, shape, below }: CommittedRows,
): AsyncGenerator<ColumnBatch> {
  if (!table.current) return
  const whole: Shape = { fields: [...shape.fields, ...SYSTEM_FIELDS] }
  const session = await engine.session()
  const unpin = lake.pin(table, table.current)
  using lease = lake.lease()
  try {
    const files = await lease.local(await lake.files(table))
    if (files.length === 0) return
    const isBelow = below.map((offset, partition) => `(_partition = ${partition} AND _offset < ${offset})`).join(' OR ')
    const select = `SELECT ${batchSelect(whole)} FROM (${scanSql({ table, files, tails: [], shape: whole })}) WHERE ${isBelow} ORDER BY _ingested_at, _partition, _offset`
    for await (const page of session.pages(select)) if (page.rowCount > 0) yield batchOfPage(page, whole)
  } finally {
    session.close()
    unpin()
  }
}
