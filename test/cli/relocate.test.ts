// A data directory that was moved or copied: a start and `verify` refuse it and say what to do; relocated in place it answers as before
// and goes on; the original of a copy is left as it was.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root, startServer, type TestServer } from '../server/server.ts'
import { runMillrace } from './millrace.ts'

const project = join(root, 'test', 'cli', 'stopped')
const env = { MILLRACE_LOG: 'fatal', MILLRACE_FLUSH_MS: '200' }

const millrace = (...args: string[]) => runMillrace(args)

test('a directory that was moved, and one that was copied', { timeout: 120_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-moved-'))
  const started: TestServer[] = []
  t.after(() => {
    for (const { child } of started) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  })
  const [first, moved, copy] = ['first', 'moved', 'copy'].map((name) => join(directory, name)) as [string, string, string]
  const send = async (data: string, ids: readonly number[]): Promise<unknown[][]> => {
    const server = await startServer({ project, data, env })
    started.push(server)
    const rows = ids.map((id) => ({ id, amount: `${id}.50`, placed: '2026-01-01T00:00:00Z' }))
    const answer = await server.post('/streams/orders', rows.map((row) => `${JSON.stringify(row)}\n`).join(''), {
      'content-type': 'application/x-ndjson',
    })
    assert.equal(answer.status, 202)
    for (let tries = 0; tries < 200; tries++) {
      const [row] = await server.sql(`SELECT count(*)::INTEGER FROM orders WHERE id = ${ids.at(-1)}`)
      if (row![0] === 1) break
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const found = await server.sql('SELECT count(*)::INTEGER, sum(id)::INTEGER FROM orders')
    assert.equal(await server.stop(), 0)
    return found
  }
  assert.deepEqual(await send(first, [1, 2, 3]), [[3, 6]])

  renameSync(first, moved)
  await assert.rejects(startServer({ project, data: moved, env }), /MR_DATA_MOVED.*was moved from/s)
  const refused = await millrace('verify', '--data', moved)
  assert.equal(refused.status, 1)
  assert.match(refused.errors, /MR_DATA_MOVED.*\n.*millrace relocate --in-place/)
  assert.deepEqual(JSON.parse((await millrace('relocate', '--in-place', '--dry-run', '--json', '--data', moved)).out).from, first)
  assert.equal((await millrace('relocate', '--in-place', '--data', moved)).status, 0)
  assert.equal((await millrace('verify', '--data', moved)).status, 0)
  assert.deepEqual(await send(moved, [4]), [[4, 10]])

  cpSync(moved, copy, { recursive: true })
  await assert.rejects(startServer({ project, data: copy, env }), /MR_DATA_MOVED.*was copied from/s)
  assert.equal((await millrace('relocate', '--in-place', '--data', copy)).status, 0)
  assert.deepEqual(await send(copy, [5, 6]), [[6, 21]])
  assert.equal((await millrace('verify', '--data', moved)).status, 0)
  assert.deepEqual(await send(moved, [7]), [[5, 17]], 'the original has what was its own')

  const again = await millrace('relocate', '--in-place', '--data', copy)
  assert.equal(again.status, 2)
  assert.match(again.errors, /MR_USAGE.*is where it was/)
  const wrong = await millrace('relocate', '--in-place', '--from', join(directory, 'nowhere'), '--data', copy)
  assert.equal(wrong.status, 2)
  assert.match(wrong.errors, /no table or view lies below/)
})
