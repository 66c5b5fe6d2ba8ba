// A server of Google Cloud Storage to test against: fake-gcs-server, an emulator, built by Go at a pinned version into .cache,
// serving memory on a free loopback port. `node scripts/servers/fake-gcs.ts` installs it; tests call `startFakeGcs`. Needs Go.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, untilAnswers } from './ports.ts'

const VERSION = 'v1.56.1'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `fake-gcs-server-${VERSION}`)
const program = join(home, 'fake-gcs-server')

/** Path of the program, or why there is none. */
export function installFakeGcs(): { readonly program: string } | { readonly missing: string } {
  if (existsSync(program)) return { program }
  mkdirSync(home, { recursive: true })
  const env = { ...process.env, GOBIN: home }
  const done = spawnSync('go', ['install', `github.com/fsouza/fake-gcs-server@${VERSION}`], { encoding: 'utf8', env })
  if (done.error) return { missing: `go does not start: ${done.error.message}` }
  if (done.status !== 0) return { missing: `go install fake-gcs-server failed: ${done.stderr.trim().split('\n').at(-1)}` }
  return { program }
}

export interface GoogleServer {
  readonly endpoint: string
  makeBucket(name: string): Promise<void>
  stop(): void
}

/** A running server with nothing in it, or why there is none. */
export async function startFakeGcs(): Promise<GoogleServer | { readonly missing: string }> {
  const installed = installFakeGcs()
  if ('missing' in installed) return installed
  const port = await freePort()
  const endpoint = `http://127.0.0.1:${port}`
  const flags = ['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port), '-backend', 'memory']
  const server = spawn(installed.program, [...flags, '-external-url', endpoint, '-public-host', `127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stop = (): void => void server.kill('SIGKILL')
  const failed = await untilAnswers(endpoint, server)
  if (failed) {
    stop()
    return { missing: `fake-gcs-server does not start: ${failed}` }
  }
  const makeBucket = async (name: string): Promise<void> => {
    const headers = { 'content-type': 'application/json' }
    const made = await fetch(`${endpoint}/storage/v1/b?project=test`, { method: 'POST', headers, body: JSON.stringify({ name }) })
    if (!made.ok) throw new Error(`the bucket ${name} could not be made: ${made.status} ${await made.text()}`)
  }
  return { endpoint, makeBucket, stop }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installFakeGcs()
  console.log('program' in result ? `fake-gcs-server is installed: ${result.program}` : result.missing)
  process.exitCode = 'program' in result ? 0 : 1
}
