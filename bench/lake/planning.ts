// Time to plan: from the files of a table to the one that a question needs, by column bounds. Statistics are made up and the
// files are links to one: planning opens none of them.
import assert from 'node:assert/strict'
import { copyFileSync, linkSync } from 'node:fs'
import { writeParquet } from '../../src/engine/write.ts'
import type { Lake } from '../../src/lake/open-lake.ts'
import type { DataFile, LakeTable, PruneTerm } from '../../src/lake/types.ts'
import { encodeBound } from '../../src/lake/value/bound.ts'
import { atMost, medianOf, print } from './figures.ts'
import { pyiceberg } from './pyiceberg.ts'
import { rangeSql, type Workbench } from './workbench.ts'

const ROWS = 100
const COMMITS = 10
/** File systems end at some 65,000 names of one file. */
const LINKS_MAX = 50_000
const WARM_ROUNDS = 101
const COLD_ROUNDS = 5
/** Far enough apart that neighbours are not asked for. */
const STRIDE = 7919

export async function measurePlanning(bench: Workbench, counts: readonly number[]): Promise<void> {
  for (const count of counts) await measure(bench, count)
}

async function measure(bench: Workbench, count: number): Promise<void> {
  const name = `plan_${count}`
  const table = await linkedTable(bench, name, count)
  const termOf = (round: number): PruneTerm => ({ column: 'id', op: '=', values: [((round * STRIDE) % count) * ROWS + 5] })
  const plan = async (lake: Lake, round: number): Promise<void> => {
    const now = await lake.table(name)
    assert.equal((await lake.files(now, undefined, [termOf(round)])).length, 1)
  }
  const cold = await medianOf(COLD_ROUNDS, (round) => plan(bench.coldLake(), round))
  // The first rounds compile.
  for (let round = 0; round < 20; round++) await plan(bench.lake, round)
  const warm = await medianOf(WARM_ROUNDS, (round) => plan(bench.lake, round))
  const peer = pyiceberg.planning(
    table.metadataLocation,
    Array.from({ length: 4 }, (_, round) => Number(termOf(round).values[0])),
  )
  const against = 'PyIceberg'
  print({ case: `plan one of ${count} files, PyIceberg, first`, value: peer.firstMs, unit: 'ms' })
  print({ case: `plan one of ${count} files, PyIceberg, after`, value: peer.afterMs, unit: 'ms' })
  print({ case: `plan one of ${count} files, cold`, value: cold.ms, unit: 'ms', ratio: cold.ms / peer.firstMs, against, ...cpuOf(cold) })
  print({ case: `plan one of ${count} files, warm`, value: warm.ms, unit: 'ms', ratio: warm.ms / peer.afterMs, against, ...cpuOf(warm) })
  if (count === 10_000) atMost('plan 10,000 files warm, ms', warm.ms, 5)
}

const cpuOf = ({ cpuSeconds }: { cpuSeconds: number }) => ({ cpuSeconds })

/** A table of `count` files with `ROWS` ids each, which are all the same file, or copies of it. */
async function linkedTable(bench: Workbench, name: string, count: number): Promise<LakeTable> {
  const table = await bench.table(name)
  const directory = bench.lake.dataDirectory(table)
  const [first] = await writeParquet(bench.session, { select: rangeSql(0, ROWS), table, directory })
  let now = table
  for (let commit = 0; commit < COMMITS; commit++) {
    const files: DataFile[] = []
    for (let file = (count / COMMITS) * commit; file < (count / COMMITS) * (commit + 1); file++) {
      const path = `${directory}/link-${file}.parquet`
      const linked = `${directory}/link-${file - (file % LINKS_MAX)}.parquet`
      if (path === linked) copyFileSync(first!.path, path)
      else linkSync(linked, path)
      files.push({ ...first!, path, columns: new Map([...first!.columns, [1, { ...first!.columns.get(1)!, ...boundsOf(file) }]]) })
    }
    now = await bench.append(name, files)
  }
  return now
}

const boundsOf = (file: number) => ({
  lower: encodeBound('long', String(file * ROWS), 'lower')!,
  upper: encodeBound('long', String((file + 1) * ROWS - 1), 'upper')!,
})
