// Random expressions over random rows give what DuckDB gives: the same types, values, nulls and failures. One statement of
// DuckDB computes a hundred expressions for all rows. The seed is printed; MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { integer, seededRandom } from '../../src/core/random.ts'
import type { Expression } from '../../src/engine/algebra/expression.ts'
import { printType } from '../../src/engine/algebra/print-expression.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { openParser } from '../../src/engine/ast.ts'
import { quoteText } from '../../src/engine/sql-text.ts'
import { batchOf, type LaneValue, openTestEngine } from '../../src/engine/testing.ts'
import { type Column, valueAt } from '../../src/schema/batch.ts'
import { isoDate, isoDatetime, isoInstant, isoTime } from '../../src/schema/calendar.ts'
import { Decimal } from '../../src/schema/decimal.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import type { Type } from '../../src/schema/type.ts'
import { compileFilter, compileProjection, compileSelection } from '../../src/stream/expression/compile.ts'
import { storedType } from '../../src/stream/expression/lane.ts'
import { dateText, doubleText, timestampText, timeText } from '../../src/stream/expression/runtime.ts'
import { SEED } from '../seed.ts'
import { COLUMNS, Writer } from './random-expression.ts'

function literalOf(value: LaneValue, type: Type): string {
  if (value === null) return `CAST(NULL AS ${toDuckType(type)})`
  const text = (): string => {
    switch (type.kind) {
      case 'boolean':
        return value === 1 ? 'true' : 'false'
      case 'decimal':
        return typeof value === 'bigint' ? new Decimal(value, type.scale).toString() : Buffer.from(value as Uint8Array).toString()
      case 'date':
        return isoDate(value as number)
      case 'timestamp':
        return isoInstant(value as bigint)
      case 'datetime':
        return isoDatetime(value as bigint)
      case 'time':
        return isoTime(Number(value))
      default:
        return value instanceof Uint8Array ? Buffer.from(value).toString() : Object.is(value, -0) ? '-0.0' : String(value)
    }
  }
  return `CAST(${quoteText(text())} AS ${toDuckType(type)})`
}

/** As DuckDB writes the value. */
function shown(column: Column, expression: Expression, row: number): string | null {
  const type = storedType(expression.type)
  const shape = { fields: [{ name: 'v', type, optional: true }] }
  const value = valueAt({ shape, rows: 0, columns: [column] }, 0, row)
  if (value === null) return null
  switch (type.kind) {
    case 'double':
    case 'float':
      return doubleText(value as number)
    case 'decimal':
      return expression.type.kind === 'huge'
        ? String(value)
        : typeof value === 'bigint'
          ? new Decimal(value, type.scale).toString()
          : String(value)
    case 'date':
      return dateText(value as number)
    case 'timestamp':
      return timestampText(Number(value), '+00')
    case 'datetime':
      return timestampText(Number(value), '')
    case 'time':
      return timeText(Number(value))
    default:
      return String(value)
  }
}

const ROWS = 40
const PER_STATEMENT = 60
const STATEMENTS = process.env['MILLRACE_TEST_ALL'] ? 100 : 8

test('random expressions give what DuckDB gives', async () => {
  const seed = SEED
  const random = seededRandom(seed)
  await using engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  // Without its optimizer, which computes parts that expressions share before TRY can catch their failures. Where rows fail, TRY
  // has been seen to give other rows wrong values (of CASE and coalesce): what differs is asked again, alone.
  const oracle = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  await oracle.run("SET TimeZone = 'UTC'; PRAGMA disable_optimizer")
  const ask = async (sql: string): Promise<readonly (readonly unknown[])[]> => (await oracle.runAndReadAll(sql)).getRowsJson()
  /** One row of one expression, without TRY: undefined where it fails. */
  const alone = async (sql: string, row: number): Promise<unknown> =>
    ask(`SELECT CAST((${sql}) AS VARCHAR) FROM (SELECT * FROM t LIMIT 1 OFFSET ${row})`).then(
      ([found]) => found![0],
      () => undefined,
    )
  const names = Object.keys(COLUMNS)
  const types = Object.fromEntries(names.map((name) => [name, COLUMNS[name]!.type]))
  const shape = { fields: names.map((name) => ({ name, type: types[name]!, optional: true })) }
  let compared = 0
  let skipped = 0
  for (let statement = 0; statement < STATEMENTS; statement++) {
    const rows = Array.from({ length: ROWS }, () =>
      names.map((name): LaneValue => (random.next() < 0.15 ? null : COLUMNS[name]!.values[integer(random, COLUMNS[name]!.values.length)]!)),
    )
    const batch = batchOf(types, rows)
    const values = rows.map((row) => `(${row.map((value, i) => literalOf(value, types[names[i]!]!)).join(', ')})`)
    await oracle.run(`CREATE OR REPLACE TABLE t AS SELECT * FROM (VALUES ${values.join(', ')}) AS v(${names.join(', ')})`)
    const writer = new Writer(random)
    const written: { sql: string; expression: Expression }[] = []
    while (written.length < PER_STATEMENT) {
      const sql = writer.any(1 + integer(random, 3))
      const { node } = await parser.parse(`SELECT ${sql} AS v FROM t`)
      try {
        const { root } = compileLive(node, () => shape)
        assert.ok(root.op === 'project')
        written.push({ sql, expression: root.columns[0]!.value })
      } catch (error) {
        if ((error as { code?: string }).code !== 'MR_PLAN_LIVE_SHAPE') throw error
        skipped++
      }
    }
    const list = written.map(({ sql }) => `CAST(TRY(${sql}) AS VARCHAR)`).join(', ')
    const expected = await ask(`SELECT ${list} FROM t`)
    const kinds = await ask(`SELECT ${written.map(({ sql }) => `typeof(TRY(${sql}))`).join(', ')} FROM t LIMIT 1`)
    for (const [at, { sql, expression }] of written.entries()) {
      const kind = kinds[0]?.[at]
      // A constant null has no type of its own.
      const isAlwaysNull = expected.every((row) => row[at] === null)
      if (
        !isAlwaysNull &&
        typeof kind === 'string' &&
        kind !== '"NULL"' &&
        kind !== 'BLOB' &&
        !(kind === 'TIMESTAMP' && expression.type.kind === 'timestamp')
      )
        assert.equal(printType(expression.type).replace('TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE'), kind, `type of ${sql} (seed ${seed})`)
      const compute = compileProjection([expression], shape)
      const actual = Array.from({ length: ROWS }, (_, row): string | null => {
        try {
          return shown(compute(batch.columns, Int32Array.of(row), 1)[0]!, expression, 0)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'MR_SQL_RUNTIME', `${sql} (seed ${seed}): ${(error as Error).stack}`)
          return null
        }
      })
      for (let row = 0; row < ROWS; row++) {
        compared++
        let found = expected[row]![at]
        if (actual[row] !== found) found = await alone(sql, row)
        // Where DuckDB fails we fail too, or have not computed a part of AND or OR that does not decide.
        if (found === undefined) continue
        // Of 0 and -0, which are equal, either is the least.
        if (/least|greatest/.test(sql) && isZero(actual[row]) && isZero(found)) continue
        // On some machines DuckDB writes the NaN of a division as -nan.
        if (found === '-nan') continue
        const wanted = expression.type.kind === 'float' && found !== null ? floatText(found) : found
        assert.equal(actual[row], wanted, `${sql} of ${values[row]} (seed ${seed})`)
      }
    }
  }
  parser.close()
  assert.ok(compared >= 10_000, `only ${compared} compared`)
  console.log(`${compared} values compared, ${skipped} expressions refused`)
})

