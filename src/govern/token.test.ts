// Tokens over a real control database: shown once, stored as a hash, refused alike whatever is wrong.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { systemRandom } from '../core/random.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { openTokens, type Tokens } from './token.ts'

const clock = new VirtualClock(1_000_000)
let directory: string
let store: Store
let tokens: Tokens
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tokens-'))
  store = openStore(join(directory, 'control.db'))
  tokens = openTokens(store, clock, systemRandom)
})
after(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

const refused = { code: 'MR_AUTH_INVALID', message: 'the token is not valid' }
const analyst = { user: 'ada', roles: ['analyst'], attributes: { country: 'FR' } }

/** It may have the separator in itself. */
const secretOf = (token: string): string => token.slice(`mrt_${'0'.repeat(32)}_`.length)

test('a token is its caller; its secret is nowhere', async () => {
  const { id, token } = await tokens.create(analyst)
  assert.match(token, /^mrt_[0-9a-f]{32}_[\w-]{43}$/)
  const identity = { user: 'ada', tokenId: id, roles: [{ name: 'analyst', attributes: { country: 'FR' } }], isAdmin: false }
  assert.deepEqual(await tokens.verify(token), identity)
  assert.deepEqual(await tokens.verify(token), identity)
  const stored = JSON.stringify(await store.read.selectFrom('tokens').selectAll().execute())
  assert.ok(!stored.includes(secretOf(token)))
  assert.ok(!JSON.stringify(await tokens.list()).includes('secret'))
  const admin = await tokens.verify((await tokens.create({ user: 'root', roles: ['admin'], attributes: {} })).token)
  assert.deepEqual([admin.isAdmin, admin.roles], [true, []])
})

test('wrong, unknown, malformed, expired and revoked are refused alike', async () => {
  const { id, token } = await tokens.create(analyst)
  const other = await tokens.create(analyst)
  const secret = secretOf(token)
  for (const bad of [
    '',
    'mrt_',
    `mrt_${'0'.repeat(32)}_${secret}`,
    `mrt_${other.id}_${secret}`,
    `${token}x`,
    token.slice(0, -1),
    `Bearer ${token}`,
    `mrt_${id}_${'A'.repeat(43)}`,
  ])
    await assert.rejects(tokens.verify(bad), refused, bad)
  const short = await tokens.create({ ...analyst, expiresInMs: 2_000 })
  await tokens.verify(short.token)
  await clock.advance(2_000)
  await assert.rejects(tokens.verify(short.token), refused)
  await tokens.verify(token)
  await tokens.revoke(id)
  await assert.rejects(tokens.verify(token), refused)
  await assert.rejects(tokens.revoke(id), { code: 'MR_NOT_FOUND' })
  await tokens.verify(other.token)
})

test('a token is known once it was verified, for five seconds, until it expires or is revoked', async () => {
  const { id, token } = await tokens.create(analyst)
  assert.equal(tokens.known(token), undefined)
  const identity = await tokens.verify(token)
  assert.deepEqual(tokens.known(token), identity)
  assert.equal(tokens.known(`${token}x`), undefined)
  await clock.advance(5_000)
  assert.equal(tokens.known(token), undefined)
  const short = await tokens.create({ ...analyst, expiresInMs: 1_000 })
  await tokens.verify(short.token)
  await clock.advance(1_000)
  assert.equal(tokens.known(short.token), undefined)
  await tokens.verify(token)
  await tokens.revoke(id)
  assert.equal(tokens.known(token), undefined)
})
