// An S3 server with a token service that holds sessions to their policies: MinIO, built by Go at a pinned version into .cache, serving
// a directory on a free loopback port. `node scripts/servers/minio.ts` builds it, once, as `npm run test:all` does first; tests call
// `startMinio`. Needs Go.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sign } from '../../src/objects/amazon/sign.ts'
import { freePort, untilAnswers } from './ports.ts'

/** Its releases are no versions of a Go module: this is its main branch of February 2026. */
const VERSION = 'v0.0.0-20260212201848-7aac2a2c5b7c'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const home = join(root, '.cache', `minio-${VERSION}`)
const program = join(home, 'minio')

/** Path of the program, or why there is none. */
export function installMinio(): { readonly program: string } | { readonly missing: string } {
  if (existsSync(program)) return { program }
  mkdirSync(home, { recursive: true })
  const done = spawnSync('go', ['install', `github.com/minio/minio@${VERSION}`], {
    encoding: 'utf8',
    env: { ...process.env, GOBIN: home },
    maxBuffer: 1 << 26,
  })
  if (done.error) return { missing: `minio is not built: ${done.error.message}` }
  if (done.status !== 0) return { missing: `go install minio failed: ${done.stderr.trim().split('\n').at(-1)}` }
  return { program }
}

export interface MinioServer {
  /** Of S3 and of the token service. */
  readonly endpoint: string
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  makeBucket(name: string): Promise<void>
  stop(): void
}

/** A running server with nothing in it, or why there is none. */
export async function startMinio(): Promise<MinioServer | { readonly missing: string }> {
  // Not built here: that takes minutes, and several test files that ran at once would each do it.
  if (!existsSync(program)) return { missing: 'minio is not built: run `node scripts/servers/minio.ts`, which needs Go' }
  const directory = mkdtempSync(join(tmpdir(), 'millrace-minio-'))
  const port = await freePort()
  const [accessKeyId, secretAccessKey, region] = ['millrace', 'millrace-secret', 'us-east-1']
  const server = spawn(program, ['server', '--quiet', '--address', `127.0.0.1:${port}`, directory], {
    env: {
      PATH: process.env['PATH'],
      HOME: directory,
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stop = (): void => {
    server.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
  const endpoint = `http://127.0.0.1:${port}`
  const failed = await untilAnswers(`${endpoint}/minio/health/ready`, server)
  if (failed) {
    stop()
    return { missing: `minio does not start: ${failed}` }
  }
  const makeBucket = async (name: string): Promise<void> => {
    const credentials = { accessKeyId, secretAccessKey }
    const request = sign(
      { method: 'PUT', url: `${endpoint}/${name}`, query: {}, headers: {} },
      { credentials, region, service: 's3', nowMs: Date.now() },
    )
    const made = await fetch(request.url, { method: 'PUT', headers: request.headers })
    if (!made.ok) throw new Error(`the bucket ${name} could not be made: ${made.status} ${await made.text()}`)
  }
  return { endpoint, region, accessKeyId, secretAccessKey, makeBucket, stop }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = installMinio()
  console.log('program' in result ? `minio is installed: ${result.program}` : result.missing)
  process.exitCode = 'program' in result ? 0 : 1
}
