// Upserts by key into a table that is there: copy-on-write of the files whose key range meets the new keys. Recent keys meet
// few of them; keys from everywhere meet all. Measured from the rows in a SELECT to the commit.
import assert from 'node:assert/strict'
import { flushKeyed } from '../../src/engine/flush.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { atMost, medianOf, print } from './figures.ts'
import { rangeSql, rowsOf, type Workbench } from './workbench.ts'

const ROWS_PER_FILE = 100_000
const KEYS = 10_000
const ROUNDS = 5

export async function measureUpserts(bench: Workbench, rows: number): Promise<void> {
  const name = `keyed_${rows}`
  const table = await bench.table(name, { isKeyed: true })
  const directory = bench.lake.dataDirectory(table)
  await bench.append(name, await writeParquet(bench.session, { select: rangeSql(0, rows), table, directory, rowsPerFile: ROWS_PER_FILE }))
  const of = `${KEYS} upserts into ${rows / 1e6} M rows`
  // Half of them are new each time.
  const recent = (round: number) => `SELECT range AS id FROM range(${rows + (round - 1) * (KEYS / 2)}, ${rows + (round + 1) * (KEYS / 2)})`
  const uniform = (round: number) => `SELECT id FROM (SELECT DISTINCT (hash(range + ${round * KEYS * 2}) % ${rows})::BIGINT AS id
    FROM range(${KEYS * 2})) ORDER BY hash(id) LIMIT ${KEYS}`
  const first = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(recent(round), `recent${round}`)))
  print({ case: `${of}, recent keys`, value: first.ms / 1000, unit: 's', cpuSeconds: first.cpuSeconds })
  if (rows === 1_000_000) atMost('10,000 upserts of recent keys into 1 M rows, s', first.ms / 1000, 0.5)
  const anywhere = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(uniform(round), `uniform${round}`)))
  print({ case: `${of}, keys from everywhere`, value: anywhere.ms / 1000, unit: 's', cpuSeconds: anywhere.cpuSeconds })
  const last = await medianOf(ROUNDS, (round) => upsert(bench, name, rowsOf(recent(ROUNDS + round), `later${round}`)))
  const files = await bench.lake.files(await bench.lake.table(name))
  print({ case: `${of}, recent keys after that, files: ${files.length}`, value: last.ms / 1000, unit: 's', cpuSeconds: last.cpuSeconds })
  await check(bench, name, rows + (2 * ROUNDS * KEYS) / 2)
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
