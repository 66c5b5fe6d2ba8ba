// What a live model reads into its SQL is what DuckDB reads into the same text: the batch twin of the tree and the text itself, asked
// over the same tables, give the same columns and rows. That the stream engine gives the rows of the twin is shown in test/stream/.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Shape, Type } from '../../schema/type.ts'
import { type Node, openParser, type SqlParser } from '../ast.ts'
import { openTestEngine, type TestEngine } from '../testing.ts'
import { expandWindows } from '../window-calls.ts'
import { printLive } from './print-query.ts'
import { readLive } from './read-live.ts'
import { compileLive } from './read-query.ts'
import type { StreamShape } from './source.ts'

const field = (name: string, type: Type, optional = false): Shape['fields'][number] => ({ name, type, optional })
const [long, int, text, timestamp] = (['long', 'int', 'string', 'timestamp'] as const).map((kind): Type => ({ kind }))
const SYSTEM = [field('_partition', int!), field('_offset', long!), field('_ingested_at', timestamp!)]

const SHAPES: Readonly<Record<string, StreamShape>> = {
  rides: {
    time: 'began',
    fields: [
      field('ride', long!),
      field('rider', int!),
      field('city', text!, true),
      field('fare', { kind: 'decimal', precision: 10, scale: 2 }, true),
      field('meta', { kind: 'json' }, true),
      field('began', timestamp!),
      field('closed', timestamp!, true),
      ...SYSTEM,
    ],
  },
  charges: {
    time: 'paid_at',
    fields: [
      field('ride', long!),
      field('rider', int!),
      field('method', text!, true),
      field('amount', int!),
      field('paid_at', timestamp!),
      ...SYSTEM,
    ],
  },
  drivers: { tableKey: ['rider'], fields: [field('rider', int!), field('name', text!), ...SYSTEM] },
}

/** A number below the bound that follows from the row. */
const some = (salt: number, bound: number): string => `(hash(range * 31 + ${salt}) % ${bound})::INTEGER`
const at = (salt: number, seconds: number): string => `make_timestamptz((1772323200 + ${some(salt, seconds)})::BIGINT * 1000000 + range)`
const system = '0 AS _partition, range AS _offset, make_timestamptz(1772400000000000 + range) AS _ingested_at'

const TABLES = [
  `CREATE TABLE rides AS SELECT range AS ride, ${some(1, 9)} AS rider, ['rome', 'oslo', NULL][1 + ${some(2, 3)}] AS city,
    CASE WHEN ${some(3, 7)} > 0 THEN (${some(4, 4000)} / 100)::DECIMAL(10, 2) END AS fare, '{"app": {"v": ' || ${some(5, 4)} || '}}' AS meta,
    ${at(6, 3600)} AS began, CASE WHEN ${some(7, 4)} > 0 THEN ${at(6, 3600)} + to_seconds(${some(8, 900)}) END AS closed, ${system} FROM range(400)`,
  `CREATE TABLE charges AS SELECT ${some(11, 400)} AS ride, ${some(12, 9)} AS rider, ['card', NULL][1 + ${some(13, 2)}] AS method,
    ${some(14, 50)} AS amount, ${at(15, 3600)} AS paid_at, ${system} FROM range(400)`,
  "CREATE TABLE drivers AS SELECT range::INTEGER AS rider, 'd' || range AS name, 0 AS _partition, range AS _offset, make_timestamptz(1) AS _ingested_at FROM range(6)",
]

