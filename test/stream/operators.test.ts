// Every operator of live models gives what DuckDB's batch SQL gives over the same log: for random rows, disorder within the
// lateness, nulls, cuts into batches, numbers of partitions, and a restart from a checkpoint in the middle. The rows go through
// the classifier as in a pipeline; the batch side has the rows that were out. The seed is printed; MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { memoryScratch } from '../../src/core/scratch.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { type ColumnBatch, valueAt } from '../../src/schema/batch.ts'
import type { Field, Shape, Type } from '../../src/schema/type.ts'
import { Classifier } from '../../src/stream/classify.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { asStored, OpenCuts } from '../../src/stream/testing.ts'
import { SEED } from '../seed.ts'
import { type Ask, digitsOf, expectedRows, latest, load, openOracle, show, there } from './oracle.ts'

const field = (name: string, type: Type, optional = false): Field => ({ name, type, optional })

const OWN: readonly Field[] = [
  field('seen', { kind: 'timestamp' }),
  field('shop', { kind: 'string' }),
  field('device', { kind: 'string' }, true),
  field('n', { kind: 'int' }, true),
  field('big', { kind: 'long' }, true),
  field('price', { kind: 'decimal', precision: 12, scale: 2 }, true),
  field('total', { kind: 'decimal', precision: 30, scale: 4 }, true),
  field('heat', { kind: 'double' }, true),
  field('ok', { kind: 'boolean' }, true),
  field('day', { kind: 'date' }, true),
]
const SHAPE: Shape = { fields: [...OWN, ...SYSTEM_FIELDS] }
const LATENESS_MS = 20_000
const START_MS = Date.UTC(2026, 0, 1)

/** One record a partition of its own order; event times wander within a few seconds of the lateness. */
function rowsOf(random: Random, partition: number, count: number, from: { offset: number; ms: number }): Plain[][] {
  const pick = <T>(...of: readonly T[]): T => of[integer(random, of.length)]!
  const maybe = <T>(value: T): T | null => (random.next() < 0.15 ? null : value)
  return Array.from({ length: count }, () => {
    from.ms += integer(random, 1_500)
    const seen = from.ms - integer(random, LATENESS_MS * 1.2)
    return [
      BigInt(START_MS + seen) * 1_000n,
      pick('north', 'south', 'east'),
      maybe(pick('a', 'b', 'cc', 'é', 'a longer name of a device')),
      maybe(integer(random, 40) - 20),
      maybe(pick(9223372036854775807n, -5n, 7n, 4503599627370497n)),
      maybe(pick(7n, 1_250n, -310n, 999_999_999_999n)),
      maybe(pick(95_000n, 100_001n, -123_456_789_012_345_678_901_234n)),
      maybe(pick(1.5, 0.25, 1e6, -1e6, Number.NaN, 3.25, 2 ** -20)),
      maybe(pick(true, false)),
      maybe(pick(20_454, -1, 20_455)),
      partition,
      BigInt(from.offset++),
      BigInt(START_MS + from.ms) * 1_000n,
    ]
  })
}

interface Log {
  /** Batches in the order in which a pipeline reads them, each of one partition. */
  readonly reads: readonly {
    readonly partition: number
    readonly batch: ColumnBatch
    readonly out: Int32Array
    readonly watermarkUs: number | null
  }[]
  readonly rows: number
}

/** Partitions are read in turns; what is out is decided as in a pipeline. */
function makeLog(random: Random, partitions: number): Log {
  const stream = { shape: SHAPE, source: 'http' as const, time: 'seen', latenessMs: LATENESS_MS }
  const classifiers = Array.from({ length: partitions }, () => new Classifier(stream))
  const at = classifiers.map(() => ({ offset: 0, ms: 0 }))
  const reads: Log['reads'][number][] = []
  let rows = 0
  while (rows < 500) {
    const partition = integer(random, partitions)
    const batch = batchOf(SHAPE, rowsOf(random, partition, 1 + integer(random, 60), at[partition]!))
    const times = (batch.columns.at(-1) as { values: Float64Array }).values
    const { out } = classifiers[partition]!.classify(batch, { appendMs: times.map((us) => us / 1_000), redriven: null })
    const marks = classifiers.map(({ watermarkUs }) => watermarkUs)
    const watermarkUs = marks.includes(null) ? null : Math.min(...(marks as number[]))
    reads.push({ partition, batch, out, watermarkUs })
    rows += batch.rows
  }
  return { reads, rows }
}

let engine: TestEngine
let parser: SqlParser
let ask: Ask
const seed = SEED

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
  ask = await openOracle()
  console.log(`seed ${seed}`)
  for (let round = 0; round < (process.env['MILLRACE_TEST_ALL'] ? 12 : 3); round++) {
    const random = seededRandom(seed + round)
    logs.push(makeLog(random, 1 + integer(random, 3)))
    await load(ask, `readings${round}`, SHAPE, logs[round]!.reads)
  }
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

/** Made and loaded once for all queries. */
const logs: Log[] = []

interface Ran {
  /** Rows that are final, or the latest of each key. */
  readonly rows: readonly string[]
  readonly open: readonly string[]
  /** How often rows came when something was on the disk. */
  readonly spilled: number
}

