// Forms of statements: those that work, and for those that do not what the error says is the nearest that does.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { runMillrace } from '../cli/millrace.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-forms-'))
let server: TestServer
before(async () => {
  server = await startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_WRITE_BYTES: '200000' } })
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

interface Answer {
  readonly status: number
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly code?: string
  readonly detail?: string
  readonly fix?: string
  readonly relation?: string
  readonly offsets: unknown[]
}

async function write(sql: string): Promise<Answer> {
  const answer = await server.post('/sql', JSON.stringify({ sql }), { 'content-type': 'application/json' })
  return { status: answer.status, ...((await answer.json()) as object) } as Answer
}

test('what works', async () => {
  for (const [sql, counts] of [
    ['INSERT INTO counters VALUES (1, 1), (2, 2), (3, 3)', [3, 0, 0]],
    ['insert into main.counters (n, id) select n, id + 10 from main.counters;', [3, 0, 0]],
    ['INSERT INTO public."counters" (id, n) (WITH x AS (SELECT 20 AS i) SELECT i, 0 FROM x)', [1, 0, 0]],
    ['WITH x AS (SELECT 21 AS i) INSERT INTO counters SELECT i, 0 FROM x', [1, 0, 0]],
    ['INSERT INTO counters BY NAME SELECT 5 AS n, 22 AS id', [1, 0, 0]],
    ['FROM counters', null],
    [
      '-- a comment\n/* and /* another */ */ UPDATE COUNTERS AS "c" SET N = c.n + counters.n FROM counters WHERE counters.id = c.id AND c.id = 1',
      [0, 1, 0],
    ],
    ['UPDATE counters c SET (n, id) = (c.n * 2, 100) WHERE c.id = 2', [0, 1, 0]],
    ['UPDATE counters SET id = 300 - id WHERE id IN (100, 200)', [0, 1, 0]],
    ['UPDATE counters SET n = CASE WHEN n IS DISTINCT FROM 3 THEN 1 ELSE 2 END WHERE id = 3', [0, 1, 0]],
    ['UPDATE counters SET n = 1 WHERE false', [0, 0, 0]],
    ['DELETE FROM counters AS c USING (VALUES (10), (11)) v(k), range(2) r WHERE c.id = v.k', [0, 0, 1]],
    ['DELETE FROM counters WHERE id IN (SELECT id FROM counters WHERE id = 12)', [0, 0, 1]],
    [
      'MERGE INTO counters USING (SELECT 1 AS id, 7 AS n UNION ALL SELECT 9, 9) AS s USING (id) WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *',
      [1, 1, 0],
    ],
    ['MERGE INTO counters c USING range(30, 33) AS r(i) ON c.id = r.i WHEN NOT MATCHED BY TARGET THEN INSERT VALUES (r.i, 0)', [3, 0, 0]],
    [
      'MERGE INTO counters c USING counters AS s ON c.id = s.id + 1 AND s.id = 30 WHEN MATCHED AND s.n > 5 THEN DO NOTHING WHEN MATCHED THEN DELETE',
      [0, 0, 1],
    ],
    [
      'MERGE INTO counters c USING (SELECT 1) s(i) ON c.id = -1 WHEN NOT MATCHED BY SOURCE AND c.id >= 30 THEN UPDATE SET n = -1 WHEN NOT MATCHED THEN DO NOTHING',
      [0, 3, 0],
    ],
    [
      'MERGE INTO counters c USING (SELECT 1 AS i) s ON c.id = s.i WHEN MATCHED AND c.n < 0 THEN ERROR WHEN MATCHED THEN UPDATE SET n = 0',
      [0, 1, 0],
    ],
    ['INSERT OR IGNORE INTO counters VALUES (1, 5), (50, 5), (50, 6)', [1, 0, 0]],
    ['INSERT OR REPLACE INTO counters VALUES (1, 5), (51, 5)', [1, 1, 0]],
    ['INSERT INTO counters AS c VALUES (1, 5), (52, 5) ON CONFLICT (ID) DO UPDATE SET n = c.n + excluded.n WHERE c.n = 5', [1, 1, 0]],
    ["INSERT INTO clicks (page) VALUES ('a'), ('b')", [2, 0, 0]],
    ["INSERT INTO clicks BY NAME SELECT 'c' AS page, 1 AS n", [1, 0, 0]],
    ['TRUNCATE TABLE counters', [0, 0, 13]],
    ['DELETE FROM counters', [0, 0, 0]],
  ] as const) {
    const answer = await write(sql)
    assert.equal(answer.status, 200, `${sql}: ${answer.detail}`)
    if (counts) assert.deepEqual([answer.inserted, answer.updated, answer.deleted], [...counts], sql)
  }
  assert.deepEqual(await server.sql('SELECT page, n FROM clicks ORDER BY page'), [
    ['a', null],
    ['b', null],
    ['c', 1],
  ])
})

