// What callers see: rows of their country, masked columns, nothing else, in every clause; and that ordinary questions work.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { after, before, test } from 'node:test'
import { printJson } from '../../src/core/json.ts'
import { ADMIN, caller, FRANCE, MASK_KEY, OFFICER, openShop, type Shop } from './fixture.ts'

let shop: Shop
before(async () => {
  shop = await openShop()
})
after(async () => {
  assert.equal(shop.open.count, 0, 'every pin was released')
  await shop.close()
})

test('an analyst sees the rows of the own country, from files and tail', async () => {
  assert.deepEqual((await shop.ask(FRANCE, 'SELECT DISTINCT country FROM orders')).rows, [['FR']])
  assert.equal(await shop.one(FRANCE, 'SELECT count(*) FROM orders'), 10_005n)
  assert.equal(await shop.one(FRANCE, 'SELECT count(*) FROM orders', { committedOnly: true }), 10_000n)
  assert.equal(await shop.one(ADMIN, 'SELECT count(*) FROM orders'), 20_010n)
  assert.equal(await shop.one(OFFICER, 'SELECT count(*) FROM orders'), 20_010n)
})

test('the question says what it read and under which policy', async () => {
  const secured = await shop.guard.secure(FRANCE, 'SELECT o.amount, c.email FROM orders o JOIN customers c ON o.customer = c.id')
  assert.deepEqual([...secured.relations].sort(), ['customers', 'orders'])
  assert.deepEqual(secured.snapshots, { orders: '7', customers: '7' })
  assert.deepEqual([...secured.columns!].sort(), ['amount', 'c', 'customer', 'email', 'id', 'o'])
  assert.equal(secured.hasTail, true)
  assert.equal(secured.rowFilter, true)
  assert.equal(secured.isTwoStage, false)
  assert.deepEqual([...secured.masked].sort(), ['born', 'email', 'phone'])
  const other = await shop.guard.secure(ADMIN, 'SELECT o.amount, c.email FROM orders o JOIN customers c ON o.customer = c.id')
  assert.notEqual(secured.version, other.version)
  await secured.release()
  await secured.release()
  await other.release()
})

test('masks keep the type, hash by key, and the question sees only what they leave', async () => {
  const { rows } = await shop.ask(FRANCE, "SELECT email, phone, born, spent FROM customers WHERE id = 'c4'")
  const hmac = createHmac('sha256', MASK_KEY).update('user4@example.com').digest('hex').slice(0, 32)
  assert.deepEqual(rows, [[hmac, '***1004', '1990-01-01', '4.00']])
  assert.deepEqual((await shop.ask(OFFICER, "SELECT email, phone, born FROM customers WHERE id = 'c4'")).rows, [
    ['user4@example.com', '+33 555 1004', '1990-05-21'],
  ])
  assert.equal(await shop.one(FRANCE, "SELECT count(*) FROM customers WHERE email = 'user4@example.com'"), 0n)
  assert.equal(await shop.one(FRANCE, `SELECT count(*) FROM customers WHERE email = '${hmac}'`), 1n)
  assert.equal(await shop.one(FRANCE, "SELECT count(*) FROM customers WHERE email LIKE '%@%'"), 0n)
  assert.equal(await shop.one(FRANCE, 'SELECT count(DISTINCT ip) FROM clicks'), 0n)
  assert.equal(await shop.one(FRANCE, 'SELECT count(*) FROM clicks WHERE ip IS NULL'), 10n)
  assert.equal(await shop.one(FRANCE, 'SELECT count(*) FROM (SELECT born FROM customers GROUP BY born HAVING month(born) <> 1)'), 0n)
  assert.equal(
    await shop
      .one(FRANCE, 'SELECT max(email) FROM (SELECT email FROM customers ORDER BY email LIMIT 100)')
      .then((x) => /@/.test(String(x))),
    false,
  )
  assert.equal(await shop.one(FRANCE, 'SELECT count(*) FROM customers a JOIN customers b ON a.email = b.email'), 50n)
  assert.equal(
    await shop.one(FRANCE, 'SELECT typeof(born) || typeof(ip) || typeof(seen) FROM customers, clicks LIMIT 1'),
    'DATEVARCHARTIMESTAMP WITH TIME ZONE',
  )
})

