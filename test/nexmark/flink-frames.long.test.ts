// Aggregates over frames in a real Flink cluster, as `print-flink` writes them, over Nexmark's bids so close together that many have one
// time: Flink, Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { enginesFor, testAlike } from './engines.ts'

/** Twenty events a millisecond. */
const [FIFTIES, PER_SECOND] = [300, 20_000]

const EVERY = `count(*) OVER w AS c, count(*) FILTER (WHERE price > 10000) OVER w AS large, sum(price) OVER w AS s, avg(price) OVER w AS mean, min(price) OVER w AS least,
  max(price) FILTER (WHERE bidder % 2 = 0) OVER w AS most, bool_or(price > 1000000) OVER w AS dear`

const QUERIES: Readonly<Record<string, string>> = {
  'a range, with the rows of its own time': `SELECT auction, bidder, price, date_time, ${EVERY} FROM bid
     WINDOW w AS (PARTITION BY auction ORDER BY date_time RANGE BETWEEN INTERVAL '5 milliseconds' PRECEDING AND CURRENT ROW)`,
  'a running total, of a partition that is computed': `SELECT bidder, price, date_time, ${EVERY} FROM bid WHERE price > 500 WINDOW w AS (PARTITION BY auction % 7 ORDER BY date_time)`,
  'a range of all rows': `SELECT bidder, price, date_time, ${EVERY} FROM bid WINDOW w AS (ORDER BY date_time RANGE BETWEEN INTERVAL '3 milliseconds' PRECEDING AND CURRENT ROW)`,
}

testAlike(enginesFor(FIFTIES, PER_SECOND), QUERIES, {
  rowsMin: 2,
  check(sql, rows) {
    const times = new Set(rows.map((row) => row.split(' | ')[sql.startsWith('SELECT auction') ? 3 : 2]))
    assert.ok(times.size < rows.length / 5, `${rows.length} rows of ${times.size} times`)
  },
})
