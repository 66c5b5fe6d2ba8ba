// Live SQL over several streams and chains of operators gives what DuckDB's batch SQL gives over the same logs: for random rows, nulls,
// disorder within the lateness, numbers of partitions, how the streams were read beside each other, cuts into batches, and a restart
// from a checkpoint in the middle. The seed is printed; MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { memoryScratch } from '../../src/core/scratch.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { compileLive, type StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import type { ColumnBatch } from '../../src/schema/batch.ts'
import type { Field, Shape, Type } from '../../src/schema/type.ts'
import { Classifier } from '../../src/stream/classify.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { asStored, OpenCuts, writtenBytes } from '../../src/stream/testing.ts'
import { SEED } from '../seed.ts'
import { type Ask, digitsOf, expectedRows, latest, load, openOracle, show, there } from './oracle.ts'

const field = (name: string, type: Type, optional = false): Field => ({ name, type, optional })
const timestamp: Type = { kind: 'timestamp' }
const START_MS = Date.UTC(2026, 0, 1)

interface Stream {
  readonly shape: StreamShape
  readonly latenessMs: number
  /** The columns between time and system columns. */
  readonly row: (random: Random) => Plain[]
}

const pick = <T>(random: Random, ...of: readonly T[]): T => of[integer(random, of.length)]!
const maybe = <T>(random: Random, value: T): T | null => (random.next() < 0.15 ? null : value)

const streamOf = (fields: readonly Field[], latenessMs: number, row: Stream['row'], unique?: readonly string[]): Stream => ({
  shape: { fields: [field('ts', timestamp), ...fields, ...SYSTEM_FIELDS], time: 'ts', ...(unique ? { unique } : {}) },
  latenessMs,
  row,
})

const STREAMS: Readonly<Record<string, Stream>> = {
  orders: streamOf(
    [
      field('id', { kind: 'int' }, true),
      field('shop', { kind: 'string' }),
      field('device', { kind: 'string' }, true),
      field('amount', { kind: 'decimal', precision: 12, scale: 2 }, true),
    ],
    8_000,
    (random) => [
      maybe(random, integer(random, 30)),
      pick(random, 'north', 'south', 'east'),
      maybe(random, pick(random, 'a', 'bb', 'é')),
      maybe(random, BigInt(integer(random, 2_000) - 500)),
    ],
  ),
  payments: streamOf(
    [
      field('order_id', { kind: 'long' }, true),
      field('shop', { kind: 'string' }, true),
      field('method', { kind: 'string' }, true),
      field('paid', { kind: 'decimal', precision: 9, scale: 1 }, true),
      field('heat', { kind: 'double' }, true),
    ],
    3_000,
    (random) => [
      maybe(random, integer(random, 30)),
      maybe(random, pick(random, 'north', 'south', 'west')),
      maybe(random, pick(random, 'card', 'cash')),
      maybe(random, BigInt(integer(random, 400))),
      maybe(random, pick(random, 1.5, 0.25, -1e6, Number.NaN, 3.25)),
    ],
  ),
  items: streamOf(
    [
      field('sku', { kind: 'int' }),
      field('category', { kind: 'string' }),
      field('until', timestamp),
      field('floor', { kind: 'int' }, true),
    ],
    5_000,
    (random) => [
      integer(random, 40),
      pick(random, 'x', 'y', 'z'),
      BigInt(START_MS + integer(random, 120_000)) * 1_000n,
      maybe(random, integer(random, 9)),
    ],
    ['sku'],
  ),
}

interface Read {
  readonly stream: string
  readonly batch: ColumnBatch
  readonly out: Int32Array
  /** Over all partitions of the streams that a query reads. */
  readonly watermarks: ReadonlyMap<string, number | null>
}

/** Reads of all streams in some order; the rows of one key of `items` are in one partition, as its uniqueness asks for. */
function makeLog(random: Random): Read[] {
  const partitions = Object.entries(STREAMS).flatMap(([stream, { shape, latenessMs }]) =>
    Array.from({ length: stream === 'items' ? 1 : 1 + integer(random, 3) }, (_, partition) => ({
      stream,
      partition,
      at: { offset: 0, ms: 0 },
      classifier: new Classifier({ shape, source: 'http' as const, time: 'ts', latenessMs }),
    })),
  )
  const reads: Read[] = []
  for (let rows = 0; rows < 700; ) {
    const own = pick(random, ...partitions)
    const { shape, latenessMs, row } = STREAMS[own.stream]!
    const lines = Array.from({ length: 1 + integer(random, 40) }, (): Plain[] => {
      own.at.ms += integer(random, 900)
      const at = own.at.ms - integer(random, latenessMs * 1.2)
      return [BigInt(START_MS + at) * 1_000n, ...row(random), own.partition, BigInt(own.at.offset++), BigInt(START_MS + own.at.ms) * 1_000n]
    })
    const batch = batchOf(shape, lines)
    const times = (batch.columns.at(-1) as { values: Float64Array }).values
    const { out } = own.classifier.classify(batch, { appendMs: times.map((us) => us / 1_000), redriven: null })
    const watermarks = new Map(
      Object.keys(STREAMS).map((stream) => {
        const marks = partitions.filter((one) => one.stream === stream).map(({ classifier }) => classifier.watermarkUs)
        return [stream, marks.includes(null) ? null : Math.min(...(marks as number[]))] as const
      }),
    )
    reads.push({ stream: own.stream, batch, out, watermarks })
    rows += batch.rows
  }
  return reads
}

let engine: TestEngine
let parser: SqlParser
let ask: Ask
const logs: Read[][] = []

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
  ask = await openOracle()
  // ASOF joins of few rows as those of many.
  await ask('SET asof_loop_join_threshold = 0')
  console.log(`seed ${SEED}`)
  for (let round = 0; round < (process.env['MILLRACE_TEST_ALL'] ? 12 : 3); round++) {
    logs.push(makeLog(seededRandom(SEED + round)))
    for (const [name, { shape }] of Object.entries(STREAMS))
      await load(
        ask,
        `${name}${round}`,
        shape,
        logs[round]!.filter(({ stream }) => stream === name),
      )
  }
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

const shapeOf = (stream: string): Shape => STREAMS[stream]!.shape

interface Ran {
  readonly rows: string[]
  readonly early: number
  /** How often rows came when something was on the disk. */
  readonly spilled: number
}

