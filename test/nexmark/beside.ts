// Other queries of Nexmark's shapes over Nexmark's streams, so that what is fast there is fast for what users write: each
// operator and kind of expression that live SQL and Flink both have, none of them a query of the suite.
import type { NexmarkQuery } from './queries.ts'

export const BESIDE: readonly NexmarkQuery[] = [
  {
    name: 'b0',
    about: 'a selection by text',
    sql: `SELECT bidder, upper(channel) AS channel, url FROM bid WHERE url LIKE '%item.htm%' AND NOT starts_with(channel, 'channel-1')`,
  },
  {
    name: 'b1',
    about: 'a calculation of decimals and conditions',
    sql: `SELECT auction, bidder, CAST(price AS DECIMAL(18, 2)) / 100 AS dollars, CAST(price * 1.19 AS DECIMAL(18, 2)) AS gross,
      CASE WHEN price > 1000000 THEN 'high' WHEN price > 10000 THEN 'middle' ELSE 'low' END AS class, coalesce(nullif(channel, 'Apple'), 'none') AS channel FROM bid`,
  },
  {
    name: 'b2',
    about: 'windows by a text',
    sql: `SELECT window_start, channel, count(*) AS bids, sum(price) AS total, min(price) AS least, max(price) AS most
      FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY window_start, channel`,
  },
  {
    name: 'b3',
    about: 'windows that overlap, with averages by a computed key',
    sql: `SELECT window_start, bidder % 100 AS part, avg(price) AS mean, max(date_time) AS last
      FROM hop(bid, date_time, INTERVAL 1 SECOND, INTERVAL 10 SECOND) GROUP BY window_start, part`,
  },
  {
    name: 'b4',
    about: 'distinct values in windows',
    sql: `SELECT window_start, auction, count(DISTINCT bidder) AS bidders, count(DISTINCT channel) AS channels
      FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY window_start, auction`,
  },
  {
    name: 'b5',
    about: 'the best three groups of a window',
    sql: `SELECT window_start, channel, sum(price) AS total FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY window_start, channel
      QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY sum(price) DESC) <= 3`,
  },
  {
    name: 'b6',
    about: 'sessions by auction, with conditions',
    sql: `SELECT auction, window_start, window_end, count(*) AS bids, max(price) AS most, count(*) FILTER (WHERE price > 10000) AS large
      FROM session(bid, date_time, INTERVAL 2 SECOND, key := auction) GROUP BY ALL`,
  },
  {
    name: 'b7',
    about: 'pairs within a time, or none',
    sql: `SELECT a.id, a.category, p.name, p.city FROM auction a LEFT JOIN person p
      ON a.seller = p.id AND p.date_time BETWEEN a.date_time - INTERVAL 10 SECOND AND a.date_time`,
  },
  {
    name: 'b8',
    about: 'bids with the auction that had begun',
    sql: `SELECT b.auction, b.bidder, b.price, a.category, a.reserve FROM bid b JOIN auction a
      ON b.auction = a.id AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL 20 SECOND WHERE b.price > a.reserve`,
  },
  {
    name: 'b9',
    about: 'windows of two streams',
    sql: `SELECT b.window_start, b.auction, b.bids, a.seller FROM
      (SELECT window_start, window_end, auction, count(*) AS bids FROM tumble(bid, date_time, INTERVAL 10 SECOND) GROUP BY ALL) b JOIN
      (SELECT window_start, window_end, id, seller FROM tumble(auction, date_time, INTERVAL 10 SECOND) GROUP BY ALL) a
      ON b.auction = a.id AND b.window_start = a.window_start AND b.window_end = a.window_end`,
  },
  {
    name: 'b10',
    about: 'three streams joined and grouped',
    sql: `SELECT p.state, a.category, count(*) AS bids, sum(b.price) AS total FROM bid b JOIN auction a ON b.auction = a.id JOIN person p ON a.seller = p.id
      GROUP BY p.state, a.category`,
  },
  {
    name: 'b11',
    about: 'distinct rows',
    sql: 'SELECT DISTINCT auction, bidder, channel FROM bid',
  },
  {
    name: 'b12',
    about: 'the first bid of a bidder',
    sql: `SELECT bidder, auction, price, date_time FROM bid QUALIFY row_number() OVER (PARTITION BY bidder ORDER BY date_time) = 1`,
  },
  {
    name: 'b13',
    about: 'groups by part of a text',
    sql: `SELECT split_part(url, '/', 4) AS dir, lower(channel) AS channel, count(*) AS bids, avg(price) AS mean, min(date_time) AS first
      FROM bid GROUP BY 1, 2`,
  },
  {
    name: 'b14',
    about: 'groups that fulfil a condition',
    sql: `SELECT bidder, count(*) AS bids, sum(price) AS total, bool_or(price > 1000000) AS rich FROM bid GROUP BY bidder HAVING count(*) >= 100`,
  },
  {
    name: 'b15',
    about: 'groups over groups',
    sql: `SELECT category, count(*) AS auctions, max(bids) AS most, avg(bids) AS mean FROM
      (SELECT a.id, a.category, count(*) AS bids FROM bid b JOIN auction a ON b.auction = a.id GROUP BY a.id, a.category) GROUP BY category`,
  },
  {
    name: 'b16',
    about: 'three streams as one, in windows',
    sql: `WITH every AS (SELECT date_time, 'bid' AS kind, bidder AS who FROM bid UNION ALL SELECT date_time, 'auction', seller FROM auction
        UNION ALL SELECT date_time, 'person', id FROM person)
      SELECT window_start, kind, count(*) AS events, max(who) AS newest FROM tumble(every, date_time, INTERVAL 10 SECOND) GROUP BY window_start, kind`,
  },
  {
    name: 'b17',
    about: 'the value before',
    sql: `SELECT auction, date_time, price, price - lag(price) OVER (PARTITION BY auction ORDER BY date_time) AS more FROM bid`,
  },
  {
    name: 'b18',
    about: 'aggregates over a range',
    sql: `SELECT bidder, date_time, price, count(*) OVER w AS bids, sum(price) OVER w AS total, max(price) OVER w AS most FROM bid
      WINDOW w AS (PARTITION BY bidder ORDER BY date_time RANGE BETWEEN INTERVAL 10 SECOND PRECEDING AND CURRENT ROW)`,
  },
  {
    name: 'b19',
    about: 'a running total',
    sql: `SELECT auction, date_time, price, sum(price) OVER w AS so_far, count(*) OVER w AS bids FROM bid WINDOW w AS (PARTITION BY auction ORDER BY date_time)`,
  },
  {
    name: 'b20',
    about: 'the five newest of a channel',
    sql: `SELECT channel, row_number() OVER (PARTITION BY channel ORDER BY date_time DESC, price DESC) AS place, auction, bidder, price, date_time FROM bid
      QUALIFY row_number() OVER (PARTITION BY channel ORDER BY date_time DESC, price DESC) <= 5`,
  },
  {
    name: 'b21',
    about: 'parts of times and texts',
    sql: `SELECT auction, CAST(year(date_time) AS VARCHAR) || '-' || lpad(CAST(month(date_time) AS VARCHAR), 2, '0') AS month, date_trunc('minute', date_time) AS minute,
      extract('dow' FROM date_time) AS weekday, substring(url, 9, 12) AS host, length(url) AS size, strpos(url, 'channel_id') AS at FROM bid`,
  },
  {
    name: 'b22',
    about: 'a text replaced by a pattern',
    sql: `SELECT auction, bidder, regexp_replace(url, 'channel_id=[0-9]+', 'channel_id=x') AS url FROM bid WHERE regexp_matches(url, 'item\\.htm')`,
  },
  {
    name: 'b23',
    about: 'one row over all',
    sql: `SELECT count(*) AS bids, sum(price) AS total, avg(price) AS mean, min(price) AS least, max(price) AS most, count(DISTINCT channel) AS channels FROM bid`,
  },
  {
    name: 'b24',
    about: 'spread by channel and minute',
    sql: `SELECT channel, date_trunc('minute', date_time) AS minute, count(*) AS bids, stddev(price) AS spread, arg_max(auction, price) AS best FROM bid GROUP BY 1, 2`,
    notInFlink: 'it has no arg_max',
  },
  {
    name: 'b25',
    about: 'the auction as it was when a bid came',
    sql: `SELECT b.auction, b.price, b.date_time, a.item_name, a.category FROM bid b ASOF JOIN auction a ON b.auction = a.id AND b.date_time >= a.date_time`,
  },
  {
    name: 'b26',
    about: 'windows over windows',
    sql: `WITH w AS (SELECT window_start, window_end, channel, count(*) AS bids FROM tumble(bid, date_time, INTERVAL 1 SECOND) GROUP BY ALL)
      SELECT window_start, channel, max(bids) AS most, avg(bids) AS mean FROM tumble(w, window_end, INTERVAL 10 SECOND) GROUP BY window_start, channel`,
  },
  {
    name: 'b27',
    about: 'the newest auction of a category when a bid came: few keys with many versions',
    sql: `SELECT b.auction, b.price, b.date_time, a.id, a.category FROM bid b ASOF JOIN auction a ON b.auction % 5 + 10 = a.category AND b.date_time >= a.date_time`,
  },
  {
    name: 'b28',
    about: 'short sessions, of which a frequent key has many open at once',
    sql: `SELECT channel, window_start, window_end, count(*) AS bids, max(price) AS most FROM session(bid, date_time, INTERVAL 2 MILLISECOND, key := channel) GROUP BY ALL`,
  },
  {
    name: 'b29',
    about: 'groups over groups that fulfil a condition',
    sql: `SELECT bids, count(*) AS bidders, sum(total) AS total FROM
      (SELECT bidder, count(*) AS bids, sum(price) AS total FROM bid GROUP BY bidder HAVING count(*) > 3) WHERE bids < 200 GROUP BY bids`,
  },
  {
    name: 'b30',
    about: 'the hundred bidders of most bids, whoever they are just now',
    sql: `SELECT bidder, count(*) AS bids, row_number() OVER (ORDER BY count(*) DESC, bidder) AS place FROM bid GROUP BY bidder
      QUALIFY row_number() OVER (ORDER BY count(*) DESC, bidder) <= 100`,
  },
  {
    name: 'b31',
    about: 'the usual price of the last bids of an auction',
    sql: `SELECT auction, date_time, price, median(price) OVER (PARTITION BY auction ORDER BY date_time ROWS BETWEEN 20 PRECEDING AND CURRENT ROW) AS usual FROM bid`,
    notInFlink: 'it has no median',
  },
  {
    name: 'b32',
    about: 'the ten highest bids of all',
    sql: `SELECT row_number() OVER (ORDER BY price DESC, date_time, auction) AS place, auction, bidder, price, date_time, channel FROM bid
      QUALIFY row_number() OVER (ORDER BY price DESC, date_time, auction) <= 10`,
  },
]
