// Expressions as the printer writes them for Flink give, in a real Flink, the values that DuckDB gives.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { installFlink } from '../../scripts/servers/flink.ts'
import { FlinkCluster } from '../../scripts/servers/flink-cluster.ts'
import { printFlink, printFlinkStream } from '../../src/engine/algebra/print-flink.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { openParser } from '../../src/engine/ast.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { EXPRESSIONS, ROWS, SALES } from './flink-expressions.ts'

const flink = installFlink()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in flink && !isRequired ? `Flink is not available: ${flink.missing}` : false

test('expressions mean the same in Flink', { skip }, async () => {
  assert.ok('java' in flink, 'missing' in flink ? flink.missing : '')
  const directory = mkdtempSync(join(tmpdir(), 'millrace-flink-'))
  await using engine = await openTestEngine({ threads: 1, directories: [directory] })
  const parser = await openParser(engine.engine)
  try {
    writeFileSync(join(directory, 'sales.json'), ROWS.map((row) => `${JSON.stringify(row)}\n`).join(''))
    const types = SALES.fields.map(({ name, type }) => `${name}: '${toDuckType(type)}'`)
    await engine.session.run(
      `CREATE TABLE sales AS FROM read_json('${directory}/sales.json', format = 'newline_delimited', columns = {${types.join(', ')}})`,
    )
    const columns = EXPRESSIONS.map((text, i) => `${text} AS c${i}`)
    const { node } = await parser.parse(`SELECT id, ${columns.join(', ')} FROM sales`)
    const query = compileLive(node, () => SALES)
    const { fields } = shapeOfRelation(query.root, () => SALES)
    const shown = (value: unknown, i: number): string => {
      if (value === null) return 'NULL'
      const { kind } = fields[i]!.type
      return kind === 'double' ? String(Number(value)) : String(value)
    }
    const texts = fields.map(({ name, type }) => (type.kind === 'timestamp' ? `epoch_us(${name})` : `CAST(${name} AS VARCHAR)`))
    const { rows: expected } = await engine.session.rows(
      `SELECT ${texts.join(', ')} FROM (${printLive(query, (name) => name)}) ORDER BY id`,
    )
    await using cluster = await FlinkCluster.start(flink.java)
    const how = `'connector' = 'filesystem', 'path' = 'file://${directory}/sales.json', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'`
    const tables = [printFlinkStream({ name: 'sales', shape: SALES, time: 'seen', latenessMs: 0 }, how)]
    const rows = [...(await cluster.rows({ set: {}, tables, select: printFlink(query) }))].sort((a, b) => Number(a[0]) - Number(b[0]))
    assert.equal(rows.length, ROWS.length)
    const named = (row: readonly unknown[]): string[] => row.map((value, i) => `${EXPRESSIONS[i - 1] ?? 'id'}: ${shown(value, i)}`)
    assert.deepEqual(rows.map(named), expected.map(named))
  } finally {
    parser.close()
    rmSync(directory, { recursive: true, force: true })
  }
})