/** Runs a query over the log: cut anew, and stopped and restored now and then; with so much memory, the rest on the disk. */
function run(query: LiveQuery, shape: Shape, log: readonly Read[], random: Random, memoryBytes: number): Ran {
  const isTight = memoryBytes < Number.POSITIVE_INFINITY
  const scratch = isTight ? memoryScratch() : null
  const open = (): Chain => new Chain(query, shapeOf, shape, null, scratch)
  let chain = open()
  let spilled = 0
  chain.restore(null)
  const out: ColumnBatch[] = []
  const keep = (batch: ColumnBatch | null): void => {
    if (batch) out.push({ ...batch, shape })
  }
  const cuts = new OpenCuts()
  const closeCuts = (): void => {
    for (const [read, then] of cuts.close()) assert.deepEqual(read, then)
  }
  const save = (): void => {
    if (random.next() < 0.5) {
      cuts.take(chain)
      return
    }
    closeCuts()
    const saved = asStored(chain.save())
    chain = open()
    chain.restore(saved)
  }
  const tick = (watermarkUs: number | null): void => {
    if (watermarkUs !== null) keep(chain.advance(watermarkUs))
    keep(chain.changed())
    if (isTight) chain.fit(memoryBytes)
    if (chain.spilledBytes > 0) spilled++
  }
  for (const { stream, batch, out: rows, watermarks } of log) {
    if (!query.streams.includes(stream)) continue
    for (let from = 0; from < rows.length; ) {
      const until = Math.min(rows.length, from + 1 + integer(random, 30))
      const own = rows.slice(from, until)
      keep(until - from === batch.rows ? chain.take(stream, batch, null, batch.rows) : chain.take(stream, batch, own, own.length))
      if (random.next() < 0.1) save()
      from = until
    }
    const marks = query.streams.map((name) => watermarks.get(name) ?? null)
    if (random.next() < 0.8) tick(marks.includes(null) ? null : Math.min(...(marks as number[])))
    if (random.next() < 0.1) save()
  }
  const early = out.reduce((sum, { rows }) => sum + rows, 0)
  tick(Number.MAX_SAFE_INTEGER)
  closeCuts()
  const digits = digitsOf(query)
  const last = query.loses ? there(out, query.key, shape) : out
  const rows = query.result === 'keyed' ? latest(last, query.key, shape, digits) : out.flatMap((batch) => show(batch, digits))
  return { rows, early, spilled }
}

const BETWEEN = 'p.ts BETWEEN o.ts - INTERVAL 2 SECOND AND o.ts + INTERVAL 5 SECOND'

const RANGE = 'RANGE BETWEEN INTERVAL 9 SECOND PRECEDING AND CURRENT ROW'
/** Many rows of one time. */
const TIMED = '(SELECT window_start AS began, id, shop, device, amount FROM tumble(orders, ts, INTERVAL 2 SECOND))'
const EVERY = `count(*) OVER w AS c, count(device) OVER w AS cd, sum(amount) OVER w AS sa, sum(id) FILTER (WHERE id % 2 = 0) OVER w AS si, avg(amount) OVER w AS aa,
  min(amount) OVER w AS ma, max(device) OVER w AS xd, bool_and(amount > 0) OVER w AS ba, bool_or(id = 3) FILTER (WHERE amount > 0) OVER w AS bo`

