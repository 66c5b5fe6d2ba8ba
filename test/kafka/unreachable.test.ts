// A broker that nobody answers for: what the log of the program says of it, and how often.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startServer } from '../server/server.ts'
import { projectIn, until } from './broker.ts'

const SOURCE = `
import { http, project, sink, stream, t } from 'millrace'
import { kafka } from 'millrace/kafka'
const bus = kafka('bus', { brokers: process.env.BROKERS })
const read = stream('read', { at: t.timestamp() }, { time: 'at', from: bus.topic('in') })
const made = stream('made', { at: t.timestamp() }, { time: 'at', from: http() })
const out = sink('out', made, { to: bus.topic('out'), every: '1 second' })
export default project('away', [read, made, out])
`

type Line = Readonly<Record<string, unknown>>

/** What is logged of both flows until each was tried three times. */
async function triesOf(t: TestContext, level: string): Promise<readonly Line[]> {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-unreachable-'))
  const brokers = `127.0.0.1:${await closedPort()}`
  const project = projectIn(join(directory, 'project'), SOURCE)
  const server = await startServer({ project, data: join(directory, 'data'), env: { BROKERS: brokers, MILLRACE_LOG: level } })
  t.after(async () => {
    if (server.child.exitCode === null) await server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  })
  const tries = async (): Promise<readonly Line[]> =>
    server
      .errors()
      .split('\n')
      .filter((text) => text.startsWith('{') && text.endsWith('}') && text.includes('againMs'))
      .map((text) => JSON.parse(text) as Line)
  const count = (lines: readonly Line[], name: string): number => lines.filter((line) => line['name'] === name).length
  return until(tries, (lines) => ['read', 'out'].every((name) => count(lines, name) >= 3))
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

test('each attempt is one line with the code and the reason, and they become rarer', async (t) => {
  const lines = await triesOf(t, 'info')
  for (const [name, message] of [
    ['read', 'a topic is not read'],
    ['out', 'a sink does not write'],
  ] as const) {
    const own = lines.filter((line) => line['name'] === name)
    assert.ok(own.length >= 3, name)
    for (const line of own) {
      assert.deepEqual([line['message'], line['error.code']], [message, 'MR_KAFKA_BUSY'])
      assert.match(String(line['error.message']), /ECONNREFUSED|cannot be reached|failed/)
      assert.equal(line['error.stack_trace'], undefined)
    }
    const waits = own.map((line) => Number(line['againMs'])).slice(0, 3)
    assert.deepEqual(waits, [100, 200, 400])
  }
})

test('with debug the stack is there', async (t) => {
  const lines = await triesOf(t, 'debug')
  for (const line of lines) assert.match(String(line['error.stack_trace']), /\n {4}at /)
})
