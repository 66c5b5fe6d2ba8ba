// Windows in questions give the rows that a live model's batch twin gives, whatever else the question does with them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printLive } from './algebra/print-query.ts'
import { compileLive } from './algebra/read-query.ts'
import type { StreamShape } from './algebra/source.ts'
import { openParser } from './ast.ts'
import { openTestEngine } from './testing.ts'
import { expandWindows } from './window-calls.ts'

const SHAPE: StreamShape = {
  fields: [
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'shop', type: { kind: 'string' }, optional: false },
    { name: 'device', type: { kind: 'string' }, optional: true },
    { name: 'amount', type: { kind: 'int' }, optional: false },
  ],
}

/** Also before 1970, and with rows at one time. */
const ROWS = `SELECT make_timestamptz(((hash(range) % 400)::BIGINT - 200) * 500000) AS seen, ['a', 'b'][1 + (hash(range + 1) % 2)::INTEGER] AS shop,
  ['x', 'y', NULL][1 + (hash(range + 2) % 3)::INTEGER] AS device, range::INTEGER AS amount FROM range(300)`

const SAME = [
  'SELECT window_start, shop, count(*) AS n, sum(amount) AS total FROM tumble(sales, seen, INTERVAL 7 SECOND) GROUP BY ALL',
  'SELECT sales.window_start, window_end, count(*) AS n FROM TUMBLE(sales, sales.seen, INTERVAL 1 MINUTE) WHERE sales.amount > 10 GROUP BY ALL',
  'SELECT window_start, window_end, shop, avg(amount) AS mean FROM hop(sales, seen, INTERVAL 2 SECOND, INTERVAL 10 SECOND) GROUP BY ALL',
  'SELECT device, window_start, window_end, count(*) AS n FROM session(sales, seen, INTERVAL 3 SECOND, key := device) WHERE device IS NOT NULL GROUP BY ALL',
  // A session is of all rows: WHERE decides which of them are counted.
  "SELECT device, window_start, window_end, count(*) AS n, sum(amount) FILTER (WHERE amount > 9) AS total FROM session(sales, seen, INTERVAL 3 SECOND, key := device) WHERE shop = 'a' AND device > 'a' AND amount % 3 < 2 GROUP BY ALL",
  `WITH w AS (SELECT shop, window_start, window_end, count(*) AS n FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL)
   SELECT window_start, max(n) AS most, count(*) AS windows FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND) GROUP BY ALL`,
  // Of sessions and of windows of several lengths, those that end together may begin apart.
  `WITH w AS (SELECT device, window_start, window_end, count(*) AS n FROM session(sales, seen, INTERVAL 2 SECOND, key := device) GROUP BY ALL)
   SELECT window_start, window_end, device, n FROM w QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY n DESC, device) = 1`,
  `WITH w AS (SELECT shop, window_start, window_end, count(*) AS n FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL
   UNION ALL SELECT shop, window_start, window_end, count(*) AS n FROM tumble(sales, seen, INTERVAL 10 SECOND) GROUP BY ALL)
   SELECT window_start, window_end, shop, n FROM w QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY n DESC, shop) = 1`,
  // Windows that have nothing but their bounds.
  ...[
    'SELECT window_start, count(*) AS n FROM tumble(w, window_end, INTERVAL 20 SECOND) GROUP BY ALL',
    'SELECT window_start, window_end FROM tumble(w, window_end, INTERVAL 20 SECOND)',
    'SELECT window_start FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND)',
    'SELECT window_start, row_number() OVER (PARTITION BY window_start ORDER BY window_end) AS place FROM tumble(w, window_end, INTERVAL 20 SECOND) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY window_end) <= 2',
  ].map((sql) => `WITH w AS (SELECT window_start, window_end FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL) ${sql}`),
  // The bounds of windows hide those of the windows in them.
  ...[
    "SELECT window_start, shop, sum(n) AS n FROM tumble(w, window_end, INTERVAL 20 SECOND) WHERE window_start > TIMESTAMPTZ '1969-12-31 23:58:50Z' GROUP BY ALL HAVING max(window_end) < TIMESTAMPTZ '1970-01-01 00:01:00Z'",
    'SELECT window_start, window_end, shop, n FROM tumble(w, window_end, INTERVAL 20 SECOND) WHERE window_start + INTERVAL 3 SECOND > window_end - INTERVAL 18 SECOND',
    'SELECT window_start, window_end, shop, n FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND)',
    'SELECT window_start, shop, n FROM tumble(w, window_end, INTERVAL 20 SECOND) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY n DESC, shop, n) <= 2',
    'SELECT window_end, shop, n FROM hop(w, window_start, INTERVAL 10 SECOND, INTERVAL 20 SECOND) QUALIFY rank() OVER (PARTITION BY window_end, shop ORDER BY n) = 1',
  ].map(
    (sql) =>
      `WITH w AS (SELECT shop, window_start, window_end, count(*) AS n FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL) ${sql}`,
  ),
]

