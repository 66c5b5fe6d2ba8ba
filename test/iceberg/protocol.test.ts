// The Iceberg REST protocol as the specification words it, black-box: errors by type, what is unknown is refused, a refused
// commit changes nothing, paging, ETags, HEAD, staged creation, idempotency, several tables at once, ids of 63 bits.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ENDPOINTS } from '../../src/serve/iceberg/routes.ts'
import { type Body, type Send, schema, startCatalog, type TestCatalog } from './catalog.ts'

const ID = 4_611_686_018_427_387_907n // 2^62 + 3

let catalog: TestCatalog
let send: Send
before(async () => {
  catalog = await startCatalog()
  send = catalog.send
  await send('POST', '/v1/namespaces', { namespace: ['n'] })
})
after(() => catalog.stop())

const create = async (name: string, more: object = {}): Promise<Body> => {
  const made = await send('POST', '/v1/namespaces/n/tables', { name, schema: schema('id', 'x'), ...more })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  return made.body
}
const load = async (name: string): Promise<Body> => (await send('GET', `/v1/namespaces/n/tables/${name}`)).body
const set = (key: string, value: string) => ({ action: 'set-properties', updates: { [key]: value } })
const properties = async (name: string): Promise<Body> => (await load(name)).metadata.properties

test('config names what there is, and all of it answers', async () => {
  const { body } = await send('GET', '/v1/config')
  // Credentials are listed where there are any: `test/objects/vended.test.ts`.
  assert.deepEqual(
    body.endpoints,
    ENDPOINTS.filter((endpoint) => !endpoint.endsWith('/credentials')),
  )
  assert.equal(body['idempotency-key-lifetime'], 'PT30M')
  assert.ok(ENDPOINTS.length >= 24)
  for (const endpoint of ENDPOINTS) {
    const [method, path] = endpoint.split(' ') as [string, string]
    const at = path.replace('/{prefix}', '').replaceAll(/\{\w+\}/g, 'absent')
    const { status, type } = await send(method, at, method === 'POST' ? {} : undefined)
    assert.ok([200, 400, 404].includes(status), `${endpoint} answered ${status}`)
    if (method !== 'HEAD' && status === 404) assert.match(type!, /^NoSuch(Namespace|Table|View)Exception$/, endpoint)
  }
  assert.equal((await send('GET', '/v1/config?warehouse=other')).type, 'NoSuchWarehouseException')
  assert.equal((await send('GET', '/v1/config?warehouse=iceberg')).status, 200)
  assert.equal((await send('GET', '/v1/nothing')).status, 404)
})

test('errors have the types that clients go by', async () => {
  await create('known')
  const absent = { namespace: ['n'], name: 'absent' }
  const cases: [string, string, unknown, number, string][] = [
    ['GET', '/v1/namespaces/absent', undefined, 404, 'NoSuchNamespaceException'],
    ['DELETE', '/v1/namespaces/absent', undefined, 404, 'NoSuchNamespaceException'],
    ['POST', '/v1/namespaces', { namespace: ['n'] }, 409, 'AlreadyExistsException'],
    ['POST', '/v1/namespaces', { namespace: [] }, 400, 'BadRequestException'],
    ['DELETE', '/v1/namespaces/n', undefined, 409, 'NamespaceNotEmptyException'],
    ['POST', '/v1/namespaces/n/properties', { removals: ['a'], updates: { a: 'b' } }, 422, 'UnprocessableEntityException'],
    ['GET', '/v1/namespaces/absent/tables', undefined, 404, 'NoSuchNamespaceException'],
    ['POST', '/v1/namespaces/absent/tables', { name: 't', schema: schema('id') }, 404, 'NoSuchNamespaceException'],
    ['POST', '/v1/namespaces/n/tables', { name: 'known', schema: schema('id') }, 409, 'AlreadyExistsException'],
    ['POST', '/v1/namespaces/n/tables', { name: 'bad' }, 400, 'IllegalArgumentException'],
    ['POST', '/v1/namespaces/n/tables', '{"name"', 400, 'BadRequestException'],
    ['GET', '/v1/namespaces/n/tables/absent', undefined, 404, 'NoSuchTableException'],
    ['DELETE', '/v1/namespaces/n/tables/absent', undefined, 404, 'NoSuchTableException'],
    ['POST', '/v1/namespaces/n/tables/absent', { requirements: [], updates: [] }, 404, 'NoSuchTableException'],
    ['GET', '/v1/namespaces/n/tables/known?snapshots=some', undefined, 400, 'BadRequestException'],
    ['POST', '/v1/tables/rename', { source: absent, destination: absent }, 404, 'NoSuchTableException'],
    ['GET', '/v1/namespaces/n/views/absent', undefined, 404, 'NoSuchViewException'],
    ['DELETE', '/v1/namespaces/n/views/absent', undefined, 404, 'NoSuchViewException'],
    ['POST', '/v1/namespaces/n/tables', { name: 'far', schema: schema('id'), location: 'file:///etc/far' }, 403, 'ForbiddenException'],
    ['POST', '/v1/namespaces/n/register', { name: 'far', 'metadata-location': 'file:///etc/passwd' }, 403, 'ForbiddenException'],
  ]
  for (const [method, path, body, status, type] of cases) {
    const answered = await send(method, path, body)
    assert.deepEqual([answered.status, answered.type], [status, type], `${method} ${path}: ${JSON.stringify(answered.body)}`)
    assert.equal(answered.body.error.code, status)
  }
  const nobody = await fetch(`${catalog.server.url}/iceberg/v1/namespaces`)
  assert.deepEqual([nobody.status, ((await nobody.json()) as Body).error.type], [401, 'NotAuthorizedException'])
})

