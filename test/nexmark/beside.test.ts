// The queries beside Nexmark's: the engine's rows are those of DuckDB's batch SQL over the same files.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { BESIDE } from './beside.ts'
import { type Engines, openEngines, sorted } from './engines.ts'
import { type NexmarkFiles, removeFiles, writeFiles } from './flink.ts'

/** 200 events a second of event time: no two bids of one time. */
const [FIFTIES, PER_SECOND] = [400, 200]

let files: NexmarkFiles
let engines: Engines

before(async () => {
  files = writeFiles(FIFTIES, PER_SECOND)
  engines = await openEngines(files, null)
})

after(async () => {
  await engines[Symbol.asyncDispose]()
  removeFiles(files)
})

for (const { name, about, sql } of BESIDE)
  test(`${name}: ${about}`, async () => {
    const query = await engines.compile(sql)
    const expected = sorted(await engines.inDuckDb(query))
    assert.ok(expected.length > 0, 'no rows')
    assert.deepEqual(sorted(engines.inMillrace(query)), expected)
  })
