// Requests with an idempotency key: what is kept and answered again, what is tried again, and who shares a run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { modelCatalog } from '../../../test/simulation/model-catalog.ts'
import { VirtualClock } from '../../core/clock.ts'
import { type ErrorCode, MillraceError } from '../../core/errors.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { Call, Replay, Reply } from './call.ts'
import { makeOnce, type Request } from './once.ts'

const caller = (tokenId: string) => ({ user: 'u', tokenId, roles: [], isAdmin: false })
const KEY = '01977420-dc00-7000-8000-000000000001'
const request = (more: Partial<Request> = {}): Request => ({ caller: caller('t'), key: KEY, what: ['POST', '/x', '{}'], ...more })
const done: Reply = { status: 204 }

function bench() {
  const clock = new VirtualClock(1_750_000_000_000)
  const catalog = modelCatalog()
  let runs = 0
  /** Changes something, and keeps the request with the change. */
  const change = async (finish: Call['finish']): Promise<Reply> => {
    runs++
    const finished = finish(done)
    await catalog.createNamespace({ name: `n${runs}`, properties: {} }, clock.nowMs(), finished)
    return done
  }
  const open = () => makeOnce({ clock, lake: { catalog } as unknown as Lake })
  return { clock, open, change, runs: () => runs, fail: failing(() => runs++) }
}

const failing = (count: () => void) => (code: ErrorCode) => async (): Promise<Reply> => {
  count()
  throw new MillraceError(code, 'no')
}

const again = async (replay: Replay): Promise<Reply> => replay as Reply

test('carried out once, also by a process that starts after the first has died', async () => {
  const { open, change, runs, clock } = bench()
  assert.deepEqual(await open()(request(), change, again), done)
  assert.deepEqual(await open()(request(), change, again), done)
  assert.deepEqual(await open()(request({ key: KEY.toUpperCase() }), change, again), done)
  assert.equal(runs(), 1)
  await open()(request({ key: undefined }), change, again)
  assert.equal(runs(), 2, 'without a key every request is one of its own')
  await open()(request({ caller: caller('other') }), change, again)
  assert.equal(runs(), 3, 'the key of another caller is another key')
  await clock.advance(3_600_001)
  await open()(request(), change, again)
  assert.equal(runs(), 4, 'after an hour it is forgotten')
})

test('at the same time they share one run', async () => {
  const { open, change, runs } = bench()
  const once = open()
  const answers = await Promise.all([1, 2, 3].map(() => once(request(), change, again)))
  assert.deepEqual([answers.length, runs()], [3, 1])
})

test('a refusal of the request is kept; one of the caller, and an unknown outcome, are tried again', async () => {
  for (const [code, kept] of [
    ['MR_LAKE_CONFLICT', true],
    ['MR_LAKE_TABLE_UNKNOWN', true],
    ['MR_LAKE_UPDATE', true],
    ['MR_ACCESS_DENIED', false],
    ['MR_AUTH_INVALID', false],
    ['MR_INTERNAL', false],
    ['MR_NOT_READY', false],
  ] as const) {
    const { open, change, fail, runs } = bench()
    await assert.rejects(open()(request(), fail(code), again), { code })
    const second = await open()(request(), change, again)
    assert.equal(runs(), kept ? 1 : 2, code)
    assert.equal(second.status, kept ? new MillraceError(code, '').status : 204, code)
  }
})

test('a key is a UUID and belongs to one request', async () => {
  const { open, change } = bench()
  await open()(request(), change, again)
  await assert.rejects(open()(request({ what: ['POST', '/y', '{}'] }), change, again), { code: 'MR_LAKE_IDEMPOTENCY' })
  await assert.rejects(open()(request({ key: 'x' }), change, again), { code: 'MR_USAGE' })
})
