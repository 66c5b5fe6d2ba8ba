// Stored tables as an administrator sees them: tags and time travel under a policy, verify, a damaged data file and a damaged
// metadata file, restore with and without a server, advice. The real program, black-box.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startServer, type TestServer } from '../server/server.ts'
import { type Printed, runMillrace } from './millrace.ts'

// Beside this file: a project outside of the repository would need the package installed.
const project = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), 'work-'))
const data = mkdtempSync(join(tmpdir(), 'millrace-storage-'))
let server: TestServer

const PROJECT = `
import { grant, http, policy, project, role, t, table } from 'millrace'
export const orders = table('orders', { id: t.string(), country: t.string(), amount: t.long() }, { from: http(), key: 'id' })
export const analyst = role('analyst', { country: t.string() })
export const reads = grant('reads', { to: [analyst], on: [orders] })
export const own = policy('own', { on: orders, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export default project('storage', [{ orders, analyst, reads, own }])
`

const millrace = (...args: string[]): Promise<Printed> => {
  const own = args.includes('--data') ? [] : ['--data', data]
  return runMillrace([...args, '--project', project, ...own], { MILLRACE_LOG: 'error' })
}

async function json<T>(args: readonly string[], status = 0): Promise<T> {
  const printed = await millrace(...args, '--json')
  assert.equal(printed.status, status, printed.out + printed.errors)
  return JSON.parse(status === 0 || printed.out ? printed.out : printed.errors.trim().split('\n').at(-1)!) as T
}

interface Verified {
  readonly audit: unknown
  readonly relations: { name: string; rows: number | null; error: string | null }[]
  readonly storage: {
    readonly tables: { table: string; snapshots: number; damage: { path: string; what: string; snapshots: string[] }[]; good: string[] }[]
    readonly offsets: number
    readonly gaps: unknown[]
  }
}
interface Failure {
  readonly code: string
  readonly message: string
  readonly fix: string
}

const start = async (): Promise<void> => {
  server = await startServer({ project, data, env: { MILLRACE_FLUSH_MS: '200' } })
}
const ordersOf = (verified: Verified) => verified.storage.tables.find(({ table }) => table === 'orders')!
const snapshots = async (): Promise<string[]> =>
  (await server.sql("SELECT snapshot_id::VARCHAR FROM millrace.snapshots WHERE relation = 'orders' ORDER BY sequence")).map(([id]) =>
    String(id),
  )

