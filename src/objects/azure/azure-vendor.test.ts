// Signatures for clients of Azure Blob Storage, against a server of this test that answers as the documentation says. That they are
// signed as Microsoft's own library signs is in `test/objects/azure-sas.long.test.ts`; no account has been met.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, beforeEach, test } from 'node:test'
import { VirtualClock } from '../../core/clock.ts'
import { seededRandom } from '../../core/random.ts'
import { openAzureVendor } from './azure-vendor.ts'
import type { AzureAuthorization } from './credentials.ts'

const clock = new VirtualClock(Date.UTC(2026, 0, 1))
const KEY = Buffer.from('a key').toString('base64')
let endpoint = ''
let isHierarchical = true
let status = 200
let reach = 403
let asked: { line: string; authorization: string; body: string }[] = []
const server = createServer(async (request, response) => {
  const body = Buffer.concat(await Array.fromAsync(request)).toString()
  asked.push({ line: `${request.method} ${request.url}`, authorization: request.headers.authorization ?? '', body })
  if (request.method === 'HEAD') return void response.writeHead(reach).end()
  if (request.url?.includes('comp=properties'))
    return void response.writeHead(status, { 'x-ms-is-hns-enabled': String(isHierarchical), 'x-ms-error-code': 'Nope' }).end()
  const fields = { Oid: 'o', Tid: 't', Start: 's', Expiry: 'e', Service: 'b', Version: 'v' }
  const signed = Object.entries(fields).map(([name, value]) => `<Signed${name}>${value}</Signed${name}>`)
  response.end(`<?xml version="1.0"?><UserDelegationKey>${signed.join('')}<Value>${KEY}</Value></UserDelegationKey>`)
})
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
})
beforeEach(() => {
  asked = []
  isHierarchical = true
  status = 200
})

const prefix = 'abfss://lake@acme.dfs.core.windows.net/'
const open = (authorization: AzureAuthorization) =>
  openAzureVendor({ clock, random: seededRandom(1) }, { account: 'acme', container: 'lake', endpoint, prefix, authorization })
const request = { directory: `${prefix}shop/lake/clicks`, isWrite: false, user: 'ada' }

test('by the account’s key: a signature for the directory, to read, for fifteen minutes', async () => {
  const vended = await open({ kind: 'key', key: KEY }).vend(request)
  const endsMs = clock.nowMs() + 900_000
  const { sig, ...query } = Object.fromEntries(new URLSearchParams(vended?.properties['adls.sas-token']))
  assert.deepEqual(query, { sp: 'rl', se: '2026-01-01T00:15:00Z', spr: 'https', sv: '2021-12-02', sr: 'd', sdd: '3' })
  assert.equal(Buffer.from(sig!, 'base64').length, 32)
  assert.deepEqual(vended, {
    properties: {
      ...Object.fromEntries(
        ['', '.acme', '.acme.dfs.core.windows.net'].map((name) => [`adls.sas-token${name}`, vended?.properties['adls.sas-token']]),
      ),
      'adls.sas-token-expires-at-ms.acme': String(endsMs),
      'adls.sas-token-expires-at-ms.acme.dfs.core.windows.net': String(endsMs),
    },
    endsMs,
  })
  assert.match(asked[0]!.authorization, /^SharedKey acme:/)
})

test('by an identity: with a key that is delegated for as long, and to write', async () => {
  const vendor = open({ kind: 'token', token: async () => 'a token' })
  const vended = await vendor.vend({ ...request, isWrite: true })
  const { sig: _, ...query } = Object.fromEntries(new URLSearchParams(vended?.properties['adls.sas-token']))
  const whose = { skoid: 'o', sktid: 't', skt: 's', ske: 'e', sks: 'b', skv: 'v' }
  assert.deepEqual(query, { sp: 'racwdl', se: '2026-01-01T00:15:00Z', spr: 'https', sv: '2021-12-02', sr: 'd', sdd: '3', ...whose })
  assert.deepEqual(
    asked.map(({ line, authorization }) => [line, authorization]),
    [
      ['GET /?comp=properties&restype=account', 'Bearer a token'],
      ['POST /?comp=userdelegationkey&restype=service', 'Bearer a token'],
    ],
  )
  assert.match(asked[1]!.body, /<Start>2025-12-31T23:55:00Z<\/Start><Expiry>2026-01-01T00:15:00Z<\/Expiry>/)
  await vendor.vend(request)
  assert.equal(asked.length, 3, 'the account is asked once')
})

test('an account without directories gives none, nor does a signature; a refusal is asked again', async () => {
  isHierarchical = false
  await assert.rejects(open({ kind: 'key', key: KEY }).vend(request), { code: 'MR_OBJECT_STORE', message: /no hierarchical namespace/ })
  await assert.rejects(open({ kind: 'sas', query: {} }).vend(request), { code: 'MR_OBJECT_STORE', message: /cannot make others/ })
  status = 403
  const vendor = open({ kind: 'key', key: KEY })
  await assert.rejects(vendor.vend(request), { code: 'MR_OBJECT_DENIED', message: /403 Nope/ })
  status = 200
  isHierarchical = true
  assert.ok(await vendor.vend(request))
})

test('whether a signature reaches a blob is asked with it alone', async () => {
  const vendor = open({ kind: 'key', key: KEY })
  const vended = (await vendor.vend(request))!
  assert.equal(await vendor.reads(vended, `${prefix}shop/owner`), false)
  const { line, authorization } = asked.at(-1)!
  assert.match(line, /^HEAD \/lake\/shop\/owner\?.*sr=d/)
  assert.equal(authorization, '')
  reach = 200
  assert.equal(await vendor.reads(vended, `${prefix}shop/owner`), true)
})
