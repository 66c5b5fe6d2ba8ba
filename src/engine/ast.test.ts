// Syntax trees: what goes in comes out, nothing hides in a name, and references are found where DuckDB binds them.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { MillraceError } from '../core/errors.ts'
import { openParser, relationsOf, type SqlParser, type Statement, walk } from './ast.ts'
import { openTestEngine, type TestEngine } from './testing.ts'

let parts: TestEngine
let parser: SqlParser
before(async () => {
  parts = await openTestEngine()
  parser = await openParser(parts.engine)
})
after(async () => {
  parser.close()
  await parts[Symbol.asyncDispose]()
})

const thrown = async (action: () => Promise<unknown>): Promise<MillraceError> => {
  try {
    await action()
  } catch (error) {
    return error as MillraceError
  }
  return assert.fail('nothing was thrown')
}

const reprint = async (sql: string): Promise<string> => parser.print(await parser.parse(sql))

/** Self-contained queries over the forms that people write. */
const QUERIES = [
  'SELECT 1',
  'SELECT 9007199254740993 AS a, 170141183460469231731687303715884105727 AS b, 10.0 AS c, 0.10 AS d, 1e3 AS e, 12345678901234567.89 AS f, -1 AS g',
  "SELECT 'it''s' AS \"a \"\"b\"\" c\", 'é🙂' AS é, '' AS e, chr(0) AS z, '\\x41'::BLOB AS x",
  'VALUES (1, 2), (3, 4)',
  'SELECT * FROM (VALUES (1), (2)) AS t(a) WHERE a > 1',
  'FROM range(3) SELECT range + 1 AS n',
  'SELECT * FROM range(100) TABLESAMPLE 10 PERCENT (bernoulli, 7) WHERE range < 0',
  'SELECT * FROM range(3) LIMIT 10% OFFSET 1',
  'WITH a AS (SELECT 1 AS x), b AS MATERIALIZED (SELECT x + 1 AS x FROM a) SELECT * FROM a JOIN b ON a.x < b.x',
  'WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT sum(n) FROM r',
  'SELECT range AS n, sum(range) OVER w AS s FROM range(5) WINDOW w AS (ORDER BY range ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)',
  'SELECT range % 2 AS k, count(*) FILTER (range > 1) AS c, list(range ORDER BY range DESC) AS l FROM range(5) GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL',
  'SELECT range FROM range(10) QUALIFY row_number() OVER (ORDER BY range DESC) <= 2',
  'SELECT * EXCLUDE (b) REPLACE (a + 1 AS a) FROM (SELECT 1 AS a, 2 AS b)',
  "SELECT COLUMNS('a.*') FROM (SELECT 1 AS a1, 2 AS a2, 3 AS b)",
  'SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1] AS l, list_transform([1, 2], lambda y: y + 1) AS m',
  "SELECT {a: 1, 'b c': [1, 2]} AS s, MAP {'k': 1}['k'] AS m, [1, 2, 3][1:2] AS sl, {a: 1}.a AS x",
  'SELECT (SELECT max(t.range) FROM range(3) AS t WHERE t.range < o.range) AS m FROM range(3) AS o',
  'SELECT o.range, i.x FROM range(2) AS o, LATERAL (SELECT o.range + 1 AS x) AS i',
  'SELECT * FROM (SELECT 1 AS id, 2 AS v) AS a ASOF JOIN (SELECT 1 AS id, 1 AS v) AS b ON a.id = b.id AND a.v >= b.v',
  'SELECT * FROM (SELECT 1 AS a) AS l FULL OUTER JOIN (SELECT 2 AS a) AS r USING (a) ORDER BY a NULLS FIRST',
  'SELECT * FROM (SELECT 1 AS a) AS l SEMI JOIN (SELECT 1 AS a) AS r USING (a)',
  'SELECT * FROM (SELECT 1 AS a) AS l POSITIONAL JOIN (SELECT 1 AS b) AS r',
  "FROM (PIVOT (SELECT 'x' AS k, 1 AS v) ON k IN ('x', 'y') USING sum(v))",
  'FROM (UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME n VALUE v)',
  'SELECT a, b, sum(c) FROM (SELECT 1 AS a, 2 AS b, 3 AS c) GROUP BY GROUPING SETS ((a), (a, b), ()) ORDER BY ALL',
  'SELECT CASE WHEN 1 = 1 THEN 2 ELSE 3 END AS c, CASE 1 WHEN 1 THEN 2 END AS d, 1 BETWEEN 0 AND 2 AS b, 1 IN (1, 2) AS i, NOT (1 IS NULL) AS n',
  "SELECT CAST('1' AS DECIMAL(10, 2)) AS a, '2026-01-01'::DATE AS b, TRY_CAST('x' AS INTEGER) AS c, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS d, INTERVAL 3 DAYS AS i",
  "SELECT 'a' LIKE 'b' AS l, 'a' ILIKE 'A' AS i, 'a' SIMILAR TO 'a.*' AS s, 'a' ~ 'a' AS r, 'a' COLLATE NOCASE = 'A' AS n",
  '(SELECT 1 AS a UNION SELECT 2) EXCEPT (SELECT 2) ORDER BY a LIMIT 1',
  'SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b',
  'SELECT EXISTS (SELECT 1) AS e, 1 = ANY (SELECT 1) AS y, 1 > ALL (SELECT 2) AS l',
  'SELECT a FROM (SELECT {b: {c: 1}} AS a) WHERE a.b.c = 1',
  'SELECT 7 // 2 AS d, 2 ** 3 AS p, 5 % 3 AS m, 1 << 2 AS s, -7 AS n, NOT true AS b',
  "SELECT extract(year FROM DATE '2026-01-01') AS y, substring('abc' FROM 2 FOR 1) AS s, trim('  a ') AS t, position('b' IN 'abc') AS p",
  'SELECT DISTINCT ON (range % 2) range FROM range(4) ORDER BY range',
  'SELECT range AS "select", range AS "Group" FROM range(1) AS "from"',
]