const QUERIES: Readonly<Record<string, string>> = {
  'union of streams': `SELECT ts, id AS number, shop, amount FROM orders WHERE amount > 0 UNION ALL SELECT ts, order_id, method, paid FROM payments`,
  'windows over a union': `WITH u AS (SELECT ts, shop, amount FROM orders UNION ALL SELECT ts, shop, paid FROM payments WHERE shop IS NOT NULL UNION ALL SELECT ts, category, floor FROM items)
     SELECT window_start, shop, count(*) AS c, sum(amount) AS s FROM tumble(u, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'a union over names of WITH': `WITH large AS (SELECT ts, shop, amount FROM orders WHERE amount > 10), paid AS (SELECT ts, shop, paid FROM payments)
     SELECT ts, shop, amount FROM large UNION ALL SELECT ts, shop, paid FROM paid UNION ALL (WITH large AS (SELECT * FROM items) SELECT ts, category, floor FROM large)`,
  'keyed over a union': `SELECT shop, count(*) AS c, max(amount) AS m FROM (SELECT shop, amount FROM orders UNION ALL SELECT category, floor FROM items) GROUP BY shop`,
  'interval join': `SELECT o.id, o.shop, o.amount, p.method, p.paid, p.ts AS paid_at FROM orders o JOIN payments p ON p.order_id = o.id AND ${BETWEEN}`,
  'interval join by text and number, with a condition': `SELECT o.ts, p.ts AS paid_at, o.amount + p.paid AS sum, p.heat FROM orders o JOIN payments p
     ON o.shop = p.shop AND o.id = p.order_id AND p.ts > o.ts AND p.ts < o.ts + INTERVAL 1 MINUTE AND o.amount > p.paid AND p.method = 'card' AND o.device IS NOT NULL`,
  'left interval join': `SELECT o.id, o.ts, o.device, p.method, p.paid FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND ${BETWEEN} AND o.amount > p.paid`,
  'right interval join': `SELECT o.id, o.ts, p.ts AS paid_at, p.method FROM orders o RIGHT JOIN payments p ON p.order_id = o.id AND ${BETWEEN} AND o.amount > 0`,
  'full interval join': `SELECT o.id, o.ts, o.amount, p.ts AS paid_at, p.heat FROM orders o FULL JOIN payments p ON p.order_id = o.id AND p.shop = o.shop AND ${BETWEEN}`,
  'left join, then what has no partner': `SELECT o.id, o.ts FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND ${BETWEEN} WHERE p.order_id IS NULL`,
  'a join in the past': `SELECT a.id, a.ts, b.ts AS before FROM orders a LEFT JOIN orders b ON a.id = b.id AND b.ts BETWEEN a.ts - INTERVAL 20 SECOND AND a.ts - INTERVAL 4 SECOND`,
  'join of three, conditions in WHERE': `SELECT o.id, p.method, i.category FROM orders o, payments p, items i WHERE o.id = p.order_id AND i.sku = o.id AND ${BETWEEN}
     AND i.ts >= o.ts - INTERVAL 30 SECOND AND i.ts <= o.ts AND o.amount IS NOT NULL`,
  'windows over an interval join': `SELECT window_start, method, count(*) AS c, sum(amount) AS s
     FROM tumble(j, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'windows over a left join': `SELECT window_end, shop, count(*) AS c, count(method) AS paid FROM hop(l, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY ALL`,
  'window join of rows': `SELECT o.window_start, o.id, o.amount, p.paid FROM tumble(orders, orders.ts, INTERVAL 10 SECOND) o JOIN tumble(payments, ts, INTERVAL 10 SECOND) p
     ON o.id = p.order_id AND o.window_start = p.window_start AND o.window_end = p.window_end`,
  'window join of hops': `SELECT o.window_start, o.id, p.method FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 15 SECOND) o LEFT JOIN hop(payments, ts, INTERVAL 5 SECOND, INTERVAL 15 SECOND) p
     ON o.id = p.order_id AND o.window_end = p.window_end`,
  'window join of groups (q8)': `SELECT p.id, p.starts, p.c, a.paid FROM
     (SELECT id, window_start AS starts, window_end AS ends, count(*) AS c FROM tumble(orders, ts, INTERVAL 10 SECOND) GROUP BY ALL) p JOIN
     (SELECT order_id, window_start AS starts, window_end AS ends, sum(paid) AS paid FROM tumble(payments, ts, INTERVAL 10 SECOND) GROUP BY ALL) a
     ON p.id = a.order_id AND p.starts = a.starts AND p.ends = a.ends`,
  'full window join of groups': `SELECT o.shop, o.window_start, p.window_start AS other, o.c, p.c AS d FROM
     (SELECT shop, window_start, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL) o FULL JOIN
     (SELECT shop, window_start, count(*) AS c FROM hop(payments, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY ALL) p ON o.shop = p.shop AND o.window_start = p.window_start`,
  'version valid at the time': `SELECT p.order_id, p.ts, o.ts AS since, o.amount, o.device FROM payments p ASOF JOIN orders o ON p.order_id = o.id AND p.ts >= o.ts`,
  'version before, or none': `SELECT p.order_id, p.ts, p.paid, o.ts AS since, o.amount FROM payments p ASOF LEFT JOIN orders o ON p.order_id = o.id AND p.ts > o.ts`,
  'version of a filtered subquery': `SELECT p.ts, p.method, o.amount FROM payments p ASOF JOIN (SELECT ts, shop, amount, id FROM orders WHERE amount > 0) o ON o.shop = p.shop AND p.ts >= o.ts`,
  'versions of few keys, before, or none': `SELECT p.ts, p.paid, o.amount, o.id FROM payments p ASOF LEFT JOIN orders o ON o.shop = p.shop AND p.ts > o.ts`,
  'versions by a key that is computed and may be null': `SELECT p.order_id, p.ts, o.ts AS since, o.id FROM payments p ASOF JOIN orders o ON nullif(p.order_id, 3) = nullif(o.id, 3) AND p.ts >= o.ts`,
  'versions by several keys that may be null': `SELECT a.ts, a.shop, a.id, a.device, b.ts AS since, b.amount FROM orders a ASOF JOIN orders b ON a.shop = b.shop AND a.device = b.device AND a.id = b.id AND a.ts > b.ts`,
  'versions by several keys of which some are computed, or none': `SELECT p.ts, p.shop, p.method, p.order_id, o.ts AS since, o.id FROM payments p ASOF LEFT JOIN orders o
     ON nullif(p.shop, 'south') = o.shop AND CAST(nullif(p.order_id % 3, 1) AS INTEGER) = nullif(o.id % 3, 1) AND p.ts >= o.ts`,
  'windows over versions': `SELECT window_start, category, count(*) AS c FROM tumble(v, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'lookup by a unique key (q20)': `SELECT o.id, o.amount, i.category, i.floor FROM orders o JOIN items i ON o.id = i.sku`,
  'lookup with conditions (q3)': `SELECT i.sku, i.category, p.method FROM items i, payments p WHERE i.sku = p.order_id AND i.category = 'x' AND p.paid > 10 AND p.heat IS NOT NULL`,
  'a join without bound': `SELECT o.id, o.ts, p.ts AS paid_at FROM orders o JOIN payments p ON o.id = p.order_id AND o.shop = p.shop`,
  'groups over a join (q4, the inner part)': `SELECT i.sku, i.category, max(o.amount) AS final FROM items i, orders o WHERE i.sku = o.id AND o.ts BETWEEN i.ts AND i.until GROUP BY i.sku, i.category`,
  'mean of the highest (q4)': `SELECT q.category, avg(q.final) AS mean, count(*) AS c, sum(final) AS s, min(final) AS low, max(final) AS high, count(final) FILTER (WHERE final > 5) AS big FROM
     (SELECT max(o.amount) AS final, i.category FROM items i, orders o WHERE i.sku = o.id AND o.ts BETWEEN i.ts AND i.until GROUP BY i.sku, i.category) q GROUP BY q.category`,
  'groups of groups': `SELECT shop, sum(c) FILTER (WHERE c > 1 OR d IS NOT NULL) AS c, avg(h) AS h, sum(h) AS sh, max(d) AS d, min(m) FILTER (WHERE c > 1) AS m FROM
     (SELECT shop, coalesce(id, -1) AS id, count(*) AS c, max(device) AS d, sum(amount) AS m, max(CAST(amount AS DOUBLE)) AS h FROM orders GROUP BY 1, 2) GROUP BY shop`,
  'groups over groups that leave by having (q4)': `SELECT q.category, avg(q.final) AS mean, count(*) AS c FROM (SELECT max(o.amount) AS final, i.category FROM items i, orders o
     WHERE i.sku = o.id AND o.ts BETWEEN i.ts AND i.until GROUP BY i.sku, i.category HAVING count(*) % 2 = 1) q GROUP BY q.category`,
  'groups over groups that a condition takes away': `SELECT shop, max(c) AS m, count(*) AS k FROM (SELECT shop, id, device, count(*) AS c FROM orders GROUP BY ALL) WHERE c < 3 GROUP BY ALL`,
  'groups over groups of joined rows, by their size': `SELECT c, category IS NULL AS lost, count(*) AS k, sum(s) AS s FROM
     (SELECT i.category, o.id, count(*) AS c, sum(o.amount) AS s FROM orders o JOIN items i ON o.id = i.sku GROUP BY ALL) WHERE s > 0 GROUP BY 1, 2`,
  'windows of windows': `WITH w AS (SELECT window_start AS began, window_end AS ended, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)
     SELECT window_start, shop, sum(c) AS c, max(c) AS m FROM tumble(w, began, INTERVAL 20 SECOND) GROUP BY ALL`,
  'conditions on windows of windows': `SELECT window_start, window_end, date_part('minute', window_end) AS minute, sum(c) AS c, max(window_start) AS began,
     count(*) FILTER (WHERE window_end - INTERVAL 20 SECOND = window_start AND shop <> 'east') AS n FROM tumble(w, window_end, INTERVAL 20 SECOND)
     WHERE window_start >= TIMESTAMPTZ '2026-01-01 00:00:00Z' AND (shop = 'north' OR window_end < TIMESTAMPTZ '2026-01-01 00:01:00Z')
     GROUP BY ALL HAVING max(window_end) > TIMESTAMPTZ '2026-01-01 00:00:20Z' OR sum(c) > 5`,
  'conditions on hops of windows': `SELECT window_start, shop, sum(c) AS c FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND)
     WHERE window_start >= TIMESTAMPTZ '2026-01-01 00:00:10Z' AND shop <> 'east' GROUP BY ALL HAVING window_start < TIMESTAMPTZ '2026-01-01 00:01:00Z'`,
  'rows of hops of windows': `SELECT window_start, window_end, shop, c FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND) WHERE c > 2`,
  'the first rows of windows of windows': `SELECT window_start, window_end, shop, c, row_number() OVER (PARTITION BY window_start ORDER BY c DESC, shop) AS place
     FROM tumble(w, window_end, INTERVAL 20 SECOND) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY c DESC, shop) <= 2`,
  'the first rows of windows of windows, by what follows from their bounds': `SELECT window_start, shop, c FROM tumble(w, window_start, INTERVAL 20 SECOND)
     QUALIFY row_number() OVER (PARTITION BY window_start, date_part('minute', window_end) ORDER BY window_end, c) <= 2`,
  'the first rows of hops of windows': `SELECT window_start, window_end, shop, c, rank() OVER (PARTITION BY window_end ORDER BY c DESC) AS place
     FROM hop(w, window_start, INTERVAL 10 SECOND, INTERVAL 20 SECOND) QUALIFY rank() OVER (PARTITION BY window_end ORDER BY c DESC) <= 2`,
  'a join of hops of windows': `SELECT a.window_start, a.shop, a.c, p.paid FROM hop(w, window_end, INTERVAL 10 SECOND, INTERVAL 20 SECOND) a
     JOIN tumble(payments, ts, INTERVAL 10 SECOND) p ON a.shop = p.shop AND a.window_start = p.window_start`,
  'windows of sessions': `WITH w AS (SELECT device, window_end AS ended, count(*) AS c FROM session(orders, ts, INTERVAL 3 SECOND, key := device) GROUP BY ALL HAVING count(*) > 1)
     SELECT window_start, count(*) AS sessions, sum(c) AS events FROM tumble(w, ended, INTERVAL 15 SECOND) GROUP BY ALL`,
  'a group over windowed rows': `SELECT window_start, window_end, max(c) AS m, count(*) AS shops FROM
     (SELECT window_start, window_end, shop, count(*) AS c FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY ALL) GROUP BY window_start, window_end HAVING count(*) > 1`,
  'the most frequent value, in place of its mode': `SELECT window_start, shop, arg_max(device, n) AS most FROM
     (SELECT window_start, shop, device, count(*) AS n FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL) GROUP BY ALL`,
  'keyed over windowed rows': `SELECT shop, count(*) AS windows, max(c) AS m FROM (SELECT window_start, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL) GROUP BY shop`,
  'latest window of a key': `SELECT shop, window_start, c FROM (SELECT window_start, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)
     QUALIFY row_number() OVER (PARTITION BY shop ORDER BY window_start DESC) = 1`,
  'top above a group': `SELECT window_start, shop, c, row_number() OVER (PARTITION BY window_start ORDER BY c DESC) AS place FROM
     (SELECT window_start, shop, coalesce(device, '-') AS d, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)
     QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY c DESC) <= 2`,
  'ranks above a group': `SELECT * FROM (SELECT window_end, shop, sum(amount) AS s FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)
     QUALIFY rank() OVER (PARTITION BY window_end ORDER BY s DESC NULLS LAST) = 1`,
  'the first rows of windows over a union': `WITH u AS (SELECT ts, shop, device, amount FROM orders UNION ALL SELECT ts, shop, method, paid FROM payments)
     SELECT window_start, window_end, ts, shop, device, row_number() OVER (PARTITION BY window_start, shop ORDER BY amount DESC NULLS LAST) AS place
     FROM tumble(u, ts, INTERVAL 10 SECOND) QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY amount DESC NULLS LAST) <= 3`,
  'the first rows of hops over a union': `WITH u AS (SELECT shop, id, ts FROM orders UNION ALL SELECT shop, order_id, ts FROM payments)
     SELECT window_end, shop, id FROM hop(u, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) QUALIFY row_number() OVER (PARTITION BY window_end ORDER BY id) <= 2`,
  'the first rows of windows over a join': `SELECT window_start, method, amount FROM tumble(j, ts, INTERVAL 10 SECOND)
     QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY method NULLS FIRST) <= 2`,
  'the first rows of windows, by what follows from their bounds': `SELECT window_start, ts, id FROM tumble(orders, ts, INTERVAL 5 SECOND)
     QUALIFY row_number() OVER (PARTITION BY window_start, date_part('minute', window_end) ORDER BY ts > window_start + INTERVAL 2 SECOND, window_end, id) <= 3`,
  'the first rows of windows of two lengths': `WITH u AS (SELECT window_start, window_end, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL
     UNION ALL SELECT window_start, window_end, shop, count(*) AS c FROM hop(payments, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY ALL)
     SELECT window_start, window_end, shop, c FROM u QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY c DESC) = 1`,
  'the first rows of sessions': `WITH t AS (SELECT window_start AS began, shop FROM tumble(orders, ts, INTERVAL 1 SECOND)),
     s AS (SELECT window_start, window_end, shop, count(*) AS c FROM session(t, began, INTERVAL 3 SECOND, key := shop) GROUP BY ALL)
     SELECT window_start, window_end, shop, c FROM s QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY c DESC, shop) = 1`,
  'lag over windows': `SELECT shop, window_start, c, c - lag(c) OVER (PARTITION BY shop ORDER BY window_start) AS more FROM
     (SELECT window_start, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)`,
  'lag of rows': `SELECT id, ts, device, lag(device) OVER (PARTITION BY id ORDER BY ts) AS before, lag(ts) OVER (PARTITION BY id ORDER BY ts) AS since FROM orders`,
  'lag of several rows, and what is there instead': `SELECT id, ts, shop, lag(id, 3) OVER (PARTITION BY shop ORDER BY ts) AS third, lag(ts) OVER (PARTITION BY shop ORDER BY ts) AS first,
     lag(device, 2, 'none') OVER (PARTITION BY shop ORDER BY ts) AS second, lag(amount, 1, 0) OVER (PARTITION BY shop ORDER BY ts) + 1 AS more,
     lag(id, 7, id) OVER (PARTITION BY device ORDER BY ts) AS of_device, lag(shop, 5, NULL) OVER (ORDER BY ts) AS fifth FROM orders`,
  'changes alone': `SELECT id, shop, ts, device FROM orders QUALIFY device IS DISTINCT FROM lag(device) OVER (PARTITION BY shop ORDER BY ts)`,
  'a condition on a frame, which is a column too': `SELECT id, ts, shop, count(*) OVER last AS c, sum(id) OVER last AS s FROM orders WINDOW last AS (PARTITION BY shop ORDER BY ts RANGE BETWEEN INTERVAL 5 SECOND PRECEDING AND CURRENT ROW)
     QUALIFY c > 2 AND s % 2 = 0`,
  'rows numbered as they come, and a subquery that takes every third': `SELECT * FROM (SELECT id, ts, shop, row_number() OVER (PARTITION BY shop ORDER BY ts) AS n, row_number() OVER (ORDER BY ts) AS m FROM orders) WHERE n % 3 = 0`,
  'windows over lag': `WITH g AS (SELECT ts, shop, lag(ts) OVER (PARTITION BY shop ORDER BY ts) AS since FROM orders)
     SELECT window_start, shop, max(since) AS newest, count(since) AS c FROM tumble(g, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'aggregates of the last rows': `SELECT id, ts, avg(amount) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS mean,
     sum(amount) FILTER (WHERE device IS NOT NULL) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS s,
     count(*) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS c, max(device) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) AS m FROM orders`,
  'quantiles of the rows before': `SELECT id, ts, median(id) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS m,
     quantile_disc(amount, 0.8) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS q, quantile_cont(id, 0.1) OVER (PARTITION BY device ORDER BY ts) AS so_far,
     median(amount) FILTER (WHERE id > 9) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS ma, sum(id) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS s FROM orders`,
  'a row alone, of all': `SELECT ts, min(heat) OVER (ORDER BY ts ROWS BETWEEN 0 PRECEDING AND CURRENT ROW) AS h FROM payments WHERE heat < 100`,
  'a moving mean of windows': `SELECT shop, window_start, c, avg(c) OVER (PARTITION BY shop ORDER BY window_start ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS mean FROM
     (SELECT window_start, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL)`,
  'windows over aggregates of the last rows': `WITH f AS (SELECT ts, shop, count(id) OVER (PARTITION BY shop ORDER BY ts ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS ids FROM orders)
     SELECT window_start, shop, max(ids) AS ids, count(*) AS c FROM tumble(f, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'ranges: every aggregate': `SELECT id, ts, ${EVERY} FROM orders WINDOW w AS (PARTITION BY shop ORDER BY ts ${RANGE})`,
  'ranges: rows of one time': `SELECT began, id, device, ${EVERY} FROM ${TIMED} WINDOW w AS (PARTITION BY shop ORDER BY began ${RANGE})`,
  'ranges: of all rows, of a partition that may be null': `SELECT ts, count(*) OVER (ORDER BY ts ${RANGE}) AS c, sum(heat) OVER (PARTITION BY method, shop ORDER BY ts ${RANGE}) AS h,
     max(heat) OVER (PARTITION BY method, shop ORDER BY ts ${RANGE}) AS m FROM payments`,
  'ranges: of no length': `SELECT began, shop, sum(amount) OVER w AS s, count(*) OVER w AS c FROM ${TIMED} WINDOW w AS (PARTITION BY shop ORDER BY began RANGE BETWEEN INTERVAL 0 SECOND PRECEDING AND CURRENT ROW)`,
  'ranges: variances': `SELECT ts, id, stddev(amount) OVER w AS d, var_pop(id) OVER w AS v, avg(id) OVER w AS a FROM orders WINDOW w AS (PARTITION BY shop ORDER BY ts ${RANGE})`,
  'running totals: every aggregate': `SELECT ts, id, ${EVERY}, variance(amount) OVER w AS va FROM orders WINDOW w AS (PARTITION BY shop ORDER BY ts)`,
  'running totals: rows of one time': `SELECT began, id, device, ${EVERY} FROM ${TIMED} WINDOW w AS (PARTITION BY shop ORDER BY began RANGE UNBOUNDED PRECEDING)`,
  'running totals: row by row': `SELECT id, ts, ${EVERY} FROM orders WINDOW w AS (PARTITION BY shop ORDER BY ts ROWS UNBOUNDED PRECEDING)`,
  'frames beside each other, and lag': `SELECT ts, shop, amount - lag(amount) OVER (PARTITION BY shop ORDER BY ts) AS more, sum(amount) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS nine,
     sum(amount) OVER (PARTITION BY shop ORDER BY ts RANGE BETWEEN INTERVAL '2500 milliseconds' PRECEDING AND CURRENT ROW) AS two, count(*) OVER (PARTITION BY device ORDER BY ts ${RANGE}) AS of_device,
     count(*) OVER (ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS four, max(id) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS most FROM orders`,
  'windows over ranges': `WITH f AS (SELECT ts, shop, sum(amount) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS s FROM orders)
     SELECT window_start, shop, max(s) AS most, count(*) AS c FROM tumble(f, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
  'keyed over ranges': `SELECT shop, max(s) AS most, count(*) AS c FROM (SELECT shop, sum(amount) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS s FROM orders) GROUP BY shop`,
  'a condition on a range': `SELECT ts, shop, s FROM (SELECT ts, shop, sum(amount) OVER (PARTITION BY shop ORDER BY ts ${RANGE}) AS s FROM orders) WHERE s > 5 AND shop <> 'north'`,
  'a range over windows': `SELECT shop, window_start, c, sum(c) OVER (PARTITION BY shop ORDER BY window_start RANGE BETWEEN INTERVAL 10 SECOND PRECEDING AND CURRENT ROW) AS s FROM
     (SELECT shop, window_start, count(*) AS c FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY ALL)`,
  'a range over a join': `SELECT o.ts, o.id, p.paid, sum(p.paid) OVER (PARTITION BY o.shop ORDER BY o.ts ${RANGE}) AS s FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND ${BETWEEN}`,
  'the highest of a window joined with its rows (q7)': `SELECT o.id, o.amount, o.ts, b.ends FROM orders o JOIN
     (SELECT max(amount) AS best, window_end AS ends FROM tumble(orders, ts, INTERVAL 10 SECOND) GROUP BY window_start, window_end) b
     ON o.amount = b.best WHERE o.ts BETWEEN b.ends - INTERVAL 10 SECOND AND b.ends`,
  'the busiest of a window by a join (q5)': `SELECT a.shop, a.num, a.starts FROM
     (SELECT shop, count(*) AS num, window_start AS starts, window_end AS ends FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY shop, window_start, window_end) a JOIN
     (SELECT max(num) AS most, starts, ends FROM (SELECT count(*) AS num, window_start AS starts, window_end AS ends FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) GROUP BY shop, window_start, window_end) GROUP BY starts, ends) m
     ON a.starts = m.starts AND a.ends = m.ends AND a.num >= m.most`,
}

const WITH: Readonly<Record<string, string>> = {
  j: `SELECT o.ts, p.method, o.amount FROM orders o JOIN payments p ON p.order_id = o.id AND ${BETWEEN}`,
  l: `SELECT o.ts, o.shop, p.method FROM orders o LEFT JOIN payments p ON p.order_id = o.id AND ${BETWEEN}`,
  w: `SELECT window_start, window_end, shop, count(*) AS c FROM tumble(orders, ts, INTERVAL 5 SECOND) GROUP BY ALL`,
  v: `SELECT o.ts, i.category FROM orders o ASOF JOIN items i ON o.id = i.sku AND o.ts >= i.ts`,
}

for (const [name, text] of Object.entries(QUERIES)) {
  test(name, async () => {
    const called = text.startsWith('WITH') ? undefined : /(?:tumble|hop)\(([jlvw]),/.exec(text)?.[1]
    const { node } = await parser.parse(called ? `WITH ${called} AS (${WITH[called]}) ${text}` : text)
    const query = compileLive(node, (stream) => STREAMS[stream]?.shape)
    const shape = shapeOfRelation(query.root, shapeOf)
    let [early, total, spilled] = [0, 0, 0]
    for (const [round, log] of logs.entries()) {
      const expected = (await expectedRows(ask, query, shape, (stream) => `${stream}${round}`)).sort()
      total += expected.length
      for (const memoryBytes of [Number.POSITIVE_INFINITY, 1, 6_000]) {
        const ran = run(query, shape, log, seededRandom(SEED + round + (memoryBytes === 1 ? 1_000 : 0)), memoryBytes)
        assert.deepEqual(ran.rows.sort(), expected, `memory ${memoryBytes}, seed ${SEED}`)
        early += ran.early
        spilled += ran.spilled
      }
    }
    assert.ok(total > logs.length, `only ${total} rows`)
    assert.ok(early > 0, 'nothing came out before the end')
    if (/(groups|windows|keyed|mean|window) (over|of|above)|^lookup|without bound/.test(name))
      assert.ok(spilled > 5, `something was spilled ${spilled} times`)
  })
}

/** Whether there is a row: as live SQL, and as it stands over the tables. */
const EXISTENCE: Readonly<Record<string, (of: (stream: string) => string) => string>> = {
  'a semi join': (of) =>
    `SELECT o.id, o.ts, o.device FROM ${of('orders')} o SEMI JOIN ${of('payments')} p ON p.order_id = o.id AND ${BETWEEN}`,
  'an anti join': (of) =>
    `SELECT o.id, o.ts, amount FROM ${of('orders')} o ANTI JOIN ${of('payments')} p ON p.order_id = o.id AND ${BETWEEN}`,
  'a semi join with conditions on pairs and on rows': (of) =>
    `SELECT o.id, o.ts, o.amount FROM ${of('orders')} o SEMI JOIN ${of('payments')} p ON p.order_id = o.id AND ${BETWEEN} AND o.amount > p.paid AND p.heat > 0 WHERE o.shop <> 'east'`,
  'an anti join with conditions on pairs and on rows': (of) =>
    `SELECT o.id, o.ts, o.amount FROM ${of('orders')} o ANTI JOIN ${of('payments')} p ON p.order_id = o.id AND ${BETWEEN} AND o.amount > p.paid AND o.device = 'a' WHERE o.shop <> 'east'`,
  'USING, many partners of few keys': (of) =>
    `SELECT ts, id, shop FROM ${of('orders')} o SEMI JOIN (SELECT shop, ts AS then FROM ${of('payments')} WHERE method = 'card') p ON o.shop = p.shop AND p.then BETWEEN o.ts - INTERVAL 1 SECOND AND o.ts + INTERVAL 1 SECOND`,
  EXISTS: (of) =>
    `SELECT id, ts, shop FROM ${of('orders')} o WHERE amount > 0 AND EXISTS (SELECT * FROM ${of('payments')} p WHERE order_id = id AND p.ts BETWEEN o.ts AND o.ts + INTERVAL 5 SECOND AND p.shop = o.shop)`,
  'NOT EXISTS': (of) =>
    `SELECT id, o.ts FROM ${of('orders')} o WHERE NOT EXISTS (SELECT 1 FROM ${of('payments')} p WHERE o.id = order_id AND p.ts BETWEEN o.ts - INTERVAL 10 SECOND AND o.ts AND amount > 3)`,
  'IN of a subquery that is bounded by time': (of) =>
    `SELECT id, ts FROM ${of('orders')} o WHERE id IN (SELECT order_id FROM ${of('payments')} p WHERE p.ts BETWEEN o.ts AND o.ts + INTERVAL 20 SECOND AND method IS NOT NULL) AND device IS NOT NULL`,
  'IN by a unique key': (of) => `SELECT id, ts, amount FROM ${of('orders')} WHERE id IN (SELECT sku FROM ${of('items')})`,
  'two of them, one over a join': (of) =>
    `SELECT o.id, o.ts, p.method FROM ${of('orders')} o JOIN ${of('payments')} p ON p.order_id = o.id AND ${BETWEEN}
     WHERE NOT EXISTS (FROM ${of('payments')} q WHERE q.shop = o.shop AND q.ts BETWEEN o.ts - INTERVAL 1 SECOND AND o.ts AND q.method = 'cash')
       AND EXISTS (SELECT 1 FROM ${of('items')} i WHERE i.sku = p.order_id AND i.ts BETWEEN o.ts - INTERVAL 1 MINUTE AND o.ts + INTERVAL 1 MINUTE)`,
  'groups over rows that have a partner': (of) =>
    `SELECT shop, count(*) AS c, sum(amount) AS s FROM ${of('orders')} o WHERE EXISTS (SELECT 1 FROM ${of('payments')} p WHERE p.order_id = o.id AND ${BETWEEN}) GROUP BY shop`,
}

for (const [name, textOf] of Object.entries(EXISTENCE))
  test(name, async () => {
    const { node } = await parser.parse(textOf((stream) => stream))
    const query = compileLive(node, (stream) => STREAMS[stream]?.shape)
    const shape = shapeOfRelation(query.root, shapeOf)
    let total = 0
    for (const [round, log] of logs.entries()) {
      const tableOf = (stream: string): string => `${stream}${round}`
      const expected = (await expectedRows(ask, query, shape, tableOf, textOf(tableOf))).sort()
      assert.deepEqual((await expectedRows(ask, query, shape, tableOf)).sort(), expected, 'the batch twin')
      total += expected.length
      for (const cut of [0, 1, 2])
        assert.deepEqual(
          run(query, shape, log, seededRandom(SEED + round + cut * 1_000), Number.POSITIVE_INFINITY).rows.sort(),
          expected,
          `seed ${SEED}`,
        )
    }
    assert.ok(total > logs.length, `only ${total} rows`)
  })

test('what is not of the closed list is refused with its place and what is near', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    [
      'SELECT o.id FROM orders o LEFT JOIN payments p ON o.id = p.order_id',
      /a left join without bounds between the times of both sides \(character \d+\)/,
    ],
    ['SELECT o.id FROM orders o JOIN payments p ON p.ts BETWEEN o.ts AND o.ts + INTERVAL 1 SECOND', /a join without equal keys/],
    [`SELECT o.id FROM orders o FULL JOIN payments p USING (shop)`, /USING in a FULL JOIN/],
    ['SELECT id FROM orders JOIN orders ON true', /"orders" on both sides of a join/],
    ['SELECT O.id FROM orders O JOIN payments o ON true', /"O" on both sides of a join/],
    ['SELECT shop FROM orders o JOIN payments p ON o.id = p.order_id', /"shop", which several relations have, \(character 8\)/],
    ['SELECT o.id FROM orders o ASOF JOIN payments p ON o.id = p.order_id AND o.ts <= p.ts', /this ASOF JOIN/],
    [
      'SELECT o.id FROM orders o ASOF JOIN payments p ON o.id = p.order_id AND o.ts >= p.ts AND o.amount > p.paid',
      /a further condition in ASOF JOIN/,
    ],
    ['SELECT id FROM orders EXCEPT SELECT sku FROM items', /a set operation other than UNION/],
    ['SELECT id FROM orders UNION ALL SELECT category FROM items', /UNION ALL of several types in "id"/],
    [
      'SELECT a.id FROM orders a JOIN (SELECT shop, count(*) AS c FROM orders GROUP BY shop) b ON a.shop = b.shop',
      /a join with rows that are replaced/,
    ],
    [
      'SELECT shop, max(amount) AS m FROM (SELECT shop, id, amount FROM orders QUALIFY row_number() OVER (PARTITION BY shop, id ORDER BY ts DESC) = 1) GROUP BY shop',
      /a group over rows that are replaced by QUALIFY/,
    ],
    [
      'SELECT s.shop FROM (SELECT c, max(shop) AS shop FROM (SELECT shop, count(*) AS c FROM orders GROUP BY shop) WHERE c < 2 GROUP BY c) s JOIN items i ON i.category = s.shop',
      /a join with rows that are replaced/,
    ],
    [
      // A row of lag waits for its time: the window of the other may be over by then.
      'WITH l AS (SELECT o.ts AS a, p.ts AS b, lag(o.ts) OVER (PARTITION BY o.shop ORDER BY p.ts) AS c FROM orders o JOIN payments p ON o.id = p.order_id AND p.ts BETWEEN o.ts AND o.ts + INTERVAL 1 MINUTE) SELECT window_start, count(*) AS n FROM tumble(l, a, INTERVAL 1 MINUTE) GROUP BY ALL',
      /the window over "a", which the watermark does not follow/,
    ],
    [
      'SELECT id, ts FROM (SELECT id, ts FROM orders QUALIFY row_number() OVER (PARTITION BY id ORDER BY ts DESC) = 1) WHERE ts > TIMESTAMP $$2026-01-01$$',
      /WHERE over rows that are replaced/,
    ],
    [
      'SELECT shop, arg_max(c, c) AS m FROM (SELECT shop, coalesce(id, 0) AS i, count(*) AS c FROM orders GROUP BY 1, 2) GROUP BY shop',
      /arg_max\(\.\.\.\) over rows that are replaced/,
    ],
    [
      'WITH w AS (SELECT window_start AS s, shop FROM session(orders, ts, INTERVAL 1 SECOND, key := shop) GROUP BY ALL) SELECT window_start, count(*) AS c FROM tumble(w, s, INTERVAL 1 MINUTE) GROUP BY ALL',
      /the window over "s", which the watermark does not follow/,
    ],
    [
      'SELECT id, lag(amount) OVER (PARTITION BY id ORDER BY amount) AS b FROM orders',
      /lag\(\.\.\.\) over other than a time that the watermark follows/,
    ],
    ['SELECT id, avg(amount) OVER (PARTITION BY id) AS b FROM orders', /over other than a time/],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS b FROM orders',
      /avg\(\.\.\.\) over rows that follow/,
    ],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS b FROM orders',
      /avg\(\.\.\.\) over these rows/,
    ],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts RANGE BETWEEN INTERVAL 1 MONTH PRECEDING AND CURRENT ROW) AS b FROM orders',
      /a RANGE of months or years/,
    ],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) AS b FROM orders',
      /a RANGE that is no constant interval/,
    ],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts RANGE BETWEEN INTERVAL (id) SECOND PRECEDING AND CURRENT ROW) AS b FROM orders',
      /an interval that is not constant/,
    ],
    [
      "SELECT id, avg(amount) OVER (ORDER BY ts RANGE BETWEEN INTERVAL '-5 seconds' PRECEDING AND CURRENT ROW) AS b FROM orders",
      /below zero/,
    ],
    [
      'SELECT id, avg(amount) OVER (ORDER BY ts RANGE BETWEEN INTERVAL 5 SECOND PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS b FROM orders',
      /EXCLUDE in OVER/,
    ],
    ['SELECT id, sum(DISTINCT amount) OVER (ORDER BY ts) AS b FROM orders', /sum\(DISTINCT \.\.\.\) over the rows before/],
    ['SELECT id, arg_max(id, amount) OVER (ORDER BY ts) AS b FROM orders', /arg_max\(\.\.\.\) over the rows before/],
    [
      'SELECT id, sum(amount) OVER (ORDER BY ts GROUPS BETWEEN 2 PRECEDING AND CURRENT ROW) AS b FROM orders',
      /sum\(\.\.\.\) over these rows/,
    ],
    [
      'SELECT a.id, count(*) OVER (ORDER BY a.ts) AS c, count(*) OVER (ORDER BY b.ts) AS d FROM orders a JOIN payments b ON a.id = b.order_id AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 1 SECOND',
      /count\(\.\.\.\) over a second time/,
    ],
    [
      'SELECT shop, count(*) AS c, sum(amount) OVER (ORDER BY ts) AS s FROM orders GROUP BY shop, amount, ts',
      /OVER \(\.\.\.\) beside GROUP BY/,
    ],
    ['SELECT DISTINCT shop, count(*) OVER (ORDER BY ts) AS c FROM orders', /OVER \(\.\.\.\) beside DISTINCT/],
    [
      'SELECT shop, ts, count(*) OVER (ORDER BY ts) AS c FROM orders QUALIFY row_number() OVER (PARTITION BY shop ORDER BY ts DESC) = 1',
      /OVER \(\.\.\.\) beside QUALIFY/,
    ],
    ['SELECT id, avg(amount) OVER (ORDER BY ts ROWS BETWEEN 2000 PRECEDING AND CURRENT ROW) AS b FROM orders', /over these rows/],
    ['SELECT id, avg(amount) OVER (ORDER BY amount ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS b FROM orders', /over other than a time/],
    ['SELECT id, lag(amount, id) OVER (PARTITION BY id ORDER BY ts) AS b FROM orders', /lag\(\.\.\.\) by other than so many rows/],
    ['SELECT id, lag(amount, -1) OVER (PARTITION BY id ORDER BY ts) AS b FROM orders', /lag\(\.\.\.\) by other than so many rows/],
    ['SELECT id, lag(amount IGNORE NULLS) OVER (PARTITION BY id ORDER BY ts) AS b FROM orders', /this lag\(\.\.\.\)/],
    ['SELECT id, row_number() OVER (PARTITION BY id ORDER BY ts DESC) AS b FROM orders', /row_number\(\) without QUALIFY/],
    [
      'SELECT window_start, id FROM hop(orders, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY window_end, ts) = 1',
      /an expression over window_end of hop\(\.\.\.\) before the groups/,
    ],
    ['SELECT id FROM orders WHERE id IN (SELECT order_id FROM payments)', /a semi join without bounds between the times of both sides/],
    ['SELECT id FROM orders WHERE id NOT IN (SELECT sku FROM items)', /NOT IN of values that may be null/],
    ['SELECT id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM items WHERE sku = id)', /an anti join without bounds between the times/],
    ['SELECT id FROM orders WHERE id = 1 OR id IN (SELECT sku FROM items)', /a subquery here \(character \d+\)/],
    ['SELECT id FROM orders WHERE id > (SELECT sku FROM items)', /a subquery here/],
    ['SELECT id FROM orders WHERE id > ALL (SELECT sku FROM items)', /a subquery that is compared other than/],
    [
      'SELECT id FROM orders o WHERE EXISTS (SELECT sku FROM items WHERE sku = o.id GROUP BY sku)',
      /a condition on more than FROM and WHERE of a subquery/,
    ],
    ['SELECT id, EXISTS (SELECT 1 FROM items WHERE sku = id) AS e FROM orders', /a subquery here/],
    ['SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM orders WHERE shop = id)', /"orders" on both sides of a join/],
    ['SELECT shop FROM orders WHERE shop IN (SELECT ts FROM items)', /IN /],
    [
      'SELECT amount FROM (SELECT amount, row_number() OVER (PARTITION BY id ORDER BY ts DESC) AS n FROM orders) WHERE n = 1',
      /rows that are replaced by what the subquery does not select/,
    ],
  ]
  for (const [sql, message] of refusals) {
    const { node } = await parser.parse(sql)
    assert.throws(() => compileLive(node, (stream) => STREAMS[stream]?.shape), { code: 'MR_PLAN_LIVE_SHAPE', message }, sql)
  }
})

