// Which uses of strict functions need two stages: constants never, sums of numbers never, what is unknown always.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { type Node, openParser, type SqlParser, walk } from '../engine/ast.ts'
import { type Engine, openEngine } from '../engine/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { needTwoStages, type StrictUse } from './strict.ts'

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

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'amount', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: false },
    { name: 'note', type: { kind: 'string' }, optional: false },
    { name: 'placed', type: { kind: 'timestamp' }, optional: false },
  ],
}

async function needs(sql: string, shapes: readonly Shape[] | null = [SHAPE]): Promise<readonly string[]> {
  const statement = await parser.parse(sql)
  const uses: StrictUse[] = []
  walk(statement.node, (node: Node) => {
    const name = String(node['function_name'])
    if (node.class === 'FUNCTION' && ['+', '-', 'substr'].includes(name)) uses.push({ name, node })
  })
  return needTwoStages(statement, uses, shapes).map((use) => use.name)
}

test('what is the same for every row needs none', async () => {
  for (const sql of [
    "SELECT substr('abc', 1)",
    'SELECT id FROM o WHERE placed > now() - INTERVAL 7 DAY',
    "SELECT DATE '2026-01-01' + INTERVAL 1 DAY",
    'SELECT substr($1, 2) FROM o',
  ])
    assert.deepEqual(await needs(sql), [], sql)
})

test('sums of numbers need none', async () => {
  for (const sql of [
    'SELECT id + 1, amount - id, -amount, 1 + id + amount FROM o',
    'SELECT sum(amount) - count(*), max(o.id) + 1, round(avg(amount)) - 1 FROM o GROUP BY note',
    'SELECT row_number() OVER () + 1, lag(id) OVER (ORDER BY id) - id, CASE WHEN true THEN id ELSE 1 END + 1, coalesce(id, 0) - 1 FROM o',
    'SELECT CAST(note AS INTEGER) + 1, length(note) - 1 FROM o',
  ])
    assert.deepEqual(await needs(sql), [], sql)
})

test('times, and what could be one, need them', async () => {
  for (const sql of [
    'SELECT substr(note, id) FROM o',
    'SELECT placed + INTERVAL 1 DAY FROM o',
    'SELECT placed - placed FROM o',
    'SELECT max(placed) - min(placed) FROM o',
    'SELECT id + id FROM (SELECT placed FROM o) x(id)',
    'WITH x(id) AS (SELECT placed FROM o) SELECT id - id FROM x',
    'SELECT id - id FROM (SELECT * RENAME (placed AS id) FROM (SELECT placed FROM o))',
    'SELECT list_transform([placed], id -> id - id) FROM o',
    "SELECT amount - amount FROM (PIVOT o ON note IN ('amount') USING max(placed))",
    'SELECT unknown - unknown FROM o',
  ])
    assert.notDeepEqual(await needs(sql), [], sql)
  assert.deepEqual(await needs('SELECT id - id FROM o', null), ['-'])
  const clash: Shape = { fields: [{ name: 'ID', type: { kind: 'timestamp' }, optional: false }] }
  assert.deepEqual(await needs('SELECT id - id FROM o', [SHAPE, clash]), ['-'])
})
