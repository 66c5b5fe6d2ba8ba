// The program on a data directory whose tables lie in it, then relocated to S3: the tables of before come from the bucket afterwards,
// with their history, and nothing is left of them here. Skipped where the server cannot be had.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { runMillrace } from '../cli/millrace.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const place = mkdtempSync(join(tmpdir(), 'millrace-relocation-'))
after(() => rmSync(place, { recursive: true, force: true }))
const [project, data] = [join(place, 'project'), join(place, 'data')]

const s3 = await startS3()
if ('missing' in s3) test('relocation to S3', { skip: s3.missing }, () => {})
else {
  after(() => s3.stop())
  s3.makeBucket('lake')
  const env = { LAKE_ENDPOINT: s3.endpoint, LAKE_KEY: s3.accessKeyId, LAKE_SECRET: s3.secretAccessKey }
  const millrace = (...args: string[]) => runMillrace([...args, '--project', project, '--data', data], { ...env, MILLRACE_LOG: 'error' })
  const withServer = async (body: (server: TestServer) => Promise<void>): Promise<void> => {
    const server = await startServer({ project, data, env })
    try {
      await body(server)
      await server.stop()
    } finally {
      server.child.kill('SIGKILL')
    }
  }
  const left = (): string[] =>
    readdirSync(join(data, 'lake'), { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))

  test('tables of a data directory move to S3', async () => {
    cpSync(join(root, 'test', 'objects', 'project'), project, { recursive: true })
    const entry = join(project, 'millrace.ts')
    const inS3 = readFileSync(entry, 'utf8')
    writeFileSync(entry, inS3.replace(/lake: s3Lake\(\{[^}]*\}\),/, ''))
    const COUNT = 'SELECT page, count(*) FROM clicks GROUP BY ALL ORDER BY ALL'
    const rows = Array.from({ length: 20 }, (_, id) => ({
      id,
      page: ['home', 'cart'][id % 2],
      seen: `2026-05-0${1 + Math.floor(id / 7)}T10:00:00Z`,
    }))
    const expected = [
      ['cart', 10],
      ['home', 10],
    ]
    await withServer(async (server) => {
      const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
      await server.post('/streams/clicks', text, { 'content-type': 'application/x-ndjson' })
      assert.equal((await millrace('relocate')).errors.includes('MR_DATA_LOCKED'), true)
    })
    const refused = await millrace('relocate', '--json')
    assert.equal(JSON.parse(refused.errors).code, 'MR_USAGE', 'the project has no other place yet')
    writeFileSync(entry, inS3)
    await withServer(async (server) => assert.deepEqual(await server.sql(COUNT), expected))
    const planned = JSON.parse((await millrace('relocate', '--dry-run', '--json')).out)
    assert.ok(planned.files > 0 && left().length > 0)
    const done = await millrace('relocate', '--remove-old', '--json')
    assert.equal(done.status, 0, done.errors)
    const { files, bytes, to } = JSON.parse(done.out)
    assert.deepEqual([files, bytes, to], [planned.files, planned.bytes, 's3://lake/shop/one/lake'])
    assert.deepEqual(
      left().filter((name) => name.endsWith('.parquet')),
      [],
    )
    rmSync(join(data, 'lake'), { recursive: true })
    const verified = await millrace('verify')
    assert.equal(verified.status, 0, verified.out + verified.errors)
    await withServer(async (server) => {
      assert.deepEqual(await server.sql(COUNT), expected)
      await server.post('/streams/clicks', `${JSON.stringify(rows.at(-1))}\n`, { 'content-type': 'application/x-ndjson' })
    })
    await withServer(async (server) => assert.deepEqual(await server.sql('SELECT count(*) FROM clicks'), [[21]]))
  })
}
