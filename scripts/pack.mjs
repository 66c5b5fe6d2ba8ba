// Makes the package that `npm pack` and `npm publish` ship. `prepack` (no argument) compiles src/ to dist/, builds the
// console and rewrites package.json, because Node strips no types inside node_modules: `exports` then names dist/, and
// what only the repository needs is gone. `postpack` (`--restore`) puts package.json back as it was.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode } from './node24.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const at = (...path) => join(root, ...path)
const SAVED = at('package.source.json')

/** Standard output belongs to `npm pack --json`. */
function run(cwd, ...args) {
  const done = spawnSync(findNode(), args, { cwd, stdio: ['ignore', 2, 2] })
  if (done.status === 0) return
  restore()
  process.exit(done.status ?? 1)
}

function restore() {
  if (existsSync(SAVED)) renameSync(SAVED, at('package.json'))
}

/** `./src/x.ts` of the repository as the package has it. */
function shipped(path) {
  if (!path.startsWith('./src/')) return path
  const name = path.slice('./src/'.length, -'.ts'.length)
  if (!existsSync(at('dist', `${name}.js`))) throw new Error(`package.json exports ${path}, which does not exist`)
  return { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` }
}

function rewrite() {
  const { scripts: _, workspaces: __, devDependencies: ___, ...manifest } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  const exports = Object.fromEntries(Object.entries(manifest.exports).map(([name, path]) => [name, shipped(path)]))
  copyFileSync(at('package.json'), SAVED)
  writeFileSync(at('package.json'), `${JSON.stringify({ ...manifest, exports }, null, 2)}\n`)
}

restore()
if (!process.argv.includes('--restore')) {
  rmSync(at('dist'), { recursive: true, force: true })
  run(root, at('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json')
  // A copy of the repository without the console's sources ships the one that is built.
  if (existsSync(at('console', 'src'))) run(at('console'), at('node_modules', 'vite', 'bin', 'vite.js'), 'build', '--logLevel', 'warn')
  rewrite()
}
