// `npm run demo`: installs what is missing, builds the console, starts the shop example with its traffic and stays in the
// foreground; `-- --once` runs the shop for a bounded time and checks its figures.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode, installDependencies, run } from './node24.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const newest = (folder) =>
  readdirSync(folder).reduce((latest, name) => {
    if (name === 'node_modules' || name === 'dist') return latest
    const path = join(folder, name)
    const stat = statSync(path)
    return Math.max(latest, stat.isDirectory() ? newest(path) : stat.mtimeMs)
  }, 0)

function buildConsole() {
  const index = join(root, 'console', 'dist', 'index.html')
  if (existsSync(index) && statSync(index).mtimeMs >= newest(join(root, 'console'))) return
  process.stderr.write('building the console\n')
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const done = spawnSync(findNode(), [vite, 'build', '--logLevel', 'warn'], {
    cwd: join(root, 'console'),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (done.status !== 0) process.exit(done.status ?? 1)
}

installDependencies()
buildConsole()
run(join(root, 'scripts', 'shop-demo.ts'), process.argv.slice(2))
