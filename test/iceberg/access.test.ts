// Who may do what through the Iceberg catalog, black-box: grants decide; a table with a policy is handed out to nobody that it
// restricts; what the project writes or defines takes no changes from outside; only clients of this machine are served.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Send, schema, startCatalog, type TestCatalog } from './catalog.ts'

let catalog: TestCatalog
let admin: Send
let reader: Send
let writer: Send
let outsider: Send
before(async () => {
  catalog = await startCatalog()
  admin = catalog.send
  ;[reader, writer, outsider] = [await catalog.as('reader'), await catalog.as('writer'), await catalog.as('outsider')]
  await admin('POST', '/v1/namespaces', { namespace: ['private'] })
  await admin('POST', '/v1/namespaces/private/tables', { name: 'notes', schema: schema('id') })
})
after(() => catalog.stop())

const main = '/v1/namespaces/main/tables'
const names = (identifiers: { name: string }[]) => identifiers.map(({ name }) => name)
const property = { updates: [{ action: 'set-properties', updates: { a: 'b' } }] }
const column = { updates: [{ action: 'add-schema', schema: schema('id', 'more') }] }

test('the tables of the project lie in `main` and in their own namespaces, with their late and refused rows', async () => {
  const { body } = await admin('GET', main)
  assert.deepEqual(names(body.identifiers), [
    'clicks',
    'clicks__late',
    'clicks__rejected',
    'letters',
    'named',
    'pages',
    'people',
    'regions',
    'visits',
  ])
  assert.deepEqual((await admin('GET', '/v1/namespaces')).body.namespaces, [['lab'], ['main'], ['private']])
  assert.equal((await admin('GET', `${main}/people`)).status, 200, 'an administrator passes')
})

test('a caller sees what it may read or write, and nothing tells about the rest', async () => {
  assert.deepEqual((await outsider('GET', '/v1/namespaces')).body.namespaces, [])
  assert.deepEqual((await reader('GET', '/v1/namespaces')).body.namespaces, [['lab'], ['main']])
  assert.deepEqual(names((await outsider('GET', main)).body.identifiers), [])
  assert.deepEqual(names((await reader('GET', main)).body.identifiers), [
    'clicks',
    'clicks__late',
    'clicks__rejected',
    'pages',
    'people',
    'regions',
  ])
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
    const body = method === 'POST' ? property : undefined
    const [there, absent] = [await outsider(method, `${main}/clicks`, body), await outsider(method, `${main}/absent`, body)]
    assert.deepEqual([there.status, absent.status], [403, 403], method)
  }
  assert.equal((await reader('GET', '/v1/namespaces/private/tables/notes')).status, 403)
  assert.equal((await reader('GET', '/v1/namespaces/private')).status, 404)
})

test('a table with a row or column policy for the caller is refused, naming SQL; without one it is handed out', async () => {
  assert.equal((await reader('GET', `${main}/clicks`)).status, 200)
  for (const [role, send] of [
    ['rows', reader],
    ['masks', writer],
  ] as const) {
    const { status, type, body } = await send('GET', `${main}/people`)
    assert.deepEqual([status, type], [403, 'ForbiddenException'], role)
    assert.match(body.error.message, /policy.*POST \/sql/, role)
    assert.equal((await send('POST', `${main}/people/metrics`, {})).status, 403, role)
  }
})

test('what the project writes takes no commits of others; what nobody writes takes rows, and no other columns', async () => {
  assert.equal((await reader('POST', `${main}/regions`, property)).status, 403, 'no write grant')
  for (const name of ['clicks', 'pages']) {
    const { status, body } = await writer('POST', `${main}/${name}`, property)
    assert.equal(status, 403, name)
    assert.match(body.error.message, /written by the project itself/)
    assert.equal((await admin('POST', `${main}/${name}`, property)).status, 200, 'an administrator passes')
  }
  assert.equal((await writer('POST', `${main}/regions`, property)).status, 200)
  assert.match((await writer('POST', `${main}/regions`, column)).body.error.message, /defined by the project/)
  const both = { 'table-changes': ['regions', 'clicks'].map((name) => ({ identifier: { namespace: ['main'], name }, ...property })) }
  assert.equal((await writer('POST', '/v1/transactions/commit', both)).status, 403)
})

