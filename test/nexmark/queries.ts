// Nexmark's queries as live models: q0 to q22 of the suite that Flink publishes (github.com/nexmark/nexmark), in the live SQL of
// docs/reference/live-sql.md. What the original says in other words is noted beside; what Flink cannot say has its reason.

export interface NexmarkQuery {
  readonly name: string
  readonly about: string
  readonly sql: string
  /** Why Flink has no SQL for it: it is compared with DuckDB alone. */
  readonly notInFlink?: string
}

export const QUERIES: readonly NexmarkQuery[] = [
  { name: 'q0', about: 'pass through', sql: 'SELECT auction, bidder, price, date_time, extra FROM bid' },
  {
    name: 'q1',
    about: 'currency conversion',
    sql: 'SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid',
  },
  { name: 'q2', about: 'selection', sql: 'SELECT auction, price FROM bid WHERE auction % 123 = 0' },
  {
    name: 'q3',
    about: 'local item suggestion',
    sql: `SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id
      WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')`,
  },
  {
    name: 'q4',
    about: 'average price for a category',
    sql: `SELECT q.category, avg(q.final) AS avg_price FROM (SELECT max(b.price) AS final, a.category FROM auction a, bid b
      WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) q GROUP BY q.category`,
  },
  {
    name: 'q5',
    about: 'hot items: the original joins the counts with their maximum, which is the first rank',
    sql: `SELECT window_start, window_end, auction, count(*) AS num FROM hop(bid, date_time, INTERVAL 2 SECOND, INTERVAL 10 SECOND)
      GROUP BY window_start, window_end, auction QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) = 1`,
  },
  {
    name: 'q6',
    about:
      'average selling price by seller, of its last auctions in the order in which they were opened; none is open for longer than 20 seconds',
    sql: `WITH won AS (SELECT a.id, a.seller, a.date_time AS opened, max(b.price) AS final FROM auction a LEFT JOIN bid b ON a.id = b.auction
        AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL 20 SECOND AND b.date_time <= a.expires
        GROUP BY a.id, a.seller, a.date_time HAVING max(b.price) IS NOT NULL)
      SELECT seller, opened, avg(final) OVER (PARTITION BY seller ORDER BY opened ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price FROM won`,
    notInFlink: 'Flink refuses an average over rows that a join and a group give out',
  },
  {
    name: 'q7',
    about: 'highest bid: the original joins the bids with the maximum of their window, which is the first rank',
    sql: `SELECT window_start, auction, price, bidder, date_time, extra FROM tumble(bid, date_time, INTERVAL 10 SECOND)
      QUALIFY rank() OVER (PARTITION BY window_start ORDER BY price DESC) = 1`,
  },
  {
    name: 'q8',
    about: 'monitor new users',
    sql: `SELECT p.id, p.name, p.starts FROM
      (SELECT id, name, window_start AS starts, window_end AS ends FROM tumble(person, date_time, INTERVAL 10 SECOND) GROUP BY ALL) p JOIN
      (SELECT seller, window_start AS starts, window_end AS ends FROM tumble(auction, date_time, INTERVAL 10 SECOND) GROUP BY ALL) a
      ON p.id = a.seller AND p.starts = a.starts AND p.ends = a.ends`,
  },
  {
    name: 'q9',
    about: 'winning bids',
    sql: `SELECT id, item_name, description, initial_bid, reserve, started, expires, seller, category, auction_extra, auction, bidder, price, bid_time, bid_extra
      FROM (SELECT a.id, a.item_name, a.description, a.initial_bid, a.reserve, a.date_time AS started, a.expires, a.seller, a.category,
        a.extra AS auction_extra, b.auction, b.bidder, b.price, b.date_time AS bid_time, b.extra AS bid_extra
        FROM auction a, bid b WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires)
      QUALIFY row_number() OVER (PARTITION BY id ORDER BY price DESC, bid_time) = 1`,
  },
  {
    name: 'q10',
    about: 'log to a file system, by day and minute',
    sql: `SELECT auction, bidder, price, date_time, extra, CAST(CAST(date_time AS DATE) AS VARCHAR) AS day,
      lpad(CAST(hour(date_time) AS VARCHAR), 2, '0') || ':' || lpad(CAST(minute(date_time) AS VARCHAR), 2, '0') AS minute FROM bid`,
  },
  {
    name: 'q11',
    about: 'user sessions',
    sql: `SELECT bidder, window_start, window_end, count(*) AS bids
      FROM session(bid, date_time, INTERVAL 10 SECOND, key := bidder) GROUP BY ALL`,
  },
  {
    name: 'q12',
    about: 'windows by the time of arrival: over a stream that has no time of its own',
    sql: `SELECT bidder, window_start, window_end, count(*) AS bids
      FROM tumble(arriving, _ingested_at, INTERVAL 10 SECOND) GROUP BY ALL`,
  },
  {
    name: 'q13',
    about: 'bounded side input: a table over HTTP, which is there before the bids',
    sql: 'SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM bid b JOIN side_input s ON b.auction % 10000 = s.key',
    notInFlink: 'its lookup join needs a connector that can be asked for a key, which the release does not have',
  },
  {
    name: 'q14',
    about: 'calculation: the original counts the letter c in a function of its own',
    sql: `SELECT auction, bidder, 0.908 * price AS price,
      CASE WHEN hour(date_time) >= 8 AND hour(date_time) <= 18 THEN 'dayTime'
        WHEN hour(date_time) <= 6 OR hour(date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bid_time_type,
      date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts
      FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
  },
  {
    name: 'q15',
    about: 'bidding statistics by day',
    sql: `SELECT CAST(date_time AS DATE) AS day, count(*) AS total_bids, ${ranks('count(*)', 'bids')},
      count(DISTINCT bidder) AS total_bidders, ${ranks('count(DISTINCT bidder)', 'bidders')},
      count(DISTINCT auction) AS total_auctions, ${ranks('count(DISTINCT auction)', 'auctions')} FROM bid GROUP BY 1`,
  },
  {
    name: 'q16',
    about: 'channel statistics by day: the original takes the latest minute as text',
    sql: `SELECT channel, CAST(date_time AS DATE) AS day, max(date_trunc('minute', date_time)) AS minute, count(*) AS total_bids,
      ${ranks('count(*)', 'bids')}, count(DISTINCT bidder) AS total_bidders, ${ranks('count(DISTINCT bidder)', 'bidders')},
      count(DISTINCT auction) AS total_auctions, ${ranks('count(DISTINCT auction)', 'auctions')} FROM bid GROUP BY 1, 2`,
  },
  {
    name: 'q17',
    about: 'auction statistics by day',
    sql: `SELECT auction, CAST(date_time AS DATE) AS day, count(*) AS total_bids, ${ranks('count(*)', 'bids')}, min(price) AS min_price,
      max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price FROM bid GROUP BY 1, 2`,
  },
  {
    name: 'q18',
    about: 'the last bid of a bidder on an auction',
    sql: `SELECT auction, bidder, price, channel, url, date_time, extra FROM bid
      QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) = 1`,
  },
  {
    name: 'q19',
    about: 'the ten highest bids of an auction',
    sql: `SELECT auction, row_number() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number, bidder, price, channel, url, date_time, extra
      FROM bid QUALIFY row_number() OVER (PARTITION BY auction ORDER BY price DESC) <= 10`,
  },
  {
    name: 'q20',
    about: 'bids with their auctions',
    sql: `SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_time, b.extra AS bid_extra, a.item_name, a.description, a.initial_bid,
      a.reserve, a.date_time AS auction_time, a.expires, a.seller, a.category, a.extra AS auction_extra
      FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10`,
  },
  {
    name: 'q21',
    about: 'channel ids: where the original finds none it has null, which is an empty text here',
    sql: `SELECT auction, bidder, price, channel, CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
        WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
        ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
      FROM bid WHERE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) <> '' OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
  },
  {
    name: 'q22',
    about: 'directories of the address',
    sql: `SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3
      FROM bid`,
  },
]

/** One aggregate for each of Nexmark's three classes of prices. */
function ranks(aggregate: string, of: string): string {
  return [
    `${aggregate} FILTER (WHERE price < 10000) AS rank1_${of}`,
    `${aggregate} FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_${of}`,
    `${aggregate} FILTER (WHERE price >= 1000000) AS rank3_${of}`,
  ].join(', ')
}
