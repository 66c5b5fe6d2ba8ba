// `millrace backfill` on a running server: the live model is replaced in one commit that has its rows, and what is none is refused.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotsPage } from '../../src/serve/answers/snapshots.ts'
import { root, startServer } from '../server/server.ts'
import { runMillrace } from './millrace.ts'

test('a live model is computed again, a stream is not', { timeout: 60_000 }, async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-backfill-'))
  const env = { MILLRACE_LOG: 'fatal', MILLRACE_FLUSH_MS: '200' }
  const server = await startServer({ project: join(root, 'test', 'cli', 'stopped'), data, env })
  t.after(() => {
    server.child.kill('SIGKILL')
    rmSync(data, { recursive: true, force: true })
  })
  const backfill = (model: string, ...args: string[]) => runMillrace(['backfill', model, ...args, '--json', '--data', data])
  const snapshots = async () => ((await (await server.get('/admin/relations/amounts/snapshots')).json()) as SnapshotsPage).snapshots
  const rows = Array.from({ length: 20 }, (_, id) => ({ id, amount: `${id}.50`, placed: '2026-01-01T00:00:00Z' }))
  const answer = await server.post('/streams/orders', rows.map((row) => `${JSON.stringify(row)}\n`).join(''), {
    'content-type': 'application/x-ndjson',
  })
  assert.equal(answer.status, 202)
  for (let tries = 0; tries < 200 && (await snapshots()).length === 0; tries++) await sleep(50)
  const before = await snapshots()
  assert.equal(before.length, 1)

  const { status, out, errors } = await backfill('amounts')
  assert.deepEqual([status, out], [0, '{"model":"amounts"}\n'], errors)
  const [replaced, ...older] = await snapshots()
  assert.deepEqual(
    older.map(({ id }) => id),
    before.map(({ id }) => id),
  )
  assert.deepEqual([replaced!.added, replaced!.removed, replaced!.rows], [20, 20, 20])
  assert.deepEqual(await server.sql('SELECT count(*), sum(amount)::VARCHAR FROM amounts'), [[20, '200.00']])

  const refused = await backfill('orders')
  assert.notEqual(refused.status, 0)
  assert.match(refused.errors, /MR_USAGE.*not a model that is live or incremental by an interval/)
  assert.match(refused.errors, /such models are: amounts/)
  // A model without windows has no intervals to choose; a time is a time.
  for (const [args, message] of [
    [['--from', '2026-01-01'], /do not tell the window/],
    [['--only-missing', '--dry-run'], /do not tell the window/],
    [['--from', '2026-02-30'], /is not a time/],
    [['--from', '2026-01-02', '--to', '2026-01-01'], /nothing lies between/],
  ] as const) {
    const { status: failed, errors: said } = await backfill('amounts', ...args)
    assert.equal(failed, 2, said)
    assert.match(said, /MR_USAGE/)
    assert.match(said, message)
  }
  assert.deepEqual(
    await server.sql("SELECT object, outcome, count(*)::INTEGER FROM millrace.audit WHERE action = 'backfill' GROUP BY ALL ORDER BY ALL"),
    [
      ['amounts', 'MR_USAGE', 3],
      ['amounts', 'ok', 1],
      ['orders', 'MR_USAGE', 1],
    ],
  )
})
