// Commits a second: small appends one after the other, by many writers at once, and over many tables in one transaction.
// A commit is the Parquet file, its fsync, manifest, list and metadata with theirs, and one transaction of SQLite with its.

import { writeParquet } from '../../src/engine/write.ts'
import type { DataFile, LakeTable } from '../../src/lake/types.ts'
import { atLeast, print, rateFor } from './figures.ts'
import { pyiceberg } from './pyiceberg.ts'
import { spark } from './spark.ts'
import { rangeSql, type Workbench } from './workbench.ts'

const ROWS = 100
const TABLES = 8

export interface CommitOptions {
  /** A case. */
  readonly seconds: number
  readonly isAgainstSpark: boolean
}

export async function measureCommits(bench: Workbench, { seconds, isAgainstSpark }: CommitOptions): Promise<void> {
  const appended = await appends(bench, seconds)
  await writtenBefore(bench, seconds)
  await manyWriters(bench, seconds)
  await manyTables(bench, seconds)
  const peers: [string, number][] = [['PyIceberg, no fsync, pointers in memory', await pyiceberg.commits(bench.directory, seconds, ROWS)]]
  if (isAgainstSpark) peers.push(['Spark local[2], Hadoop catalog', spark.commits(bench.directory, seconds, ROWS)])
  for (const [against, rate] of peers) {
    print({ case: `append of ${ROWS} rows: ${against}`, value: rate, unit: 'commits/s' })
    print({ case: `append of ${ROWS} rows, one writer, beside it`, value: appended, unit: 'commits/s', ratio: appended / rate, against })
    if (against.startsWith('Spark')) atLeast('small commits, times Spark', appended / rate, 10)
  }
}

const rowsOf = (round: number): string => rangeSql(round * ROWS, (round + 1) * ROWS)

function written({ session, lake }: Workbench, table: LakeTable, round: number): Promise<DataFile[]> {
  return writeParquet(session, { select: rowsOf(round), table, directory: lake.dataDirectory(table) })
}

async function appends(bench: Workbench, seconds: number): Promise<number> {
  const table = await bench.table('appends')
  const { rate, cpuSeconds } = await rateFor(seconds, async (round) => bench.append(table.name, await written(bench, table, round)))
  print({ case: `append of ${ROWS} rows, one writer`, value: rate, unit: 'commits/s', cpuSeconds })
  return rate
}

/** What of it is the commit. */
async function writtenBefore(bench: Workbench, seconds: number): Promise<void> {
  const table = await bench.table('written_before')
  const files: DataFile[] = []
  for (let round = 0; round < seconds * 200; round++) files.push(...(await written(bench, table, round)))
  let count = 0
  const { rate, cpuSeconds } = await rateFor(seconds, async () => {
    // Few disks commit so fast that the files run out; those that do say so.
    const file = files[count++]
    if (!file) throw new Error(`${files.length} files were too few`)
    await bench.append(table.name, [file])
  })
  print({ case: 'commit of a file that is written', value: rate, unit: 'commits/s', cpuSeconds })
}

/** Writers of different tables at once: the control database joins what waits. */
async function manyWriters(bench: Workbench, seconds: number): Promise<void> {
  const tables = await Promise.all(Array.from({ length: TABLES }, (_, index) => bench.table(`writer_${index}`)))
  const { rate, cpuSeconds } = await rateFor(seconds, (round) =>
    Promise.all(tables.map(async (table) => bench.append(table.name, await written(bench, table, round)))),
  )
  print({ case: `append of ${ROWS} rows, ${TABLES} writers at once`, value: rate * TABLES, unit: 'commits/s', cpuSeconds })
}

async function manyTables(bench: Workbench, seconds: number): Promise<void> {
  const tables = await Promise.all(Array.from({ length: TABLES }, (_, index) => bench.table(`together_${index}`)))
  const { rate, cpuSeconds } = await rateFor(seconds, async (round) => {
    const added = await Promise.all(tables.map((table) => written(bench, table, round)))
    await bench.lake.commit(tables.map(({ name }, index) => ({ table: name, operation: 'append', add: added[index]!, remove: [] })))
  })
  print({ case: `append of ${ROWS} rows to each of ${TABLES} tables in one transaction`, value: rate, unit: 'commits/s', cpuSeconds })
}
