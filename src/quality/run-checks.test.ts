// Every kind of check: what passes, what fails and by how many, what null means, and that one that cannot run stops no other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckManifest } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import { openTestEngine } from '../engine/testing.ts'
import type { Shape } from '../schema/type.ts'
import { judgeAnomaly } from './anomaly.ts'
import { type CheckOutcome, runChecks } from './run-checks.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'int' }, optional: true },
    { name: 'name', type: { kind: 'string' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 10, scale: 2 }, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: true },
    { name: 'key', type: { kind: 'uuid' }, optional: true },
  ],
}
const NOW = Date.UTC(2026, 0, 2)
const KEY = '0e37df36-f698-11e6-8dd4-cb9ced3df976'

async function checked(
  session: Session,
  rules: readonly CheckManifest['rule'][],
  history: readonly number[] = [],
): Promise<CheckOutcome[]> {
  const checks = rules.map((rule, index): CheckManifest => ({ name: `c${index}`, severity: 'warn', rule }))
  const set = { name: 'set', at: 'test.ts:1', on: 'goods', checks }
  return runChecks(session, [set], SHAPE, 'goods', { nowMs: NOW, history: async () => history })
}

test('each rule counts the rows that fail; null is allowed, except where the rule is about it', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const { session } = tested
  await session.run(`CREATE TABLE goods AS SELECT * FROM (VALUES
    (1, 'abc', 1.50::DECIMAL(10,2), TIMESTAMPTZ '2026-01-01 23:00:00Z', '${KEY}'::UUID),
    (2, 'xyz', -1, NULL, NULL), (2, NULL, NULL, NULL, NULL), (NULL, 'ABC', 100, NULL, NULL), (NULL, '', 5, NULL, NULL)) AS t(id, name, price, seen, key)`)
  await session.run('CREATE TABLE others AS SELECT * FROM (VALUES (1), (3)) AS t(id)')
  const cases: [CheckManifest['rule'], CheckOutcome['status'], number | null][] = [
    [{ kind: 'not_null', column: 'id' }, 'fail', 2],
    [{ kind: 'between', column: 'price', min: '0', max: '99.99' }, 'fail', 2],
    [{ kind: 'between', column: 'price', min: '-1' }, 'pass', 0],
    [{ kind: 'between', column: 'seen', max: '2026-01-01' }, 'fail', 1],
    [{ kind: 'in', column: 'name', values: ['abc', 'xyz', "o'x"] }, 'fail', 2],
    [{ kind: 'in', column: 'id', values: ['1', '2'] }, 'pass', 0],
    [{ kind: 'matches', column: 'name', pattern: 'b' }, 'fail', 3],
    [{ kind: 'matches', column: 'name', pattern: '(?i)^a.c$' }, 'fail', 2],
    [{ kind: 'matches', column: 'key', pattern: '^0e37' }, 'pass', 0],
    [{ kind: 'unique', columns: ['id'] }, 'fail', 1],
    [{ kind: 'unique', columns: ['id', 'name'] }, 'pass', 0],
    [{ kind: 'references', column: 'id', to: { relation: 'others', column: 'id' } }, 'fail', 2],
    [
      { kind: 'sql', sql: { text: 'SELECT * FROM goods WHERE price > $1', params: [{ kind: 'value', value: 50, type: 'INTEGER' }] } },
      'fail',
      1,
    ],
    [{ kind: 'fresh', column: 'seen', withinMs: 3_600_000 }, 'pass', null],
    [{ kind: 'fresh', column: 'seen', withinMs: 3_599_999 }, 'fail', null],
    [{ kind: 'row_count', min: 5, max: 5 }, 'pass', null],
    [{ kind: 'row_count', min: 6 }, 'fail', null],
    [{ kind: 'row_count_anomaly', sigma: 4 }, 'pass', null],
  ]
  const outcomes = await checked(
    session,
    cases.map(([rule]) => rule),
  )
  for (const [index, [rule, status, failedRows]] of cases.entries()) {
    const { status: actual, failedRows: rows, totalRows } = outcomes[index]!
    assert.deepEqual({ status: actual, rows, totalRows }, { status, rows: failedRows, totalRows: 5 }, JSON.stringify(rule))
  }
  const [dry] = await checked(session, [{ kind: 'row_count_anomaly', sigma: 4 }], [1_000, 1_010, 1_021, 1_030, 1_041, 1_050, 1_060])
  assert.deepEqual([dry!.status, dry!.value], ['fail', 5])
})

test('checks that share a scan: one pass; one that cannot run is an error of its own', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const { session } = tested
  await session.run("CREATE TABLE goods AS SELECT 1 AS id, 'a' AS name, NULL::TIMESTAMPTZ AS seen, 2.0 AS price")
  const asked: string[] = []
  const counting = { rows: (sql: string) => session.rows(sql).finally(() => asked.push(sql)) } as unknown as Session
  const good = await checked(counting, [
    { kind: 'not_null', column: 'id' },
    { kind: 'row_count', min: 1 },
    { kind: 'fresh', column: 'seen', withinMs: 1 },
  ])
  assert.deepEqual([asked.length, good.map(({ status }) => status)], [1, ['pass', 'pass', 'fail']])
  const mixed = await checked(session, [
    { kind: 'not_null', column: 'id' },
    { kind: 'matches', column: 'name', pattern: '(' },
    { kind: 'between', column: 'price', min: 'cheap' },
    { kind: 'sql', sql: { text: 'SELECT * FROM nowhere', params: [] } },
    { kind: 'row_count', min: 2 },
  ])
  assert.deepEqual(
    mixed.map(({ status }) => status),
    ['pass', 'error', 'error', 'error', 'fail'],
  )
  assert.match(mixed[1]!.measured!, /regular expression|missing|\)/i)
  await assert.rejects(
    checked({ rows: async () => Promise.reject(new Error('gone')) } as unknown as Session, [
      { kind: 'sql', sql: { text: 'SELECT 1', params: [] } },
    ]),
  )
})

test('an anomaly is growth that is out of line with the growth before', () => {
  const steady = [100, 110, 121, 130, 141, 150, 160, 171]
  assert.equal(judgeAnomaly(steady.slice(0, 6), 5, 4).isAnomaly, false, 'too short to judge')
  assert.equal(judgeAnomaly(steady, 181, 4).isAnomaly, false)
  assert.equal(judgeAnomaly(steady, 171, 4).isAnomaly, true)
  assert.equal(judgeAnomaly(steady, 400, 4).isAnomaly, true)
  const still = [50, 50, 50, 50, 50, 50, 50]
  assert.equal(judgeAnomaly(still, 50, 4).isAnomaly, false)
  assert.equal(judgeAnomaly(still, 0, 4).isAnomaly, true)
})
