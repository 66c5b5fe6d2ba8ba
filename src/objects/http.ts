// HTTP towards object stores: one request with retries, and answers turned into errors that name the object. Network errors,
// throttling and 5xx are tried again with back-off; everything else is the store's answer. Each try is signed anew.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { retry } from '../core/retry.ts'

export interface HttpParts {
  readonly clock: Clock
  readonly random: Random
  /** Tries in all; default 6, within some seconds. */
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
/** A connection over which nothing comes for so long is given up. */
const SILENCE_MS = 60_000

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
    const reply = await reach(what, request, async (response) => ({
      ...factsOf(response),
      body: await whole(response),
      attempt,
    }))
    if (RETRIED.has(reply.status) || isBusy(reply.status, reply.body.toString('utf8', 0, 4_096)))
      throw busy(what, request, `${reply.status} ${reply.body.toString('utf8', 0, 300).replaceAll(/\s+/g, ' ')}`.trim())
    return reply
  })
}

/** An answer whose body is read in pieces. */
export interface StreamedReply {
  readonly status: number
  readonly headers: Headers
  readonly body: AsyncIterable<Uint8Array>
  text(): Promise<string>
}

/** The same for an answer that is read in pieces: only reaching its first byte is tried again. */
export async function sendForStream(
  parts: HttpParts,
  what: string,
  make: () => HttpRequest | Promise<HttpRequest>,
): Promise<StreamedReply> {
  return attempts(parts, async () => {
    const request = await make()
    const response = await reach(what, request, async (found) => found)
    const text = async (): Promise<string> => (await whole(response)).toString('utf8')
    const { status, headers } = factsOf(response)
    if (RETRIED.has(status)) throw busy(what, request, `${status} ${(await text()).slice(0, 300)}`)
    return { status, headers, body: response, text }
  })
}

const attempts = <T>({ clock, random, tryMax = RETRY.tryMax, waitMs = RETRY.waitMs }: HttpParts, action: (attempt: number) => Promise<T>) =>
  retry(
    clock,
    random,
    { ...RETRY, tryMax, waitMs, isRetryable: (error) => error instanceof MillraceError && error.code === 'MR_OBJECT_BUSY' },
    action,
  )

const whole = async (response: IncomingMessage): Promise<Buffer> => Buffer.concat(await Array.fromAsync(response))

const factsOf = ({ statusCode, headers }: IncomingMessage): { status: number; headers: Headers } => ({
  status: statusCode ?? 0,
  headers: new Headers(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))),
})

async function reach<T>(what: string, request: HttpRequest, take: (response: IncomingMessage) => Promise<T>): Promise<T> {
  try {
    return await take(await exchange(request))
  } catch (cause) {
    const { message, code } = cause as { message?: string; code?: string }
    throw busy(what, request, message || code || 'no answer', cause)
  }
}

/** A check of a large snapshot asks about thousands of objects at once: they wait for each other. */
const CONNECTIONS = { keepAlive: true, maxSockets: 64 }
const agents = { http: new HttpAgent(CONNECTIONS), https: new HttpsAgent(CONNECTIONS) }

// Not fetch: it breaks the connection when a server says "100 Continue" unasked, as HDFS does.
function exchange({ method, url, headers, body }: HttpRequest): Promise<IncomingMessage> {
  const isPlain = new URL(url).protocol === 'http:'
  const open = isPlain ? httpRequest : httpsRequest
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const options = { method, headers: { ...headers, ...length }, agent: isPlain ? agents.http : agents.https, timeout: SILENCE_MS }
  return new Promise((resolve, reject) => {
    const request = open(url, options, resolve)
    request.once('error', reject)
    request.once('timeout', () => request.destroy(new Error(`nothing came for ${SILENCE_MS / 1_000} s`)))
    request.end(body)
  })
}

const busy = (what: string, { method, url }: HttpRequest, why: string, cause?: unknown): MillraceError =>
  new MillraceError('MR_OBJECT_BUSY', `${what}: ${method} to ${new URL(url).host} failed: ${why}`, {
    fix: 'see that the endpoint is reachable from here and not throttled; the work is tried again',
    ...(cause === undefined ? {} : { cause }),
  })

/** The bytes of an answer; an error when the connection breaks or they are not as many as were promised. */
export async function* chunksOf(what: string, response: StreamedReply, sizeBytes: number): AsyncIterable<Uint8Array> {
  let seen = 0
  try {
    for await (const chunk of response.body) {
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
