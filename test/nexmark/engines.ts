// The same query over the same files of Nexmark's streams in three engines: Millrace's operators, DuckDB with the batch twin, and a Flink
// cluster with what `print-flink` writes. Values are as `comparable` gives them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { installFlink } from '../../scripts/servers/flink.ts'
import { FlinkCluster } from '../../scripts/servers/flink-cluster.ts'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser } from '../../src/engine/ast.ts'
import { quoteName } from '../../src/engine/sql-text.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { comparable, liveShapeOf, rowsOf, shapeOf, storedShapeOf } from './engine.ts'
import { flinkTable, type NexmarkFiles, partitionsOf, removeFiles, STREAMS, writeFiles } from './flink.ts'

type Rows = readonly (readonly string[])[]

export interface Engines extends AsyncDisposable {
  compile(sql: string): Promise<LiveQuery>
  inMillrace(query: LiveQuery): Rows
  inDuckDb(query: LiveQuery): Promise<Rows>
  inFlink(query: LiveQuery): Promise<Rows>
}

export const sorted = (rows: Rows): string[] => rows.map((row) => row.join(' | ')).sort()

/** For the tests of a file, over so many events; `skip`: why there is no Flink, which fails where CI runs everything. */
export function enginesFor(fifties: number, perSecond: number): { readonly skip: string | false; engines(): Engines } {
  const flink = installFlink()
  const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
  const skip = 'missing' in flink && !isRequired ? `Flink is not available: ${flink.missing}` : false
  let files: NexmarkFiles
  let engines: Engines
  before(async () => {
    if (skip) return
    assert.ok('java' in flink, 'missing' in flink ? flink.missing : '')
    files = writeFiles(fifties, perSecond)
    engines = await openEngines(files, flink.java)
  })
  after(async () => {
    if (skip) return
    await engines[Symbol.asyncDispose]()
    removeFiles(files)
  })
  return { skip, engines: () => engines }
}

export interface Expected {
  /** So many rows at least: of fewer nothing could differ. */
  readonly rowsMin: number
  /** What else is to be true of the rows for the query to say something. */
  readonly check?: (sql: string, rows: readonly string[]) => void
}

/** One test a query: all three engines give the same rows. */
export function testAlike(
  of: ReturnType<typeof enginesFor>,
  queries: Readonly<Record<string, string>>,
  { rowsMin, check }: Expected,
): void {
  for (const [name, sql] of Object.entries(queries))
    test(name, { skip: of.skip }, async () => {
      const engines = of.engines()
      const query = await engines.compile(sql)
      const expected = sorted(await engines.inDuckDb(query))
      assert.ok(expected.length >= rowsMin, `${expected.length} rows`)
      check?.(sql, expected)
      assert.deepEqual(sorted(engines.inMillrace(query)), expected, 'Millrace')
      assert.deepEqual(sorted(await engines.inFlink(query)), expected, 'Flink')
    })
}

/** `java`: how it is started with Flink's libraries; null without Flink. */
export async function openEngines({ directory }: NexmarkFiles, java: readonly string[] | null): Promise<Engines> {
  const engine = await openTestEngine({ threads: 1, directories: [directory] })
  const parser = await openParser(engine.engine)
  for (const name of [...STREAMS, 'side_input']) {
    const columns = shapeOf(name).fields.map((field) => `${quoteName(field.name)} ${toDuckType(field.type)}`)
    await engine.session.run(`CREATE TABLE ${name} (${columns.join(', ')}, _partition INTEGER, _offset BIGINT, _ingested_at TIMESTAMPTZ)`)
    // The table is there before the bids.
    const arrived = name === 'side_input' ? '2025-12-31' : '2026-01-01'
    for (const partition of partitionsOf(directory, name).keys()) {
      const types = shapeOf(name).fields.map((field) => `${quoteName(field.name)}: '${toDuckType(field.type)}'`)
      const read = `read_json('${directory}/${name}/${partition}.json', format = 'newline_delimited', columns = {${types.join(', ')}})`
      await engine.session.run(
        `INSERT INTO ${name} SELECT *, ${partition}, row_number() OVER () - 1, TIMESTAMPTZ '${arrived} 00:00:00+00' FROM ${read}`,
      )
    }
  }
  await engine.session.run('CREATE VIEW arriving AS FROM bid')
  const cluster = java && (await FlinkCluster.start(java))
  return {
    compile: async (sql) => compileLive((await parser.parse(sql)).node, liveShapeOf),
    inMillrace: (query) => rowsOf(query, (stream) => partitionsOf(directory, stream)),
    inDuckDb: async (query) => {
      const { fields } = shapeOfRelation(query.root, storedShapeOf)
      const columns = fields.map(({ name, type }) =>
        type.kind === 'timestamp' ? `epoch_us(${quoteName(name)})` : `CAST(${quoteName(name)} AS VARCHAR)`,
      )
      const { rows } = await engine.session.rows(`SELECT ${columns.join(', ')} FROM (${printLive(query, quoteName)})`)
      return rows.map((row) => row.map((value, i) => comparable(value === null ? null : String(value), fields[i]!)))
    },
    inFlink: async (query) => {
      const { fields } = shapeOfRelation(query.root, storedShapeOf)
      const tables = query.streams.map((stream) => flinkTable(stream, directory))
      assert.ok(cluster, 'opened without Flink')
      const rows = await cluster.rows({ set: {}, tables, select: printFlink(query) })
      return rows.map((row) => row.map((value, i) => comparable(value, fields[i]!)))
    },
    [Symbol.asyncDispose]: async () => {
      await cluster?.[Symbol.asyncDispose]()
      parser.close()
      await engine[Symbol.asyncDispose]()
    },
  }
}
