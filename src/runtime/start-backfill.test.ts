// What is said at once of a backfill that cannot be.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Live } from '../stream/live.ts'
import type { RunningPipeline } from './pipelines.ts'
import { type BackfillParts, startBackfill } from './start-backfill.ts'

test('a model that another process makes is not rebuilt here, and one that is made here is', async () => {
  let rebuilds = 0
  const partsOf = (isStopped: boolean): BackfillParts => {
    const pipeline = { isStopped, startRebuild: async () => void rebuilds++ }
    const pipelines = [{ makes: 'totals', sink: Object.create(Live.prototype), pipeline }] as unknown as RunningPipeline[]
    return { pipelines } as unknown as BackfillParts
  }
  await assert.rejects(startBackfill(partsOf(true), 'ada', 'totals', {}), { code: 'MR_LAKE_FENCED', message: /totals/ })
  assert.equal(rebuilds, 0)
  assert.deepEqual(await startBackfill(partsOf(false), 'ada', 'totals', {}), { run: null, plan: null })
  assert.equal(rebuilds, 1)
})
