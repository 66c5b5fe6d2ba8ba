// PyIceberg works on the catalog of a running server: it makes a table, appends, evolves, deletes and reads; then Millrace
// reads what it wrote, row for row, through SQL and through the lake.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { toPath } from '../../src/lake/location.ts'
import { openLake } from '../../src/lake/open-lake.ts'
import { openStore } from '../../src/store/open-store.ts'
import { startCatalog } from '../iceberg/catalog.ts'

const installed = installPyIceberg()
const isRequired = process.env['CI'] === 'true' && process.env['MILLRACE_TEST_ALL'] === '1'
const skip = 'missing' in installed && !isRequired ? `PyIceberg is not available: ${installed.missing}` : false

interface Seen {
  readonly [what: string]: unknown
  readonly snapshots: readonly string[]
  readonly clicks: readonly (readonly [number, string, string])[]
  readonly location: string
}

/** What `rest_client.py` gives to rows 10 to 99 and 1000, by the same formulas in SQL. */
const EXPECTED = `
  SELECT i AS id, if(odd, NULL, TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_hours(i::INTEGER) + to_microseconds(i)) AS "at",
    if(odd, NULL, i % 2 = 0) AS flag, if(odd, NULL, i - 50) AS small, if(odd, NULL, (i / 4)::FLOAT) AS ratio, if(odd, NULL, i / 8) AS wide,
    if(odd, NULL, ((i * 125 - 1000) / 100)::DECIMAL(12, 2)) AS price, if(odd, NULL, DATE '1969-12-01' + i::INTEGER) AS day,
    if(odd, NULL, repeat('ünïcödé ', (i % 3)::INTEGER) || i) AS comment,
    if(odd, NULL, ('00000000-0000-0000-0000-' || lpad(format('{:x}', i), 12, '0'))::UUID) AS ref,
    if(odd, NULL, unhex(lpad(format('{:x}', i % 256), 2, '0') || 'ff')) AS raw,
    if(odd, NULL, TIMESTAMP '1969-12-31 23:59:59.999999' + to_hours(i::INTEGER)) AS local,
    if(i BETWEEN 90 AND 99, i::INTEGER, NULL) AS added
  FROM (SELECT i, i % 7 = 3 AS odd FROM (FROM range(10, 100) AS t(i) UNION ALL SELECT 1000))`

test('PyIceberg and Millrace read what the other wrote through the REST catalog', { skip, timeout: 300_000 }, async () => {
  assert.ok('python' in installed, 'missing' in installed ? installed.missing : '')
  const catalog = await startCatalog({ MILLRACE_FLUSH_MS: '100' })
  try {
    const sent = Array.from({ length: 20 }, (_, id) => ({
      id,
      page: `p${id % 3}`,
      at: new Date(1_700_000_000_000 + id * 1_000).toISOString(),
    }))
    const posted = await catalog.server.post('/streams/clicks', sent.map((row) => JSON.stringify(row)).join('\n'), {
      'content-type': 'application/x-ndjson',
    })
    assert.equal(posted.status, 202)
    await eventually('the rows of the stream are committed', async () => {
      const body = JSON.stringify({ sql: 'SELECT count(*) FROM clicks', freshness: 'committed' })
      const answer = await catalog.server.post('/sql', body, { 'content-type': 'application/json' })
      return Number(((await answer.json()) as { rows: unknown[][] }).rows[0]![0]) === 20
    })
    const made = await catalog.server.post('/admin/tokens', '{"user": "reader", "roles": ["reader"]}', {
      'content-type': 'application/json',
    })
    const { token: readerToken } = (await made.json()) as { token: string }
    const script = join(dirname(fileURLToPath(import.meta.url)), 'rest_client.py')
    const { url, token } = catalog.server
    const done = spawnSync(installed.python, ['-W', 'ignore', script, url, token, readerToken], { encoding: 'utf8', maxBuffer: 1 << 26 })
    assert.equal(done.status, 0, `${done.stderr.slice(-4_000)}\n${catalog.server.errors()}`)
    const seen = JSON.parse(done.stdout) as Seen
    assert.deepEqual(seen['namespaces'], ['lab', 'main', 'py'])
    assert.equal(seen['again'], 'TableAlreadyExistsError')
    assert.equal(seen['count'], 91)
    assert.equal(seen['before'], 60)
    assert.equal(seen['gone'], 'NoSuchTableError')
    assert.deepEqual(seen['nested'], [
      [1, 1, null, null, 3],
      [2, 2, 'again', 'c', 5_000_000_000],
    ])
    assert.deepEqual(await catalog.server.sql('SELECT place, items, sizes FROM py.nested ORDER BY id'), [
      [
        { px: 1, y: null, x: null },
        [{ price: '1.50', seen: '2024-01-01T00:00:00.000000Z', local: '2024-01-01T00:00:00.000001', code: null, sku: null }, null],
        { k: { n: 3 }, none: null },
      ],
      [
        { px: 2, y: 'two', x: 'NaN' },
        [{ price: '2.50', seen: null, local: null, code: 'c', sku: 'again' }, null],
        { k: { n: 5_000_000_000 }, none: null },
      ],
    ])
    assert.equal(seen['policy'], 'ForbiddenError')
    assert.equal(seen['readable'], 2)
    assert.deepEqual(seen['tables'], [
      'main.clicks',
      'main.clicks__late',
      'main.clicks__rejected',
      'main.letters',
      'main.named',
      'main.pages',
      'main.people',
      'main.regions',
      'main.visits',
    ])
    assert.deepEqual(
      seen.clicks.map(([id, page, at]) => ({ id, page, at: new Date(at).toISOString() })),
      sent,
    )
    assert.ok(!existsSync(join(toPath(seen.location), 'data')) || (await nodeDisk.list(join(toPath(seen.location), 'data'))).length === 0)
    assert.deepEqual(await catalog.server.sql('SELECT id, name FROM regions ORDER BY id'), [
      [1, 'north'],
      [2, null],
    ])
    await eventually('the model that reads it is refreshed', async () => {
      const rows = await catalog.server.sql('SELECT regions FROM named')
      return Number(rows[0]?.[0] ?? 0) === 1
    })
    const counted = await catalog.server.sql('SELECT count(*), sum(price)::VARCHAR FROM py.events')
    assert.deepEqual(counted, [[91, seen['sum']]])
    const [earlier] = await catalog.server.sql(`SELECT count(*) FROM py.events AT (VERSION => '${seen.snapshots[0]}')`)
    assert.deepEqual(earlier, [60])
    await catalog.server.stop()
    await comparedWithLake(catalog.data, seen)
  } finally {
    await catalog.stop()
  }
})