const isZero = (text: unknown): boolean => text === '0.0' || text === '-0.0'

/** DuckDB writes the shortest digits of a float, we those of its double. */
const floatText = (text: unknown): string =>
  doubleText(
    /nan|inf/.test(String(text)) ? Number(String(text).replace('inf', 'Infinity').replace('nan', 'NaN')) : Math.fround(Number(text)),
  )

test('several columns of a whole batch are what each is of each row, and a filter keeps those for which the condition is true, alone or with columns of them', async () => {
  const names = Object.keys(COLUMNS)
  const random = seededRandom(SEED)
  const types = Object.fromEntries(names.map((name) => [name, COLUMNS[name]!.type]))
  const shape = { fields: names.map((name) => ({ name, type: types[name]!, optional: true })) }
  await using engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  const small = new Set(['l', 'd'])
  const rows = Array.from({ length: 200 }, () =>
    names.map((name): LaneValue => {
      const values = COLUMNS[name]!.values.slice(0, small.has(name) ? 3 : undefined)
      return random.next() < 0.1 ? null : values[integer(random, values.length)]!
    }),
  )
  const batch = batchOf(types, rows)
  const writer = new Writer(random)
  let whole = 0
  let selections = 0
  for (let round = 0; round < 150; round++) {
    const { node } = await parser.parse(
      `SELECT ${writer.bool(2)} AS v, ${writer.text(2)} AS w, ${writer.any(2)} AS x, ${writer.text(3)} AS y FROM t`,
    )
    let values: readonly Expression[]
    try {
      const { root } = compileLive(node, () => shape)
      assert.ok(root.op === 'project')
      values = root.columns.map(({ value }) => value)
    } catch {
      continue
    }
    let all: Column[]
    try {
      all = compileProjection(values, shape)(batch.columns, null, rows.length)
    } catch {
      continue
    }
    whole++
    const kept = new Int32Array(rows.length)
    const count = compileFilter(values[0]!, shape)(batch.columns, null, rows.length, kept)
    const wanted = rows.flatMap((_, row) => (shown(all[0]!, values[0]!, row) === 'true' ? [row] : []))
    assert.deepEqual([...kept.subarray(0, count)], wanted)
    // In one pass, over all rows and over some.
    const select = compileSelection(values[0]!, values, shape)
    for (const some of [null, Int32Array.from({ length: 60 }, (_, i) => 199 - i * 3)]) {
      const out = new Int32Array(rows.length)
      const selected = select(batch.columns, some, some?.length ?? rows.length, out)
      const passed = some ? [...some].filter((row) => wanted.includes(row)) : wanted
      assert.deepEqual([...out.subarray(0, selected.kept)], passed)
      for (const [at, value] of values.entries())
        assert.deepEqual(
          passed.map((_, i) => shown(selected.columns[at]!, value, i)),
          passed.map((row) => shown(all[at]!, value, row)),
        )
      selections += passed.length
    }
    for (const [at, value] of values.entries()) {
      const compute = compileProjection([value], shape)
      for (let row = 0; row < rows.length; row += 7) {
        const one = compute(batch.columns, Int32Array.of(row), 1)[0]!
        assert.equal(shown(all[at]!, value, row), shown(one, value, 0))
      }
    }
  }
  parser.close()
  assert.ok(whole > 40, `only ${whole}`)
  assert.ok(selections > 2_000, `only ${selections}`)
})
