// The entries start on Node 20, which people have, and go on with Node 24: whatever an entry imports must exist there.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { installNode } from '../../scripts/node24.mjs'
import { root } from '../server/server.ts'

const VERSION = '20.20.2'

test('the command starts on Node 20', () => {
  const node = installNode(VERSION, join(root, '.cache', `node-${VERSION}`), 'this test needs an old Node')
  assert.equal(execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(), `v${VERSION}`)
  assert.match(execFileSync(node, [join(root, 'bin', 'millrace.mjs'), '--version'], { encoding: 'utf8' }), /^\d+\.\d+\.\d+\s*$/)
})
