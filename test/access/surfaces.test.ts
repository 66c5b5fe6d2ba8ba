// The same policy on every surface of a running server: an analyst of one country, by a token of that role and as an
// administrator who acts as it, gets own rows and masked values, and no route says a hidden name, value or number of rows.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { SignJWT } from 'jose'
import { runMillrace } from '../cli/millrace.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const project = join(root, 'test', 'access', 'surfaces-project')
const data = mkdtempSync(join(tmpdir(), 'millrace-surfaces-'))
const FRENCH = 20
const OTHERS = 1_717
const EMPLOYEES = 1_511

/** What an analyst of France must never be told: names of hidden definitions, other countries' rows, raw values, numbers of rows (digits in a hash are none). */
const HIDDEN = {
  name: /payroll|whispers|overtime|paymaster|pay_job|pay_alert|board_room|GET \/pay|"\/api\/pay"/i,
  value: /zulu|rawname|4929-0000|10\.9\.|sesame|87654321/i,
  count: new RegExp(`(?<![\\w.])(${[OTHERS, FRENCH + OTHERS, FRENCH + OTHERS + 1, FRENCH + OTHERS + 2, EMPLOYEES].join('|')})(?![\\w.])`),
}

const json = { 'content-type': 'application/json' }
const ndjson = { 'content-type': 'application/x-ndjson' }
let server: TestServer
let analystToken = ''
let senderToken = ''
let signedToken = ''

const ISSUER = 'https://id.example'
const SECRET = 'a secret of more than thirty-two bytes'

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
const order = (id: number, country: string, name: string): object => ({
  id,
  country,
  customer: `${name}-${id % 10}`,
  card: `4929-0000-1111-${1000 + (id % 10)}`,
  amount: '12.50',
  seen: '2026-05-01T12:00:00Z',
})

/** The command line, as a user calls it. */
const millrace = (...args: string[]) => runMillrace([...args, '--project', project, '--data', data])

async function makeToken(...args: string[]): Promise<{ id: string; token: string }> {
  const { status, out, errors } = await millrace('token', 'create', ...args, '--json')
  assert.equal(status, 0, errors)
  return JSON.parse(out) as { id: string; token: string }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 15_000
  while (!(await isSo())) {
    assert.ok(performance.now() < endMs, `${what} did not happen`)
    await sleep(100)
  }
}

