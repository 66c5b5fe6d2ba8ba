// Starts a program on Node 24 or newer: on an older Node it finds the binary of the `node-<os>-<cpu>` package,
// installing it once into `.cache/node`, and re-executes. Plain JavaScript: it must run on Node 20.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR = 24
const NODE_VERSION = '24.21.0'
const root = dirname(dirname(fileURLToPath(import.meta.url)))

const isNew = (version) => Number(version.replace('v', '').split('.')[0]) >= NODE_MAJOR

/** Path of a Node binary >= 24, installing the package when it is missing. */
export function findNode() {
  if (isNew(process.version)) return process.execPath
  const home = process.env.MILLRACE_NODE_CACHE ?? join(root, '.cache', 'node')
  return installNode(NODE_VERSION, home, `millrace needs Node ${NODE_MAJOR}; this is ${process.version}`)
}

/** Path of the Node binary of that version in `home`, from the package for this machine; says why when it installs it. */
export function installNode(version, home, why) {
  const os = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${os}-${process.arch}`
  const binary = process.platform === 'win32' ? join('bin', 'node.exe') : join('bin', 'node')
  const path = join(home, 'node_modules', name, binary)
  if (!existsSync(path)) {
    process.stderr.write(`${why}. Installing ${name}@${version} into ${home}\n`)
    mkdirSync(home, { recursive: true })
    const args = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', home, `${name}@${version}`]
    const done = npm(args)
    if (done.status !== 0 || !existsSync(path)) {
      process.stderr.write(`could not install Node ${version}. Install Node ${NODE_MAJOR} or newer and try again\n`)
      process.exit(1)
    }
  }
  return path
}

/**
 * Replaces this process by `script` on Node >= 24: same arguments, streams, signals and exit status. The child watches
 * the channel to this process and ends with it, so a `kill -9` of the one that the user sees leaves nothing behind.
 */
export function run(script, args, options = {}) {
  const child = spawn(findNode(), [...(options.nodeArgs ?? []), script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { UV_THREADPOOL_SIZE: '16', ...process.env, MILLRACE_PARENT: String(process.pid), ...options.env },
  })
  child.channel?.unref()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)))
}

/** Installs the repository's dependencies when they are missing or older than the lock file. */
export function installDependencies() {
  if (existsSync(join(root, 'node_modules', '.package-lock.json'))) return
  // Errors alone: npm runs on the Node that is here, the packages on the one that is found, so its warnings of engines mislead.
  const done = npm(['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  if (done.status !== 0) process.exit(done.status ?? 1)
}

function npm(args) {
  const isWindows = process.platform === 'win32'
  return spawnSync(isWindows ? 'npm.cmd' : 'npm', args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], shell: isWindows })
}
