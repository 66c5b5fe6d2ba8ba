// What follows the time of rows in a real Flink cluster, as `print-flink` writes it, over Nexmark's streams so close together that many
// rows have one time: Flink, Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enginesFor, sorted } from './engines.ts'

/** 25 events a millisecond, so that all rows of one time lie in one partition, whose order Flink keeps. */
const [FIFTIES, PER_SECOND] = [300, 25_000]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

const QUERIES: Readonly<Record<string, string>> = {
  'the value before, of each type and of null': `SELECT auction, bidder, date_time, price, lag(channel) OVER w AS channel, lag(CASE WHEN price > 10000 THEN price END) OVER w AS large,
     lag(CAST(price AS DECIMAL(18, 2)) / 100) OVER w AS dollars, lag(date_time) OVER w AS last, lag(price > 1000) OVER w AS dear, lag(CAST(price AS DOUBLE)) OVER w AS exact
     FROM bid WINDOW w AS (PARTITION BY auction % 7 ORDER BY date_time)`,
  'the value before of all rows': `SELECT bidder, price, date_time, price - lag(price) OVER (ORDER BY date_time) AS more FROM bid WHERE price > 500`,
  'the value before, beside a running total of another partition': `SELECT bidder, date_time, lag(nullif(channel, 'Apple')) OVER (PARTITION BY auction ORDER BY date_time) AS channel,
     sum(price) OVER (PARTITION BY bidder ORDER BY date_time) AS total FROM bid`,
}

for (const [name, sql] of Object.entries(QUERIES))
  test(name, { skip }, async () => {
    const query = await engines().compile(sql)
    const expected = sorted(await engines().inDuckDb(query))
    assert.ok(expected.length >= 5, `${expected.length} rows`)
    assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
    assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
  })
