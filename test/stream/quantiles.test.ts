// Quantiles of every number and time are DuckDB's to the last digit, and of its types: of windows, groups that are replaced, groups over
// groups, frames and running totals, over values that are null, equal, at the ends of their type, infinite, no number or -0, from one
// partition and several, with checkpoints in between.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { memoryScratch } from '../../src/core/scratch.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { type ColumnBatch, type FlatValue, valueAt } from '../../src/schema/batch.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import type { Field, Shape, Type } from '../../src/schema/type.ts'
import { decimalText } from '../../src/schema/value-text.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { asStored } from '../../src/stream/testing.ts'
import { SEED } from '../seed.ts'
import { type Ask, openOracle } from './oracle.ts'

const decimal = (precision: number, scale: number): Type => ({ kind: 'decimal', precision, scale })
const field = (name: string, type: Type, optional = true): Field => ({ name, type, optional })

const pick = <T>(random: Random, of: readonly T[]): T => of[integer(random, of.length)]!
const whole = (random: Random, digits: number): bigint => {
  const text = Array.from({ length: 1 + integer(random, digits) }, () => integer(random, 10)).join('')
  return BigInt(text) * (random.next() < 0.5 ? -1n : 1n)
}

/** A day, a little more than a year, or a long time around 2026, in microseconds. */
const micros = (random: Random): bigint =>
  1_767_225_600_000_000n + BigInt(Math.floor((random.next() - 0.5) * pick(random, [86_400e6, 4e13, 8e15])))

/** Of each type how its values are made: half of them of a few, so that many are equal. */
const COLUMNS: readonly { readonly name: string; readonly type: Type; readonly make: (random: Random) => Plain }[] = [
  { name: 'i', type: { kind: 'int' }, make: (random) => integer(random, 2 ** 31) - integer(random, 2 ** 31) },
  { name: 'l', type: { kind: 'long' }, make: (random) => pick(random, [whole(random, 18), 2n ** 63n - 1n, -(2n ** 63n)]) },
  { name: 'f', type: { kind: 'float' }, make: (random) => Math.fround(real(random, 1e38)) },
  { name: 'd', type: { kind: 'double' }, make: (random) => real(random, 1e308) },
  { name: 'd4', type: decimal(4, 1), make: (random) => whole(random, 4) },
  { name: 'd9', type: decimal(9, 2), make: (random) => whole(random, 9) },
  { name: 'd18', type: decimal(18, 3), make: (random) => whole(random, 18) },
  { name: 'd38', type: decimal(38, 4), make: (random) => whole(random, 38) },
  { name: 'day', type: { kind: 'date' }, make: (random) => integer(random, 40_000) - 20_000 },
  { name: 'clock', type: { kind: 'time' }, make: (random) => BigInt(Math.floor(random.next() * 86_400e6)) },
  { name: 'instant', type: { kind: 'timestamp' }, make: micros },
  { name: 'reading', type: { kind: 'datetime' }, make: micros },
]

function real(random: Random, most: number): number {
  const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0]
  return random.next() < 0.1 ? pick(random, special) : (random.next() - 0.5) * pick(random, [10, 1e6, most])
}

const SHAPE: Shape = {
  fields: [
    field('seen', { kind: 'timestamp' }, false),
    field('shop', { kind: 'string' }, false),
    field('n', { kind: 'int' }, false),
    field('ok', { kind: 'boolean' }),
    ...COLUMNS.map(({ name, type }) => field(name, type)),
    ...SYSTEM_FIELDS,
  ],
}
const START_US = Date.UTC(2026, 0, 1) * 1_000
const ROWS = 400
const PARTITIONS = 3

/** Rows of one time, rows close together, and gaps in which frames become small. */
const stepUs = (random: Random): number => pick(random, [0, 0, 0, 200_000, 500_000, 500_000, random.next() < 0.1 ? 25_000_000 : 1_000_000])

function rowsOf(random: Random): Plain[][] {
  const times = [START_US]
  for (let i = 1; i < ROWS; i++) times.push(times[i - 1]! + stepUs(random))
  const few = COLUMNS.map(({ make }) => Array.from({ length: 6 }, () => make(random)))
  return Array.from({ length: ROWS }, (_, i): Plain[] => [
    BigInt(times[i]!),
    pick(random, ['north', 'south']),
    integer(random, 12),
    pick(random, [true, true, false, null]),
    ...COLUMNS.map(({ make }, column) => (random.next() < 0.12 ? null : random.next() < 0.5 ? pick(random, few[column]!) : make(random))),
    i % PARTITIONS,
    BigInt(Math.floor(i / PARTITIONS)),
    BigInt(times[i]!),
  ])
}

