// Everything that is known to have reached hidden data through DuckDB, and its relatives: each is refused, or shows nothing
// but what the policy lets through. A caller with one country asks; "payroll" is a table that may not be read.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, test } from 'node:test'
import { MillraceError } from '../../src/core/errors.ts'
import { ADMIN, caller, FRANCE, openShop, type Shop } from './fixture.ts'

let shop: Shop
before(async () => {
  shop = await openShop()
  await writeFile(`${shop.directory}/secret.csv`, 'a,b\n1,TOPSECRET\n')
  await shop.admin.run("CREATE TABLE memory.main.secret AS SELECT 'TOPSECRET' AS x")
  await shop.admin.run('CREATE MACRO memory.main.leak() AS (SELECT x FROM memory.main.secret)')
  await shop.admin.run('CREATE MACRO memory.main.table_leak() AS TABLE SELECT * FROM memory.main.secret')
})
after(async () => {
  assert.equal(shop.open.count, 0, 'every pin was released')
  await shop.close()
})

const HIDDEN = /SECRET|1000000|boss|@example\.com|10\.\d\.\d\.\d|ipad|opad|read_parquet|#/

/** Refused with a code of ours and no hidden value, or answered without one. */
async function harmless(sql: string, params?: readonly unknown[] | Record<string, unknown>): Promise<'refused' | 'answered'> {
  try {
    const { rows } = await shop.ask(FRANCE, sql, params ? { params } : {})
    const text = JSON.stringify(rows, (_key, value) => (typeof value === 'bigint' ? String(value) : value))
    assert.doesNotMatch(text, HIDDEN, sql)
    return 'answered'
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    assert.ok(error instanceof MillraceError, `${sql}: ${String(error)}`)
    // What the user wrote may be repeated; nothing else.
    const said = sql.replaceAll('"', '')
    const words = error.message.replaceAll('"', '').split(' ')
    assert.doesNotMatch(words.filter((word) => !said.toLowerCase().includes(word.toLowerCase())).join(' '), HIDDEN, sql)
    return 'refused'
  }
}

async function refused(attacks: readonly string[]): Promise<void> {
  for (const sql of attacks) assert.equal(await harmless(sql), 'refused', sql)
}

test('files, functions that read them, and names that are files', () =>
  refused([
    `SELECT * FROM read_csv('${shop.directory}/secret.csv')`,
    `SELECT * FROM read_csv_auto('${shop.directory}/secret.csv')`,
    `SELECT * FROM batch_rows(0)`,
    `SELECT small_rows_0(0, 0)`,
    `SELECT * FROM read_text('/etc/hostname')`,
    `SELECT * FROM read_blob('/etc/hostname')`,
    `SELECT * FROM read_json('${shop.directory}/secret.csv')`,
    `SELECT * FROM read_json_auto('${shop.directory}/secret.csv')`,
    `SELECT * FROM read_ndjson_objects('${shop.directory}/secret.csv')`,
    `SELECT * FROM read_parquet('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM parquet_scan('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM parquet_metadata('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM parquet_schema('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM parquet_kv_metadata('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM parquet_file_metadata('${shop.directory}/payroll.parquet')`,
    `SELECT * FROM sniff_csv('${shop.directory}/secret.csv')`,
    `SELECT * FROM glob('${shop.directory}/*')`,
    `SELECT * FROM read_duckdb('x.db')`,
    `SELECT * FROM arrow_scan_dumb(1, 2, 3)`,
    `FROM '${shop.directory}/secret.csv'`,
    `SELECT * FROM "${shop.directory}/payroll.parquet"`,
    `SELECT * FROM '${shop.directory}/*.parquet'`,
    `SELECT * FROM 'http://127.0.0.1:1/x.parquet'`,
    `WITH "${shop.directory}/payroll.parquet" AS (SELECT * FROM "${shop.directory}/payroll.parquet") SELECT 1`,
    `WITH "x.csv" AS (SELECT 1) SELECT * FROM "x.csv"`,
    `SELECT * FROM orders, LATERAL read_text('/etc/hostname')`,
    `SELECT (SELECT content FROM read_text('/etc/hostname'))`,
    `SELECT getenv('HOME')`,
    `SELECT * FROM unnest((SELECT list(content) FROM read_text('/etc/hostname')))`,
  ]))

