// The typed functions of each subject: runs and steps, check results, profiles, tokens, audit, alerts, deployments, metrics.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { alertSent, fireAlert, listAlerts, resolveAlert } from './alerts.ts'
import { appendAudit, listAudit, verifyAudit } from './audit.ts'
import { type CheckResult, insertCheckResults, latestCheckResults, listCheckResults, removeCheckResults } from './check-results.ts'
import { insertDeployment, latestDeployment, listDeployments } from './deployments.ts'
import { readMetrics, writeMetrics } from './metrics.ts'
import { openStore, type Store } from './open-store.ts'
import { latestProfiles, profileHistory, putProfiles } from './profiles.ts'
import { insertRun, listRuns, moveRun, putStep, type Run, removeRuns, runOf, stepsOf } from './runs.ts'
import { insertToken, listTokens, revokeToken, type Token, tokenByHash, tokenById, touchToken } from './tokens.ts'

let directory: string
let store: Store

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-'))
  store = openStore(join(directory, 'control.db'))
})

after(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

const run = (id: string, queuedMs: number, extra: Partial<Run> = {}): Run => ({
  id,
  asset: 'daily',
  kind: 'model',
  trigger: 'schedule',
  status: 'queued',
  attempt: 1,
  queuedMs,
  startedMs: null,
  endedMs: null,
  rowsIn: null,
  rowsOut: null,
  error: null,
  code: 'abc',
  snapshotBefore: null,
  snapshotAfter: null,
  inputs: { orders: '4611686018427387904', empty: null },
  ...extra,
})

test('runs move from state to state, each move once', async () => {
  await insertRun(store, run('r1', 1))
  await insertRun(store, run('r2', 2, { asset: 'other' }))
  const starts = await Promise.all([1, 2, 3].map((startedMs) => moveRun(store, 'r1', 'queued', { status: 'running', startedMs })))
  assert.deepEqual(starts, [true, false, false])
  const error = { code: 'MR_MODEL_RUN', message: 'no', fix: 'try' }
  assert.equal(await moveRun(store, 'r1', 'running', { status: 'failed', endedMs: 9, rowsIn: 2 ** 40, error }), true)
  assert.deepEqual(await runOf(store, 'r1'), { ...run('r1', 1), status: 'failed', startedMs: 1, endedMs: 9, rowsIn: 2 ** 40, error })
  assert.equal(await runOf(store, 'absent'), null)
  assert.deepEqual(
    (await listRuns(store)).map((one) => one.id),
    ['r2', 'r1'],
  )
  assert.deepEqual(
    (await listRuns(store, { asset: 'daily', status: ['failed'], beforeMs: 5 })).map((one) => one.id),
    ['r1'],
  )
  const step = {
    runId: 'r1',
    ordinal: 0,
    name: 'stage',
    status: 'running',
    attempt: 1,
    startedMs: 1,
    endedMs: null,
    waitMs: 0,
    log: 'a',
    error: null,
  } as const
  await putStep(store, step)
  await putStep(store, { ...step, status: 'succeeded', endedMs: 5, log: 'ab' })
  assert.deepEqual(await stepsOf(store, 'r1'), [{ ...step, status: 'succeeded', endedMs: 5, log: 'ab' }])
  assert.equal(await removeRuns(store, 100), 1, 'the queued one stays')
  assert.deepEqual(await stepsOf(store, 'r1'), [], 'steps go with their run')
})

test('check results: latest of each, history, retention', async () => {
  const result = (id: string, check: string, ranMs: number): CheckResult => ({
    id,
    set: 'orders',
    check,
    relation: 'orders',
    severity: 'block',
    status: 'fail',
    failedRows: 2,
    totalRows: 10,
    value: 0.2,
    sample: [{ id: 1 }],
    runId: 'r',
    snapshotId: '1',
    ranMs,
  })
  await insertCheckResults(store, [result('1', 'a', 1), result('2', 'a', 2), result('3', 'b', 1)])
  assert.deepEqual(await latestCheckResults(store), [result('2', 'a', 2), result('3', 'b', 1)])
  assert.deepEqual(await listCheckResults(store, { check: 'a', sinceMs: 2 }), [result('2', 'a', 2)])
  assert.equal((await listCheckResults(store, { relation: 'orders', runId: 'r', limit: 2 })).length, 2)
  assert.equal(await removeCheckResults(store, 100), 1)
  assert.equal((await latestCheckResults(store)).length, 2)
})

test('profiles: newest per column, history, bounded number of snapshots', async () => {
  const of = (column: string, n: number) => ({ relation: 'orders', snapshotId: String(n), column, profile: { n }, ranMs: n })
  await Promise.all(Array.from({ length: 65 }, (_, n) => putProfiles(store, [of('a', n), of('b', n)])))
  assert.deepEqual(
    (await latestProfiles(store, 'orders')).map((profile) => [profile.column, profile.profile]),
    [
      ['a', { n: 64 }],
      ['b', { n: 64 }],
    ],
  )
  assert.equal((await profileHistory(store, 'orders', 'a', 100)).length, 60)
  assert.deepEqual((await profileHistory(store, 'orders', 'a', 1))[0]!.ranMs, 64)
})

test('tokens are found by the hash of their secret and revoked once', async () => {
  const token: Token = {
    id: 't1',
    user: 'ann',
    secretHash: 'h',
    roles: ['analyst'],
    attributes: { region: 'EU' },
    scopes: ['read'],
    createdMs: 1,
    expiresMs: 9,
    revokedMs: null,
    lastUsedMs: null,
  }
  await insertToken(store, token)
  await assert.rejects(insertToken(store, { ...token, id: 't2' }), /UNIQUE/)
  assert.deepEqual(await tokenByHash(store, 'h'), token)
  assert.equal(await tokenByHash(store, 'other'), null)
  await touchToken(store, 't1', 5)
  assert.equal(await revokeToken(store, 't1', 6), true)
  assert.equal(await revokeToken(store, 't1', 7), false)
  assert.deepEqual(await tokenById(store, 't1'), { ...token, revokedMs: 6, lastUsedMs: 5 })
  assert.equal((await listTokens(store)).length, 1)
})

test('the audit trail is a chain that shows every tampering', async () => {
  const entry = (n: number) => ({
    atMs: n,
    user: n % 2 ? 'ann' : 'bob',
    roles: ['analyst'],
    action: 'query',
    object: 'orders',
    detail: { sql: `select ${n}` },
    outcome: 'allowed' as const,
  })
  const hashes = await Promise.all([
    appendAudit(store, [entry(1), entry(2)]),
    appendAudit(store, [entry(3)]),
    appendAudit(store, [entry(4)]),
  ])
  assert.equal(new Set(hashes).size, 3)
  assert.equal(await verifyAudit(store), null)
  const records = await listAudit(store, { user: 'ann' })
  assert.deepEqual(
    records.map((record) => record.sequence),
    [3, 1],
  )
  assert.deepEqual(records[0]!.detail, { sql: 'select 3' })
  assert.equal((await listAudit(store, { before: 3, action: 'query', object: 'orders', limit: 1 }))[0]!.sequence, 2)
  await store.write((tx) => tx.updateTable('audit').set({ user: 'eve' }).where('sequence', '=', 3).execute())
  assert.equal(await verifyAudit(store), 3)
  await store.write((tx) => tx.updateTable('audit').set({ user: 'ann' }).where('sequence', '=', 3).execute())
  assert.equal(await verifyAudit(store), null)
  await store.write((tx) => tx.deleteFrom('audit').where('sequence', '=', 2).execute())
  assert.equal(await verifyAudit(store), 2)
})

test('an alert fires once until it is resolved', async () => {
  const first = await fireAlert(store, { id: 'a1', name: 'late orders', sinceMs: 1, detail: { lag: 5 } })
  const again = await fireAlert(store, { id: 'a2', name: 'late orders', sinceMs: 2, detail: { lag: 9 } })
  assert.equal(again.id, first.id)
  assert.deepEqual(again.detail, { lag: 9 })
  await alertSent(store, 'a1', 3)
  assert.deepEqual(await listAlerts(store, { state: 'firing' }), [{ ...again, lastSentMs: 3 }])
  assert.equal((await resolveAlert(store, 'late orders', 4))?.id, 'a1')
  assert.equal(await resolveAlert(store, 'late orders', 5), null)
  assert.equal((await fireAlert(store, { id: 'a3', name: 'late orders', sinceMs: 6, detail: null })).id, 'a3')
  assert.deepEqual(
    (await listAlerts(store)).map((alert) => [alert.id, alert.state]),
    [
      ['a3', 'firing'],
      ['a1', 'resolved'],
    ],
  )
})

test('the newest deployment is what runs', async () => {
  assert.equal(await latestDeployment(store), null)
  const deployment = (id: string, appliedMs: number) => ({
    id,
    manifest: { version: 1, relations: [] },
    codeHash: 'c',
    appliedMs,
    by: 'ann',
  })
  await insertDeployment(store, deployment('d1', 1))
  await insertDeployment(store, deployment('d2', 2))
  assert.deepEqual(await latestDeployment(store), deployment('d2', 2))
  assert.equal((await listDeployments(store)).length, 2)
})

test('metrics are bounded by age and by rows', async () => {
  const point = (atMs: number, topic = 'a') => ({ atMs, name: 'rows', labels: { topic, node: '1' }, value: atMs / 2 })
  await writeMetrics(
    store,
    [1, 2, 3, 4].map((atMs) => point(atMs)),
    { keepFromMs: 2, rowsMax: 100 },
  )
  assert.deepEqual(
    (await readMetrics(store, 'rows', 0)).map((one) => one.atMs),
    [2, 3, 4],
  )
  await writeMetrics(store, [point(4, 'b'), { ...point(4), value: 7 }], { keepFromMs: 0, rowsMax: 3 })
  assert.deepEqual(
    (await readMetrics(store, 'rows', 0)).map((one) => [one.atMs, one.labels['topic'], one.value]),
    [
      [3, 'a', 1.5],
      [4, 'a', 7],
      [4, 'b', 2],
    ],
  )
  assert.deepEqual(await readMetrics(store, 'rows', 4, { node: '1', topic: 'b' }), [point(4, 'b')])
})
