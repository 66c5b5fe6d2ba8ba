// A master key in Amazon's key management service, against moto: the ring opens with it, and with nothing else; what is bound to a
// wrapped key and a key that is not there are refused in the service's own words; a rotation goes from a file to the service.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type KmsServer, startKms } from '../../scripts/servers/moto.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { sign } from '../../src/objects/amazon/sign.ts'
import { newMasterKeyLine } from '../../src/objects/seal/master-key.ts'
import { readMasterKeys } from '../../src/runtime/master-keys.ts'
import { openTestRing } from './keys.ts'

let server: KmsServer | { readonly missing: string }
const directory = mkdtempSync(join(tmpdir(), 'millrace-kms-'))
before(async () => {
  server = await startKms()
})
after(() => {
  if ('stop' in server) server.stop()
  rmSync(directory, { recursive: true, force: true })
})

const credentials = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' }
const environment = (endpoint: string, keys: string) => ({
  AWS_ENDPOINT_URL_KMS: endpoint,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  MILLRACE_KEYS: keys,
})

/** What an administrator does with other tools. */
async function administer(endpoint: string, operation: string, members: object): Promise<{ KeyMetadata?: { Arn: string } }> {
  const body = JSON.stringify(members)
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `TrentService.${operation}` }
  const options = { credentials, region: 'eu-central-1', service: 'kms', nowMs: systemClock.nowMs() }
  const answer = await fetch(endpoint, {
    method: 'POST',
    body,
    headers: sign({ method: 'POST', url: `${endpoint}/`, query: {}, headers, body }, options).headers,
  })
  assert.equal(answer.status, 200, await answer.clone().text())
  return (answer.headers.get('content-length') === '0' ? {} : await answer.json()) as { KeyMetadata?: { Arn: string } }
}

test('a ring under a key of the service', async (t) => {
  if ('missing' in server) return t.skip(server.missing)
  const { endpoint } = server
  const newKey = async (): Promise<string> => (await administer(endpoint, 'CreateKey', {})).KeyMetadata!.Arn
  const [arn, other] = [await newKey(), await newKey()]
  const masters = (keys: string) => readMasterKeys(environment(endpoint, keys))
  const local = newMasterKeyLine('local', systemRandom)

  // From a file to the service.
  const before = await (await openTestRing(directory, masters(local))).forWriting('orders')
  const both = await openTestRing(directory, masters(`service ${arn}\n${local}`))
  assert.deepEqual(await both.rotate(), { wrapped: 1, begun: 1 })
  const ring = await openTestRing(directory, masters(`service ${arn}`))
  assert.deepEqual(ring.byId(before.id, 'x'), before)
  const after = await ring.forWriting('orders')
  assert.notDeepEqual(after.secret, before.secret)
  assert.deepEqual(
    ring.entries.map(({ master }) => master),
    ['service', 'service'],
  )
  const path = join(directory, 'keys.json')
  const text = readFileSync(path, 'utf8')
  for (const { secret } of [before, after]) assert.ok(!text.includes(secret.toString('base64')))

  // Bound to what it is for, and to its key.
  const file = JSON.parse(text)
  writeFileSync(path, JSON.stringify({ ...file, keys: [{ ...file.keys[0], scope: 'clicks' }] }))
  await assert.rejects(openTestRing(directory, masters(`service ${arn}`)), { code: 'MR_SEAL_DAMAGED' })
  writeFileSync(path, text)
  await assert.rejects(openTestRing(directory, masters(`service ${other}`)), ({ code }: { code: string }) =>
    /^MR_(SEAL_DAMAGED|KEY_SERVICE)$/.test(code),
  )
  await assert.rejects(openTestRing(directory, masters(`service ${arn.replace(/.$/, 'x')}`)), { code: 'MR_KEY_SERVICE' })
})