test('an unknown update or requirement is refused as a whole', async () => {
  await create('strict')
  const commit = (body: unknown) => send('POST', '/v1/namespaces/n/tables/strict', body)
  assert.equal((await commit({ requirements: [], updates: [set('a', '1'), { action: 'paint', colour: 'red' }] })).status, 400)
  assert.equal((await commit({ requirements: [{ type: 'assert-weather' }], updates: [set('a', '1')] })).status, 400)
  assert.equal((await commit({ requirements: [], updates: [set('a', '1'), { action: 'set-location' }] })).status, 400)
  assert.equal((await commit({ requirements: [], updates: [set('a', '1'), { action: 'set-current-schema', 'schema-id': 9 }] })).status, 400)
  assert.deepEqual(await properties('strict'), {})
})

test('409 leaves no change, of one table or of several', async () => {
  const [a, b] = [(await create('one')).metadata, (await create('two')).metadata]
  const before = [(await load('one'))['metadata-location'], (await load('two'))['metadata-location']]
  const stale = await send('POST', '/v1/namespaces/n/tables/one', {
    requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 5 }],
    updates: [set('k', 'v')],
  })
  assert.deepEqual([stale.status, stale.type], [409, 'CommitFailedException'])
  const change = (name: string, uuid: string) => ({
    identifier: { namespace: ['n'], name },
    requirements: [{ type: 'assert-table-uuid', uuid }],
    updates: [set('k', 'v')],
  })
  const half = await send('POST', '/v1/transactions/commit', {
    'table-changes': [change('one', a['table-uuid']), change('two', a['table-uuid'])],
  })
  assert.deepEqual([half.status, half.type], [409, 'CommitFailedException'])
  assert.deepEqual([await properties('one'), await properties('two')], [{}, {}])
  assert.deepEqual([(await load('one'))['metadata-location'], (await load('two'))['metadata-location']], before)
  const whole = await send('POST', '/v1/transactions/commit', {
    'table-changes': [change('one', a['table-uuid']), change('two', b['table-uuid'])],
  })
  assert.equal(whole.status, 204)
  assert.deepEqual([await properties('one'), await properties('two')], [{ k: 'v' }, { k: 'v' }])
  const twice = await send('POST', '/v1/transactions/commit', {
    'table-changes': [change('one', a['table-uuid']), change('one', a['table-uuid'])],
  })
  assert.equal(twice.status, 400)
})

test('concurrent commits whose requirements still hold all succeed: the server tries again', async () => {
  const { metadata } = await create('busy')
  const one = (index: number) =>
    send('POST', '/v1/namespaces/n/tables/busy', {
      requirements: [{ type: 'assert-table-uuid', uuid: metadata['table-uuid'] }],
      updates: [set(`k${index}`, 'v')],
    })
  const answers = await Promise.all(Array.from({ length: 20 }, (_, index) => one(index)))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  assert.equal(Object.keys(await properties('busy')).length, 20)
})

