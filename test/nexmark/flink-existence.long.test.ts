// Whether there is a partner, in a real Flink cluster, as `print-flink` writes it, over Nexmark's events: Flink, Millrace's engine and DuckDB give the
// same rows. Skipped with its reason where Flink cannot be installed.
import { enginesFor, testAlike } from './engines.ts'

const [FIFTIES, PER_SECOND] = [400, 200]

const QUERIES: Readonly<Record<string, string>> = {
  'bids after which the bidder rests': `SELECT b.bidder, b.auction, b.price, b.date_time FROM bid b WHERE NOT EXISTS
     (SELECT 1 FROM bid c WHERE c.bidder = b.bidder AND c.date_time BETWEEN b.date_time + INTERVAL 1 MILLISECOND AND b.date_time + INTERVAL 2 SECOND)`,
  'auctions that nobody wants to pay much for at once': `SELECT a.id, a.seller, a.category FROM auction a ANTI JOIN bid b
     ON b.auction = a.id AND b.date_time BETWEEN a.date_time AND a.date_time + INTERVAL 5 SECOND AND b.price > 1000 AND a.category > 10`,
  'how many bids the bidder had not opened an auction before, by channel': `SELECT channel, count(*) AS bids, max(price) AS most FROM bid b WHERE price > 10 AND NOT EXISTS
     (SELECT 1 FROM auction WHERE seller = b.bidder AND auction.date_time BETWEEN b.date_time - INTERVAL 10 SECOND AND b.date_time) GROUP BY channel`,
  'bids on auctions of a category': 'SELECT auction, bidder, price FROM bid WHERE auction IN (SELECT id FROM auction WHERE category = 12)',
}

testAlike(enginesFor(FIFTIES, PER_SECOND), QUERIES, { rowsMin: 2 })
