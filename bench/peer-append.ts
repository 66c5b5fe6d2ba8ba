// Rows into a table of DuckDB by its appender, the fastest way that it has in one thread: for DuckDB as the peer.
import { DuckDBDataChunk } from '@duckdb/node-api'
import type { Session } from '../src/engine/duckdb.ts'
import { CHUNK_ROWS, fillChunk, ingestTypes } from '../src/engine/fill-chunk.ts'
import type { ColumnBatch } from '../src/schema/batch.ts'

/** The table has the columns `ingestTypes`. */
export async function appendAsPeer(session: Session, table: string, batch: ColumnBatch): Promise<void> {
  const appender = await session.connection.createAppender(table, 'tail', 'memory')
  const types = ingestTypes(batch)
  for (let from = 0; from < batch.rows; from += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, batch.rows - from)
    const chunk = DuckDBDataChunk.create(types, count)
    fillChunk(chunk, batch, from, count)
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}