test('a view of the project runs with the rights of its definer, and under its own policy', async () => {
  const { rows } = await shop.ask(FRANCE, 'SELECT country, count(*), min(length(email)), max(length(email)) FROM spenders GROUP BY ALL')
  assert.deepEqual(rows, [['FR', 50n, 32n, 32n]])
  assert.equal(await shop.one(ADMIN, 'SELECT count(*) FROM spenders'), 100n)
  const raw = await shop.one(ADMIN, "SELECT sum(orders) FROM spenders WHERE country = 'FR'")
  assert.equal(await shop.one(FRANCE, 'SELECT sum(orders) FROM spenders'), raw)
})

test('several roles: rows are OR-ed, the most visible mask wins; a role counts only through its grants', async () => {
  const both = caller(['analyst', { country: 'FR' }], ['officer'])
  assert.equal(await shop.one(both, 'SELECT count(*) FROM orders'), 20_010n)
  assert.equal(await shop.one(both, "SELECT email FROM customers WHERE id = 'c5'"), 'user5@example.com')
  const two = caller(['analyst', { country: 'FR' }], ['analyst', { country: 'US' }])
  assert.equal(await shop.one(two, 'SELECT count(*) FROM orders'), 20_010n)
  const stranger = caller(['analyst', { country: 'FR' }], ['payer'])
  assert.equal(await shop.one(stranger, 'SELECT count(*) FROM orders'), 10_005n)
  assert.equal(await shop.one(stranger, 'SELECT salary FROM payroll'), 1_000_000n)
})

test('rejected rows hide the raw line from whoever sees the stream masked', async () => {
  assert.deepEqual((await shop.ask(FRANCE, 'SELECT raw, message, code FROM clicks__rejected')).rows, [[null, null, 'MR_ROW_TYPE']])
  assert.equal(await shop.one(OFFICER, 'SELECT raw FROM clicks__rejected'), '{"ip": "10.9.9.9"}')
})

test('an attribute that is missing or does not fit hides rows', async () => {
  assert.equal(await shop.one(caller(['analyst']), 'SELECT count(*) FROM orders'), 0n)
  assert.equal(await shop.one(caller(['analyst', { country: "FR' OR '1'='1" }]), 'SELECT count(*) FROM orders'), 0n)
  assert.equal(await shop.one(caller(['analyst', { country: ['FR'] }]), 'SELECT count(*) FROM orders'), 0n)
})

test('time travel goes to the runtime, by constant or parameter, and leaves the tail out', async () => {
  const at = (sql: string, params?: readonly unknown[] | Record<string, unknown>) => shop.ask(FRANCE, sql, params ? { params } : {})
  assert.deepEqual((await at('SELECT count(*) FROM orders o AT (VERSION => 5)')).rows, [[10_000n]])
  assert.deepEqual((await at("SELECT count(*) FROM orders AT (TIMESTAMP => TIMESTAMP '2026-01-01 00:00:00')")).rows, [[10_000n]])
  const secured = await shop.guard.secure(FRANCE, "SELECT * FROM orders AT (VERSION => 'month_end')")
  assert.deepEqual(secured.snapshots, { orders: 'month_end' })
  await secured.release()
  assert.deepEqual((await at('SELECT $2 + id FROM orders o AT (VERSION => $1) WHERE id = $3', [5, 100, 2])).rows, [[102n]])
  assert.deepEqual((await at('SELECT $b + id FROM orders o AT (VERSION => $a) WHERE id = $c', { a: 5, b: 100, c: 2 })).rows, [[102n]])
  await assert.rejects(at('SELECT * FROM orders AT (VERSION => (SELECT 1))'), { code: 'MR_SQL_FORBIDDEN' })
  await assert.rejects(at('SELECT * FROM orders AT (VERSION => $1)'), { code: 'MR_SQL_PARAMETER' })
  await assert.rejects(at('WITH x AS (SELECT 1) SELECT * FROM x AT (VERSION => 1)'), { code: 'MR_SQL_FORBIDDEN' })
})

