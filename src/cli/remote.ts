// Commands that talk to the running server of a data directory, through its HTTP interface and the administrator's token.
import { MillraceError } from '../core/errors.ts'
import { findServer } from '../runtime/data-directory.ts'

export interface Remote {
  readonly url: string
  get(path: string, headers?: Record<string, string>): Promise<unknown>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<unknown>
  /** The body as text, for CSV and the like. */
  text(path: string, body: unknown, headers: Record<string, string>): Promise<string>
}

/** The server that runs on `data`, or null. */
export async function connect(data: string): Promise<Remote | null> {
  const server = findServer(data)
  if (!server) return null
  try {
    await fetch(`${server.url}/health`, { signal: AbortSignal.timeout(2_000) })
  } catch {
    return null
  }
  const authorization: Record<string, string> = server.token ? { authorization: `Bearer ${server.token}` } : {}
  const call = async (path: string, init: RequestInit): Promise<Response> => {
    const response = await fetch(server.url + path, { ...init, headers: { ...authorization, ...(init.headers as Record<string, string>) } })
    if (!response.ok) throw await problem(response)
    return response
  }
  const json = { 'content-type': 'application/json' }
  return {
    url: server.url,
    get: async (path, headers = {}) => (await call(path, { headers })).json(),
    post: async (path, body, headers = {}) =>
      (await call(path, { method: 'POST', body: JSON.stringify(body), headers: { ...json, ...headers } })).json(),
    text: async (path, body, headers) =>
      (await call(path, { method: 'POST', body: JSON.stringify(body), headers: { ...json, ...headers } })).text(),
  }
}

/** @throws MR_NOT_READY when no server runs on `data`. */
export async function mustConnect(data: string): Promise<Remote> {
  const remote = await connect(data)
  if (!remote) throw new MillraceError('MR_NOT_READY', `no server runs on ${data}`, { fix: 'start one with `millrace dev`' })
  return remote
}

async function problem(response: Response): Promise<MillraceError> {
  const text = await response.text()
  try {
    const { code, detail, fix, at } = JSON.parse(text) as { code: never; detail: string; fix?: string; at?: string }
    return new MillraceError(code, detail, { ...(fix ? { fix } : {}), ...(at ? { at } : {}) })
  } catch {
    return new MillraceError('MR_INTERNAL', `the server answered ${response.status}: ${text.slice(0, 200)}`)
  }
}
