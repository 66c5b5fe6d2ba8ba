// A live model that cannot go on is named where people look: `status` says so and exits 1, the console's overview lists it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Overview } from '../../src/serve/answers/overview.ts'
import { root, startServer } from '../server/server.ts'
import { runMillrace } from './millrace.ts'

test('a live model that has stopped, and one that has set a row aside', { timeout: 60_000 }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-stopped-'))
  const server = await startServer({ project: join(root, 'test', 'cli', 'stopped'), data, env: { MILLRACE_LOG: 'fatal' } })
  t.after(() => {
    server.child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })
  const post = async (stream: string, row: object): Promise<void> => {
    const body = `${JSON.stringify(row)}\n`
    assert.equal((await server.post(`/streams/${stream}`, body, { 'content-type': 'application/x-ndjson' })).status, 202)
  }
  await post('orders', { id: 1, amount: 'many', placed: '2026-01-01T00:00:00Z' })
  await post('payments', { order_id: 1, method: 'card', paid: '2026-01-01T00:00:01Z' })
  const overview = async (): Promise<Overview> => (await (await server.get('/admin/overview')).json()) as Overview
  let seen = await overview()
  for (let tries = 0; tries < 200 && seen.attention.length < 2; tries++) {
    await sleep(100)
    seen = await overview()
  }
  assert.deepEqual(
    seen.attention.map(({ kind, severity, subject }) => [kind, severity, subject]),
    [
      ['stopped', 'bad', 'settled'],
      ['rejected', 'warn', 'amounts'],
    ],
  )
  assert.match(seen.attention[0]!.detail, /^MR_SQL_RUNTIME .*many/)
  assert.equal(seen.attention[1]!.detail, '1 row was rejected.')
  assert.equal(seen.relations.find(({ name }) => name === 'settled')!.freshness.why?.kind, 'stopped')
  const { status, out } = await runMillrace(['status', '--data', data])
  assert.equal(status, 1)
  assert.match(out, /settled: MR_SQL_RUNTIME/)
})
