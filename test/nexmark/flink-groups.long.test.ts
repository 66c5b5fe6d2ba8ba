// Groups over groups whose rows come and go, and the best groups, in a real Flink cluster, as `print-flink` writes them, over Nexmark's bids: Flink,
// Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed.
import { enginesFor, testAlike } from './engines.ts'

const [FIFTIES, PER_SECOND] = [400, 200]

const QUERIES: Readonly<Record<string, string>> = {
  'how many bidders have made so many bids': `SELECT bids, count(*) AS bidders, sum(total) AS total, max(last) AS last FROM
     (SELECT bidder, count(*) AS bids, sum(price) AS total, max(date_time) AS last FROM bid GROUP BY bidder HAVING count(*) > 3) GROUP BY bids`,
  'the mean of the highest bids of auctions, but for those of few bids (q4)': `SELECT q.category, avg(q.final) AS mean, count(*) AS auctions, min(q.bids) AS least FROM
     (SELECT max(b.price) AS final, count(*) AS bids, a.category FROM auction a, bid b WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
       GROUP BY a.id, a.category HAVING count(*) < 5) q GROUP BY q.category`,
  'groups by a condition between, over groups by their size': `WITH counted AS (SELECT auction, channel, count(*) AS bids, max(price) AS most FROM bid GROUP BY ALL),
       sizes AS (SELECT bids % 4 AS rest, most > 1000000 AS dear, count(*) AS c, count(*) FILTER (WHERE bids > 2) AS many FROM counted WHERE bids % 3 <> 1 GROUP BY ALL)
     SELECT dear, count(*) AS rests, sum(c) AS c, max(many) AS many FROM sizes WHERE c > 2 GROUP BY dear`,
  'the ten bidders of most bids':
    'SELECT bidder, count(*) AS bids, sum(price) AS total FROM bid GROUP BY bidder QUALIFY row_number() OVER (ORDER BY count(*) DESC) <= 10',
  'the best two auctions of a channel, with their places (q19)': `SELECT channel, auction, bids, row_number() OVER (PARTITION BY channel ORDER BY most DESC, bids) AS place FROM
     (SELECT channel, auction, count(*) AS bids, max(price) AS most FROM bid GROUP BY ALL) WHERE bids % 3 <> 1
     QUALIFY row_number() OVER (PARTITION BY channel ORDER BY most DESC, bids) <= 2`,
  'one auction of each number of bids': `SELECT bids, auction, seller FROM (SELECT b.auction, a.seller, count(*) AS bids FROM bid b JOIN auction a ON b.auction = a.id
     GROUP BY b.auction, a.seller) QUALIFY row_number() OVER (PARTITION BY bids ORDER BY seller DESC) = 1`,
  'groups over the best groups': `SELECT category, count(*) AS auctions, sum(bids) AS bids FROM (SELECT a.id, a.category, count(*) AS bids FROM bid b JOIN auction a ON b.auction = a.id
     GROUP BY a.id, a.category QUALIFY row_number() OVER (ORDER BY count(*) DESC) <= 20) GROUP BY category`,
  'sizes of groups':
    'SELECT DISTINCT bids FROM (SELECT auction, bidder % 9 AS part, count(*) AS bids FROM bid GROUP BY ALL) WHERE bids > 1',
}

testAlike(enginesFor(FIFTIES, PER_SECOND), QUERIES, { rowsMin: 2 })
