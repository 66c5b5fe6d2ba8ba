// Live models over a keyed table in a running server: rows by HTTP, statements of SQL and deletions by key change the table, and
// the models are their SQL over its rows, in the tail, in what is committed, after a kill, and for the model that reads them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-tables-'))
const start = (): Promise<TestServer> =>
  startServer({ project: join(root, 'test', 'tables', 'project'), data, env: { MILLRACE_FLUSH_MS: '600' } })
let server: TestServer
before(async () => {
  server = await start()
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const JSON_BODY = { 'content-type': 'application/json' }

async function write(sql: string): Promise<void> {
  const answer = await server.post('/sql', JSON.stringify({ sql }), JSON_BODY)
  assert.ok(answer.ok, `${sql}: ${await answer.text()}`)
}

/** By model: the same rows by SQL over the table. */
const BATCH: Readonly<Record<string, string>> = {
  by_country: `SELECT coalesce(country, '?') AS country, count(*) AS n, sum(spent) AS spent, max(spent) AS most FROM customers GROUP BY ALL`,
  countries: 'SELECT country, count(*) AS n, max(spent) AS most FROM customers GROUP BY ALL',
  everybody: 'SELECT count(*) AS n, count(country) AS somewhere, sum(spent) AS spent FROM customers',
  large: 'SELECT country, count(*) AS n FROM customers WHERE country IS NOT NULL GROUP BY ALL HAVING count(*) > 1',
  rich: "SELECT id, lower(regexp_extract(email, '@(.*)', 1)) AS host, spent FROM customers WHERE spent >= 100",
  hosts: "SELECT lower(regexp_extract(email, '@(.*)', 1)) AS host, count(*) AS n FROM customers WHERE spent >= 100 GROUP BY ALL",
}

async function until(what: string, check: () => Promise<void>): Promise<void> {
  const end = Date.now() + 60_000
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (Date.now() > end) throw new Error(`${what}, after a minute`, { cause: error })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Waits until the models are what they have to be. */
async function settle(what: string, models = ['by_country', 'countries', 'everybody', 'large', 'rich']): Promise<void> {
  for (const name of models)
    await until(`${name}: ${what}`, async () =>
      assert.deepEqual(
        await server.sql(`SELECT * FROM ${name} ORDER BY ALL`),
        await server.sql(`SELECT * FROM (${BATCH[name]}) ORDER BY ALL`),
      ),
    )
}

const countries = async (): Promise<unknown> => (await server.sql('SELECT country FROM by_country ORDER BY 1')).flat()

test('an aggregate over the whole table is a row before any row is', async () => {
  await settle('before any row', ['everybody'])
  assert.deepEqual(await server.sql('SELECT * FROM everybody'), [[0, 0, null]])
})

test('statements change the table, and its models follow', async () => {
  await write(
    `INSERT INTO customers VALUES (1, 'de', 150, 'a@One.org'), (2, 'de', 20, 'b@two.org'), (3, 'fr', 500, 'c@one.org'), (4, NULL, 99.99, 'd@x.org')`,
  )
  await settle('after INSERT')
  assert.deepEqual(await countries(), ['?', 'de', 'fr'])
  await write(`UPDATE customers SET country = 'de' WHERE id = 3`)
  await settle('after UPDATE')
  assert.deepEqual(await countries(), ['?', 'de'])
  await write('DELETE FROM customers WHERE country IS NULL')
  await settle('after DELETE')
  assert.deepEqual(await countries(), ['de'])
  await write(`MERGE INTO customers USING (VALUES (1, 5), (9, 900)) AS s(id, spent) ON customers.id = s.id
    WHEN MATCHED THEN UPDATE SET spent = s.spent WHEN NOT MATCHED THEN INSERT (id, country, spent, email) VALUES (s.id, 'it', s.spent, 'e@three.org')`)
  await settle('after MERGE')
  await write('UPDATE customers SET id = id + 100 WHERE id = 9')
  await settle('after a change of the key')
  assert.deepEqual(await server.sql('SELECT id, host FROM rich ORDER BY id'), [
    [3, 'one.org'],
    [109, 'three.org'],
  ])
  const posted = await server.post('/streams/customers', '{"id":2,"country":"it","spent":"120.00","email":"b@two.org"}\n', {
    'content-type': 'application/x-ndjson',
  })
  assert.equal(posted.status, 202)
  await settle('after a row by HTTP')
  await settle('in the model that is refreshed', ['hosts'])
})

test('it goes on after a kill, and what has gone stays gone', async () => {
  await write(
    `INSERT INTO customers SELECT 1000 + i, ['de', 'it', 'es', NULL][i % 4 + 1], i * 10, 'x@host' || i % 4 || '.org' FROM range(60) t(i)`,
  )
  await write('DELETE FROM customers WHERE id % 7 = 0')
  await server.kill('SIGKILL')
  server = await start()
  await settle('after a kill')
  await write("DELETE FROM customers WHERE country = 'es'")
  await write('UPDATE customers SET spent = spent - 200 WHERE spent < 400')
  await settle('after more')
  assert.ok(!((await countries()) as string[]).includes('es'))
  await settle('in the model that is refreshed', ['hosts'])
  await write('DELETE FROM customers')
  await settle('after all have gone')
  for (const name of Object.keys(BATCH).filter((name) => name !== 'everybody'))
    await until(`${name} is empty`, async () => assert.deepEqual(await server.sql(`SELECT * FROM ${name}`), []))
  await server.kill('SIGKILL')
  server = await start()
  await settle('after all have gone and a kill')
  assert.deepEqual(await server.sql('SELECT * FROM everybody'), [[0, 0, null]])
})
