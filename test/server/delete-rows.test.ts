// Rows of keyed tables go by their keys over HTTP, in both format versions: what was acknowledged before is deleted wherever it
// is, also after a kill; models that keep versions end them; who may not write may not delete.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, startServer, type TestServer } from './server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-deletes-'))
const start = (): Promise<TestServer> =>
  startServer({ project: join(root, 'test', 'server', 'project'), data, env: { MILLRACE_FLUSH_MS: '300' } })
let server: TestServer
before(async () => {
  server = await start()
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const JSON_BODY = { 'content-type': 'application/json' }
const NDJSON = { 'content-type': 'application/x-ndjson' }

async function remove(name: string, body: unknown, headers: Record<string, string> = JSON_BODY, token = server.token) {
  const response = await fetch(`${server.url}/streams/${name}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as { accepted?: number; code?: string } }
}

const send = async (name: string, rows: object[]): Promise<void> => {
  const answer = await server.post(`/streams/${name}`, JSON.stringify(rows), JSON_BODY)
  assert.equal(answer.status, 202, await answer.text())
}
const count = async (name: string): Promise<number> => Number((await server.sql(`SELECT count(*) FROM ${name}`))[0]![0])
const row = (i: number) => ({ id: `o${i}`, shop: i % 2, amount: '9007199254740993.25'.slice(-5) })

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 100; i++) {
    if (await isSo()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail(`${what} did not happen`)
}

for (const name of ['plain', 'orders']) {
  test(`rows of ${name} go, whether they are in the tail or in files`, async () => {
    await send(
      name,
      Array.from({ length: 200 }, (_, i) => row(i)),
    )
    const first = await remove(name, [
      { id: 'o1', shop: 1 },
      { id: 'o2', shop: 0 },
      { id: 'o2', shop: 1 },
    ])
    assert.deepEqual(first, { status: 200, body: { accepted: 3 } })
    assert.equal(await count(name), 198)
    await send(name, [{ ...row(2), amount: '7.00' }, row(500)])
    assert.deepEqual((await remove(name, `${JSON.stringify(row(500))}\n${JSON.stringify(row(3))}\n`, NDJSON)).body, { accepted: 2 })
    assert.deepEqual(await server.sql(`SELECT id FROM ${name} WHERE id IN ('o1', 'o2', 'o3', 'o500')`), [['o2']])
    assert.equal((await remove(name, { id: 'never', shop: 1 })).status, 200)
    assert.equal(await count(name), 198)
    const refused = await remove(name, [{ id: 'o4', shop: 0 }, { id: 'o5' }])
    assert.deepEqual([refused.status, refused.body.code], [422, 'MR_INGEST_REJECTED'])
    assert.equal(await count(name), 198, 'nothing was deleted')
  })
}

test('versions of rows that are deleted end', async () => {
  await until('the end of three versions', async () => {
    const rows = await server.sql(`SELECT count(*) FILTER (NOT is_current), count(*) FILTER (is_current) FROM history`)
    return Number(rows[0]![1]) === 198 && Number(rows[0]![0]) >= 1
  })
})

test('who may not write may not delete; what has no key has no rows to delete by it', async () => {
  const tokenOf = async (role: string): Promise<string> => {
    const made = await server.post('/admin/tokens', JSON.stringify({ user: role, roles: [role] }), JSON_BODY)
    return ((await made.json()) as { token: string }).token
  }
  assert.equal((await remove('orders', row(10), JSON_BODY, await tokenOf('reader'))).status, 403)
  assert.equal((await remove('orders', row(10), JSON_BODY, 'nobody')).status, 401)
  assert.deepEqual(await remove('orders', row(10), JSON_BODY, await tokenOf('writer')), { status: 200, body: { accepted: 1 } })
  assert.equal((await remove('clicks', row(1))).body.code, 'MR_USAGE')
  assert.equal((await remove('absent', row(1))).status, 404)
  assert.equal((await remove('orders', '{"id"')).status, 400)
  assert.equal((await remove('orders', row(1), { 'content-type': 'text/csv' })).status, 415)
  assert.equal(await count('orders'), 197)
})

test('deleted is deleted after a kill', async () => {
  await send('orders', [row(900)])
  assert.equal((await remove('orders', row(900))).status, 200)
  await server.kill('SIGKILL')
  server = await start()
  assert.equal(await count('orders'), 197)
  assert.equal(await count('plain'), 198)
})
