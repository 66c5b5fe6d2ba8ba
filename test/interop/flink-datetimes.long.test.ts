// Readings of a clock between Flink's TIMESTAMP(6) and Millrace (`FlinkDatetimes.java`): what the one wrote the other reads, row for
// row, alone and nested, and Flink's filter loses none by our statistics.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installFlink } from '../../scripts/servers/flink.ts'
import { fileNames } from '../../src/engine/file-names.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { toPath } from '../../src/lake/location.ts'
import { schemaToShape } from '../../src/lake/schema-mapping.ts'
import type { LakeTable } from '../../src/lake/types.ts'
import type { Shape, Type } from '../../src/schema/type.ts'
import { diskLake } from '../simulation/disk-lake.ts'
import { foreignLake } from './foreign-tables.ts'

const flink = installFlink()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in flink && !isRequired ? `Flink is not available: ${flink.missing}` : false

const CLOCK: Type = { kind: 'datetime' }
const inner = { type: CLOCK, optional: true }
const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: true },
    { name: 'due', type: CLOCK, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: true },
    {
      name: 'place',
      type: {
        kind: 'struct',
        fields: [
          { name: 'at', type: CLOCK, optional: true },
          { name: 'seen', type: { kind: 'timestamp' }, optional: true },
        ],
      },
      optional: true,
    },
    { name: 'dues', type: { kind: 'list', element: inner }, optional: true },
    { name: 'by', type: { kind: 'map', key: { kind: 'string' }, value: inner }, optional: true },
  ],
}

const SEEN = "TIMESTAMPTZ '2024-01-01 00:00:00.000001+00'"
const ROWS = `
  SELECT i::BIGINT AS id, TIMESTAMP '2026-02-27 23:59:59.999999' + to_hours(i::INTEGER * 7) AS due, ${SEEN} AS seen,
    {'at': TIMESTAMP '1969-12-31 23:59:59.999999', 'seen': ${SEEN}} AS place, [TIMESTAMP '2026-03-01 00:00:00.5', NULL] AS dues,
    MAP {'k': TIMESTAMP '9999-12-31 23:59:59.999999'} AS "by" FROM range(12) AS r(i)
  UNION ALL SELECT 100, NULL, ${SEEN}, {'at': NULL, 'seen': ${SEEN}}, [NULL], MAP {'k': NULL}`

/** The text of a row that the program prints. */
const text = (value: string): string => `coalesce(strftime(${value}, '%Y-%m-%d %H:%M:%S.%f'), 'null')`
const TEXT = `concat_ws('|', id, ${['due', 'place.at', 'dues[1]', '"by"[\'k\']'].map(text).join(', ')}, len(dues),
  strftime(seen, '%Y-%m-%d %H:%M:%S.%f'), strftime(place.seen, '%Y-%m-%d %H:%M:%S.%f'))`

test("Flink's timestamps without a zone are datetimes, and ours are its own", { skip, timeout: 300_000 }, async () => {
  assert.ok('java' in flink, 'missing' in flink ? flink.missing : '')
  const directory = mkdtempSync(join(tmpdir(), 'millrace-flink-'))
  await using engine = await openTestEngine({ directories: [directory] })
  const readRows = async (table: LakeTable, where = 'true'): Promise<string[]> => {
    const sql = scanSql({ table, files: await foreignLake(directory).files(table), tails: [] })
    return (await engine.session.rows(`SELECT ${TEXT} FROM (${sql}) WHERE ${where}`)).rows.map(([row]) => String(row)).sort()
  }
  try {
    const lake = diskLake(`${directory}/t`, fileNames(engine.engine))
    const created = await lake.create({
      name: 'ours',
      shape: SHAPE,
      partition: [{ transform: 'day', column: 'due' }],
      cluster: [],
      key: [],
    })
    const add = await writeParquet(engine.session, { select: ROWS, table: created, directory: lake.dataDirectory(created) })
    assert.ok(add.length > 3, 'a file a day')
    const ours = (await lake.commit([{ table: 'ours', operation: 'append', add, remove: [] }])).tables[0]!
    // Hadoop's catalog finds a table by its directory and numbered metadata.
    copyFileSync(toPath(ours.metadataLocation), `${toPath(ours.location)}/metadata/v1.metadata.json`)
    writeFileSync(`${toPath(ours.location)}/metadata/version-hint.text`, '1')
    const program = join(dirname(fileURLToPath(import.meta.url)), 'FlinkDatetimes.java')
    const done = spawnSync('java', [...flink.java, program, directory], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    assert.equal(done.status, 0, done.stderr)
    const printed = (table: string): string[] =>
      done.stdout
        .split('\n')
        .filter((line) => line.startsWith(`ROW ${table}|`))
        .map((line) => line.slice(`ROW ${table}|`.length))
        .sort()
    assert.deepEqual(printed('ours'), await readRows(ours))
    assert.equal(printed('ours').length, 13)
    assert.deepEqual(printed('ours filtered'), await readRows(ours, "due >= TIMESTAMP '2026-03-01 12:00:00'"))
    assert.ok(printed('ours filtered').length > 0)
    const metadata = `${directory}/t/theirs/metadata`
    const newest = Math.max(...readdirSync(metadata).map((file) => Number(/^v(\d+)\.metadata\.json$/.exec(file)?.[1] ?? 0)))
    const location = `file://${metadata}/v${newest}.metadata.json`
    const theirs = await foreignLake(directory).at({ name: 'theirs', location, snapshotId: null })
    assert.deepEqual(
      schemaToShape(theirs.schema).fields.map(({ name, type }) => [name, type]),
      SHAPE.fields.map(({ name, type }) => [name, type]),
    )
    assert.deepEqual(await readRows(theirs), printed('theirs'))
    assert.equal(printed('theirs').length, 3)
    assert.match(
      printed('theirs')[0]!,
      /^1\|2026-03-01 14:05:00\.000001\|1969-12-31 23:59:59\.999999\|2026-03-01 00:00:00\.000000\|9999-12-31 23:59:59\.999999\|2\|/,
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
