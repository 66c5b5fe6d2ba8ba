// Rows looked up in tables give what SQL over the logs gives: each row with the version of the table's row that had come before it.
// For random rows, nulls in keys, deletions, ties of arrival, numbers of partitions, how far the table was read ahead, cuts into
// batches, forgotten versions and restarts from checkpoints. The seed is printed; MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import { compileLive, type StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { type ColumnBatch, selectRows } from '../../src/schema/batch.ts'
import type { Field, Shape, Type } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { asStored, writtenBytes } from '../../src/stream/testing.ts'
import { SEED } from '../seed.ts'
import { type Ask, expectedRows, latest, load, openOracle, show } from './oracle.ts'

const field = (name: string, type: Type, optional = false): Field => ({ name, type, optional })
const START_US = Date.UTC(2026, 0, 1) * 1_000

const SHAPES: Readonly<Record<string, StreamShape>> = {
  events: {
    fields: [
      field('ts', { kind: 'timestamp' }),
      field('k', { kind: 'int' }, true),
      field('word', { kind: 'string' }, true),
      field('n', { kind: 'int' }),
      ...SYSTEM_FIELDS,
    ],
    time: 'ts',
  },
  dim: {
    fields: [
      field('id', { kind: 'int' }),
      field('label', { kind: 'string' }, true),
      field('floor', { kind: 'decimal', precision: 9, scale: 2 }, true),
      ...SYSTEM_FIELDS,
    ],
    tableKey: ['id'],
  },
  pairs: {
    fields: [field('word', { kind: 'string' }), field('id', { kind: 'long' }), field('weight', { kind: 'double' }, true), ...SYSTEM_FIELDS],
    tableKey: ['word', 'id'],
  },
}
const shapeOf = (name: string): Shape => SHAPES[name]!

/** One row of a log; `gone`: a key of a table that goes. */
interface Entry {
  readonly topic: string
  readonly partition: number
  readonly atUs: number
  readonly row: readonly Plain[]
  readonly gone: boolean
}

const pick = <T>(random: Random, ...of: readonly T[]): T => of[integer(random, of.length)]!
const maybe = <T>(random: Random, value: T): T | null => (random.next() < 0.15 ? null : value)

/** All logs in the order of arrival; many entries arrive at one time. */
function makeLog(random: Random, hasGone: boolean): Entry[] {
  const partitions = 1 + integer(random, 3)
  const offsets = new Map<string, number>()
  let atUs = START_US
  return Array.from({ length: 600 }, (): Entry => {
    atUs += integer(random, 3) * 1_000
    const topic = pick(random, 'events', 'events', 'dim', 'pairs')
    const partition = topic === 'events' ? integer(random, partitions) : 0
    const offset = offsets.get(`${topic}${partition}`) ?? 0
    offsets.set(`${topic}${partition}`, offset + 1)
    const system = [partition, BigInt(offset), BigInt(atUs)]
    const gone = hasGone && topic !== 'events' && random.next() < 0.25
    const own = (): Plain[] => {
      if (topic === 'events')
        return [
          BigInt(atUs - integer(random, 5_000_000)),
          maybe(random, integer(random, 12)),
          maybe(random, pick(random, 'a', 'b')),
          integer(random, 90),
        ]
      if (topic === 'dim')
        return [
          integer(random, 12),
          gone ? null : maybe(random, pick(random, 'x', 'y')),
          gone ? null : maybe(random, BigInt(integer(random, 5_000))),
        ]
      return [pick(random, 'a', 'b', 'c'), BigInt(integer(random, 12)), gone ? null : maybe(random, pick(random, 0.5, -0, Number.NaN))]
    }
    return { topic, partition, atUs, row: [...own(), ...system], gone }
  })
}

let engine: TestEngine
let parser: SqlParser
let ask: Ask
const logs: Entry[][] = []

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
  ask = await openOracle()
  console.log(`seed ${SEED}`)
  for (let round = 0; round < (process.env['MILLRACE_TEST_ALL'] ? 16 : 4); round++) {
    // In the first two nothing goes: there the batch twin is what the rows are.
    const log = makeLog(seededRandom(SEED + round), round >= 2)
    logs.push(log)
    for (const [name, shape] of Object.entries(SHAPES)) {
      const rows = log.filter(({ topic }) => topic === name)
      const batch = batchOf(
        shape,
        rows.map(({ row }) => row),
      )
      await load(ask, `${name}${round}`, shape, [{ batch, out: Int32Array.from(rows, (_, i) => i) }])
      if (!shape.tableKey) continue
      const gone = rows.flatMap(({ gone: isGone, row }) => (isGone ? [String(row.at(-2))] : []))
      await ask(`CREATE VIEW ${name}_valid${round} AS SELECT * FROM (SELECT *, _ingested_at AS since,
        lead(_ingested_at) OVER (PARTITION BY ${shape.tableKey.join(', ')} ORDER BY _offset) AS until FROM ${name}${round})
        WHERE _offset NOT IN (${['-1', ...gone].join(', ')})`)
    }
  }
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

