// The Iceberg catalog over a kill of the server: a request that comes again is known, and a table of another engine whose
// files are gone is no reason not to start.
import assert from 'node:assert/strict'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'
import { type Body, schema, startCatalog, type TestCatalog } from './catalog.ts'

let catalog: TestCatalog
let second: TestServer
before(async () => {
  catalog = await startCatalog()
})
after(async () => {
  await second?.stop()
  await catalog.stop()
})

test('after kill -9 the key of a commit is known, and what is broken elsewhere does not matter', async () => {
  const { send, server, data } = catalog
  await send('POST', '/v1/namespaces', { namespace: ['n'] })
  for (const name of ['kept', 'broken']) await send('POST', '/v1/namespaces/n/tables', { name, schema: schema('id') })
  const headers = { 'idempotency-key': '01977420-dc00-7000-8000-000000000001' }
  const commit = (key: string) => ({ updates: [{ action: 'set-properties', updates: { [key]: 'x' } }] })
  assert.equal((await send('POST', '/v1/namespaces/n/tables/kept', commit('a'), headers)).status, 200)
  assert.equal((await send('POST', '/v1/namespaces/n/tables/kept', commit('b'))).status, 200)
  await server.kill('SIGKILL')
  const broken = readdirSync(join(data, 'lake')).find((name) => name.startsWith('n.broken'))!
  rmSync(join(data, 'lake', broken, 'metadata'), { recursive: true })

  second = await startServer({ project: join(root, 'test', 'iceberg', 'project'), data })
  const again = async (method: string, path: string, body?: unknown, more = {}) => {
    const authorization = `Bearer ${second.token}`
    const response = await fetch(`${second.url}/iceberg${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json', ...more },
      ...(body ? { body: JSON.stringify(body) } : {}),
    })
    return { status: response.status, body: (await response.json()) as Body }
  }
  const repeated = await again('POST', '/v1/namespaces/n/tables/kept', commit('a'), headers)
  assert.deepEqual([repeated.status, repeated.body.metadata.properties], [200, { a: 'x', b: 'x' }])
  assert.equal(repeated.body.metadata['metadata-log'].length, 2, 'nothing was written')
  const gone = await again('GET', '/v1/namespaces/n/tables/broken')
  assert.deepEqual([gone.status, gone.body.error.type], [404, 'NotFoundException'])
  assert.equal((await again('GET', '/v1/namespaces/main/tables/regions')).status, 200)
  assert.deepEqual(await second.sql('SELECT count(*) FROM regions'), [[0]])
  assert.deepEqual(await second.sql("SELECT count(*) FROM millrace.snapshots WHERE relation = 'n.broken'"), [[0]])
})
