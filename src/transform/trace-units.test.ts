// Which SQL lets changed rows lead to the units that they touch, for which of its inputs, and why not otherwise.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Node, openParser } from '../engine/ast.ts'
import { openTestEngine } from '../engine/testing.ts'
import { traceUnits } from './trace-units.ts'

const AGGREGATES = new Set(['sum', 'count', 'count_star', 'max'])
const VIEWS = { flat: 'SELECT a.day, a.v FROM a WHERE v > 1', sums: 'SELECT day, sum(v) AS v FROM a GROUP BY day' }

const CASES: readonly (readonly [sql: string, traceable: readonly string[], why?: string])[] = [
  ['SELECT day, sum(v) FROM a GROUP BY day', ['a']],
  ['SELECT CAST(seen AS DATE) AS day, v FROM A', ['a']],
  ['SELECT day, count(*) FROM a GROUP BY ALL HAVING count(*) > 3', ['a']],
  ['SELECT day, sum(v) AS s FROM main.a JOIN n.b USING (k) GROUP BY 1 ORDER BY 2', ['a', 'n.b']],
  ['SELECT * FROM a, b WHERE a.k = b.k', ['a', 'b']],
  ['SELECT a.day, b.v FROM a LEFT JOIN b ON a.k = b.k', ['a']],
  ['SELECT a.day, b.v FROM a RIGHT JOIN b ON a.k = b.k', ['b']],
  ['SELECT a.day, b.v FROM a FULL JOIN b ON a.k = b.k', []],
  ['SELECT a.day FROM a ANTI JOIN b USING (k)', ['a']],
  ['SELECT x.day FROM a AS x JOIN a AS y ON x.k = y.k JOIN b ON b.k = x.k', ['b']],
  ['SELECT day, v FROM a UNION ALL SELECT d, w FROM b', ['a', 'b']],
  ['WITH c AS (SELECT day, v FROM a WHERE v > 0) SELECT day, sum(v) FROM c GROUP BY day', ['a']],
  ['SELECT day, sum(v) FROM flat GROUP BY day', ['a']],
  ['SELECT day, v FROM a QUALIFY row_number() OVER (PARTITION BY day ORDER BY v) = 1', ['a']],
  ['SELECT CAST(seen AS DATE) AS day, sum(v) OVER (PARTITION BY CAST(seen AS DATE)) FROM a', ['a']],
  ['SELECT day, sum(v) FROM sums GROUP BY day', [], 'a grouping below the top'],
  ['SELECT day, v FROM (SELECT max(day) AS day, 1 AS v FROM a)', [], 'an aggregate or window below the top'],
  ['SELECT max(day) AS day, k FROM a GROUP BY k', [], 'an interval or key that is computed over rows'],
  ['SELECT max(day) AS d, d AS day, k FROM a GROUP BY k', [], 'an interval or key that is computed over rows'],
  ['SELECT day, v FROM a UNION ALL SELECT max(day), 1 FROM b', [], 'an interval or key that is computed over rows'],
  ['SELECT day, sum(v) OVER (ORDER BY day) FROM a', [], 'a window that reaches beyond an interval or key'],
  ['SELECT day, v FROM a WHERE v > (SELECT max(w) FROM b)', [], 'a subquery in an expression'],
  ['SELECT day, v FROM a WHERE EXISTS (SELECT 1 FROM b)', [], 'a subquery in an expression'],
  ['SELECT day, count(*) FROM a GROUP BY day HAVING count(*) > (SELECT count(*) FROM b)', [], 'a subquery in an expression'],
  ['SELECT day, v FROM a ORDER BY v LIMIT 5', [], 'LIMIT or DISTINCT ON'],
  ['SELECT DISTINCT ON (k) day, v FROM a', [], 'LIMIT or DISTINCT ON'],
  ['SELECT day, v FROM a EXCEPT SELECT day, v FROM b', [], 'a EXCEPT'],
  ['SELECT day, v FROM a ASOF JOIN b ON a.k = b.k AND a.seen >= b.seen', [], 'a join ASOF'],
  ['SELECT day, v FROM a TABLESAMPLE 10%', [], 'a sample'],
  [
    'WITH RECURSIVE r AS (SELECT day FROM a UNION ALL SELECT day + 1 FROM r WHERE day < 3) SELECT day FROM r',
    [],
    'a RECURSIVE_CTE_NODE below the top',
  ],
]

test('what can be traced', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const parser = await openParser(tested.engine)
  const views = new Map<string, Node>()
  for (const [name, sql] of Object.entries(VIEWS)) views.set(name, (await parser.parse(sql)).node)
  for (const [sql, traceable, why = null] of CASES) {
    const traced = traceUnits((await parser.parse(sql)).node, ['day'], views, AGGREGATES)
    assert.deepEqual({ why: traced.why, traceable: [...traced.traceable].sort() }, { why, traceable }, sql)
  }
  const statement = await parser.parse('SELECT day, count(*) FROM a GROUP BY ALL HAVING count(*) > 3')
  assert.equal(traceUnits(statement.node, ['day'], views, AGGREGATES).isStripped, true)
  assert.doesNotMatch(await parser.print(statement), /HAVING/)
  parser.close()
})
