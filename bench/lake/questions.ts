// Questions over 10,000 small files: one row by its id, the way a user's question goes (gate, policy, secured view) and without
// it; then the full scan before and after compaction.
import assert from 'node:assert/strict'
import { DuckDBInstance } from '@duckdb/node-api'
import { systemClock } from '../../src/core/clock.ts'
import type { Manifest } from '../../src/define/manifest.ts'
import { relationsOf } from '../../src/engine/ast.ts'
import { pruneTerms } from '../../src/engine/prune.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { quoteText } from '../../src/engine/sql-text.ts'
import { writeParquet } from '../../src/engine/write.ts'
import type { Identity } from '../../src/govern/identity.ts'
import { type Guard, openGuard } from '../../src/govern/secure.ts'
import { compact as joinFiles } from '../../src/orchestrate/chores/compact.ts'
import { atMost, medianOf, print } from './figures.ts'
import { pyiceberg } from './pyiceberg.ts'
import { spark } from './spark.ts'
import { rangeSql, SHAPE, type Workbench } from './workbench.ts'

const FILES = 10_000
const ROWS = 100
const COPIES = 10
const ROUNDS = 51
const STRIDE = 7919
const NAME = 'small_files'
const SUM = `SELECT count(*), sum(amount), max(seen) FROM ${NAME}`
const ADMIN: Identity = { user: 'bench', tokenId: 'bench', roles: [], isAdmin: true }

export async function measureQuestions(bench: Workbench, isAgainstSpark: boolean): Promise<void> {
  await writeSmallFiles(bench)
  await bench.relations.add({ name: NAME, shape: SHAPE, key: [], tailed: false })
  const guard = await openBenchGuard(bench)
  try {
    await points(bench, guard)
    await scans(bench, guard, isAgainstSpark)
  } finally {
    guard.close()
  }
}

async function writeSmallFiles(bench: Workbench): Promise<void> {
  const table = await bench.table(NAME)
  const each = (FILES * ROWS) / COPIES
  for (let copy = 0; copy < COPIES; copy++) {
    const select = rangeSql(copy * each, (copy + 1) * each)
    const files = await writeParquet(bench.session, { select, table, directory: bench.lake.dataDirectory(table), rowsPerFile: ROWS })
    assert.equal(files.length, FILES / COPIES)
    await bench.append(NAME, files)
  }
}

function openBenchGuard({ engine, parser, relations }: Workbench): Promise<Guard> {
  const table = { kind: 'table', name: NAME, at: 'bench', tags: [], shape: SHAPE, key: [], partition: [], cluster: ['id'] } as const
  const lists = ['processors', 'checks', 'roles', 'grants', 'policies', 'masks', 'endpoints', 'jobs', 'alerts', 'dashboards'] as const
  const manifest = {
    version: 1,
    project: 'bench',
    relations: [{ ...table, source: { kind: 'none' }, load: 'full', keep: { logMs: 1 } }],
    ...(Object.fromEntries(lists.map((list) => [list, []])) as unknown as Record<(typeof lists)[number], []>),
  } satisfies Manifest
  return openGuard({
    engine,
    parser,
    manifest: () => manifest,
    maskKey: Buffer.alloc(32, 1),
    systemRelation: () => false,
    resolve: (relation, at, read) => relations.pin(relation, { ...read, ...(at ? { at } : {}) }),
  })
}

async function askSecured(guard: Guard, sql: string): Promise<readonly (readonly unknown[])[]> {
  const secured = await guard.secure(ADMIN, sql)
  try {
    return (await secured.session.rows(secured.sql, secured.params)).rows
  } finally {
    await secured.release()
  }
}

/** A different row each time, so that nothing is answered from what the last question opened. */
const idOf = (round: number): number => (round * STRIDE * ROWS + 37) % (FILES * ROWS)
const pointSql = (round: number): string => `SELECT * FROM ${NAME} WHERE id = ${idOf(round)}`

