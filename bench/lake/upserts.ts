// Upserts by key into a table that is there. Recent keys meet few of its files; keys from everywhere meet all: in version 2 those
// are written anew, in version 3 a deletion vector says of each which rows go, and scans leave them out. Measured from the rows
// in a SELECT to the commit, and the full scan after it.
import assert from 'node:assert/strict'
import { flushKeyed } from '../../src/engine/flush.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { atMost, medianOf, print } from './figures.ts'
import { spark } from './spark.ts'
import { rangeSql, rowsOf, type Workbench } from './workbench.ts'

const ROWS_PER_FILE = 100_000
const KEYS = 10_000
const ROUNDS = 5

export async function measureUpserts(bench: Workbench, rows: number, isAgainstSpark: boolean): Promise<void> {
  const name = `keyed_${rows}`
  const table = await bench.table(name, { isKeyed: true })
  const directory = bench.lake.dataDirectory(table)
  await bench.append(name, await writeParquet(bench.session, { select: rangeSql(0, rows), table, directory, rowsPerFile: ROWS_PER_FILE }))
  const of = `${KEYS} upserts into ${rows / 1e6} M rows`
  // Half of them are new each time.
  const recent = (round: number) => `SELECT range AS id FROM range(${rows + (round - 1) * (KEYS / 2)}, ${rows + (round + 1) * (KEYS / 2)})`
  const first = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(recent(round), `recent${round}`)))
  print({ case: `${of}, recent keys`, value: first.ms / 1000, unit: 's', cpuSeconds: first.cpuSeconds })
  atMost(`${of}, recent keys, s`, first.ms / 1000, 0.5)
  const anywhere = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(uniformKeys(round, rows), `uniform${round}`)))
  print({ case: `${of}, keys from everywhere`, value: anywhere.ms / 1000, unit: 's', cpuSeconds: anywhere.cpuSeconds })
  const last = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(recent(ROUNDS + round), `later${round}`)))
  const files = await bench.lake.files(await bench.lake.table(name))
  print({ case: `${of}, recent keys after that, files: ${files.length}`, value: last.ms / 1000, unit: 's', cpuSeconds: last.cpuSeconds })
  await check(bench, name, rows + (2 * ROUNDS * KEYS) / 2)
  if (!isAgainstSpark) return
  const against = 'Spark local[2], copy-on-write'
  const peer = spark.upserts(bench.directory, rows, KEYS, 3)
  for (const [keys, seconds, theirs] of [
    ['recent keys', first.ms / 1000, peer.recent],
    ['keys from everywhere', anywhere.ms / 1000, peer.anywhere],
  ] as const) {
    print({ case: `${of}, ${keys}: ${against}`, value: theirs, unit: 's' })
    print({ case: `${of}, ${keys}, beside it`, value: seconds, unit: 's', ratio: seconds / theirs, against })
  }
}

const uniformKeys = (
  round: number,
  rows: number,
): string => `SELECT id FROM (SELECT DISTINCT (hash(range + ${round * KEYS * 2}) % ${rows})::BIGINT AS id
  FROM range(${KEYS * 2})) ORDER BY hash(id) LIMIT ${KEYS}`

/** Keys from everywhere, on a table of each format version. */
export async function measureVectors(bench: Workbench, rows: number): Promise<void> {
  const seconds = new Map<number, number>()
  for (const formatVersion of [2, 3] as const) {
    const name = `everywhere_${formatVersion}_${rows}`
    const table = await bench.table(name, { isKeyed: true, formatVersion })
    const directory = bench.lake.dataDirectory(table)
    await bench.append(name, await writeParquet(bench.session, { select: rangeSql(0, rows), table, directory, rowsPerFile: ROWS_PER_FILE }))
    const of = `${KEYS} upserts of keys from everywhere into ${rows / 1e6} M rows, version ${formatVersion}`
    const made = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(uniformKeys(round, rows), `round${round}`)))
    seconds.set(formatVersion, made.ms / 1000)
    const before = seconds.get(2)!
    const ratio = formatVersion === 3 ? { ratio: before / (made.ms / 1000), against: 'version 2' } : {}
    print({ case: of, value: made.ms / 1000, unit: 's', cpuSeconds: made.cpuSeconds, ...ratio })
    const files = await bench.lake.files(await bench.lake.table(name))
    const sql = `SELECT count(*)::VARCHAR, count(DISTINCT id)::VARCHAR, sum(amount) FROM (${scanSql({ table, files, tails: [] })})`
    const scan = await medianOf(ROUNDS, async () => {
      const [counted] = (await bench.session.rows(sql)).rows
      assert.deepEqual(counted!.slice(0, 2), [String(rows), String(rows)])
    })
    print({ case: `full scan after that, ${files.length} files`, value: scan.ms / 1000, unit: 's', cpuSeconds: scan.cpuSeconds })
  }
}

async function upsert({ engine, lake }: Workbench, name: string, source: string): Promise<void> {
  const table = await lake.table(name)
  await lake.commit([await flushKeyed({ engine, lake, table, source }, ['id'])])
}

/** Every key once, and the last rows won. */
async function check({ session, lake }: Workbench, name: string, rows: number): Promise<void> {
  const table = await lake.table(name)
  const scan = scanSql({ table, files: await lake.files(table), tails: [] })
  const sql = `SELECT count(*)::VARCHAR, count(DISTINCT id)::VARCHAR, count(*) FILTER (note LIKE 'later${ROUNDS - 1} %')::VARCHAR FROM (${scan})`
  assert.deepEqual((await session.rows(sql)).rows[0], [String(rows), String(rows), String(KEYS)])
}