test('ids of 63 bits go in and come out as they are', async () => {
  await create('wide')
  const { metadata } = await load('wide')
  const snapshot = {
    'snapshot-id': ID,
    'sequence-number': 1,
    'timestamp-ms': metadata['last-updated-ms'],
    'manifest-list': `${metadata.location}/metadata/none.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
  }
  const commit = await send('POST', '/v1/namespaces/n/tables/wide', {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }],
    updates: [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': ID },
    ],
  })
  assert.equal(commit.status, 200, JSON.stringify(commit.body.error))
  for (const { body } of [commit, await send('GET', '/v1/namespaces/n/tables/wide')]) {
    assert.equal(body.metadata['current-snapshot-id'], ID)
    assert.deepEqual(body.metadata['snapshot-log'], [{ 'snapshot-id': ID, 'timestamp-ms': metadata['last-updated-ms'] }])
  }
  const off = { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': ID + 1n }
  assert.equal((await send('POST', '/v1/namespaces/n/tables/wide', { requirements: [off], updates: [] })).status, 409)
})

test('ETag and 304; of the snapshots all, or those with a name', async () => {
  await create('cached')
  const first = await send('GET', '/v1/namespaces/n/tables/cached')
  const etag = first.headers.get('etag')!
  const same = await send('GET', '/v1/namespaces/n/tables/cached', undefined, { 'if-none-match': etag })
  assert.equal(same.status, 304)
  const refs = await send('GET', '/v1/namespaces/n/tables/cached?snapshots=refs', undefined, { 'if-none-match': etag })
  assert.equal(refs.status, 200, 'another answer has another tag')
  await send('POST', '/v1/namespaces/n/tables/cached', { requirements: [], updates: [set('a', 'b')] })
  assert.equal((await send('GET', '/v1/namespaces/n/tables/cached', undefined, { 'if-none-match': etag })).status, 200)
})

test('snapshots=refs leaves out what no branch or tag names', async () => {
  await create('named')
  const { metadata } = await load('named')
  const snapshot = (id: number, parent?: number) => ({
    action: 'add-snapshot',
    snapshot: {
      'snapshot-id': id,
      ...(parent === undefined ? {} : { 'parent-snapshot-id': parent }),
      'sequence-number': id,
      'timestamp-ms': metadata['last-updated-ms'] + id,
      'manifest-list': `${metadata.location}/metadata/${id}.avro`,
      summary: { operation: 'append' },
    },
  })
  const main = { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 2 }
  const done = await send('POST', '/v1/namespaces/n/tables/named', { requirements: [], updates: [snapshot(1), snapshot(2, 1), main] })
  assert.equal(done.status, 200, JSON.stringify(done.body))
  const ids = (body: Body) => body.metadata.snapshots.map((one: Body) => one['snapshot-id'])
  assert.deepEqual(ids((await send('GET', '/v1/namespaces/n/tables/named')).body), [1, 2])
  assert.deepEqual(ids((await send('GET', '/v1/namespaces/n/tables/named?snapshots=refs')).body), [2])
})

test('pages: everything for who does not ask, otherwise page by page to the end', async () => {
  await send('POST', '/v1/namespaces', { namespace: ['many'] })
  const names = Array.from({ length: 7 }, (_, index) => `t${index}`)
  for (const name of names) await send('POST', '/v1/namespaces/many/tables', { name, schema: schema('id') })
  const whole = await send('GET', '/v1/namespaces/many/tables?pageSize=2')
  assert.equal(whole.body.identifiers.length, 7)
  assert.equal(whole.body['next-page-token'], null)
  const seen: string[] = []
  for (let token: string | null = ''; token !== null; ) {
    const { body } = await send('GET', `/v1/namespaces/many/tables?pageToken=${token}&pageSize=3`)
    seen.push(...body.identifiers.map((one: Body) => one.name))
    token = body['next-page-token']
    assert.ok(seen.length <= 7)
  }
  assert.deepEqual(seen, names)
  assert.equal((await send('GET', '/v1/namespaces/many/tables?pageToken=&pageSize=x')).status, 400)
})

test('pages: a token that no page gave is refused, and is no end of the list', async () => {
  const first = await send('GET', '/v1/namespaces/many/tables?pageToken=&pageSize=3')
  const token: string = first.body['next-page-token']
  const ofNames = Buffer.from('t1').toString('base64url')
  for (const garbage of ['garbage', 'zzzz', ofNames, token.slice(0, 3), `${token}%3D`, `${token}%20`, '%00'])
    for (const list of ['namespaces/many/tables', 'namespaces/many/views', 'namespaces']) {
      const { status, body } = await send('GET', `/v1/${list}?pageToken=${garbage}&pageSize=3`)
      assert.equal(status, 400, `${list} ${garbage}`)
      assert.equal(body.error.type, 'BadRequestException')
      assert.match(body.error.message, /the pageToken ".*" is none that a page of this list had/)
    }
})

test('namespaces have levels and any names; a table is found under each', async () => {
  const path = '/v1/namespaces/deep%1Finner+one%1Fwith.dot'
  assert.equal((await send('POST', '/v1/namespaces', { namespace: ['deep', 'inner one', 'with.dot'], properties: { a: 'b' } })).status, 200)
  assert.deepEqual((await send('GET', path)).body, { namespace: ['deep', 'inner one', 'with.dot'], properties: { a: 'b' } })
  assert.equal((await send('HEAD', path)).status, 204)
  assert.deepEqual((await send('GET', '/v1/namespaces?parent=deep')).body.namespaces, [['deep', 'inner one']])
  const name = 'odd name/with.all%of it'
  assert.equal((await send('POST', `${path}/tables`, { name, schema: schema('id') })).status, 200)
  const table = `${path}/tables/${encodeURIComponent(name)}`
  assert.equal((await send('HEAD', table)).status, 204)
  assert.deepEqual((await send('GET', `${path}/tables`)).body.identifiers, [{ namespace: ['deep', 'inner one', 'with.dot'], name }])
  assert.equal((await send('DELETE', '/v1/namespaces/deep')).type, 'NamespaceNotEmptyException')
  assert.equal((await send('DELETE', table)).status, 204)
  assert.equal((await send('HEAD', table)).status, 404)
})

test('a staged table is nowhere until its commit', async () => {
  const staged = await create('later', { 'stage-create': true })
  assert.equal(staged['metadata-location'], undefined)
  assert.equal((await send('HEAD', '/v1/namespaces/n/tables/later')).status, 404)
  const { metadata } = staged
  const updates = [
    { action: 'assign-uuid', uuid: metadata['table-uuid'] },
    { action: 'upgrade-format-version', 'format-version': 2 },
    { action: 'add-schema', schema: metadata.schemas[0] },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-location', location: metadata.location },
  ]
  const body = { requirements: [{ type: 'assert-create' }], updates }
  assert.equal((await send('POST', '/v1/namespaces/n/tables/later', body)).status, 200)
  const again = await send('POST', '/v1/namespaces/n/tables/later', body)
  assert.deepEqual([again.status, again.type], [409, 'AlreadyExistsException'])
  assert.equal((await load('later')).metadata['table-uuid'], metadata['table-uuid'])
})

describe('idempotency keys', () => {
  const key = () => ({ 'idempotency-key': crypto.randomUUID() })

  test('a request that comes again is answered and not carried out again', async () => {
    await create('once')
    const [headers, body] = [key(), { requirements: [], updates: [set('n', '1')] }]
    const first = await send('POST', '/v1/namespaces/n/tables/once', body, headers)
    await send('POST', '/v1/namespaces/n/tables/once', { requirements: [], updates: [set('n', '2')] })
    const second = await send('POST', '/v1/namespaces/n/tables/once', body, headers)
    assert.deepEqual([first.status, second.status], [200, 200])
    assert.deepEqual(await properties('once'), { n: '2' }, 'the repetition changed nothing')
    assert.equal((await load('once')).metadata['metadata-log'].length, 2)
  })

  test('at once they share one run; a creation or an end that comes again succeeds again', async () => {
    const made = { name: 'born', schema: schema('id') }
    const [born, gone] = [key(), key()]
    const both = await Promise.all([1, 2, 3].map(() => send('POST', '/v1/namespaces/n/tables', made, born)))
    assert.deepEqual(
      both.map(({ status }) => status),
      [200, 200, 200],
    )
    assert.equal(new Set(both.map(({ body }) => body.metadata['table-uuid'])).size, 1)
    assert.equal((await send('POST', '/v1/namespaces/n/tables', made, born)).status, 200)
    assert.equal((await send('DELETE', '/v1/namespaces/n/tables/born', undefined, gone)).status, 204)
    assert.equal((await send('DELETE', '/v1/namespaces/n/tables/born', undefined, gone)).status, 204)
    assert.equal((await send('DELETE', '/v1/namespaces/n/tables/born')).status, 404)
  })

  test('a refusal stays one; a key belongs to one request and is a UUID', async () => {
    await create('refused')
    const headers = key()
    const body = { requirements: [{ type: 'assert-current-schema-id', 'current-schema-id': 1 }], updates: [set('a', 'b')] }
    assert.equal((await send('POST', '/v1/namespaces/n/tables/refused', body, headers)).status, 409)
    // Now it would succeed, but the client has removed its files.
    const evolve = {
      updates: [
        { action: 'add-schema', schema: schema('id', 'x', 'y') },
        { action: 'set-current-schema', 'schema-id': -1 },
      ],
    }
    assert.equal((await send('POST', '/v1/namespaces/n/tables/refused', evolve)).status, 200)
    assert.equal((await send('POST', '/v1/namespaces/n/tables/refused', body, headers)).status, 409)
    assert.equal((await send('POST', '/v1/namespaces/n/tables/refused', { updates: [] }, headers)).type, 'UnprocessableEntityException')
    assert.equal((await send('POST', '/v1/namespaces/n/tables/refused', body, { 'idempotency-key': 'x' })).status, 400)
  })
})

test('tokens: a Millrace token is the secret of client credentials', async () => {
  const ask = async (form: Record<string, string>) => {
    const response = await fetch(`${catalog.server.url}/iceberg/v1/oauth/tokens`, { method: 'POST', body: new URLSearchParams(form) })
    return [response.status, (await response.json()) as Body] as const
  }
  const { token } = catalog.server
  const [, id, secret] = /^mrt_(\w+?)_(.+)$/.exec(token)!
  for (const form of [
    { grant_type: 'client_credentials', client_id: 'anybody', client_secret: token, scope: 'catalog' },
    { grant_type: 'client_credentials', client_id: id!, client_secret: secret! },
    { grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', subject_token: token },
  ]) {
    const [status, body] = await ask(form)
    assert.deepEqual([status, body.access_token, body.token_type], [200, token, 'bearer'])
  }
  assert.deepEqual(await ask({ grant_type: 'client_credentials', client_secret: 'wrong' }).then(([s, b]) => [s, b.error]), [
    401,
    'invalid_client',
  ])
  assert.deepEqual(await ask({ grant_type: 'password' }).then(([status, body]) => [status, body.error]), [400, 'unsupported_grant_type'])
})

test('no client makes an encrypted table, or says of one that it is', async () => {
  await create('clear')
  const encrypted = { 'millrace.encrypted': 'clear' }
  const refused = [
    await send('POST', '/v1/namespaces/n/tables', { name: 'dark', schema: schema('id'), properties: encrypted }),
    await send('POST', '/v1/namespaces/n/tables', { name: 'dark', schema: schema('id'), properties: encrypted, 'stage-create': true }),
    await send('POST', '/v1/namespaces/n/tables/clear', { updates: [set('millrace.encrypted', 'clear')] }),
  ]
  assert.deepEqual(
    refused.map(({ status, body }) => [status, /encrypted/.test(body.error.message)]),
    refused.map(() => [403, true]),
  )
  assert.equal((await properties('clear'))['millrace.encrypted'], undefined)
  assert.equal((await send('GET', '/v1/namespaces/n/tables/dark')).status, 404)
})

test('a table with a column of a type that Millrace has not is kept for those who know it, and refused by SQL', async () => {
  for (const type of ['unknown', 'variant', 'geometry']) {
    const fields = [
      { id: 1, name: 'id', required: false, type: 'long' },
      { id: 2, name: 'odd', required: false, type },
    ]
    const name = `of_${type}`
    await create(name, { schema: { type: 'struct', fields }, properties: { 'format-version': '3' } })
    assert.equal((await load(name)).metadata.schemas[0].fields[1].type, type)
    await assert.rejects(catalog.server.sql(`SELECT id FROM n.${name}`), /MR_SCHEMA_TYPE.* odd /)
  }
})

test('tables of the project have no column that Iceberg keeps the name of', async () => {
  const reserved = ['_file', '_pos', '_deleted', '_spec_id', '_partition', '_row_id', '_last_updated_sequence_number']
  const { identifiers } = (await send('GET', '/v1/namespaces/main/tables')).body as { identifiers: { name: string }[] }
  const names: string[] = []
  for (const { name } of identifiers) {
    const { metadata } = (await send('GET', `/v1/namespaces/main/tables/${name}`)).body
    for (const schema of metadata.schemas) names.push(...schema.fields.map((field: { name: string }) => field.name))
  }
  assert.ok(names.includes('_log_partition') && names.includes('_offset'))
  assert.deepEqual(
    names.filter((name) => reserved.includes(name)),
    [],
  )
})