test('windows are those of live models', async () => {
  await using parts = await openTestEngine()
  const parser = await openParser(parts.engine)
  await parts.session.run(`CREATE TABLE sales AS ${ROWS}`)
  const sorted = async (sql: string): Promise<string[]> =>
    (await parts.session.rows(sql)).rows.map((row) => JSON.stringify(row.map(String))).sort()
  const asked = async (sql: string): Promise<string[]> => {
    const statement = await parser.parse(sql)
    await expandWindows(parser, statement, sql)
    return sorted(await parser.print(statement))
  }
  for (const sql of SAME) {
    const live = compileLive((await parser.parse(sql)).node, () => SHAPE)
    const expected = await sorted(printLive(live, (name) => name))
    assert.ok(expected.length >= 4, sql)
    assert.deepEqual(await asked(sql), expected, sql)
  }
  const [counted] = await asked(
    `WITH few AS (SELECT *, seen AS moment FROM sales WHERE amount < 50)
     SELECT count(*), count(DISTINCT w.window_start), sum((t.window_end = t.window_start + INTERVAL 1 MINUTE)::INTEGER)
     FROM hop(few, moment, INTERVAL 1 SECOND, INTERVAL 3 SECOND) w, (SELECT * FROM tumble(few, seen, INTERVAL 1 MINUTE) ORDER BY amount LIMIT 1) t`,
  )
  assert.equal(JSON.parse(counted!)[0], '150')
  assert.deepEqual(await asked('SELECT columns(*) FROM tumble(sales, seen, INTERVAL 1 MINUTE) LIMIT 0'), [])
  assert.deepEqual(await asked('SELECT count(*) FROM tumble(sales, seen, INTERVAL 1 MINUTE) TABLESAMPLE reservoir(7 ROWS)'), ['["7"]'])
  // Of windows of which only the bounds are left: every window in one session, or each in its own.
  const bounds = 'WITH w AS (SELECT window_start, window_end FROM tumble(sales, seen, INTERVAL 5 SECOND) GROUP BY ALL)'
  const [[windows]] = (await asked(`${bounds} SELECT count(*) FROM w`)).map((row) => JSON.parse(row)) as [[string]]
  for (const [key, sessions] of [
    ['1', '1'],
    ['window_start', windows],
  ] as const) {
    const sql = `${bounds} SELECT count(*), count(DISTINCT (window_start, window_end)) FROM session(w, window_end, INTERVAL 100 SECOND, key := ${key})`
    assert.deepEqual(await asked(sql), [JSON.stringify([windows, sessions])])
  }
  const text = 'SELECT * FROM hop(sales, seen, INTERVAL 1 SECOND, INTERVAL 2 SECOND)'
  const names = await parser.parse(text)
  await expandWindows(parser, names, text)
  const { columns } = await parts.session.rows(await parser.print(names))
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['seen', 'shop', 'device', 'amount', 'window_start', 'window_end'],
  )
  parser.close()
})

test('the key of a session may be any expression of its rows', async () => {
  await using parts = await openTestEngine()
  const parser = await openParser(parts.engine)
  await parts.session.run(`CREATE TABLE sales AS ${ROWS}`)
  const asked = async (sql: string): Promise<string[][]> => {
    const statement = await parser.parse(sql)
    await expandWindows(parser, statement, sql)
    const { rows } = await parts.session.rows(await parser.print(statement))
    return rows.map((row) => row.map(String))
  }
  const counts = (key: string, from = 'sales') => `SELECT window_start, window_end, count(*), sum(amount)
    FROM session(${from}, seen, INTERVAL 2 SECOND, key := ${key}) GROUP BY window_start, window_end, ${key} ORDER BY ALL`
  const named = (key: string) => `WITH w AS (SELECT *, ${key} AS k FROM sales) ${counts('k', 'w')}`
  for (const key of ['upper(device)', "sales.shop || coalesce(sales.device, '')", 'amount % 3', "CASE WHEN shop = 'a' THEN device END"]) {
    const rows = await asked(counts(key))
    assert.ok(rows.length >= 4, key)
    assert.deepEqual(rows, await asked(named(key)), key)
  }
  const text = 'SELECT * FROM session(sales, seen, INTERVAL 2 SECOND, key := upper(device)) AS s'
  const statement = await parser.parse(text)
  await expandWindows(parser, statement, text)
  const { columns } = await parts.session.rows(await parser.print(statement))
  assert.deepEqual(
    columns.map(({ name }) => name),
    ['seen', 'shop', 'device', 'amount', 'window_start', 'window_end'],
  )
  parser.close()
})

test('another form is refused with the right one', async () => {
  await using parts = await openTestEngine()
  const parser = await openParser(parts.engine)
  for (const [call, message, column = 15] of [
    ['tumble(sales, seen)', 'tumble does not take these arguments'],
    ['tumble()', 'tumble does not take these arguments'],
    ["tumble('sales', seen, INTERVAL 1 SECOND)", 'the first argument of tumble is the name of a relation', 22],
    ['hop((SELECT * FROM sales), seen, INTERVAL 1 SECOND, INTERVAL 1 SECOND)', 'the first argument of hop is the name of a relation', 19],
    ['session((FROM sales), seen, INTERVAL 1 SECOND, key := shop)', 'the first argument of session is the name of a relation', 23],
    ['tumble(sales, seen + INTERVAL 1 SECOND, INTERVAL 1 SECOND)', 'tumble does not take these arguments'],
    ['tumble(sales, seen, INTERVAL 1 MONTH)', 'tumble has a length that is no INTERVAL of fixed length', 44],
    ['tumble(sales, seen, INTERVAL 0 SECOND)', 'tumble has a length that is no INTERVAL of fixed length', 44],
    ['tumble(sales, seen, amount)', 'tumble has a length that is not constant', 35],
    ['hop(sales, seen, INTERVAL 2 SECOND, INTERVAL 3 SECOND)', 'hop has a width that is no multiple of its slide', 60],
  ] as const) {
    const text = `SELECT 'ä' AS a,\n * FROM ${call}`
    const statement = await parser.parse(text)
    const expected = { code: 'MR_SQL_SYNTAX', message: `${message} (line 2, column ${column - 6})` }
    await assert.rejects(expandWindows(parser, statement, text), expected, call)
  }
  const call = 'SELECT * FROM constructor(sales, seen, INTERVAL 1 SECOND)'
  const other = await parser.parse(call)
  await expandWindows(parser, other, call)
  assert.match(await parser.print(other), /constructor/i, 'functions of other names are left to the gate')
  parser.close()
})
