// Two tables that are relocated: their rows, what is asked of them before and after, and a server for as long as something needs it.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer, type TestServer } from '../server/server.ts'

/** Of a project that imports `http`, `stream`, `t` and `table`. */
export const DEFINITIONS = `export const clicks = stream('clicks', { id: t.int(), page: t.string(), seen: t.timestamp() }, { from: http(), time: 'seen', partition: ['page'] })
export const pages = table('pages', { page: t.string(), title: t.string() }, { from: http(), key: 'page', iceberg: { version: 3 } })`

export const clicksFrom = (from: number): object[] =>
  Array.from({ length: 30 }, (_, i) => ({ id: from + i, page: `p${i % 5}`, seen: '2026-05-01T10:00:00Z' }))
export const pagesOf = (count: number, title: string): object[] => Array.from({ length: count }, (_, i) => ({ page: `p${i}`, title }))

/** What must be the same before and after. */
export const QUESTIONS = [
  'SELECT page, count(*)::INTEGER, sum(id)::INTEGER FROM clicks GROUP BY ALL ORDER BY ALL',
  "SELECT count(*)::INTEGER, sum(id)::INTEGER FROM clicks AT (VERSION => 'first')",
  'SELECT title, count(*)::INTEGER FROM pages GROUP BY ALL ORDER BY ALL',
  "SELECT title, count(*)::INTEGER FROM pages AT (VERSION => 'audit') GROUP BY ALL ORDER BY ALL",
]

/** Starts one, and stops it in good order. */
export async function withServer<T>(options: Parameters<typeof startServer>[0], body: (server: TestServer) => Promise<T>): Promise<T> {
  const server = await startServer(options)
  try {
    const result = await body(server)
    assert.equal(await server.stop(), 0)
    return result
  } finally {
    server.child.kill('SIGKILL')
  }
}

/** Resolves when the rows are committed. */
export async function send(server: TestServer, relation: string, rows: readonly object[]): Promise<void> {
  const snapshots = async (): Promise<number> =>
    Number((await server.sql(`SELECT count(*) FROM millrace.snapshots WHERE relation = '${relation}'`))[0]![0])
  const before = await snapshots()
  const body = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  assert.equal((await server.post(`/streams/${relation}`, body, { 'content-type': 'application/x-ndjson' })).status, 202)
  for (let tries = 0; (await snapshots()) === before; tries++) {
    assert.ok(tries < 300, 'nothing was committed')
    await sleep(50)
  }
}
