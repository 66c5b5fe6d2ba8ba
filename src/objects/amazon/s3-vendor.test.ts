// What the token service is asked for on behalf of a client, and what is made of its answer: the service is a server of this test.
// That a store holds clients to the policy is shown against a real one in `test/objects/vended.test.ts`.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { VirtualClock } from '../../core/clock.ts'
import { seededRandom } from '../../core/random.ts'
import { openS3Vendor, sessionPolicy } from './s3-vendor.ts'

const clock = new VirtualClock(Date.UTC(2026, 0, 1))
let endpoint = ''
let asked = new URLSearchParams()
let authorization = ''
let status = 200
const server = createServer(async (request, response) => {
  asked = new URLSearchParams(Buffer.concat(await Array.fromAsync(request)).toString())
  authorization = request.headers.authorization ?? ''
  if (status !== 200)
    return void response
      .writeHead(status)
      .end('<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>')
  response.end(
    '<R><Credentials><AccessKeyId>A</AccessKeyId><SecretAccessKey>s&amp;1</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2026-01-01T00:15:00Z</Expiration></Credentials></R>',
  )
})
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
})

const open = (role: string) =>
  openS3Vendor(
    { clock, random: seededRandom(1) },
    {
      bucket: 'lake',
      region: 'eu-central-1',
      endpoint: 'https://s3.office.example',
      pathStyle: true,
      credentials: async () => ({ accessKeyId: 'OWN', secretAccessKey: 'own secret' }),
      credentialsFrom: 'a test',
    },
    { role, endpoint, externalId: 'x1' },
  )

test('a role is taken for fifteen minutes with the rights for one table', async () => {
  const vended = await open('arn:aws:iam::1:role/lake').vend({
    directory: 's3://lake/shop/lake/clicks',
    isWrite: false,
    user: 'ada lovelace',
  })
  const { Policy, ...rest } = Object.fromEntries(asked)
  assert.deepEqual(rest, {
    Action: 'AssumeRole',
    Version: '2011-06-15',
    RoleArn: 'arn:aws:iam::1:role/lake',
    RoleSessionName: 'millrace-ada-lovelace',
    DurationSeconds: '900',
    ExternalId: 'x1',
  })
  assert.match(authorization, /^AWS4-HMAC-SHA256 Credential=OWN\/20260101\/eu-central-1\/sts\/aws4_request, /)
  assert.deepEqual(JSON.parse(Policy!).Statement, [
    { Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::lake/shop/lake/clicks/*'] },
    {
      Effect: 'Allow',
      Action: ['s3:ListBucket'],
      Resource: ['arn:aws:s3:::lake'],
      Condition: { StringLike: { 's3:prefix': ['shop/lake/clicks/*'] } },
    },
  ])
  assert.deepEqual(vended, {
    properties: {
      's3.access-key-id': 'A',
      's3.secret-access-key': 's&1',
      's3.session-token': 't',
      's3.session-token-expires-at-ms': String(Date.UTC(2026, 0, 1, 0, 15)),
    },
    endsMs: Date.UTC(2026, 0, 1, 0, 15),
  })
})

test('a refusal says which role and why, and holds no secret', async () => {
  status = 403
  await assert.rejects(
    open('arn:aws:iam::1:role/lake').vend({ directory: 's3://lake/a', isWrite: true, user: 'ada' }),
    (error: { code: string; message: string; fix: string }) => {
      assert.equal(error.code, 'MR_OBJECT_DENIED')
      assert.match(error.message, /the role arn:aws:iam::1:role\/lake cannot be taken: 403 not you/)
      assert.ok(!`${error.message}${error.fix}`.includes('own secret'))
      return true
    },
  )
  status = 200
})

test('a place that a policy would take for a pattern gets none; writing adds rights for the same place, and for its key', () => {
  const place = { partition: 'aws-cn', bucket: 'lake', key: 'a/b' }
  for (const key of ['', 'lake/a*', 'lake/a?b', `lake/$${'{aws:username}'}`])
    assert.equal(sessionPolicy({ ...place, key }, false), undefined, key)
  const [objects, list, ...more] = JSON.parse(sessionPolicy(place, true)!).Statement
  assert.deepEqual(objects.Resource, ['arn:aws-cn:s3:::lake/a/b/*'])
  assert.deepEqual(objects.Action, [
    's3:GetObject',
    's3:PutObject',
    's3:DeleteObject',
    's3:AbortMultipartUpload',
    's3:ListMultipartUploadParts',
  ])
  assert.deepEqual([list.Action, more], [['s3:ListBucket'], []])
  const kmsKey = 'arn:aws-cn:kms:cn-north-1:1:key/k'
  const keyed = (isWrite: boolean) => JSON.parse(sessionPolicy({ ...place, kmsKey }, isWrite)!).Statement[2]
  assert.deepEqual(keyed(false), { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: [kmsKey] })
  assert.deepEqual(keyed(true).Action, ['kms:Decrypt', 'kms:GenerateDataKey'])
})
