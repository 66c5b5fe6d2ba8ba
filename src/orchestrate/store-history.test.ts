// The history in the control store: what is saved is read, newest first; what a stopped process left open is closed.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openStore } from '../store/open-store.ts'
import type { RunRecord, StepRecord } from './history.ts'
import { storeHistory } from './store-history.ts'

const run = (id: string, how: Partial<RunRecord> = {}): RunRecord => ({
  id,
  name: id,
  trigger: 't',
  status: 'running',
  queuedMs: 1,
  startedMs: 1,
  endedMs: null,
  code: null,
  ...how,
})
const step = (runId: string, ordinal: number, how: Partial<StepRecord> = {}): StepRecord => ({
  runId,
  ordinal,
  name: `s${ordinal}`,
  relation: `r${ordinal}`,
  status: 'waiting',
  startedMs: null,
  endedMs: null,
  note: null,
  rows: null,
  waitsOn: [],
  tries: [],
  log: [],
  effects: [],
  error: null,
  ...how,
})

test('runs and steps come back; open ones are closed at the next start', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-history-'))
  const store = openStore(join(directory, 'control.db'))
  try {
    const history = storeHistory(store)
    await history.save(run('a', { queuedMs: 10 }), [step('a', 0), step('a', 1), step('a', 2)])
    await history.save(run('b', { queuedMs: 20 }), [step('b', 0)])
    await history.saveStep(
      step('a', 0, { status: 'succeeded', rows: 5, effects: [{ relation: 'r0', snapshotId: '1', sequence: 1, added: 5, removed: null }] }),
    )
    await history.saveStep(step('a', 1, { status: 'running', startedMs: 11 }))
    await history.saveRun(run('b', { queuedMs: 20, status: 'succeeded', endedMs: 30 }))
    assert.deepEqual(
      (await history.list({ limit: 9 })).map(({ run: { id } }) => id),
      ['b', 'a'],
    )
    assert.deepEqual(
      (await history.list({ limit: 9, beforeId: 'b' })).map(({ run: { id } }) => id),
      ['a'],
    )
    assert.deepEqual(
      (await history.list({ limit: 9, status: 'succeeded' })).map(({ run: { id } }) => id),
      ['b'],
    )
    assert.deepEqual(
      (await history.list({ limit: 9, sinceMs: 15 })).map(({ run: { id } }) => id),
      ['b'],
    )
    assert.equal(await history.closeOpen(50), 1)
    const { run: closed, steps } = (await history.run('a'))!
    assert.deepEqual([closed.status, closed.endedMs], ['failed', 50])
    assert.deepEqual(
      steps.map(({ status, error }) => [status, error?.code ?? null]),
      [
        ['succeeded', null],
        ['failed', 'MR_CANCELLED'],
        ['skipped', null],
      ],
    )
    assert.equal(steps[0]!.effects[0]!.added, 5)
    assert.deepEqual((await history.lastSteps()).map(({ runId, relation }) => `${runId} ${relation}`).sort(), ['a r1', 'a r2', 'b r0'])
    assert.equal(await history.closeOpen(60), 0)
    assert.equal(await history.run('zzz'), null)
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
})
