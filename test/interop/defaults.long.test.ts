// Columns that a definition adds with a default to a table of version 3: Spark and PyIceberg read the default in the rows of
// before, as Millrace does, and whatever a row says in those of after.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { installSpark } from '../../scripts/servers/spark.ts'
import { systemClock } from '../../src/core/clock.ts'
import { startServer, type TestServer } from '../server/server.ts'
import { openSpark } from './spark-session.ts'

const tools = { Spark: installSpark(), PyIceberg: installPyIceberg() }
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const absent = Object.entries(tools).flatMap(([name, tool]) => ('missing' in tool ? [`${name} is not available: ${tool.missing}`] : []))
const skip = absent.length > 0 && !isRequired ? absent[0]! : false
const here = dirname(fileURLToPath(import.meta.url))

/** Type, default in the definition, what it is as text (of timestamps in UTC, of bytes in hex), another value as JSON. */
const COLUMNS: readonly (readonly [type: string, given: string, text: string, other: unknown])[] = [
  ['boolean()', 'true', 'true', false],
  ['int()', '-7', '-7', 8],
  ['long()', '9007199254740993n', '9007199254740993', '-9007199254740995'],
  ['float()', '1.5', '1.5', 2.5],
  ['double()', '-0.25', '-0.25', 0.125],
  ['decimal(12, 2)', "'14.20'", '14.20', '-0.05'],
  ['decimal(38, 4)', "'-1234567890123456789012345678901234.5678'", '-1234567890123456789012345678901234.5678', '0.0001'],
  ['date()', "'1969-12-31'", '1969-12-31', '2024-02-29'],
  ['timestamp()', "'2017-11-16T22:31:08.123456Z'", '2017-11-16 22:31:08.123456', '2024-01-01T00:00:00.000001Z'],
  ['string()', '"it\'s, a ü"', "it's, a ü", 'other'],
  ['uuid()', "'f79c3e09-677c-4bbd-a479-3f349cb785e7'", 'f79c3e09-677c-4bbd-a479-3f349cb785e7', '00000000-0000-0000-0000-000000000001'],
  ["enum('new', 'old')", "'old'", 'old', 'new'],
  ['datetime()', "'2017-11-16T22:31:08.123456'", '2017-11-16 22:31:08.123456', '2024-01-01T00:00:00.000001'],
]
const nameOf = (index: number): string => `c${index}`

const definition = (added: string): string => `
import { http, project, t, table } from 'millrace'
export const items = table('items', { id: t.long()${added} }, { from: http(), key: 'id', iceberg: { version: 3 } })
export default project('defaults', [items])
`

const ADDED = COLUMNS.map(([type, given], i) => `, ${nameOf(i)}: t.${type}.optional().default(${given})`).join('')

async function send(server: TestServer, rows: readonly object[]): Promise<void> {
  const count = async () => Number((await server.sql("SELECT count(*) FROM millrace.snapshots WHERE relation = 'items'"))[0]![0])
  const before = await count()
  const body = rows.map((row) => JSON.stringify(row)).join('\n')
  assert.equal((await server.post('/streams/items', body, { 'content-type': 'application/x-ndjson' })).status, 202)
  for (let tries = 0; (await count()) === before; tries++) {
    assert.ok(tries < 200, 'nothing was committed')
    await systemClock.sleep(50)
  }
}

function readByPyIceberg(server: TestServer, columns: readonly string[], filter?: string): unknown[][] {
  assert.ok('python' in tools.PyIceberg)
  const args = [join(here, 'read_defaults.py'), server.url, server.token, 'main.items', ...(filter ? [filter] : [])]
  const read = spawnSync(tools.PyIceberg.python, ['-W', 'ignore', ...args], { encoding: 'utf8' })
  assert.equal(read.status, 0, read.stderr.slice(-4_000))
  return (JSON.parse(read.stdout) as Record<string, string>[]).map((row) => columns.map((column) => row[column]))
}