/** Sends rows and waits until they are in a snapshot of their own. */
async function commit(...rows: readonly { id: string; country: string; amount: number }[]): Promise<void> {
  const before = (await snapshots()).length
  const body = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  assert.equal((await server.post('/streams/orders', body, { 'content-type': 'application/x-ndjson' })).status, 202)
  for (let tries = 0; (await snapshots()).length === before; tries++) {
    assert.ok(tries < 200, 'nothing was committed')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

before(async () => {
  mkdirSync(project, { recursive: true })
  writeFileSync(join(project, 'millrace.ts'), PROJECT)
  await start()
})
after(() => {
  server?.child.kill('SIGKILL')
  rmSync(project, { recursive: true, force: true })
  rmSync(data, { recursive: true, force: true })
})

test('a tag names a snapshot, also for those whom a policy shows some rows only', async () => {
  await commit(
    { id: 'a', country: 'France', amount: 1 },
    { id: 'b', country: 'Spain', amount: 2 },
    { id: 'c', country: 'France', amount: 3 },
  )
  const made = await json<{ name: string; snapshot: string }>(['tag', 'create', 'orders', 'first'])
  assert.deepEqual([made.name, made.snapshot], ['first', (await snapshots()).at(-1)])
  await commit({ id: 'a', country: 'France', amount: 10 }, { id: 'd', country: 'France', amount: 4 })
  const asked = "SELECT id, amount FROM orders AT (VERSION => 'first') ORDER BY id"
  assert.deepEqual(await server.sql(asked), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ])
  const french = { 'millrace-as': 'analyst', 'millrace-as-attributes': '{"country":"France"}' }
  assert.deepEqual(await server.sql(asked, french), [
    ['a', 1],
    ['c', 3],
  ])
  assert.deepEqual(await server.sql('SELECT id, amount FROM orders ORDER BY id', french), [
    ['a', 10],
    ['c', 3],
    ['d', 4],
  ])
  await assert.rejects(server.sql("SELECT * FROM orders AT (VERSION => 'other')", french), /MR_LAKE_SNAPSHOT_UNKNOWN/)
  const second = await json<{ snapshot: string }>(['tag', 'create', 'orders', 'again', '--snapshot', 'first', '--keep', '90 days'])
  assert.equal(second.snapshot, made.snapshot)
  assert.deepEqual(
    (await json<{ name: string }[]>(['tag', 'list', 'orders'])).map(({ name }) => name),
    ['first', 'again'],
  )
  assert.deepEqual(await json(['tag', 'remove', 'orders', 'again']), { table: 'orders', removed: 'again' })
  for (const [name, code] of [
    ['main', 'MR_LAKE_SPEC'],
    ['123', 'MR_LAKE_SPEC'],
  ] as const)
    assert.equal((await json<Failure>(['tag', 'create', 'orders', name], 1)).code, code)
  assert.equal((await json<Failure>(['tag', 'remove', 'orders', 'again'], 1)).code, 'MR_LAKE_SNAPSHOT_UNKNOWN')
  assert.equal((await json<Failure>(['tag', 'create', 'nothing', 'x'], 1)).code, 'MR_LAKE_TABLE_UNKNOWN')
  const denied = await server.post('/admin/relations/orders/tags', '{"tag":"x"}', { ...french, 'content-type': 'application/json' })
  assert.equal(denied.status, 403)
})

test('verify finds everything whole, and advice nothing to mend', async () => {
  const verified = await json<Verified>(['verify'])
  assert.deepEqual(verified.relations, [{ name: 'orders', rows: 4, error: null }])
  assert.ok(verified.storage.tables.length >= 2, 'the table of rejected rows is looked at too')
  assert.deepEqual(
    verified.storage.tables.flatMap(({ damage }) => damage),
    [],
  )
  assert.deepEqual(ordersOf(verified).good, (await snapshots()).toReversed())
  assert.equal(verified.storage.offsets, 1)
  assert.deepEqual(verified.storage.gaps, [])
  assert.match((await millrace('verify')).out, /all there and whole\n1 committed offset fits the log\norders: 4 rows/)
  const diagnoses = await json<{ subject: string; state: string }[]>(['doctor'])
  assert.equal(diagnoses.find(({ subject }) => subject === 'tables')?.state, 'ok')
})

test('a table goes back to a tag and forward again; what comes later is added to it', async () => {
  const newest = (await snapshots()).at(-1)!
  const restored = await json<{ snapshot: string; rows: number }>(['restore', 'orders', '--to', 'first'])
  assert.equal(restored.rows, 3)
  assert.deepEqual(await server.sql('SELECT id, amount FROM orders ORDER BY id'), [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ])
  await commit({ id: 'e', country: 'Spain', amount: 5 })
  assert.deepEqual(await server.sql('SELECT count(*), sum(amount) FROM orders'), [[4, 11]])
  assert.equal((await json<{ from: string }>(['restore', 'orders', '--to', newest])).from, newest)
  assert.deepEqual(await server.sql('SELECT count(*), sum(amount) FROM orders'), [[4, 19]])
  assert.equal((await json<Failure>(['restore', 'orders', '--to', '17'], 1)).code, 'MR_LAKE_SNAPSHOT_UNKNOWN')
  assert.equal((await json<Failure>(['restore', 'orders'], 2)).code, 'MR_USAGE')
})

const filesOf = (folder: string): string[] => readdirSync(join(data, 'lake', 'orders', folder), { recursive: true, encoding: 'utf8' })

test('a damaged data file is named with the snapshots that are good, to administrators only, and going back heals', async () => {
  const before = new Set(filesOf('data'))
  await commit({ id: 'f', country: 'France', amount: 6 })
  const path = join(data, 'lake', 'orders', 'data', filesOf('data').find((name) => name.endsWith('.parquet') && !before.has(name))!)
  const bytes = readFileSync(path)
  writeFileSync(path, Buffer.concat([bytes.subarray(0, bytes.length - 60), Buffer.alloc(60, 0xff)]))
  const asked = 'SELECT sum(amount), max(id) FROM orders'
  const failed = await json<Failure>(['query', asked], 1)
  assert.equal(failed.code, 'MR_LAKE_CORRUPT')
  assert.ok(failed.message.includes(path), failed.message)
  const [bad, good] = (await snapshots()).toReversed()
  assert.ok(failed.fix.includes(`millrace restore orders --to ${good}`) && !failed.fix.includes(bad!), failed.fix)
  const restricted = await server.post('/sql', JSON.stringify({ sql: asked }), {
    'content-type': 'application/json',
    'millrace-as': 'analyst',
    'millrace-as-attributes': '{"country":"France"}',
  })
  assert.doesNotMatch(await restricted.text(), /parquet|lake/)
  const verified = await json<Verified>(['verify'], 1)
  assert.deepEqual(
    ordersOf(verified).damage.map((one) => [one.path, one.snapshots]),
    [[path, [bad]]],
  )
  assert.equal(ordersOf(verified).good[0], good)
  const refused = await json<Failure>(['restore', 'orders', '--to', bad!], 1)
  assert.equal(refused.code, 'MR_LAKE_CORRUPT')
  assert.ok(refused.message.includes(path) && refused.fix.includes(good!), refused.message)
  await json(['restore', 'orders', '--to', good!])
  assert.deepEqual(await server.sql('SELECT count(*), sum(amount) FROM orders'), [[4, 19]])
})

test('damaged metadata keeps the server shut; verify and restore work without one and open it again', async () => {
  await server.stop()
  const folder = join(data, 'lake', 'orders', 'metadata')
  const newest = filesOf('metadata')
    .filter((name) => name.endsWith('.metadata.json'))
    .sort()
    .at(-1)!
  writeFileSync(join(folder, newest), '{"format-version": 2, "table-uuid"')
  await assert.rejects(start(), (error: Error) => {
    assert.match(error.message, /MR_LAKE_CORRUPT/)
    assert.ok(error.message.includes(newest), error.message)
    assert.match(error.message, /millrace restore orders --to \d+/)
    return true
  })
  const verified = await json<Verified>(['verify'], 1)
  const { damage, good } = ordersOf(verified)
  assert.ok(
    damage.some((one) => one.path.endsWith(newest)),
    JSON.stringify(damage),
  )
  const restored = await json<{ from: string; rows: number }>(['restore', 'orders', '--to', good[0]!])
  assert.equal(restored.from, good[0])
  await start()
  assert.deepEqual(await server.sql('SELECT count(*) FROM orders'), [[restored.rows]])
  await commit({ id: 'g', country: 'Spain', amount: 7 })
  assert.deepEqual(await server.sql("SELECT amount FROM orders WHERE id = 'g'"), [[7]])
  const audited = (await server.sql("SELECT action FROM millrace.audit WHERE action IN ('restore', 'tag', 'untag')")).map(
    ([action]) => action,
  )
  assert.deepEqual([...new Set(audited)].sort(), ['restore', 'tag', 'untag'])
})

test('without data or a server: what there is to do', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'millrace-empty-'))
  for (const args of [['verify'], ['restore', 'orders', '--to', '1'], ['tag', 'list', 'orders']]) {
    const printed = await millrace(...args, '--json', '--data', empty)
    assert.equal(printed.status, 1, printed.out)
    assert.match(printed.errors, /MR_NOT_READY/)
  }
  assert.deepEqual(readdirSync(empty), [], 'nothing was made')
  rmSync(empty, { recursive: true })
})
