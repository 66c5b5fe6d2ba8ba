// Credentials for clients are kept for whom they were made, handed out again while they are good for ten minutes more, and never
// kept when there were none.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import {
  type CredentialVendor,
  isAllowed,
  keptVendor,
  provenVendor,
  VENDED_SECONDS,
  type Vended,
  type VendRequest,
} from './credential-vendor.ts'

function counting(answer: (request: VendRequest, count: number) => Promise<Vended | undefined>): CredentialVendor & { count: number } {
  const vendor = {
    count: 0,
    prefix: 's3://lake/',
    properties: {},
    refreshProperty: 'refresh',
    vend: (request: VendRequest) => answer(request, ++vendor.count),
    reads: async () => false,
  }
  return vendor
}

const request = { directory: 's3://lake/a', isWrite: false, user: 'ada' }

test('the same request gets the same credentials for five of their fifteen minutes', async () => {
  const clock = new VirtualClock(0)
  const inner = counting(async (_, count) => ({ properties: { n: `${count}` }, endsMs: clock.nowMs() + VENDED_SECONDS * 1_000 }))
  const vendor = keptVendor(clock, inner)
  const numberOf = async (asked: VendRequest): Promise<string | undefined> => (await vendor.vend(asked))?.properties['n']
  assert.deepEqual(await Promise.all([numberOf(request), numberOf(request)]), ['1', '1'], 'two at once are one')
  assert.equal(await numberOf({ ...request, isWrite: true }), '2')
  assert.equal(await numberOf({ ...request, directory: 's3://lake/b' }), '3')
  assert.equal(await numberOf({ ...request, user: 'bob' }), '4')
  await clock.advance(299_000)
  assert.equal(await numberOf(request), '1')
  await clock.advance(1_000)
  assert.equal(await numberOf(request), '5')
  assert.equal(inner.count, 5)
})

test('a store that ends them sooner is asked sooner, and a failure is not kept', async () => {
  const clock = new VirtualClock(0)
  const short = counting(async () => ({ properties: {}, endsMs: clock.nowMs() + 610_000 }))
  const vendor = keptVendor(clock, short)
  await vendor.vend(request)
  await clock.advance(9_000)
  await vendor.vend(request)
  assert.equal(short.count, 1)
  await clock.advance(1_000)
  await vendor.vend(request)
  assert.equal(short.count, 2)
  const failing = counting(async (_, count) => {
    if (count === 1) throw new Error('busy')
    return { properties: {}, endsMs: VENDED_SECONDS * 1_000 }
  })
  const again = keptVendor(new VirtualClock(0), failing)
  await assert.rejects(again.vend(request), /busy/)
  assert.ok(await again.vend(request))
})

test('the first credentials are tried on what they must not reach, and none are given when they do', async () => {
  const outside = 's3://lake/owner'
  const tried: string[] = []
  let answer: () => Promise<boolean> = async () => true
  const reads = async (vended: Vended, path: string): Promise<boolean> => {
    tried.push(`${vended.properties['n']} ${path}`)
    return answer()
  }
  const inner = counting(async (_, count) => ({ properties: { n: `${count}` }, endsMs: 900_000 }))
  const vendor = provenVendor({ ...inner, reads }, outside)
  await assert.rejects(vendor.vend(request), { code: 'MR_OBJECT_STORE', message: /s3:\/\/lake\/a reach s3:\/\/lake\/owner too/ })
  answer = async () => Promise.reject(new MillraceError('MR_OBJECT_BUSY', 'busy'))
  await assert.rejects(vendor.vend(request), { code: 'MR_OBJECT_BUSY' })
  answer = async () => false
  assert.ok(await vendor.vend(request))
  assert.ok(await vendor.vend(request))
  assert.deepEqual(tried, [`1 ${outside}`, `2 ${outside}`, `3 ${outside}`], 'once the store has refused, it is believed')
})

test('only a refusal is one: an object that is missing was looked for', async () => {
  assert.equal(await isAllowed(Promise.resolve(undefined)), true)
  assert.equal(await isAllowed(Promise.reject(new MillraceError('MR_OBJECT_DENIED', 'no'))), false)
  await assert.rejects(isAllowed(Promise.reject(new MillraceError('MR_OBJECT_BUSY', 'busy'))), { code: 'MR_OBJECT_BUSY' })
})
