// Tokens of others: what is accepted, and everything that must not be.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { VirtualClock } from '../core/clock.ts'
import { isJwt, type JwtSettings, openJwt } from './jwt.ts'

const NOW_MS = 1_800_000_000_000
const secret = new Uint8Array(32).fill(7)
const SETTINGS: JwtSettings = {
  issuer: 'https://id.example',
  audience: 'millrace',
  keys: { kind: 'secret', secret },
  claims: { roles: 'realm.roles', attributes: { country: 'country' } },
}

const claims = { sub: 'ada', realm: { roles: ['analyst', 'admin'] }, country: 'FR' }
const build = (more: Record<string, unknown> = {}, audience = 'millrace', issuer = 'https://id.example', seconds = 60): SignJWT =>
  new SignJWT({ ...claims, ...more })
    .setIssuer(issuer)
    .setAudience(audience)
    .setExpirationTime(NOW_MS / 1000 + seconds)

const verify = (token: string, settings: JwtSettings = SETTINGS) =>
  openJwt(settings, new VirtualClock(NOW_MS)).then((check) => check(token))
const signed = (jwt: SignJWT, key: Uint8Array = secret) => jwt.setProtectedHeader({ alg: 'HS256' }).sign(key)

test('claims become an identity; admin only when it may', async () => {
  const token = await signed(build())
  assert.ok(isJwt(token))
  const identity = await verify(token)
  assert.deepEqual(identity, {
    user: 'ada',
    tokenId: 'https://id.example#ada',
    roles: [{ name: 'analyst', attributes: { country: 'FR' } }],
    isAdmin: false,
  })
  assert.equal((await verify(token, { ...SETTINGS, mayAdminister: true })).isAdmin, true)
  assert.deepEqual(
    (await verify(await signed(build({ realm: { roles: 'a b' } })))).roles.map((role) => role.name),
    ['a', 'b'],
  )
  assert.deepEqual((await verify(await signed(build({ realm: {} })))).roles, [])
})

test('everything else is refused in the same words', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1' }
  const set: JwtSettings = { ...SETTINGS, keys: { kind: 'set', set: { keys: [jwk] } } }
  const byKey = (kid: string) => build().setProtectedHeader({ alg: 'ES256', kid }).sign(privateKey)
  assert.equal((await verify(await byKey('k1'), set)).user, 'ada')

  const [head, body] = (await signed(build())).split('.') as [string, string]
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  const unlimited = new SignJWT(claims).setIssuer('https://id.example').setAudience('millrace')
  // The public key used as the secret of HS256: the classic confusion.
  const confused = await build()
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .sign(new TextEncoder().encode(JSON.stringify(jwk)))
  const bad: readonly (readonly [string, JwtSettings])[] = [
    ['x.y.z', SETTINGS],
    [`${none}.${body}.`, SETTINGS],
    [`${none}.${body}.x`, SETTINGS],
    [`${head}.${body}.AAAA`, SETTINGS],
    [await signed(build(), new Uint8Array(32).fill(8)), SETTINGS],
    [await signed(build({}, 'other')), SETTINGS],
    [await signed(build({}, 'millrace', 'https://evil.example')), SETTINGS],
    [await signed(build({}, 'millrace', 'https://id.example', -60)), SETTINGS],
    [await signed(unlimited), SETTINGS],
    [await signed(build({ nbf: NOW_MS / 1000 + 600 })), SETTINGS],
    [await signed(build({ sub: '' })), SETTINGS],
    [await build().setProtectedHeader({ alg: 'HS512' }).sign(new Uint8Array(64).fill(7)), SETTINGS],
    [confused, set],
    [await byKey('unknown'), set],
    [await signed(build()), set],
  ]
  for (const [token, settings] of bad)
    await assert.rejects(verify(token, settings), { code: 'MR_AUTH_INVALID', message: /^the token (is not valid|names no user)$/ }, token)
  await assert.rejects(openJwt({ ...SETTINGS, keys: { kind: 'secret', secret: new Uint8Array(8) } }, new VirtualClock(0)), {
    code: 'MR_ENVIRONMENT',
  })
})

test('a provider that cannot be reached or answers an error is not the fault of the token', async () => {
  const { privateKey } = await generateKeyPair('RS256')
  const token = await build().setProtectedHeader({ alg: 'RS256', kid: 'k' }).sign(privateKey)
  const server = createServer((_, response) => response.writeHead(500).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`
  const settings: JwtSettings = { ...SETTINGS, keys: { kind: 'url', url } }
  await assert.rejects(verify(token, settings), { code: 'MR_NOT_READY' })
  server.close()
  await once(server, 'close')
  await assert.rejects(verify(token, settings), { code: 'MR_NOT_READY' })
})

test('a token that was good before is refused when it has expired', async () => {
  const clock = new VirtualClock(NOW_MS)
  const check = await openJwt(SETTINGS, clock)
  const token = await signed(build())
  assert.equal((await check(token)).user, 'ada')
  await clock.advance(30_000)
  assert.equal((await check(token)).user, 'ada')
  await clock.advance(65_000)
  await assert.rejects(check(token), { code: 'MR_AUTH_INVALID' })
})
