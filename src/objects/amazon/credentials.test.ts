// Where credentials come from, in their order; temporary ones are kept until shortly before their end. The endpoints of
// containers, machines and the token service are servers of this test.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { VirtualClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import { seededRandom } from '../../core/random.ts'
import { awsCredentials, type Environment } from './credentials.ts'

const home = mkdtempSync(join(tmpdir(), 'aws-'))
const clock = new VirtualClock(Date.UTC(2026, 0, 1))
let endpoint = ''
const asked: { method: string; url: string; headers: Readonly<Record<string, unknown>> }[] = []
const server = createServer((request, response) => {
  const { method = '', url = '', headers } = request
  asked.push({ method, url, headers })
  const expiration = new Date(clock.nowMs() + 3_600_000).toISOString()
  const json = (id: string): string => JSON.stringify({ AccessKeyId: id, SecretAccessKey: 's', Token: 't', Expiration: expiration })
  if (url === '/latest/api/token') return void response.end('a session')
  if (url.endsWith('/security-credentials/')) return void response.end('the-role\n')
  if (url.endsWith('/security-credentials/the-role')) return void response.end(json('machine'))
  if (url === '/container') return void response.end(json('container'))
  if (url.startsWith('/?Action=AssumeRoleWithWebIdentity'))
    return void response.end(
      `<R><Credentials><AccessKeyId>web</AccessKeyId><SecretAccessKey>s&amp;1</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${expiration}</Expiration></Credentials></R>`,
    )
  response.writeHead(404).end()
})
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})
after(() => {
  server.close()
  server.closeAllConnections()
  rmSync(home, { recursive: true })
})

const open = (environment: Environment, given?: { accessKeyId: string; secretAccessKey: string }) =>
  awsCredentials(
    {
      clock,
      random: seededRandom(1),
      disk: nodeDisk,
      environment: { HOME: home, AWS_EC2_METADATA_DISABLED: 'true', ...environment },
      region: 'r',
    },
    given,
  )

const variables = { AWS_ACCESS_KEY_ID: 'variable', AWS_SECRET_ACCESS_KEY: 's' }

test('what is given goes before the environment, the environment before the rest', async () => {
  assert.equal((await open(variables, { accessKeyId: 'given', secretAccessKey: 's' })()).accessKeyId, 'given')
  assert.deepEqual(await open({ ...variables, AWS_SESSION_TOKEN: 't' })(), {
    accessKeyId: 'variable',
    secretAccessKey: 's',
    sessionToken: 't',
  })
  assert.equal(asked.length, 0)
})

test('the profile of a file, by name', async () => {
  const file = join(home, 'credentials')
  writeFileSync(
    file,
    '[default]\naws_access_key_id = one\naws_secret_access_key=1\n\n[ other ]\naws_access_key_id=two\naws_secret_access_key = 2=\naws_session_token = t\n',
  )
  const at = { AWS_SHARED_CREDENTIALS_FILE: file }
  assert.deepEqual(await open(at)(), { accessKeyId: 'one', secretAccessKey: '1' })
  assert.deepEqual(await open({ ...at, AWS_PROFILE: 'other' })(), { accessKeyId: 'two', secretAccessKey: '2=', sessionToken: 't' })
})

test('a web identity takes its role, and takes it again five minutes before the end', async () => {
  writeFileSync(join(home, 'token'), 'proof\n')
  const web = { AWS_WEB_IDENTITY_TOKEN_FILE: join(home, 'token'), AWS_ROLE_ARN: 'arn:role/x', AWS_ENDPOINT_URL_STS: endpoint }
  const credentials = open(web)
  asked.length = 0
  assert.deepEqual(await credentials(), { accessKeyId: 'web', secretAccessKey: 's&1', sessionToken: 't' })
  assert.match(asked[0]!.url, /RoleArn=arn%3Arole%2Fx.*WebIdentityToken=proof/)
  await clock.advance(54 * 60_000)
  await credentials()
  assert.equal(asked.length, 1)
  await clock.advance(2 * 60_000)
  await Promise.all([credentials(), credentials()])
  assert.ok(asked.length >= 2)
})

test('the container, with its token; the machine, with a session', async () => {
  const container = { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/container`, AWS_CONTAINER_AUTHORIZATION_TOKEN: 'allowed' }
  asked.length = 0
  assert.deepEqual(await open(container)(), { accessKeyId: 'container', secretAccessKey: 's', sessionToken: 't' })
  assert.equal(asked[0]!.headers['authorization'], 'allowed')
  const machine = { AWS_EC2_METADATA_DISABLED: undefined, AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint }
  asked.length = 0
  assert.equal((await open(machine)()).accessKeyId, 'machine')
  assert.deepEqual(
    asked.map(({ method }) => method),
    ['PUT', 'GET', 'GET'],
  )
  assert.equal(asked[2]!.headers['x-aws-ec2-metadata-token'], 'a session')
})

test('no credentials anywhere is an error that says where to put them', async () => {
  await assert.rejects(open({ HOME: join(home, 'nobody') })(), (error: { code: string; fix: string }) => {
    assert.equal(error.code, 'MR_OBJECT_DENIED')
    assert.match(error.fix, /AWS_ACCESS_KEY_ID/)
    return true
  })
})