test('a table of the project shows the rows of its own files: a commit that names those of another is refused', async () => {
  const people = (await admin('GET', `${main}/people`)).body.metadata
  const snapshot = {
    'snapshot-id': 77,
    'sequence-number': 1,
    'timestamp-ms': people['last-updated-ms'],
    'manifest-list': `${people.location}/metadata/any.avro`,
    summary: { operation: 'append' },
  }
  const { status, body } = await writer('POST', `${main}/regions`, { updates: [{ action: 'add-snapshot', snapshot }] })
  assert.equal(status, 403)
  assert.match(body.error.message, /outside of the table's directory/)
})

test('what the project defines is not dropped, renamed or made from outside, whoever asks', async () => {
  const lab = { namespace: ['lab'], name: 'x' }
  assert.equal((await admin('DELETE', `${main}/regions`)).status, 403)
  assert.equal((await admin('DELETE', `${main}/clicks__late`)).status, 403)
  assert.equal(
    (await admin('POST', '/v1/tables/rename', { source: { namespace: ['main'], name: 'regions' }, destination: lab })).status,
    403,
  )
  assert.equal((await admin('POST', main, { name: 'regions', schema: schema('id') })).status, 403)
})

test('a writer of a namespace makes tables and views there and nowhere else', async () => {
  assert.equal((await writer('POST', '/v1/namespaces/private/tables', { name: 'mine', schema: schema('id') })).status, 403)
  assert.equal((await writer('POST', '/v1/namespaces', { namespace: ['mine'] })).status, 403)
  assert.equal((await reader('POST', '/v1/namespaces/lab/tables', { name: 'mine', schema: schema('id') })).status, 403)
  assert.equal((await writer('POST', '/v1/namespaces/lab/tables', { name: 'mine', schema: schema('id') })).status, 200)
  assert.equal((await reader('GET', '/v1/namespaces/lab/tables/mine')).status, 200)
  assert.equal((await writer('POST', '/v1/namespaces/lab/tables/mine', column)).status, 200)
  const version = {
    'version-id': 1,
    'schema-id': 0,
    representations: [{ type: 'sql', sql: 'SELECT 1', dialect: 'spark' }],
    'default-namespace': ['lab'],
  }
  const view = { name: 'v', schema: schema('id'), 'view-version': version }
  assert.equal((await writer('POST', '/v1/namespaces/lab/views', view)).status, 200)
  assert.equal((await reader('GET', '/v1/namespaces/lab/views/v')).status, 200)
  assert.equal((await reader('DELETE', '/v1/namespaces/lab/views/v')).status, 403)
  assert.equal((await outsider('GET', '/v1/namespaces/lab/views/v')).status, 403)
  assert.equal((await writer('DELETE', '/v1/namespaces/lab/tables/mine?purgeRequested=true')).status, 204)
})

test('a table that another engine made is in SQL for administrators, and for nobody else', async () => {
  const ask = (token: string, sql: string) =>
    fetch(`${catalog.server.url}/sql`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sql }),
    }).then(async (response) => ({ status: response.status, body: (await response.json()) as { code?: string; rows?: unknown[][] } }))
  const made = await catalog.server.post('/admin/tokens', '{"user": "w", "roles": ["writer"]}', { 'content-type': 'application/json' })
  const { token } = (await made.json()) as { token: string }
  await writer('POST', '/v1/namespaces/lab/tables', { name: 'ours', schema: schema('id', 'x') })
  assert.deepEqual(await catalog.server.sql('SELECT count(*), max(x) FROM lab.ours'), [[0, null]])
  assert.equal((await ask(token, 'SELECT count(*) FROM lab.ours')).body.code, 'MR_SQL_UNKNOWN')
  assert.equal((await ask(catalog.server.token, 'SELECT count(*) FROM lab.absent')).body.code, 'MR_SQL_UNKNOWN')
  const timed = (type: string) => ({ type: 'struct', fields: [{ id: 1, name: 'seen', required: false, type }] })
  assert.equal((await writer('POST', '/v1/namespaces/lab/tables', { name: 'local', schema: timed('timestamp') })).status, 200)
  assert.deepEqual(await catalog.server.sql('SELECT count(*), typeof(max(seen)) FROM lab.local'), [[0, 'TIMESTAMP']])
  // Of nanoseconds SQL shows the microseconds.
  const fine = { name: 'fine', schema: timed('timestamp_ns'), properties: { 'format-version': '3' } }
  assert.equal((await writer('POST', '/v1/namespaces/lab/tables', fine)).status, 200)
  assert.deepEqual(await catalog.server.sql('SELECT count(*), typeof(max(seen)) FROM lab.fine'), [[0, 'TIMESTAMP']])
})

test('a view that may not be read is not moved to where it may', async () => {
  const courier = await catalog.as('courier')
  const representations = [{ type: 'sql', sql: "SELECT 'the secret' AS s", dialect: 'spark' }]
  const version = { 'version-id': 1, 'timestamp-ms': 1, 'schema-id': 0, summary: {}, 'default-namespace': ['main'], representations }
  const made = await admin('POST', '/v1/namespaces/main/views', {
    name: 'secret_view',
    schema: schema('id'),
    'view-version': version,
    properties: {},
  })
  assert.equal(made.status, 200, JSON.stringify(made.body))
  assert.equal((await courier('GET', '/v1/namespaces/main/views/secret_view')).status, 403)
  const move = { source: { namespace: ['main'], name: 'secret_view' }, destination: { namespace: ['lab'], name: 'secret_view' } }
  assert.equal((await courier('POST', '/v1/views/rename', move)).status, 403)
  assert.equal((await admin('GET', '/v1/namespaces/main/views/secret_view')).status, 200)
  await admin('DELETE', '/v1/namespaces/main/views/secret_view')
})

test('changes and refusals are in the audit trail', async () => {
  const rows = await catalog.server.sql(
    `SELECT "user", action, object, outcome FROM millrace.audit WHERE action LIKE 'iceberg:%' AND object IN ('main.people', 'lab.mine', 'main.regions, main.clicks')`,
  )
  const has = (...row: string[]) =>
    assert.ok(
      rows.some((found) => JSON.stringify(found) === JSON.stringify(row)),
      row.join(' '),
    )
  has('reader', 'iceberg:GET /v1/namespaces/{namespace}/tables/{table}', 'main.people', 'MR_ACCESS_DENIED')
  has('writer', 'iceberg:POST /v1/transactions/commit', 'main.regions, main.clicks', 'MR_ACCESS_DENIED')
  has('writer', 'iceberg:POST /v1/namespaces/{namespace}/tables', 'lab.mine', 'ok')
  has('writer', 'iceberg:DELETE /v1/namespaces/{namespace}/tables/{table}', 'lab.mine', 'ok')
})

test('a request that came from another machine is refused, also through a proxy', async () => {
  for (const header of ['x-forwarded-for', 'forwarded']) {
    const { status, type, body } = await admin('GET', '/v1/config', undefined, { [header]: 'for=192.0.2.1' })
    assert.deepEqual([status, type], [403, 'ForbiddenException'])
    assert.match(body.error.message, /loopback/)
  }
})