/** Runs over the logs, partition by partition in some order, with the tables read at least as far as each row came. */
function run(query: LiveQuery, shape: Shape, log: readonly Entry[], random: Random): string[] {
  let chain = new Chain(query, shapeOf, shape)
  chain.restore(null)
  const out: ColumnBatch[] = []
  const keep = (batch: ColumnBatch | null): void => {
    if (batch) out.push({ ...batch, shape })
  }
  const queues = Map.groupBy(
    log.filter(({ topic }) => query.streams.includes(topic)),
    ({ topic, partition }) => `${topic} ${partition}`,
  )
  const isStream = (id: string): boolean => id.startsWith('events')
  const read = (id: string, count: number): void => {
    const queue = queues.get(id)!
    for (let left = count; left > 0 && queue.length > 0; ) {
      const isGone = queue[0]!.gone
      const end = queue.findIndex(({ gone }) => gone !== isGone)
      const taken = queue.splice(0, Math.min(left, end < 0 ? queue.length : end))
      left -= taken.length
      const { topic } = taken[0]!
      const batch = batchOf(
        SHAPES[topic]!,
        taken.map(({ row }) => row),
      )
      if (isGone) chain.forget(topic, batch)
      else if (random.next() < 0.5) keep(chain.take(topic, batch, null, batch.rows))
      else {
        // Rows of a batch that are not out stand between those that are.
        const all = selectRows(
          batch,
          Int32Array.from({ length: batch.rows * 2 }, (_, i) => i >> 1),
        )
        keep(
          chain.take(
            topic,
            all,
            Int32Array.from({ length: batch.rows }, (_, i) => i * 2),
            batch.rows,
          ),
        )
      }
    }
  }
  while ([...queues].some(([, queue]) => queue.length > 0)) {
    const id = pick(random, ...[...queues].flatMap(([name, queue]) => (queue.length > 0 ? [name] : [])))
    const count = 1 + integer(random, 40)
    if (isStream(id)) {
      const queue = queues.get(id)!
      const lastUs = queue[Math.min(count, queue.length) - 1]!.atUs
      for (const [table, rows] of queues)
        if (!isStream(table)) read(table, rows.filter(({ atUs }) => atUs < lastUs).length + integer(random, 9))
    }
    read(id, count)
    const toCome = [...queues].flatMap(([name, [next]]) => (isStream(name) && next ? [next.atUs] : []))
    if (random.next() < 0.5 && toCome.length > 0) chain.settle(Math.min(...toCome))
    if (random.next() < 0.15) {
      const saved = asStored(chain.save())
      chain = new Chain(query, shapeOf, shape)
      chain.restore(saved)
    }
    keep(chain.changed())
  }
  keep(chain.advance(Number.MAX_SAFE_INTEGER))
  keep(chain.changed())
  return query.result === 'keyed' ? latest(out, query.key, shape) : out.flatMap((batch) => show(batch))
}

/** A join as live SQL has it, and as SQL over versions with the time in which each was valid. */
type Join = (kind: 'JOIN' | 'LEFT JOIN' | 'SEMI JOIN' | 'ANTI JOIN', table: string, alias: string, on: string) => string
const live: Join = (kind, table, alias, on) => `${kind} ${table} ${alias} ON ${on}`
const oracleOf =
  (round: number): Join =>
  (kind, table, alias, on) =>
    `${kind} ${table}_valid${round} ${alias} ON ${on} AND ${alias}.since < e._ingested_at AND (${alias}.until IS NULL OR ${alias}.until >= e._ingested_at)`