test('defaults of columns that were added are read by Spark and PyIceberg', { skip, timeout: 600_000 }, async () => {
  assert.ok('python' in tools.Spark && 'python' in tools.PyIceberg, absent[0])
  const project = mkdtempSync(join(here, 'work-'))
  const data = mkdtempSync(join(tmpdir(), 'millrace-defaults-'))
  const start = (added: string): Promise<TestServer> => {
    writeFileSync(join(project, 'millrace.ts'), definition(added))
    return startServer({ project, data, env: { MILLRACE_FLUSH_MS: '100' } })
  }
  mkdirSync(project, { recursive: true })
  let server = await start('')
  try {
    await send(server, [{ id: 1 }, { id: 2 }])
    await server.stop()
    server = await start(ADDED)
    const changed = Object.fromEntries(COLUMNS.map(([, , , other], i) => [nameOf(i), other]))
    const nulls = Object.fromEntries(COLUMNS.map((_, i) => [nameOf(i), null]))
    // Of one row that was there a deletion vector: its file has the columns by default only.
    await send(server, [{ id: 3 }, { id: 4, ...changed }, { id: 5, ...nulls }])
    const defaults = COLUMNS.map(([, , text]) => text)
    const texts = COLUMNS.map(([type], i) =>
      type === 'timestamp()' ? `strftime(${nameOf(i)} AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')` : `${nameOf(i)}::VARCHAR`,
    )
    const ours = await server.sql(`SELECT id::VARCHAR, ${texts.join(', ')} FROM items ORDER BY id`)
    assert.deepEqual(ours[0], ['1', ...defaults])
    assert.deepEqual(ours[2], ['3', ...defaults])
    assert.ok(ours[3]!.every((value, i) => value !== ours[0]![i]))
    assert.ok(ours[4]!.slice(1).every((value) => value === null))
    const names = ['id', ...COLUMNS.map((_, i) => nameOf(i))]
    assert.deepEqual(readByPyIceberg(server, names), ours)
    assert.deepEqual(readByPyIceberg(server, ['id'], 'c1 == -7 and c5 == 14.20'), [['1'], ['2'], ['3']])
    assert.deepEqual(await server.sql("SELECT id FROM items WHERE c1 = -7 AND c9 LIKE 'it%' ORDER BY id"), [[1], [2], [3]])
    const spark = await openSpark(tools.Spark, server.url, server.token)
    try {
      const cast = COLUMNS.map(([type], i) =>
        type === 'timestamp()' ? `date_format(${nameOf(i)}, 'yyyy-MM-dd HH:mm:ss.SSSSSS')` : `CAST(${nameOf(i)} AS string)`,
      )
      const all = `SELECT CAST(id AS string), ${cast.join(', ')} FROM c.main.items ORDER BY id`
      // Iceberg 1.10 casts the default of a decimal to the integer that Parquet keeps it in, where it reads in vectors.
      assert.match(await spark.refused(all), /Cannot cast default value to long: 14.20/)
      assert.deepEqual(await spark.sql(all, { 'spark.sql.iceberg.vectorization.enabled': 'false' }), ours)
      const isDecimal = (index: number): boolean => COLUMNS[index]![0].startsWith('decimal')
      const others = `SELECT CAST(id AS string), ${cast.filter((_, i) => !isDecimal(i)).join(', ')} FROM c.main.items ORDER BY id`
      assert.deepEqual(
        await spark.sql(others),
        ours.map(([id, ...values]) => [id, ...values.filter((_, i) => !isDecimal(i))]),
      )
      // Its filter on row groups takes columns that a file lacks for null, until the files have them.
      const filtered = "SELECT id FROM c.main.items WHERE c1 = -7 AND c9 LIKE 'it%' ORDER BY id"
      assert.deepEqual(await spark.sql(filtered), [['3']])
      const maintained = await server.post('/admin/maintain', '{"tables": ["items"]}', { 'content-type': 'application/json' })
      assert.equal(maintained.status, 200)
      assert.deepEqual(await spark.sql(filtered), [['1'], ['2'], ['3']])
      assert.deepEqual(await spark.sql(all, { 'spark.sql.iceberg.vectorization.enabled': 'false' }), ours)
    } finally {
      await spark.close()
    }
  } finally {
    await server.stop()
    for (const directory of [project, data]) rmSync(directory, { recursive: true, force: true })
  }
})
