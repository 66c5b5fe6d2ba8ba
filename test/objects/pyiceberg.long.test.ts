// PyIceberg reads and writes tables of a lake in S3: through the catalog with a token and no credentials, every request signed by
// the server; and with credentials of its own and no catalog.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { root, startServer } from '../server/server.ts'

const installed = installPyIceberg()
const s3 = await startS3()
if (!('missing' in s3)) after(() => s3.stop())
const skip = 'missing' in installed ? installed.missing : 'missing' in s3 ? s3.missing : false

interface Answer {
  readonly io: string
  readonly location: string
  readonly ids: number[]
  readonly notes: { id: number; text: string | null }[]
  readonly static: number
}

const ask = (python: string, input: object): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const child = spawn(python, [join(dirname(fileURLToPath(import.meta.url)), 'pyiceberg_s3.py')], {
      // Whatever the machine has: the token must be enough.
      env: { PATH: process.env['PATH'], HOME: tmpdir(), AWS_EC2_METADATA_DISABLED: 'true' },
    })
    let [out, errors] = ['', '']
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      errors += chunk
    })
    child.on('exit', (code) => (code === 0 ? resolve(JSON.parse(out.trim().split('\n').at(-1)!) as Answer) : reject(new Error(errors))))
    child.stdin.end(JSON.stringify(input))
  })

test('PyIceberg works on a lake in S3, with a token alone and with credentials alone', { skip }, async () => {
  assert.ok('python' in installed && 'endpoint' in s3)
  s3.makeBucket('lake')
  const data = mkdtempSync(join(tmpdir(), 'millrace-py-s3-'))
  const env = { LAKE_ENDPOINT: s3.endpoint, LAKE_KEY: s3.accessKeyId, LAKE_SECRET: s3.secretAccessKey, MILLRACE_FLUSH_MS: '200' }
  const server = await startServer({ project: join(root, 'test', 'objects', 'project'), data, env })
  try {
    const lines = Array.from({ length: 50 }, (_, id) => JSON.stringify({ id, page: `p${id % 3}`, seen: '2026-05-01T10:00:00Z' }))
    await server.post('/streams/clicks', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    const committed = async (): Promise<unknown> =>
      (await server.sql("SELECT sum(added_records) FROM millrace.snapshots WHERE relation = 'clicks'"))[0]![0]
    for (let tries = 0; Number(await committed()) !== 50 && tries < 100; tries++) await new Promise((resolve) => setTimeout(resolve, 100))
    const own = {
      's3.endpoint': s3.endpoint,
      's3.region': s3.region,
      's3.access-key-id': s3.accessKeyId,
      's3.secret-access-key': s3.secretAccessKey,
    }
    const answer = await ask(installed.python, { uri: `${server.url}/iceberg`, token: server.token, s3: own })
    assert.equal(answer.io, 'FsspecFileIO')
    assert.equal(answer.location, 's3://lake/shop/one/lake/clicks')
    assert.deepEqual(
      answer.ids,
      Array.from({ length: 50 }, (_, id) => id),
    )
    assert.equal(answer.static, 50)
    const expected = [
      { id: 1, text: 'a' },
      { id: 2, text: null },
      { id: 3, text: 'ü' },
    ]
    assert.deepEqual(answer.notes, expected)
    assert.deepEqual(
      await server.sql('SELECT id, text FROM notes ORDER BY id'),
      expected.map(({ id, text }) => [id, text]),
    )
  } finally {
    await server.stop()
    rmSync(data, { recursive: true, force: true })
  }
})