test('a printed tree means the same', async () => {
  for (const sql of QUERIES) {
    const printed = await reprint(sql)
    const [original, again] = [await parts.session.rows(sql), await parts.session.rows(printed)]
    assert.deepEqual(again, { ...original, columns: again.columns }, `${sql}\n${printed}`)
    assert.deepEqual(
      again.columns.map((column) => column.type),
      original.columns.map((column) => column.type),
    )
  }
})

test('numbers pass unchanged', async () => {
  assert.equal(await reprint('SELECT 9007199254740993, 10.0, 0.10'), 'SELECT 9007199254740993, 10.0, 0.10')
  assert.equal((await thrown(() => reprint('SELECT 1e400'))).code, 'MR_SQL_SYNTAX')
})

test('exactly one SELECT', async () => {
  for (const sql of [
    '',
    '-- nothing',
    'SELECT 1; SELECT 2',
    'DROP TABLE x',
    'INSERT INTO x VALUES (1)',
    "COPY x TO 'y'",
    'SET threads = 1',
    'EXPLAIN SELECT 1',
    "ATTACH 'x'",
    'CALL pragma_version()',
    'PRAGMA version',
    'CREATE TABLE x AS SELECT 1',
  ])
    assert.equal((await thrown(() => parser.parse(sql))).code, 'MR_SQL_STATEMENT', sql)
  const error = await thrown(() => parser.parse("SELECT 'é',\n  'é' FROM WHERE"))
  assert.equal(error.code, 'MR_SQL_SYNTAX')
  assert.match(error.message, /"WHERE" \(line 2, column 12\)$/)
})

test('a parameter cannot carry SQL in its name', async () => {
  const attack = 'SELECT $"1, (SELECT 42) AS z" FROM range(1)'
  const statement = await parser.parse(attack)
  assert.equal((await thrown(() => parser.print(statement))).code, 'MR_SQL_FORBIDDEN')
  for (const name of ['a b', 'a-b', 'a"b', 'a)', 'é', '']) {
    const error = await thrown(async () => parser.print(await parser.parse(`SELECT $"${name.replaceAll('"', '""')}"`)))
    assert.match(error.code, /^MR_SQL_(FORBIDDEN|SYNTAX)$/, name)
  }
  assert.equal(await reprint('SELECT $x, $name_2'), 'SELECT $x, $name_2')
  assert.equal(await reprint('SELECT ?, ?'), 'SELECT $1, $2')
})