test('parameters fit exactly', async () => {
  const ask = (sql: string, params: readonly unknown[] | Record<string, unknown>) => shop.ask(FRANCE, sql, { params })
  assert.deepEqual((await ask('SELECT $2, $1, (SELECT $2)', [1, 2])).rows, [[2, 1, 2]])
  assert.deepEqual((await ask('SELECT ?, ? FROM orders WHERE id = ? LIMIT ?', [1, 2, 4, 1])).rows, [[1, 2]])
  assert.deepEqual((await ask('SELECT $b, $a ORDER BY 1 LIMIT $c', { a: 1, b: 2, c: 1 })).rows, [[2, 1]])
  await assert.rejects(ask('SELECT $1, $2', [1]), { code: 'MR_SQL_PARAMETER' })
  await assert.rejects(ask('SELECT $1', [1, 2]), { code: 'MR_SQL_PARAMETER' })
  await assert.rejects(ask('SELECT $a', { a: 1, b: 2 }), { code: 'MR_SQL_PARAMETER' })
  await assert.rejects(ask('SELECT $toString', {}), { code: 'MR_SQL_PARAMETER' })
})

const ORDINARY = [
  'SELECT * FROM orders LIMIT 1',
  'FROM orders LIMIT 1',
  'TABLE customers',
  'VALUES (1, 2), (3, 4)',
  'SELECT * FROM (VALUES (1, 2), (3, 4)) v(a, b)',
  'SELECT main.orders.id, public.orders.amount FROM main.orders LIMIT 1',
  'SELECT main.orders.id FROM orders LIMIT 1',
  'SELECT orders.id FROM public.orders LIMIT 1',
  'SELECT ORDERS.ID FROM Orders LIMIT 1',
  'SELECT o FROM orders o LIMIT 1',
  'SELECT revenue FROM marts.daily',
  'SELECT marts.daily.revenue FROM marts.daily',
  'WITH orders AS (SELECT * FROM orders WHERE id < 100) SELECT count(*) FROM orders',
  'WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS x FROM a) SELECT * FROM a, b',
  'WITH a AS MATERIALIZED (SELECT id FROM orders) SELECT count(*) FROM a x JOIN a y USING (id)',
  'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r',
  'SELECT (SELECT count(*) FROM orders o WHERE o.customer = c.id) FROM customers c LIMIT 2',
  'SELECT * FROM customers c, LATERAL (SELECT max(amount) FROM orders o WHERE o.customer = c.id) x LIMIT 2',
  'SELECT count(*) FROM orders WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = orders.customer)',
  'SELECT count(*) FROM orders WHERE customer IN (FROM (SELECT id FROM customers))',
  'SELECT count(*) FROM orders WHERE id = ANY (SELECT id FROM orders WHERE amount > 10)',
  'SELECT id FROM orders UNION SELECT id FROM orders EXCEPT SELECT id FROM orders WHERE id > 10 ORDER BY 1 LIMIT 3',
  'SELECT id FROM orders INTERSECT SELECT id FROM orders',
  'SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b',
  'SELECT country, count(*) FILTER (WHERE amount > 10), avg(amount) FROM orders GROUP BY ALL ORDER BY ALL',
  'SELECT country, customer, sum(amount) FROM orders GROUP BY GROUPING SETS ((country), (customer), ()) HAVING sum(amount) > 1',
  'SELECT country, grouping(country) FROM orders GROUP BY CUBE (country)',
  'SELECT DISTINCT ON (customer) id FROM orders ORDER BY customer, id',
  'SELECT id, row_number() OVER w, lag(amount, 1, 0) OVER w, sum(amount) OVER (PARTITION BY customer ORDER BY placed ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders WINDOW w AS (ORDER BY id) LIMIT 3',
  'SELECT id FROM orders QUALIFY row_number() OVER (PARTITION BY customer ORDER BY id) = 1',
  'SELECT quantile_cont(amount, 0.5), string_agg(customer, chr(44) ORDER BY id), arg_max(id, amount), approx_count_distinct(customer), list(id ORDER BY id) FROM orders WHERE id < 50',
  'SELECT * EXCLUDE (note) REPLACE (amount * 2 AS amount) RENAME (id AS order_id) FROM orders LIMIT 1',
  "SELECT COLUMNS('a.*') FROM orders LIMIT 1",
  "SELECT COLUMNS(c -> c LIKE 'a%') FROM orders LIMIT 1",
  'SELECT * FROM orders o ASOF JOIN (SELECT customer, placed AS at_time FROM orders) p ON o.customer = p.customer AND o.placed >= p.at_time LIMIT 1',
  'SELECT count(*) FROM orders NATURAL JOIN (SELECT id FROM orders)',
  'SELECT count(*) FROM orders SEMI JOIN customers ON customer = customers.id',
  'SELECT count(*) FROM orders POSITIONAL JOIN customers',
  "FROM (PIVOT (SELECT customer, country, amount FROM orders) ON country IN ('FR', 'US') USING sum(amount) GROUP BY customer) LIMIT 2",
  'FROM (UNPIVOT (SELECT id, number FROM orders) ON id, number INTO NAME n VALUE v) LIMIT 2',
  'SELECT x, i FROM range(3) t(i), UNNEST([10, 20]) u(x)',
  "SELECT * FROM generate_series(TIMESTAMP '2026-01-01', TIMESTAMP '2026-01-03', INTERVAL 1 DAY)",
  'SELECT list_transform([1, 2, 3], lambda x: x + 1), [y * 2 FOR y IN [1, 2] IF y > 1], list_filter([1, 2], x -> x > 1)',
  "SELECT {'a': 1, 'b': [1, 2]}.b[1], MAP {'k': 1}['k'], [1, 2, 3][1:2]",
  "SELECT CAST('1' AS INTEGER), TRY_CAST('x' AS DATE), DATE '2026-01-01' + INTERVAL 1 MONTH, EXTRACT(year FROM placed), placed AT TIME ZONE 'Europe/Paris' FROM orders LIMIT 1",
  "SELECT CASE WHEN amount > 10 THEN 'big' ELSE 'small' END, coalesce(note, 'x'), nullif(note, ''), if(true, 1, 2) FROM orders LIMIT 1",
  "SELECT count(*) FROM orders WHERE note LIKE '5%' AND note ILIKE '%' AND note NOT SIMILAR TO 'x' AND amount BETWEEN 1 AND 20 AND id IN (1, 2, 3)",
  "SELECT regexp_replace(note, '5', 'x'), substr(note, 1, 1), chr(CAST(number AS INTEGER)) FROM orders LIMIT 1",
  'SELECT count(*) FROM orders TABLESAMPLE 10%',
  'SELECT * FROM orders USING SAMPLE 3 ROWS',
  'SELECT * FROM orders LIMIT 10% OFFSET 1',
  'SELECT * FROM orders ORDER BY placed DESC NULLS LAST LIMIT (SELECT 2)',
  'SELECT "id" AS "a b" FROM "orders" AS "o r" LIMIT 1',
  "SELECT to_json(o), json_extract('{\"a\": 1}', '$.a'), '{\"a\": 1}'::JSON ->> 'a' FROM orders o LIMIT 1",
  "SELECT date_trunc('month', placed) AS m, count(*) FROM orders GROUP BY m ORDER BY m",
  'SELECT now() > placed, current_date FROM orders LIMIT 1',
  "SELECT unnest([1, 2]), unnest({'a': 1})",
  'SELECT sum(x.amount) FROM (SELECT amount FROM orders) AS x',
  'WITH a(x) AS (SELECT id FROM orders) SELECT (WITH a AS (SELECT 5 AS x) SELECT x FROM a), count(*) FROM a',
]

