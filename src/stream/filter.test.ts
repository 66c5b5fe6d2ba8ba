// Predicates give what DuckDB gives, for every type, operator and null; constants that are no value of their column are refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LivePredicate } from '../engine/live-query.ts'
import { printLive } from '../engine/live-query.ts'
import { openTestEngine } from '../engine/testing.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape, Type } from '../schema/type.ts'
import { compileFilter } from './filter.ts'

/** Values as JSON, and constants to compare with. */
const TYPES: Record<string, { type: Type; values: readonly unknown[]; constants: readonly (string | number | boolean)[] }> = {
  b: { type: { kind: 'boolean' }, values: [true, false], constants: [true, false, 'true'] },
  i: { type: { kind: 'int' }, values: [-3, 0, 7], constants: [0, 7, 6.5, '7'] },
  l: { type: { kind: 'long' }, values: ['9007199254740993', '9007199254740992', '-1'], constants: ['9007199254740993', -1, 0.5] },
  f: { type: { kind: 'float' }, values: [0.1, 1.5, 'NaN', 'Infinity'], constants: [0.1, 1.5, 2] },
  d: { type: { kind: 'double' }, values: [0.1, -0, 'NaN', '-Infinity', 1e300], constants: [0.1, 0, 1e300] },
  n: { type: { kind: 'decimal', precision: 12, scale: 2 }, values: ['0.07', '0.08', '-5', '1234.5'], constants: [0.07, 0.075, -5, '0.08'] },
  w: { type: { kind: 'decimal', precision: 30, scale: 2 }, values: ['10.00', '9.50', '-1'], constants: [9.5, 10, '9.505'] },
  s: { type: { kind: 'string' }, values: ['', 'a', 'Z', 'é', '𝒳', '￿'], constants: ['a', 'é', '￿', ''] },
  e: { type: { kind: 'enum', values: ['x', 'y'] }, values: ['x', 'y'], constants: ['x', 'z'] },
  day: { type: { kind: 'date' }, values: ['2026-02-28', '1969-12-31'], constants: ['2026-02-28', '1970-01-01'] },
  t: { type: { kind: 'time' }, values: ['12:00:00', '23:59:59.999999'], constants: ['12:00:00', '23:59:59.5'] },
  at: {
    type: { kind: 'timestamp' },
    values: ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000001Z'],
    constants: ['2026-01-01', '2026-01-01 00:00:00.000001+00:00'],
  },
  u: {
    type: { kind: 'uuid' },
    values: ['0e37df36-f698-11e6-8dd4-cb9ced3df976'],
    constants: ['0E37DF36-F698-11E6-8DD4-CB9CED3DF976', 'ffffffff-0000-0000-0000-000000000000'],
  },
}
const SHAPE: Shape = { fields: Object.entries(TYPES).map(([name, { type }]) => ({ name, type, optional: true })) }
const NAMES = Object.keys(TYPES)

const leaf: fc.Arbitrary<LivePredicate> = fc.constantFrom(...NAMES).chain((column) => {
  const constant = fc.constantFrom(...TYPES[column]!.constants)
  return fc.oneof(
    fc.record({
      kind: fc.constant('compare' as const),
      column: fc.constant(column),
      op: fc.constantFrom('=', '<>', '<', '<=', '>', '>='),
      value: constant,
    }),
    fc.record({
      kind: fc.constant('in' as const),
      column: fc.constant(column),
      values: fc.array(constant, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('null' as const), column: fc.constant(column), negated: fc.boolean() }),
  )
})
const predicate: fc.Arbitrary<LivePredicate> = fc.letrec<{ any: LivePredicate }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({ kind: fc.constant('not' as const), of: tie('any') }),
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('any'), { minLength: 1, maxLength: 3 }) }),
  ),
})).any

/** Every value of every type once, and rows of nulls between. */
const ROWS = Array.from({ length: 12 }, (_, row) =>
  Object.fromEntries(
    NAMES.map((name, index) => [name, (row + index) % 4 === 3 ? null : TYPES[name]!.values[row % TYPES[name]!.values.length]]),
  ),
)

test('a row passes when it does in DuckDB', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const { session } = tested
  const columns = NAMES.map((name) => `CAST(j->>'${name}' AS ${toDuckType(TYPES[name]!.type)}) AS "${name}"`)
  await session.run(
    `CREATE TABLE rows AS SELECT at_row, ${columns.join(', ')} FROM (VALUES ${ROWS.map((row, i) => `(${i}, '${JSON.stringify(row)}'::JSON)`).join(', ')}) AS v(at_row, j)`,
  )
  const { batch } = compileScanner(SHAPE).scan(Buffer.from(ROWS.map((row) => `${JSON.stringify(row)}\n`).join('')))
  assert.equal(batch.rows, ROWS.length)
  await fc.assert(
    fc.asyncProperty(predicate, async (where) => {
      const query = { stream: 'rows', time: 'at', windowMs: 1_000, where, outputs: [] }
      const sql = printLive(query, 'rows')
        .replace(/^SELECT.* FROM rows/, 'SELECT at_row FROM rows')
        .replace(/ GROUP BY .*$/, ' ORDER BY at_row')
      const expected = (await session.rows(sql)).rows.map(([i]) => i)
      const passes = compileFilter(where, SHAPE)
      assert.deepEqual(
        ROWS.flatMap((_, row) => (passes(batch, row) ? [row] : [])),
        expected,
      )
    }),
    { numRuns: 150 },
  )
})

test('a constant that is no value of its column is refused', () => {
  for (const [column, value] of [
    ['i', 'x'],
    ['n', 'x'],
    ['day', 'monday'],
    ['t', '25'],
    ['at', 'now'],
    ['d', 'x'],
  ] as const)
    assert.throws(() => compileFilter({ kind: 'compare', column, op: '=', value }, SHAPE), { code: 'MR_PLAN_LIVE_SHAPE' })
})