test('raw catalogs, catalog tables and catalog functions', () =>
  refused([
    'SELECT * FROM memory.main.secret',
    'SELECT * FROM memory.secret',
    'SELECT * FROM main.secret',
    'SELECT * FROM secret',
    'SELECT * FROM "memory"."main"."secret"',
    'SELECT * FROM MEMORY.MAIN.SECRET',
    'SELECT * FROM memory.tail."orders#0"',
    'SELECT * FROM tail."orders#0"',
    'SELECT * FROM memory.govern.mask_key',
    'SELECT * FROM govern.mask_key',
    'SELECT * FROM definer.main.orders',
    'SELECT * FROM secured.main.orders',
    'SELECT * FROM temp.main.orders',
    'SELECT * FROM temp.orders',
    'SELECT * FROM system.main.duckdb_tables',
    'SELECT * FROM duckdb_tables',
    'SELECT * FROM duckdb_tables()',
    'SELECT sql FROM duckdb_views()',
    'SELECT * FROM duckdb_views',
    'SELECT * FROM duckdb_columns()',
    'SELECT * FROM duckdb_settings()',
    'SELECT * FROM duckdb_secrets()',
    'SELECT * FROM duckdb_logs',
    'SELECT * FROM duckdb_logs()',
    'SELECT * FROM duckdb_functions()',
    'SELECT * FROM duckdb_databases()',
    'SELECT * FROM duckdb_memory()',
    'SELECT * FROM duckdb_temporary_files()',
    'SELECT * FROM duckdb_variables()',
    'SELECT * FROM duckdb_connections()',
    'SELECT * FROM information_schema.tables',
    'SELECT * FROM information_schema.columns',
    'SELECT * FROM pg_catalog.pg_class',
    'SELECT * FROM pg_class',
    'SELECT * FROM pg_catalog.pg_views',
    'SELECT * FROM sqlite_master',
    'SELECT * FROM sqlite_schema',
    "SELECT * FROM pragma_table_info('memory.main.secret')",
    'SELECT * FROM pragma_database_list',
    'SELECT * FROM pragma_database_list()',
    "SELECT * FROM pragma_storage_info('secret')",
    'SELECT * FROM pragma_show_tables()',
    'SELECT * FROM pragma_version()',
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM seq_scan('secret')",
    'SELECT * FROM summary((SELECT 1))',
    'SELECT * FROM checkpoint()',
    'SELECT * FROM force_checkpoint()',
    'SELECT * FROM test_all_types()',
    "SELECT * FROM sql_auto_complete('SELECT * FROM ')",
    'SELECT * FROM repeat_row(1, num_rows = 3)',
    'SELECT * FROM millrace.runs',
    'SELECT * FROM millrace.audit',
    'SELECT * FROM x.y.z',
  ]))

test('functions that run SQL, look into the session, change state or wait', () =>
  refused([
    "SELECT * FROM query('SELECT * FROM memory.main.secret')",
    "SELECT * FROM query_table('memory.main.secret')",
    "SELECT * FROM query_table(['orders'])",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT json_deserialize_sql('{}')",
    "SELECT json_serialize_plan('SELECT * FROM memory.main.secret')",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT nextval('s')",
    "SELECT currval('s')",
    'SELECT current_database()',
    'SELECT current_schemas(true)',
    'SELECT current_query()',
    "SELECT in_search_path('memory', 'main')",
    'SELECT txid_current()',
    'SELECT setseed(0.5)',
    'SELECT sleep_ms(1000)',
    'SELECT pg_sleep(10)',
    "SELECT write_log('x')",
    "SELECT error('x')",
    'SELECT error(note) FROM orders',
    'SELECT stats(number) FROM orders',
    'SELECT vector_type(note) FROM orders',
    'SELECT bitstring_agg(number) FROM orders',
    "SELECT create_sort_key(note, 'ASC') FROM orders",
    'SELECT pg_get_viewdef(1)',
    "SELECT has_table_privilege('secret', 'select')",
    "SELECT obj_description(1, 'x')",
    'SELECT leak()',
    'SELECT main.leak()',
    'SELECT memory.main.leak()',
    'SELECT "memory"."main"."leak"()',
    'SELECT * FROM table_leak()',
    'SELECT * FROM memory.main.table_leak()',
    'SELECT system.main.current_database()',
    'SELECT pg_catalog.current_database()',
    'SELECT "main"."error"(\'x\')',
    "SELECT CURRENT_SETTING('temp_directory')",
    'SELECT "current_setting"(\'temp_directory\')',
    "SELECT 'temp_directory'.current_setting()",
    'SELECT no_such_function(1)',
    'SELECT __internal_decompress_string(1)',
    'SELECT sum(amount) OVER (ORDER BY error(note)) FROM orders',
    "SELECT 'x'::memory.main.t FROM orders",
    'SELECT CAST(1 AS memory.main.mood)',
  ]))