test('ordinary questions run', async () => {
  for (const sql of ORDINARY) {
    const { rows } = await shop.ask(FRANCE, sql).catch((error: Error) => assert.fail(`${sql}: ${error.message}`))
    assert.ok(Array.isArray(rows))
    assert.ok(!JSON.stringify(rows, (_k, v) => (typeof v === 'bigint' ? String(v) : v)).includes('SECRET'), sql)
  }
  assert.ok(ORDINARY.length >= 40)
})

const sorted = (rows: readonly unknown[]): string[] => rows.map((row) => printJson(row)).sort()

test('two stages answer as one does', async () => {
  let compared = 0
  for (const sql of ORDINARY) {
    if (!/^SELECT/.test(sql) || /SAMPLE/.test(sql)) continue
    const forced = `SELECT * FROM (${sql}) AS answer WHERE (SELECT count(substr(note, id)) FROM orders) > 0`
    const secured = await shop.guard.secure(FRANCE, forced)
    assert.equal(secured.isTwoStage, true, forced)
    const copied = await secured.session.rows(secured.sql)
    await secured.release()
    const direct = await shop.ask(FRANCE, sql)
    assert.deepEqual(copied.columns, direct.columns, sql)
    assert.equal(copied.rows.length, direct.rows.length, sql)
    if (!/LIMIT|DISTINCT ON|now\(\)|row_number|arg_max|POSITIONAL/.test(sql))
      assert.deepEqual(sorted(copied.rows), sorted(direct.rows), sql)
    compared++
  }
  assert.ok(compared > 30)
})