test('small files of a table that PyIceberg made are joined, and PyIceberg reads the same rows', { skip, timeout: 300_000 }, async () => {
  const catalog = await startCatalog({ MILLRACE_MAINTENANCE_MS: '500' })
  const run = (how: string): { files: number; ids: number[]; b: number[]; joined: number } => {
    const { url, token } = catalog.server
    const script = join(dirname(fileURLToPath(import.meta.url)), 'small_files.py')
    const done = spawnSync('python' in installed ? installed.python : '', ['-W', 'ignore', script, url, token, how], { encoding: 'utf8' })
    assert.equal(done.status, 0, `${done.stderr.slice(-4_000)}\n${catalog.server.errors()}`)
    return JSON.parse(done.stdout) as ReturnType<typeof run>
  }
  try {
    const written = run('write')
    let read = run('read')
    await eventually('the files are joined', async () => {
      read = run('read')
      return read.files <= 8
    })
    assert.ok(read.joined > 0) // also while it was written
    const ids = Array.from({ length: 36 }, (_, id) => id)
    assert.deepEqual([written.ids, read.ids], [ids, ids])
    assert.deepEqual(
      read.b,
      ids.filter((id) => id % 2 === 1),
    )
  } finally {
    await catalog.stop()
  }
})

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 200; round++) {
    if (await holds()) return
    await systemClock.sleep(100)
  }
  assert.fail(`not within twenty seconds: ${what}`)
}

async function comparedWithLake(data: string, seen: Seen): Promise<void> {
  const store = openStore(join(data, 'control.db'))
  await using engine = await openTestEngine({ directories: [data] })
  try {
    const lake = openLake({
      disk: nodeDisk,
      clock: systemClock,
      random: systemRandom,
      catalog: store.catalog,
      directory: join(data, 'lake'),
    })
    const table = await lake.table('py.events')
    assert.deepEqual(
      table.snapshots.map((snapshot) => String(snapshot.id)),
      seen.snapshots,
    )
    assert.equal(table.properties['reviewed'], 'yes')
    assert.equal(table.refs['second']!.snapshotId, table.snapshots[1]!.id)
    const files = await lake.files(table)
    const found = `SELECT * FROM (${scanSql({ table, files, tails: [] })})`
    for (const [left, right] of [
      [found, EXPECTED],
      [EXPECTED, found],
    ]) {
      const { rows } = await engine.session.rows(`SELECT * FROM (${left} EXCEPT ALL ${right}) ORDER BY id LIMIT 5`)
      assert.deepEqual(rows, [])
    }
    const { rows } = await engine.session.rows(`SELECT count(*), sum(price)::VARCHAR FROM (${found})`)
    assert.deepEqual([Number(rows[0]![0]), rows[0]![1]], [91, seen['sum']])
    const pruned = await lake.files(table, undefined, [{ column: 'at', op: '<', values: ['2024-01-02 00:00:00'] }])
    assert.ok(pruned.length > 0 && pruned.length < files.length, `${pruned.length} of ${files.length} files`)
  } finally {
    await store.close()
  }
}
