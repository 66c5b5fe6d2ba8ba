// Each kind of file of a table, cut, garbled or missing, as a user meets it: the question names the file, the snapshots that are
// good and the way back; `verify` says the same; going back heals. And metadata of a version to come. The real program, black-box.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { startServer, type TestServer } from '../server/server.ts'
import { type Printed, runMillrace } from './millrace.ts'

const place = mkdtempSync(join(tmpdir(), 'millrace-damaged-'))
const data = join(place, 'data')
const folder = join(data, 'lake', 'orders')

const PROJECT = `
import { http, project, t, table } from 'millrace'
export const orders = table('orders', { id: t.string(), amount: t.long() }, { from: http(), key: 'id', iceberg: { version: 3 } })
export default project('damaged', [orders])
`

const start = (): Promise<TestServer> => startServer({ project: place, data, env: { MILLRACE_FLUSH_MS: '100' } })

const millrace = (...args: string[]): Promise<Printed> =>
  runMillrace([...args, '--data', data, '--project', place], { MILLRACE_LOG: 'fatal' })

interface Verified {
  readonly storage: { readonly tables: { table: string; damage: { path: string }[]; good: string[]; current: string | null }[] }
}

const verified = async (): Promise<Verified['storage']['tables'][number]> => {
  const { out } = await millrace('verify', '--json')
  return (JSON.parse(out) as Verified).storage.tables.find(({ table }) => table === 'orders')!
}

const files = (ending: RegExp): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => ending.test(name))
    .map((name) => join(folder, name))
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs || (a < b ? -1 : 1))

/** Ids and what `orders` has at each, oldest first. */
const history: { id: string; rows: unknown[][] }[] = []

before(async () => {
  writeFileSync(join(place, 'millrace.ts'), PROJECT)
  const server = await start()
  const all = "SELECT snapshot_id::VARCHAR FROM millrace.snapshots WHERE relation = 'orders' ORDER BY sequence"
  for (let round = 0; round < 3; round++) {
    // The first file has 40 rows; later ones replace few of them, which deletion vectors say.
    const rows = Array.from({ length: round === 0 ? 40 : 3 }, (_, i) => `${JSON.stringify({ id: `k${i}`, amount: round })}\n`)
    await server.post('/streams/orders', rows.join(''), { 'content-type': 'application/x-ndjson' })
    for (let tries = 0; (await server.sql(all)).length === round; tries++) {
      assert.ok(tries < 200, 'nothing was committed')
      await systemClock.sleep(50)
    }
  }
  for (const [id] of await server.sql(all)) {
    const rows = await server.sql(`SELECT count(*)::INTEGER, sum(amount)::INTEGER FROM orders AT (VERSION => ${id})`)
    history.push({ id: String(id), rows })
  }
  assert.equal(await server.stop(), 0)
  assert.equal(history.length, 3)
  cpSync(data, join(place, 'whole'), { recursive: true, preserveTimestamps: true })
})
after(() => rmSync(place, { recursive: true, force: true }))

const cut = (path: string): void => truncateSync(path, statSync(path).size >> 1)
const garble = (path: string): void =>
  writeFileSync(
    path,
    readFileSync(path).map((byte, i) => (i >= 8 && i < 60 ? byte ^ 0x5a : byte)),
  )

const CASES: readonly {
  readonly what: string
  readonly path: () => string
  readonly damage: (path: string) => void
  /** How many of the snapshots stay good. */
  readonly good: number
}[] = [
  { what: 'a list that is cut', path: () => files(/snap-.*\.avro$/).at(-1)!, damage: cut, good: 2 },
  { what: 'a list that is missing', path: () => files(/snap-.*\.avro$/).at(-1)!, damage: rmSync, good: 2 },
  { what: 'a manifest that is garbled', path: () => files(/-m0\.avro$/).at(-1)!, damage: garble, good: 2 },
  { what: 'a data file that is missing', path: () => files(/\.parquet$/).at(-1)!, damage: rmSync, good: 2 },
  { what: 'a data file whose pages are garbled', path: () => files(/\.parquet$/).at(-1)!, damage: garble, good: 2 },
  { what: 'the first data file, cut', path: () => files(/\.parquet$/)[0]!, damage: cut, good: 0 },
  { what: 'deletion vectors that are garbled', path: () => files(/\.puffin$/)[0]!, damage: garble, good: 1 },
]

const reset = (): void => {
  rmSync(data, { recursive: true })
  cpSync(join(place, 'whole'), data, { recursive: true, preserveTimestamps: true })
}

for (const { what, path, damage, good } of CASES)
  test(`${what} is named with what is still good, and going back heals`, async () => {
    reset()
    const damaged = path()
    damage(damaged)
    const server = await start()
    try {
      const failed = await server.sql('SELECT sum(amount), max(id) FROM orders').then(
        () => '',
        (error: Error) => error.message,
      )
      assert.match(failed, /^MR_LAKE_CORRUPT/)
      assert.ok(failed.includes(damaged), failed)
      const response = await server.post('/sql', JSON.stringify({ sql: 'SELECT sum(amount), max(id) FROM orders' }), {
        'content-type': 'application/json',
      })
      const { fix } = (await response.json()) as { fix: string }
      const still = history.slice(0, good)
      assert.match(fix, good > 0 ? new RegExp(`millrace restore orders --to ${still.at(-1)!.id}`) : /no snapshot of orders is whole/)
      for (const { id } of still) assert.ok(fix.includes(id), fix)
      const found = await verified()
      assert.ok(
        found.damage.some((one) => one.path.endsWith(damaged)),
        JSON.stringify(found),
      )
      assert.deepEqual(found.good, still.map(({ id }) => id).toReversed())
      if (good === 0) return
      assert.equal((await millrace('restore', 'orders', '--to', still.at(-1)!.id)).status, 0)
      assert.deepEqual(await server.sql('SELECT count(*)::INTEGER, sum(amount)::INTEGER FROM orders'), still.at(-1)!.rows)
      assert.match((await millrace('verify')).out, /what the table is now is whole/)
    } finally {
      await server.stop()
    }
  })

test('metadata of a version to come is refused and not gone back from', async () => {
  reset()
  const newest = files(/\.metadata\.json$/).at(-1)!
  writeFileSync(newest, readFileSync(newest, 'utf8').replace('"format-version":3', '"format-version":4'))
  await assert.rejects(start(), /MR_LAKE_VERSION/)
  const printed = await millrace('restore', 'orders', '--to', history[0]!.id, '--json')
  assert.equal(printed.status, 1)
  assert.match(printed.errors, /MR_LAKE_VERSION/)
  assert.match(readFileSync(newest, 'utf8'), /"format-version":4/)
})