let engine: TestEngine
let parser: SqlParser
let ask: Ask
const random = seededRandom(SEED)
const rows = rowsOf(random)

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
  ask = await openOracle()
  const columns = SHAPE.fields.map(({ name, type }) => `"${name}" ${toDuckType(type)}`)
  await ask(`CREATE TABLE readings (${columns.join(', ')})`)
  const lines = rows.map((row) => `(${row.map((value, i) => literal(value, SHAPE.fields[i]!.type)).join(', ')})`)
  await ask(`INSERT INTO readings VALUES ${lines.join(', ')}`)
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

function literal(value: Plain, type: Type): string {
  if (value === null) return 'NULL'
  switch (type.kind) {
    case 'timestamp':
      return `make_timestamptz(${value})`
    case 'datetime':
      return `make_timestamp(${value})`
    case 'time':
      return `TIME '00:00:00' + to_microseconds(${value})`
    case 'date':
      return `DATE '1970-01-01' + CAST(${value} AS INTEGER)`
    case 'decimal':
      return `CAST('${decimalText(value as bigint, type.scale)}' AS ${toDuckType(type)})`
    default:
      return `CAST('${Object.is(value, -0) ? '-0' : value}' AS ${toDuckType(type)})`
  }
}

/** Values of both sides as one text: numbers as they are, times as microseconds. */
function shownSql({ name, type }: Field): string {
  const column = `"${name}"`
  if (type.kind === 'float' || type.kind === 'double') return `CAST(${column} AS DOUBLE)`
  if (type.kind === 'timestamp' || type.kind === 'datetime') return `epoch_us(${column})`
  if (type.kind === 'time') return `date_diff('microseconds', TIME '00:00:00', ${column})`
  return type.kind === 'date' ? `${column} - DATE '1970-01-01'` : `CAST(${column} AS VARCHAR)`
}

function shown(value: FlatValue, type: Type): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value + 0)
  return type.kind === 'decimal' && typeof value === 'bigint' ? decimalText(value, type.scale) : String(value)
}

const show = (batch: ColumnBatch): string[] =>
  Array.from({ length: batch.rows }, (_, row) => batch.shape.fields.map(({ type }, i) => shown(valueAt(batch, i, row), type)).join(' | '))

/** What comes out, whatever is cut where: of keyed results the last row of each key. */
function run(query: LiveQuery, shape: Shape, random: Random, memoryBytes: number): string[] {
  const scratch = memoryBytes < Number.POSITIVE_INFINITY ? memoryScratch() : null
  const open = (): Chain => new Chain(query, () => SHAPE, shape, null, scratch)
  let chain = open()
  chain.restore(null)
  const out: string[] = []
  const keyed = new Map<string, string>()
  const keep = (batch: ColumnBatch | null): void => {
    if (!batch) return
    const lines = show({ ...batch, shape })
    out.push(...lines)
    const indexes = query.key.map((name) => shape.fields.findIndex((candidate) => candidate.name === name))
    for (const [row, line] of lines.entries()) keyed.set(JSON.stringify(indexes.map((i) => String(valueAt(batch, i, row)))), line)
  }
  for (let from = 0; from < rows.length; ) {
    const until = Math.min(rows.length, from + 1 + integer(random, 40))
    const batch = batchOf(SHAPE, rows.slice(from, until))
    keep(chain.take('readings', batch, null, batch.rows))
    if (random.next() < 0.8) keep(chain.changed())
    if (random.next() < 0.8) keep(chain.advance(Number(rows[until - 1]![0]) - 2_000_000))
    if (scratch) chain.fit(memoryBytes)
    if (random.next() < 0.15) {
      const saved = asStored(chain.save())
      chain = open()
      chain.restore(saved)
    }
    from = until
  }
  keep(chain.advance(Number.MAX_SAFE_INTEGER))
  keep(chain.changed())
  return query.result === 'keyed' ? [...keyed.values()] : out
}

const each = (of: (name: string) => readonly string[]): string => COLUMNS.flatMap(({ name }) => of(name)).join(', ')

/** One inside, one near the ends, one that no double has, one of the values. */
const QUANTILES = each((name) => [
  `median(${name}) AS ${name}_m`,
  `quantile_cont(${name}, 0.3) AS ${name}_3`,
  `quantile_cont(${name}, 0.987) FILTER (WHERE ok) AS ${name}_9`,
  `quantile_cont(${name}, 0.40700000000000003) AS ${name}_4`,
  `quantile_disc(${name}, 0.7) AS ${name}_d`,
])

