// Queries over Nexmark's streams whose rows depend on the time of others: values before, windows over computed rows, ASOF joins. Their
// lengths are counts of a unit in which 25 events happen.
import { enginesFor, testAlike } from './engines.ts'

type Unit = 'milliseconds' | 'seconds'

/** One test a query, over 600 of the unit: Flink, Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed. */
export function testTimeQueries(unit: Unit): void {
  testAlike(enginesFor(300, unit === 'milliseconds' ? 25_000 : 25), timeQueries(unit), { rowsMin: 5 })
}

function timeQueries(unit: Unit): Readonly<Record<string, string>> {
  const of = (count: number): string => `INTERVAL '${count} ${unit}'`

  const EVERY = `SELECT date_time, 'bid' AS kind, bidder AS who, CAST(1 AS BIGINT) AS best FROM bid UNION ALL SELECT date_time, 'auction', nullif(seller, 1005), nullif(category, 10) FROM auction
    UNION ALL SELECT date_time, 'person', id, CAST(2 AS BIGINT) FROM person`

  const CHANNELS = `SELECT window_start, window_end, channel, count(*) AS bids FROM tumble(bid, date_time, ${of(10)}) GROUP BY ALL`

  return {
    'the value before, of each type and of null': `SELECT auction, bidder, date_time, price, lag(channel) OVER w AS channel, lag(CASE WHEN price > 10000 THEN price END) OVER w AS large,
       lag(CAST(price AS DECIMAL(18, 2)) / 100) OVER w AS dollars, lag(date_time) OVER w AS last, lag(price > 1000) OVER w AS dear, lag(CAST(price AS DOUBLE)) OVER w AS exact
       FROM bid WINDOW w AS (PARTITION BY auction % 7 ORDER BY date_time)`,
    'the value three rows before, or another where there is none': `SELECT auction, bidder, date_time, lag(price, 3, price) OVER (PARTITION BY auction ORDER BY date_time) AS third,
       lag(nullif(channel, 'Apple'), 3, 'none') OVER (PARTITION BY auction ORDER BY date_time) AS channel FROM bid`,
    'rows numbered as they come': `SELECT auction, bidder, price, row_number() OVER (PARTITION BY auction ORDER BY date_time) AS number FROM bid`,
    'the value before of all rows': `SELECT bidder, price, date_time, price - lag(price) OVER (ORDER BY date_time) AS more FROM bid WHERE price > 500`,
    'the value before, beside a running total of another partition': `SELECT bidder, date_time, lag(nullif(channel, 'Apple')) OVER (PARTITION BY auction ORDER BY date_time) AS channel,
       sum(price) OVER (PARTITION BY bidder ORDER BY date_time) AS total FROM bid`,
    'running totals beside each other': `SELECT auction, bidder, date_time, sum(price) OVER (PARTITION BY auction ORDER BY date_time) AS a, count(*) OVER (ORDER BY date_time) AS b,
       max(price) OVER (PARTITION BY bidder ORDER BY date_time) AS c FROM bid`,
    'hop over a union, with texts of several lengths and nulls': `WITH every AS (${EVERY})
       SELECT window_start, window_end, kind, count(who) AS events, max(who) AS newest, max(best) AS best FROM hop(every, date_time, ${of(40)}, ${of(120)}) GROUP BY window_start, window_end, kind`,
    'session over a union, with gaps of exactly its length': `WITH every AS (${EVERY})
       SELECT who, window_start, window_end, count(*) AS events, max(kind) AS kind FROM session(every, date_time, ${of(9)}, key := who) WHERE who IS NOT NULL GROUP BY ALL`,
    'a running total over a union': `WITH every AS (${EVERY}) SELECT date_time, kind, who, count(*) OVER (PARTITION BY who ORDER BY date_time) AS n FROM every`,
    'session over filtered rows': `WITH dear AS (SELECT date_time AS seen, price * 2 AS price, auction FROM bid WHERE price > 100)
       SELECT auction, window_start, window_end, max(price) AS most FROM session(dear, seen, ${of(4)}, key := auction) WHERE price % 3 = 0 GROUP BY ALL`,
    'windows over windows, by their ends': `WITH w AS (${CHANNELS}) SELECT window_start, window_end, channel, max(bids) AS most, avg(bids) AS mean FROM tumble(w, window_end, ${of(50)}) GROUP BY ALL`,
    'windows over windows, by their starts': `WITH w AS (${CHANNELS}) SELECT window_start, window_end, channel, max(bids) AS most FROM tumble(w, window_start, ${of(50)}) GROUP BY ALL`,
    'hop over hop': `WITH w AS (SELECT window_end AS ends, channel, count(*) AS bids FROM hop(bid, date_time, ${of(10)}, ${of(30)}) GROUP BY ALL)
       SELECT window_start, window_end, sum(bids) AS bids, count(*) AS n FROM hop(w, ends, ${of(50)}, ${of(100)}) WHERE bids > 1 GROUP BY ALL`,
    'windows over the starts of hop': `WITH w AS (SELECT window_start AS starts, window_end AS ends, channel, count(*) AS bids FROM hop(bid, date_time, ${of(10)}, ${of(30)}) GROUP BY ALL)
       SELECT window_start, window_end, sum(bids) AS bids, count(*) AS n, max(ends) AS last FROM tumble(w, starts, ${of(15)}) GROUP BY ALL`,
    'windows over sessions, and sessions over windows': `WITH w AS (SELECT window_start, window_end, bidder, count(*) AS bids FROM tumble(bid, date_time, ${of(10)}) GROUP BY ALL),
       s AS (SELECT bidder, window_start AS starts, window_end AS ends, sum(bids) AS bids FROM session(w, window_end, ${of(20)}, key := bidder) GROUP BY bidder, window_start, window_end)
       SELECT window_start, window_end, sum(bids) AS bids, count(*) AS n, min(starts) AS first FROM tumble(s, ends, ${of(10)}) GROUP BY ALL`,
    'windows three deep': `WITH w AS (${CHANNELS}), v AS (SELECT window_start, window_end, max(bids) AS most FROM tumble(w, window_end, ${of(50)}) GROUP BY ALL)
       SELECT window_start, window_end, sum(most) AS most FROM tumble(v, window_start, ${of(100)}) GROUP BY ALL`,
    'windows over a join, over values before and over tops': `WITH j AS (SELECT b.date_time AS seen, b.price, a.category FROM bid b JOIN auction a
         ON b.auction = a.id AND a.date_time BETWEEN b.date_time - ${of(50)} AND b.date_time),
       l AS (SELECT date_time AS seen, price - lag(price) OVER (PARTITION BY auction ORDER BY date_time) AS more FROM bid),
       t AS (SELECT window_end AS seen, price FROM tumble(bid, date_time, ${of(10)}) QUALIFY row_number() OVER (PARTITION BY window_start, channel ORDER BY price DESC) <= 2)
       SELECT window_start, 'j' AS kind, sum(price) AS total, count(*) AS n FROM tumble(j, seen, ${of(50)}) GROUP BY ALL
       UNION ALL SELECT window_start, 'more', sum(more), count(more) FROM tumble(l, seen, ${of(50)}) GROUP BY ALL
       UNION ALL SELECT window_start, 'top', sum(price), count(*) FROM tumble(t, seen, ${of(50)}) GROUP BY ALL`,
    'groups over the rows of windows, and windows over those': `WITH w AS (${CHANNELS}), g AS (SELECT window_start, max(bids) AS most, max(window_end) AS ends FROM w WHERE bids < 30 GROUP BY window_start)
       SELECT window_start, window_end, sum(most) AS most, max(ends) AS ends FROM tumble(g, g.window_start, ${of(40)}) GROUP BY ALL`,
    'groups by the end of sessions': `WITH s AS (SELECT bidder, window_start AS starts, window_end AS ends, count(*) AS bids FROM session(bid, date_time, ${of(9)}, key := bidder) GROUP BY bidder, window_start, window_end)
       SELECT ends, sum(bids) AS bids, count(*) AS n, min(starts) AS first FROM s GROUP BY ends`,
    'groups over a union of windows': `WITH w AS (${CHANNELS} UNION ALL SELECT window_start, window_end, 'auction', count(*) FROM tumble(auction, date_time, ${of(10)}) GROUP BY ALL)
       SELECT window_start, sum(bids) AS n, max(channel) AS last FROM w GROUP BY window_start`,
    'a union of windows': `${CHANNELS} UNION ALL SELECT window_start, window_end, 'auction', count(*) FROM tumble(auction, date_time, ${of(10)}) GROUP BY ALL`,
    'values before and ranges of windows': `WITH w AS (${CHANNELS}) SELECT window_start, channel, bids - lag(bids) OVER (PARTITION BY channel ORDER BY window_start) AS more,
       sum(bids) OVER (PARTITION BY channel ORDER BY window_start RANGE BETWEEN ${of(20)} PRECEDING AND CURRENT ROW) AS recent FROM w`,
    'tops of the rows of windows': `WITH w AS (${CHANNELS}) SELECT window_start, channel, bids FROM w QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY bids DESC, channel) <= 2`,
    'a join of windows over windows': `WITH w AS (SELECT window_start, window_end, auction, count(*) AS bids FROM tumble(bid, date_time, ${of(10)}) GROUP BY ALL),
       v AS (SELECT window_start, window_end, auction, max(bids) AS most FROM tumble(w, window_end, ${of(50)}) GROUP BY ALL),
       a AS (SELECT window_start, window_end, id, category FROM tumble(auction, date_time, ${of(50)}) GROUP BY ALL)
       SELECT v.window_start, v.auction, v.most, a.category FROM v LEFT JOIN a ON v.auction = a.id AND v.window_start = a.window_start AND v.window_end = a.window_end`,
    'ASOF, with many rows of one time on both sides': `SELECT a.id, a.seller, a.date_time, b.price, b.bidder, b.date_time AS bid_at FROM auction a
       ASOF JOIN bid b ON a.seller % 20 = b.bidder % 20 AND a.date_time >= b.date_time WHERE b.price > 100`,
    'ASOF LEFT, of a right side with nulls, in the order of the log': `SELECT p.id, p.date_time, b.channel, b.dear, b.day, b.cents, b.date_time AS bid_at FROM person p ASOF LEFT JOIN
       (SELECT bidder, nullif(channel, 'Apple') AS channel, CASE WHEN price % 2 = 0 THEN price > 1000 END AS dear, CAST(date_time AS DATE) AS day, nullif(CAST(price AS DECIMAL(18, 2)), 234) AS cents,
         date_time, _ingested_at, _partition, _offset FROM bid) b ON p.id % 10 = b.bidder % 10 AND p.date_time >= b.date_time`,
    'ASOF three deep': `SELECT b.auction, b.price, b.date_time, x.category, x.name, p.city FROM bid b
       ASOF JOIN (SELECT a.id, a.date_time, a.category, p.name FROM auction a ASOF LEFT JOIN person p ON a.seller = p.id AND a.date_time >= p.date_time) x ON b.auction = x.id AND b.date_time >= x.date_time
       ASOF LEFT JOIN person p ON b.bidder = p.id AND b.date_time >= p.date_time`,
    'ASOF of windows, with what came before their end': `WITH w AS (SELECT window_end AS ends, seller, count(*) AS n FROM tumble(auction, date_time, ${of(50)}) GROUP BY ALL)
       SELECT w.ends, w.seller, w.n, b.price, b.date_time FROM w ASOF JOIN bid b ON b.bidder = w.seller AND w.ends > b.date_time`,
    'ASOF of windows with windows': `WITH w AS (SELECT window_end, auction, count(*) AS bids FROM tumble(bid, date_time, ${of(10)}) GROUP BY ALL),
       v AS (SELECT window_end AS ends, bidder % 100 AS key, count(*) AS n FROM tumble(bid, date_time, ${of(50)}) GROUP BY ALL)
       SELECT w.window_end, w.auction, w.bids, v.n FROM w ASOF LEFT JOIN v ON w.auction % 100 = v.key AND w.window_end >= v.ends`,
    'windows over ASOF': `WITH j AS (SELECT b.date_time AS seen, b.price, a.category FROM bid b ASOF LEFT JOIN auction a ON b.auction = a.id AND b.date_time >= a.date_time)
       SELECT window_start, category, sum(price) AS total, count(*) AS n FROM tumble(j, seen, ${of(50)}) GROUP BY ALL`,
  }
}
