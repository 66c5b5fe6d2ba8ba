// Amazon's key management service to test against: moto, an independent implementation, installed with pip at pinned versions into
// .cache and served on a free loopback port. `node scripts/servers/moto.ts` installs it; tests call `startKms`.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, untilAnswers } from './ports.ts'
import { run } from './run.ts'

const PACKAGES = [
  'moto[server,kms]==5.2.5',
  'boto3==1.44.8',
  'botocore==1.44.8',
  'cryptography==50.0.2',
  'Flask==3.1.3',
  'flask-cors==6.0.5',
]

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', 'moto-5.2.5')

/** Path of a Python that has moto, or why there is none. */
export function installMoto(): { readonly python: string } | { readonly missing: string } {
  const python = join(home, 'bin', 'python')
  if (existsSync(join(home, 'complete'))) return { python }
  rmSync(home, { recursive: true, force: true })
  mkdirSync(dirname(home), { recursive: true })
  const failed =
    run('python3', ['-m', 'venv', home]) ?? run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES])
  if (failed) return { missing: failed }
  // Written last, under its name in one step: an interrupted installation is begun anew.
  writeFileSync(join(home, 'complete.new'), PACKAGES.join('\n'))
  renameSync(join(home, 'complete.new'), join(home, 'complete'))
  return { python }
}

export interface KmsServer {
  readonly endpoint: string
  stop(): void
}

/** A running server without keys, or why there is none. */
export async function startKms(): Promise<KmsServer | { readonly missing: string }> {
  const installed = installMoto()
  if ('missing' in installed) return installed
  const port = await freePort()
  const server = spawn(installed.python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stop = (): void => void server.kill('SIGKILL')
  const endpoint = `http://127.0.0.1:${port}`
  const failed = await untilAnswers(endpoint, server)
  if (!failed) return { endpoint, stop }
  stop()
  return { missing: `moto does not start: ${failed}` }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installMoto()
  console.log('python' in result ? `moto is installed: ${result.python}` : result.missing)
  process.exitCode = 'python' in result ? 0 : 1
}
