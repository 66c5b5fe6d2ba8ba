// Pruning: which terms a WHERE clause gives, and that leaving out the files they exclude never changes an answer.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { pruner } from '../lake/prune.ts'
import type { DataFile } from '../lake/types.ts'
import type { Shape, Type } from '../schema/type.ts'
import { openParser, relationsOf, type SqlParser } from './ast.ts'
import type { SqlValues } from './bind-values.ts'
import { duckTypeOfIceberg } from './parquet.ts'
import { pruneTerms } from './prune.ts'
import { scanSql } from './scan.ts'
import { lakeTable, openTestEngine, type TestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

const types: Readonly<Record<string, Type>> = {
  i: { kind: 'int' },
  l: { kind: 'long' },
  d: { kind: 'double' },
  m: { kind: 'decimal', precision: 12, scale: 2 },
  s: { kind: 'string' },
  day: { kind: 'date' },
  seen: { kind: 'timestamp' },
  due: { kind: 'datetime' },
  yes: { kind: 'boolean' },
}
const shape: Shape = { fields: Object.entries(types).map(([name, type]) => ({ name, type, optional: true })) }

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

/** Terms on the relation `t`, as text. */
async function terms(sql: string, values?: SqlValues): Promise<string[]> {
  const statement = await parser.parse(sql)
  const ref = relationsOf(statement).find(({ name }) => name === 't')!
  return pruneTerms(statement, ref.node, shape, values).map((term) => `${term.column} ${term.op} ${term.values.join(' ')}`.trim())
}

test('terms of a WHERE clause', async () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    'i = 5 AND (l < 3 AND 7 >= d)': ['i = 5', 'l < 3', 'd <= 7'],
    'I BETWEEN 1 AND 2': ['i >= 1', 'i <= 2'],
    'i IN (1, -2)': ['i in 1 -2'],
    'i = 1 OR t.i IN (2, 3)': ['i in 1 2 3'],
    'i = 1 OR l = 2': [],
    "i IS NULL AND l IS NOT NULL AND s IS NOT DISTINCT FROM 'x'": ['i is null', 'l is not null', 's = x'],
    'm >= -10.50 AND i > 10.5 AND l = 9007199254740993': ['m >= -10.50', 'i > 10.5', 'l = 9007199254740993'],
    "day = DATE '2026-01-01' AND seen >= '2026-01-01' AND seen < TIMESTAMPTZ '2026-01-02 03:04:05+01'": [
      'day = 2026-01-01',
      'seen >= 2026-01-01 00:00:00',
      'seen < 2026-01-02 03:04:05+01',
    ],
    "due >= TIMESTAMP '2026-01-01 12:00:00' AND due < '2026-01-02' AND due <> '2026-01-02 00:00:00' AND due <= '2026-01-02 00:00:00+01'": [
      'due >= 2026-01-01 12:00:00',
      'due < 2026-01-02 00:00:00',
    ],
    "due = CAST('2026-01-01T12:00:00' AS TIMESTAMPTZ) AND due < TIMESTAMPTZ '2026-01-02 00:00:00+01'": ['due = 2026-01-01T12:00:00'],
    "seen < DATE '2026-01-01' AND seen >= '2026-01-01 00:00'::TIMESTAMP AND yes = true": ['seen < 2026-01-01 00:00:00', 'yes = true'],
    'i = $1 AND s = $2': ['i = 7', 's = x'],
    'i <> 5 AND i + 1 = 5 AND abs(i) = 5 AND i = l AND i = (SELECT 1) AND NOT (i > 3 AND l > 3)': [],
    "i = '5'::DOUBLE AND s = 5 AND s = DATE '2026-01-01' AND i = 1.7::INTEGER AND l = NULL AND x = 5 AND s LIKE 'x%'": [],
    "s = 'x' COLLATE NOCASE": [],
    // Text is rounded to the column's type.
    "i = '5.4' AND m = '1.255' AND i = '5' AND m <= '7'": ['i = 5', 'm <= 7'],
  }
  for (const [where, expected] of Object.entries(cases))
    assert.deepEqual(await terms(`SELECT * FROM t WHERE ${where}`, where.includes('$') ? [7, 'x'] : undefined), expected, where)
})

