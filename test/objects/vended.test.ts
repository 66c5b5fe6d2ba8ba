// Credentials that the catalog hands to clients: who gets them, for what, in which words of the protocol. Black-box, with a real S3
// server behind a proxy that refuses sessions, which that server does not know; the token service is one of this test, which keeps
// what it was asked. That a store holds clients to the policy is in `vended.long.test.ts`.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { root, startServer, type TestServer } from '../server/server.ts'
import { openFaultProxy } from './fault-proxy.ts'

const VENDED = { 'x-iceberg-access-delegation': 'vended-credentials' }

interface Credential {
  readonly prefix: string
  readonly config: Readonly<Record<string, string>>
}

interface Loaded {
  readonly config: Readonly<Record<string, string>>
  readonly metadata: { readonly location: string }
  readonly 'storage-credentials'?: readonly Credential[]
  readonly error?: { readonly type: string; readonly message: string }
}

const s3 = await startS3()
if ('missing' in s3) test('credentials for clients of the catalog', { skip: s3.missing }, () => {})
else {
  const asked: URLSearchParams[] = []
  let refuses = false
  let isLimited = true
  const service = createServer(async (request, response) => {
    asked.push(new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString()))
    if (refuses) return void response.writeHead(403).end('<E><Error><Code>AccessDenied</Code><Message>no such role</Message></Error></E>')
    const ends = new Date(Date.now() + 900_000).toISOString()
    const [id, secret, token] = isLimited ? [`id-${asked.length}`, 'vended secret', 'token'] : [s3.accessKeyId, s3.secretAccessKey, '']
    response.end(
      `<R><Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey><SessionToken>${token}</SessionToken><Expiration>${ends}</Expiration></Credentials></R>`,
    )
  })
  const proxy = await openFaultProxy(s3.endpoint)
  proxy.fault = (_, headers) => (headers['x-amz-security-token'] === undefined ? null : 'denied')
  const data = mkdtempSync(join(tmpdir(), 'millrace-vended-'))
  let server: TestServer
  s3.makeBucket('lake')
  before(async () => {
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    const sts = `http://127.0.0.1:${(service.address() as { port: number }).port}`
    const env = {
      LAKE_ENDPOINT: proxy.endpoint,
      LAKE_KEY: s3.accessKeyId,
      LAKE_SECRET: s3.secretAccessKey,
      STS_ENDPOINT: sts,
      MILLRACE_LOG: 'trace',
    }
    server = await startServer({ project: join(root, 'test', 'objects', 'vending'), data, env })
  })
  after(async () => {
    await server?.stop()
    s3.stop()
    proxy.close()
    service.close()
    service.closeAllConnections()
    rmSync(data, { recursive: true, force: true })
  })
  beforeEach(() => {
    asked.length = 0
    refuses = false
  })
  const headersOf = (role: string, more: Record<string, string>): Record<string, string> =>
    role === 'administrator' ? more : { 'millrace-as': role, ...more }
  const get = async (path: string, role: string, more: Record<string, string> = VENDED) => {
    const response = await server.get(`/iceberg/v1/${path}`, headersOf(role, more))
    const text = await response.text()
    return { status: response.status, headers: response.headers, json: (text === '' ? {} : JSON.parse(text)) as Loaded }
  }
  const post = async (path: string, role: string, body: object) => {
    const headers = headersOf(role, { ...VENDED, 'content-type': 'application/json' })
    const response = await server.post(`/iceberg/v1/${path}`, JSON.stringify(body), headers)
    return { status: response.status, json: (await response.json()) as Loaded }
  }
  const table = (name: string): string => `namespaces/main/tables/${name}`
  const rightsAsked = (): string[] => asked.flatMap((one) => JSON.parse(one.get('Policy')!).Statement[0].Action)
  const placesAsked = (): string[] => asked.flatMap((one) => JSON.parse(one.get('Policy')!).Statement[0].Resource)

  test('credentials that the store does not hold to the table are not handed out', async () => {
    isLimited = false
    const { status, json } = await get(table('clicks'), 'analyst')
    assert.equal(status, 500)
    assert.match(json.error?.message ?? '', /credentials for s3:\/\/lake\/shop\/lake\/clicks reach s3:\/\/lake\/shop\/owner too/)
    assert.ok(!JSON.stringify(json).includes(s3.secretAccessKey))
    isLimited = true
    asked.length = 0
  })

  test('who asks for credentials gets them in a load, for the table alone and to read', async () => {
    const { status, headers, json } = await get(table('clicks'), 'analyst')
    assert.equal(status, 200, JSON.stringify(json))
    const [credential, ...more] = json['storage-credentials'] ?? []
    assert.equal(more.length, 0)
    assert.equal(credential!.prefix, json.metadata.location)
    assert.equal(credential!.prefix, 's3://lake/shop/lake/clicks')
    const { 's3.session-token-expires-at-ms': ends, ...secrets } = credential!.config
    assert.deepEqual(secrets, { 's3.access-key-id': 'id-1', 's3.secret-access-key': 'vended secret', 's3.session-token': 'token' })
    assert.ok(Math.abs(Number(ends) - Date.now() - 900_000) < 60_000)
    assert.deepEqual(json.config, {
      's3.endpoint': proxy.endpoint,
      's3.region': 'us-east-1',
      'client.region': 'us-east-1',
      's3.path-style-access': 'true',
      ...credential!.config,
      'client.refresh-credentials-endpoint': 'v1/namespaces/main/tables/clicks/credentials',
    })
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('etag'), null)
    assert.deepEqual(rightsAsked(), ['s3:GetObject'])
    assert.deepEqual(placesAsked(), ['arn:aws:s3:::lake/shop/lake/clicks/*'])
  })

  test('the route of credentials has the same ones, which are kept', async () => {
    const loaded = await get(table('clicks'), 'analyst')
    const { status, json } = await get(`${table('clicks')}/credentials`, 'analyst', {})
    assert.equal(status, 200)
    assert.deepEqual(json, { 'storage-credentials': loaded.json['storage-credentials'] })
    assert.equal(asked.length, 0, 'of the test before')
    assert.ok(!JSON.stringify(json).includes(s3.secretAccessKey))
  })

  test('who may commit gets the rights to write and remove too', async () => {
    assert.equal((await get(table('notes'), 'analyst')).status, 200)
    assert.deepEqual(rightsAsked(), ['s3:GetObject'])
    asked.length = 0
    assert.equal((await get(table('notes'), 'loader')).status, 200)
    assert.ok(rightsAsked().includes('s3:PutObject') && rightsAsked().includes('s3:DeleteObject'), String(rightsAsked()))
    assert.deepEqual(placesAsked(), ['arn:aws:s3:::lake/shop/lake/notes/*'])
  })

  test('who does not ask gets signing, as ever; who names both gets credentials', async () => {
    const signed = await get(table('clicks'), 'analyst', {})
    assert.equal(signed.json.config['s3.remote-signing-enabled'], 'true')
    assert.equal(signed.json['storage-credentials'], undefined)
    assert.ok(signed.headers.get('etag'))
    const both = await get(table('clicks'), 'analyst', { 'x-iceberg-access-delegation': 'remote-signing, vended-credentials' })
    assert.equal(both.json['storage-credentials']?.length, 1)
    const only = await get(table('clicks'), 'analyst', { 'x-iceberg-access-delegation': 'remote-signing' })
    assert.equal(only.json['storage-credentials'], undefined)
  })

  test('who has the metadata already gets new credentials all the same', async () => {
    const etag = (await get(table('clicks'), 'analyst', {})).headers.get('etag')!
    assert.equal((await get(table('clicks'), 'analyst', { 'if-none-match': etag })).status, 304)
    assert.equal((await get(table('clicks'), 'analyst', { ...VENDED, 'if-none-match': etag })).status, 200)
  })

  test('a row policy, a mask and a missing grant are refused, and no role is taken', async () => {
    for (const [name, role] of [
      ['customers', 'analyst'],
      ['people', 'analyst'],
      ['clicks', 'loader'],
      ['absent', 'analyst'],
    ] as const)
      for (const path of [table(name), `${table(name)}/credentials`]) {
        const { status, json } = await get(path, role)
        assert.equal(status, 403, `${path} for ${role}: ${JSON.stringify(json)}`)
        assert.equal(json.error?.type, 'ForbiddenException')
      }
    assert.equal(asked.length, 0)
  })

  test('a trusted engine gets those of a table with a policy, to read, with what it must leave out', async () => {
    const body = JSON.stringify({ user: 'engine', roles: ['analyst', 'loader', 'engine'] })
    const made = await server.post('/admin/tokens', body, { 'content-type': 'application/json' })
    const authorization = `Bearer ${((await made.json()) as { token: string }).token}`
    const loaded = await get(table('customers'), 'administrator', { ...VENDED, authorization })
    assert.equal(loaded.status, 200, JSON.stringify(loaded.json))
    assert.equal(loaded.json['storage-credentials']?.length, 1)
    assert.ok('read-restrictions' in loaded.json)
    assert.deepEqual(rightsAsked(), ['s3:GetObject'])
    assert.equal((await get(`${table('customers')}/credentials`, 'administrator', { authorization })).status, 200)
    const sign = (method: string) => {
      const uri = `${proxy.endpoint}/lake/shop/lake/customers/data/x`
      const headers = { authorization, 'content-type': 'application/json' }
      return server.post(
        `/iceberg/v1/${table('customers')}/sign`,
        JSON.stringify({ region: 'us-east-1', method, uri, headers: {} }),
        headers,
      )
    }
    assert.equal((await sign('GET')).status, 200)
    assert.equal((await sign('PUT')).status, 403)
    // The mask of `people` has no words in the protocol.
    assert.equal((await get(table('people'), 'administrator', { ...VENDED, authorization })).status, 403)
  })

  test('a new table has credentials from the start, also when it is staged; who may not read it gets none', async () => {
    const schema = { type: 'struct', fields: [{ id: 1, name: 'n', required: false, type: 'int' }] }
    const staged = await post('namespaces/lab/tables', 'loader', { name: 'staged', schema, 'stage-create': true })
    assert.equal(staged.status, 200, JSON.stringify(staged.json))
    assert.equal(staged.json['storage-credentials']?.[0]?.prefix, staged.json.metadata.location)
    assert.ok(rightsAsked().includes('s3:PutObject'))
    assert.ok(!('client.refresh-credentials-endpoint' in staged.json.config))
    const made = await post('namespaces/lab/tables', 'loader', { name: 'made', schema })
    assert.equal(made.json['storage-credentials']?.[0]?.prefix, made.json.metadata.location)
    asked.length = 0
    const blind = await post('namespaces/lab/tables', 'maker', { name: 'blind', schema })
    assert.equal(blind.status, 200, JSON.stringify(blind.json))
    assert.equal(blind.json['storage-credentials'], undefined)
    assert.equal(asked.length, 0)
    // A name that a policy would read as a pattern: signing is left.
    const odd = await post('namespaces/lab/tables', 'loader', { name: 'odd', schema, location: 's3://lake/shop/lake/o*d' })
    assert.equal(odd.status, 200, JSON.stringify(odd.json))
    assert.equal(odd.json['storage-credentials'], undefined)
    assert.equal((await get('namespaces/lab/tables/odd/credentials', 'loader')).status, 404)
  })

  test('what is handed out is in the audit trail, and no secret is in it or in the log', async () => {
    await get(table('notes'), 'loader')
    const rows = await server.sql("SELECT action, object, outcome FROM millrace.audit WHERE action LIKE 'iceberg:credentials%'")
    assert.ok(
      rows.some((row) => JSON.stringify(row) === JSON.stringify(['iceberg:credentials read', 'main.clicks', 'ok'])),
      JSON.stringify(rows),
    )
    assert.ok(rows.some((row) => JSON.stringify(row) === JSON.stringify(['iceberg:credentials read write', 'main.notes', 'ok'])))
    const all = JSON.stringify(await server.sql('SELECT * FROM millrace.audit')) + server.errors()
    for (const secret of ['vended secret', s3.secretAccessKey]) assert.ok(!all.includes(secret), secret)
  })

  test('a token service that refuses is no table without files but an error, which says why', async () => {
    refuses = true
    const { status, json } = await get(table('people'), 'administrator')
    assert.equal(status, 500)
    assert.match(json.error?.message ?? '', /arn:aws:iam::123456789012:role\/lake cannot be taken: 403 no such role/)
    assert.equal((await get(table('people'), 'administrator', {})).status, 200, 'signing goes on')
  })

  test('the configuration lists the route', async () => {
    const { endpoints } = (await get('config', 'analyst', {})).json as unknown as { endpoints: string[] }
    assert.ok(endpoints.includes('GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials'))
  })
}
