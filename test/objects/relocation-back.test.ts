// The tables of one bucket relocated to another, and from there back into the data directory, black-box: rows, history, tags, branches
// and the state of a live model go along; a store that ends to answer, answers that break off and a kill in the middle change nothing
// and are gone on from; what was there of before stays until it is asked away. Skipped where the server cannot be had.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { runMillrace } from '../cli/millrace.ts'
import { root, type TestServer } from '../server/server.ts'
import { openFaultProxy } from './fault-proxy.ts'
import { clicksFrom, DEFINITIONS, pagesOf, QUESTIONS, send, withServer } from './moving-tables.ts'

const lakeIn = (bucket: string): string =>
  `{ lake: s3Lake({ bucket: '${bucket}', prefix: 'shop', endpoint: config('LAKE_ENDPOINT'), accessKeyId: config('LAKE_KEY'), secretAccessKey: secret('LAKE_SECRET') }) }`
const definition = (lake: string): string => `
import { config, embedded, http, model, project, s3Lake, secret, sql, stream, t, table } from 'millrace'
void [config, s3Lake, secret]
${DEFINITIONS}
export const perPage = model('per_page', sql\`SELECT page, count(*) AS clicks, sum(id) AS ids FROM \${clicks} GROUP BY page\`, { fresh: 'live', emit: 'changes' })
export default project('moving', [{ clicks, pages, perPage }], { environments: { dev: embedded(${lake}) } })
`

const ASKED = [...QUESTIONS, 'SELECT page, clicks::INTEGER, ids::INTEGER FROM per_page ORDER BY ALL']

interface Done {
  readonly from: string
  readonly to: string
  readonly tables: number
  readonly files: number
  readonly already: number
  readonly removed: number
  readonly code?: string
}

