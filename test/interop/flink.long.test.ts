// Tables that Flink upserted into (`FlinkUpserts.java`): keys of earlier commits deleted by equality, those of the same commit
// by position. Millrace reads the rows that Flink reads, and after each commit those of then.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installFlink } from '../../scripts/servers/flink.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { foreignLake } from './foreign-tables.ts'

const flink = installFlink()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in flink && !isRequired ? `Flink is not available: ${flink.missing}` : false

type Row = readonly [id: number, country: string, amount: number | null]
const sorted = (rows: readonly Row[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

/** Rows after each of the commits of FlinkUpserts.java; the latest row of a key, which for some tables is (id, country). */
const COMMITS: readonly Row[][] = [
  [
    [1, 'de', 1.5],
    [2, 'fr', 2.5],
    [3, 'se', 3.5],
    [4, 'de', 4.5],
  ],
  [
    [2, 'fr', 20.5],
    [5, 'se', 5.5],
    [5, 'se', 50.5],
    [5, 'se', 51.5],
  ],
  [
    [1, 'de', 10.5],
    [6, 'fr', 6.5],
    [2, 'de', 21.5],
  ],
  [
    [7, 'se', null],
    [3, 'se', 30.5],
    [1, 'de', 11.5],
  ],
]

function latest(commits: number, keyOf: (row: Row) => string): Row[] {
  const rows = new Map<string, Row>()
  for (const row of COMMITS.slice(0, commits).flat()) rows.set(keyOf(row), row)
  return [...rows.values()]
}

test('upserts by Flink', { skip }, async () => {
  assert.ok('java' in flink, 'missing' in flink ? flink.missing : '')
  const directory = mkdtempSync(join(tmpdir(), 'millrace-flink-'))
  try {
    const program = join(dirname(fileURLToPath(import.meta.url)), 'FlinkUpserts.java')
    const done = spawnSync('java', [...flink.java, program, directory], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
    assert.equal(done.status, 0, done.stderr)
    const answer = done.stdout.split('\n').find((line) => line.startsWith('ANSWER '))!
    const read = JSON.parse(answer.slice('ANSWER '.length)) as Record<string, Row[]>
    await using engine = await openTestEngine({ directories: [directory] })
    const lake = foreignLake(directory)
    for (const [name, rows] of Object.entries(read)) {
      const metadata = `${directory}/t/${name}/metadata`
      const newest = Math.max(...readdirSync(metadata).map((file) => Number(/^v(\d+)\.metadata\.json$/.exec(file)?.[1] ?? 0)))
      const table = await lake.at({ name, location: `file://${metadata}/v${newest}.metadata.json`, snapshotId: null })
      // A checkpoint without rows commits too.
      const commits = table.snapshots.filter((snapshot) => Number(snapshot.summary['added-records'] ?? 0) > 0)
      assert.equal(commits.length, COMMITS.length)
      const files = await lake.files(table)
      assert.ok(
        files.some(({ deletes }) => deletes?.equality.length),
        `${name} has no equality deletes`,
      )
      const keyOf = name === 'upserts' ? ([id]: Row) => `${id}` : ([id, country]: Row) => `${id} ${country}`
      for (const [i, snapshot] of commits.entries()) {
        const sql = scanSql({ table, files: await lake.files(table, snapshot), tails: [] })
        const found = (await engine.session.rows(`SELECT id::INTEGER, country, amount FROM (${sql})`)).rows as unknown as Row[]
        assert.deepEqual(sorted(found), sorted(latest(i + 1, keyOf)), `${name} after commit ${i + 1}`)
        if (i === commits.length - 1) assert.deepEqual(sorted(found), sorted(rows), name)
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
