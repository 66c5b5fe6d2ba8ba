// The lists of functions are those of the engine that runs: an upgrade that adds or drops one fails here.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { DENIED_FUNCTIONS, ENGINE_VERSION, SAFE_FUNCTIONS, STRICT_FUNCTIONS } from './listed-functions.ts'

test('every function of the engine is in exactly one list', async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const rows = async (sql: string): Promise<string[]> => (await connection.runAndReadAll(sql)).getRowsJson().map((row) => String(row[0]))
  assert.deepEqual(await rows('SELECT version()'), [ENGINE_VERSION])
  const names = await rows(
    "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type IN ('scalar', 'aggregate') OR (function_type = 'macro' AND internal)",
  )
  const listed = [...SAFE_FUNCTIONS, ...STRICT_FUNCTIONS, ...DENIED_FUNCTIONS]
  assert.equal(new Set(listed).size, listed.length, 'the lists overlap')
  assert.deepEqual(listed.sort(), names.sort(), 'run scripts/fuzz-functions.ts and look at what changed')
  assert.ok(names.length > 500)
  connection.closeSync()
})
