// HTTP towards object stores: one request with retries, and answers turned into errors that name the object. Network errors,
// throttling and 5xx are tried again with back-off; everything else is the store's answer. Each try is signed anew.
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { retry } from '../core/retry.ts'

export interface HttpParts {
  readonly clock: Clock
  readonly random: Random
  /** Tries in all; default 6, over about half a minute. */
  readonly tryMax?: number
  readonly waitMs?: number
}

export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

export interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  /** 1 for the first try: an answer to a later one may be about what an earlier one did. */
  readonly attempt: number
}

const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504])
const TRY_MS = 120_000

const RETRY = { tryMax: 6, waitMs: 200, waitMaxMs: 10_000 }

/**
 * Sends what `make` makes until an answer comes that is worth no other try. Answers of any other status are returned.
 * `isBusy`: answers that mean "try again" in the store's own words.
 * @throws MR_OBJECT_BUSY when the tries are used up; the last answer or error is its cause.
 */
export async function send(
  parts: HttpParts,
  what: string,
  make: () => HttpRequest | Promise<HttpRequest>,
  isBusy: (status: number, body: string) => boolean = () => false,
): Promise<Reply> {
  return attempts(parts, async (attempt) => {
    const request = await make()
    const reply = await reach(parts, what, request, async (response) => ({
      status: response.status,
      headers: response.headers,
      body: Buffer.from(await response.arrayBuffer()),
      attempt,
    }))
    if (RETRIED.has(reply.status) || isBusy(reply.status, reply.body.toString('utf8', 0, 4_096)))
      throw busy(what, request, `${reply.status} ${reply.body.toString('utf8', 0, 300).replaceAll(/\s+/g, ' ')}`.trim())
    return reply
  })
}

/** The same for an answer that is read in pieces: only reaching its first byte is tried again. */
export async function sendForStream(parts: HttpParts, what: string, make: () => HttpRequest | Promise<HttpRequest>): Promise<Response> {
  return attempts(parts, async () => {
    const request = await make()
    const response = await reach(parts, what, request, async (found) => found, false)
    if (RETRIED.has(response.status)) throw busy(what, request, `${response.status} ${(await response.text()).slice(0, 300)}`)
    return response
  })
}

const attempts = <T>({ clock, random, tryMax = RETRY.tryMax, waitMs = RETRY.waitMs }: HttpParts, action: (attempt: number) => Promise<T>) =>
  retry(
    clock,
    random,
    { ...RETRY, tryMax, waitMs, isRetryable: (error) => error instanceof MillraceError && error.code === 'MR_OBJECT_BUSY' },
    action,
  )

async function reach<T>(
  { clock }: HttpParts,
  what: string,
  request: HttpRequest,
  take: (response: Response) => Promise<T>,
  limitsBody = true,
): Promise<T> {
  const limit = new AbortController()
  const done = clock.after(TRY_MS, () => limit.abort(new Error(`no answer within ${TRY_MS / 1_000} s`)))
  try {
    const response = await fetch(request.url, {
      method: request.method,
      headers: request.headers ?? {},
      redirect: 'manual',
      ...(request.body === undefined ? {} : { body: request.body }),
      ...(limitsBody ? { signal: limit.signal } : {}),
    })
    return await take(response)
  } catch (cause) {
    const inner = (cause as { cause?: { message?: string; code?: string } }).cause
    throw busy(what, request, inner?.message || inner?.code || (cause as Error).message, cause)
  } finally {
    done()
  }
}

const busy = (what: string, { method, url }: HttpRequest, why: string, cause?: unknown): MillraceError =>
  new MillraceError('MR_OBJECT_BUSY', `${what}: ${method} to ${new URL(url).host} failed: ${why}`, {
    fix: 'see that the endpoint is reachable from here and not throttled; the work is tried again',
    ...(cause === undefined ? {} : { cause }),
  })

/** The bytes of an answer; an error when the connection breaks or they are not as many as were promised. */
export async function* chunksOf(what: string, response: Response, sizeBytes: number): AsyncIterable<Uint8Array> {
  let seen = 0
  try {
    for await (const chunk of response.body ?? []) {
      seen += chunk.byteLength
      yield chunk
    }
  } catch (cause) {
    throw new MillraceError('MR_OBJECT_BUSY', `${what}: the connection broke after ${seen} of ${sizeBytes} bytes`, { cause })
  }
  if (seen !== sizeBytes) throw new MillraceError('MR_OBJECT_BUSY', `${what}: ${seen} of ${sizeBytes} bytes arrived`)
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** The texts of the elements of a name, of XML as stores write it: no attributes or CDATA that matter. */
export const elements = (xml: string, name: string): string[] =>
  [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map((match) => match[1]!)

export const element = (xml: string, name: string): string | undefined => {
  const text = elements(xml, name)[0]
  return text?.replaceAll(/&(?:#x([0-9a-fA-F]+)|#(\d+)|(\w+));/g, (whole, hex, decimal, name) =>
    hex ? String.fromCodePoint(Number.parseInt(hex, 16)) : decimal ? String.fromCodePoint(Number(decimal)) : (ENTITIES[name] ?? whole),
  )
}

/** Percent-encoding of RFC 3986, which is stricter than that of browsers. */
export const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

export const encodePath = (path: string): string => path.split('/').map(encode).join('/')

export const encodeQuery = (query: Readonly<Record<string, string>>): string =>
  Object.keys(query)
    .sort()
    .map((key) => `${encode(key)}=${encode(query[key]!)}`)
    .join('&')
