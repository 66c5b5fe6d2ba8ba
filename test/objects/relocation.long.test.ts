// The tables of a data directory are relocated to S3, Azure, Google and HDFS, black-box: the store ends to answer in the middle, which
// changes nothing and is gone on from; single answers that are lost change nothing either; afterwards rows, history, tags and
// branches are what they were, nothing is needed of the old place, and the program goes on there. And back again.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { runMillrace } from '../cli/millrace.ts'
import type { TestServer } from '../server/server.ts'
import { openFaultProxy } from './fault-proxy.ts'
import { LAKES } from './lakes.ts'
import { clicksFrom, DEFINITIONS, pagesOf, QUESTIONS, send, withServer } from './moving-tables.ts'

const definition = (lake: string | null): string => `
import { config, embedded, http, project, secret, stream, t, table, azureLake, googleLake, hdfsLake, s3Lake } from 'millrace'
void [config, secret, azureLake, googleLake, hdfsLake, s3Lake]
${DEFINITIONS}
export default project('moving', [{ clicks, pages }], { environments: { dev: embedded(${lake === null ? '' : `{ lake: ${lake} }`}) } })
`

for (const [name, startLake] of Object.entries(LAKES)) {
  const lake = await startLake()
  if ('missing' in lake) {
    test(`relocation to ${name}`, { skip: lake.missing }, () => {})
    continue
  }
  after(() => lake.stop())
  test(`relocation to ${name}`, { timeout: 600_000 }, async (t) => {
    const place = mkdtempSync(join(tmpdir(), 'millrace-relocation-'))
    const [project, data] = [join(place, 'millrace.ts'), join(place, 'data')]
    const address = lake.env[lake.endpoint]!
    const proxy = await openFaultProxy(address)
    t.after(() => {
      proxy.close()
      rmSync(place, { recursive: true, force: true })
    })
    const env = {
      ...lake.env,
      [lake.endpoint]: `${proxy.endpoint}${new URL(address).pathname.replace(/\/$/, '')}`,
      MILLRACE_FLUSH_MS: '100',
    }
    const millrace = async <T>(...args: string[]): Promise<{ status: number | null; answer: T }> => {
      const { status, out, errors } = await runMillrace([...args, '--data', data, '--json'], { ...env, MILLRACE_LOG: 'fatal' })
      return { status, answer: JSON.parse((out || errors).trim().split('\n').at(-1)!) as T }
    }
    const running = <T>(body: (server: TestServer) => Promise<T>): Promise<T> => withServer({ project: place, data, env }, body)
    const ask = (server: TestServer): Promise<unknown[][][]> => Promise.all(QUESTIONS.map((sql) => server.sql(sql)))
    const dataFiles = (): string[] =>
      readdirSync(join(data, 'lake'), { recursive: true, encoding: 'utf8' }).filter((path) => /\.(parquet|puffin|avro)$/.test(path))

    writeFileSync(project, definition(null))
    const expected = await running(async (server) => {
      await send(server, 'clicks', clicksFrom(0))
      await millrace('tag', 'create', 'clicks', 'first')
      await send(server, 'clicks', clicksFrom(100))
      await send(server, 'pages', pagesOf(40, 'one'))
      await millrace('branch', 'create', 'pages', 'audit')
      // A quarter at most: a deletion vector, whose footer names the data file.
      await send(server, 'pages', pagesOf(4, 'two'))
      return ask(server)
    })
    assert.ok(dataFiles().some((path) => path.endsWith('.puffin')))
    writeFileSync(project, definition(lake.code))
    assert.deepEqual(await running(ask), expected, 'the tables of before stay where they are')

    // The store is gone in the middle of the copies.
    const isWrite = (request: string): boolean => /^(PUT|POST)/.test(request)
    let writes = 0
    proxy.fault = (request) => (isWrite(request) && ++writes > 8 ? 'denied' : null)
    const broken = await millrace<{ code: string; fix: string }>('relocate')
    assert.notEqual(broken.status, 0)
    assert.match(broken.answer.code, /^MR_OBJECT_/)
    proxy.fault = () => null
    const verified = await millrace<{ storage: { tables: { table: string; damage: unknown[] }[] } }>('verify')
    assert.equal(verified.status, 0)
    assert.deepEqual(await running(ask), expected, 'nothing was changed')

    // Goes on from there, though now and then an answer is lost or the store is busy.
    let count = 0
    proxy.fault = (request) => (isWrite(request) && ++count % 7 === 0 ? (count % 2 === 0 ? 'lost' : 'busy') : null)
    const done = await millrace<{ files: number; already: number; tables: number; to: string }>('relocate', '--remove-old')
    assert.equal(done.status, 0, JSON.stringify(done.answer))
    proxy.fault = () => null
    assert.ok(done.answer.already > 0, `${done.answer.already} files were copied before`)
    assert.ok(done.answer.files > done.answer.already)
    assert.equal(`${done.answer.to}/`, lake.uri)
    assert.deepEqual(dataFiles(), [])
    rmSync(join(data, 'lake'), { recursive: true })
    rmSync(join(data, 'cache'), { recursive: true, force: true })
    assert.equal((await millrace('verify')).status, 0)
    const grown = await running(async (server) => {
      assert.deepEqual(await ask(server), expected)
      await send(server, 'clicks', clicksFrom(200))
      await send(server, 'pages', pagesOf(2, 'three'))
      assert.deepEqual(await server.sql('SELECT count(*)::INTEGER FROM clicks'), [[90]])
      assert.deepEqual(await server.sql(QUESTIONS[2]!), [
        ['one', 36],
        ['three', 2],
        ['two', 2],
      ])
      return ask(server)
    })

    writeFileSync(project, definition(null))
    assert.deepEqual(await running(ask), grown, 'the tables are still in the store')
    let reads = 0
    proxy.fault = (request) => (request.startsWith('GET') && ++reads % 11 === 0 ? (reads % 2 === 0 ? 'busy' : 'cut') : null)
    const back = await millrace<{ from: string; files: number; removed: number }>('relocate', '--remove-old')
    assert.equal(back.status, 0, JSON.stringify(back.answer))
    assert.equal(`${back.answer.from}/`, lake.uri)
    assert.ok(back.answer.files > 0 && back.answer.removed > back.answer.files, JSON.stringify(back.answer))
    proxy.fault = () => 'denied'
    rmSync(join(data, 'cache'), { recursive: true, force: true })
    assert.equal((await millrace('verify')).status, 0)
    await running(async (server) => {
      assert.deepEqual(await ask(server), grown)
      await send(server, 'clicks', clicksFrom(300))
      assert.deepEqual(await server.sql('SELECT count(*)::INTEGER FROM clicks'), [[120]])
    })
  })
}
