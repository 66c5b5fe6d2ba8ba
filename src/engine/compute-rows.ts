// Expressions over the rows of a column batch, computed by DuckDB: one table that lives as long as the question. Rows keep their
// order. Who asks has looked at the expressions: they are of the row alone, and read nothing else.
import type { ColumnBatch } from '../schema/batch.ts'
import { joinColumns } from '../schema/join-columns.ts'
import type { Shape } from '../schema/type.ts'
import type { Engine } from './duckdb.ts'
import { appendBatch } from './ingest.ts'
import { batchOfPage, batchSelect } from './result-batch.ts'
import { createSql, tableName, typedSql } from './tail.ts'

/**
 * `sql`: a SELECT over SQL of the rows, with the names and the types of `shape`; it answers as many rows as there are, in their order. @throws MR_SQL_RUNTIME when an expression fails on a row.
 */
export type ComputeRows = (batch: ColumnBatch, sql: (rows: string) => string, shape: Shape) => Promise<ColumnBatch>

let count = 0

export const rowComputer =
  (engine: Engine): ComputeRows =>
  async (batch, sql, shape) => {
    const session = await engine.session()
    const place = `#computed${count++}`
    try {
      await session.run(createSql(batch.shape, place))
      await appendBatch(session.connection, 'tail', place, batch)
      const pages: ColumnBatch[] = []
      const select = `SELECT ${batchSelect(shape)} FROM (${sql(typedSql(batch.shape, place))})`
      for await (const page of session.pages(select)) pages.push(batchOfPage(page, shape))
      const columns = shape.fields.map((_, i) =>
        joinColumns(
          pages[0]!.columns[i]!.kind,
          pages.map((page) => [page.columns[i]!, page.rows]),
        ),
      )
      return { shape, rows: batch.rows, columns }
    } finally {
      await session.run(`DROP TABLE IF EXISTS ${tableName(place)}`).catch(() => {})
      session.close()
    }
  }
