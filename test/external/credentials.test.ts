// Client credentials at an external catalog: what they give, and what is told of wrong ones.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openRestClient } from '../../src/lake/external/rest-client.ts'
import { startCatalog, type TestCatalog } from '../iceberg/catalog.ts'

const parts = { clock: systemClock, random: systemRandom }
let server: TestCatalog
before(async () => {
  server = await startCatalog()
})
after(() => server.stop())

test('credentials become a token; wrong ones and none are denied', async () => {
  const uri = `${server.server.url}/iceberg/`
  const client = await openRestClient(parts, { uri, credential: `anybody:${server.server.token}` })
  const { body } = await client.call('GET', '/namespaces/main')
  assert.deepEqual(body['namespace'], ['main'])
  assert.ok(client.has('POST /v1/{prefix}/transactions/commit'))
  const denied = { code: 'MR_CATALOG_DENIED' }
  await assert.rejects(openRestClient(parts, { uri, credential: 'anybody:wrong' }), denied)
  await assert.rejects(openRestClient(parts, { uri, token: 'wrong' }), denied)
  await assert.rejects(client.call('GET', '/namespaces/nowhere'), { code: 'MR_CATALOG_REFUSED', message: /NoSuchNamespaceException/ })
})