const over = (frame: string, of = (name: string): string => name): string =>
  each((name) => [
    `median(${of(name)}) OVER (PARTITION BY shop ORDER BY seen ${frame}) AS ${name}_m`,
    `quantile_cont(${of(name)}, 0.3) FILTER (WHERE ok) OVER (PARTITION BY shop ORDER BY seen ${frame}) AS ${name}_3`,
    `quantile_disc(${of(name)}, 0.7) OVER (PARTITION BY shop ORDER BY seen ${frame}) AS ${name}_d`,
  ])

/** DuckDB 1.5 fails on NaN in frames of many rows. */
const noNaN = (name: string): string => (name === 'f' || name === 'd' ? `CASE WHEN NOT isnan(${name}) THEN ${name} END` : name)

const QUERIES: Readonly<Record<string, string>> = {
  'a window': `SELECT window_start, shop, ${QUANTILES} FROM tumble(readings, seen, INTERVAL 20 SECOND) GROUP BY ALL`,
  'windows of panes': `SELECT window_start, ${QUANTILES} FROM hop(readings, seen, INTERVAL 10 SECOND, INTERVAL 30 SECOND) GROUP BY ALL`,
  sessions: `SELECT n, window_start, window_end, ${QUANTILES} FROM session(readings, seen, INTERVAL 4 SECOND, key := n) GROUP BY ALL`,
  'groups that are shown as they change': `SELECT shop, ${QUANTILES} FROM readings GROUP BY shop`,
  'groups of few rows': `SELECT shop, n, ok, ${QUANTILES} FROM readings GROUP BY ALL`,
  'all rows': `SELECT ${QUANTILES} FROM readings`,
  'rows that are replaced': `SELECT shop, ${QUANTILES} FROM
     (SELECT shop, n, bool_and(ok) AS ok, ${each((name) => [`max(${name}) AS ${name}`])} FROM readings GROUP BY shop, n) GROUP BY shop`,
  'quantiles of quantiles': `SELECT shop, ${each((name) => [`median(${name}) AS ${name}`])} FROM
     (SELECT shop, n, ${each((name) => [`quantile_cont(${name}, 0.3) AS ${name}`])} FROM readings GROUP BY shop, n) GROUP BY shop`,
  'the rows before': `SELECT n, seen, ${over('ROWS BETWEEN 30 PRECEDING AND CURRENT ROW', noNaN)} FROM readings`,
  'a row and the one before': `SELECT n, seen, ${over('ROWS BETWEEN 1 PRECEDING AND CURRENT ROW')} FROM readings`,
  'a range': `SELECT n, seen, ${over('RANGE BETWEEN INTERVAL 15 SECOND PRECEDING AND CURRENT ROW')} FROM readings`,
  'all rows so far': `SELECT n, seen, ${over('')} FROM readings`,
}

for (const [name, sql] of Object.entries(QUERIES)) {
  test(`quantiles of ${name}`, async () => {
    const query = compileLive((await parser.parse(sql)).node, () => SHAPE)
    const shape = shapeOfRelation(query.root, () => SHAPE)
    const twin = printLive(query, () => 'readings')
    const asked = async (text: string): Promise<string[]> => {
      const found = await ask(`SELECT ${shape.fields.map(shownSql).join(', ')} FROM (${text})`)
      const line = (row: readonly unknown[]): string =>
        row.map((value) => (value === null ? 'NULL' : typeof value === 'number' ? String(value + 0) : String(value))).join(' | ')
      return found.map(line).sort()
    }
    const wanted = await asked(twin)
    // As it is written, where nothing has to be said in another way for DuckDB, nor rows of one time put in order.
    if (!/tumble|hop|session|ROWS/.test(sql)) assert.deepEqual(await asked(sql), wanted)
    const types = (await ask(`DESCRIBE ${twin}`)).map(([, type]) => type)
    assert.deepEqual(
      types.map((type) => String(type).replace(' WITH TIME ZONE', 'TZ')),
      shape.fields.map(({ type }) => toDuckType(type)),
    )
    for (const memory of [Number.POSITIVE_INFINITY, 1])
      assert.deepEqual(run(query, shape, seededRandom(SEED + 1), memory).sort(), wanted, `seed ${SEED}, memory ${memory}`)
    assert.ok(wanted.length > 0)
  })
}