test('where in a statement the relation stands', async () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    'SELECT * FROM s.t AS a WHERE a.i = 1 AND t.i = 2': ['i = 1'],
    'SELECT * FROM t, u WHERE i = 1 AND t.l = 2 AND u.d = 3': ['i = 1', 'l = 2'],
    'SELECT * FROM u LEFT JOIN t ON u.i = t.i WHERE t.l = 1 AND t.d IS NULL': ['l = 1'],
    'SELECT * FROM u ASOF JOIN t ON u.i >= t.i WHERE t.l = 1': [],
    'SELECT * FROM u POSITIONAL JOIN t WHERE t.l = 1': [],
    'SELECT * FROM u SEMI JOIN t USING (i) WHERE i = 1': [],
    'SELECT * FROM t TABLESAMPLE 10% WHERE i = 1': [],
    'SELECT * FROM t WHERE i = 1 USING SAMPLE 3': [],
    'SELECT * FROM t AS a(l, i) WHERE i = 1': [],
    'SELECT * FROM (SELECT * FROM t WHERE i = 1) WHERE l = 2': ['i = 1'],
    'WITH c AS (SELECT * FROM t WHERE i = 1) SELECT * FROM c WHERE l = 2': ['i = 1'],
    'SELECT (SELECT max(l) FROM t WHERE i = 1 AND t.l = o.l) FROM o WHERE i = 2': ['i = 1'],
    'SELECT count(*) FROM t WHERE i = 1 GROUP BY l HAVING max(i) = 3 QUALIFY i = 4': ['i = 1'],
    'SELECT i FROM t WHERE i = 1 UNION SELECT 5': ['i = 1'],
    'SELECT * FROM t AT (VERSION => 3) WHERE i = 1': ['i = 1'],
  }
  for (const [sql, expected] of Object.entries(cases)) assert.deepEqual(await terms(sql), expected, sql)
})

const CONSTANTS: Readonly<Record<string, readonly string[]>> = {
  i: ['0', '3', '-4', '2.5', '2.0', '1e0', "'3'", "'2.5'", '9223372036854775807', '3::BIGINT'],
  l: ['9007199254740993', '9007199254740992', '0', '-9007199254740993', '0.5'],
  d: ['0', '0.1', '1.5', '-2', '9007199254740993', "'0.1'"],
  m: ['0.1', '1.25', '1.255', '-2', '1e-1', "'1.25'", "'1.255'", "'-2'"],
  s: ["''", "'a'", "'é'", "'zz'", "'abcdefghijklmnopqrstuvwxyz'", "'abcdefghijklmnop'"],
  day: ["'2026-01-02'", "DATE '2026-01-03'", "TIMESTAMP '2026-01-02 12:00:00'"],
  seen: [
    "'2026-01-02'",
    "'2026-01-02 12:00:00'",
    "DATE '2026-01-03'",
    "TIMESTAMP '2026-01-02 12:00:00'",
    "TIMESTAMPTZ '2026-01-02 13:00:00+01'",
  ],
  due: [
    "'2026-01-02'",
    "'2026-01-02 12:00:00+01'",
    "'2026-01-02T12:00:00'",
    "DATE '2026-01-03'",
    "TIMESTAMP '2026-01-02 12:00:00'",
    "TIMESTAMP '2026-01-02 13:00:00+01'",
    "TIMESTAMPTZ '2026-01-02 13:00:00+01'",
    "TIMESTAMPTZ '2026-01-02 12:00:00'",
  ],
  yes: ['true', 'false'],
}

const ROW_VALUES: Readonly<Record<string, readonly string[]>> = {
  ...CONSTANTS,
  i: ['0', '3', '-4', '2'],
  l: ['9007199254740993', '9007199254740992', '0', '-9007199254740993'],
  d: ['0', '0.1', '1.5', '-2', "'nan'", '9007199254740992'],
  m: ['0.10', '1.25', '1.26', '-2'],
  day: ["DATE '2026-01-01'", "DATE '2026-01-02'", "DATE '2026-01-03'"],
  due: ["TIMESTAMP '2026-01-02 00:00:00'", "TIMESTAMP '2026-01-02 12:00:00'", "TIMESTAMP '2026-01-03 00:00:00.000001'"],
  seen: ["TIMESTAMPTZ '2026-01-02 00:00:00+00'", "TIMESTAMPTZ '2026-01-02 12:00:00+00'", "TIMESTAMPTZ '2026-01-03 00:00:00.000001+00'"],
}