const s3 = await startS3()
if ('missing' in s3) test('relocation between buckets', { skip: s3.missing }, () => {})
else {
  after(() => s3.stop())
  test('from one bucket to another, and back into the data directory', { timeout: 300_000 }, async (t) => {
    const place = mkdtempSync(join(tmpdir(), 'millrace-back-'))
    const [project, data] = [join(place, 'millrace.ts'), join(place, 'data')]
    const proxy = await openFaultProxy(s3.endpoint)
    for (const bucket of ['one', 'two']) s3.makeBucket(bucket)
    t.after(() => {
      proxy.close()
      rmSync(place, { recursive: true, force: true })
    })
    const env = {
      LAKE_ENDPOINT: proxy.endpoint,
      LAKE_KEY: s3.accessKeyId,
      LAKE_SECRET: s3.secretAccessKey,
      MILLRACE_FLUSH_MS: '100',
      MILLRACE_LOG: 'fatal',
    }
    const millrace = async (...args: string[]): Promise<{ status: number | null; answer: Done }> => {
      const { status, out, errors } = await runMillrace([...args, '--data', data, '--json'], env)
      return { status, answer: JSON.parse((out || errors).trim().split('\n').at(-1)!) as Done }
    }
    const running = <T>(body: (server: TestServer) => Promise<T>): Promise<T> => withServer({ project: place, data, env }, body)
    const ask = (server: TestServer): Promise<unknown[][][]> => Promise.all(ASKED.map((sql) => server.sql(sql)))
    const settled = async (server: TestServer, rows: number): Promise<void> => {
      for (let tries = 0; ; tries++) {
        const [[sum]] = (await server.sql('SELECT coalesce(sum(clicks), 0)::INTEGER FROM per_page')) as [[number]]
        if (sum === rows) return
        assert.ok(tries < 300, `${sum} clicks are counted, not ${rows}`)
        await sleep(50)
      }
    }
    const filesOf = (directory: string): string[] =>
      existsSync(directory)
        ? readdirSync(directory, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
        : []
    const inBucket = (bucket: string): string[] => filesOf(join(s3.directory, bucket, 'shop')).filter((name) => name !== 'owner')
    const isWrite = (request: string): boolean => /^(PUT|POST)/.test(request)

    writeFileSync(project, definition(lakeIn('one')))
    const expected = await running(async (server) => {
      await send(server, 'clicks', clicksFrom(0))
      await millrace('tag', 'create', 'clicks', 'first')
      await send(server, 'clicks', clicksFrom(100))
      await send(server, 'pages', pagesOf(40, 'one'))
      await millrace('branch', 'create', 'pages', 'audit')
      await send(server, 'pages', pagesOf(4, 'two'))
      await settled(server, 60)
      return ask(server)
    })
    assert.ok(inBucket('one').some((name) => name.endsWith('.puffin')) && inBucket('one').some((name) => name.endsWith('.checkpoint')))

    // To the other bucket: started once, the tables stay where they are, and new commits of theirs too.
    writeFileSync(project, definition(lakeIn('two')))
    assert.deepEqual(await running(ask), expected)
    let writes = 0
    proxy.fault = (request) => (isWrite(request) && ++writes > 8 ? 'denied' : null)
    const broken = await millrace('relocate')
    assert.match(broken.answer.code!, /^MR_OBJECT_/)
    proxy.fault = () => null
    assert.equal((await millrace('verify')).status, 0)
    assert.deepEqual(await running(ask), expected, 'nothing was changed')
    let count = 0
    const faults = ['lost', 'busy', 'cut'] as const
    proxy.fault = (request) =>
      request.startsWith('HEAD') || ++count % 9 > 0 ? null : faults[count % 2 === 0 || isWrite(request) ? count % 2 : 2]!
    const moved = await millrace('relocate')
    proxy.fault = () => null
    assert.equal(moved.status, 0, JSON.stringify(moved.answer))
    assert.deepEqual([moved.answer.from, moved.answer.to], ['s3://one/shop/lake', 's3://two/shop/lake'])
    assert.ok(moved.answer.already > 0 && moved.answer.files > moved.answer.already, JSON.stringify(moved.answer))
    assert.ok(inBucket('one').length > 0, 'what was there stays')
    // Nothing is needed of it.
    rmSync(join(s3.directory, 'one', 'shop'), { recursive: true })
    rmSync(join(data, 'cache'), { recursive: true })
    assert.equal((await millrace('verify')).status, 0)
    const grown = await running(async (server) => {
      assert.deepEqual(await ask(server), expected)
      await send(server, 'clicks', clicksFrom(200))
      await settled(server, 90)
      return ask(server)
    })
    assert.equal('former' in JSON.parse(readFileSync(join(data, 'warehouse.json'), 'utf8')), false, 'the first bucket is forgotten')

    // Back: answers break off, then the command is killed, then it goes through.
    writeFileSync(project, definition(''))
    assert.deepEqual(await running(ask), grown)
    let reads = 0
    proxy.fault = (request) => (request.includes('.parquet') && request.startsWith('GET') && ++reads > 3 ? 'denied' : null)
    assert.match((await millrace('relocate')).answer.code!, /^MR_OBJECT_/)
    reads = 0
    const child = spawn(process.execPath, [join(root, 'bin', 'millrace.mjs'), 'relocate', '--data', data], {
      env: { ...process.env, ...env },
    })
    proxy.fault = (request) => {
      if (request.includes('.parquet') && request.startsWith('GET') && ++reads === 6) child.kill('SIGKILL')
      return null
    }
    await new Promise((resolve) => child.once('exit', resolve))
    assert.equal(child.signalCode, 'SIGKILL')
    proxy.fault = () => null
    assert.deepEqual(await running(ask), grown, 'nothing was changed')
    count = 0
    proxy.fault = (request) => (request.startsWith('GET') && ++count % 8 === 0 ? (count % 16 === 0 ? 'cut' : 'busy') : null)
    const back = await millrace('relocate', '--remove-old')
    proxy.fault = () => null
    assert.equal(back.status, 0, JSON.stringify(back.answer))
    assert.deepEqual([back.answer.from, back.answer.to], ['s3://two/shop/lake', join(data, 'lake')])
    assert.ok(back.answer.already > 0 && back.answer.removed > 0, JSON.stringify(back.answer))
    assert.deepEqual(
      filesOf(join(data, 'lake')).filter((name) => name.endsWith('.part')),
      [],
    )
    s3.stop()
    rmSync(join(data, 'cache'), { recursive: true, force: true })
    await running(async (server) => {
      assert.deepEqual(await ask(server), grown)
      await send(server, 'clicks', clicksFrom(300))
      await send(server, 'pages', pagesOf(2, 'three'))
      await settled(server, 120)
    })
    assert.equal((await millrace('verify')).status, 0)
  })
}