test('a tree that does not read back as itself is refused', async () => {
  // A name that the printer would leave unquoted, put where the parser would never have put it.
  const statement = await parser.parse('SELECT $1')
  walk(statement.node, (node) => {
    if (node.class === 'PARAMETER') node['identifier'] = '1'
    if (node.class === 'PARAMETER') node.alias = 'a'
  })
  assert.equal(await parser.print(statement), 'SELECT $1 AS a')
  const hidden = await parser.parse('SELECT a FROM t')
  walk(hidden.node, (node) => {
    if (node.class === 'COLUMN_REF') node.type = 'NOTHING'
  })
  await assert.rejects(parser.print(hidden))
})

test('names of any text are quoted', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((name) => !name.includes('\0')),
      async (name) => {
        const quoted = `"${name.replaceAll('"', '""')}"`
        const sql = `WITH ${quoted} AS (SELECT 1 AS ${quoted}) SELECT ${quoted}.${quoted} AS ${quoted} FROM ${quoted} AS ${quoted}(${quoted})`
        const printed = await reprint(sql)
        assert.deepEqual((await parts.session.rows(printed)).rows, [[1]])
      },
    ),
    { numRuns: 60 },
  )
})

test('a parsed statement belongs to its caller', async () => {
  const first = await parser.parse('SELECT * FROM t')
  relationsOf(first)[0]!.node['table_name'] = 'changed'
  assert.equal(relationsOf(await parser.parse('SELECT * FROM t'))[0]!.name, 't')
})

const names = (statement: Statement): string[] =>
  relationsOf(statement)
    .map(({ catalog, schema, name }) => [catalog, schema, name].filter((part) => part !== '').join('.'))
    .toSorted()

test('relations are those that no CTE in scope defines', async () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    'SELECT * FROM t': ['t'],
    'SELECT * FROM s.t, c.s.t': ['c.s.t', 's.t'],
    'WITH t AS (SELECT 1) SELECT * FROM t, T': [],
    'WITH t AS (SELECT 1) SELECT * FROM s.t': ['s.t'],
    'WITH t AS (SELECT * FROM t) SELECT * FROM t': ['t'],
    'WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) SELECT * FROM b': ['b'],
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r, t) SELECT * FROM r': ['t'],
    'SELECT * FROM (WITH t AS (SELECT 1) SELECT * FROM t), t': ['t'],
    'WITH t AS (SELECT 1) SELECT (SELECT max(x) FROM t), (WITH u AS (SELECT * FROM t) SELECT 1 FROM u, v)': ['v'],
    'WITH t AS (SELECT 1) (SELECT * FROM t UNION SELECT * FROM u) ORDER BY (SELECT 1 FROM v) LIMIT (SELECT 1 FROM t)': ['u', 'v'],
    'SELECT 1 WHERE EXISTS (SELECT 1 FROM t) AND 1 IN (FROM u)': ['t', 'u'],
    'SELECT sum(a) FILTER ((SELECT true FROM t)) OVER (ORDER BY (SELECT 1 FROM u)) FROM v QUALIFY (SELECT true FROM w)': [
      't',
      'u',
      'v',
      'w',
    ],
    'SELECT * FROM a JOIN b ON (SELECT true FROM c), LATERAL (SELECT * FROM d)': ['a', 'b', 'c', 'd'],
    "FROM (PIVOT t ON k IN ('x') USING sum((SELECT 1 FROM u)))": ['t', 'u'],
    'SELECT list_transform([1], lambda x: (SELECT x FROM t)), [y FOR y IN (SELECT [1] FROM u)]': ['t', 'u'],
    "SELECT * FROM t AT (VERSION => 3) WHERE a = 'FROM nothing'": ['t'],
    'VALUES ((SELECT 1 FROM t))': ['t'],
    'SELECT * FROM range((SELECT 1 FROM t))': ['t'],
    'WITH t AS MATERIALIZED (SELECT 1), u AS NOT MATERIALIZED (SELECT * FROM t) SELECT * FROM u, x': ['x'],
  }
  for (const [sql, expected] of Object.entries(cases)) assert.deepEqual(names(await parser.parse(sql)), expected, sql)
})
