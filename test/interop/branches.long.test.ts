// Write, audit, publish by others' tools on the catalog of a running server: Spark and PyIceberg write to branches of our tables,
// and Spark stages snapshots that no branch names. Millrace reads each of them by SQL, lists them, keeps them in
// maintenance, publishes them, and refuses what would lose rows of `main`; the others read what came of it, row for row.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { installSpark } from '../../scripts/servers/spark.ts'
import { runMillrace } from '../cli/millrace.ts'
import { startCatalog, type TestCatalog } from '../iceberg/catalog.ts'
import { openSpark, type SparkSession } from './spark-session.ts'

const tools = { Spark: installSpark(), PyIceberg: installPyIceberg() }
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const absent = Object.entries(tools).flatMap(([name, tool]) => ('missing' in tool ? [`${name} is not available: ${tool.missing}`] : []))
const skip = absent.length > 0 && !isRequired ? absent[0]! : false

let catalog: TestCatalog
let spark: SparkSession
before(async () => {
  if (skip) return
  assert.ok('python' in tools.Spark, absent[0])
  catalog = await startCatalog()
  spark = await openSpark(tools.Spark, catalog.server.url, catalog.server.token)
})
after(async () => {
  await spark?.close()
  await catalog?.stop()
})

/** A command of the program against the server, with its answer. */
async function millrace<T>(...args: string[]): Promise<T> {
  const { status, out, errors } = await runMillrace([...args, '--json', '--data', catalog.data], { MILLRACE_LOG: 'error' })
  if (status !== 0) throw new Error(out + errors)
  return JSON.parse(out) as T
}

interface Name {
  readonly name: string
  readonly kind: string
  readonly snapshot: string
}

const namesOf = async (table: string): Promise<Record<string, string>> =>
  Object.fromEntries((await millrace<Name[]>('branch', 'list', table)).map(({ name, kind, snapshot }) => [name, `${kind} ${snapshot}`]))

type Rows = (string | null)[][]

/** Rows of Millrace, every value as text. */
const rows = async (sql: string): Promise<Rows> =>
  (await catalog.server.sql(sql)).map((row) => row.map((value) => (value === null ? null : String(value))))

/** What Millrace and Spark both read of a table, at a version of it. */
async function both(table: string, version?: string): Promise<Rows> {
  const found = await rows(`SELECT id, name FROM ${table} ${version ? `AT (VERSION => '${version}')` : ''} ORDER BY id`)
  const at = version === undefined ? '' : /^\d+$/.test(version) ? `VERSION AS OF ${version}` : `VERSION AS OF '${version}'`
  assert.deepEqual(await spark.sql(`SELECT id, name FROM c.${table} ${at} ORDER BY id`), found)
  return found
}

/** The snapshot that a tool staged under a name of its own. */
async function stagedAs(table: string, id: string): Promise<string> {
  const [found] = await spark.sql(`SELECT snapshot_id FROM c.${table}.snapshots WHERE summary['wap.id'] = '${id}'`)
  return found![0]!
}

// One table that the project defines, whose checks are those of a publication, and one that Spark made.
for (const table of ['main.regions', 'lab.made'])
  test(`${table}: Spark writes to branches, Millrace reads and publishes them`, { skip, timeout: 600_000 }, async () => {
    if (table === 'lab.made') await spark.sql('CREATE TABLE c.lab.made (id int NOT NULL, name string) USING iceberg')
    await spark.sql(`INSERT INTO c.${table} VALUES (1, 'north'), (2, NULL)`)
    await spark.sql(`ALTER TABLE c.${table} CREATE BRANCH audit RETAIN 10 DAYS WITH SNAPSHOT RETENTION 3 SNAPSHOTS`)
    await spark.sql(`INSERT INTO c.${table}.branch_audit VALUES (3, 'south')`)
    await spark.sql(`UPDATE c.${table}.branch_audit SET name = 'nörth' WHERE id = 1`)
    assert.deepEqual(await both(table), [
      ['1', 'north'],
      ['2', null],
    ])
    const audited = [
      ['1', 'nörth'],
      ['2', null],
      ['3', 'south'],
    ]
    assert.deepEqual(await both(table, 'audit'), audited)
    // `spark.wap.branch`: the same statements, on a branch that the session names.
    await spark.sql(`ALTER TABLE c.${table} SET TBLPROPERTIES ('write.wap.enabled' = 'true')`)
    const wap = { 'spark.wap.branch': 'trial' }
    await spark.sql(`INSERT INTO c.${table} VALUES (4, 'trial')`, wap)
    await spark.sql(`DELETE FROM c.${table} WHERE id = 2`, wap)
    const tried = [
      ['1', 'north'],
      ['4', 'trial'],
    ]
    assert.deepEqual(await spark.sql(`SELECT id, name FROM c.${table} ORDER BY id`, wap), tried)
    assert.deepEqual(await both(table, 'trial'), tried)
    assert.equal((await both(table)).length, 2)
    const names = await namesOf(table)
    assert.deepEqual(Object.keys(names).sort(), ['audit', 'trial'])
    await millrace('maintain', table)
    assert.deepEqual(await namesOf(table), names, 'maintenance leaves them where they are')
    const published = await millrace<{ tables: { table: string; snapshot: string }[] }>('publish', table, '--branch', 'audit')
    assert.deepEqual(
      published.tables.map(({ snapshot }) => `branch ${snapshot}`),
      [names['audit']],
    )
    assert.deepEqual(await both(table), audited)
    // `main` has gone on: what is on `trial` cannot be published over it, and stays readable.
    await assert.rejects(millrace('publish', table, '--branch', 'trial'), /MR_LAKE_CONFLICT/)
    assert.deepEqual(await both(table, 'trial'), tried)
    await millrace('branch', 'remove', table, 'trial')
    assert.match(await spark.refused(`SELECT * FROM c.${table} VERSION AS OF 'trial'`), /trial/)
    // Made by Millrace, written by Spark, published by Spark.
    await millrace('branch', 'create', table, 'next')
    await spark.sql(`INSERT INTO c.${table}.branch_next VALUES (5, 'next')`)
    await spark.sql(`CALL c.system.fast_forward('${table}', 'main', 'next')`)
    assert.deepEqual(await both(table), [...audited, ['5', 'next']])
  })

