// `POST /streams/{name}`: checks the caller, reads the body and hands both to the door. The hot path comes from the fast lane;
// whatever is unusual comes over node:http.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type CollectLimits, collect, type Door, tooLarge } from '../ingest/collect.ts'
import type { Log } from '../log/log.ts'
import { PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts'

/** So much of a body that is refused is read before the connection is closed. */
const DRAIN_BYTES_MAX = 64 << 20

/** A request for rows of a stream; its body comes apart. */
export interface StreamRequest {
  readonly stream: string
  readonly authorization: string | undefined
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  readonly idempotencyKey: string | undefined
}

export interface StreamAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface StreamPorts {
  readonly log: Pick<Log, 'append'>
  readonly limits: CollectLimits
  door(name: string): Door | undefined
  /**
   * The caller, when it may write to the stream; its id scopes idempotency keys.
   * @throws MR_AUTH_MISSING, MR_AUTH_INVALID, MR_ACCESS_DENIED.
   */
  mayWrite(authorization: string | undefined, stream: string): { readonly id: string } | Promise<{ readonly id: string }>
  onCollected(stream: string, accepted: number, rejected: number, bytes: number, tookMs: number): void
  monotonicMs(): number
}

const PATH = /^\/streams\/([^/?]+)(?:\?.*)?$/

/** The stream that a request is for; undefined when it is for something else. */
export const streamOf = (request: IncomingMessage): string | undefined => {
  if (request.method !== 'POST' || !request.url!.startsWith('/streams/')) return undefined
  const match = PATH.exec(request.url!)
  try {
    return match ? decodeURIComponent(match[1]!) : undefined
  } catch {
    return match?.[1]
  }
}

/** Answers a request; never rejects. Its body is read only when the caller may write. */
export async function takeRows(
  ports: StreamPorts,
  request: StreamRequest,
  readBody: () => Buffer | Promise<Buffer>,
): Promise<StreamAnswer> {
  const startedMs = ports.monotonicMs()
  const { stream, idempotencyKey } = request
  try {
    const may = ports.mayWrite(request.authorization, stream)
    const caller = may instanceof Promise ? await may : may
    const door = ports.door(stream)
    if (!door)
      throw new MillraceError('MR_INGEST_UNKNOWN_STREAM', `there is no stream "${stream}"`, {
        fix: 'check the name with `millrace status`',
      })
    const body = await readBody()
    const answer = await collect(
      ports.log,
      door,
      {
        contentType: request.contentType,
        contentEncoding: request.contentEncoding,
        idempotencyKey: idempotencyKey === undefined ? undefined : `${caller.id}/${stream}/${idempotencyKey}`,
        body,
      },
      ports.limits,
    )
    ports.onCollected(stream, answer.accepted, answer.rejected, body.length, ports.monotonicMs() - startedMs)
    const { status, duplicate: _, ...rest } = answer
    if (status === 422) return { status, headers: PROBLEM_HEADERS, body: JSON.stringify({ ...refused(rest), ...rest }) }
    return { status, headers: JSON_HEADERS, body: JSON.stringify(rest) }
  } catch (cause) {
    const error = asMillraceError(cause)
    return { status: error.status, headers: { ...PROBLEM_HEADERS, ...problemHeaders(error) }, body: JSON.stringify(problemOf(error)) }
  }
}

const JSON_HEADERS = { 'content-type': 'application/json' }
const PROBLEM_HEADERS = { 'content-type': PROBLEM_TYPE }

/** The same over node:http. */
export async function answerStream(ports: StreamPorts, stream: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { headers } = request
  const fields = {
    stream,
    authorization: headers.authorization,
    contentType: headers['content-type'],
    contentEncoding: headers['content-encoding'],
    idempotencyKey: headers['idempotency-key'] as string | undefined,
  }
  const answer = await takeRows(ports, fields, () => readBody(request, ports.limits))
  if (answer.status !== 202) await drain(request)
  if (!request.complete) response.setHeader('connection', 'close')
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) }).end(answer.body)
}

const refused = (answer: { rejected: number; errors: readonly { message: string }[] }): object =>
  problemOf(
    new MillraceError('MR_INGEST_REJECTED', `all ${answer.rejected} rows were rejected; the first: ${answer.errors[0]?.message}`, {
      fix: 'compare the rows with the shape of the stream',
    }),
  )

/** Reads on and throws away: most clients send their whole body before they read, and would see a broken connection instead. */
function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve()
  return new Promise((resolve) => {
    let size = 0
    request.removeAllListeners('data')
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= DRAIN_BYTES_MAX) return
      request.pause()
      resolve()
    })
    for (const event of ['end', 'close', 'error'] as const) request.once(event, () => resolve())
    request.resume()
  })
}

function readBody(request: IncomingMessage, limits: CollectLimits): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > limits.bodyBytesMax) return Promise.reject(tooLarge(limits))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > limits.bodyBytesMax) {
        request.pause()
        reject(tooLarge(limits))
      } else chunks.push(chunk)
    })
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    request.on('error', reject)
    request.on('aborted', () => reject(new MillraceError('MR_CANCELLED', 'the client went away before the body was complete')))
  })
}