const TABLE = {
  i: 'int',
  l: 'long',
  d: 'double',
  m: 'decimal(12, 2)',
  s: 'string',
  day: 'date',
  seen: 'timestamptz',
  due: 'timestamp',
  yes: 'boolean',
}
const columns = Object.keys(TABLE)

const predicate = fc.constantFrom(...columns).chain((column) =>
  fc.oneof(
    fc
      .tuple(fc.constantFrom('=', '<', '<=', '>', '>=', '<>', 'IS NOT DISTINCT FROM'), fc.constantFrom(...CONSTANTS[column]!), fc.boolean())
      .map(([op, constant, isMirrored]) =>
        isMirrored && op !== 'IS NOT DISTINCT FROM' ? `${constant} ${op} ${column}` : `${column} ${op} ${constant}`,
      ),
    fc.array(fc.constantFrom(...CONSTANTS[column]!), { minLength: 1, maxLength: 3 }).map((list) => `${column} IN (${list.join(', ')})`),
    fc
      .tuple(fc.constantFrom(...CONSTANTS[column]!), fc.constantFrom(...CONSTANTS[column]!))
      .map(([a, b]) => `${column} BETWEEN ${a} AND ${b}`),
    fc.constantFrom(`${column} IS NULL`, `${column} IS NOT NULL`),
  ),
)

test('a pruned scan answers as the whole one', async () => {
  const tables = [
    lakeTable({ columns: TABLE }),
    lakeTable({ columns: TABLE, partitions: { p: ['seen', 'day'], r: ['due', 'hour'], q: ['l', 'bucket[3]'] } }),
  ]
  const stored: { table: (typeof tables)[number]; files: DataFile[] }[] = []
  const random = fc.sample(fc.tuple(...columns.map((column) => fc.constantFrom('NULL', ...ROW_VALUES[column]!))), { numRuns: 24, seed: 5 })
  for (const table of tables) {
    const files: DataFile[] = []
    for (let at = 0; at < random.length; at += 2) {
      const rows = random
        .slice(at, at + 2)
        .map(
          (row) =>
            `SELECT ${row.map((value, index) => `CAST(${value} AS ${duckTypeOfIceberg(Object.values(TABLE)[index]!)}) AS ${columns[index]}`).join(', ')}`,
        )
      files.push(
        ...(await writeParquet(parts.session, {
          select: rows.join(' UNION ALL '),
          table,
          directory: parts.directory,
        })),
      )
    }
    stored.push({ table, files })
  }
  let left = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(predicate, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(' AND ', ' OR '),
      fc.constantFrom(...stored),
      async (predicates, glue, { table, files }) => {
        const where = predicates.join(glue)
        const statement = await parser.parse(`SELECT * FROM t WHERE ${where}`)
        const keep = pruner(pruneTerms(statement, relationsOf(statement)[0]!.node, shape), table.schema, table.specs, table.schemas)
        const kept = files.filter(keep.file)
        left += files.length - kept.length
        const ask = async (chosen: readonly DataFile[]) =>
          (await parts.session.rows(`SELECT * FROM (${scanSql({ table, files: chosen, tails: [] })}) WHERE ${where} ORDER BY ALL`)).rows
        try {
          assert.deepEqual(await ask(kept), await ask(files), where)
        } catch (error) {
          // Some comparisons are not of one type; then there is nothing to compare.
          if ((error as { code?: string }).code !== 'MR_SQL_TYPE' && (error as { code?: string }).code !== 'MR_SQL_RUNTIME') throw error
        }
      },
    ),
    { numRuns: 60 },
  )
  assert.ok(left > 100, `only ${left} files were left out`)
})
