// Opens the database that compiling asks: in memory, one thread, no files, closed after use.
import { DuckDBInstance } from '@duckdb/node-api'
import type { Binder } from './binder.ts'
import { duckdbBinder } from './sql/duckdb-binder.ts'

/** A binder of its own; `close` ends it. */
export async function openBinder(): Promise<Binder & { close(): void }> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    enable_external_access: 'false',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  const binder = await duckdbBinder(async (statement) => (await connection.runAndReadAll(statement)).getRowObjectsJson())
  return {
    ...binder,
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}
