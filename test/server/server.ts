// Starts the program as a user would, and talks to it over HTTP: for tests that are black-box.
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readToken } from '../../src/runtime/data-directory.ts'

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface TestServer {
  readonly url: string
  readonly pid: number
  readonly token: string
  readonly child: ChildProcess
  /** Everything that it wrote to standard error. */
  errors(): string
  post(path: string, body: string | Buffer, headers?: Record<string, string>): Promise<Response>
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** Rows of an answer of `POST /sql`; throws with the problem's text. */
  sql(text: string, headers?: Record<string, string>): Promise<unknown[][]>
  kill(signal: NodeJS.Signals): Promise<void>
  stop(): Promise<number | null>
}

export interface StartOptions {
  readonly project: string
  readonly data: string
  readonly env?: Record<string, string>
  readonly args?: readonly string[]
}

/** Resolves when the server is ready; rejects with its errors when it ends first. */
export function startServer(options: StartOptions): Promise<TestServer> {
  const args = [
    join(root, 'bin', 'millrace.mjs'),
    'dev',
    '--project',
    options.project,
    '--data',
    options.data,
    '--port',
    '0',
    '--json',
    ...(options.args ?? []),
  ]
  const child = spawn(process.execPath, args, {
    env: { ...process.env, MILLRACE_LOG: 'warn', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-20_000)
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)))
  return new Promise((resolve, reject) => {
    let first = ''
    const onData = (text: string): void => {
      first += text
      if (!first.includes('\n')) return
      child.stdout!.off('data', onData)
      child.stdout!.resume()
      try {
        const { url, pid } = JSON.parse(first.slice(0, first.indexOf('\n'))) as { url: string; pid: number }
        resolve(serverOf(url, pid, readToken(options.data) ?? '', child, () => errors, ended))
      } catch {
        reject(new Error(`not the expected first line: ${first}\n${errors}`))
      }
    }
    child.stdout!.setEncoding('utf8').on('data', onData)
    ended.then((code) => reject(new Error(`the server ended with ${code}\n${first}\n${errors}`)))
  })
}

function serverOf(
  url: string,
  pid: number,
  token: string,
  child: ChildProcess,
  errors: () => string,
  ended: Promise<number | null>,
): TestServer {
  const auth = { authorization: `Bearer ${token}` }
  const server: TestServer = {
    url,
    pid,
    token,
    child,
    errors,
    post: (path, body, headers = {}) => fetch(url + path, { method: 'POST', body: body as string, headers: { ...auth, ...headers } }),
    get: (path, headers = {}) => fetch(url + path, { headers: { ...auth, ...headers } }),
    async sql(text, headers = {}) {
      const response = await server.post('/sql', JSON.stringify({ sql: text }), { 'content-type': 'application/json', ...headers })
      const answer = (await response.json()) as { rows: unknown[][]; detail?: string; code?: string }
      if (!response.ok) throw new Error(`${answer.code}: ${answer.detail} (${text})`)
      return answer.rows
    },
    async kill(signal) {
      process.kill(pid, signal)
      if (signal === 'SIGKILL') await ended
    },
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
  return server
}
