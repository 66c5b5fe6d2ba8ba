// Nexmark in a real Flink cluster: each query as `print-flink` writes it, over the same files as Millrace's engine and DuckDB, and the
// rows of all three are the same. Flink's event times have milliseconds, as the events do. The windows of q12 close by the
// clock, so that Flink drops what is open at the end of its input: there no more is asked than that no bidder has too many bids. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import { enginesFor, sorted } from './engines.ts'
import { QUERIES } from './queries.ts'

/** 200 events a second of event time: no two bids of one time, whose order Flink does not promise. */
const [FIFTIES, PER_SECOND] = [1_200, 200]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

/** Equal prices of an auction have no order in Flink: what stands at each rank is compared, not whose bid it is. */
const withoutTies = (rows: readonly (readonly string[])[]): string[] =>
  sorted(rows.map(([auction, rank, , price]) => [auction!, rank!, price!]))

/** Bids by bidder, over all windows. */
function counted(rows: readonly (readonly string[])[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const row of rows) counts.set(row[0]!, (counts.get(row[0]!) ?? 0) + Number(row[3]))
  return counts
}

for (const { name, about, sql, notInFlink } of QUERIES) {
  test(`${name}: ${about}`, { skip }, async () => {
    const query = await engines().compile(sql)
    const expected = await engines().inDuckDb(query)
    assert.ok(expected.length > 0, 'no rows')
    const own = engines().inMillrace(query)
    if (notInFlink) {
      assert.deepEqual(sorted(own), sorted(expected), 'Millrace')
      assert.throws(() => printFlink(query), { code: 'MR_PLAN_FLINK' })
      return
    }
    const theirs = await engines().inFlink(query)
    if (name === 'q12') {
      const all = counted(expected)
      assert.deepEqual(counted(own), all, 'Millrace')
      for (const [bidder, bids] of counted(theirs)) assert.ok(bids <= all.get(bidder)!, `${bidder} has ${bids} bids in Flink`)
      return
    }
    assert.deepEqual(sorted(own), sorted(expected), 'Millrace')
    const show = name === 'q19' ? withoutTies : sorted
    assert.deepEqual(show(theirs), show(expected), 'Flink')
  })
}
