// Iceberg's Java libraries, which the engines of the JVM contain, work on a running server: they read the Parquet that
// Millrace wrote and write their own; then Millrace reads that through SQL, row for row.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { installKit } from '../../scripts/servers/rck.ts'
import { systemClock } from '../../src/core/clock.ts'
import { startCatalog, type TestCatalog } from '../iceberg/catalog.ts'

const kit = installKit()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in kit && !isRequired ? `Iceberg's Java libraries are not available: ${kit.missing}` : false

/** Rows of one kind as the program printed them, in the order of their first column. */
const printed = (output: string, what: string): string[][] =>
  output
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([first]) => first === what)
    .map(([, ...row]) => row)
    .sort((a, b) => Number(a[0]) - Number(b[0]))

async function isCommitted({ server }: TestCatalog, rows: number): Promise<boolean> {
  const body = JSON.stringify({ sql: 'SELECT count(*) FROM clicks', freshness: 'committed' })
  const answer = await server.post('/sql', body, { 'content-type': 'application/json' })
  return Number(((await answer.json()) as { rows: unknown[][] }).rows[0]![0]) === rows
}

const instant = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

test("Java's libraries and Millrace read what the other wrote", { skip, timeout: 300_000 }, async () => {
  assert.ok('classPath' in kit, 'missing' in kit ? kit.missing : '')
  const catalog = await startCatalog({ MILLRACE_FLUSH_MS: '100' })
  try {
    const start = 1_700_000_000_000
    const sent = Array.from({ length: 20 }, (_, id) => ({ id, page: `p${id % 3}`, at: new Date(start + id * 1_000).toISOString() }))
    const rows = sent.map((row) => JSON.stringify(row)).join('\n')
    assert.equal((await catalog.server.post('/streams/clicks', rows, { 'content-type': 'application/x-ndjson' })).status, 202)
    for (let round = 0; round < 200 && !(await isCommitted(catalog, 20)); round++) await systemClock.sleep(100)
    const { url, token } = catalog.server
    const done = spawnSync('java', ['-cp', kit.classPath, 'ReadWrite', url, token], { encoding: 'utf8', maxBuffer: 1 << 26 })
    assert.equal(done.status, 0, `${done.stderr.slice(-4_000)}\n${catalog.server.errors()}`)
    assert.deepEqual(
      printed(done.stdout, 'clicks').map(([id, page, at]) => [id, page, instant(Date.parse(at!))]),
      sent.map(({ id, page, at }) => [String(id), page, instant(Date.parse(at))]),
    )
    assert.deepEqual(
      printed(done.stdout, 'filtered').map(([id]) => Number(id)),
      [15, 16, 17, 18, 19],
    )
    const found = await catalog.server.sql(
      `SELECT id::VARCHAR, strftime("at", '%Y-%m-%dT%H:%M:%S.%fZ'), price::VARCHAR, comment, added::VARCHAR FROM java.events ORDER BY id`,
    )
    assert.deepEqual(
      found,
      Array.from({ length: 65 }, (_, id) => expected(id)),
    )
    assert.deepEqual(
      printed(done.stdout, 'events').map(([id, , price, comment, added]) => [id, price, comment, added]),
      found.map(([id, , price, comment, added]) => [id, String(price), String(comment), String(added)]),
    )
    assert.deepEqual(await catalog.server.sql('SELECT count(*), sum(id) FROM java.audit'), [[3, 3]])
    assert.equal(printed(done.stdout, 'audit').length, 3)
    assert.deepEqual(await catalog.server.sql(`SELECT count(*) FROM java.events AT (VERSION => 'whole')`), [[60]])
  } finally {
    await catalog.stop()
  }
})

/** What the program gives to a row, by the same formulas. */
function expected(id: number): (string | null)[] {
  const isOdd = id % 7 === 3
  const at = new Date(Date.UTC(2024, 0, 1, id)).toISOString().replace('.000Z', `.${String(id).padStart(6, '0')}Z`)
  const added = id < 40 ? null : String(id)
  return isOdd ? [String(id), null, null, null, added] : [String(id), at, ((id * 125 - 1000) / 100).toFixed(2), `ü${id}`, added]
}
