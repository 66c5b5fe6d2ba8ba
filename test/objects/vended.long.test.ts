// Clients that hold credentials of the catalog and nothing else, against a store that holds them to their policy (MinIO): PyIceberg
// and Spark read and write with them alone, and the files of a neighbour are refused by the store, not by us.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { installIcebergAws } from '../../scripts/servers/iceberg-aws.ts'
import { startMinio } from '../../scripts/servers/minio.ts'
import { installPyIceberg } from '../../scripts/servers/pyiceberg.ts'
import { installSpark } from '../../scripts/servers/spark.ts'
import { systemClock } from '../../src/core/clock.ts'
import { systemRandom } from '../../src/core/random.ts'
import { openS3 } from '../../src/objects/amazon/s3-store.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const VENDED = { 'x-iceberg-access-delegation': 'vended-credentials' }
const IDS = Array.from({ length: 20 }, (_, id) => id)

interface Loaded {
  readonly metadata: { readonly location: string }
  readonly 'metadata-location': string
  readonly 'storage-credentials': readonly { readonly prefix: string; readonly config: Readonly<Record<string, string>> }[]
}

const s3 = await startMinio()
if ('missing' in s3) test('credentials of the catalog alone', { skip: s3.missing }, () => {})
else {
  const data = mkdtempSync(join(tmpdir(), 'millrace-vended-'))
  let server: TestServer
  let token = ''
  // The store's own token service, whose sessions end in four minutes when it is asked to: Java's client takes none with less than five.
  let isShort = false
  const service = createServer(async (request, response) => {
    const { method, url = '', headers } = request
    if (url === '/shorten') {
      isShort = true
      return void response.end()
    }
    const body = Buffer.concat(await Array.fromAsync(request))
    const forwarded = httpRequest(s3.endpoint + url, { method, headers }, async (answer) => {
      const text = Buffer.concat(await Array.fromAsync(answer)).toString()
      const ends = new Date(Date.now() + 240_000).toISOString()
      response.writeHead(answer.statusCode!).end(isShort ? text.replace(/<Expiration>[^<]*/, `<Expiration>${ends}`) : text)
    })
    forwarded.end(body)
  })
  const serviceUrl = (): string => `http://127.0.0.1:${(service.address() as { port: number }).port}`
  before(async () => {
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    await s3.makeBucket('lake')
    const env = {
      LAKE_ENDPOINT: s3.endpoint,
      LAKE_KEY: s3.accessKeyId,
      LAKE_SECRET: s3.secretAccessKey,
      STS_ENDPOINT: serviceUrl(),
      MILLRACE_FLUSH_MS: '200',
    }
    server = await startServer({ project: join(root, 'test', 'objects', 'vending'), data, env })
    const lines = IDS.map((id) => JSON.stringify({ id, page: `p${id % 3}`, seen: '2026-05-01T10:00:00Z' }))
    await server.post('/streams/clicks', lines.join('\n'), { 'content-type': 'application/x-ndjson' })
    const customers = ['FR', 'DE'].map((country) => JSON.stringify({ id: country, country }))
    await server.post('/streams/customers', customers.join('\n'), { 'content-type': 'application/x-ndjson' })
    const committed = async (): Promise<number> =>
      Number(
        (
          await server.sql("SELECT coalesce(sum(added_records), 0) FROM millrace.snapshots WHERE relation IN ('clicks', 'customers')")
        )[0]![0],
      )
    for (let tries = 0; (await committed()) !== IDS.length + customers.length && tries < 100; tries++)
      await new Promise((done) => setTimeout(done, 100))
    token = await tokenOf('ada')
  })
  after(async () => {
    await server?.stop()
    s3.stop()
    service.close()
    service.closeAllConnections()
    rmSync(data, { recursive: true, force: true })
  })

  const tokenOf = async (user: string, ...more: string[]): Promise<string> => {
    const body = JSON.stringify({ user, roles: ['analyst', 'loader', ...more] })
    const made = await server.post('/admin/tokens', body, { 'content-type': 'application/json' })
    return ((await made.json()) as { token: string }).token
  }
  const load = async (table: string, role?: string): Promise<Loaded> => {
    const headers = { ...VENDED, ...(role ? { 'millrace-as': role } : {}) }
    return (await (await server.get(`/iceberg/v1/namespaces/main/tables/${table}`, headers)).json()) as Loaded
  }
  /** The store by the credentials of a loaded table. */
  const storeOf = (loaded: Loaded): ObjectStore => {
    const { config } = loaded['storage-credentials'][0]!
    const credentials = {
      accessKeyId: config['s3.access-key-id']!,
      secretAccessKey: config['s3.secret-access-key']!,
      sessionToken: config['s3.session-token']!,
    }
    return openS3(
      { clock: systemClock, random: systemRandom, tryMax: 2 },
      {
        bucket: 'lake',
        region: s3.region,
        endpoint: s3.endpoint,
        pathStyle: true,
        credentials: async () => credentials,
        credentialsFrom: 'the catalog',
      },
    )
  }
  const denied = (action: Promise<unknown>, what: string): Promise<void> =>
    assert.rejects(action, (error: { code: string }) => error.code === 'MR_OBJECT_DENIED', what)

  test('the store holds credentials to their table, and to reading', async () => {
    const [clicks, notes, late] = [await load('clicks', 'analyst'), await load('notes', 'loader'), await load('clicks__late', 'analyst')]
    const [reader, writer] = [storeOf(clicks), storeOf(notes)]
    assert.match((await reader.read(clicks['metadata-location'])).toString(), /"location":\s*"s3:\/\/lake\/shop\/lake\/clicks"/)
    assert.ok((await Array.fromAsync(reader.list(clicks.metadata.location))).length > 0)
    await denied(reader.put(`${clicks.metadata.location}/data/x`, Buffer.from('x')), 'writing')
    await denied(reader.remove(clicks['metadata-location']), 'removing')
    await writer.put(`${notes.metadata.location}/data/by-hand`, Buffer.from('x'))
    await writer.remove(`${notes.metadata.location}/data/by-hand`)
    // `clicks__late` begins with the same letters.
    assert.ok(late['metadata-location'].startsWith('s3://lake/shop/lake/clicks__late/'))
    for (const [name, store] of [
      ['reader', reader],
      ['writer', writer],
    ] as const) {
      await denied(store.read(late['metadata-location']), `${name}: a sibling's file`)
      await denied(Array.fromAsync(store.list(late.metadata.location)), `${name}: a sibling's list`)
      await denied(Array.fromAsync(store.list('s3://lake/shop/lake')), `${name}: the list of all`)
      await denied(store.put(`${late.metadata.location}/data/x`, Buffer.from('x')), `${name}: into a sibling`)
      await denied(store.read('s3://lake/shop/owner'), `${name}: what lies beside the lake`)
    }
  })

  const ask = (python: string, args: readonly string[], input: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const child = spawn(python, [join(dirname(fileURLToPath(import.meta.url)), 'vended_clients.py'), ...args], {
        // Whatever the machine has: the token must be enough.
        env: { PATH: process.env['PATH'], HOME: tmpdir(), AWS_EC2_METADATA_DISABLED: 'true' },
      })
      let [out, errors] = ['', '']
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      child.stderr.on('data', (chunk) => {
        errors += chunk
      })
      child.on('exit', (code) =>
        code === 0 ? resolve(JSON.parse(out.trim().split('\n').at(-1)!)) : reject(new Error(errors.slice(-6_000))),
      )
      child.stdin.end(JSON.stringify(input))
    })

  const installed = installPyIceberg()
  test('PyIceberg reads, appends and makes tables', { skip: 'missing' in installed ? installed.missing : false }, async () => {
    assert.ok('python' in installed)
    const sibling = (await load('customers'))['metadata-location']
    const engine = await tokenOf('pyiceberg', 'engine')
    for (const [io, more] of [
      ['PyArrowFileIO', {}],
      ['FsspecFileIO', { 'py-io-impl': 'pyiceberg.io.fsspec.FsspecFileIO' }],
    ] as const) {
      const answer = await ask(installed.python, ['pyiceberg'], { uri: `${server.url}/iceberg`, token, engine, sibling, more, suffix: io })
      assert.equal(answer['io'], io)
      assert.deepEqual(answer['ids'], IDS)
      assert.notEqual(answer['sibling'], 'read')
      assert.notEqual(answer['written'], 'written')
      assert.deepEqual(answer['made'], [[7], [8]])
      assert.deepEqual(answer['refreshed'], [
        's3.access-key-id',
        's3.secret-access-key',
        's3.session-token',
        's3.session-token-expires-at-ms',
      ])
      assert.deepEqual([answer['customers'], answer['people']], ['ForbiddenError', 'ForbiddenError'])
      assert.deepEqual(answer['unrestricted'], ['DE', 'FR'], 'this version does not enforce: the page on read restrictions says so')
    }
    assert.deepEqual(await server.sql('SELECT id, text FROM notes ORDER BY id, text'), [
      [1, 'py'],
      [1, 'py'],
      [2, null],
      [2, null],
    ])
  })

  const [spark, aws] = [installSpark(), installIcebergAws()]
  const sparkMissing = 'missing' in spark ? spark.missing : 'missing' in aws ? aws.missing : false
  test('Spark reads, appends, makes a table of a query, deletes from it, and fetches the next credentials itself', {
    skip: sparkMissing,
  }, async () => {
    assert.ok('python' in spark && 'jar' in aws)
    const answer = await ask(spark.python, ['spark', `${spark.jar},${aws.jar}`], {
      uri: `${server.url}/iceberg`,
      token,
      later: await tokenOf('bob'),
      engine: await tokenOf('spark', 'engine'),
      shorten: `${serviceUrl()}/shorten`,
    })
    assert.deepEqual(answer['ids'], IDS)
    assert.deepEqual(answer['refreshed'], IDS)
    assert.deepEqual(answer['made'], [0, 1, 2])
    assert.deepEqual(answer['left'], [1, 2])
    for (const name of ['customers', 'people']) assert.match(String(answer[name]), /ForbiddenException|Forbidden: /, name)
    assert.deepEqual(await server.sql("SELECT id FROM notes WHERE text = 'spark'"), [[3]])
    assert.deepEqual(answer['unrestricted'], ['DE', 'FR'], 'this version does not enforce: the page on read restrictions says so')
  })
}
