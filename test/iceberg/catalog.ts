// Talks to a running server's Iceberg catalog as a client would: JSON that keeps ids of 63 bits, in any role.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseJson, printJson } from '../../src/core/json.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

export interface Answered {
  readonly status: number
  readonly headers: Headers
  /** The body, {} when there is none. */
  readonly body: Body
  /** Type of the error, undefined for an answer that is none. */
  readonly type: string | undefined
}

// biome-ignore lint/suspicious/noExplicitAny: bodies are whatever the protocol says
export type Body = any

export type Send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answered>

export interface TestCatalog {
  readonly server: TestServer
  readonly data: string
  /** As the administrator. */
  readonly send: Send
  /** As somebody with the roles, and nothing else. */
  as(...roles: string[]): Promise<Send>
  /** The same with attributes. */
  with(attributes: Readonly<Record<string, unknown>>, ...roles: string[]): Promise<Send>
  stop(): Promise<void>
}

export async function startCatalog(env: Record<string, string> = {}): Promise<TestCatalog> {
  const data = mkdtempSync(join(tmpdir(), 'millrace-iceberg-'))
  const server = await startServer({ project: join(root, 'test', 'iceberg', 'project'), data, env })
  const sender =
    (token: string): Send =>
    async (method, path, body, headers = {}) => {
      const response = await fetch(`${server.url}/iceberg${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : printJson(body) }),
      })
      const text = await response.text()
      const json = (text === '' ? {} : parseJson(text)) as Body
      return { status: response.status, headers: response.headers, body: json, type: json.error?.type }
    }
  const someone = async (attributes: Readonly<Record<string, unknown>>, roles: readonly string[]): Promise<Send> => {
    const body = JSON.stringify({ user: roles.join('-'), roles, attributes })
    const made = await server.post('/admin/tokens', body, { 'content-type': 'application/json' })
    return sender(((await made.json()) as { token: string }).token)
  }
  return {
    server,
    data,
    send: sender(server.token),
    as: (...roles) => someone({}, roles),
    with: (attributes, ...roles) => someone(attributes, roles),
    async stop() {
      await server.stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

export const schema = (...names: string[]) => ({
  type: 'struct',
  fields: names.map((name, index) => ({ id: index + 1, name, required: false, type: 'long' })),
})
