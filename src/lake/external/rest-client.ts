// Talks to an external Iceberg REST catalog (rest-catalog-open-api.yaml): configuration, tokens, requests, errors. What is read
// is tried again; what changes something is sent once, since only the caller can find out whether it was carried out when no
// answer came. Not here: what the answers mean for a commit, see `carry-out.ts`.
import type { Clock } from '../../core/clock.ts'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import { parseJson, printJson } from '../../core/json.ts'
import type { Random } from '../../core/random.ts'
import { encode, encodeQuery, type Reply, send } from '../../objects/http.ts'
import { tokenCache } from '../../objects/token-cache.ts'

export interface RestCatalogOptions {
  /** Without `/v1`. */
  readonly uri: string
  readonly warehouse?: string
  /** A bearer token that does not end. */
  readonly token?: string
  /** `id:secret` of OAuth 2 client credentials, or a secret alone. */
  readonly credential?: string
  /** Where tokens come from; default: the catalog's own `/v1/oauth/tokens`. */
  readonly oauth2Uri?: string
  readonly scope?: string
}

/** Bodies are whatever the server says. */
export type Json = Readonly<Record<string, unknown>>

export interface Answer {
  readonly status: number
  readonly body: Json
}

export interface RestClient {
  /** Whether the server says that it has an endpoint, as `POST /v1/{prefix}/transactions/commit`. */
  has(endpoint: string): boolean
  /** How levels of a namespace are joined in paths, percent-encoded. */
  readonly separator: string
  /**
   * `path` below the prefix, its parts encoded. Statuses of `expected`, and those of success, are returned.
   * @throws MR_CATALOG_BUSY when no answer came, or one that leaves open what happened; MR_CATALOG_DENIED; MR_CATALOG_REFUSED for
   *   any other answer, in the server's words.
   */
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** All pages of a list, its member `of`. */
  list(path: string, of: string, query?: Readonly<Record<string, string>>): Promise<readonly unknown[] | null>
}

export interface CallOptions {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly expected?: readonly number[]
}

interface Parts {
  readonly clock: Clock
  readonly random: Random
}

type Text = string | undefined

/** Asks the server for its configuration. @throws as `call` */
export async function openRestClient(parts: Parts, options: RestCatalogOptions): Promise<RestClient> {
  const given = options.uri.replace(/\/+$/, '')
  const authorize = authorization(parts, options, given)
  const request = (method: string, url: string, call: CallOptions = {}): Promise<Answer> => requested(parts, authorize, method, url, call)
  const query = options.warehouse === undefined ? {} : { query: { warehouse: options.warehouse } }
  const { body } = await request('GET', `${given}/v1/config`, query)
  const config = { ...(body['defaults'] as Json), ...(body['overrides'] as Json) } as Readonly<Record<string, Text>>
  const prefix = config['prefix'] ? `/${config['prefix']}` : ''
  const root = `${(config['uri'] ?? given).replace(/\/+$/, '')}/v1${prefix}`
  const endpoints = new Set((body['endpoints'] as readonly string[] | undefined) ?? [])
  const call: RestClient['call'] = (method, path, asked) => request(method, `${root}${path}`, asked)
  return {
    has: (endpoint) => endpoints.has(endpoint),
    separator: config['namespace-separator'] ?? '%1F',
    call,
    async list(path, of, asked = {}) {
      const all: unknown[] = []
      for (let pageToken = ''; ; ) {
        const { status, body: page } = await call('GET', path, { query: { ...asked, pageToken }, expected: [404] })
        if (status === 404) return null
        all.push(...((page[of] as readonly unknown[] | undefined) ?? []))
        const next = page['next-page-token']
        if (typeof next !== 'string' || next === '') return all
        pageToken = next
      }
    },
  }
}

type Authorize = (isRefused: boolean) => Promise<string | null>

/** The value of the header; `isRefused`: the last one was, and another is wanted if there can be one. */
function authorization(parts: Parts, options: RestCatalogOptions, uri: string): Authorize {
  const { token, credential } = options
  if (credential === undefined) return async (isRefused) => (token === undefined || isRefused ? null : `Bearer ${token}`)
  const fresh = () => tokenCache(parts.clock, () => fetchToken(parts, options, credential, uri))
  let cached = fresh()
  return async (isRefused) => {
    if (isRefused) cached = fresh()
    return `Bearer ${await cached()}`
  }
}

