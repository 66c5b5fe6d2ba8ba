// Clients of the Iceberg catalog reach the files of a table in S3 without credentials: each request is signed by the server, when
// it is about a file of a table that the caller may have. Black-box, against a real S3 server; skipped where it cannot be had.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const s3 = await startS3()
if ('missing' in s3) test('signing for clients of the catalog', { skip: s3.missing }, () => {})
else {
  const data = mkdtempSync(join(tmpdir(), 'millrace-sign-'))
  let server: TestServer
  s3.makeBucket('lake')
  before(async () => {
    const env = { LAKE_ENDPOINT: s3.endpoint, LAKE_KEY: s3.accessKeyId, LAKE_SECRET: s3.secretAccessKey }
    server = await startServer({ project: join(root, 'test', 'objects', 'project'), data, env })
  })
  after(() => {
    server?.child.kill('SIGKILL')
    s3.stop()
    rmSync(data, { recursive: true, force: true })
  })
  const as = (role: string): Record<string, string> => (role === 'administrator' ? {} : { 'millrace-as': role })
  const catalog = async (path: string, role: string, body?: object): Promise<{ status: number; json: Record<string, unknown> }> => {
    const headers = { ...as(role), 'content-type': 'application/json' }
    const response = body
      ? await server.post(`/iceberg/v1/${path}`, JSON.stringify(body), headers)
      : await server.get(`/iceberg/v1/${path}`, headers)
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }
  interface Loaded {
    readonly config: Readonly<Record<string, string>>
    readonly 'metadata-location': string
  }
  const load = async (table: string, role: string): Promise<Loaded> =>
    (await catalog(`namespaces/main/tables/${table}`, role)).json as unknown as Loaded
  const urlOf = (location: string): string => location.replace('s3://', `${s3.endpoint}/`)
  const sign = (table: string, role: string, method: string, uri: string, headers: Record<string, string[]> = {}) =>
    catalog(`namespaces/main/tables/${table}/sign`, role, { region: s3.region, method, uri, headers })
  /** What the store answers to the request as it was signed. */
  const carryOut = async (method: string, json: Record<string, unknown>, body?: string): Promise<Response> => {
    const { uri, headers } = json as { uri: string; headers: Record<string, string[]> }
    const flat = Object.fromEntries(Object.entries(headers).map(([name, values]) => [name, values.join(',')]))
    return fetch(uri, { method, headers: flat, ...(body === undefined ? {} : { body }) })
  }

  test('a loaded table says where the store is and where to have requests signed, and holds no credentials', async () => {
    const { config } = await load('clicks', 'analyst')
    assert.equal(config['s3.endpoint'], s3.endpoint)
    assert.equal(config['s3.path-style-access'], 'true')
    assert.equal(config['s3.remote-signing-enabled'], 'true')
    assert.equal(config['s3.signer.endpoint'], 'v1/namespaces/main/tables/clicks/sign')
    assert.ok(!JSON.stringify(config).includes(s3.secretAccessKey) && !('s3.access-key-id' in config))
  })

  test('who asks for credentials where none are given has requests signed, and is told how there would be some', async () => {
    const wanting = { ...as('analyst'), 'x-iceberg-access-delegation': 'vended-credentials' }
    const loaded = (await (await server.get('/iceberg/v1/namespaces/main/tables/clicks', wanting)).json()) as Loaded
    assert.equal(loaded.config['s3.remote-signing-enabled'], 'true')
    assert.ok(!('storage-credentials' in loaded))
    const { status, json } = await catalog('namespaces/main/tables/clicks/credentials', 'analyst')
    assert.equal(status, 404)
    assert.match(JSON.stringify(json), /no credentials for the files of main\.clicks \(set `vend` in the lake of the environment\)/)
  })

  test('who may have the files reads them by signed requests, and nothing else', async () => {
    const at = (await load('clicks', 'analyst'))['metadata-location']
    const signed = await sign('clicks', 'analyst', 'GET', urlOf(at), { Range: ['bytes=0-9'] })
    assert.equal(signed.status, 200, JSON.stringify(signed.json))
    const found = await carryOut('GET', signed.json)
    assert.equal(found.status, 200)
    assert.match(await found.text(), /"location":\s*"s3:\/\/lake\/shop\/one\/lake\/clicks"/)
    const list = `${s3.endpoint}/lake?list-type=2&prefix=${encodeURIComponent('shop/one/lake/clicks/metadata/')}`
    const listing = await carryOut('GET', (await sign('clicks', 'analyst', 'GET', list)).json)
    assert.match(await listing.text(), /<Key>shop\/one\/lake\/clicks\/metadata\//)
    // The same signature is no good for another object, nor for another method.
    const { uri, headers } = signed.json as { uri: string; headers: Record<string, string[]> }
    const other = urlOf((await load('customers', 'loader'))['metadata-location'])
    assert.equal((await carryOut('GET', { uri: other, headers })).status, 403)
    assert.equal((await carryOut('DELETE', { uri, headers })).status, 403)
  })

  test('what is refused: other places, other requests, writing without the right, tables with a policy', async () => {
    const clicks = urlOf((await load('clicks', 'analyst'))['metadata-location'])
    const customers = urlOf((await load('customers', 'loader'))['metadata-location'])
    const folder = clicks.slice(0, clicks.lastIndexOf('/metadata'))
    const refused: [string, string, string, string, Record<string, string[]>?][] = [
      ['another table', 'analyst', 'GET', customers],
      ['by way of its own', 'analyst', 'GET', `${folder}/data/%2e%2e/%2e%2e/customers/x`],
      ['the checkpoints', 'loader', 'GET', `${s3.endpoint}/lake/shop/one/checkpoints/x`],
      ['another bucket', 'loader', 'GET', `${s3.endpoint}/lake2/shop/one/lake/clicks/x`],
      ['another server', 'loader', 'GET', 'http://127.0.0.1:1/lake/shop/one/lake/clicks/x'],
      ['the whole bucket', 'loader', 'GET', `${s3.endpoint}/lake?list-type=2&prefix=`],
      ['a neighbour by prefix', 'loader', 'GET', `${s3.endpoint}/lake?list-type=2&prefix=shop/one/lake/click`],
      ['two prefixes', 'loader', 'GET', `${s3.endpoint}/lake?list-type=2&prefix=shop/one/lake/clicks/x&prefix=shop`],
      ['many at once', 'loader', 'POST', `${s3.endpoint}/lake?delete=`],
      ['access rules', 'loader', 'PUT', `${folder}/data/x?acl=`],
      ['copying from elsewhere', 'loader', 'PUT', `${folder}/data/x`, { 'x-amz-copy-source': ['/lake/shop/one/lake/customers/x'] }],
      ['writing to the stream’s table', 'loader', 'PUT', `${folder}/data/x`],
      ['removing', 'analyst', 'DELETE', clicks],
      ['an odd method', 'loader', 'OPTIONS', clicks],
      ['no URL', 'loader', 'GET', 'clicks'],
    ]
    for (const [what, role, method, uri, headers] of refused) {
      const { status, json } = await sign('clicks', role, method, uri, headers)
      assert.equal(status, 403, `${what}: ${JSON.stringify(json)}`)
    }
    const notes = urlOf((await load('notes', 'analyst'))['metadata-location']).replace(/metadata\/.*/, 'data/x')
    assert.equal((await sign('notes', 'analyst', 'PUT', notes)).status, 403, 'may read, may not write')
    // A row policy for the role: neither the table nor a signature.
    assert.equal((await catalog('namespaces/main/tables/customers', 'analyst')).status, 403)
    assert.equal((await sign('customers', 'analyst', 'GET', customers)).status, 403)
    assert.equal((await sign('absent', 'loader', 'GET', clicks)).status, 403)
    assert.equal((await sign('clicks', 'analyst', 'GET', clicks, { a: 'b' } as unknown as Record<string, string[]>)).status, 400)
  })

  test('who may commit writes and removes files of the table by signed requests', async () => {
    const uri = urlOf((await load('notes', 'loader'))['metadata-location']).replace(/metadata\/.*/, 'data/by-hand.bin')
    const put = await sign('notes', 'loader', 'PUT', uri, { 'X-Amz-Content-SHA256': ['UNSIGNED-PAYLOAD'] })
    assert.equal((await carryOut('PUT', put.json, 'content')).status, 200)
    const got = await carryOut('GET', (await sign('notes', 'analyst', 'GET', uri)).json)
    assert.equal(await got.text(), 'content')
    const gone = await carryOut('DELETE', (await sign('notes', 'loader', 'DELETE', uri)).json)
    assert.equal(gone.status, 204)
  })
}
