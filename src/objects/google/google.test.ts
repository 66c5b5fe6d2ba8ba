// A service account's token, and its signed URLs: the token service is a server of this test, which checks the signature as
// Google would with the account's public key.
import assert from 'node:assert/strict'
import { createHash, createVerify, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { VirtualClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import { seededRandom } from '../../core/random.ts'
import { googleAuthorization } from './credentials.ts'
import { presignUrl } from './sign.ts'

const home = mkdtempSync(join(tmpdir(), 'google-'))
const clock = new VirtualClock(Date.UTC(2026, 0, 1))
const { privateKey, publicKey } = generateKeyPairSync('rsa', {
  modulusLength: 2_048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
let asked = 0
let claims: Record<string, unknown> = {}
let url = ''
const server = createServer(async (request, response) => {
  asked++
  const form = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString())
  const [head, body, signature] = (form.get('assertion') ?? '').split('.')
  const isSound = createVerify('RSA-SHA256')
    .update(`${head}.${body}`)
    .verify(publicKey, signature ?? '', 'base64url')
  if (!isSound) return void response.writeHead(400).end('{"error":"invalid_grant"}')
  claims = JSON.parse(Buffer.from(body!, 'base64url').toString())
  response.end(JSON.stringify({ access_token: `token ${asked}`, expires_in: 3_600 }))
})
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}/token`
})
after(() => {
  server.close()
  server.closeAllConnections()
  rmSync(home, { recursive: true })
})

const keyFile = (key: string): string => {
  const path = join(home, 'key.json')
  writeFileSync(path, JSON.stringify({ type: 'service_account', client_email: 'lake@x.example', private_key: key, token_uri: url }))
  return path
}
const open = (file: string | undefined, environment: Record<string, string> = {}) =>
  googleAuthorization({ clock, random: seededRandom(1), disk: nodeDisk, environment }, file)

test('a key file gives a token by a signed claim, kept until shortly before its end', async () => {
  const authorization = open(keyFile(privateKey))
  assert.equal(await authorization.token(), 'token 1')
  const now = clock.nowMs() / 1_000
  const scope = 'https://www.googleapis.com/auth/devstorage.read_write'
  assert.deepEqual(claims, { iss: 'lake@x.example', scope, aud: url, iat: now, exp: now + 3_600 })
  await clock.advance(50 * 60_000)
  assert.equal(await authorization.token(), 'token 1')
  await clock.advance(6 * 60_000)
  assert.equal(await authorization.token(), 'token 2')
  assert.equal((await open(undefined, { GOOGLE_APPLICATION_CREDENTIALS: keyFile(privateKey) }).key())?.email, 'lake@x.example')
})

test('a key that is refused, a file that is missing or of another kind are errors that say so', async () => {
  const other = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  await assert.rejects(open(keyFile(other.privateKey)).token(), { code: 'MR_OBJECT_DENIED', message: /invalid_grant/ })
  await assert.rejects(open(join(home, 'absent.json')).token(), { code: 'MR_OBJECT_DENIED', message: /absent\.json/ })
  writeFileSync(join(home, 'federated.json'), '{"type":"external_account"}')
  await assert.rejects(open(join(home, 'federated.json')).token(), { code: 'MR_OBJECT_DENIED', message: /external_account/ })
})

test('a signed URL carries a signature of its canonical request', () => {
  const at = 'https://storage.googleapis.com/lake/a%20b'
  const signed = new URL(presignUrl(at, 60, Date.UTC(2026, 0, 2, 3, 4, 5), { email: 'lake@x.example', privateKey }))
  const signature = signed.searchParams.get('X-Goog-Signature')!
  const query = signed.search.slice(1).replace(/&X-Goog-Signature=.*/, '')
  assert.equal(signed.searchParams.get('X-Goog-Credential'), 'lake@x.example/20260102/auto/storage/goog4_request')
  const canonical = `GET\n/lake/a%20b\n${query}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD`
  const digest = createHash('sha256').update(canonical).digest('hex')
  const text = `GOOG4-RSA-SHA256\n20260102T030405Z\n20260102/auto/storage/goog4_request\n${digest}`
  assert.ok(createVerify('RSA-SHA256').update(text).verify(publicKey, signature, 'hex'))
})
