// The program with its lake in Azure Blob, Google Cloud Storage and HDFS, black-box: rows go in, the process is killed, and one
// that has no copy of anything answers, goes on writing and verifies.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { runMillrace } from '../cli/millrace.ts'
import { startServer, type TestServer } from '../server/server.ts'
import { LAKES } from './lakes.ts'

const ndjson = { 'content-type': 'application/x-ndjson' }
const rows = (from: number, to: number): string =>
  Array.from(
    { length: to - from },
    (_, i) => `${JSON.stringify({ id: from + i, page: `p${i % 3}`, seen: '2026-05-01T10:00:00Z' })}\n`,
  ).join('')

async function eventually(server: TestServer, sql: string, expected: unknown[][]): Promise<void> {
  for (let tries = 0; ; tries++) {
    const found = await server.sql(sql).catch((error) => [[String(error)]])
    try {
      return assert.deepEqual(found, expected)
    } catch (error) {
      if (tries > 200) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

for (const [name, start] of Object.entries(LAKES)) {
  // S3 has `s3-lake.test.ts`.
  if (name === 's3Lake') continue
  const lake = await start()
  if ('missing' in lake) {
    test(name, { skip: lake.missing }, () => {})
    continue
  }
  after(() => lake.stop())
  test(name, async () => {
    const project = mkdtempSync(join(dirname(fileURLToPath(import.meta.url)), 'work-'))
    const data = mkdtempSync(join(tmpdir(), 'millrace-lake-'))
    writeFileSync(
      join(project, 'millrace.ts'),
      `import { config, embedded, http, model, project, secret, sql, stream, t, table, ${name} } from 'millrace'
void [config, secret]
export const clicks = stream('clicks', { id: t.int(), page: t.string(), seen: t.timestamp() }, { from: http(), time: 'seen', partition: ['page'] })
export const pages = table('pages', { page: t.string(), title: t.string() }, { from: http(), key: 'page' })
export const perPage = model('per_page', sql\`SELECT page, count(*) AS clicks FROM \${clicks} GROUP BY ALL\`)
export default project('lakes', [{ clicks, pages, perPage }], { environments: { dev: embedded({ lake: ${lake.code} }) } })
`,
    )
    const begin = (flushMs: number): Promise<TestServer> =>
      startServer({ project, data, env: { ...lake.env, MILLRACE_FLUSH_MS: String(flushMs) } })
    try {
      const first = await begin(200)
      await first.post('/streams/clicks', rows(0, 300), ndjson)
      await first.post('/streams/pages', '{"page":"p0","title":"a"}\n{"page":"p1","title":"b"}\n', ndjson)
      await first.post('/streams/pages', '{"page":"p0","title":"c"}\n', ndjson)
      await eventually(first, 'SELECT page, clicks FROM per_page ORDER BY page', [
        ['p0', 100],
        ['p1', 100],
        ['p2', 100],
      ])
      await first.post('/streams/clicks', rows(300, 330), ndjson)
      await first.kill('SIGKILL')
      rmSync(join(data, 'cache'), { recursive: true })
      const second = await begin(600_000)
      await eventually(second, 'SELECT count(*), count(DISTINCT id) FROM clicks', [[330, 330]])
      await eventually(second, 'SELECT page, title FROM pages ORDER BY page', [
        ['p0', 'c'],
        ['p1', 'b'],
      ])
      assert.equal(await second.stop(), 0)
      assert.deepEqual(readdirSync(join(data, 'lake')), [])
      const env = { ...lake.env, MILLRACE_LOG: 'error' }
      const { out, errors } = await runMillrace(['verify', '--project', project, '--data', data, '--json'], env)
      const { storage } = JSON.parse(out || errors) as { storage: { tables: { table: string; files: number; damage: unknown[] }[] } }
      assert.ok(storage.tables.length >= 3)
      for (const { table, damage } of storage.tables) assert.deepEqual(damage, [], table)
      assert.ok(storage.tables.find(({ table }) => table === 'clicks')!.files > 4)
    } finally {
      rmSync(project, { recursive: true })
      rmSync(data, { recursive: true })
    }
  })
}
