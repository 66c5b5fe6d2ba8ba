// Scans: old files under a new schema, tails in front, latest rows of a key, and filters that reach the files.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { DataFile, LakeTable } from '../lake/types.ts'
import { type ScanParts, scanSql } from './scan.ts'
import { lakeTable, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

const write = (table: LakeTable, select: string): Promise<DataFile[]> =>
  writeParquet(parts.session, { select, table, directory: parts.directory })

const read = async (scan: ScanParts, rest = ''): Promise<readonly (readonly unknown[])[]> =>
  (await parts.session.rows(`SELECT * FROM (${scanSql(scan)}) ${rest}`)).rows

test('renamed, dropped, added, swapped and widened columns of old files', async () => {
  const old = lakeTable({ columns: { a: 'int', b: 'float', c: 'decimal(5, 2)', gone: 'string', x: 'string', y: 'string' } })
  const [first] = await write(old, "SELECT 1 AS a, 0.5 AS b, 1.25 AS c, 'gone' AS gone, 'x' AS x, 'y' AS y")
  const field = (id: number, name: string, type: string) => ({ id, name, type, required: false })
  const table: LakeTable = {
    ...old,
    schema: {
      id: 1,
      fields: [
        field(7, 'added', 'timestamptz'),
        field(1, 'a', 'long'),
        field(2, 'b', 'double'),
        field(3, 'cc', 'decimal(9, 2)'),
        field(5, 'y', 'string'),
        field(6, 'x', 'string'),
      ],
      identifierIds: [],
    },
  }
  const [second] = await write(table, "SELECT now() AS added, 2::BIGINT ** 40 AS a, 0.1 AS b, 1234567.25 AS cc, 'y2' AS y, 'x2' AS x")
  const scan = scanSql({ table, files: [first!, second!], tails: [] })
  const { columns, rows } = await parts.session.rows(`SELECT * EXCLUDE (added), added IS NULL AS is_old FROM (${scan}) ORDER BY a`)
  assert.deepEqual(rows, [
    [1n, 0.5, '1.25', 'x', 'y', true],
    [1_099_511_627_776n, 0.1, '1234567.25', 'y2', 'x2', false],
  ])
  assert.deepEqual(
    columns.map(({ type }) => type),
    ['BIGINT', 'DOUBLE', 'DECIMAL(9,2)', 'VARCHAR', 'VARCHAR', 'BOOLEAN'],
  )
})

test('a column that only the definition has is null; so are all of them', async () => {
  const table = lakeTable({ columns: { a: 'int' } })
  const files = await write(table, 'SELECT range AS a FROM range(3)')
  const fresh = { name: 'fresh', type: { kind: 'timestamp' as const }, optional: true }
  assert.deepEqual(
    await read(
      { table, files, tails: [], shape: { fields: [{ name: 'a', type: { kind: 'long' }, optional: true }, fresh] } },
      'WHERE a = 2',
    ),
    [[2n, null]],
  )
  assert.deepEqual(await read({ table, files, tails: [], shape: { fields: [fresh] } }), [[null], [null], [null]])
})

test('nothing to read is a typed empty relation', async () => {
  const table = lakeTable({ columns: { a: 'int', s: 'timestamptz' } })
  const { columns, rows } = await parts.session.rows(scanSql({ table, files: [], tails: [] }))
  assert.deepEqual(columns, [
    { name: 'a', type: 'INTEGER' },
    { name: 's', type: 'TIMESTAMP WITH TIME ZONE' },
  ])
  assert.deepEqual(rows, [])
})

test('tails are added to files by position', async () => {
  const table = lakeTable({ columns: { a: 'int', b: 'string' } })
  const files = await write(table, "SELECT 1 AS a, 'cold' AS b")
  const tails = ["SELECT 2 AS a, 'frozen' AS b", "SELECT 3 AS a, 'active' AS b"]
  assert.deepEqual(await read({ table, files, tails }, 'ORDER BY a'), [
    [1, 'cold'],
    [2, 'frozen'],
    [3, 'active'],
  ])
  assert.deepEqual(await read({ table, files: [], tails }, 'ORDER BY a'), [
    [2, 'frozen'],
    [3, 'active'],
  ])
})

test('keyed: the newest layer wins, for keys of several columns', async () => {
  const table = lakeTable({ columns: { k: 'int', o: 'string', v: 'string' } })
  const files = await write(table, "SELECT unnest([1, 2, 3, 4]) AS k, 'o' AS o, 'cold' AS v")
  const tails = ["SELECT unnest([2, 3]) AS k, 'o' AS o, 'frozen' AS v", "SELECT unnest([3, 5]) AS k, 'o' AS o, 'active' AS v"]
  assert.deepEqual(await read({ table, files, tails, key: ['k', 'o'] }, 'ORDER BY k'), [
    [1, 'o', 'cold'],
    [2, 'o', 'frozen'],
    [3, 'o', 'active'],
    [4, 'o', 'cold'],
    [5, 'o', 'active'],
  ])
})

test('keyed: null is a key of its own', async () => {
  const table = lakeTable({ columns: { k: 'int', o: 'string', v: 'string' } })
  const files = await write(table, "SELECT unnest([1, NULL, NULL]) AS k, unnest(['o', 'o', NULL]) AS o, 'cold' AS v")
  const tails = [
    "SELECT NULL::INT AS k, 'o' AS o, 'frozen' AS v",
    { sql: "SELECT 4 AS k, NULL AS o, 'active' AS v", keys: 'SELECT unnest([4, NULL]) AS k, NULL AS o' },
  ]
  assert.deepEqual(await read({ table, files, tails, key: ['k', 'o'] }, 'ORDER BY k'), [
    [1, 'o', 'cold'],
    [4, null, 'active'],
    [null, 'o', 'frozen'],
  ])
})

test('one row: of the newest layer that says anything', async () => {
  const table = lakeTable({ columns: { k: 'int' } })
  const files = await write(table, 'SELECT 1 AS k')
  const none = { sql: 'SELECT 0 AS k WHERE false', keys: 'SELECT 1 WHERE false' }
  const gone = { sql: 'SELECT 0 AS k WHERE false', keys: 'SELECT 1' }
  const one = { table, files, isOneRow: true }
  assert.deepEqual(await read({ ...one, tails: [] }), [[1]])
  assert.deepEqual(await read({ ...one, tails: [none] }), [[1]])
  assert.deepEqual(await read({ ...one, tails: ['SELECT 2 AS k', none] }), [[2]])
  assert.deepEqual(await read({ ...one, tails: ['SELECT 2 AS k', gone] }), [])
  assert.deepEqual(await read({ ...one, tails: [gone, 'SELECT 3 AS k'] }), [[3]])
  assert.deepEqual(await read({ ...one, files: [], tails: [gone] }), [])
})

test('filters and columns reach the files, through tails and keys', async () => {
  const table = lakeTable({ columns: { k: 'long', v: 'string', w: 'string' } })
  const files = await write(table, "SELECT range AS k, 'v' AS v, 'w' AS w FROM range(1000)")
  await parts.session.run('CREATE OR REPLACE TABLE tail.hot (k BIGINT, v VARCHAR, w VARCHAR)')
  const tails = ['SELECT k, v, w FROM memory.tail.hot']
  for (const key of [[], ['k']]) {
    const { rows } = await parts.session.rows(`EXPLAIN (FORMAT json) SELECT v FROM (${scanSql({ table, files, tails, key })}) WHERE k = 7`)
    const plan = JSON.parse(String(rows[0]![1])) as PlanNode[]
    const scan = plan.flatMap(nodesOf).find((node) => /PARQUET/.test(node.name))!
    const { Projections = [], Filters } = scan.extra_info as { Projections?: string | string[]; Filters?: unknown }
    assert.match(JSON.stringify(Filters), /k ?= ?7/, `key ${key}`)
    assert.ok(![Projections].flat().includes('w'), 'only the columns that are asked for')
  }
})

interface PlanNode {
  readonly name: string
  readonly extra_info: unknown
  readonly children: readonly PlanNode[]
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...node.children.flatMap(nodesOf)]
