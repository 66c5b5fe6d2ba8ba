// Spark and Millrace in turns on one table of version 3: each reads what the other wrote, row for row with ids and sequence
// numbers, and deletes from files that the other's deletion vectors are about.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installSpark } from '../../scripts/servers/spark.ts'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { movedSql } from '../../src/engine/lineage.ts'
import { mergeRows } from '../../src/engine/merge.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { toPath } from '../../src/lake/location.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { LakeTable, TableChange } from '../../src/lake/types.ts'
import type { Shape } from '../../src/schema/type.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'

const spark = installSpark()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in spark && !isRequired ? `Spark is not available: ${spark.missing}` : false

type Row = Readonly<Record<string, string | null>>

interface Answer {
  readonly rows: readonly Row[]
  readonly metadata: string
  readonly deletes: readonly string[]
}

function ask(warehouse: string, statements: readonly (string | null)[]): Answer[] {
  assert.ok('python' in spark)
  const script = join(dirname(fileURLToPath(import.meta.url)), 'spark_v3.py')
  const input = JSON.stringify(statements)
  const done = spawnSync(spark.python, [script, spark.jar, warehouse], { encoding: 'utf8', input, maxBuffer: 64 * 1024 * 1024 })
  assert.equal(done.status, 0, done.stderr)
  const line = done.stdout.split('\n').find((one) => one.startsWith('ANSWER '))!
  return JSON.parse(line.slice('ANSWER '.length)) as Answer[]
}

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'country', type: { kind: 'string' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: true },
    { name: 'ratio', type: { kind: 'double' }, optional: true },
    { name: 'n', type: { kind: 'int' }, optional: true },
  ],
}

const rowsSql = (from: number, to: number, n: number): string => `
  SELECT i::BIGINT AS id, ['de', 'fr', NULL][1 + (i % 3)::INTEGER] AS country, (i * 1.25)::DECIMAL(12, 2) AS price,
    TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(i * 1001) AS seen, CASE WHEN i % 5 = 0 THEN 'NaN'::DOUBLE ELSE i::DOUBLE END AS ratio, ${n} AS n
  FROM range(${from}, ${to}) AS r(i)`

async function readRows({ session }: TestEngine, lake: Lake, table: LakeTable): Promise<Row[]> {
  const names = [...table.schema.fields.map(({ name }) => name), '_row_id', '_last_updated_sequence_number']
  const texts = names.map((name) => (name === 'seen' ? `strftime(seen AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')` : `"${name}"::VARCHAR`))
  const { rows } = await session.rows(`SELECT ${texts.join(', ')} FROM (${movedSql(table, await lake.files(table))})`)
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i] as string | null])))
}

/** Floats by value. */
const comparable = (rows: readonly Row[]): unknown[] =>
  rows
    .map((row) => ({ ...row, ratio: row['ratio'] === null ? null : Number(row['ratio']!.replace(/nan/i, 'NaN')) }))
    .sort((a, b) => Number((a as Row)['id']) - Number((b as Row)['id']))

class Turns {
  readonly #engine: TestEngine
  readonly #lake: Lake
  readonly #catalog = modelCatalog()
  #version = 0

  constructor(engine: TestEngine) {
    this.#engine = engine
    const directory = `${engine.directory}/lake`
    this.#lake = openLake({ disk: nodeDisk, clock: systemClock, random: systemRandom, catalog: this.#catalog, directory })
  }

  async create(): Promise<void> {
    const partition = [{ transform: 'identity', column: 'country' }] as const
    await this.#lake.create({ name: 't', shape: SHAPE, partition, cluster: ['id'], key: ['id'], formatVersion: 3 })
  }

  table = (): Promise<LakeTable> => this.#lake.table('t')

  async commit(change: Partial<TableChange>): Promise<void> {
    await this.#lake.commit([{ table: 't', operation: 'append', add: [], remove: [], ...change }])
  }

