// A server of Azure Blob Storage to test against: Microsoft's own emulator, installed by npm at a pinned version into .cache,
// without scripts and with its telemetry off, serving memory on a free loopback port. `node scripts/servers/azurite.ts`
// installs it; tests call `startAzurite`.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, untilAnswers } from './ports.ts'

const VERSION = '3.36.0'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `azurite-${VERSION}`)
const program = join(home, 'node_modules', 'azurite', 'dist', 'src', 'blob', 'main.js')

/** Path of the script to run, or why there is none. */
export function installAzurite(): { readonly program: string } | { readonly missing: string } {
  if (existsSync(join(home, 'complete'))) return { program }
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'package.json'), '{"private":true}')
  const done = spawnSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `azurite@${VERSION}`], {
    cwd: home,
    encoding: 'utf8',
  })
  if (done.error) return { missing: `npm does not start: ${done.error.message}` }
  if (done.status !== 0) return { missing: `npm install azurite failed: ${done.stderr.trim().split('\n').at(-1)}` }
  writeFileSync(join(home, 'complete'), VERSION)
  return { program }
}

export interface AzureServer {
  /** Of the account. */
  readonly endpoint: string
  readonly account: string
  readonly key: string
  stop(): void
}

/** A running server with an account and no container, or why there is none. */
export async function startAzurite(): Promise<AzureServer | { readonly missing: string }> {
  const installed = installAzurite()
  if ('missing' in installed) return installed
  const directory = mkdtempSync(join(tmpdir(), 'millrace-azurite-'))
  const port = await freePort()
  const account = 'millrace'
  const key = Buffer.from('a key that is no secret at all, for tests on loopback only.').toString('base64')
  const server = spawn(
    process.execPath,
    [
      installed.program,
      ...['--blobHost', '127.0.0.1', '--blobPort', String(port)],
      ...['--inMemoryPersistence', '--disableTelemetry', '--silent', '--skipApiVersionCheck'],
    ],
    // Its debug files, if any, go where it starts.
    { cwd: directory, env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const stop = (): void => {
    server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const origin = `http://127.0.0.1:${port}`
  const failed = await untilAnswers(origin, server)
  if (failed) {
    stop()
    return { missing: `azurite does not start: ${failed}` }
  }
  return { endpoint: `${origin}/${account}`, account, key, stop }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installAzurite()
  console.log('program' in result ? `azurite is installed: ${result.program}` : result.missing)
  process.exitCode = 'program' in result ? 0 : 1
}
