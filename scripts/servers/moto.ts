// Amazon's key management service to test against: moto, an independent implementation, installed with pip at pinned versions into
// .cache and served on a free loopback port. `node scripts/servers/moto.ts` installs it; tests call `startKms`.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort, untilAnswers } from './ports.ts'
import { installPython, type Python, tellInstalled } from './python.ts'

const PACKAGES = [
  'moto[server,kms]==5.2.5',
  'boto3==1.44.8',
  'botocore==1.44.8',
  'cryptography==50.0.2',
  'Flask==3.1.3',
  'flask-cors==6.0.5',
]

/** Path of a Python that has moto, or why there is none. */
export const installMoto = (): Python => installPython('moto-5.2.5', PACKAGES)

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

if (process.argv[1] === fileURLToPath(import.meta.url)) tellInstalled('moto', installMoto())