test('statements other than SELECT, and several', () =>
  refused([
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP VIEW orders',
    'DROP TABLE orders',
    'CREATE TABLE x AS SELECT 1',
    'CREATE TEMP TABLE orders AS SELECT 1',
    'CREATE OR REPLACE MACRO sum(x) AS x',
    'INSERT INTO orders VALUES (1)',
    'WITH x AS (INSERT INTO orders VALUES (1) RETURNING *) SELECT * FROM x',
    'UPDATE orders SET id = 1',
    'DELETE FROM orders',
    `COPY orders TO '${shop.directory}/out.csv'`,
    `COPY (SELECT 1) TO '${shop.directory}/out.csv'`,
    `COPY orders FROM '${shop.directory}/secret.csv'`,
    `EXPORT DATABASE '${shop.directory}/exp'`,
    `IMPORT DATABASE '${shop.directory}/exp'`,
    "ATTACH ':memory:' AS x",
    'DETACH secured',
    'USE memory',
    'SET search_path = memory',
    'SET VARIABLE x = 1',
    'RESET ALL',
    'PRAGMA database_list',
    'PRAGMA enable_profiling',
    'CALL pragma_version()',
    "CALL enable_logging(storage = 'file')",
    'LOAD json',
    'INSTALL httpfs',
    'PREPARE p AS SELECT 1',
    'EXECUTE p',
    'EXPLAIN SELECT * FROM orders',
    'EXPLAIN ANALYZE SELECT * FROM orders',
    'DESCRIBE orders',
    'DESCRIBE SELECT * FROM orders',
    'SHOW TABLES',
    'SHOW ALL TABLES',
    'SUMMARIZE orders',
    'SELECT * FROM (SHOW TABLES)',
    'SELECT * FROM (DESCRIBE orders)',
    'SELECT * FROM (SUMMARIZE orders)',
    'SELECT * FROM (DESCRIBE memory.main.secret)',
    'SELECT * FROM (SHOW ALL TABLES)',
    'PIVOT orders ON country USING sum(amount)',
    'CHECKPOINT',
    'BEGIN',
    'VACUUM',
    'CREATE SECRET s (TYPE s3)',
    '',
    ';',
    '-- nothing',
  ]))