async function points(bench: Workbench, guard: Guard): Promise<void> {
  const table = await bench.lake.table(NAME)
  const all = await bench.lake.files(table)
  const alone = await DuckDBInstance.create(':memory:')
  const connection = await alone.connect()
  const list = `read_parquet([${all.map((file) => quoteText(file.path)).join(', ')}])`
  const askAlone = async (round: number) =>
    assert.equal((await connection.runAndReadAll(pointSql(round).replace(NAME, list))).getRows().length, 1)
  const askPruned = async (round: number) => {
    const statement = await bench.parser.parse(pointSql(round))
    const terms = pruneTerms(statement, relationsOf(statement)[0]!.node, SHAPE)
    const scan = scanSql({ table, files: await bench.lake.files(table, undefined, terms), tails: [], shape: SHAPE })
    const { rows } = await bench.session.rows(pointSql(round).replace(NAME, `(${scan}) AS t`))
    assert.equal(rows[0]![0], BigInt(idOf(round)))
  }
  const askGuarded = async (round: number) => assert.equal((await askSecured(guard, pointSql(round)))[0]![0], BigInt(idOf(round)))
  const base = await medianOf(3, askAlone)
  const against = 'DuckDB alone, all files'
  print({ case: `point query on ${FILES} files, ${against}`, value: base.ms, unit: 'ms', cpuSeconds: base.cpuSeconds })
  for (const [name, ask, rounds] of [
    ['pruned in TypeScript', askPruned, ROUNDS],
    ["a user's question", askGuarded, ROUNDS],
  ] as const) {
    for (let round = 0; round < 5; round++) await ask(rounds + round)
    const { ms, cpuSeconds } = await medianOf(rounds, ask)
    print({ case: `point query on ${FILES} files, ${name}`, value: ms, unit: 'ms', ratio: ms / base.ms, against, cpuSeconds })
    atMost(`point query on 10,000 files, ${name}, ms`, ms, 20)
  }
  connection.closeSync()
  alone.closeSync()
}

async function scans(bench: Workbench, guard: Guard, isAgainstSpark: boolean): Promise<void> {
  const expected = await askSecured(guard, SUM)
  const scan = async (): Promise<void> => assert.deepEqual(await askSecured(guard, SUM), expected)
  const before = await medianOf(3, scan)
  print({ case: `full scan of ${FILES} files`, value: before.ms, unit: 'ms', cpuSeconds: before.cpuSeconds })
  await besidePeers(bench, before.ms, isAgainstSpark)
  const compacted = await medianOf(1, () => compact(bench))
  print({ case: `compaction of ${FILES} files`, value: compacted.ms, unit: 'ms', cpuSeconds: compacted.cpuSeconds })
  const { length } = await bench.lake.files(await bench.lake.table(NAME))
  const after = await medianOf(5, scan)
  const against = `${FILES} files`
  const name = `full scan after compaction, files: ${length}`
  print({ case: name, value: after.ms, unit: 'ms', ratio: after.ms / before.ms, against, cpuSeconds: after.cpuSeconds })
  await besidePeers(bench, after.ms, isAgainstSpark)
}

/** The same table as it is now, by others. */
async function besidePeers({ lake }: Workbench, ms: number, isAgainstSpark: boolean): Promise<void> {
  const table = await lake.table(NAME)
  const { length } = await lake.files(table)
  const peers: [string, number][] = [['PyIceberg', pyiceberg.scan(table.metadataLocation) * 1000]]
  if (isAgainstSpark) peers.push(['Spark local[2]', spark.scan(table, 3) * 1000])
  for (const [against, value] of peers) {
    print({ case: `full scan, files: ${length}: ${against}`, value, unit: 'ms' })
    print({ case: `full scan, files: ${length}, beside it`, value: ms, unit: 'ms', ratio: ms / value, against })
  }
}

/** As the program does it in the background. */
async function compact({ engine, lake, relations }: Workbench): Promise<void> {
  await joinFiles.run({ clock: systemClock, lake, engine }, { table: await lake.table(NAME), keeping: null, isAsked: false })
  relations.committed(await lake.table(NAME))
}
