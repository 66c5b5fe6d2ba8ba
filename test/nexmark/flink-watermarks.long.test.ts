// The queries of `flink-time.long.test.ts` a thousand times slower, so that the watermark passes while rows still come: what has closed in
// Flink has lost none. Skipped with its reason where Flink cannot be installed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { enginesFor, sorted } from './engines.ts'
import { timeQueries } from './time-queries.ts'

/** Ten minutes, of which the watermark is four seconds behind. */
const [FIFTIES, PER_SECOND] = [300, 25]

const { skip, engines } = enginesFor(FIFTIES, PER_SECOND)

for (const [name, sql] of Object.entries(timeQueries('seconds')))
  test(name, { skip }, async () => {
    const query = await engines().compile(sql)
    const expected = sorted(await engines().inDuckDb(query))
    assert.ok(expected.length >= 5, `${expected.length} rows`)
    assert.deepEqual(sorted(engines().inMillrace(query)), expected, 'Millrace')
    assert.deepEqual(sorted(await engines().inFlink(query)), expected, 'Flink')
  })
