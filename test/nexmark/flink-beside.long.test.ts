// The queries beside Nexmark's in a real Flink cluster, as `print-flink` writes them: its rows are those of the engine and of DuckDB.
// Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import { BESIDE } from './beside.ts'
import { enginesFor, sorted } from './engines.ts'

/** 200 events a second of event time: no two bids of one time, whose order Flink does not promise. */
const [FIFTIES, PER_SECOND] = [1_200, 200]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

for (const { name, about, sql, notInFlink } of BESIDE)
  test(`${name}: ${about}`, { skip }, async () => {
    const query = await engines().compile(sql)
    if (notInFlink) return assert.throws(() => printFlink(query), { code: 'MR_PLAN_FLINK' })
    const expected = sorted(await engines().inDuckDb(query))
    assert.ok(expected.length > 0, 'no rows')
    assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
    assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
  })
