// The HTTP server of port 4100: streams on the fast lane and on plain node:http, everything else on Fastify. Browser requests are held
// to Host and Origin of this server; errors leave as problem+json.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { Lane } from './lane.ts'
import { PROBLEM_TYPE, problemHeaders, problemOf } from './problem.ts'
import { answerStream, type StreamPorts, streamOf, takeRows } from './streams.ts'

export interface HttpOptions {
  readonly host: string
  /** 0 = any free one. */
  readonly port: number
  readonly streams: StreamPorts
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
  /** Stops taking connections and closes what is idle; requests get some seconds to end, live results never would. */
  close(): Promise<void>
}

const END_MS = 2_000

/** @throws MR_PORT when the port is in use. */
export async function startHttp(options: HttpOptions): Promise<HttpServer> {
  let lane: Lane | undefined
  const app = Fastify({
    bodyLimit: options.bodyBytesMax,
    serverFactory(handler) {
      const server = makeServer(options, handler)
      lane = addLane(server, options)
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
  try {
    await app.listen({ host: options.host, port: options.port })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
      throw new MillraceError('MR_PORT', `port ${options.port} is in use`, {
        fix: 'choose another with --port, or 0 for any free one',
        cause,
      })
    }
    throw cause
  }
  const address = app.server.address()
  return {
    port: typeof address === 'object' && address ? address.port : options.port,
    async close() {
      app.server.closeIdleConnections()
      lane?.closeIdle()
      const cancel = options.clock.after(END_MS, () => {
        app.server.closeAllConnections()
        lane?.closeAll()
      })
      await app.close()
      cancel()
    },
  }
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

/** New connections come into the lane first; those that leave it go where they would have gone. */
function addLane(server: Server, { streams, clock }: HttpOptions): Lane {
  const accept = server.listeners('connection') as ((socket: Socket) => void)[]
  const lane = new Lane({
    clock,
    answer: (request, body) => takeRows(streams, request, () => body),
    handOver: (socket) => {
      for (const listener of accept) listener.call(server, socket)
    },
  })
  server.removeAllListeners('connection').on('connection', (socket) => lane.take(socket))
  return lane
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
