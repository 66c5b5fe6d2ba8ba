#!/usr/bin/env node
// The command `millrace`. On Node >= 24 it widens the libuv pool (each running query holds one of its threads) and
// runs the command line in this process; on an older Node it re-executes. Plain JavaScript: it must start on Node 20.
import { existsSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'

process.env.UV_THREADPOOL_SIZE ??= '16'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const source = join(root, 'src', 'cli', 'main.ts')
const entry = existsSync(source) ? source : join(root, 'dist', 'cli', 'main.js')

const major = Number(process.versions.node.split('.')[0])
if (major >= 24) {
  // Rows live in array buffers. Counted on their own, every 64 MB of them would have the whole heap marked: several times a
  // second under load, for a tenth of the processor time. A flag of V8's own: unknown to another version, maybe.
  if (major === 24) setFlagsFromString('--external-memory-accounted-in-global-limit')
  // How far the heap grows from one marking to the next: threefold, within what V8 takes by itself. After a calm moment it would grow by a
  // third at most from then on, and mark everything four times a second under load, for 10 to 20 ms each.
  if (major === 24) setFlagsFromString('--heap-growing-percent=200')
  // Stripped of types and compiled once, not at every start; the variable has threads do so too.
  process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache')
  nodeModule.enableCompileCache()
  await import(pathToFileURL(entry).href)
} else {
  const { run } = await import('../scripts/node24.mjs')
  run(fileURLToPath(import.meta.url), process.argv.slice(2))
}
