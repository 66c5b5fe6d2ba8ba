// What follows the time of rows in a real Flink cluster, as `print-flink` writes it, over Nexmark's streams so close together that many
// rows have one time: Flink, Millrace's engine and DuckDB give the same rows. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enginesFor, sorted } from './engines.ts'
import { timeQueries } from './time-queries.ts'

/** 25 events a millisecond, so that all rows of one time lie in one partition, whose order Flink keeps. */
const [FIFTIES, PER_SECOND] = [300, 25_000]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

for (const [name, sql] of Object.entries(timeQueries('milliseconds')))
  test(name, { skip }, async () => {
    const query = await engines().compile(sql)
    const expected = sorted(await engines().inDuckDb(query))
    assert.ok(expected.length >= 5, `${expected.length} rows`)
    assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
    assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
  })
