// Expressions over the rows of a column batch, computed by DuckDB, which takes the rows as it goes on. They keep their order. Who
// asks has looked at the expressions: they are of the row alone, and read nothing else.
import type { ColumnBatch } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Shape } from '../schema/type.ts'
import { typedSql } from './batch-table.ts'
import type { Engine } from './duckdb.ts'
import { batchOfPage, batchSelect } from './result-batch.ts'

/**
 * `sql`: a SELECT over SQL of the rows, with the names and the types of `shape`; it answers as many rows as there are, in their order. @throws MR_SQL_RUNTIME when an expression fails on a row.
 */
export type ComputeRows = (batch: ColumnBatch, sql: (rows: string) => string, shape: Shape) => Promise<ColumnBatch>

export const rowComputer =
  (engine: Engine): ComputeRows =>
  async (batch, sql, shape) => {
    const session = await engine.session()
    using rows = session.batchRows(batch)
    try {
      const pages: ColumnBatch[] = []
      const select = `SELECT ${batchSelect(shape)} FROM (${sql(typedSql(batch.shape, rows.sql))})`
      for await (const page of session.pages(select)) pages.push(batchOfPage(page, shape))
      const columns = shape.fields.map((_, i) =>
        joinColumns(
          pages[0]!.columns[i]!.kind,
          pages.map((page) => [page.columns[i]!, page.rows]),
        ),
      )
      return { shape, rows: batch.rows, columns }
    } finally {
      session.close()
    }
  }
