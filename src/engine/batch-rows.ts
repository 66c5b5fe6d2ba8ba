// Column batches as relations that statements read: a table function of the engine, which asks this thread for the next rows while
// the statement goes on in another. So what a statement does with them, such as putting them into a table, holds nobody up here.
import { type DuckDBConnection, DuckDBTableFunction, INTEGER } from '@duckdb/node-api'
import type { ColumnBatch } from '../schema/batch.ts'
import { CHUNK_ROWS, fillChunk, ingestTypes } from './fill-chunk.ts'

/** The rows of a batch, which must not change until it is disposed of. */
export interface BatchRows extends Disposable {
  /** For FROM: the rows in their order, with the columns of the shape as `ingestTypes`. */
  readonly sql: string
}

/** Adds the function to the engine; answers what opens a batch for statements. */
export function addBatchRows(connection: DuckDBConnection): (batch: ColumnBatch) => BatchRows {
  const batches = new Map<number, ColumnBatch>()
  connection.registerTableFunction(
    DuckDBTableFunction.create({
      name: 'batch_rows',
      parameterTypes: [INTEGER],
      bindFunction: (info) => {
        const batch = batches.get(info.getParameter(0) as number)
        if (!batch) throw new RangeError('there is no such batch')
        for (const [index, type] of ingestTypes(batch).entries()) info.addResultColumn(batch.shape.fields[index]!.name, type)
        info.setCardinality(batch.rows, true)
        info.setBindData(batch)
      },
      initFunction: (info) => {
        // In their order.
        info.setMaxThreads(1)
        info.setInitData({ done: 0 })
      },
      mainFunction: (info, output) => {
        const batch = info.bindData as ColumnBatch
        const scan = info.initData as { done: number }
        const count = Math.min(CHUNK_ROWS, batch.rows - scan.done)
        fillChunk(output, batch, scan.done, count)
        scan.done += count
      },
    }),
  )
  let opened = 0
  return (batch) => {
    const id = opened
    opened = (opened + 1) % 2 ** 31
    batches.set(id, batch)
    return { sql: `batch_rows(${id})`, [Symbol.dispose]: () => void batches.delete(id) }
  }
}
