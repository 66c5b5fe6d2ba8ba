// Compares what Millrace reads of tables that Spark wrote (`spark_tables.py`) with what Spark reads of them, snapshot by
// snapshot. For the golden tables, and for those written anew with Spark at hand.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Plain } from '../../src/engine/cell.ts'
import type { Engine } from '../../src/engine/duckdb.ts'
import { fileNames } from '../../src/engine/file-names.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { schemaOf } from '../../src/lake/list-files.ts'
import type { Lake } from '../../src/lake/open-lake.ts'
import type { LakeSnapshot, LakeTable, LakeType } from '../../src/lake/types.ts'
import { diskLake } from '../simulation/disk-lake.ts'
import { nestedText } from './own-table.ts'

type Row = readonly (string | null)[]

export interface Expected {
  readonly metadata: string
  readonly columns: readonly string[]
  /** Null for a table of many rows, of which only count and sum are told. */
  readonly rows: readonly Row[] | null
  readonly snapshots: Readonly<Record<string, readonly Row[]>>
  readonly count: number
  readonly sum: number
}

export const readExpected = (directory: string): Record<string, Expected> =>
  JSON.parse(readFileSync(`${directory}/expected.json`, 'utf8')) as Record<string, Expected>

/** A lake that only reads: tables are found by their metadata files. */
export const foreignLake = (directory: string, engine?: Engine): Lake => diskLake(directory, engine && fileNames(engine))

/** Reads every snapshot of every table of `directory`; answers how many it compared. */
export async function compareTables(directory: string): Promise<number> {
  await using engine = await openTestEngine({ directories: [directory] })
  const lake = foreignLake(directory, engine.engine)
  const read = async (table: LakeTable, snapshot: LakeSnapshot, select: string): Promise<unknown[][]> => {
    const schema = schemaOf(table, snapshot)
    using lease = lake.lease()
    const files = await lease.local(await lake.files(table, snapshot))
    const sql = scanSql({ table: { ...table, schema }, files, tails: [] })
    return (await engine.session.rows(`SELECT ${select} FROM (${sql})`)).rows as unknown[][]
  }
  let compared = 0
  for (const [name, { metadata, rows, snapshots, count, sum }] of Object.entries(readExpected(directory))) {
    const table = await lake.at({ name, location: metadata, snapshotId: null })
    const texts = (snapshot: LakeSnapshot): string =>
      schemaOf(table, snapshot)
        .fields.map(({ name, type }) => textSql(name, type))
        .join(', ')
    assert.deepEqual(
      (await read(table, table.current!, 'count(*), sum(id)')).map((row) => row.map(Number)),
      [[count, sum]],
      name,
    )
    const readRows = async (snapshot: LakeSnapshot): Promise<unknown[][]> => {
      const types = schemaOf(table, snapshot).fields.map(({ type }) => type)
      return (await read(table, snapshot, texts(snapshot))).map((row) => row.map((value, i) => nestedText(types[i]!, value as Plain)))
    }
    if (rows) assert.deepEqual(sorted(await readRows(table.current!)), sorted(rows), name)
    for (const snapshot of table.snapshots) {
      const then = snapshots[String(snapshot.id)]
      // The current one by the columns of then is not what the table answers now.
      if (!then || snapshot.id === table.current!.id) continue
      assert.deepEqual(sorted(await readRows(snapshot)), sorted(then), `${name} ${snapshot.id}`)
      compared++
    }
    compared++
  }
  return compared
}

const sorted = (rows: readonly (readonly unknown[])[]): string[] => rows.map((row) => JSON.stringify(row)).sort()

/** A column in the text that spark_tables.py gives. */
const textSql = (name: string, type: LakeType): string =>
  typeof type !== 'string'
    ? `"${name}"`
    : type === 'timestamptz'
      ? `strftime("${name}" AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S')`
      : `CAST("${name}" AS VARCHAR)`