/** Runs a query over the log: cut anew, and stopped and restored now and then; with so much memory, the rest on the disk. */
function run(query: LiveQuery, shape: Shape, log: Log, random: Random, isToEnd: boolean, memoryBytes = Number.POSITIVE_INFINITY): Ran {
  const isTight = memoryBytes < Number.POSITIVE_INFINITY
  const scratch = isTight ? memoryScratch() : null
  const open = (): Chain => new Chain(query, () => SHAPE, shape, null, scratch)
  let chain = open()
  chain.restore(null)
  const out: ColumnBatch[] = []
  const keep = (batch: ColumnBatch | null): void => {
    if (batch) out.push({ ...batch, shape })
  }
  let spilled = 0
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
  for (const { batch, out: rows, watermarkUs } of log.reads) {
    for (let from = 0; from < rows.length; ) {
      const until = Math.min(rows.length, from + 1 + integer(random, 50))
      const own = rows.slice(from, until)
      keep(until - from === batch.rows ? chain.take('readings', batch, null, batch.rows) : chain.take('readings', batch, own, own.length))
      if (random.next() < 0.1) save()
      from = until
    }
    if (random.next() < 0.7) keep(chain.changed())
    if (watermarkUs !== null && random.next() < 0.8) keep(chain.advance(watermarkUs))
    if (isTight) {
      keep(chain.changed())
      chain.fit(memoryBytes)
      if (chain.spilledBytes > 0) spilled++
    }
    if (random.next() < 0.1) save()
  }
  keep(chain.changed())
  const provisional = chain.open()
  if (isToEnd) keep(chain.advance(Number.MAX_SAFE_INTEGER))
  keep(chain.changed())
  closeCuts()
  const digits = digitsOf(query)
  const rows = out.flatMap((batch) => (query.result === 'keyed' ? [] : show(batch, digits)))
  return {
    rows: query.result === 'keyed' ? latest(query.loses ? there(out, query.key, shape) : out, query.key, shape, digits) : rows,
    open: provisional ? show({ ...provisional, shape }, digits) : [],
    spilled,
  }
}

const TUMBLE = 'tumble(readings, seen, INTERVAL 15 SECOND)'
const HOP = 'hop(readings, seen, INTERVAL 5 SECOND, INTERVAL 20 SECOND)'

/** Queries whose state goes to the disk where it has no room. */
const SPILLING = /^(keyed|tumble|hop|session)/

/** DuckDB refuses variances of what is no number. */
/** Sums of integers have 128 bits. */
const OF_SUMS =
  'sum(t) AS st, avg(t) AS at, min(t) AS mt, max(t) AS xt, count(t) AS ct, stddev_pop(t) AS dt, median(t) AS me, quantile_disc(t, 0.9) AS qd'
const QUANTILES = `median(n) AS mn, quantile_cont(big, 0.9) AS qb, quantile_cont(heat, 0.25) FILTER (WHERE NOT isnan(heat)) AS qh, quantile_disc(heat, 0.7) AS dh,
  quantile_disc(price, 0.95) AS dp, quantile_disc(total, 0.05) AS dt, quantile(device, 0.4) AS dd, median(device) AS md, quantile_disc(day, 0.1) AS dy, median(ok) AS mo,
  quantile_disc(seen, 1) AS ds, percentile_cont(0.75) WITHIN GROUP (ORDER BY n) AS pn, percentile_disc(0.3) WITHIN GROUP (ORDER BY price) AS pp, quantile_cont(n, 9e-1) AS en, quantile_disc(n, 3e-1) AS fn,
  median(price) AS mp, quantile_cont(total, 0.3) AS qt, median(CAST(heat AS FLOAT)) AS mf, median(day) AS my, quantile_cont(seen, 0.6) AS qs`
const LISTS = `string_agg(device, ', ' ORDER BY device) AS ld, string_agg(DISTINCT device, '|' ORDER BY device DESC) FILTER (WHERE n > 0) AS dd,
  listagg(shop || coalesce(CAST(n % 3 AS VARCHAR), ''), '' ORDER BY shop || coalesce(CAST(n % 3 AS VARCHAR), '')) AS ls, group_concat(DISTINCT upper(device) ORDER BY upper(device)) AS du`
const SPREADS = `stddev(n) AS dn, stddev_pop(n) AS pn, var_samp(price) AS vp, var_pop(price) AS pp, variance(big) AS vb, stddev_samp(total) AS st,
  var_pop(heat) FILTER (WHERE NOT isnan(heat)) AS vh, stddev(heat) FILTER (WHERE heat < 100) AS sh`

const DISTINCT = `sum(DISTINCT n) AS dsn, sum(DISTINCT big) AS dsb, avg(DISTINCT price) AS dap, sum(DISTINCT total) AS dst, sum(DISTINCT heat) AS dsh,
  avg(DISTINCT n) FILTER (WHERE ok) AS dan, count(DISTINCT n) AS dc`

