// Statements and rows by HTTP at the same time: no increment is lost, whoever else writes to the table; a reader sees each statement whole or
// not at all; what a statement read of other tables holds when it is written; statements do not starve beside writers that never rest.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'

const CLIENTS = 8
const ROUNDS = process.env['MILLRACE_TEST_ALL'] ? 100 : 12
const data = mkdtempSync(join(tmpdir(), 'millrace-writers-'))
let server: TestServer
before(async () => {
  server = await startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_FLUSH_MS: '400' } })
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const JSON_BODY = { 'content-type': 'application/json' }

interface Written {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
  readonly code?: string
}

async function write(sql: string): Promise<Written> {
  const answer = await server.post('/sql', JSON.stringify({ sql }), JSON_BODY)
  const body = (await answer.json()) as Written
  assert.ok(answer.ok, `${sql}: ${JSON.stringify(body)}`)
  return body
}

const many = (count: number, action: (client: number) => Promise<void>): Promise<unknown> =>
  Promise.all(Array.from({ length: count }, (_, client) => action(client)))

test(`${CLIENTS} clients add ${ROUNDS} times each, beside writers that never rest: nothing is lost`, async () => {
  await write('INSERT INTO counters VALUES (1, 0), (2, 0)')
  let isDone = false
  let posted = 0
  const posters = many(2, async (client) => {
    for (let n = 0; !isDone; n++) {
      const answer = await server.post('/streams/counters', JSON.stringify({ id: 1_000 + client, n }), JSON_BODY)
      assert.equal(answer.status, 202)
      posted++
    }
  })
  await many(CLIENTS, async () => {
    for (let round = 0; round < ROUNDS; round++) assert.equal((await write('UPDATE counters SET n = n + 1 WHERE id <= 2')).updated, 2)
  })
  isDone = true
  await posters
  assert.deepEqual(await server.sql('SELECT id, n FROM counters WHERE id <= 2 ORDER BY id'), [
    [1, CLIENTS * ROUNDS],
    [2, CLIENTS * ROUNDS],
  ])
  assert.ok(posted > CLIENTS * ROUNDS, `${posted} rows were posted meanwhile`)
})

test('a row that was posted is never overwritten by a statement that did not see it', async () => {
  await write('INSERT INTO counters VALUES (3, 0)')
  let isDone = false
  let added = 0
  const adders = many(3, async () => {
    for (; !isDone; added++) await write('UPDATE counters SET n = n + 1 WHERE id = 3')
  })
  for (let n = 1; n <= ROUNDS * 4; n++) {
    const answer = await server.post('/streams/counters', JSON.stringify({ id: 3, n: n * 100_000 }), JSON_BODY)
    assert.equal(answer.status, 202)
    await server.sql('SELECT 1')
    const shown = await server.sql(`SELECT n FROM counters WHERE id = 3 AND _offset > ${offsetOf(await answer.json())}`)
    // Shown or not yet; then it is the posted row or one that was made of it.
    for (const [value] of shown) assert.ok(Number(value) >= n * 100_000, `${value} after ${n * 100_000} was posted`)
  }
  isDone = true
  await adders
  const [[last]] = (await server.sql('SELECT n FROM counters WHERE id = 3')) as [[number]]
  assert.ok(last >= ROUNDS * 4 * 100_000 && last < ROUNDS * 4 * 100_000 + added, String(last))
  assert.ok(added > 10, `${added} times`)
})

const offsetOf = (answer: unknown): number => (answer as { offsets: { first: number }[] }).offsets[0]!.first

test('a reader sees all of a statement or nothing of it, also when rows get other keys', async () => {
  await write(`MERGE INTO counters c USING (SELECT i + 10 AS id, 100 AS n FROM range(20) r(i)) s ON c.id = s.id
    WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE`)
  let isDone = false
  let reads = 0
  const readers = many(2, async () => {
    for (; !isDone; reads++)
      assert.deepEqual(await server.sql('SELECT count(*), sum(n), count(DISTINCT id) FROM counters'), [[20, 2_000, 20]])
  })
  await many(3, async (client) => {
    for (let round = 0; round < ROUNDS; round++) {
      if (client === 0) await write('UPDATE counters SET id = 39 - id WHERE id BETWEEN 10 AND 29')
      else if (client === 1) await write('UPDATE counters SET id = CASE WHEN id >= 10000 THEN id - 10000 ELSE id + 10000 END')
      else
        await write(
          'UPDATE counters SET n = n + CASE WHEN rank % 2 = 0 THEN 5 ELSE -5 END FROM (SELECT id AS k, row_number() OVER (ORDER BY id) AS rank FROM counters) r WHERE r.k = counters.id',
        )
    }
  }).catch((error) => {
    isDone = true
    throw error
  })
  isDone = true
  await readers
  assert.ok(reads > 10, `${reads} reads`)
})