/** The first rows of keys below others: as live SQL, and over the tables with the order of the log. */
const FIRST = 'id, ts, shop, device, amount'
const numbered = (of: string): string =>
  `(SELECT *, row_number() OVER (PARTITION BY id, shop ORDER BY ts, _ingested_at, _partition, _offset) AS n FROM ${of})`
const FIRST_ROWS: Readonly<Record<string, readonly [live: string, batch: (of: (stream: string) => string) => string]>> = {
  'groups over the first rows of keys': [
    `SELECT shop, count(*) AS c, sum(amount) AS s FROM (SELECT ${FIRST} FROM orders QUALIFY row_number() OVER (PARTITION BY id, shop ORDER BY ts) = 1) GROUP BY shop`,
    (of) => `SELECT shop, count(*) AS c, sum(amount) AS s FROM ${numbered(of('orders'))} WHERE n = 1 GROUP BY shop`,
  ],
  'windows over the first three of each key': [
    `WITH f AS (SELECT ${FIRST}, row_number() OVER (PARTITION BY id, shop ORDER BY ts) AS n FROM orders WHERE amount > 0 QUALIFY n <= 3)
     SELECT window_start, n, count(*) AS c, max(amount) AS m FROM tumble(f, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
    (of) =>
      `SELECT time_bucket(INTERVAL 10 SECOND, ts) AS window_start, n, count(*) AS c, max(amount) AS m FROM ${numbered(`(SELECT * FROM ${of('orders')} WHERE amount > 0)`)} WHERE n <= 3 GROUP BY ALL`,
  ],
  'a join of DISTINCT ON, within a time': [
    `SELECT f.id, f.ts, p.method, p.paid FROM (SELECT DISTINCT ON (id, shop) ${FIRST} FROM orders ORDER BY id, shop, ts) f JOIN payments p ON p.order_id = f.id AND p.ts BETWEEN f.ts AND f.ts + INTERVAL 30 SECOND`,
    (of) =>
      `SELECT f.id, f.ts, p.method, p.paid FROM ${numbered(of('orders'))} f JOIN ${of('payments')} p ON p.order_id = f.id AND p.ts BETWEEN f.ts AND f.ts + INTERVAL 30 SECOND WHERE f.n = 1`,
  ],
  'a union, a condition and a lag over them': [
    `SELECT id, shop, amount, lag(amount) OVER (PARTITION BY shop ORDER BY ts) AS before FROM (SELECT * FROM (SELECT ${FIRST} FROM orders QUALIFY row_number() OVER (PARTITION BY id, shop ORDER BY ts) = 1) WHERE amount > 0
       UNION ALL SELECT sku, ts, category, category AS device, floor FROM items)`,
    (
      of,
    ) => `SELECT id, shop, amount, lag(amount) OVER (PARTITION BY shop ORDER BY ts, id, shop, device, amount) AS before FROM (SELECT ${FIRST} FROM ${numbered(of('orders'))} WHERE n = 1 AND amount > 0
       UNION ALL SELECT sku, ts, category, category AS device, floor FROM ${of('items')})`,
  ],
}

for (const [name, [sql, batch]] of Object.entries(FIRST_ROWS))
  test(name, async () => {
    const query = compileLive((await parser.parse(sql)).node, (stream) => STREAMS[stream]?.shape)
    const shape = shapeOfRelation(query.root, shapeOf)
    for (const [round, log] of logs.entries()) {
      const tableOf = (stream: string): string => `${stream}${round}`
      const expected = (await expectedRows(ask, query, shape, tableOf, batch(tableOf))).sort()
      assert.deepEqual((await expectedRows(ask, query, shape, tableOf)).sort(), expected, 'the batch twin')
      assert.ok(expected.length > 2)
      for (const cut of [0, 1, 2])
        assert.deepEqual(
          run(query, shape, log, seededRandom(SEED + round + cut * 1_000), Number.POSITIVE_INFINITY).rows.sort(),
          expected,
          `seed ${SEED}`,
        )
    }
  })

test('of what is only asked for nothing but the condition is read, and nothing of it is seen', async () => {
  const semi =
    'SELECT id FROM orders o WHERE EXISTS (SELECT * FROM items i WHERE i.sku = o.id AND i.ts BETWEEN o.ts AND o.ts + INTERVAL 1 SECOND)'
  const { node } = await parser.parse(semi)
  const text = JSON.stringify(compileLive(node, (stream) => STREAMS[stream]?.shape).root)
  for (const name of ['category', 'floor', 'device', 'amount']) assert.doesNotMatch(text, new RegExp(`"[a-z]*\\.?${name}"`))
  const unseen = await parser.parse('SELECT category FROM orders o SEMI JOIN items i ON o.id = i.sku')
  assert.throws(() => compileLive(unseen.node, (stream) => STREAMS[stream]?.shape), {
    code: 'MR_PLAN_UNKNOWN',
    message: /no column "category"/,
  })
})

test('a side is unique only by the columns of its key, all of them and nothing else', async () => {
  const uniqueOf = async (sql: string): Promise<unknown> => {
    const { node } = await parser.parse(sql)
    const { root } = compileLive(node, (stream) => STREAMS[stream]?.shape)
    assert.ok(root.op === 'project' && root.input.op === 'join' && root.input.on.kind === 'unbounded')
    return root.input.on.unique
  }
  assert.equal(await uniqueOf('SELECT o.id, i.floor FROM orders o JOIN items i ON o.id = i.sku'), 'right')
  assert.equal(await uniqueOf('SELECT o.id, i.floor FROM orders o JOIN items i ON o.shop = i.category'), null)
  assert.equal(await uniqueOf('SELECT o.id, i.floor FROM orders o JOIN items i ON o.shop = lower(i.category)'), null)
  assert.equal(await uniqueOf('SELECT o.id, i.floor FROM orders o JOIN items i ON o.id = i.sku + 1'), null)
})

test('a join forgets keys that no row has any more, in its checkpoints too', async () => {
  const { node } = await parser.parse('SELECT o.id, p.paid FROM orders o ASOF LEFT JOIN payments p ON o.id = p.order_id AND o.ts >= p.ts')
  const shapeOf = (stream: string): Shape => STREAMS[stream]!.shape
  const query = compileLive(node, (stream) => STREAMS[stream]?.shape)
  const chain = new Chain(query, shapeOf, shapeOfRelation(query.root, shapeOf))
  const sizes: number[] = []
  let rows = 0
  for (let round = 0; round < 4; round++) {
    const plain = Array.from({ length: 10_000 }, (_, i): Plain[] => {
      const n = round * 10_000 + i
      return [BigInt(START_MS + n) * 1_000n, n, 'north', null, null, 0, BigInt(n), BigInt(START_MS + n) * 1_000n]
    })
    chain.take('orders', batchOf(shapeOf('orders'), plain), null, plain.length)
    rows += chain.advance((START_MS + (round + 1) * 10_000 + 60_000) * 1_000)?.rows ?? 0
    sizes.push(writtenBytes(chain.save()))
  }
  assert.equal(rows, 40_000)
  assert.ok(sizes[3]! <= sizes[0]!, `checkpoints of ${sizes} bytes`)
})