const QUERIES: Readonly<Record<string, (events: string, join: Join) => string>> = {
  inner: (events, join) => `SELECT e.ts, e.n, d.label, d.floor FROM ${events} e ${join('JOIN', 'dim', 'd', 'e.k = d.id')}`,
  left: (events, join) =>
    `SELECT e.ts, e.k, d.id, d.label, d._ingested_at AS since FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', 'd.id = e.k')}`,
  'by an expression, with conditions of pairs': (events, join) =>
    `SELECT e.n, d.label FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', "e.n % 12 = d.id AND d.label = 'x' AND e.n > d.floor AND e.word IS NOT NULL")}`,
  'conditions in WHERE': (events, join) =>
    `SELECT e.n, d.label FROM ${events} e ${join('JOIN', 'dim', 'd', 'e.k = d.id')} WHERE d.label = 'y' AND e.n > 20 AND d.floor > e.n`,
  'what is not there': (events, join) =>
    `SELECT e.n, e.k FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', 'e.k = d.id')} WHERE d.id IS NULL`,
  'a key of two columns': (events, join) =>
    `SELECT e.n, p.weight, p.id FROM ${events} e ${join('LEFT JOIN', 'pairs', 'p', 'p.word = e.word AND e.k = p.id')}`,
  'two tables': (events, join) =>
    `SELECT e.n, d.label, p.weight FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', 'e.k = d.id')} ${join('JOIN', 'pairs', 'p', 'e.k = p.id AND e.word = p.word')}`,
  'by what was looked up': (events, join) =>
    `SELECT e.n, d.label, p.weight FROM ${events} e ${join('JOIN', 'dim', 'd', 'e.k = d.id')} ${join('LEFT JOIN', 'pairs', 'p', "p.id = d.id AND p.word = CASE WHEN d.label = 'x' THEN 'a' ELSE 'c' END")}`,
  groups: (events, join) =>
    `SELECT coalesce(d.label, '-') AS label, count(*) AS c, sum(e.n) AS s FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', 'e.k = d.id')} GROUP BY 1`,
  'a filtered subquery': (events, join) =>
    `SELECT e.m, d.label FROM (SELECT n * 2 AS m, k, _ingested_at FROM ${events} WHERE n > 30) e ${join('JOIN', 'dim', 'd', 'e.k = d.id')}`,
  'an expression of the pair': (events, join) =>
    `SELECT e.n + coalesce(d.floor, 0) AS sum, upper(d.label) AS label FROM ${events} e ${join('LEFT JOIN', 'dim', 'd', 'e.k = d.id')}`,
}

/** Whether the table has the key at the time of the row. */
const EXISTENCE: Readonly<Record<string, (events: string, join: Join) => string>> = {
  'a semi join': (events, join) => `SELECT e.n, e.k FROM ${events} e ${join('SEMI JOIN', 'dim', 'd', "e.k = d.id AND d.label = 'x'")}`,
  'an anti join': (events, join) =>
    `SELECT e.n, e.k FROM ${events} e ${join('ANTI JOIN', 'dim', 'd', "e.k = d.id AND d.label = 'x'")} WHERE e.n > 3`,
}

/** The same joins in other words, each with those of `QUERIES` that it equals. */
const SAME: Readonly<Record<string, readonly [sql: string, as: string]>> = {
  'the table on the left': [
    'SELECT e.ts, e.k, d.id, d.label, d._ingested_at AS since FROM dim d RIGHT JOIN events e ON d.id = e.k',
    QUERIES['left']!('events', live),
  ],
  'IN, and further conditions': [
    "SELECT n FROM events WHERE k IN (SELECT id FROM dim WHERE label = 'x') AND n > 5",
    "SELECT e.n FROM events e JOIN dim d ON e.k = d.id AND d.label = 'x' WHERE e.n > 5",
  ],
  'EXISTS of several columns': [
    'SELECT n FROM events e WHERE EXISTS (SELECT 1 FROM pairs WHERE word = e.word AND id = k)',
    'SELECT e.n FROM events e JOIN pairs p ON p.word = e.word AND p.id = e.k',
  ],
  'NOT EXISTS': [
    'SELECT n, word FROM events e WHERE NOT EXISTS (SELECT 1 FROM dim WHERE id = k)',
    'SELECT e.n, e.word FROM events e LEFT JOIN dim d ON d.id = e.k WHERE d.id IS NULL',
  ],
  'groups over those that are found': [
    'SELECT n, count(*) AS c FROM events e WHERE k IN (SELECT id FROM dim) AND word IS NOT NULL GROUP BY n',
    'SELECT e.n, count(*) AS c FROM events e JOIN dim d ON d.id = e.k WHERE e.word IS NOT NULL GROUP BY e.n',
  ],
  'USING, over subqueries that do not select when rows came': [
    'WITH few AS (SELECT * FROM (SELECT n, k AS id FROM events) WHERE n > 30) SELECT n * 2 AS m, label, id FROM dim JOIN few USING (id)',
    'SELECT e.n * 2 AS m, d.label, e.k AS id FROM events e JOIN dim d ON e.k = d.id WHERE e.n > 30',
  ],
}

