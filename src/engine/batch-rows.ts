// Column batches as relations that statements read: a table function of the engine, which asks this thread for the next rows while
// the statement goes on in another. So what a statement does with them, such as putting them into a table, holds nobody up here.
import { type DuckDBConnection, DuckDBTableFunction, INTEGER } from '@duckdb/node-api'
import type { ColumnBatch } from '../schema/batch.ts'
import { CHUNK_ROWS, fillChunk, ingestTypes } from './fill-chunk.ts'

/** A batch that statements read; it must not change while they may. */
export interface BatchRows extends Disposable {
  /** For FROM: the rows in their order, with the columns of the shape as `ingestTypes`. */
  readonly sql: string
  /** May be replaced by one of the same shape: a statement that is bound already keeps what it had. */
  batch: ColumnBatch
}

/** Adds the function to the engine; answers what opens a batch for statements. */
export function addBatchRows(connection: DuckDBConnection): (batch: ColumnBatch) => BatchRows {
  const places = new Map<number, BatchRows>()
  connection.registerTableFunction(
    DuckDBTableFunction.create({
      name: 'batch_rows',
      parameterTypes: [INTEGER],
      bindFunction: (info) => {
        const place = places.get(info.getParameter(0) as number)
        if (!place) throw new RangeError('there is no such batch')
        const { batch } = place
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
    const id = opened++
    const place: BatchRows = { sql: `batch_rows(${id})`, batch, [Symbol.dispose]: () => void places.delete(id) }
    places.set(id, place)
    return place
  }
}
