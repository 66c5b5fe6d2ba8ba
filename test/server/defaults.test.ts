// A column with a default is added to a stream with rows: on version 3 stored rows have it, on version 2 they have null; a row that
// leaves it out has it in the tail, in files and after another start; null is null, or is refused where the column is required.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startServer, type TestServer } from './server.ts'

const projectOf = (more: string, optional: string): string => `import { http, model, project, sql, stream, t } from 'millrace'
const keyed = { from: http(), key: 'id', iceberg: { version: 3 } } as const
export const three = stream('three', { id: t.long()${more} }, keyed)
export const two = stream('two', { id: t.long()${optional} }, { from: http(), key: 'id' })
export const counted = model('counted', sql\`SELECT * EXCLUDE (_partition, _offset, _ingested_at) FROM \${three}\`, { refresh: 'view' })
export default project('defaults', [{ three, two, counted }])
`

test('rows that leave a column out, and rows from before it', { timeout: 120_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-defaults-'))
  const [project, data] = [join(directory, 'project'), join(directory, 'data')]
  mkdirSync(project)
  let server: TestServer | undefined
  t.after(() => {
    server?.child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const start = async (text: string): Promise<TestServer> => {
    writeFileSync(join(project, 'millrace.ts'), text)
    server = await startServer({ project, data, env: { MILLRACE_FLUSH_MS: '200', MILLRACE_LOG: 'fatal' } })
    return server
  }
  const send = async (on: TestServer, stream: string, rows: readonly object[]): Promise<{ accepted: number; rejected: number }> => {
    const answer = await on.post(`/streams/${stream}`, rows.map((row) => `${JSON.stringify(row)}\n`).join(''), {
      'content-type': 'application/x-ndjson',
    })
    return (await answer.json()) as { accepted: number; rejected: number }
  }
  const rowsOf = async (on: TestServer, sql: string, count: number): Promise<unknown[][]> => {
    for (let tries = 0; ; tries++) {
      const rows = await on.sql(sql)
      if (rows.length >= count || tries > 200) return rows
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  const first = await start(projectOf('', ''))
  await send(first, 'three', [{ id: 1 }])
  await send(first, 'two', [{ id: 1 }])
  assert.equal((await rowsOf(first, 'FROM three', 1)).length, 1)
  assert.equal(await first.stop(), 0)

  const columns =
    ", state: t.string().default('new'), price: t.decimal(8, 2).optional().default('9.5'), since: t.timestamp().default('2026-01-01T00:00:00Z')"
  const second = await start(projectOf(columns, ", state: t.string().optional().default('new')"))
  const sent = await send(second, 'three', [{ id: 2 }, { id: 3, state: 'old', price: null }, { id: 4, state: null }])
  assert.deepEqual([sent.accepted, sent.rejected], [2, 1], 'null is no default')
  await send(second, 'two', [{ id: 2 }, { id: 3, state: null }])
  const three = 'SELECT id::INTEGER, state, price::VARCHAR, epoch(since)::INTEGER FROM three ORDER BY id'
  const [midnight, expected] = [Date.UTC(2026, 0, 1) / 1_000, [] as unknown[][]]
  expected.push([1, 'new', '9.50', midnight], [2, 'new', '9.50', midnight], [3, 'old', null, midnight])
  const two = 'SELECT id::INTEGER, state FROM two ORDER BY id'
  const old = [
    [1, null],
    [2, 'new'],
    [3, null],
  ]
  assert.deepEqual(await rowsOf(second, three, 3), expected)
  assert.deepEqual(await rowsOf(second, two, 3), old)
  assert.deepEqual(
    await second.sql("SELECT count(*)::INTEGER FROM counted WHERE state = 'new'"),
    [[2]],
    'files from before are not left out',
  )
  interface Described {
    readonly required: readonly string[]
    readonly properties: Readonly<Record<string, { readonly default?: unknown }>>
  }
  const { paths } = (await (await second.get('/openapi.json')).json()) as {
    paths: Record<string, { post: { requestBody: { content: Record<string, { schema: { oneOf: readonly [Described] } }> } } }>
  }
  const [described] = paths['/streams/three']!.post.requestBody.content['application/json']!.schema.oneOf
  assert.deepEqual(described.required, ['id'], 'a row may leave the others out')
  assert.equal(described.properties['state']!.default, 'new')
  assert.equal(await second.stop(), 0)

  // Another default is for rows to come: what is stored keeps its own.
  const third = await start(projectOf(columns.replace("'new'", "'next'"), ", state: t.string().optional().default('new')"))
  assert.deepEqual(await rowsOf(third, three, 3), expected)
  await send(third, 'three', [{ id: 5 }])
  assert.deepEqual((await rowsOf(third, three, 4)).at(-1), [5, 'next', '9.50', midnight])
  assert.deepEqual(await third.sql(two), old)
  assert.equal(await third.stop(), 0)
})