/** A table that may not be read, in every place where a query can stand. */
const PLACES = [
  'WITH x AS (SELECT * FROM payroll) SELECT * FROM x',
  'WITH x AS (WITH payroll AS (SELECT * FROM payroll) SELECT * FROM payroll) SELECT * FROM x',
  'WITH payroll AS (SELECT * FROM payroll) SELECT * FROM payroll',
  'WITH a AS (SELECT * FROM b), b AS (SELECT * FROM payroll) SELECT * FROM a',
  'WITH RECURSIVE r AS (SELECT salary FROM payroll UNION ALL SELECT 1 FROM r WHERE false) SELECT * FROM r',
  'WITH x AS MATERIALIZED (SELECT * FROM payroll) SELECT 1',
  'SELECT * FROM orders, LATERAL (SELECT * FROM payroll) p',
  'SELECT * FROM orders JOIN payroll ON true',
  'SELECT * FROM orders JOIN customers ON (SELECT salary FROM payroll) > 0',
  'SELECT 1 UNION ALL SELECT salary FROM payroll',
  'SELECT * FROM orders WHERE id IN (SELECT salary FROM payroll)',
  'SELECT * FROM orders WHERE id IN (FROM payroll)',
  'SELECT * FROM orders WHERE EXISTS (FROM payroll)',
  'SELECT (SELECT salary FROM payroll)',
  'SELECT ARRAY(SELECT salary FROM payroll)',
  'SELECT id FROM orders ORDER BY (SELECT salary FROM payroll)',
  'SELECT id FROM orders LIMIT (SELECT salary FROM payroll)',
  'SELECT id FROM orders OFFSET (SELECT salary FROM payroll)',
  'SELECT count(*) FROM orders GROUP BY (SELECT salary FROM payroll)',
  'SELECT count(*) FROM orders HAVING (SELECT salary FROM payroll) > 0',
  'SELECT sum(amount) FILTER (WHERE (SELECT salary FROM payroll) > 0) FROM orders',
  'SELECT sum(amount) OVER (ORDER BY (SELECT salary FROM payroll)) FROM orders',
  'SELECT sum(amount) OVER (PARTITION BY (SELECT salary FROM payroll)) FROM orders',
  'SELECT lag(amount, 1, (SELECT salary FROM payroll)) OVER () FROM orders',
  'SELECT id FROM orders QUALIFY row_number() OVER () > (SELECT salary FROM payroll)',
  'SELECT list_transform([1], x -> (SELECT salary FROM payroll))',
  'SELECT CASE WHEN true THEN (SELECT salary FROM payroll) END',
  'SELECT * REPLACE ((SELECT salary FROM payroll) AS id) FROM orders',
  'SELECT COLUMNS(*) + (SELECT salary FROM payroll) FROM (SELECT id FROM orders)',
  'SELECT DISTINCT ON ((SELECT salary FROM payroll)) id FROM orders',
  'SELECT * FROM range((SELECT salary FROM payroll))',
  'SELECT * FROM unnest((SELECT list(salary) FROM payroll))',
  'SELECT unnest((SELECT list(salary) FROM payroll))',
  'VALUES ((SELECT salary FROM payroll))',
  'SELECT * FROM (VALUES ((SELECT salary FROM payroll))) v(x)',
  "FROM (PIVOT orders ON country IN ('FR') USING sum((SELECT salary FROM payroll)))",
  "FROM (PIVOT payroll ON employee IN ('boss') USING sum(salary))",
  'FROM (UNPIVOT payroll ON salary)',
  'SELECT string_agg(note, (SELECT employee FROM payroll)) FROM orders',
  'SELECT arg_max(id, (SELECT salary FROM payroll)) FROM orders',
  'SELECT list(id ORDER BY (SELECT salary FROM payroll)) FROM orders',
  'SELECT [x FOR x IN (SELECT list(salary) FROM payroll)]',
  'SELECT {"a": (SELECT salary FROM payroll)}',
  'SELECT MAP {1: (SELECT salary FROM payroll)}',
  'SELECT (SELECT salary FROM payroll)::VARCHAR',
  'SELECT TRY((SELECT salary FROM payroll))',
  'SELECT 1 WHERE 1 BETWEEN 0 AND (SELECT salary FROM payroll)',
  'SELECT 1 WHERE 1 > ALL (SELECT salary FROM payroll)',
  'SELECT id FROM orders SEMI JOIN payroll ON true',
  'SELECT id FROM orders ANTI JOIN payroll ON true',
  'SELECT * FROM orders POSITIONAL JOIN payroll',
  'SELECT * FROM orders NATURAL JOIN payroll',
  'SELECT * FROM payroll AT (VERSION => 1)',
  'SELECT * FROM hop(payroll, salary, INTERVAL 1 SECOND, INTERVAL 2 SECOND)',
  'SELECT * FROM session(payroll, salary, INTERVAL 1 SECOND, key := employee) s',
  'SELECT * FROM session(orders, placed, INTERVAL 1 SECOND, key := (SELECT max(salary) FROM payroll))',
  'SELECT * FROM payroll TABLESAMPLE 10%',
  'SELECT * FROM PayRoll',
  'SELECT * FROM "PAYROLL"',
  'SELECT * FROM main.payroll',
  'SELECT * FROM public.payroll',
  'SELECT /* x */ * FROM /* y */ payroll -- z',
  'TABLE payroll',
  'FROM payroll',
  'FROM payroll SELECT salary',
  'SELECT payroll.salary FROM orders, payroll',
  'SELECT * FROM payroll__rejected',
  'SELECT * FROM (((SELECT * FROM payroll)))',
  'SELECT * FROM (orders JOIN payroll ON true)',
  'SELECT 1 EXCEPT (SELECT salary FROM payroll)',
  '(SELECT 1) INTERSECT (FROM payroll SELECT salary)',
]