for (const [name, [sql, as]] of Object.entries(SAME))
  test(name, async () => {
    const [given, same] = await Promise.all(
      [sql, as].map(async (text) => compileLive((await parser.parse(text)).node, (relation) => SHAPES[relation])),
    )
    const shape = shapeOfRelation(given!.root, shapeOf)
    for (const [round, log] of logs.entries()) {
      const expected = run(same!, shape, log, seededRandom(SEED + round)).sort()
      assert.ok(expected.length > 5)
      assert.deepEqual(run(given!, shape, log, seededRandom(SEED + round)).sort(), expected)
    }
  })

for (const [name, sql] of Object.entries({ ...QUERIES, ...EXISTENCE })) {
  test(name, async () => {
    const { node } = await parser.parse(sql('events', live))
    const query = compileLive(node, (relation) => SHAPES[relation])
    const shape = shapeOfRelation(query.root, shapeOf)
    let total = 0
    for (const [round, log] of logs.entries()) {
      const tableOf = (relation: string): string => `${relation}${round}`
      const expected = (await expectedRows(ask, query, shape, tableOf, sql(`events${round}`, oracleOf(round)))).sort()
      if (round < 2) {
        const twin = await expectedRows(ask, query, shape, tableOf)
        assert.deepEqual(twin.sort(), expected, 'the batch twin')
      }
      total += expected.length
      for (const cut of [0, 1, 2])
        assert.deepEqual(run(query, shape, log, seededRandom(SEED + round + cut * 1_000)).sort(), expected, `seed ${SEED}, round ${round}`)
    }
    assert.ok(total > logs.length, `only ${total} rows`)
  })
}

/** Pairs came when the later of their rows did. */
const PAIRS: Readonly<Record<string, readonly [live: string, valid: (round: number) => string]>> = {
  'pairs within bounds of time': [
    'SELECT e.n, f.n AS m, d.label FROM events e JOIN events f ON e.k = f.k AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 40 MILLISECOND JOIN dim d ON d.id = f.k',
    (
      round,
    ) => `SELECT e.n, f.n AS m, d.label FROM events${round} e JOIN events${round} f ON e.k = f.k AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 40 MILLISECOND
      JOIN dim_valid${round} d ON d.id = f.k AND d.since < greatest(e._ingested_at, f._ingested_at) AND (d.until IS NULL OR d.until >= greatest(e._ingested_at, f._ingested_at))`,
  ],
  'pairs of pairs in a subquery, or nothing': [
    `SELECT a, b, c, d.id FROM (SELECT e.n AS a, f.n AS b, g.n AS c, g.k FROM events e JOIN events f ON e.k = f.k AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 30 MILLISECOND
      JOIN events g ON g.word = f.word AND g.ts BETWEEN f.ts AND f.ts + INTERVAL 10 MILLISECOND WHERE e.n > 20) x LEFT JOIN dim d ON d.id = x.k AND d.label = 'x'`,
    (
      round,
    ) => `SELECT e.n AS a, f.n AS b, g.n AS c, d.id FROM events${round} e JOIN events${round} f ON e.k = f.k AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 30 MILLISECOND
      JOIN events${round} g ON g.word = f.word AND g.ts BETWEEN f.ts AND f.ts + INTERVAL 10 MILLISECOND
      LEFT JOIN dim_valid${round} d ON d.id = g.k AND d.label = 'x' AND d.since < greatest(e._ingested_at, f._ingested_at, g._ingested_at)
        AND (d.until IS NULL OR d.until >= greatest(e._ingested_at, f._ingested_at, g._ingested_at)) WHERE e.n > 20`,
  ],
}

for (const [name, [sql, valid]] of Object.entries(PAIRS))
  test(name, async () => {
    const query = compileLive((await parser.parse(sql)).node, (relation) => SHAPES[relation])
    const shape = shapeOfRelation(query.root, shapeOf)
    let total = 0
    for (const [round, log] of logs.entries()) {
      const expected = (await expectedRows(ask, query, shape, (relation) => `${relation}${round}`, valid(round))).sort()
      if (round < 2)
        assert.deepEqual((await expectedRows(ask, query, shape, (relation) => `${relation}${round}`)).sort(), expected, 'the batch twin')
      total += expected.length
      for (const cut of [0, 1, 2])
        assert.deepEqual(run(query, shape, log, seededRandom(SEED + round + cut * 1_000)).sort(), expected, `seed ${SEED}, round ${round}`)
    }
    assert.ok(total > 50, `only ${total} rows`)
  })

