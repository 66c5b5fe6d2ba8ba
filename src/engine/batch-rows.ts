// Column batches as relations that statements read: functions of the engine, which ask this thread for the next rows while the
// statement goes on in another. So what a statement does with them, such as putting them into a table, holds nobody up here.
// Each time that this thread is asked is a time that the statement waits for its turn: `batch_rows` asks once for each chunk of rows and
// three times more, and gives rows in their order; `smallRows` asks once for each chunk alone, and has a function for each shape.
import { BIGINT, type DuckDBConnection, DuckDBScalarFunction, DuckDBTableFunction, INTEGER } from '@duckdb/node-api'
import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import { assert } from '../core/errors.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { CHUNK_ROWS, fillChunk, fillStructs, ingestTypes, structType } from './fill-chunk.ts'
import { quoteName } from './sql-text.ts'

/** A batch that statements read; it must not change while they may. */
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
    const id = opened++
    batches.set(id, batch)
    return { sql: `batch_rows(${id})`, [Symbol.dispose]: () => void batches.delete(id) }
  }
}

/** A place for batches of up to `SMALL_ROWS` rows of one shape; what is there must not change. */
export interface SmallRows {
  /** For FROM: the rows, with the columns of the shape as `ingestTypes`. Changes only as the number of rows doubles. */
  readonly sql: string
  batch: ColumnBatch | null
}

export const SMALL_ROWS = 2 * CHUNK_ROWS

/** The first value of a column. */
function firstOf(chunk: DataChunk, column: number, width: number): DataView {
  const { buffer, byteOffset } = duckdb.vector_get_data(duckdb.data_chunk_get_vector(chunk, column), width)
  return new DataView(buffer, byteOffset, width)
}

let functions = 0

/** Adds the function of a shape to the engine; answers what makes places. */
export function addSmallRows(connection: DuckDBConnection, shape: Shape): () => SmallRows {
  const places: { batch: ColumnBatch | null }[] = []
  const name = `small_rows_${functions++}`
  const made = DuckDBScalarFunction.create({
    name,
    parameterTypes: [INTEGER, BIGINT],
    returnType: structType(shape),
    volatile: true,
    mainFunction: () => {},
  })
  duckdb.scalar_function_set_function(made.scalar_function, (_info, input, output) => {
    const { batch } = places[firstOf(input, 0, 4).getInt32(0, true)]!
    assert(batch !== null, 'what is read is held')
    fillStructs(output, batch, Number(firstOf(input, 1, 8).getBigInt64(0, true)), duckdb.data_chunk_get_size(input))
  })
  connection.registerScalarFunction(made)
  const columns = shape.fields.map((field, index) => `struct_extract_at(r, ${index + 1}) AS ${quoteName(field.name)}`).join(', ')
  const sqlOf = (place: number, rows: number): string =>
    `(SELECT ${columns} FROM (SELECT ${name}(${place}, range) AS r FROM range(${rows})) WHERE r IS NOT NULL)`
  return () => {
    const id = places.length
    const place = {
      batch: null as ColumnBatch | null,
      get sql() {
        return sqlOf(id, 2 ** Math.ceil(Math.log2(Math.max(16, place.batch?.rows ?? 0))))
      },
    }
    places.push(place)
    return place
  }
}
