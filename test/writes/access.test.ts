// Who may change rows by SQL: writing takes the grant, reading is what a question of the caller would see, and a table of which a policy hides
// something is not changed. What is refused changes nothing and says nothing of what is hidden. Every statement is in the audit trail.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-access-'))
const tokens = new Map<string, string>()
let server: TestServer

interface Answer {
  readonly status: number
  readonly inserted?: number
  readonly updated?: number
  readonly deleted?: number
  readonly code?: string
  readonly detail?: string
}

async function as(role: string, sql: string, more: object = {}): Promise<Answer> {
  const authorization = `Bearer ${role === 'admin' ? server.token : tokens.get(role)}`
  const answer = await fetch(`${server.url}/sql`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ sql, ...more }),
  })
  return { status: answer.status, ...((await answer.json()) as object) }
}

before(async () => {
  server = await startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_FLUSH_MS: '500' } })
  for (const role of ['reader', 'writer', 'blind', 'narrow', 'masked']) {
    const body = JSON.stringify({ user: role, roles: [role], attributes: role === 'narrow' ? { owner: 'ann' } : {} })
    const made = await server.post('/admin/tokens', body, { 'content-type': 'application/json' })
    tokens.set(role, ((await made.json()) as { token: string }).token)
  }
  await as('admin', "INSERT INTO secrets VALUES (1, 'ann', 'ann@example.com'), (2, 'bob', 'bob@example.com')")
  await as('admin', 'INSERT INTO counters VALUES (1, 10)')
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const DENIED = [403, 'MR_ACCESS_DENIED']
const UNKNOWN = [400, 'MR_SQL_UNKNOWN']

test('writing takes the write grant, and a table must be read too', async () => {
  for (const [role, sql, expected] of [
    ['reader', 'UPDATE counters SET n = 0', DENIED],
    ['reader', 'INSERT INTO clicks (page) VALUES (1)', DENIED],
    ['reader', 'INSERT INTO total VALUES (1)', DENIED],
    ['reader', 'DELETE FROM stock', UNKNOWN],
    ['reader', 'DELETE FROM nowhere', UNKNOWN],
    ['blind', 'DELETE FROM stock', UNKNOWN],
    ['blind', 'INSERT INTO counters VALUES (1, 1)', DENIED],
    ['blind', 'INSERT OR REPLACE INTO counters VALUES (1, 1)', DENIED],
    ['blind', "INSERT INTO clicks (page) SELECT 'b' || n FROM counters", UNKNOWN],
    ['blind', "INSERT INTO clicks (page) VALUES ('b')", [200, undefined]],
    ['writer', 'INSERT INTO secrets VALUES (9, 1, 1)', DENIED],
    ['writer', 'UPDATE total SET n = 1', [400, 'MR_SQL_STATEMENT']],
    ['writer', 'UPDATE counters SET n = n + 1', [200, undefined]],
    ['writer', 'INSERT INTO counters SELECT id + 100, length(email) FROM secrets', [200, undefined]],
  ] as const) {
    const { status, code, detail } = await as(role, sql)
    assert.deepEqual([status, code], [...expected], `${role}: ${sql}: ${detail}`)
  }
  assert.deepEqual(await server.sql('SELECT n FROM counters WHERE id = 1'), [[11]])
  assert.deepEqual((await as('nobody', 'DELETE FROM counters')).status, 401)
  // The same words for what there is not and what one may not see.
  const [hidden, absent] = [await as('reader', 'DELETE FROM stock'), await as('reader', 'DELETE FROM nowhere')]
  assert.equal(hidden.detail?.replace('stock', 'x'), absent.detail?.replace('nowhere', 'x'))
})

test('a table of which a policy hides rows or columns is not changed, not even where the statement does not meet them', async () => {
  const before = await server.sql('SELECT id, owner, email FROM secrets ORDER BY id')
  for (const role of ['narrow', 'masked'])
    for (const sql of [
      "UPDATE secrets SET owner = 'ann' WHERE id = 1",
      'UPDATE secrets SET email = email',
      'DELETE FROM secrets WHERE id = 1',
      "INSERT INTO secrets VALUES (3, 'ann', 'x')",
      "INSERT INTO secrets VALUES (2, 'ann', 'x') ON CONFLICT DO NOTHING",
      'MERGE INTO secrets s USING (SELECT 2 AS id) x ON s.id = x.id WHEN MATCHED THEN DELETE',
    ]) {
      const { status, code, detail } = await as(role, sql)
      assert.deepEqual([status, code], DENIED, `${role}: ${sql}`)
      assert.match(detail!, role === 'narrow' ? /hides rows of secrets/ : /hides columns \(email\) of secrets/)
    }
  assert.deepEqual(await server.sql('SELECT id, owner, email FROM secrets ORDER BY id'), before)
})

