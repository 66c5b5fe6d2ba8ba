// An S3 server to test against: versitygw, built by Go at a pinned version into .cache, serving a directory on a free loopback
// port. `node scripts/servers/versitygw.ts` builds it, once, as `npm test` does first; tests call `startS3`. Needs Go.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, untilAnswers } from './ports.ts'

const VERSION = 'v1.8.0'
/** Longer than two busy cores need for it, with all that it is made of. */
const BUILD_MS_MAX = 300_000

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `versitygw-${VERSION}`)
const program = join(home, 'versitygw')

/** Path of the program, or why there is none. */
export function installVersitygw(): { readonly program: string } | { readonly missing: string } {
  if (existsSync(program)) return { program }
  mkdirSync(home, { recursive: true })
  const done = spawnSync('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${VERSION}`], {
    encoding: 'utf8',
    env: { ...process.env, GOBIN: home },
    timeout: BUILD_MS_MAX,
  })
  if (done.error) return { missing: `versitygw is not built: ${done.error.message}` }
  if (done.status !== 0) return { missing: `go install versitygw failed: ${done.stderr.trim().split('\n').at(-1)}` }
  return { program }
}

export interface S3Server {
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Directories below it are the buckets. */
  readonly directory: string
  makeBucket(name: string): void
  stop(): void
}

/** A running server with nothing in it, or why there is none. */
export async function startS3(): Promise<S3Server | { readonly missing: string }> {
  // Not built here: several test files that ran at once would each build it.
  if (!existsSync(program)) return { missing: 'versitygw is not built: run `node scripts/servers/versitygw.ts`, which needs Go' }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-s3-'))
  mkdirSync(join(directory, 'data'))
  mkdirSync(join(directory, 'attributes'))
  const port = await freePort()
  const [accessKeyId, secretAccessKey, region] = ['millrace', 'millrace-secret', 'us-east-1']
  const server = spawn(
    program,
    ['--quiet', '--port', `127.0.0.1:${port}`, 'posix', '--sidecar', join(directory, 'attributes'), join(directory, 'data')],
    { env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey, VGW_REGION: region }, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const stop = (): void => {
    server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const endpoint = `http://127.0.0.1:${port}`
  const failed = await untilAnswers(endpoint, server)
  if (failed) {
    stop()
    return { missing: `versitygw does not start: ${failed}` }
  }
  const data = join(directory, 'data')
  return { endpoint, region, accessKeyId, secretAccessKey, directory: data, makeBucket: (name) => mkdirSync(join(data, name)), stop }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installVersitygw()
  console.log('program' in result ? `versitygw is installed: ${result.program}` : result.missing)
  process.exitCode = 'program' in result ? 0 : 1
}
