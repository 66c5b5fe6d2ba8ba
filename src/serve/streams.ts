// `POST /streams/{name}` on plain node:http: the hot path. Reads the body, checks the caller, hands both to the door.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type CollectLimits, collect, type Door, tooLarge } from '../ingest/collect.ts'
import type { Log } from '../log/log.ts'
import { PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts'

/** So much of a body that is refused is read before the connection is closed. */
const DRAIN_BYTES_MAX = 64 << 20

export interface StreamPorts {
  readonly log: Log
  readonly limits: CollectLimits
  door(name: string): Door | undefined
  /**
   * The caller, when it may write to the stream; its id scopes idempotency keys.
   * @throws MR_AUTH_MISSING, MR_AUTH_INVALID, MR_ACCESS_DENIED.
   */
  mayWrite(request: IncomingMessage, stream: string): { readonly id: string } | Promise<{ readonly id: string }>
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

export async function answerStream(ports: StreamPorts, name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedMs = ports.monotonicMs()
  try {
    const may = ports.mayWrite(request, name)
    const caller = may instanceof Promise ? await may : may
    const door = ports.door(name)
    if (!door)
      throw new MillraceError('MR_INGEST_UNKNOWN_STREAM', `there is no stream "${name}"`, { fix: 'check the name with `millrace status`' })
    const body = await readBody(request, ports.limits)
    const key = request.headers['idempotency-key'] as string | undefined
    const answer = await collect(
      ports.log,
      door,
      {
        contentType: request.headers['content-type'],
        contentEncoding: request.headers['content-encoding'],
        idempotencyKey: key === undefined ? undefined : `${caller.id}/${name}/${key}`,
        body,
      },
      ports.limits,
    )
    ports.onCollected(name, answer.accepted, answer.rejected, body.length, ports.monotonicMs() - startedMs)
    const { status, duplicate: _, ...rest } = answer
    if (status === 422) send(response, status, PROBLEM_TYPE, JSON.stringify({ ...refused(rest), ...rest }))
    else send(response, status, 'application/json', JSON.stringify(rest))
  } catch (cause) {
    const error = asMillraceError(cause)
    await drain(request)
    if (!request.complete) response.setHeader('connection', 'close')
    for (const [header, value] of Object.entries(problemHeaders(error))) response.setHeader(header, value)
    send(response, error.status, PROBLEM_TYPE, JSON.stringify(problemOf(error)))
  }
}

const refused = (answer: { rejected: number; errors: readonly { message: string }[] }): object =>
  problemOf(
    new MillraceError('MR_INGEST_REJECTED', `all ${answer.rejected} rows were rejected; the first: ${answer.errors[0]?.message}`, {
      fix: 'compare the rows with the shape of the stream',
    }),
  )

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

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