test('an insert of one key from all sides is done once', async () => {
  const answers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) =>
      server.post('/sql', JSON.stringify({ sql: `INSERT INTO counters VALUES (77, ${n})` }), JSON_BODY),
    ),
  )
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: CLIENTS - 1 }, () => 409)])
  const codes = await Promise.all(answers.filter(({ ok }) => !ok).map(async (answer) => ((await answer.json()) as Written).code))
  assert.deepEqual([...new Set(codes)], ['MR_SQL_KEY'])
})

test('two tables, each filled from the other: a statement sees what was acknowledged before it', async () => {
  await write('DELETE FROM counters')
  await write("INSERT INTO copies (id, owner) VALUES (1, 'a')")
  for (let round = 0; round < 10; round++) {
    await write(`INSERT INTO counters SELECT ${round}, count(*) FROM copies`)
    await write(`INSERT INTO copies (id, owner) SELECT max(n) + 1, 'b' FROM counters`)
  }
  assert.deepEqual(await server.sql('SELECT count(*), max(id) FROM copies'), [[11, 11]])
})

test('of two tables of who is on call at most one says yes, whoever asks the other first', async () => {
  const isFree = (other: string): string => `NOT EXISTS (SELECT 1 FROM ${other} WHERE id = 1 AND n = 1)`
  const starts = [
    `UPDATE counters SET n = 1 WHERE id = 1 AND ${isFree('checked')}`,
    `MERGE INTO checked USING (SELECT 1 AS id WHERE ${isFree('counters')}) s ON checked.id = s.id WHEN MATCHED THEN UPDATE SET n = 1`,
    // The other table is read through a view.
    'UPDATE checked SET n = 1 FROM (SELECT n AS others FROM total) t WHERE id = 1 AND t.others = 0',
  ]
  for (let round = 0; round < ROUNDS * 2; round++) {
    await write('INSERT OR REPLACE INTO counters SELECT 1, 0')
    await write('INSERT OR REPLACE INTO checked SELECT 1, 0')
    await write('DELETE FROM counters WHERE id <> 1')
    await Promise.all([...starts.slice(round % 3), ...starts.slice(0, round % 3)].map(write))
    assert.deepEqual(await server.sql('SELECT (SELECT n FROM counters) + (SELECT n FROM checked)'), [[1]], `round ${round}`)
  }
})

test('a row that is posted to a table that a statement reads is seen, or comes after it', async () => {
  await write('DELETE FROM counters')
  await write('DELETE FROM checked')
  // No id is taken: every n that is seen is a row.
  await write('DELETE FROM copies')
  let isDone = false
  let last = 0
  const poster = (async () => {
    for (let n = 1; !isDone; n++) {
      assert.equal((await server.post('/streams/counters', JSON.stringify({ id: 1, n }), JSON_BODY)).status, 202)
      last = n
    }
  })()
  for (let round = 0; round < ROUNDS || last <= ROUNDS; round++) {
    const acknowledged = last
    await write('INSERT OR REPLACE INTO checked SELECT 1, n % 100 FROM counters')
    await write("INSERT INTO copies (id, owner) SELECT n, 'c' FROM counters ON CONFLICT DO NOTHING")
    const [[seen]] = (await server.sql("SELECT max(id) FROM copies WHERE owner = 'c'")) as [[number]]
    assert.ok(seen >= acknowledged, `${seen} is seen after ${acknowledged} was acknowledged`)
  }
  isDone = true
  await poster
})

test('a stream that gets rows all the time holds nobody up', async () => {
  let isDone = false
  let sent = 0
  const senders = many(2, async () => {
    for (; !isDone; sent++) {
      assert.equal((await server.post('/streams/clicks', JSON.stringify({ page: `p${sent % 7}` }), JSON_BODY)).status, 202)
    }
  })
  for (let round = 0; round < ROUNDS; round++) await write('INSERT OR REPLACE INTO counters SELECT 5, count(*) FROM clicks')
  isDone = true
  await senders
  const [[tries]] = (await server.sql(
    `SELECT max(CAST(detail ->> 'attempts' AS INT)) FROM (FROM millrace.audit WHERE object = 'counters' AND outcome = 'ok' ORDER BY sequence DESC LIMIT ${ROUNDS})`,
  )) as [[number]]
  // Nor does a flush of `counters`, of which there are some meanwhile.
  assert.ok(tries === 1 && sent > ROUNDS, `${tries} tries, ${sent} rows were sent`)
})
