// A change that what is deployed does not allow is the same error for everybody: `plan` tells it, `apply`, `start` and `dev` stop at
// it before anything is changed, and a `dev` that runs goes on as it was.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer, type TestServer } from '../server/server.ts'
import { runMillrace } from './millrace.ts'

interface Defined {
  readonly key?: string
  readonly partitions?: number
  readonly more?: string
}

const projectWith = ({ key = 'id', partitions = 2, more = '' }: Defined): string => `
import { http, project, stream, t, table } from 'millrace'
export const clicks = stream('clicks', { page: t.string()${more} }, { from: http(), key: 'page', partitions: ${partitions} })
export const orders = table('orders', { id: t.string(), shop: t.string() }, { from: http(), key: '${key}' })
export default project('refused', [clicks, orders])
`
const ANOTHER_KEY = /table orders: its key changes from id to shop/

test('plan, apply, start and dev refuse alike, and nothing has changed', { timeout: 120_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'millrace-refused-'))
  const data = join(place, 'data')
  let server: TestServer | undefined
  t.after(() => {
    server?.child.kill('SIGKILL')
    rmSync(place, { recursive: true, force: true })
  })
  const define = (defined: Defined): void => writeFileSync(join(place, 'millrace.ts'), projectWith(defined))
  const start = async (): Promise<TestServer> => {
    server = await startServer({ project: place, data, env: { MILLRACE_LOG: 'error' } })
    return server
  }
  const millrace = (...args: string[]) => runMillrace([...args, '--project', place, '--data', data], { MILLRACE_LOG: 'error' })

  define({})
  const first = await start()
  const sent = await first.post('/streams/orders', '{"id":"a","shop":"x"}\n', { 'content-type': 'application/x-ndjson' })
  assert.equal(sent.status, 202)
  assert.equal(await first.stop(), 0)

  define({ key: 'shop', partitions: 3 })
  const planned = await millrace('plan')
  assert.equal(planned.status, 1)
  assert.match(planned.out, /x table orders cannot be changed in place\n.*its key changes from id to shop/)
  for (const args of [
    ['apply', '--yes'],
    ['start', '--port', '0'],
    ['dev', '--port', '0'],
  ]) {
    const { status, errors } = await millrace(...args)
    assert.equal(status, 1, `${args}: ${errors}`)
    assert.match(errors, /MR_PLAN_STATE.*2 changes cannot be made to what is deployed/s)
    assert.match(errors, /millrace\.ts:\d+ {2}stream clicks: is divided differently/)
    assert.match(errors, ANOTHER_KEY)
  }

  define({})
  const again = await start()
  const rowsOf = (): Promise<unknown[][]> => again.sql('SELECT id, shop FROM orders')
  assert.deepEqual(await rowsOf(), [['a', 'x']])
  const said = async (what: RegExp): Promise<void> => {
    for (let tries = 0; !what.test(again.errors()); tries++) {
      assert.ok(tries < 300, `${what}: ${again.errors()}`)
      await sleep(50)
    }
  }
  define({ key: 'shop' })
  await said(/MR_PLAN_STATE.*a change cannot be made/s)
  assert.match(again.errors(), ANOTHER_KEY)
  assert.deepEqual(await rowsOf(), [['a', 'x']])
  assert.equal(again.child.exitCode, null)
  define({ more: ', seen: t.timestamp().optional()' })
  for (let tries = 0; ; tries++) {
    const columns = await again.sql('SELECT seen FROM clicks').catch((error: unknown) => error)
    if (Array.isArray(columns)) break
    assert.ok(tries < 300, `not started again: ${columns}`)
    await sleep(50)
  }
  assert.deepEqual(await rowsOf(), [['a', 'x']])
  assert.equal(await again.stop(), 0)
})