  async append(select: string): Promise<void> {
    const table = await this.table()
    await this.commit({ add: await writeParquet(this.#engine.session, { select, table, directory: this.#lake.dataDirectory(table) }) })
  }

  async merge(rows: string, keys?: string): Promise<TableChange> {
    const change = await mergeRows(this.#engine.session, {
      lake: this.#lake,
      table: await this.table(),
      key: ['id'],
      rows,
      ...(keys ? { keys } : {}),
    })
    await this.commit(change)
    return change
  }

  async compact(): Promise<void> {
    const table = await this.table()
    const groups = await this.#lake.planCompaction(table, { minFiles: 2 })
    assert.ok(groups.length > 0)
    for (const { files } of groups) {
      const directory = this.#lake.dataDirectory(table)
      const add = await writeParquet(this.#engine.session, { select: movedSql(table, files), moved: true, table, directory })
      await this.commit({ operation: 'replace', add, remove: files.map((file) => file.path), readFrom: table.current!.id })
    }
  }

  /** Spark's turn: it finds what Millrace has, and Millrace goes on from what Spark has after its last statement. */
  async spark(statements: readonly string[]): Promise<Answer[]> {
    const before = await this.table()
    const metadata = `${toPath(before.location)}/metadata`
    copyFileSync(toPath(before.metadataLocation), `${metadata}/v${++this.#version}.metadata.json`)
    writeFileSync(`${metadata}/version-hint.text`, String(this.#version))
    const answers = ask(dirname(toPath(before.location)), [null, ...statements])
    assert.deepEqual(comparable(answers[0]!.rows), comparable(await readRows(this.#engine, this.#lake, before)), 'what Spark finds')
    for (const [index, answer] of answers.entries()) {
      const table = await this.#lake.at({ name: 't', location: answer.metadata, snapshotId: null })
      const rows = await readRows(this.#engine, this.#lake, table)
      assert.deepEqual(comparable(rows), comparable(answer.rows), `after ${statements[index - 1] ?? 'nothing'}`)
      assert.equal(new Set(rows.map((row) => row['_row_id'])).size, rows.length)
    }
    const last = answers.at(-1)!.metadata
    this.#version = Number(/v(\d+)\.metadata/.exec(last)![1])
    const to = last.startsWith('file:') ? last : `file://${last}`
    await this.#catalog.commit({ tables: [{ name: 't', from: before.metadataLocation, to, snapshotId: null }], nowMs: 0 })
    return answers
  }

  /** Data files that have a vector. */
  async vectors(): Promise<number> {
    return (await this.#lake.files(await this.table())).filter((file) => file.deletes?.vector).length
  }
}

const MERGE_ON_READ = ['delete', 'update', 'merge'].map((what) => `'write.${what}.mode' = 'merge-on-read'`).join(', ')

test('in turns on one table: rows, ids and sequence numbers are the same for both', { skip }, async () => {
  await using engine = await openTestEngine()
  const turns = new Turns(engine)
  await turns.create()
  await turns.append(rowsSql(0, 300, 0))
  await turns.append(rowsSql(300, 400, 0))
  const few = await turns.merge(`${rowsSql(10, 14, 1)} UNION ALL ${rowsSql(1_000, 1_003, 1)}`)
  assert.ok(few.delete!.length >= 3 && few.remove.length === 0)
  const many = await turns.merge(rowsSql(330, 360, 2))
  assert.ok(many.remove.length > 0, 'a third of the rows: written anew')
  await turns.merge(`SELECT * FROM (${rowsSql(0, 1, 0)}) LIMIT 0`, 'SELECT i::BIGINT AS id FROM range(40, 52, 2) AS r(i)')
  assert.ok((await turns.vectors()) >= 3)
  const first = await turns.spark([
    `ALTER TABLE c.t SET TBLPROPERTIES (${MERGE_ON_READ})`,
    'DELETE FROM c.t WHERE id % 31 = 0',
    "UPDATE c.t SET n = 7 WHERE id % 37 = 1 AND country = 'fr'",
    `MERGE INTO c.t AS t USING (SELECT * FROM c.t WHERE id BETWEEN 100 AND 104 UNION ALL SELECT 5000, 'se', 1.5, TIMESTAMP '2024-02-01 00:00:00', 0.5, 9) AS s
      ON t.id = s.id WHEN MATCHED AND t.id = 103 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 8 WHEN NOT MATCHED THEN INSERT *`,
    "INSERT INTO c.t SELECT id + 10000, country, price, seen, ratio, n FROM c.t WHERE id < 20 AND country = 'de'",
  ])
  assert.ok(first[0]!.deletes.length > 0 && first.every(({ deletes }) => deletes.every((format) => format === 'PUFFIN')))
  // Both delete from files that the other's vectors are about; Spark's own files too.
  const joined = await turns.merge(
    `${rowsSql(150, 156, 3)} UNION ALL ${rowsSql(5_000, 5_001, 3)}`,
    'SELECT i::BIGINT AS id FROM range(150, 160) AS r(i) UNION ALL SELECT 5000 UNION ALL SELECT 10000',
  )
  assert.ok((joined.delete?.length ?? 0) > 0)
  await turns.spark(['DELETE FROM c.t WHERE id BETWEEN 158 AND 164 OR id = 10003'])
  await turns.compact()
  const compacted = await turns.vectors()
  await turns.merge(rowsSql(200, 203, 4))
  await turns.spark([
    "ALTER TABLE c.t SET TBLPROPERTIES ('write.update.mode' = 'copy-on-write', 'write.delete.mode' = 'copy-on-write')",
    'UPDATE c.t SET n = 11 WHERE id BETWEEN 210 AND 212',
    'DELETE FROM c.t WHERE id BETWEEN 213 AND 214',
    "CALL c.system.rewrite_data_files(table => 't', options => map('min-input-files', '1', 'rewrite-all', 'true'))",
  ])
  assert.ok(compacted < 3)
  assert.equal(await turns.vectors(), 0)
})
