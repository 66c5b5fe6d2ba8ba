// The HTTP server of port 4100: streams at the doors, in threads of their own, and on plain node:http; everything else on Fastify.
// Browser requests are held to Host and Origin of this server; errors leave as problem+json.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { Log } from '../log/log.ts'
import type { DoorThreads } from './doors/door-threads.ts'
import { type Doors, openDoors } from './doors/doors.ts'
import type { DoorDefinition } from './doors/messages.ts'
import { takeRelayed } from './doors/relay.ts'
import { PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts'
import { answerStream, type StreamPorts, streamOf } from './streams.ts'

export interface HttpOptions {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  readonly streams: StreamPorts
  /** Where the doors' threads append. */
  readonly log: Pick<Log, 'admit'>
  readonly doors: readonly DoorDefinition[]
  /** Threads that take rows of streams. */
  readonly doorThreads: DoorThreads
  /** For relayed connections: nobody else gets past the inner port. */
  readonly random: Random
  readonly bodyBytesMax: number
  /** Adds routes. */
  readonly routes: (app: FastifyInstance) => void
  /** Other origins whose pages may call. */
  readonly origins: readonly string[]
  /** For the time that requests get to end. */
  readonly clock: Clock
  readonly onError: (error: MillraceError, request: { method: string; url: string }) => void
}

export interface HttpServer {
  readonly port: number
  /** Who may write may have changed. */
  forget(): void
  /** For how long the threads that take rows have had something to do, milliseconds. */
  busyMs(): number
  /** Stops taking connections and closes what is idle; requests get some seconds to end, live results never would. */
  close(): Promise<void>
}

const END_MS = 2_000

/** @throws MR_PORT when the port is in use. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  const secret = Buffer.from(options.random.bytes(32)).toString('base64url')
  const app = Fastify({
    bodyLimit: options.bodyBytesMax,
    serverFactory(handler) {
      const server = makeServer(options, handler)
      takeRelayed(server, secret)
      return server
    },
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 500 },
  })
  app.addHook('onRequest', async (request) => checkBrowser(request.raw, options))
  app.setErrorHandler((cause, request, reply) => {
    const error = translate(cause)
    if (error.status >= 500) options.onError(error, { method: request.method, url: request.url })
    return reply
      .code(error.status)
      .headers(problemHeaders(error))
      .type(PROBLEM_TYPE)
      .send(JSON.stringify(problemOf(error)))
  })
  app.setNotFoundHandler((request, reply) => {
    const error = new MillraceError('MR_NOT_FOUND', `there is nothing at ${request.method} ${request.url.split('?')[0]}`, {
      fix: 'see /openapi.json for what there is',
    })
    return reply
      .code(404)
      .type(PROBLEM_TYPE)
      .send(JSON.stringify(problemOf(error)))
  })
  options.routes(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const doors = await openDoors({
    ...options,
    threads: options.doorThreads,
    inner: { port: (app.server.address() as AddressInfo).port, secret },
    onError: (error) => options.onError(error, { method: 'POST', url: '/streams' }),
  }).catch(async (cause) => {
    await app.close()
    throw cause
  })
  return { port: doors.port, forget: doors.forget, busyMs: doors.busyMs, close: () => closeBoth(app, doors, options.clock) }
}

async function closeBoth(app: FastifyInstance, doors: Doors, clock: Clock): Promise<void> {
  app.server.closeIdleConnections()
  doors.close('idle')
  const cancel = clock.after(END_MS, () => {
    app.server.closeAllConnections()
    doors.close('all')
  })
  await Promise.all([app.close(), doors.closed])
  cancel()
}

function makeServer(options: HttpOptions, handler: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 120_000 }, (request, response) => {
    const stream = streamOf(request)
    if (stream === undefined) return handler(request, response)
    if (request.headers.origin !== undefined) {
      try {
        checkBrowser(request, options)
      } catch (cause) {
        const error = asMillraceError(cause)
        response.writeHead(error.status, { 'content-type': PROBLEM_TYPE }).end(JSON.stringify(problemOf(error)))
        return
      }
    }
    void answerStream(options.streams, stream, request, response)
  })
  return server
}

/** Pages of other origins may not call, and names that are not ours may not point here (DNS rebinding). */
function checkBrowser(request: IncomingMessage, options: HttpOptions): void {
  const { origin, host } = request.headers
  if (origin === undefined || options.origins.includes(origin)) return
  if (host !== undefined && (origin === `http://${host}` || origin === `https://${host}`)) {
    const name = host.replace(/:\d+$/, '')
    const isLoopback = name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name)
    if (isLoopback || name === options.host || options.host === '0.0.0.0') return
  }
  throw new MillraceError('MR_ACCESS_ORIGIN', `requests from ${origin} are not allowed`, { fix: 'call from the console’s own address' })
}

function translate(cause: unknown): MillraceError {
  const { statusCode, code, message } = cause as { statusCode?: number; code?: string; message?: string }
  if (cause instanceof MillraceError) return cause
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new MillraceError('MR_INGEST_TOO_LARGE', 'the body is larger than allowed', { fix: 'send less' })
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new MillraceError('MR_INGEST_MEDIA', 'the content type is not supported', { fix: 'send application/json' })
  if (statusCode === 400) return new MillraceError('MR_USAGE', message ?? 'the request was not understood', { fix: 'see /openapi.json' })
  const inner = asMillraceError(cause)
  return inner.code === 'MR_INTERNAL'
    ? new MillraceError('MR_INTERNAL', 'something went wrong inside; the log has the details', {
        cause,
        fix: 'look at the log of the server',
      })
    : inner
}
