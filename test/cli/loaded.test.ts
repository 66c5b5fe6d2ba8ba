// What a start loads: nothing of libraries that only some projects or terminals need.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { root, startServer } from '../server/server.ts'

/** Names each package at its first module. */
const HOOK = `
import { registerHooks } from 'node:module'
const seen = new Set()
registerHooks({
  load(url, context, next) {
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
    if (name && !seen.has(name)) process.stderr.write('loads ' + name + '\\n')
    seen.add(name)
    return next(url, context)
  },
})`

test('a start without an issuer of tokens, a topic or a question to the terminal loads no library for them', async (t) => {
  const data = mkdtempSync(join(tmpdir(), 'millrace-loaded-'))
  const NODE_OPTIONS = `--import data:text/javascript,${encodeURIComponent(HOOK)}`
  const server = await startServer({ project: join(root, 'examples', 'sensors'), data, env: { NODE_OPTIONS } })
  t.after(async () => {
    await server.stop()
    rmSync(data, { recursive: true, force: true, maxRetries: 5 })
  })
  const loaded: readonly string[] = server.errors().match(/(?<=^loads )\S+/gm) ?? []
  assert.ok(loaded.includes('fastify'), 'what is loaded is seen')
  for (const name of ['jose', '@clack/prompts', '@platformatic/kafka', 'avsc', 'protobufjs']) assert.ok(!loaded.includes(name), name)
})
