// Statements and rows by HTTP at the same time: no increment is lost, whoever else writes to the table; a reader sees each statement whole or
// not at all; statements do not starve beside writers that never rest.
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