test('answers and errors use the words of the question', async () => {
  const names = async (sql: string) => (await shop.ask(FRANCE, sql)).columns.map((column) => column.name)
  for (const sql of [
    'SELECT (SELECT count(*) FROM orders o WHERE o.customer = c.id), 1 + (SELECT max(id) FROM orders) FROM customers c LIMIT 1',
    'SELECT * FROM (SELECT (SELECT max(id) FROM orders))',
    'SELECT EXISTS (FROM orders), 1 IN (SELECT id FROM orders), ARRAY(SELECT (SELECT 1 FROM orders LIMIT 1))',
    'SELECT amount * 2, count(*) FROM orders GROUP BY ALL LIMIT 1',
  ]) {
    const plain = await shop.admin.rows(
      sql
        .replaceAll('customers c', "(SELECT 'c1' AS id) c")
        .replaceAll('FROM orders', "FROM (SELECT 1 AS id, 'c1' AS customer, 1.5 AS amount) AS orders")
        .replaceAll('AS orders o', 'AS o'),
    )
    const expected = plain.columns.map((column) =>
      column.name
        .replaceAll("(SELECT 1 AS id, 'c1' AS customer, 1.5 AS amount) AS orders", 'orders')
        .replaceAll("(SELECT 1 AS id, 'c1' AS customer, 1.5 AS amount) AS o", 'orders AS o'),
    )
    assert.deepEqual(await names(sql), expected)
  }
  for (const sql of [
    'SELECT (SELECT id FROM orders LIMIT 1), count(x) FROM orders',
    'SELECT nothing FROM orders',
    'SELECT orders.nothing FROM orders',
    'SELECT id FROM orders GROUP BY (SELECT max(id) FROM orders)',
    "SELECT date_trunc('x', id) FROM orders",
  ])
    await assert.rejects(shop.ask(FRANCE, sql), (error: Error) => !/#|secured|definer|line \d/.test(error.message))
})

test('literals pass unchanged', async () => {
  const sql = "SELECT 9007199254740993, 123456789012345678901234567890, 0.1, 1e300, 12345678901234567.89, 'it''s', '\\x', 10.0, -0.0"
  assert.deepEqual((await shop.ask(FRANCE, sql)).rows, (await shop.admin.rows(sql)).rows)
})

test('one question sees one state, however often it names a relation', async () => {
  const secured = await shop.guard.secure(FRANCE, 'SELECT 1 FROM orders a JOIN orders b USING (id), (SELECT count(*) FROM orders) c')
  assert.equal(shop.open.count, 1)
  await secured.release()
})
