// The gate is closed to what it does not know: each member of a real tree that is changed into something new is refused.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { type Node, openParser, type SqlParser, type Statement, walk } from '../engine/ast.ts'
import { type Engine, openEngine } from '../engine/duckdb.ts'
import { checkReplaced, passGate } from './gate.ts'

let engine: Engine
let parser: SqlParser
before(async () => {
  engine = await openEngine({ clock: systemClock, directories: [tmpdir()], tempDirectory: tmpdir() })
  parser = await openParser(engine)
})
after(() => {
  parser.close()
  engine.close()
})

const RICH = `WITH a AS (SELECT 1 AS x), r(n) AS (SELECT 2) SELECT DISTINCT o.id, sum(amount) FILTER (WHERE x > 1) OVER w, CASE WHEN x IN (1, 2) THEN CAST(y AS DECIMAL(5, 2)) END,
  [1, 2][1], (SELECT max(z) FROM b WHERE b.k = o.k), list_transform([1], q -> q + $1), * EXCLUDE (id) REPLACE (1 AS x), x COLLATE nocase, x BETWEEN 1 AND 2
  FROM orders o JOIN a USING (x), LATERAL (SELECT 1) l, UNNEST([1]) u, (VALUES (1)) v(c), (PIVOT t ON c IN ('x') USING count(*)) p
  WHERE EXISTS (FROM d) GROUP BY ALL HAVING count(*) > 1 WINDOW w AS (PARTITION BY x ORDER BY y) ORDER BY 1 LIMIT 5`

const refused = { code: 'MR_SQL_FORBIDDEN' }

test('a rich question passes, with its tables and CTEs', async () => {
  const passed = passGate(await parser.parse(RICH))
  assert.deepEqual(passed.tables.map((node) => node['table_name']).sort(), ['a', 'b', 'd', 'orders', 't'])
  assert.deepEqual([...passed.ctes].sort(), ['a', 'r'])
})

test('an unknown member, class, type or operator anywhere is refused', async () => {
  const count = objectsOf(await parser.parse(RICH)).length
  assert.ok(count > 150)
  let tried = 0
  for (let index = 0; index < count; index++) {
    const changes: ((node: Node) => void)[] = [
      (node) => Object.assign(node, { brand_new: { type: 'BASE_TABLE', table_name: 'secret', class: 'FUNCTION' } }),
      (node) => node.class !== undefined && Object.assign(node, { class: 'BRAND_NEW' }),
      (node) => node.class === 'OPERATOR' && Object.assign(node, { type: 'BRAND_NEW' }),
      (node) =>
        node.class === undefined &&
        typeof node.type === 'string' &&
        !/TYPE_INFO|^ORDER_DEFAULT|DESC|ASC/.test(node.type) &&
        Object.assign(node, { type: 'BRAND_NEW' }),
    ]
    for (const change of changes) {
      const statement = await parser.parse(RICH)
      const node = objectsOf(statement)[index]!
      const earlier = JSON.stringify(node)
      change(node)
      if (JSON.stringify(node) === earlier) continue
      tried++
      assert.throws(() => passGate(statement), refused, `${change} on ${earlier.slice(0, 200)}`)
    }
  }
  assert.ok(tried > 250, `only ${tried} changes`)
})

const objectsOf = (statement: Statement): Node[] => {
  const nodes: Node[] = []
  walk(statement, (node) => void nodes.push(node))
  return nodes
}

test('what was not replaced is refused, whatever scoping thought of it', async () => {
  const check = async (sql: string, ...views: string[]) => checkReplaced(passGate(await parser.parse(sql)), new Set(views))
  await check('SELECT * FROM v1, "v#2"', 'v1', 'v#2')
  await check('WITH c AS (SELECT 1) SELECT * FROM C, v1', 'v1')
  for (const sql of [
    'SELECT * FROM orders',
    'SELECT * FROM main.v1',
    'SELECT * FROM m.main.v1',
    'WITH c AS (SELECT 1) SELECT * FROM main.c',
    'SELECT * FROM v1 AT (VERSION => 1)',
  ])
    await assert.rejects(check(sql, 'v1'), refused, sql)
  for (const name of ['a#b', 'x.csv', 'a/b', 'a\\b', 's3:b', '*', 'a?'])
    await assert.rejects(check(`WITH "${name}" AS (SELECT 1) SELECT 1`), refused, name)
})
