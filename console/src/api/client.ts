// Requests to /admin and /sql: Bearer token, acting role, problems as errors. No caching: that is TanStack Query's.
import type { Problem } from '../../../src/serve/answers/admin.ts'
import type { SqlAnswer, SqlRequest, SqlWritten } from '../../../src/serve/answers/sql.ts'
import { learnServerTime } from './clock.ts'
import { currentToken } from './token.ts'

/** The role to act as, with its attributes; null = as oneself. */
export interface Acting {
  readonly role: string
  readonly attributes: Readonly<Record<string, string>>
}

/** An answer other than 2xx, or none at all (`status` 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly code: string
  readonly fix: string | undefined
  readonly at: string | undefined

  constructor(problem: Problem) {
    super(problem.detail)
    this.status = problem.status
    this.code = problem.code
    this.fix = problem.fix
    this.at = problem.at
  }
}

export function requestHeaders(acting?: Acting | null): Record<string, string> {
  const token = currentToken()
  return {
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    ...(acting ? { 'millrace-as': acting.role, 'millrace-as-attributes': JSON.stringify(acting.attributes) } : {}),
  }
}

async function asProblem(response: Response): Promise<Problem> {
  const fallback = {
    status: response.status,
    code: `HTTP ${response.status}`,
    detail: response.statusText || 'The server refused the request.',
  }
  const body: unknown = await response.json().catch(() => null)
  return body !== null && typeof body === 'object' ? { ...fallback, ...(body as Partial<Problem>) } : fallback
}

async function send(path: string, init: RequestInit): Promise<Response> {
  const response = await fetch(path, init).catch(() => {
    throw new ApiError({ status: 0, code: 'not connected', detail: 'The server does not answer.' })
  })
  if (!response.ok) throw new ApiError(await asProblem(response))
  return response
}

/** GET of JSON. Learns the server's clock from `nowMs`. */
export async function getJson<T extends { readonly nowMs: number }>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { headers: requestHeaders(), ...(signal ? { signal } : {}) })
  const body = (await response.json()) as T
  learnServerTime(body.nowMs)
  return body
}

export async function postJson<T>(path: string, body: unknown, acting?: Acting | null): Promise<T> {
  const headers = { ...requestHeaders(acting), 'content-type': 'application/json', accept: 'application/json' }
  const response = await send(path, { method: 'POST', headers, body: JSON.stringify(body) })
  return (await response.json()) as T
}

export const runSql = (request: SqlRequest): Promise<SqlAnswer> => postJson('/sql', { ...request, readOnly: true })

/** A question, or a statement that changes rows. */
export const runStatement = (request: SqlRequest, acting?: Acting | null): Promise<SqlAnswer | SqlWritten> =>
  postJson('/sql', request, acting)

/** The same question as a file. */
export async function exportSql(request: SqlRequest, accept: string, acting?: Acting | null): Promise<Blob> {
  const headers = { ...requestHeaders(acting), 'content-type': 'application/json', accept }
  const response = await send('/sql', { method: 'POST', headers, body: JSON.stringify(request) })
  return response.blob()
}