test('snapshots that Spark stages under an id outlive maintenance and are published', { skip, timeout: 600_000 }, async () => {
  const table = 'lab.staged'
  await spark.sql("CREATE TABLE c.lab.staged (id int, name string) USING iceberg TBLPROPERTIES ('write.wap.enabled' = 'true')")
  await spark.sql(`INSERT INTO c.${table} VALUES (1, 'one')`)
  await spark.sql(`INSERT INTO c.${table} VALUES (2, 'two')`, { 'spark.wap.id': 'load-2' })
  await spark.sql(`INSERT INTO c.${table} VALUES (3, 'three')`, { 'spark.wap.id': 'load-3' })
  await spark.sql(`INSERT INTO c.${table} VALUES (4, 'four')`)
  const staged = await stagedAs(table, 'load-2')
  // With a name beside `main`, expiry looks at the table however short its history is.
  await millrace('tag', 'create', table, 'here')
  await millrace('maintain', table)
  assert.deepEqual(await both(table), [
    ['1', 'one'],
    ['4', 'four'],
  ])
  assert.deepEqual(await both(table, staged), [
    ['1', 'one'],
    ['2', 'two'],
  ])
  await spark.sql(`CALL c.system.publish_changes('${table}', 'load-2')`)
  await spark.sql(`CALL c.system.cherrypick_snapshot('${table}', ${await stagedAs(table, 'load-3')})`)
  assert.deepEqual(await both(table), [
    ['1', 'one'],
    ['2', 'two'],
    ['3', 'three'],
    ['4', 'four'],
  ])
  assert.match(await spark.refused(`CALL c.system.publish_changes('${table}', 'load-2')`), /wap|WAP|cherrypick/i)
})

test('PyIceberg appends to, deletes from and upserts into branches', { skip, timeout: 600_000 }, async () => {
  assert.ok('python' in tools.PyIceberg)
  await spark.sql("CREATE TABLE c.lab.py (id int NOT NULL, name string) USING iceberg TBLPROPERTIES ('write.wap.enabled' = 'false')")
  await spark.sql("INSERT INTO c.lab.py VALUES (1, 'one'), (2, 'two'), (3, NULL)")
  const script = join(dirname(fileURLToPath(import.meta.url)), 'branches.py')
  const { url, token } = catalog.server
  const done = spawnSync(tools.PyIceberg.python, ['-W', 'ignore', script, url, token, 'lab.py'], { encoding: 'utf8' })
  assert.equal(done.status, 0, `${done.stderr.slice(-4_000)}\n${catalog.server.errors()}`)
  const seen = JSON.parse(done.stdout) as Record<string, Rows>
  assert.deepEqual(await both('lab.py'), seen['main'])
  assert.deepEqual(await both('lab.py', 'load'), seen['load'])
  assert.deepEqual(await both('lab.py', 'fix'), seen['fix'])
  assert.deepEqual(seen['load'], [
    ['1', 'uno'],
    ['3', null],
    ['10', 'ten'],
    ['11', null],
  ])
  await millrace('publish', 'lab.py', '--branch', 'load')
  assert.deepEqual(await both('lab.py'), seen['load'])
})
