// What is taken for a function of the row is none that the engine calls an aggregate, or that it may compute to other values.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { isRowFunction, OF_MANY_ROWS, VARYING } from './row-functions.ts'

test('aggregates and functions that vary are no functions of the row', async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const read = await connection.runAndReadAll(
    'SELECT lower(function_name), function_type, stability, macro_definition FROM duckdb_functions()',
  )
  const all = read.getRowsJson().map((row) => row.map((value) => String(value ?? ''))) as [string, string, string, string][]
  const names = all.filter(([, type]) => type === 'scalar' || type === 'macro').map(([name]) => name)
  assert.ok(names.filter(isRowFunction).length > 300)
  for (const [name, type, stability] of all) {
    if (type === 'aggregate') assert.ok(!isRowFunction(name), `${name} is an aggregate`)
    if (type === 'scalar' && stability !== 'CONSISTENT') assert.ok(!isRowFunction(name), `${name} is ${stability}`)
  }
  const unfit = [...OF_MANY_ROWS, ...VARYING].filter((name) => !['list_aggr', 'list_aggregate'].includes(name))
  for (const [name, type, , definition] of all) {
    if (type !== 'macro' || !isRowFunction(name)) continue
    const called = [...definition.toLowerCase().matchAll(/([a-z_0-9]+)\(/g)].map((match) => match[1]!)
    assert.deepEqual(
      called.filter((other) => unfit.includes(other)),
      [],
      `${name} = ${definition}`,
    )
    assert.doesNotMatch(definition, /current_/, name)
  }
  connection.closeSync()
})
