// A statement that the engine's own threads carry out while the thread that asked for it is free. DuckDB has whoever waits for a
// result look for work in a loop: while one of its threads does all that there is, a second processor is taken for nothing.
import type { DuckDBConnection, DuckDBMaterializedResult } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { systemClock } from '../core/clock.ts'

const LOOK_MS = 5
/** Then whoever waits takes part: the engine's threads may have more to do. */
const PATIENCE_MS = 2_000

/** For a statement that calls none of our functions when it is bound; the engine has threads of its own. */
export async function runAside(connection: DuckDBConnection, sql: string): Promise<DuckDBMaterializedResult> {
  const statement = await connection.prepare(sql)
  try {
    const pending = statement.start()
    const until = systemClock.monotonicMs() + PATIENCE_MS
    while (isUnderWay(pending['pending_result']) && systemClock.monotonicMs() < until) await systemClock.sleep(LOOK_MS)
    return (await pending.getResult()) as DuckDBMaterializedResult
  } finally {
    statement.destroySync()
  }
}

type Pending = Parameters<typeof duckdb.pending_execute_check_state>[0]

/** An error is an end, which the result tells. */
function isUnderWay(pending: Pending): boolean {
  const state = duckdb.pending_execute_check_state(pending)
  return state !== duckdb.PendingState.RESULT_READY && state !== duckdb.PendingState.ERROR
}
