// The program with its lake in S3, black-box, over a real server: what is written lies in the bucket, is durable before it is
// committed, and comes back through the cache; the log and the catalog stay here. Skipped where the server cannot be had.
import assert from 'node:assert/strict'
import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { runMillrace } from '../cli/millrace.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const project = join(root, 'test', 'objects', 'project')
const data = mkdtempSync(join(tmpdir(), 'millrace-objects-'))
after(() => rmSync(data, { recursive: true, force: true }))

const s3 = await startS3()
if ('missing' in s3) test('a lake in S3', { skip: s3.missing }, () => {})
else {
  after(() => s3.stop())
  s3.makeBucket('lake')
  const env = {
    LAKE_ENDPOINT: s3.endpoint,
    LAKE_KEY: s3.accessKeyId,
    LAKE_SECRET: s3.secretAccessKey,
    MILLRACE_FLUSH_MS: '600000',
  }
  const start = (more: Record<string, string> = {}, at = data): Promise<TestServer> =>
    startServer({ project, data: at, env: { ...env, ...more } })
  const bucket = join(s3.directory, 'lake')
  const objects = (folder = ''): string[] =>
    existsSync(join(bucket, folder))
      ? readdirSync(join(bucket, folder), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(bucket.length + 1))
          .filter((name) => !name.startsWith('.'))
      : []
  const cached = (): string[] => readdirSync(join(data, 'cache')).map((name) => join(data, 'cache', name))
  const millrace = (...args: string[]) => runMillrace([...args, '--project', project, '--data', data], { ...env, MILLRACE_LOG: 'error' })
  const ndjson = { 'content-type': 'application/x-ndjson' }
  const click = (id: number, day: number): string =>
    `${JSON.stringify({ id, page: ['home', 'cart'][id % 2], seen: `2026-05-0${day}T10:00:00Z` })}\n`
  const eventually = async (server: TestServer, sql: string, expected: unknown[][]): Promise<void> => {
    for (let tries = 0; ; tries++) {
      const rows = await server.sql(sql).catch((error) => [[String(error)]])
      try {
        return assert.deepEqual(rows, expected)
      } catch (error) {
        if (tries > 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
  }
  const PER_DAY = 'SELECT CAST(day AS text), page, clicks FROM per_day ORDER BY ALL'
  const first = [
    ['2026-05-01', 'cart', 10],
    ['2026-05-01', 'home', 10],
  ]

  test('a stream, a keyed table, a load and an incremental model live in the bucket', async () => {
    const server = await start()
    try {
      await server.post('/streams/clicks', Array.from({ length: 20 }, (_, i) => click(i, 1)).join(''), ndjson)
      await server.post('/streams/customers', '{"id":"a","country":"FR"}\n{"id":"b","country":"DE"}\n', ndjson)
      await eventually(server, 'SELECT count(*) FROM clicks', [[20]])
      await server.stop()
    } finally {
      server.child.kill('SIGKILL')
    }
    // The last flush of an orderly stop.
    const again = await start()
    try {
      await eventually(again, PER_DAY, first)
      await eventually(again, 'SELECT page, price FROM products ORDER BY page', [
        ['cart', '12.50'],
        ['home', '0.00'],
      ])
      await again.post('/streams/customers', '{"id":"a","country":"IT"}\n', ndjson)
      await eventually(again, 'SELECT id, country FROM customers ORDER BY id', [
        ['a', 'IT'],
        ['b', 'DE'],
      ])
      const metrics = await (await again.get('/metrics')).text()
      assert.match(metrics, /millrace_cache_bytes [1-9]/)
    } finally {
      await again.stop()
    }
    const stored = objects()
    for (const table of ['clicks', 'customers', 'products', 'per_day']) {
      assert.ok(
        stored.some((name) => name.startsWith(`shop/one/lake/${table}/data/`) && name.endsWith('.parquet')),
        `${table}: ${stored}`,
      )
      assert.ok(stored.some((name) => name.startsWith(`shop/one/lake/${table}/metadata/`) && name.endsWith('.metadata.json')))
    }
    assert.ok(stored.some((name) => name.startsWith('shop/one/checkpoints/')))
    assert.ok(!stored.some((name) => name.includes('=')), 'names of objects hold no values of rows')
    assert.deepEqual(readdirSync(join(data, 'lake')), [], 'no table lies in the data directory')
    const metadata = stored.filter((name) => name.includes('clicks/metadata') && name.endsWith('.json')).sort()
    assert.match(readFileSync(join(bucket, metadata.at(-1)!), 'utf8'), /"location":\s*"s3:\/\/lake\/shop\/one\/lake\/clicks"/)
  })

  test('a start with an empty cache reads from the bucket; one with a cache that was cut or garbled notices', async () => {
    rmSync(join(data, 'cache'), { recursive: true })
    const cold = await start()
    try {
      await eventually(cold, 'SELECT count(*), count(DISTINCT page) FROM clicks', [[20, 2]])
      await eventually(cold, 'SELECT id, country FROM customers ORDER BY id', [
        ['a', 'IT'],
        ['b', 'DE'],
      ])
      // While it runs.
      for (const file of cached()) {
        const size = statSync(file).size
        truncateSync(file, size >> 1)
        appendFileSync(file, Buffer.alloc(size - (size >> 1), 'x'))
      }
      await eventually(cold, 'SELECT sum(id), count(DISTINCT page) FROM clicks', [[190, 2]])
      assert.match(await (await cold.get('/metrics')).text(), /millrace_cache_damaged_total [1-9]/)
    } finally {
      await cold.stop()
    }
    for (const file of cached()) truncateSync(file, 10)
    writeFileSync(join(data, 'cache', 'left.tmp'), 'half')
    const warm = await start()
    try {
      await eventually(warm, 'SELECT sum(id) FROM clicks', [[190]])
      assert.ok(!existsSync(join(data, 'cache', 'left.tmp')))
    } finally {
      await warm.stop()
    }
  })

  test('killed between requests, nothing is lost or doubled; what it left is not seen', async () => {
    const server = await start({ MILLRACE_FLUSH_MS: '50' })
    let sent = 20
    for (let round = 0; round < 20; round++, sent++) {
      const { status } = await server.post('/streams/clicks', click(sent, 2), ndjson)
      assert.equal(status, 202)
    }
    await server.kill('SIGKILL')
    const again = await start()
    try {
      await eventually(again, 'SELECT count(*), count(DISTINCT id), max(id) FROM clicks', [[40, 40, 39]])
    } finally {
      await again.stop()
    }
  })

  test('verify, restore and time travel work there, with and without a server', async () => {
    const verified = await millrace('verify', '--json')
    assert.equal(verified.status, 0, verified.out + verified.errors)
    const { storage } = JSON.parse(verified.out) as { storage: { tables: { table: string; damage: unknown[]; good: string[] }[] } }
    assert.deepEqual(
      storage.tables.map(({ table, damage }) => [table, damage]).filter(([, damage]) => (damage as unknown[]).length > 0),
      [],
    )
    const { good } = storage.tables.find(({ table }) => table === 'clicks')!
    const restored = await millrace('restore', 'clicks', '--to', good.at(-1)!, '--json')
    assert.equal(restored.status, 0, restored.out + restored.errors)
    const server = await start()
    try {
      await eventually(server, 'SELECT count(*) FROM clicks', [[20]])
      await eventually(server, `SELECT count(*) FROM clicks AT (VERSION => ${good[0]})`, [[40]])
    } finally {
      await server.stop()
    }
    const damaged = objects('shop/one/lake/customers/data')
    for (const name of damaged) truncateSync(join(bucket, name), 20)
    const found = await millrace('verify', '--json')
    assert.equal(found.status, 1)
    assert.ok(
      damaged.every((name) => found.out.includes(`s3://lake/${name}`)),
      found.out,
    )
  })

  test('a place belongs to one data directory', async () => {
    const other = mkdtempSync(join(tmpdir(), 'millrace-objects-other-'))
    try {
      await assert.rejects(start({}, other), /MR_OBJECT_STORE.*is the lake of another data directory/)
    } finally {
      rmSync(other, { recursive: true })
    }
  })

  test('a missing bucket and wrong credentials stop the start, saying what to do', async () => {
    const fresh = mkdtempSync(join(tmpdir(), 'millrace-objects-bad-'))
    try {
      await assert.rejects(start({ LAKE_BUCKET: 'absent' }, fresh), (error: Error) => {
        assert.match(error.message, /MR_OBJECT_BUCKET/)
        assert.match(error.message, /the bucket ."absent." does not exist/)
        return true
      })
      await assert.rejects(start({ LAKE_SECRET: 'wrong' }, fresh), (error: Error) => {
        assert.match(error.message, /MR_OBJECT_DENIED/)
        assert.match(error.message, /right to read, write, list and delete in the bucket ."lake."/)
        return true
      })
    } finally {
      rmSync(fresh, { recursive: true })
    }
  })
}
