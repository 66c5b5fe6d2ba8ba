// Aggregates over frames in a real Flink cluster, as `print-flink` writes them, over Nexmark's bids so close together that many have one
// time: Flink, Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enginesFor, sorted } from './engines.ts'

/** Twenty events a millisecond. */
const [FIFTIES, PER_SECOND] = [300, 20_000]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

const EVERY = `count(*) OVER w AS c, count(*) FILTER (WHERE price > 10000) OVER w AS large, sum(price) OVER w AS s, avg(price) OVER w AS mean, min(price) OVER w AS least,
  max(price) FILTER (WHERE bidder % 2 = 0) OVER w AS most, bool_or(price > 1000000) OVER w AS dear`

const QUERIES: Readonly<Record<string, string>> = {
  'a range, with the rows of its own time': `SELECT auction, bidder, price, date_time, ${EVERY} FROM bid
     WINDOW w AS (PARTITION BY auction ORDER BY date_time RANGE BETWEEN INTERVAL '5 milliseconds' PRECEDING AND CURRENT ROW)`,
  'a running total, of a partition that is computed': `SELECT bidder, price, date_time, ${EVERY} FROM bid WHERE price > 500 WINDOW w AS (PARTITION BY auction % 7 ORDER BY date_time)`,
  'a range of all rows': `SELECT bidder, price, date_time, ${EVERY} FROM bid WINDOW w AS (ORDER BY date_time RANGE BETWEEN INTERVAL '3 milliseconds' PRECEDING AND CURRENT ROW)`,
}

for (const [name, sql] of Object.entries(QUERIES))
  test(name, { skip }, async () => {
    const query = await engines().compile(sql)
    const expected = sorted(await engines().inDuckDb(query))
    const times = new Set(expected.map((row) => row.split(' | ')[sql.startsWith('SELECT auction') ? 3 : 2]))
    assert.ok(times.size < expected.length / 5, `${expected.length} rows of ${times.size} times`)
    assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
    assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
  })

test('variances, which Flink rounds more often, and sums of distinct values', { skip }, async () => {
  const query =
    await engines().compile(`SELECT window_start, auction % 5 AS part, round(stddev(price) / 1000, 1) AS d, round(var_pop(price) / 1000000, 1) AS v,
    sum(DISTINCT price) AS s, avg(DISTINCT bidder) AS m FROM tumble(bid, date_time, INTERVAL 1 SECOND) GROUP BY window_start, part`)
  const expected = sorted(await engines().inDuckDb(query))
  assert.ok(expected.length >= 5)
  assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
  assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
})