test('what a statement reads is what the caller sees: rows that are hidden are not copied, masks stay masks', async () => {
  assert.equal((await as('narrow', 'INSERT INTO copies SELECT id, owner, email FROM secrets')).inserted, 1)
  assert.deepEqual(await server.sql('SELECT id, owner, email FROM copies'), [[1, 'ann', 'ann@example.com']])
  assert.equal((await as('narrow', 'DELETE FROM copies WHERE (SELECT count(*) FROM secrets) = 2')).deleted, 0)
  assert.equal((await as('masked', 'INSERT OR REPLACE INTO copies SELECT id, owner, email FROM secrets')).inserted, 1)
  assert.deepEqual(await server.sql('SELECT DISTINCT email FROM copies'), [['***']])
  const merge = `MERGE INTO copies c USING secrets s ON c.id = s.id WHEN MATCHED AND s.owner = 'bob' THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE`
  assert.equal((await as('narrow', merge)).deleted, 1, 'bob is in no source of ann')
})

test('every expression passes the gate', async () => {
  for (const sql of [
    `UPDATE counters SET n = (SELECT count(*) FROM read_csv('/etc/passwd'))`,
    `INSERT INTO counters SELECT 5, size FROM read_blob('/etc/passwd')`,
    `DELETE FROM counters USING '/etc/passwd.csv' AS f WHERE true`,
    `UPDATE counters SET n = getenv('HOME')::INT`,
    `DELETE FROM counters WHERE EXISTS (SELECT 1 FROM duckdb_settings())`,
    `MERGE INTO counters c USING (SELECT * FROM glob('/*')) g ON true WHEN MATCHED THEN DELETE`,
    `INSERT INTO counters VALUES (5, 1), ((SELECT 1 FROM memory.tail."secrets#1"), 1)`,
    `WITH x AS (DELETE FROM counters) INSERT INTO counters SELECT 1, 1`,
    `UPDATE counters SET n = 1 WHERE true) SELECT * FROM (secrets`,
    `UPDATE counters SET n = 1 WHERE id = 1 UNION ALL SELECT 0, 1, 1, 1 FROM secrets`,
    `INSERT INTO counters SELECT id, 1 FROM secrets; DELETE FROM counters`,
    `UPDATE "counters#1" SET n = 1`,
    `UPDATE memory.tail.counters SET n = 1`,
    `DELETE FROM counters WHERE n = $$ $$ OR current_setting('x') = ''`,
    `INSERT INTO counters SELECT * FROM __millrace_changes`,
  ]) {
    const { status, code } = await as('writer', sql)
    assert.ok(status >= 400 && status < 500, `${sql}: ${status} ${code}`)
    assert.match(code!, /^MR_SQL_(FORBIDDEN|UNKNOWN|SYNTAX|STATEMENT|TYPE)$/, sql)
  }
  assert.deepEqual(await server.sql('SELECT n FROM counters WHERE id = 1'), [[11]])
})

test('an error while it runs tells a restricted caller no values', async () => {
  const sql = 'UPDATE copies SET id = owner::INT FROM secrets s WHERE s.owner::INT > 0'
  const restricted = await as('narrow', sql.replace('owner::INT FROM', 's.owner::INT FROM'))
  assert.equal(restricted.code, 'MR_SQL_RUNTIME')
  assert.doesNotMatch(restricted.detail!, /ann|bob/)
})

test('acting as a role narrows a statement as it narrows a question; a dry run changes nothing', async () => {
  const { url, token } = server
  const answer = await fetch(`${url}/sql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'millrace-as': 'reader' },
    body: JSON.stringify({ sql: 'DELETE FROM counters' }),
  })
  assert.equal(answer.status, 403)
  const dry = await as('writer', 'DELETE FROM counters', { dryRun: true })
  assert.ok(dry.deleted! > 0)
  assert.deepEqual(await server.sql('SELECT n FROM counters WHERE id = 1'), [[11]])
  assert.equal((await as('writer', 'DELETE FROM counters', { freshness: 'committed' })).code, 'MR_USAGE')
})

test('the audit trail has every statement, what it changed, and what was refused', async () => {
  await as('writer', 'UPDATE counters SET n = 12 WHERE id = 1')
  await as('writer', "UPDATE counters SET n = (SELECT 'x'::INT)")
  await as('masked', 'UPDATE secrets SET owner = 1')
  const rows = (await server.sql(
    `SELECT "user", action, object, outcome, detail FROM millrace.audit WHERE action = 'write:sql' ORDER BY sequence DESC LIMIT 3`,
  )) as string[][]
  assert.deepEqual(
    rows.map((row) => row.slice(0, 4)),
    [
      ['masked', 'write:sql', 'secrets', 'MR_ACCESS_DENIED'],
      ['writer', 'write:sql', 'counters', 'MR_SQL_RUNTIME'],
      ['writer', 'write:sql', 'counters', 'ok'],
    ],
  )
  const detail = JSON.parse(rows[2]![4]!) as { sql: string; updated: number; offsets: unknown[] }
  assert.deepEqual([detail.sql, detail.updated, detail.offsets.length], ['UPDATE counters SET n = 12 WHERE id = 1', 1, 1])
})