test('windows stand over looked-up rows', async () => {
  const { node } = await parser.parse(`WITH j AS (SELECT e.ts, d.label, e.n FROM events e LEFT JOIN dim d ON e.k = d.id)
    SELECT window_start, label, count(*) AS c, sum(n) AS s FROM tumble(j, ts, INTERVAL 2 SECOND) GROUP BY ALL`)
  const query = compileLive(node, (relation) => SHAPES[relation])
  const shape = shapeOfRelation(query.root, shapeOf)
  const expected = await expectedRows(ask, query, shape, (relation) => `${relation}0`)
  assert.ok(expected.length > 1)
  assert.deepEqual(run(query, shape, logs[0]!, seededRandom(SEED)).sort(), expected.sort())
})

test('versions that no row can want any more are forgotten', async () => {
  const { node } = await parser.parse('SELECT e.n, d.label FROM events e JOIN dim d ON e.k = d.id')
  const query = compileLive(node, (relation) => SHAPES[relation])
  const chain = new Chain(query, shapeOf, shapeOfRelation(query.root, shapeOf))
  const sizes: number[] = []
  for (let round = 0; round < 5; round++) {
    const rows = Array.from({ length: 5_000 }, (_, i): Plain[] => [
      i % 1_000,
      'x',
      null,
      0,
      BigInt(round * 5_000 + i),
      BigInt(START_US + round * 5_000 + i),
    ])
    const gone = rows.slice(0, 500)
    chain.take('dim', batchOf(shapeOf('dim'), rows), null, rows.length)
    chain.forget('dim', batchOf(shapeOf('dim'), gone))
    chain.settle(START_US + (round + 1) * 5_000)
    sizes.push(writtenBytes(chain.save()))
  }
  assert.ok(sizes[4]! < sizes[0]! * 1.2, `checkpoints of ${sizes} bytes`)
})

test('what is no lookup is refused with what is near', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['SELECT e.n FROM events e JOIN (SELECT id FROM dim) d ON e.k = d.id', /a join with rows that are replaced/],
    ['SELECT d.id FROM dim d JOIN pairs p ON d.id = p.id', /a join of the tables "dim" and "pairs"/],
    ['SELECT e.n FROM dim d LEFT JOIN events e ON e.k = d.id', /the table "dim" on the left of a join/],
    ['SELECT e.n FROM events e RIGHT JOIN dim d ON e.k = d.id', /a right join with the table "dim"/],
    ['SELECT e.n FROM events e FULL JOIN dim d ON e.k = d.id', /a full join with the table "dim"/],
    ['SELECT e.n FROM events e ASOF JOIN dim d ON e.k = d.id AND e._ingested_at > d._ingested_at', /an ASOF join with the table "dim"/],
    ['SELECT e.n FROM events e JOIN dim d ON e.word = d.label', /a join with the table "dim" that is not by its key \(id\)/],
    ['SELECT e.n FROM events e JOIN pairs p ON e.k = p.id', /a join with the table "pairs" that is not by its key \(word, id\)/],
    ['SELECT e.n FROM events e JOIN dim d ON e.k = d.id + 1', /not by its key/],
    ['SELECT e.n FROM events e JOIN dim d ON CAST(e.n AS DOUBLE) = d.id', /not by its key/],
    [
      'SELECT w.c FROM (SELECT window_start, count(*) AS c FROM tumble(events, ts, INTERVAL 1 SECOND) GROUP BY ALL) w JOIN dim d ON w.c = d.id',
      /rows that do not tell when they came/,
    ],
    [
      'SELECT e.n FROM (SELECT n, k FROM events UNION ALL SELECT n, k FROM events) e JOIN dim d ON e.k = d.id',
      /rows that do not tell when they came/,
    ],
    [
      'SELECT window_start, count(*) AS c FROM tumble(dim, _ingested_at, INTERVAL 1 SECOND) GROUP BY ALL',
      /tumble\(\.\.\.\) over the table "dim"/,
    ],
  ]
  for (const [sql, message] of refusals) {
    const { node } = await parser.parse(sql)
    assert.throws(() => compileLive(node, (name) => SHAPES[name]), { code: 'MR_PLAN_LIVE_SHAPE', message }, sql)
  }
  const { node } = await parser.parse('SELECT e.n, d.label FROM events e JOIN dim d ON e.k = d.id')
  assert.throws(() => printFlink(compileLive(node, (name) => SHAPES[name])), {
    code: 'MR_PLAN_FLINK',
    message: /a lookup in the table "dim"/,
  })
})