test('what does not work says what does', async () => {
  await write('INSERT INTO counters VALUES (1, 1), (2, 2)')
  for (const [sql, code, says] of [
    ['UPDATE total SET n = 1', 'MR_SQL_STATEMENT', /total is a model: .*change what it reads/],
    ['DELETE FROM versions', 'MR_SQL_STATEMENT', /versions is a model/],
    ['DELETE FROM clicks', 'MR_SQL_STATEMENT', /clicks is a stream: .*INSERT INTO, or define a table with a key/],
    ['UPDATE clicks__late SET page = 1', 'MR_SQL_STATEMENT', /clicks__late is a part of clicks/],
    ['INSERT INTO counters__rejected SELECT 1', 'MR_SQL_STATEMENT', /a part of counters/],
    ['INSERT INTO loaded VALUES (1)', 'MR_SQL_STATEMENT', /loaded is a table that is loaded from files: .*change the files/],
    ['DELETE FROM foreign_rows', 'MR_SQL_STATEMENT', /other engines write: .*from: http\(\)/],
    ['DELETE FROM millrace.audit', 'MR_SQL_STATEMENT', /millrace.audit is a table of the system/],
    ['DELETE FROM nowhere', 'MR_SQL_UNKNOWN', /defines no table "nowhere"/],
    ['DELETE FROM a.b.counters', 'MR_SQL_UNKNOWN', /name it as namespace.table/],
    ['UPDATE counters SET n = 1; UPDATE counters SET n = 2', 'MR_SQL_STATEMENT', /send each by itself/],
    ['UPDATE counters SET n = 1 RETURNING n', 'MR_SQL_STATEMENT', /RETURNING is not supported.*then SELECT/],
    ['INSERT INTO counters VALUES (9, 9) RETURNING *', 'MR_SQL_STATEMENT', /RETURNING is not supported/],
    ['INSERT INTO counters VALUES (1, 9)', 'MR_SQL_KEY', /counters has a row with id = 1; nothing was written.*INSERT OR REPLACE/],
    ['INSERT INTO counters VALUES (7, 1), (7, 2)', 'MR_SQL_KEY', /two rows with id = 7/],
    ['UPDATE counters SET id = 5', 'MR_SQL_KEY', /two rows with id = 5/],
    ['UPDATE counters SET id = 2 WHERE id = 1', 'MR_SQL_KEY', /has a row with id = 2/],
    [
      'UPDATE counters SET n = v.x FROM (VALUES (1, 2), (1, 3)) v(i, x) WHERE v.i = counters.id',
      'MR_SQL_KEY',
      /two rows of the source match the row with id = 1.*GROUP BY/,
    ],
    [
      'MERGE INTO counters c USING (VALUES (1), (1)) v(i) ON v.i = c.id WHEN MATCHED THEN DELETE',
      'MR_SQL_KEY',
      /two rows of the source match/,
    ],
    ['MERGE INTO counters c USING (VALUES (1)) v(i) ON v.i = c.id WHEN MATCHED THEN ERROR', 'MR_SQL_ROW', /THEN ERROR/],
    ['MERGE INTO counters c USING counters a JOIN counters b ON a.id = b.id ON a.id = c.id WHEN MATCHED THEN DELETE', 'MR_SQL_SYNTAX', /./],
    [
      'MERGE INTO counters c USING (counters a CROSS JOIN counters b) ON a.id = c.id WHEN MATCHED THEN DELETE',
      'MR_SQL_STATEMENT',
      /the source of MERGE is a join.*USING \(SELECT/,
    ],
    ['MERGE INTO counters c USING (SELECT 1 AS i) s ON c.id = s.i', 'MR_SQL_SYNTAX', /the end of the statement is where WHEN MATCHED/],
    [
      'MERGE INTO counters c USING (SELECT 1 AS i) s ON c.id = s.i WHEN MATCHED THEN INSERT VALUES (1, 1)',
      'MR_SQL_SYNTAX',
      /"INSERT" is where UPDATE SET, DELETE or DO NOTHING should be/,
    ],
    ['UPDATE counters SET _offset = 1', 'MR_SQL_STATEMENT', /_offset is written by Millrace itself/],
    ['UPDATE counters SET nn = 1', 'MR_SQL_UNKNOWN', /counters has no column "nn".*it has id, n/],
    ['UPDATE counters SET n = nn', 'MR_SQL_UNKNOWN', /nn/],
    ['UPDATE counters SET n = 1, N = 2', 'MR_SQL_SYNTAX', /the column N is set twice/],
    ['UPDATE shop.kinds SET place.lat = 1', 'MR_SQL_STATEMENT', /SET assigns whole columns.*struct_update/],
    ['UPDATE counters n = 1', 'MR_SQL_SYNTAX', /where SET should be \(line 1, column \d+\)/],
    ['UPDATE counters SET n = (1', 'MR_SQL_SYNTAX', /"\(" is not closed \(line 1, column 25\)/],
    ["UPDATE counters SET n = 'x", 'MR_SQL_SYNTAX', /a text is not closed/],
    ['UPDATE counters SET\n  n = 1 FROM WHERE', 'MR_SQL_SYNTAX', /"WHERE" is where an expression should be \(line 2, column 14\)/],
    ['UPDATE counters SET n = 1 2', 'MR_SQL_SYNTAX', /syntax error at or near "2" check that part/],
    ['INSERT INTO counters (id) VALUES (1, 2)', 'MR_SQL_TYPE', /1 columns of counters are to be set and there are 2 values/],
    ['INSERT INTO counters VALUES (1)', 'MR_SQL_TYPE', /2 columns of counters are to be set and there are 1 values/],
    ['INSERT INTO counters SELECT 1', 'MR_SQL_TYPE', /2 columns of counters are to be set and there are 1 values/],
    ['INSERT INTO counters (id, ID) VALUES (1, 2)', 'MR_SQL_SYNTAX', /stands twice/],
    ['INSERT INTO counters DEFAULT VALUES', 'MR_SQL_ROW', /field id is required and/],
    [
      'INSERT INTO counters VALUES (1, 1) ON CONFLICT (n) DO NOTHING',
      'MR_SQL_STATEMENT',
      /ON CONFLICT \(n\) is not the key.*ON CONFLICT \(id\)/,
    ],
    ['INSERT counters VALUES (1, 1)', 'MR_SQL_SYNTAX', /INTO/],
    ['CREATE TABLE x (i INT)', 'MR_SQL_STATEMENT', /INSERT, UPDATE, DELETE and MERGE/],
    ['DROP TABLE counters', 'MR_SQL_STATEMENT', /definitions change in code/],
    [
      'INSERT INTO counters SELECT i, i FROM range(100000) r(i)',
      'MR_SQL_ROWS',
      /more than 200000 bytes; nothing was written.*MILLRACE_WRITE_BYTES/,
    ],
  ] as const) {
    const answer = await write(sql)
    assert.ok(answer.status >= 400 && answer.status < 500, `${sql}: ${answer.status}`)
    assert.equal(answer.code, code, `${sql}: ${answer.detail}`)
    assert.match(`${answer.detail} ${answer.fix}`, says, sql)
  }
  assert.deepEqual(await server.sql('SELECT id, n FROM counters ORDER BY id'), [
    [1, 1],
    [2, 2],
  ])
})

test('a request that only asks changes nothing', async () => {
  const body = JSON.stringify({ sql: 'DELETE FROM counters', readOnly: true })
  const answer = await server.post('/sql', body, { 'content-type': 'application/json' })
  assert.deepEqual([answer.status, ((await answer.json()) as Answer).code], [400, 'MR_SQL_STATEMENT'])
  assert.deepEqual(await server.sql('SELECT count(*) FROM counters'), [[2]])
})

const query = (...args: readonly string[]) => runMillrace(['query', ...args, '--data', data])

test('on the command line: how many rows, or would be; as text, CSV and JSON', async () => {
  await write('TRUNCATE counters')
  const done = [
    await query('INSERT INTO counters VALUES (1, 1), (2, 2)'),
    await query('UPDATE counters SET n = 3', '--dry-run'),
    await query('DELETE FROM counters WHERE id = 9'),
    await query(
      'MERGE INTO counters USING (SELECT 3 AS id, 4 AS n) s USING (id) WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE',
      '--format',
      'csv',
    ),
  ]
  assert.deepEqual(
    done.map(({ status, out }) => [status, out.replace(/, \d+ ms/, '')]),
    [
      [0, '2 rows inserted\n'],
      [0, '2 rows would be updated\n'],
      [0, '0 rows changed\n'],
      [0, 'inserted,updated,deleted\r\n1,0,2\r\n'],
    ],
  )
  const json = JSON.parse((await query('UPDATE counters SET n = n + 1', '--format', 'json')).out) as Answer
  assert.deepEqual([json.relation, json.updated, json.offsets.length], ['counters', 1, 1])
  const refused = await query('UPDATE counters SET n = n +')
  assert.deepEqual([refused.status, /MR_SQL_SYNTAX/.test(refused.errors)], [1, true])
})