/** Every shape of the closed list. */
const QUERIES: Readonly<Record<string, string>> = {
  'filter and project': `SELECT shop, n * 2 AS twice, upper(device) AS device, big FROM readings WHERE n % 3 = 0 OR device = 'é'`,
  'bounds of a tumbling window row by row': `SELECT window_start, window_end, n FROM ${TUMBLE} WHERE ok`,
  'tumble: every aggregate': `SELECT window_start, window_end, device, count(*) AS c, count(heat) AS h, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp,
     sum(total) AS st, sum(heat) AS sh, avg(n) AS an, avg(price) AS ap, min(heat) AS mh, max(heat) AS xh, min(device) AS md, max(day) AS xd,
     min(total) AS mt, max(big) AS xb, bool_and(ok) AS ba, bool_or(ok) AS bo FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: distinct, filter, arg': `SELECT window_start, shop, count(DISTINCT device) AS d, count(DISTINCT big) AS b, count(DISTINCT heat) AS t,
     count(*) FILTER (WHERE n > 0) AS positive, sum(price) FILTER (WHERE ok) AS sold, arg_max(device, n) AS best, arg_min(price, heat) AS least
     FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: quantiles': `SELECT window_start, shop, ${QUANTILES} FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: rows of the first values': `SELECT window_start, shop, n, price, dense_rank() OVER (PARTITION BY window_start, shop ORDER BY n DESC NULLS LAST) AS place FROM ${TUMBLE}
     QUALIFY dense_rank() OVER (PARTITION BY window_start, shop ORDER BY n DESC NULLS LAST) <= 4`,
  'hop: groups of the first values': `SELECT window_start, device, n, count(*) AS c, dense_rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) AS place FROM ${HOP}
     GROUP BY window_start, device, n QUALIFY dense_rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) <= 2`,
  'tumble: the first value of two columns': `SELECT window_end, n, ok, big FROM ${TUMBLE} QUALIFY dense_rank() OVER (PARTITION BY window_end, ok ORDER BY n, big DESC) = 1`,
  'tumble: lists of texts': `SELECT window_start, shop, ${LISTS} FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: variances, sums of distinct values': `SELECT window_start, shop, ${SPREADS}, ${DISTINCT} FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: expressions over groups, having': `SELECT date_trunc('minute', window_start) AS minute, window_start, coalesce(device, 'none') AS device,
     sum(n) / count(*) AS mean, CASE WHEN count(*) > 3 THEN 'many' ELSE 'few' END AS size FROM ${TUMBLE}
     GROUP BY window_start, coalesce(device, 'none') HAVING count(*) > 1 AND sum(n) IS NOT NULL`,
  'tumble without keys': `SELECT window_start, count(*) AS c, sum(price) AS p FROM ${TUMBLE} WHERE price > 0 GROUP BY window_start`,
  'tumble: keys of every type': `SELECT window_start, n, big, price, total, heat, ok, day, count(*) AS c FROM ${TUMBLE} GROUP BY ALL`,
  'tumble: distinct rows': `SELECT DISTINCT window_start, shop, device FROM ${TUMBLE}`,
  'tumble: ranks of groups': `SELECT window_start, device, count(*) AS c, rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) AS place
     FROM ${TUMBLE} GROUP BY window_start, device QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) <= 2`,
  'tumble: numbered groups': `SELECT window_start, shop, device, sum(n) AS s FROM ${TUMBLE} GROUP BY ALL
     QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY sum(n) DESC NULLS LAST) <= 2`,
  'tumble: first rows': `SELECT window_start, shop, device, price, big FROM ${TUMBLE}
     QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY price DESC, n) <= 3`,
  'tumble: all rows of the highest price': `SELECT window_start, price, device, heat FROM ${TUMBLE}
     QUALIFY rank() OVER (PARTITION BY window_start ORDER BY price DESC NULLS LAST) = 1`,
  'hop: every aggregate': `SELECT window_start, window_end, device, count(*) AS c, count(heat) AS h, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp,
     sum(heat) AS sh, avg(n) AS an, min(heat) AS mh, max(device) AS xd, min(total) AS mt, bool_or(ok) AS bo, count(DISTINCT n) AS dn,
     arg_max(price, heat) AS am FROM ${HOP} GROUP BY ALL`,
  'hop: quantiles': `SELECT window_start, device, ${QUANTILES} FROM ${HOP} GROUP BY ALL`,
  'hop: lists of texts': `SELECT window_start, device, ${LISTS} FROM ${HOP} GROUP BY ALL`,
  'hop: variances, sums of distinct values': `SELECT window_start, device, ${SPREADS}, ${DISTINCT} FROM ${HOP} GROUP BY ALL`,
  'hop: ranks of groups': `SELECT window_end, device, count(*) AS c FROM ${HOP} GROUP BY window_start, window_end, device
     QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) = 1`,
  'hop: ranks of groups by what is not selected': `SELECT window_start, shop FROM ${HOP} GROUP BY ALL
     QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY count(*) DESC, max(n), shop) <= 2`,
  'hop: first rows': `SELECT window_start, shop, price, device FROM ${HOP} QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY heat) <= 2`,
  'session: every aggregate': `SELECT device, window_start, window_end, count(*) AS c, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp, sum(heat) AS sh, avg(n) AS an,
     min(heat) AS mh, max(shop) AS xs, count(DISTINCT shop) AS ds, arg_max(price, n) AS am, bool_and(ok) AS ba
     FROM session(readings, seen, INTERVAL '2500 milliseconds', key := device) GROUP BY ALL`,
  'session: quantiles': `SELECT device, window_start, window_end, ${QUANTILES}
     FROM session(readings, seen, INTERVAL '2500 milliseconds', key := device) GROUP BY ALL`,
  'session: lists of texts': `SELECT device, window_start, window_end, ${LISTS} FROM session(readings, seen, INTERVAL 3 SECOND, key := device) WHERE device IS NOT NULL GROUP BY ALL`,
  'session: variances, sums of distinct values': `SELECT device, window_start, window_end, ${SPREADS}, ${DISTINCT}
     FROM session(readings, seen, INTERVAL '2500 milliseconds', key := device) GROUP BY ALL`,
  'session: having': `SELECT n, window_start, count(*) AS c FROM session(readings, seen, INTERVAL 4 SECOND, key := n) WHERE n > 0 GROUP BY ALL HAVING count(*) > 1`,
  'session: of all rows, of which some count': `SELECT n, window_start, window_end, count(*) AS c, max(price) FILTER (WHERE ok) AS p, count(DISTINCT device) AS d
     FROM session(readings, seen, INTERVAL 4 SECOND, key := n) WHERE n > 0 AND shop <> 'a' AND price > 1 GROUP BY ALL`,
  'keyed: every aggregate': `SELECT shop, coalesce(device, 'none') AS device, count(*) AS c, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp, sum(total) AS st,
     sum(heat) AS sh, avg(price) AS ap, min(heat) AS mh, max(device) AS xd, count(DISTINCT n) AS dn, arg_min(day, heat) AS ad, max(seen) AS last
     FROM readings GROUP BY ALL`,
  'keyed: quantiles': `SELECT shop, device, ${QUANTILES} FROM readings GROUP BY ALL`,
  'keyed: of sums of integers': `SELECT shop, ${OF_SUMS} FROM (SELECT shop, n % 7 AS rest, sum(big) AS t FROM readings GROUP BY ALL) GROUP BY shop`,
  'keyed: quantiles of quantiles': `SELECT shop, median(m) AS mm, quantile_disc(c, 0.8) AS qc FROM
     (SELECT shop, n % 7 AS rest, median(n) AS m, count(*) AS c FROM readings GROUP BY ALL) GROUP BY shop`,
  'keyed: lists of texts': `SELECT n, ${LISTS} FROM readings GROUP BY ALL`,
  'keyed: variances, sums of distinct values': `SELECT shop, device, ${SPREADS}, ${DISTINCT} FROM readings GROUP BY ALL`,
  'keyed: variances of variances': `SELECT shop, stddev(m) AS s, var_pop(c) AS c FROM
     (SELECT shop, device, n % 5 AS rest, count(*) AS c, round(variance(n), 3) AS m FROM readings GROUP BY ALL) GROUP BY shop`,
  'keyed: one group a day': `SELECT CAST(seen AS DATE) AS day, count(*) FILTER (WHERE price < 10) AS low, count(*) FILTER (WHERE price >= 10) AS high
     FROM readings GROUP BY 1`,
  'keyed: distinct': `SELECT DISTINCT shop, n % 5 AS class FROM readings WHERE n IS NOT NULL`.replace(
    'n % 5 AS class',
    'coalesce(n % 5, 0) AS class',
  ),
  'keyed: the first row of a key': `SELECT shop, device, price, seen FROM readings WHERE device IS NOT NULL
     QUALIFY row_number() OVER (PARTITION BY shop, device ORDER BY seen) = 1`,
  'keyed: the last row of a key': `SELECT shop, price, heat, big FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY seen DESC) = 1`,
  'keyed: the best rows of a key': `SELECT shop, row_number() OVER (PARTITION BY shop ORDER BY price DESC NULLS LAST, total) AS place, price, device, heat FROM readings
     QUALIFY row_number() OVER (PARTITION BY shop ORDER BY price DESC NULLS LAST, total) <= 4`,
  'keyed: having, of groups that leave and come back': `SELECT shop, coalesce(n % 4, 0) AS rest, count(*) AS c, avg(price) AS p FROM readings
     GROUP BY shop, rest HAVING count(*) % 2 = 1 AND max(price) > 1`,
  'keyed: rows of groups by a condition, renamed': `WITH counted AS (SELECT shop AS s, coalesce(device, '-') AS d, count(*) AS c, sum(n) AS t FROM readings GROUP BY ALL HAVING count(*) % 3 <> 0)
     SELECT d AS device, t + 1 AS total, s AS shop FROM counted WHERE t % 2 = 0`,
  'keyed: having, of groups over groups': `SELECT shop, rest, max(c) AS m, count(*) AS k FROM
     (SELECT shop, coalesce(n % 5, 0) AS rest, coalesce(device, '-') AS d, count(*) AS c FROM readings GROUP BY ALL) GROUP BY shop, rest HAVING sum(c) % 3 > 0`,
  'keyed: groups by what their groups have': `SELECT c, count(*) AS often, sum(c) AS rows, max(shop) AS last FROM
     (SELECT shop, n, device, count(*) AS c FROM readings GROUP BY ALL) GROUP BY c`,
  'keyed: groups over groups that leave by having and come back': `SELECT shop, count(*) AS k, sum(c) AS rows, max(p) AS p, median(t) AS m, bool_or(b) AS b FROM
     (SELECT shop, n, count(*) AS c, max(price) AS p, sum(n) AS t, bool_and(ok) AS b FROM readings GROUP BY ALL HAVING count(*) % 3 = 1) GROUP BY shop`,
  'keyed: groups over groups that a condition between takes away': `WITH counted AS (SELECT device, n % 5 AS rest, count(*) AS c, sum(price) AS p FROM readings GROUP BY ALL),
       named AS (SELECT coalesce(device, '-') || rest AS name, device AS d, c * 2 AS twice, p FROM counted WHERE p IS NOT NULL)
     SELECT d, twice % 8 AS rest, count(*) AS k, sum(p) AS p, min(name) AS first FROM named WHERE twice % 3 <> 0 GROUP BY d, rest`,
  'keyed: groups of groups by their size, over groups of groups': `SELECT often, count(*) AS k, sum(c) FILTER (WHERE c > 1) AS s FROM
     (SELECT c, count(*) AS often FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL HAVING count(*) > 1) GROUP BY c HAVING count(*) % 4 > 0)
     WHERE c % 5 > 0 GROUP BY often HAVING count(*) < 4`,
  'keyed: distinct values of groups': `SELECT DISTINCT c % 6 AS c, xs IS NULL AS empty FROM (SELECT n, device, count(*) AS c, max(price) AS xs FROM readings GROUP BY ALL) WHERE c < 7`,
  'keyed: distinct values of groups that are counted': `SELECT shop, count(c) AS sizes FROM
     (SELECT DISTINCT shop, c FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL)) GROUP BY shop`,
  'keyed: groups by the same twice': `SELECT c, c AS again, count(*) AS often FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL) GROUP BY ALL`,
  'keyed: groups of groups that go out of sight': `SELECT k, count(*) AS c, sum(s) AS s FROM (SELECT count(*) AS k, sum(n) AS s FROM
     (SELECT n, shop, count(*) AS c FROM readings GROUP BY ALL) GROUP BY c % 2, shop) GROUP BY k`,
  'keyed: the best groups': `SELECT n, device, count(*) AS c FROM readings GROUP BY n, device QUALIFY row_number() OVER (ORDER BY c DESC, device) <= 10`,
  'keyed: the best groups of each shop, with their place': `SELECT shop, n, count(*) AS c, sum(price) AS p, row_number() OVER (PARTITION BY shop ORDER BY count(*) DESC, sum(price) NULLS FIRST) AS place
     FROM readings GROUP BY shop, n HAVING count(*) % 4 > 0 QUALIFY row_number() OVER (PARTITION BY shop ORDER BY count(*) DESC, sum(price) NULLS FIRST) <= 5`,
  'keyed: groups of the first ranks': `SELECT shop, n, count(*) AS c FROM readings GROUP BY shop, n QUALIFY rank() OVER (PARTITION BY shop ORDER BY count(*) DESC) <= 3`,
  'keyed: groups of the first ranks, with their ranks': `WITH counted AS (SELECT n, device, ok, count(*) AS c, max(heat) AS h FROM readings GROUP BY ALL)
     SELECT c, rank() OVER (PARTITION BY ok ORDER BY c DESC) AS place, device AS d, n, ok, h FROM counted WHERE c % 5 <> 4
     QUALIFY rank() OVER (PARTITION BY ok ORDER BY c DESC) <= 7`,
  'keyed: the best groups of a size': `SELECT * FROM (SELECT n, shop, device, c, row_number() OVER (PARTITION BY c % 3 ORDER BY p DESC NULLS LAST, h) AS place FROM
     (SELECT n, shop, device, count(*) AS c, sum(price) AS p, min(heat) AS h FROM readings GROUP BY ALL)) WHERE place < 5 AND c > 1`,
  'keyed: one group of each size': `SELECT DISTINCT ON (c) c, n, device, big FROM (SELECT n, device, max(big) AS big, count(*) AS c FROM readings GROUP BY ALL) ORDER BY c, big DESC`,
  'keyed: groups over the best groups': `SELECT shop, count(*) AS k, sum(c) AS c, max(p) AS p FROM (SELECT shop, count(*) AS c, max(price) AS p FROM readings GROUP BY shop, n
     QUALIFY rank() OVER (ORDER BY count(*) DESC) <= 12) GROUP BY shop`,
  'keyed: the best of the best groups': `SELECT n, shop, device, c FROM (SELECT n, shop, device, count(*) AS c FROM readings GROUP BY n, shop, device
       QUALIFY row_number() OVER (PARTITION BY shop ORDER BY count(*) DESC) <= 6) WHERE device IS NULL OR device <> 'a'
     QUALIFY row_number() OVER (ORDER BY c, n DESC) <= 5`,
  'keyed: the best groups of groups by their size': `SELECT c, often FROM (SELECT c, count(*) AS often FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL) GROUP BY c)
     QUALIFY row_number() OVER (ORDER BY often DESC) <= 4`,
  'keyed: all of the groups': `SELECT device, n % 4 AS rest, count(*) AS c, rank() OVER (ORDER BY count(*)) AS place FROM readings GROUP BY device, rest QUALIFY rank() OVER (ORDER BY count(*)) <= 1000`,
  'keyed: groups of null': `SELECT device, n % 3 AS rest, day, count(*) AS c, count(device) AS cd, sum(price) AS p, max(seen) AS last FROM readings GROUP BY ALL`,
  'keyed: distinct values and null': `SELECT DISTINCT device, n % 5 AS class, heat FROM readings`,
  'keyed: the last row of a key that may be null': `SELECT device, n % 2 AS rest, price, seen FROM readings
     QUALIFY row_number() OVER (PARTITION BY device, rest ORDER BY seen DESC) = 1`,
  'keyed: the best rows of a key that may be null': `SELECT device, row_number() OVER (PARTITION BY device ORDER BY price DESC NULLS LAST, total) AS place, price, n FROM readings
     QUALIFY row_number() OVER (PARTITION BY device ORDER BY price DESC NULLS LAST, total) <= 3`,
  'keyed: having, of groups of null': `SELECT device, n % 4 AS rest, count(*) AS c FROM readings GROUP BY ALL HAVING count(*) % 2 = 1`,
  'keyed: groups of null over such groups': `SELECT device, sum(c) AS rows, count(*) AS k, max(m) AS m FROM
     (SELECT device, n % 5 AS rest, count(*) AS c, max(price) AS m FROM readings GROUP BY ALL) GROUP BY device`,
  'keyed: the first rows of all': `SELECT row_number() OVER (ORDER BY price DESC NULLS LAST, n) AS rank, price, n, device FROM readings
     QUALIFY row_number() OVER (ORDER BY price DESC NULLS LAST, n) <= 7`,
  'keyed: by arrival': `SELECT shop, _offset AS at, n FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY _ingested_at DESC) = 1`,
}

for (const [name, sql] of Object.entries(QUERIES)) {
  test(name, async () => {
    const { node } = await parser.parse(sql)
    const query = compileLive(node, () => SHAPE)
    const shape = shapeOfRelation(query.root, () => SHAPE)
    let [rows, closed, open, spilled] = [0, 0, 0, 0]
    for (const [round, log] of logs.entries()) {
      const random = seededRandom(seed + round)
      const expected = (await expectedRows(ask, query, shape, () => `readings${round}`)).sort()
      rows += expected.length
      const ended = run(query, shape, log, random, true)
      assert.deepEqual([...ended.rows].sort(), expected, `seed ${seed}`)
      const spills = SPILLING.test(name)
      if (spills) {
        // Nothing at all has room, or some.
        const tight = run(query, shape, log, random, true, round % 2 === 0 ? 1 : 500 + integer(random, 3_000))
        assert.deepEqual([...tight.rows].sort(), expected, `with little memory, seed ${seed}`)
        spilled += tight.spilled
      }
      if (query.result !== 'closing') continue
      const halted = run(query, shape, log, random, false)
      assert.deepEqual([...halted.rows, ...halted.open].sort(), expected, `final and open together, seed ${seed}`)
      closed += halted.rows.length
      open += halted.open.length
    }
    assert.ok(rows > logs.length, `only ${rows} rows`)
    if (SPILLING.test(name)) assert.ok(spilled > 20, `something was spilled ${spilled} times`)
    if (query.result === 'closing') assert.ok(closed > 0 && open > 0, `${closed} rows were final, ${open} open`)
  })
}

/** Over all rows: one row, which is there before any other. */
const WHOLE: Readonly<Record<string, string>> = {
  'every aggregate': `SELECT count(*) AS c, count(device) AS cd, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp, sum(total) AS st, sum(heat) AS sh, avg(price) AS ap,
     min(heat) AS mh, max(device) AS xd, count(DISTINCT n) AS dn, arg_min(day, heat) AS ad, bool_and(ok) AS ba, max(seen) AS last FROM readings`,
  'lists of texts': `SELECT ${LISTS} FROM readings`,
  'lists of texts, over groups': `SELECT string_agg(d, '/' ORDER BY d DESC) AS l FROM (SELECT n, max(device) AS d FROM readings GROUP BY n HAVING count(*) % 3 > 0)`,
  'variances, sums of distinct values': `SELECT ${SPREADS}, ${DISTINCT} FROM readings`,
  quantiles: `SELECT ${QUANTILES} FROM readings`,
  'with a condition and expressions': `SELECT sum(price) FILTER (WHERE ok) / count(*) AS mean, coalesce(max(n), -1) AS most, 'all' AS name FROM readings WHERE shop <> 'a'`,
  'of no row that passes': `SELECT count(*) AS c, sum(n) AS s FROM readings WHERE n > 1000000`,
  'having, that leaves and comes back': 'SELECT count(*) AS c, sum(n) AS s FROM readings HAVING count(*) % 2 = 1',
  'having, of the other half': 'SELECT count(*) AS c, sum(n) AS s FROM readings HAVING count(*) % 2 = 0',
  'over groups by a condition, which they leave and come back to': `SELECT count(*) AS c, sum(t) AS s, max(k) AS m, median(t) AS med FROM
     (SELECT shop, coalesce(n % 9, 0) AS r, CAST(sum(n) AS BIGINT) AS t, count(*) AS k FROM readings GROUP BY ALL) WHERE t % 3 = 1 AND k < 12`,
  'over groups': `SELECT count(*) AS devices, sum(c) AS rows, max(m) AS m FROM (SELECT device, count(*) AS c, max(price) AS m FROM readings GROUP BY device)`,
  'over groups by having': `SELECT count(*) AS c, sum(k) AS k, bool_and(b) AS b FROM
     (SELECT shop, n, count(*) AS k, bool_or(ok) AS b FROM readings GROUP BY ALL HAVING count(*) % 2 = 1)`,
  'over groups over groups by their size': `SELECT count(*) AS sizes, sum(k) AS k, max(c) AS c FROM
     (SELECT c, count(*) AS k FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL) GROUP BY c HAVING count(*) > 1)`,
  'its last row': 'SELECT shop, seen, price FROM readings QUALIFY row_number() OVER (ORDER BY seen DESC) = 1',
  'the best of one':
    'SELECT count(*) AS c, max(n) AS s FROM readings HAVING count(*) % 3 > 0 QUALIFY row_number() OVER (ORDER BY count(*)) = 1',
  'over the best groups': `SELECT count(*) AS c, sum(k) AS k, max(d) AS d FROM
     (SELECT device AS d, n, count(*) AS k FROM readings GROUP BY device, n QUALIFY row_number() OVER (PARTITION BY device ORDER BY count(*) DESC) <= 3)`,
  'over a whole': 'SELECT max(c) AS c, count(*) AS one, min(s) AS s FROM (SELECT count(*) AS c, max(n) AS s FROM readings)',
  'of sums of integers': `SELECT ${OF_SUMS} FROM (SELECT shop, n % 7 AS rest, sum(n) AS t FROM readings GROUP BY ALL)`,
  'of sums of windows': `SELECT ${OF_SUMS}, count(DISTINCT t) AS kt, arg_max(window_start, t) AS wt FROM (SELECT window_start, shop, sum(n) AS t FROM ${TUMBLE} GROUP BY ALL)`,
  'over windows': `SELECT count(*) AS windows, sum(c) AS rows FROM (SELECT window_start, count(*) AS c FROM ${TUMBLE} GROUP BY ALL)`,
  'over distinct rows': 'SELECT count(*) AS c, count(device) AS cd FROM (SELECT DISTINCT device, n FROM readings)',
  'rows of it by a condition': 'SELECT c + 1 AS more FROM (SELECT count(*) AS c FROM readings) WHERE c % 2 = 0',
}

for (const [name, sql] of Object.entries(WHOLE)) {
  test(`the whole stream: ${name}`, async () => {
    const { node } = await parser.parse(sql)
    const query = compileLive(node, () => SHAPE)
    assert.deepEqual([query.result, query.key], ['keyed', []])
    const shape = shapeOfRelation(query.root, () => SHAPE)
    for (const [round, log] of logs.entries()) {
      const random = seededRandom(seed + round)
      const expected = await expectedRows(ask, query, shape, () => `readings${round}`)
      for (const memory of [Number.POSITIVE_INFINITY, 1])
        assert.deepEqual(run(query, shape, log, random, true, memory).rows, expected, `seed ${seed}, memory ${memory}`)
    }
    const none = run(query, shape, { reads: [] } as unknown as Log, seededRandom(seed), true)
    assert.deepEqual(none.rows, await expectedRows(ask, query, shape, () => '(SELECT * FROM readings0 WHERE false)'), 'before any row')
  })
}

/** What is said in other words before it is read gives what DuckDB makes of the words themselves. */
const REWRITTEN: Readonly<Record<string, string>> = {
  'the first groups by ORDER BY and LIMIT': `SELECT n, device, count(*) AS c FROM readings GROUP BY ALL ORDER BY c DESC, n, device NULLS FIRST LIMIT 10`,
  'by places in the list, with HAVING': `SELECT shop, n % 7 AS rest, sum(price) AS p FROM readings WHERE ok GROUP BY shop, rest HAVING count(*) > 3 ORDER BY 3 DESC NULLS LAST, 1, 2 LIMIT 4`,
  'by an output whose name a column has': `SELECT device, -count(*) AS n FROM readings GROUP BY device ORDER BY n, device NULLS FIRST LIMIT 3`,
  'by a column that is no output': `SELECT shop, device FROM readings ORDER BY price DESC NULLS LAST, _ingested_at, _partition, _offset LIMIT 1`,
  'of a subquery, grouped': `SELECT shop, sum(c) AS c FROM (SELECT shop, n, count(*) AS c FROM readings GROUP BY ALL ORDER BY c DESC, shop, n LIMIT 12) GROUP BY shop`,
  'UNION of unlike rows': `SELECT shop, device FROM readings WHERE n > 0 UNION SELECT shop, 'none' FROM readings WHERE device IS NULL`,
  'UNION over UNION ALL, by name, counted': `WITH w AS (SELECT n AS a FROM readings UNION ALL SELECT n + 3 FROM readings UNION BY NAME SELECT shop AS b, 2 AS a FROM readings)
     SELECT b, count(*) AS c, sum(a) AS s FROM w GROUP BY b`,
}

for (const [name, sql] of Object.entries(REWRITTEN)) {
  test(`in other words: ${name}`, async () => {
    const query = compileLive((await parser.parse(sql)).node, () => SHAPE)
    const shape = shapeOfRelation(query.root, () => SHAPE)
    for (const [round, log] of logs.entries()) {
      const own = sql.replaceAll(/\breadings\b/g, `readings${round}`)
      const expected = (await expectedRows(ask, query, shape, () => '', own)).sort()
      assert.ok(expected.length > 0, sql)
      assert.deepEqual([...run(query, shape, log, seededRandom(seed + round), true).rows].sort(), expected, `seed ${seed}`)
    }
  })
}

test('a group by what all rows have moves with them, and goes with them', async () => {
  const sql =
    'SELECT c % 3 AS rest, count(*) AS one, min(c) AS c FROM (SELECT count(*) AS c FROM readings HAVING count(*) % 2 = 1) GROUP BY rest'
  const query = compileLive((await parser.parse(sql)).node, () => SHAPE)
  assert.ok(query.loses)
  const shape = shapeOfRelation(query.root, () => SHAPE)
  const chain = new Chain(query, () => SHAPE, shape)
  chain.restore(null)
  const out: ColumnBatch[] = []
  const rows = rowsOf(seededRandom(seed), 0, 40, { offset: 0, ms: 0 })
  for (const [at, row] of rows.entries()) {
    chain.take('readings', batchOf(SHAPE, [row]), null, 1)
    const batch = chain.changed()
    if (batch) out.push({ ...batch, shape })
    const count = at + 1
    const expected = count % 2 === 1 ? [`${count % 3} | 1 | ${count}`] : []
    assert.deepEqual(latest(there(out, query.key, shape), query.key, shape), expected)
  }
})

test('approx_count_distinct does not depend on the order of rows, and is off by a few percent', async () => {
  const shape: Shape = { fields: [field('seen', { kind: 'timestamp' }), field('v', { kind: 'long' }), ...SYSTEM_FIELDS] }
  const { node } = await parser.parse(
    'SELECT window_start, approx_count_distinct(v) AS d FROM hop(r, seen, INTERVAL 1 MINUTE, INTERVAL 3 MINUTE) GROUP BY ALL',
  )
  const query = compileLive(node, () => shape)
  const model = shapeOfRelation(query.root, () => shape)
  for (const distinct of [10, 250, 5_000, 40_000]) {
    const rows = Array.from({ length: distinct * 2 }, (_, i): Plain[] => [
      BigInt((i % 180) * 1_000_000),
      BigInt((i % distinct) * 977),
      0,
      BigInt(i),
      0n,
    ])
    const results = [rows, [...rows].reverse()].map((own) => {
      const chain = new Chain(query, () => shape, model)
      chain.restore(null)
      chain.take('r', batchOf(shape, own), null, own.length)
      const batch = chain.advance(Number.MAX_SAFE_INTEGER)!
      return Array.from({ length: batch.rows }, (_, row) => Number(valueAt(batch, 1, row)))
    })
    assert.deepEqual(results[0], results[1])
    // The window of minutes 0 to 3 has every value.
    const whole = results[0]![2]!
    assert.ok(Math.abs(whole - distinct) <= (distinct <= 250 ? 0 : distinct * 0.08), `${whole} for ${distinct}`)
  }
})

test('columns without an alias have the names that DuckDB gives them, whatever their case in the SQL', async () => {
  const { session } = engine
  await session.run('CREATE TEMP TABLE readings (shop VARCHAR, device VARCHAR, n INTEGER)')
  for (const sql of [
    'SELECT SHOP, Readings.N, Device FROM readings',
    'SELECT Shop, max(N), COUNT(*), count(readings.DEVICE) FROM readings GROUP BY SHOP',
    'SELECT S, c.M FROM (SELECT shop AS s, max(n) AS m FROM readings GROUP BY shop) AS C',
  ]) {
    const { root } = compileLive((await parser.parse(sql)).node, () => SHAPE)
    const names = shapeOfRelation(root, () => SHAPE).fields.map(({ name }) => name)
    const { columns } = await session.rows(sql)
    assert.deepEqual(
      names,
      columns.map(({ name }) => name),
      sql,
    )
  }
})

test('rows that are not of the closed list are refused with their place and what is near', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['SELECT 1 AS one FROM readings GROUP BY ALL', /a group by nothing without an aggregate/],
    [
      'SELECT n, count(*) AS c FROM (SELECT shop, n FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY seen DESC) = 1) GROUP BY n',
      /a group over rows that are replaced by QUALIFY/,
    ],
    [
      'SELECT shop, n FROM (SELECT shop, n FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY seen DESC) = 1) WHERE n > 3',
      /WHERE over rows that are replaced, which would have to leave the table again/,
    ],
    [
      'SELECT c, arg_max(shop, n) AS k FROM (SELECT shop, max(n) AS n, count(*) AS c FROM readings GROUP BY ALL HAVING count(*) > 1) GROUP BY c',
      /arg_max\(\.\.\.\) over rows that are replaced/,
    ],
    [
      `SELECT shop, n FROM (SELECT shop, n FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY seen DESC) = 1)
       QUALIFY row_number() OVER (PARTITION BY n ORDER BY shop) = 1`,
      /QUALIFY over rows that are replaced by QUALIFY/,
    ],
    [
      'SELECT c FROM (SELECT count(*) AS c FROM readings GROUP BY shop) QUALIFY row_number() OVER (ORDER BY c) <= 3',
      /QUALIFY over groups whose key is not selected/,
    ],
    [
      'SELECT count(*) AS c FROM readings GROUP BY shop QUALIFY row_number() OVER (ORDER BY c) <= 3',
      /grouping or partitioning by what is not selected/,
    ],
    [
      `SELECT device, window_start, window_end, count(*) AS c FROM session(readings, seen, INTERVAL 1 MINUTE, key := device)
       GROUP BY device, window_start, window_end QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY c) = 1`,
      /QUALIFY over groups of sessions/,
    ],
    ['SELECT * FROM readings ORDER BY n', /ORDER BY or LIMIT/],
    ['SELECT * FROM readings LIMIT 3', /ORDER BY or LIMIT/],
    ['SELECT shop, count(*) AS c FROM readings GROUP BY ALL ORDER BY c LIMIT 3 OFFSET 2', /LIMIT with OFFSET \(character 81\)/],
    ['SELECT DISTINCT shop FROM readings ORDER BY shop LIMIT 3', /LIMIT beside DISTINCT/],
    ['SELECT DISTINCT ON (shop) shop, n FROM readings ORDER BY shop, seen LIMIT 3', /LIMIT beside QUALIFY or DISTINCT ON/],
    ['SELECT shop, count(*) AS c FROM readings GROUP BY ALL ORDER BY ALL LIMIT 3', /this ORDER BY/],
    ['SELECT shop, count(*) AS c FROM readings GROUP BY ALL ORDER BY 7 LIMIT 3', /ORDER BY a constant/],
    ['SELECT n FROM readings UNION SELECT n FROM readings ORDER BY n LIMIT 3', /ORDER BY or LIMIT over a UNION/],
    ['SELECT n FROM readings EXCEPT SELECT n FROM readings', /a set operation other than UNION/],
    ['SELECT mode(n) FROM readings GROUP BY shop', /mode\(\.\.\.\) \(character 8\)/],
    [
      'SELECT shop, quantile_cont(n, [0.1, 0.9]) AS q FROM readings GROUP BY shop',
      /quantile_cont\(\.\.\.\) of other than one constant fraction from 0 to 1/,
    ],
    ['SELECT shop, quantile_disc(n, -0.5) AS q FROM readings GROUP BY shop', /quantile_disc\(\.\.\.\) of other than one constant fraction/],
    ['SELECT shop, quantile_cont(n, heat) AS q FROM readings GROUP BY shop', /of other than one constant fraction/],
    ['SELECT shop, quantile_cont(n) AS q FROM readings GROUP BY shop', /this quantile_cont\(\.\.\.\)/],
    ['SELECT shop, quantile_cont(device, 0.9) AS q FROM readings GROUP BY shop', /quantile_cont of string \(character 14\)/],
    ['SELECT shop, quantile_cont(ok, 0.9) AS q FROM readings GROUP BY shop', /quantile_cont of boolean/],
    [
      'SELECT shop, percentile_cont(0.9) WITHIN GROUP (ORDER BY n DESC) AS q FROM readings GROUP BY shop',
      /a percentile in descending order/,
    ],
    [
      "SELECT shop, string_agg(device, ',') AS l FROM readings GROUP BY shop",
      /string_agg\(\.\.\.\) of texts in another order than their own/,
    ],
    ["SELECT shop, string_agg(device, ',' ORDER BY seen) AS l FROM readings GROUP BY shop", /in another order than their own/],
    ['SELECT shop, string_agg(device, shop ORDER BY device) AS l FROM readings GROUP BY shop', /with a separator that is no constant text/],
    ["SELECT shop, string_agg(n, ',' ORDER BY n) AS l FROM readings GROUP BY shop", /string_agg of int/],
    [
      "SELECT shop, string_agg(device, ',' ORDER BY device) OVER (PARTITION BY shop ORDER BY seen) AS l FROM readings",
      /string_agg\(\.\.\.\)/,
    ],
    ['SELECT any_value(n) AS n FROM readings GROUP BY shop', /any_value\(\.\.\.\) \(character 8\)/],
    ['SELECT stddev(device) AS d FROM readings GROUP BY shop', /stddev of string \(character 8\)/],
    ['SELECT variance(DISTINCT n) AS d FROM readings GROUP BY shop', /variance\(DISTINCT \.\.\.\) \(character 8\)/],
    ['SELECT sum(n ORDER BY seen) AS s FROM readings GROUP BY shop', /ORDER BY in an aggregate \(character 8\)/],
    ['SELECT a.n FROM readings a LEFT JOIN readings b ON a.n = b.n', /a left join without bounds between the times of both sides/],
    ['SELECT shop, sqrt(n) AS q FROM readings', /sqrt\(\.\.\.\) \(character 14\)/],
    ['SELECT shop, n + device AS q FROM readings', /the operator \+ of int and string \(character 16\)/],
    [
      'SELECT shop, window_start, count(*) AS c FROM session(readings, seen, INTERVAL 1 MINUTE, key := device) GROUP BY ALL',
      /a session that is not grouped by its key/,
    ],
    [`SELECT n FROM readings WHERE seen > 'monday'`, /"monday" is no timestamp/],
    ['SELECT n FROM readings QUALIFY rank() OVER (PARTITION BY shop ORDER BY n) = 1', /rank\(\) without a window/],
    ['SELECT shop, n FROM readings QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n) <= 3', /without its rank as a column/],
    [`SELECT n FROM readings WHERE regexp_matches(shop, '(?=a)b')`, /RE2 and JavaScript may read differently/],
    [
      `SELECT regexp_extract(shop, '(?:(a)|b)*', 1) AS s FROM readings`,
      /regexp_extract\(\.\.\.\) with the pattern .*, which repeats a group/,
    ],
    [`SELECT regexp_extract(shop, '(a)b', 2) AS s FROM readings`, /regexp_extract\(\.\.\.\) with the group 2/],
    [
      `SELECT regexp_replace(shop, 'x*', '-', 'g') AS s FROM readings`,
      /regexp_replace\(\.\.\.\) of all matches of x\*, which may be empty,/,
    ],
    [`SELECT regexp_replace(shop, '(a)', '\\2') AS s FROM readings`, /regexp_replace\(\.\.\.\) with the replacement/],
    [`SELECT regexp_replace(shop, 'a', 'b', 'i') AS s FROM readings`, /regexp_replace\(\.\.\.\) with options other than 'g'/],
  ]
  for (const [sql, message] of refusals) {
    const { node } = await parser.parse(sql)
    assert.throws(() => compileLive(node, () => SHAPE), { code: 'MR_PLAN_LIVE_SHAPE', message }, sql)
  }
  const { node } = await parser.parse('SELECT shop, mode(device) AS m FROM readings GROUP BY shop')
  assert.throws(() => compileLive(node, () => SHAPE), { fix: /takes one by chance\. Count each .* arg_max\(x, n\) FROM/ })
})