const TEXTS: readonly string[] = [
  // Columns of *, output names.
  'SELECT * EXCLUDE (meta, closed) FROM rides WHERE rider > 3',
  'SELECT r.* EXCLUDE (r.meta) REPLACE (fare * 2 AS fare) RENAME (city AS place), rider + 1 AS more FROM rides r',
  'SELECT ride, fare * 2 AS twice, twice + 1 AS more, more - twice AS one FROM rides WHERE twice > 20',
  'SELECT began, rider AS city, city AS rider FROM rides',
  "SELECT coalesce(city, 'none') AS c, rider % 3 AS third, count(*) AS n, count_if(fare > 10) AS dear FROM rides GROUP BY c, third",
  'SELECT window_start, city, count(*) AS n, sum(fare) AS total FROM tumble(rides, began, INTERVAL 10 MINUTE) GROUP BY ALL HAVING n > 3 AND total > 40',
  'SELECT rider, sum(ride) * 2 - 5 AS a, sum(ride) % 7 AS b, -sum(ride) AS c, sum(ride) - sum(rider) AS d, sum(ride) * 1.5 AS e, sum(ride) + 0.25 AS f, sum(ride) / 3 AS g FROM rides GROUP BY rider HAVING sum(ride) * 2 > 100',
  // Ranks.
  'SELECT DISTINCT ON (rider) rider, city, began FROM rides ORDER BY rider, began DESC',
  'SELECT DISTINCT ON (rider, city) rider, fare, city AS place FROM rides WHERE city IS NOT NULL ORDER BY fare DESC NULLS LAST, ride',
  'SELECT * FROM (SELECT rider, fare, began, row_number() OVER (PARTITION BY rider ORDER BY began DESC) AS n FROM rides) WHERE n = 1',
  'WITH numbered AS (SELECT rider, ride, fare, row_number() OVER (PARTITION BY rider ORDER BY fare DESC NULLS LAST, ride) AS n FROM rides) SELECT t.rider, t.n, t.fare FROM numbered t WHERE t.n <= 3',
  'SELECT X.rider, X.n, x.* EXCLUDE (N, rider) FROM (SELECT rider, fare, row_number() OVER (PARTITION BY rider ORDER BY began DESC) AS n FROM rides) X WHERE x.n = 1',
  'SELECT r.ride, C.amount, RIDES.rider FROM rides JOIN (SELECT R.ride, r.fare FROM rides R) r ON R.ride = rides.ride JOIN charges c ON c.ride = r.ride',
  `SELECT window_start, city, total FROM (SELECT window_start, city, sum(fare) AS total, rank() OVER (PARTITION BY window_start ORDER BY sum(fare) DESC NULLS LAST) AS place
     FROM tumble(rides, began, INTERVAL 15 MINUTE) GROUP BY window_start, city) WHERE place < 2 AND total > 10`,
  // Conditions on windows.
  "SELECT window_start, count(*) AS n FROM tumble(rides, began, INTERVAL 10 MINUTE) WHERE window_start >= '2026-03-01 00:20:00+00' AND rider > 2 GROUP BY ALL",
  "SELECT window_end, count(*) AS n FROM hop(rides, began, INTERVAL 5 MINUTE, INTERVAL 10 MINUTE) WHERE window_end > '2026-03-01 00:20:00+00' AND fare > 3 GROUP BY window_start, window_end",
  `SELECT lower(city) AS town, window_start, window_end, count(*) AS n FROM session(rides, began, INTERVAL 9 SECOND, key := lower(rides.city)) GROUP BY ALL`,
  `SELECT rider, window_start, window_end, count(*) AS n, max(fare) FILTER (WHERE city = 'rome') AS top FROM session(rides, began, INTERVAL 40 SECOND, key := rider)
     WHERE window_start > '2026-03-01 00:10:00+00' AND rider < 7 AND fare > 5 GROUP BY ALL`,
  "SELECT ride, window_start, window_end FROM hop(rides, began, INTERVAL 5 MINUTE, INTERVAL 10 MINUTE) WHERE fare > 30 AND window_start < '2026-03-01 00:30:00+00'",
  // Times.
  "SELECT ride, closed - began > INTERVAL 5 MINUTE AS slow, strftime(began, '%H:%M') AS slot, dayname(closed) AS day, date_diff('minute', began, closed) AS minutes FROM rides WHERE INTERVAL 14 MINUTE >= closed - began",
  "SELECT strftime(window_start, '%d.%m. %H') AS hour, window_start, epoch(window_end) AS ends, count(*) AS n FROM tumble(rides, began, INTERVAL 20 MINUTE) GROUP BY ALL",
  // JSON.
  "SELECT ride, meta -> '$.app' AS app, (meta -> 'app' ->> 'v')::INTEGER + 1 AS v, list_sum(list_transform([1, 2], x -> x + rider)) AS l FROM rides",
  'SELECT ride, rider + 1 AS x, list_sum(list_transform([1, 2], lambda x: x * 2)) AS y FROM rides WHERE list_sum(list_transform([x, 3], lambda x: x + 1)) > 5',
  "SELECT ride, meta AS doc, list_sum(list_transform([rider], doc -> doc + 1)) AS l, (doc -> 'app' ->> 'v')::INTEGER AS v, list_sum([doc ->> '$.app.v' = '1', true]::INTEGER[]) AS m FROM rides",
  'SELECT ride AS v, rider + 1 AS i, list_sum(list_transform([i, 2], (v, i) -> v * i)) AS l, list_sum(list_filter([v, i], lambda i: i > 3)) AS f FROM rides',
  // Joins.
  'SELECT ride, rider, r.fare, c.amount FROM rides r JOIN charges c USING (ride, rider)',
  ...['JOIN', 'LEFT JOIN', 'RIGHT JOIN'].map(
    (
      kind,
    ) => `SELECT *, b.rider AS other FROM (SELECT count(*) AS n, window_start, rider FROM tumble(rides, began, INTERVAL 1 MINUTE) GROUP BY ALL) a
     ${kind} (SELECT rider, window_start, sum(amount) AS paid FROM tumble(charges, paid_at, INTERVAL 1 MINUTE) GROUP BY ALL) b USING (window_start, rider)`,
  ),
  'SELECT r.ride, c.amount, c.paid_at - r.began < INTERVAL 2 MINUTE AS quick FROM rides r JOIN charges c ON r.ride = c.ride AND c.paid_at - r.began BETWEEN INTERVAL (-9) MINUTE AND INTERVAL 9 MINUTE',
  'SELECT rider, r.began, s.amount FROM rides r ASOF JOIN (SELECT rider, amount, paid_at AS began FROM charges) s USING (rider, began)',
  'SELECT window_start, rider, n, paid FROM (SELECT window_start, rider, count(*) AS n FROM tumble(rides, began, INTERVAL 10 MINUTE) GROUP BY ALL) JOIN (SELECT window_start, rider, sum(amount) AS paid FROM tumble(charges, paid_at, INTERVAL 10 MINUTE) GROUP BY ALL) b USING (window_start, rider)'.replace(
    'GROUP BY ALL) JOIN',
    'GROUP BY ALL) a JOIN',
  ),
  'SELECT d.*, r.ride FROM drivers d JOIN rides r ON r.rider = d.rider',
  'SELECT * EXCLUDE (_ingested_at, _partition, _offset) FROM drivers RIGHT JOIN (SELECT ride, rider FROM rides) r USING (rider)',
  // Unions.
  "SELECT rider, began AS t, fare, 'ride' AS what FROM rides UNION ALL BY NAME SELECT paid_at AS t, amount AS fare, rider, method FROM charges",
  'WITH u AS (SELECT began, rider FROM rides UNION ALL BY NAME SELECT rider, paid_at AS began FROM charges) SELECT window_start, count(*) AS n FROM tumble(u, began, INTERVAL 7 MINUTE) GROUP BY ALL',
]

