// What operators say of their memory: within a factor of what their state takes as bytes, growing with it and less when it is gone.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import type { Shape } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { splitTree } from '../../src/stream/state-tree.ts'

let engine: TestEngine
let parser: SqlParser
before(async () => {
  engine = await openTestEngine()
  parser = await openParser(engine.engine)
})
after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

const SHAPE: Shape = {
  fields: [
    { name: 'key', type: { kind: 'string' }, optional: false },
    { name: 'n', type: { kind: 'long' }, optional: false },
    { name: 'heat', type: { kind: 'double' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: '_partition', type: { kind: 'int' }, optional: false },
    { name: '_offset', type: { kind: 'long' }, optional: false },
    { name: '_ingested_at', type: { kind: 'timestamp' }, optional: false },
  ],
}
const START_US = Date.UTC(2026, 0, 1) * 1_000

const rowsFrom = (from: number, count: number): Plain[][] =>
  Array.from({ length: count }, (_, i) => {
    const n = from + i
    return [`key number ${n}`, n, n / 7, START_US + (n % 9_000) * 1_000, 0, n, START_US]
  })

const QUERIES: Readonly<Record<string, { readonly sql: string; readonly forgets: boolean }>> = {
  'groups for ever': { sql: 'SELECT key, count(*) AS c, sum(n) AS s, sum(heat) AS h, max(key) AS m FROM s GROUP BY key', forgets: false },
  'windows of groups': {
    sql: 'SELECT key, window_start, count(DISTINCT n) AS c FROM tumble(s, seen, INTERVAL 10 SECOND) GROUP BY ALL',
    forgets: true,
  },
  sessions: {
    sql: 'SELECT key, window_start, window_end, avg(heat) AS h FROM session(s, seen, INTERVAL 10 SECOND, key := key) GROUP BY ALL',
    forgets: false,
  },
  'the first of a key': { sql: 'SELECT key, n FROM s QUALIFY row_number() OVER (PARTITION BY key ORDER BY seen DESC) = 1', forgets: false },
  'rows of a join': {
    sql: 'SELECT a.key, b.n FROM s a JOIN s b ON a.key = b.key AND b.seen BETWEEN a.seen AND a.seen + INTERVAL 1 MINUTE',
    forgets: false,
  },
}

for (const [name, { sql, forgets }] of Object.entries(QUERIES))
  test(`memory of ${name}`, async () => {
    const { node } = await parser.parse(sql)
    const query = compileLive(node, () => SHAPE)
    const chain = new Chain(
      query,
      () => SHAPE,
      shapeOfRelation(query.root, () => SHAPE),
    )
    const take = (from: number): void => {
      const batch = batchOf(SHAPE, rowsFrom(from, 20_000))
      chain.take('s', batch, null, batch.rows)
      chain.changed()
    }
    take(0)
    const first = chain.bytes
    const stored = splitTree(chain.save()).bytes.reduce((sum, { length }) => sum + length, 0)
    assert.ok(first > stored * 0.7 && first < stored * 5, `${first} bytes are told of ${stored} that are stored`)
    take(20_000)
    assert.ok(chain.bytes > first * 1.4 && chain.bytes < first * 3, `${first} and, with as much again, ${chain.bytes}`)
    if (!forgets) return
    chain.advance(START_US + 3_600e6)
    assert.equal(chain.bytes, 0)
  })