test('a relation that may not be read, anywhere, looks like one that does not exist', async () => {
  for (const sql of PLACES) {
    const errorOf = (text: string): Promise<MillraceError> =>
      shop.ask(FRANCE, text).then(
        () => assert.fail(text),
        (error) => error,
      )
    const [hidden, missing] = [await errorOf(sql), await errorOf(sql.replaceAll(/payroll/gi, 'nowhere'))]
    assert.equal(hidden.code, missing.code, sql)
    assert.equal(hidden.message.toLowerCase().replaceAll('payroll', 'nowhere'), missing.message.toLowerCase(), sql)
    assert.equal(hidden.fix, missing.fix)
    if (!/[{"]a"/.test(sql)) assert.equal(hidden.code, 'MR_SQL_UNKNOWN', `${sql}: ${hidden.message}`)
  }
  assert.ok(PLACES.length >= 60)
})

test('names of ours cannot be spoken', async () => {
  const secured = await shop.guard.secure(FRANCE, 'SELECT * FROM orders')
  const open = await shop.guard.secure(ADMIN, 'SELECT * FROM orders')
  const [own, other] = [/"(orders#\w+)"/.exec(secured.sql)![1]!, /"(orders#\w+)"/.exec(open.sql)![1]!]
  assert.notEqual(own, other)
  await refused([
    `SELECT * FROM "${other}"`,
    `SELECT * FROM main."${other}"`,
    `WITH "${other}" AS (SELECT * FROM "${other}") SELECT * FROM "${other}"`,
    `WITH "${other}" AS (SELECT 1) SELECT * FROM "${other}"`,
    `SELECT * FROM orders, "${own}"`,
    `WITH RECURSIVE "${other}" AS (SELECT 1 UNION ALL SELECT 1 FROM "${other}") SELECT 1`,
    `SELECT * FROM secured.main."${other}"`,
  ])
  await secured.release()
  await open.release()
})

test('names that the printer could let through unquoted', async () => {
  const secret = '(select x from memory.main.secret)'
  const attacks = [
    `select $"1, ${secret} as z" from orders limit 1`,
    `select 1 as "a, ${secret}"`,
    `select 1 as "a"", ${secret} as ""z"`,
    `select x."a, ${secret}" from (select 1 as "a, ${secret}") x`,
    `with "c as (select 1), d as ${secret}" as (select 1) select 1`,
    `with c("a, ${secret}") as (select 1) select * from c`,
    `select * from (values (1)) v("a, ${secret}")`,
    `select * from range(3) t("i), ${secret} u(j")`,
    `select * from orders a join orders b using ("id) where ${secret} is not null --")`,
    `select * exclude ("id) from orders; select ${secret} --") from orders`,
    `select * rename (id as "x) from (select ${secret}) --") from orders`,
    `select * replace (1 as "id) from (select ${secret}) --") from orders`,
    `select {"a: ${secret}": 1}`,
    `select {'a'': ${secret}, ''b': 1}`,
    `select list_transform([1], "x -> ${secret}) --" -> 1)`,
    `select cast(1 as "integer), ${secret}, (1")`,
    `select cast('a' as enum('a'', ${secret}', 'b'))`,
    `select cast({'a': 1} as struct("a integer), ${secret}, (""b" integer))`,
    `select 'x' collate "nocase, ${secret}"`,
    `from (unpivot (select id from orders) on id into name "n value v), ${secret} --" value v)`,
    `from (unpivot (select id from orders) on id into name n value "v), ${secret} --")`,
    `from (pivot (select id, country from orders) on country in ('FR' as "x), ${secret} --") using count(*))`,
    `select "sum, ${secret}"(1)`,
    `select sum(id) over "w, ${secret}" from orders window "w, ${secret}" as (order by id)`,
    `select 'it''s ${secret}'`,
    `select '\\'' || ${secret}`,
    `select $$ ${secret} $$`,
    `select e'\\'', ${secret} --'`,
    `select x'22', '\\x27'::blob`,
    `select * from orders "o, ${secret} p" limit 1`,
    `select "o, ${secret}".id from orders "o, ${secret}" limit 1`,
    `select * from orders as o("a, ${secret}", b, c, d, e, f, g) limit 1`,
    `select * from orders tablesample reservoir(10 rows) repeatable (3)`,
    `select columns("x -> ${secret}" -> true) from orders limit 1`,
    `select interval "1, ${secret}" day`,
  ]
  for (const sql of attacks) {
    await harmless(sql)
    await harmless(sql, [1])
    await harmless(sql, { [`1, ${secret} as z`]: 1 })
  }
  assert.ok(attacks.length >= 35)
})

/** Forms of a filter, each with an attack that fails on hidden rows: what happens may not depend on them. */
const ORACLES = [
  'CAST(number AS DECIMAL(4, 2)) > 0',
  'number < 1.0000000000000000000000000000000001',
  'number = id + 0.000000000000000000000000000001',
  'list_transform([note], x -> CAST(x AS INTEGER)) IS NOT NULL',
  'CAST(note AS INTEGER) > 0',
  'note::DATE IS NULL',
  'TRY(CAST(note AS INTEGER)) > 0',
  'sqrt(number) > 0',
  'number * 4 > 0',
  'number - 10 < 0',
  '-number < 0',
  'abs(number) > 0',
  'chr(CAST(number AS INTEGER)) IS NOT NULL',
  "regexp_matches('a', note)",
  "regexp_replace('a', note, 'b') IS NOT NULL",
  "'a' SIMILAR TO note",
  "'a' LIKE note ESCAPE '['",
  "substr('abc', number) IS NOT NULL",
  "'abc'[number:2] IS NOT NULL",
  "left('abc', number) IS NOT NULL",
  "repeat('a', number) IS NOT NULL",
  "json_extract(note, '$.x') IS NULL",
  "strptime(note, '%d') IS NOT NULL",
  'format(note, 1) IS NOT NULL',
  'printf(note) IS NOT NULL',
  'make_timestamp(number) IS NOT NULL',
  'to_timestamp(number) IS NOT NULL',
  'epoch_ms(number) IS NOT NULL',
  'make_date(number, 1, 1) IS NOT NULL',
  'placed + to_days(CAST(number AS INTEGER)) IS NOT NULL',
  'placed + INTERVAL 1 MONTH * CAST(number // 100000000000 AS INTEGER) IS NOT NULL',
  'factorial(CAST(number AS INTEGER)) > 0',
  'list_resize([1], number) IS NOT NULL',
  'CAST(number AS TINYINT) > 0',
  'id % (number + 9223372036854775807) >= 0 OR true',
  '1 << number > 0',
  'unhex(note) IS NOT NULL',
  'from_base64(note) IS NOT NULL',
  "hamming(note, 'a') >= 0",
  'date_trunc(note, placed) IS NULL',
  'date_part(note, placed) IS NULL',
  'timezone(note, placed) IS NULL',
  'CASE WHEN amount > 0 THEN CAST(note AS INTEGER) END > 0',
  'id IN (SELECT CAST(note AS INTEGER) FROM orders)',
  '[x FOR x IN [note] IF CAST(x AS INTEGER) > 0] IS NOT NULL',
  'list_reduce([number, number], (a, b) -> a + b) > 0',
  'list_sum([number, number, number]) < 0',
  "list_aggregate([number, number], 'sum') < 0",
  'number::VARCHAR::TINYINT > 0',
  "{'a': note}.a::INTEGER > 0",
  "note IN (CAST(note AS INTEGER)::VARCHAR, 'x')",
  'coalesce(NULL, CAST(note AS INTEGER)) > 0',
  "(CASE WHEN note = 'x' THEN 1 ELSE CAST(note AS INTEGER) END) > 0",
  '(SELECT CAST(note AS INTEGER)) > 0',
  'placed + CAST(number AS INTEGER) * INTERVAL 1 DAY IS NOT NULL',
  'CAST(placed + INTERVAL 1 DAY AS TIMESTAMP_NS) IS NOT NULL',
]
const SHAPES = [
  (test: string) => `SELECT count(*) FROM orders WHERE ${test}`,
  (test: string) => `SELECT count(*) FROM orders WHERE amount >= 0 AND (${test})`,
  (test: string) => `SELECT count(x) FROM (SELECT ${test} AS x FROM orders)`,
  (test: string) => `SELECT count(*) FROM (SELECT ${test} AS x FROM orders GROUP BY 1)`,
  (test: string) => `SELECT count(*) FROM orders JOIN (SELECT 'c1' AS c) x ON x.c <> customer AND (${test})`,
  (test: string) => `SELECT id FROM orders ORDER BY ${test}, id LIMIT 3`,
  (test: string) => `SELECT max(n) FROM (SELECT count(*) OVER (PARTITION BY ${test}) AS n FROM orders)`,
  (test: string) => `SELECT count(*) FROM orders, UNNEST([${test}]) u(x)`,
  (test: string) => `SELECT count(x) FROM orders, LATERAL (SELECT ${test} AS x)`,
]

test('failing on purpose tells nothing about hidden rows', async () => {
  // Every row that a French caller may see has the note '5' and the number 65: whether a test fails depends on those alone.
  await shop.admin.run(
    `CREATE TABLE memory.main.visible AS SELECT * FROM read_parquet('${shop.directory}/orders.parquet') WHERE country = 'FR' LIMIT 20`,
  )
  const outcome = (run: Promise<unknown>): Promise<string> =>
    run.then(
      () => 'answered',
      (error: MillraceError) => (['MR_SQL_RUNTIME', 'MR_ENGINE', 'MR_SQL_MEMORY'].includes(error.code) ? 'failed' : error.code),
    )
  let [asked, answered] = [0, 0]
  const leaks: string[] = []
  for (const [index, oracle] of ORACLES.entries())
    for (const shape of index % 5 === 0 ? SHAPES : SHAPES.slice(0, 3)) {
      const sql = shape(oracle)
      const right = await outcome(shop.admin.rows(sql.replaceAll('FROM orders', 'FROM memory.main.visible AS orders')))
      if ((await outcome(shop.ask(FRANCE, sql, { committedOnly: true }))) !== right) leaks.push(`${right} without hidden rows: ${sql}`)
      asked++
      if (right === 'answered') answered++
    }
  assert.deepEqual(leaks, [])
  assert.ok(asked > 150 && answered > asked / 2, `only ${answered} are answered: the others test nothing`)
})

/** Run directly, without a copy: nothing in them may fail on a hidden row, even when no row is left to be seen. */
const DIRECT = [
  "substr(note, 1, 100) <> ''",
  "left(note, 2147483647) <> ''",
  "right(note, -3) <> 'x'",
  "regexp_replace(note, '[a-z]', '\\\\9') <> 'x'",
  "regexp_matches(note, '^.*$')",
  "regexp_extract(note, '(.)', 1) <> 'x'",
  "(note LIKE '%!%' ESCAPE '!' OR true)",
  "date_trunc('month', placed) IS NOT NULL",
  "date_diff('microsecond', placed, now()) IS NOT NULL",
  "strftime(placed, '%Y-%m') <> 'x'",
  'placed + INTERVAL 900 YEARS > placed',
  'placed - INTERVAL 10000 DAYS < placed',
  'CAST(note AS INTEGER) > 0',
  'CAST(number AS TINYINT) > 0',
  'number * 4 + number - 5 > 0',
]

test('what runs without a copy never fails on hidden rows, even when it sees no others', async () => {
  const wrong: string[] = []
  for (const expression of DIRECT)
    for (const filter of ['id % 2 = 1', "country = 'US'", 'number < 0']) {
      const sql = `SELECT count(*) FROM orders WHERE ${filter} AND ${expression}`
      const secured = await shop.guard.secure(FRANCE, sql)
      assert.equal(secured.isTwoStage, false, sql)
      const count = await secured.session.rows(secured.sql).then(
        ({ rows }) => rows[0]![0],
        (error: Error) => error.message,
      )
      await secured.release()
      if (count !== 0n) wrong.push(`${sql}: ${count}`)
    }
  assert.deepEqual(wrong, [])
})

test('a view of the project hides what it leaves out just as a policy does', async () => {
  const guest = caller(['guest'])
  await assert.rejects(shop.ask(guest, 'SELECT * FROM orders'), { code: 'MR_SQL_UNKNOWN' })
  for (const oracle of [
    "regexp_matches('a', note)",
    "substr('abc', number) IS NOT NULL",
    '[x FOR x IN [note] IF CAST(x AS INTEGER) > 0] IS NOT NULL',
  ])
    assert.ok(Number(await shop.one(guest, `SELECT count(*) FROM french WHERE ${oracle} OR true`)) > 10_000)
  const secured = await shop.guard.secure(guest, 'SELECT id FROM french')
  assert.deepEqual([secured.rowFilter, secured.isRestricted, secured.relations], [false, true, ['french']])
  await secured.release()
})

test('a filter, a window, a sample or an aggregate does not see hidden rows', async () => {
  assert.equal(
    await shop.one(FRANCE, 'SELECT max(id) FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) WHERE n = 10005'),
    20_008n,
  )
  assert.equal(await shop.one(FRANCE, "SELECT count(*) FROM (SELECT lag(country) OVER (ORDER BY id) AS c FROM orders) WHERE c <> 'FR'"), 0n)
  const sessions = ['country', 'lower(orders.country)'].map((key) => `session(orders, placed, INTERVAL 1 DAY, key := ${key})`)
  for (const rows of ['tumble(orders, placed, INTERVAL 1 DAY)', ...sessions])
    assert.equal(await shop.one(FRANCE, `SELECT count(*) || ' ' || min(country) || max(country) FROM ${rows}`), '10005 FRFR', rows)
  assert.equal(await shop.one(FRANCE, 'SELECT min(number) FROM orders'), 65n)
  assert.equal(await shop.one(FRANCE, "SELECT count(*) FROM orders WHERE country <> 'FR' OR true"), 10_005n)
  assert.equal(await shop.one(FRANCE, "SELECT count(*) FROM (FROM orders TABLESAMPLE 50%) WHERE country <> 'FR'"), 0n)
  assert.equal(
    await shop.one(
      FRANCE,
      "SELECT count(*) FROM orders o LEFT JOIN (SELECT 'US' AS country) x USING (country) WHERE x.country IS NOT NULL",
    ),
    0n,
  )
})

test('columns of files, of tables and of the system are not there', () =>
  refused([
    'SELECT filename FROM orders',
    'SELECT file_row_number FROM orders',
    'SELECT file_index FROM orders',
    'SELECT rowid FROM orders',
    'SELECT raw.email FROM customers',
    'SELECT customers.raw FROM customers',
    'SELECT ipad FROM customers',
    'SELECT mask_key.opad FROM customers',
  ]))

test('bombs end by limits, not by the process', async () => {
  const limited = async (sql: string): Promise<string> => {
    const secured = await shop.guard.secure(FRANCE, sql)
    try {
      await secured.session.rows(secured.sql, secured.params, { timeoutMs: 300 })
      return 'answered'
    } catch (error) {
      return (error as MillraceError).code
    } finally {
      await secured.release()
    }
  }
  assert.match(
    await limited(`SELECT ${'('.repeat(3000)}1${')'.repeat(3000)}`).catch((error: MillraceError) => error.code),
    /answered|MR_SQL/,
  )
  assert.match(await limited(`SELECT ${Array(5000).fill('1').join(' + ')}`).catch((error: MillraceError) => error.code), /answered|MR_SQL/)
  await assert.rejects(shop.ask(FRANCE, `SELECT '${'x'.repeat(1_000_001)}'`), { code: 'MR_SQL_SYNTAX' })
  assert.equal(await shop.one(FRANCE, 'SELECT 1'), 1)
})

test('nobody sees nothing', async () => {
  await assert.rejects(shop.ask(caller(), 'SELECT * FROM orders'), { code: 'MR_SQL_UNKNOWN' })
  await assert.rejects(shop.ask(caller(['no_such_role']), 'SELECT * FROM orders'), { code: 'MR_SQL_UNKNOWN' })
  await assert.rejects(shop.ask(caller(['admin']), 'SELECT * FROM payroll'), { code: 'MR_SQL_UNKNOWN' })
  assert.equal(await shop.one(ADMIN, 'SELECT salary FROM payroll'), 1_000_000n)
  assert.equal(await shop.one(ADMIN, 'SELECT id FROM millrace.runs'), 'r1')
  await assert.rejects(shop.ask(ADMIN, "SELECT * FROM read_text('/etc/hostname')"), { code: 'MR_SQL_FORBIDDEN' })
})