/** The cache renews five minutes early; tokens may be shorter than that. */
const EARLY_SECONDS = 300

async function fetchToken(parts: Parts, options: RestCatalogOptions, credential: string, uri: string) {
  const colon = credential.indexOf(':')
  const client = colon < 0 ? {} : { client_id: credential.slice(0, colon) }
  const form = {
    grant_type: 'client_credentials',
    ...client,
    client_secret: credential.slice(colon + 1),
    scope: options.scope ?? 'catalog',
  }
  const url = options.oauth2Uri ?? `${uri}/v1/oauth/tokens`
  const reply = await reach('the token of the catalog', () =>
    send(parts, 'the token of the catalog', () => ({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: encodeQuery(form),
    })),
  )
  const body = bodyOf(reply)
  if (reply.status !== 200 || typeof body['access_token'] !== 'string')
    throw denied(`${url} gives no token: ${reply.status} ${saidBy(body) || String(body['error'] ?? '')}`.trim())
  const seconds = typeof body['expires_in'] === 'number' ? body['expires_in'] : 3_600
  return { token: body['access_token'], lastsSeconds: seconds * 0.9 + EARLY_SECONDS }
}

async function requested(parts: Parts, authorize: Authorize, method: string, url: string, call: CallOptions): Promise<Answer> {
  const what = `${method} ${new URL(url).pathname}`
  const tries = method === 'GET' || method === 'HEAD' ? parts : { ...parts, tryMax: 1 }
  const query = call.query ? `?${encodeQuery(call.query)}` : ''
  const attempt = async (isRefused: boolean): Promise<Reply | null> => {
    const header = await authorize(isRefused)
    if (isRefused && header === null) return null
    const headers = {
      accept: 'application/json',
      ...(header === null ? {} : { authorization: header }),
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const body = call.body === undefined ? {} : { body: printJson(call.body) }
    return reach(what, () => send(tries, what, () => ({ method, url: `${url}${query}`, headers, ...body })))
  }
  const first = (await attempt(false))!
  // 419: a token that has ended, in the protocol's own number.
  const reply = (first.status === 401 || first.status === 419 ? await attempt(true) : null) ?? first
  const answer = { status: reply.status, body: bodyOf(reply) }
  if ((reply.status >= 200 && reply.status < 300) || call.expected?.includes(reply.status)) return answer
  const words = `${what}: ${reply.status} ${saidBy(answer.body)}`.trim()
  if ([401, 403, 419].includes(reply.status)) throw denied(words)
  throw new MillraceError('MR_CATALOG_REFUSED', words, { fix: 'see what the catalog says; its address and warehouse are in the project' })
}

const denied = (words: string): MillraceError =>
  new MillraceError('MR_CATALOG_DENIED', words, {
    fix: "see the token or credential of the environment's restCatalog, and its rights there",
  })

async function reach<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    if (asMillraceError(cause).code !== 'MR_OBJECT_BUSY') throw cause
    throw busy(what, cause)
  }
}

export const busy = (what: string, cause: unknown): MillraceError =>
  new MillraceError('MR_CATALOG_BUSY', `the catalog does not answer: ${asMillraceError(cause).message || what}`, {
    cause,
    fix: 'see that the catalog is up and reachable from here; the work is tried again',
  })

function bodyOf(reply: Reply): Json {
  try {
    const body = parseJson(reply.body.toString('utf8'))
    return typeof body === 'object' && body !== null ? (body as Json) : {}
  } catch {
    return {}
  }
}

const saidBy = (body: Json): string => {
  const error = body['error'] as { readonly message?: unknown; readonly type?: unknown } | undefined
  return typeof error === 'object' ? `${String(error?.type ?? '')} ${String(error?.message ?? '')}`.trim().slice(0, 500) : ''
}

/** Levels of a namespace as a part of a path. */
export const namespacePath = ({ separator }: Pick<RestClient, 'separator'>, levels: readonly string[]): string =>
  levels.map(encode).join(separator)