let parts: TestEngine
let parser: SqlParser

before(async () => {
  parts = await openTestEngine()
  parser = await openParser(parts.engine)
  for (const sql of TABLES) await parts.session.run(sql)
})

after(async () => {
  parser.close()
  await parts[Symbol.asyncDispose]()
})

async function asked(sql: string): Promise<{ names: string[]; rows: string[] }> {
  const { columns, rows } = await parts.session.rows(sql)
  return { names: columns.map(({ name }) => name), rows: rows.map((row) => JSON.stringify(row.map(String))).sort() }
}

for (const sql of TEXTS)
  test(sql, async () => {
    const typeOf = async (select: string): Promise<string> => (await parts.session.rows(select)).columns[0]!.type
    const live = await readLive((await parser.parse(sql)).node, (name) => SHAPES[name], { parser, typeOf })
    const statement = await parser.parse(sql)
    await expandWindows(parser, statement, sql)
    const expected = await asked(await parser.print(statement))
    assert.ok(expected.rows.length > 2, `only ${expected.rows.length} rows`)
    const twin = await asked(printLive(live, (name) => name))
    assert.deepEqual(twin.names, expected.names)
    assert.deepEqual(twin.rows, expected.rows)
  })

test('live models over live models read their SQL, whatever names WITH gives', async () => {
  const texts = new Map([
    ['dear', 'WITH rides AS (SELECT * FROM rides WHERE fare > 10) SELECT ride, rider, fare, began FROM rides'],
    ['slots', 'SELECT rider, window_start, count(*) AS n FROM tumble(dear, began, INTERVAL 5 MINUTE) GROUP BY ALL'],
  ])
  const models = new Map<string, Node>()
  for (const [name, text] of texts) models.set(name, (await parser.parse(text)).node)
  const sql = `WITH rides AS (SELECT rider, max(n) AS most, count(*) AS slots FROM slots GROUP BY rider) SELECT * FROM rides WHERE most > 1`
  const live = compileLive((await parser.parse(sql)).node, (name) => SHAPES[name], null, models)
  assert.deepEqual([live.streams, live.result, live.loses], [['rides'], 'keyed', true])
  const whole = `WITH dear AS (${texts.get('dear')}), slots AS (${texts.get('slots')}) SELECT * FROM (${sql})`
  const statement = await parser.parse(whole)
  await expandWindows(parser, statement, whole)
  const expected = await asked(await parser.print(statement))
  assert.ok(expected.rows.length > 2)
  assert.deepEqual(await asked(printLive(live, (name) => name)), expected)
})