before(async () => {
  server = await startServer({
    project,
    data,
    env: {
      MILLRACE_FLUSH_MS: '500',
      MILLRACE_JWT_ISSUER: ISSUER,
      MILLRACE_JWT_AUDIENCE: 'shop',
      MILLRACE_JWT_SECRET: SECRET,
      MILLRACE_JWT_ROLES: 'realm.roles',
      MILLRACE_JWT_ATTRIBUTES: 'country=home',
    },
  })
  const send = async (stream: string, rows: readonly object[], status = 202): Promise<void> => {
    const response = await server.post(`/streams/${stream}`, lines(rows), ndjson)
    assert.equal(response.status, status, await response.text())
  }
  const french = Array.from({ length: FRENCH }, (_, index) => order(index, 'France', 'rawname'))
  const others = Array.from({ length: OTHERS }, (_, index) => order(1_000_000 + index, 'Japan', 'zulu'))
  await send(
    'payroll',
    Array.from({ length: EMPLOYEES }, (_, index) => ({ employee: `sesame-${index}`, salary: 87_654_321 })),
  )
  await send('whispers', [{ text: 'open sesame' }])
  await send('orders', [...french, ...others, { ...order(5_000_000, 'Japan', 'zulu'), amount: '99999.00' }])
  await send('orders', [{ ...order(6_000_000, 'Japan', 'zulu'), amount: 'zulu' }], 422)
  await send('clicks', [
    { page: 1, ip: '10.9.0.1' },
    { page: 2, ip: '10.9.0.2' },
  ])
  await send('clicks', [{ page: 'none', ip: '10.9.9.9' }], 422)
  const committed = async (name: string, rows: number): Promise<boolean> =>
    (await server.sql(`SELECT count(*) FROM millrace.snapshots WHERE relation = '${name}' AND total_records = ${rows}`))[0]![0] !== 0
  await eventually('the commit of orders', () => committed('orders', FRENCH + OTHERS))
  await eventually('the commit of payroll', () => committed('payroll', EMPLOYEES))
  const { status, out, errors } = await millrace('run', 'revenue', 'margin', 'overtime')
  assert.equal(status, 0, out + errors)
  analystToken = (await makeToken('ann', '--role', 'analyst', '--attr', 'country=France')).token
  senderToken = (await makeToken('robot', '--role', 'sender')).token
  signedToken = await new SignJWT({ realm: { roles: ['analyst', 'admin'] }, home: 'France' })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ada')
    .setIssuer(ISSUER)
    .setAudience('shop')
    .setExpirationTime('10 minutes')
    .sign(Buffer.from(SECRET))
})
after(() => {
  server?.child.kill('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

/** The ways to be an analyst of France: our token, one of an identity provider (whose administrators are not ours), acting as one. */
const callers = (): readonly (readonly [string, Record<string, string>])[] => [
  ['token', { authorization: `Bearer ${analystToken}` }],
  ['signed', { authorization: `Bearer ${signedToken}` }],
  ['acting', { 'millrace-as': 'analyst', 'millrace-as-attributes': JSON.stringify({ country: 'France' }) }],
]

function checkNothingHidden(what: string, text: string): void {
  for (const [kind, pattern] of Object.entries(HIDDEN)) {
    const found = pattern.exec(text)
    assert.equal(
      found,
      null,
      `${what} says a hidden ${kind}: ...${text.slice(Math.max(0, (found?.index ?? 0) - 120), (found?.index ?? 0) + 60)}...`,
    )
  }
}

const ask = async (sql: string, headers: Record<string, string>): Promise<Response> =>
  server.post('/sql', JSON.stringify({ sql }), { ...json, ...headers })

const QUESTION = 'SELECT country, customer, card, amount FROM orders ORDER BY id'

/** All rows French, all values masked. */
function checkOrders(what: string, rows: readonly (readonly unknown[])[]): void {
  assert.equal(rows.length, FRENCH, what)
  for (const [country, customer, card] of rows) {
    assert.equal(country, 'France', what)
    assert.match(String(customer), /^[0-9a-f]{32}$/, what)
    assert.match(String(card), /^\*\*\*10\d\d$/, what)
  }
}

test('SQL in every format', async () => {
  for (const [how, headers] of callers()) {
    const formats: Record<string, (response: Response) => Promise<unknown[][]>> = {
      'application/json': async (response) => ((await response.json()) as { rows: unknown[][] }).rows,
      'application/x-ndjson': async (response) =>
        (await response.text())
          .trim()
          .split('\n')
          .map((line) => Object.values(JSON.parse(line) as object)),
      'text/csv': async (response) =>
        (await response.text())
          .trim()
          .split(/\r?\n/)
          .slice(1)
          .map((line) => line.split(',')),
      'application/vnd.apache.arrow.stream': async (response) =>
        [...tableFromIPC(await response.arrayBuffer())].map((row) => Object.values(row.toJSON())),
      'application/vnd.apache.parquet': async (response) => readParquet(Buffer.from(await response.arrayBuffer())),
    }
    for (const [type, read] of Object.entries(formats)) {
      const response = await ask(QUESTION, { ...headers, accept: type })
      assert.equal(response.status, 200, `${how} ${type}`)
      checkOrders(`${how} ${type}`, await read(response))
    }
    for (const sql of [
      'SELECT count(*) FROM payroll',
      'SELECT * FROM whispers',
      'SELECT * FROM payroll__rejected',
      'SELECT * FROM nothing_there',
    ]) {
      const response = await ask(sql, headers)
      const { code, detail } = (await response.json()) as { code: string; detail: string }
      assert.deepEqual([response.status, code], [400, 'MR_SQL_UNKNOWN'], sql)
      assert.doesNotMatch(detail, /permission|grant|may not/i, 'the same words for hidden and unknown')
    }
    for (const sql of [
      'SELECT raw, message FROM orders__rejected',
      'SELECT * FROM customers',
      'SELECT * FROM revenue',
      'SELECT max(customer) FROM orders',
    ]) {
      const text = await (await ask(sql, headers)).text()
      checkNothingHidden(sql, text)
    }
    for (const accept of ['application/json', 'text/csv', 'application/x-ndjson', 'application/vnd.apache.parquet']) {
      const failed = await ask('SELECT CAST(customer AS INTEGER) FROM customers', { ...headers, accept })
      assert.equal(failed.status, 400, accept)
      checkNothingHidden('an error', await failed.text())
    }
    assert.equal((await ask('SELECT * FROM millrace.audit', headers)).status, 400)
  }
})

async function readParquet(bytes: Buffer): Promise<unknown[][]> {
  const { writeFileSync } = await import('node:fs')
  const path = join(data, 'answer.parquet')
  writeFileSync(path, bytes)
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    return (await connection.runAndReadAll(`SELECT * FROM read_parquet('${path}')`)).getRows()
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

test('an endpoint and its pages', async () => {
  for (const [how, headers] of callers()) {
    const rows: unknown[][] = []
    let next: string | null = ''
    while (next !== null) {
      const response = await server.get(`/api/orders${next === '' ? '' : `?cursor=${encodeURIComponent(next)}`}`, headers)
      const text = await response.text()
      assert.equal(response.status, 200, text)
      checkNothingHidden(`${how} /api/orders`, text)
      const page = JSON.parse(text) as { data: Record<string, unknown>[]; next: string | null }
      rows.push(...page.data.map((row) => [row['country'], row['customer'], row['card']]))
      next = page.next
    }
    checkOrders(`${how} /api/orders`, rows)
    const csv = await (await server.get('/api/orders?limit=1000', { ...headers, accept: 'text/csv' })).text()
    checkNothingHidden('csv', csv)
    for (const path of ['/api/pay', '/api/wages']) {
      const response = await server.get(path, headers)
      assert.equal(response.status, 403, path)
      assert.doesNotMatch(await response.text(), /payroll|sesame/)
    }
  }
})

test('the command line', async () => {
  const as = ['--as', 'analyst', '--attr', 'country=France']
  const csv = await millrace('query', QUESTION, ...as, '--format', 'csv')
  assert.equal(csv.status, 0, csv.errors)
  checkOrders(
    'csv',
    csv.out
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((line) => line.split(',')),
  )
  const asJson = await millrace('query', QUESTION, ...as, '--json')
  const answer = JSON.parse(asJson.out) as { rows: unknown[][]; policy: { rowFilter: boolean; masked: string[] } }
  checkOrders('json', answer.rows)
  assert.deepEqual([answer.policy.rowFilter, [...answer.policy.masked].sort()], [true, ['card', 'customer']])
  const hidden = await millrace('query', 'FROM payroll', ...as)
  assert.deepEqual([hidden.status, hidden.out], [1, ''])
  assert.match(hidden.errors, /MR_SQL_UNKNOWN/)
  const lacking = await millrace('query', 'FROM orders', '--as', 'analyst')
  assert.equal(lacking.status, 1)
  assert.match(lacking.errors, /MR_ACCESS_ATTRIBUTE/)
})

test('no route of the console says what is hidden', async () => {
  const runs = (await (await server.get('/admin/runs')).json()) as { runs: { id: string }[] }
  assert.ok(runs.runs.length > 0)
  const relations = ['orders', 'clicks', 'revenue', 'margin', 'customers']
  const paths = [
    ...['session', 'overview', 'relations', 'lineage', 'streams', 'runs?hours=720', 'dashboards', 'dashboards/desk'],
    ...relations.flatMap((name) =>
      ['', '/rows?limit=1000', '/schema', '/quality', '/snapshots', '/lineage?up=5&down=5'].map((tab) => `relations/${name}${tab}`),
    ),
    ...[
      'streams/clicks',
      'dashboards/desk/tiles/0',
      'dashboards/desk/tiles/1',
      'relations/orders/rows?order=amount&desc=1&filter=country:ne:France',
    ],
    ...runs.runs.map((run) => `runs/${run.id}`),
  ].map((path) => `/admin/${path}`)
  const refused = [
    ...['payroll', 'whispers', 'overtime'].flatMap((name) =>
      ['', '/rows', '/schema', '/quality', '/snapshots', '/lineage'].map((tab) => `/admin/relations/${name}${tab}`),
    ),
    ...[
      '/admin/streams/orders',
      '/admin/streams/whispers',
      '/admin/dashboards/board_room',
      '/admin/dashboards/board_room/tiles/0',
      '/admin/dashboards/desk/tiles/2',
    ],
    '/admin/tokens',
  ]
  for (const [how, headers] of callers()) {
    let answered = 0
    for (const path of [...paths, '/metrics', '/openapi.json']) {
      const response = await server.get(path, headers)
      const text = await response.text()
      // A run of which the analyst may see no step is not there.
      if (path.startsWith('/admin/runs/') && response.status === 404) continue
      assert.equal(response.status, 200, `${how} ${path}: ${text}`)
      checkNothingHidden(`${how} ${path}`, text)
      answered++
    }
    assert.ok(answered > paths.length - 3)
    for (const path of refused) {
      const response = await server.get(path, headers)
      const text = await response.text()
      assert.ok([403, 404].includes(response.status), `${how} ${path}: ${response.status}`)
      checkNothingHidden(
        path,
        text.replaceAll(/payroll|whispers|overtime|board_room/g, (name) => (path.includes(name) ? 'asked' : name)),
      )
    }
    const rows = (await (await server.get('/admin/relations/orders/rows', headers)).json()) as {
      rows: unknown[][]
      matched: number
      total: number
    }
    assert.deepEqual([rows.rows.length, rows.matched, rows.total], [FRENCH, FRENCH, FRENCH])
    const tile = (await (await server.get('/admin/dashboards/desk/tiles/0', headers)).json()) as { rows: unknown[][] }
    assert.deepEqual(tile.rows, [[`${FRENCH * 12.5}.00`]])
    const clicks = (await (await server.get('/admin/streams/clicks', headers)).json()) as {
      rejected: { total: number; groups: { newest: unknown }[] }
    }
    assert.deepEqual([clicks.rejected.total, clicks.rejected.groups[0]!.newest], [1, null])
  }
  const all = await Promise.all([...paths, ...refused, '/metrics', '/openapi.json'].map(async (path) => (await server.get(path)).text()))
  for (const [kind, pattern] of Object.entries(HIDDEN)) assert.match(all.join('\n'), pattern, `an administrator is told every ${kind}`)
  const own = (await (await server.get('/admin/relations/orders', {})).json()) as { relation: { rows: number } }
  assert.equal(own.relation.rows, FRENCH + OTHERS, 'the administrator sees the number')
})

test('events name only what may be seen', async () => {
  const aborter = new AbortController()
  const response = await fetch(`${server.url}/admin/events`, {
    headers: { authorization: `Bearer ${analystToken}` },
    signal: aborter.signal,
  })
  let text = ''
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
  })().catch(() => {})
  await server.post('/streams/whispers', JSON.stringify({ text: 'sesame' }), json)
  await server.post('/streams/payroll', JSON.stringify({ employee: 'sesame-0', salary: 1 }), json)
  await server.post('/streams/clicks', JSON.stringify({ page: 3, ip: '10.9.0.3' }), json)
  await eventually('an event of clicks', async () => text.includes('clicks'))
  await sleep(1_200)
  aborter.abort()
  await reading
  checkNothingHidden('events', text)
})

test('who may not write, and whose token is no good, is refused', async () => {
  const post = (stream: string, token: string | null): Promise<Response> =>
    fetch(`${server.url}/streams/${stream}`, {
      method: 'POST',
      headers: { ...json, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
      body: JSON.stringify(order(7, 'France', 'rawname')),
    })
  const codeOf = async (response: Response): Promise<string> => `${response.status} ${((await response.json()) as { code: string }).code}`
  assert.equal(await codeOf(await post('orders', analystToken)), '403 MR_ACCESS_DENIED')
  assert.equal(await codeOf(await post('whispers', senderToken)), '403 MR_ACCESS_DENIED')
  assert.equal(await codeOf(await post('nothing_there', senderToken)), '403 MR_ACCESS_DENIED')
  assert.equal((await post('orders', senderToken)).status, 202)
  assert.equal(await codeOf(await post('orders', null)), '401 MR_AUTH_MISSING')
  const sender = { authorization: `Bearer ${senderToken}` }
  assert.equal((await ask('SELECT count(*) FROM orders', sender)).status, 400)
  assert.equal(
    (await server.post('/admin/runs', '{"assets": ["revenue"]}', { ...json, authorization: `Bearer ${analystToken}` })).status,
    403,
  )
  assert.equal(
    (await server.post('/admin/tokens', '{"user": "x", "roles": ["admin"]}', { ...json, authorization: `Bearer ${analystToken}` })).status,
    403,
  )
  assert.equal(
    await codeOf(await server.get('/admin/session', { authorization: `Bearer ${analystToken}`, 'millrace-as': 'admin' })),
    '403 MR_ACCESS_DENIED',
  )
  assert.equal(
    await codeOf(await server.get('/admin/session', { authorization: `Bearer ${analystToken}`, 'millrace-as': 'paymaster' })),
    '403 MR_ACCESS_DENIED',
  )

  // An own role, as it is held: the attributes of the request do not count.
  const elsewhere = { authorization: `Bearer ${analystToken}`, 'millrace-as': 'analyst', 'millrace-as-attributes': '{"country":"Japan"}' }
  checkOrders('own attributes', ((await (await ask(`${QUESTION} LIMIT ${FRENCH}`, elsewhere)).json()) as { rows: unknown[][] }).rows)

  const [revoked, expiring] = [
    await makeToken('gone', '--role', 'analyst', '--attr', 'country=France'),
    await makeToken('brief', '--role', 'sender', '--expires', '1 second'),
  ]
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
  assert.equal((await ask('SELECT 1', bearer(revoked.token))).status, 200)
  assert.equal((await millrace('token', 'revoke', revoked.id)).status, 0)
  await sleep(1_100)
  for (const token of [revoked.token, expiring.token, 'mrt_nothing', `${analystToken}x`]) {
    assert.equal(await codeOf(await ask('SELECT 1', bearer(token))), '401 MR_AUTH_INVALID')
    assert.equal(await codeOf(await post('orders', token)), '401 MR_AUTH_INVALID')
    assert.equal((await server.get('/metrics', bearer(token))).status, 401)
    assert.equal((await server.get('/openapi.json', bearer(token))).status, 401)
  }
  const anonymous = (await (await fetch(`${server.url}/openapi.json`)).json()) as { paths: object }
  assert.deepEqual(Object.keys(anonymous.paths).sort(), ['/health', '/metrics', '/ready', '/sql'])
})

test('pages of other origins, and names that are not ours, are refused', async () => {
  const call = (method: string, path: string, headers: Record<string, string>): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request(
        server.url + path,
        { method, headers: { ...json, authorization: `Bearer ${server.token}`, ...headers } },
        (response) => {
          response.resume()
          resolve(response.statusCode!)
        },
      )
      sent.on('error', reject)
      sent.end(method === 'POST' ? JSON.stringify(path === '/sql' ? { sql: 'SELECT 1' } : order(8, 'France', 'rawname')) : undefined)
    })
  const host = new URL(server.url).host
  for (const [method, path, fine] of [
    ['POST', '/sql', 200],
    ['POST', '/streams/orders', 202],
    ['GET', '/admin/session', 200],
    ['GET', '/api/orders', 200],
  ] as const) {
    assert.equal(await call(method, path, { origin: 'https://evil.example' }), 403, path)
    assert.equal(await call(method, path, { origin: 'null' }), 403, path)
    assert.equal(await call(method, path, { origin: 'http://evil.example', host: 'evil.example' }), 403, path)
    assert.equal(await call(method, path, { origin: server.url, host }), fine, path)
  }
})
