// The Iceberg REST catalog under /iceberg (rest-catalog-open-api.yaml), for Spark, Flink, Trino, PyIceberg and others. Bodies
// are JSON that keeps ids of 63 bits. Tables that are files of this machine are served to clients of this machine only.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import { mustLoad } from '../../govern/outside.ts'
import type { Tokens } from '../../govern/token.ts'
import { nameOf } from '../../store/identifier.ts'
import { callerOf } from '../admin/routes.ts'
import type { Caller } from '../answer.ts'
import { badRequest, type Call, type IcebergParts, named, type Replay, type Reply, type Route } from './call.ts'
import { COMMIT_ROUTES } from './commits.ts'
import { icebergError } from './error.ts'
import { NAMESPACE_ROUTES } from './namespaces.ts'
import { tokenReply } from './oauth.ts'
import { makeOnce } from './once.ts'
import { SIGN_ROUTES } from './sign.ts'
import { loadReply, TABLE_ROUTES } from './tables.ts'
import { VIEW_ROUTES, viewReply } from './views.ts'

export interface IcebergServing extends IcebergParts {
  readonly verifyToken: Tokens['verify']
  /** Whether tables lie where other machines reach them. */
  readonly isShared?: boolean
  readonly onError: (error: MillraceError, request: { method: string; url: string }) => void
}

const ROUTES: readonly Route[] = [...NAMESPACE_ROUTES, ...TABLE_ROUTES, ...COMMIT_ROUTES, ...VIEW_ROUTES, ...SIGN_ROUTES]

/** What clients may call, as `GET /v1/config` says it: all that there is, and nothing else. */
export const ENDPOINTS: readonly string[] = ROUTES.map(({ method, path }) => `${method} ${path.replace('/v1/', '/v1/{prefix}/')}`)
const WITHOUT_VENDOR = ENDPOINTS.filter((endpoint) => !endpoint.endsWith('/credentials'))

/** Names of the one warehouse that clients may give. */
const WAREHOUSES = ['', 'main', 'millrace']

export function addIceberg(app: FastifyInstance, parts: IcebergServing): void {
  app.register(
    async (scope) => {
      scope.addHook('onRequest', async (request) => parts.isShared || mustBeLocal(request))
      scope.removeContentTypeParser('application/json')
      scope.addContentTypeParser(['application/json', 'application/x-www-form-urlencoded'], { parseAs: 'string' }, (_request, body, done) =>
        done(null, body),
      )
      scope.setErrorHandler((cause, request, reply) => sendError(parts, request, reply, cause))
      scope.setNotFoundHandler((request, reply) => sendError(parts, request, reply, nothingAt(request)))
      scope.get('/v1/config', async (request, reply) => send(reply, await config(parts, request)))
      scope.post('/v1/oauth/tokens', async (request, reply) =>
        send(reply, await tokenReply(parts.verifyToken, new URLSearchParams(String(request.body ?? '')), request.headers.authorization)),
      )
      const once = makeOnce(parts)
      for (const route of ROUTES) {
        scope.route({
          method: route.method,
          url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
          exposeHeadRoute: false,
          handler: async (request, reply) => send(reply, await answer(parts, once, route, request)),
        })
      }
    },
    { prefix: '/iceberg' },
  )
}

const nothingAt = (request: FastifyRequest): MillraceError =>
  new MillraceError('MR_NOT_FOUND', `there is nothing at ${request.method} ${request.url.split('?')[0]}`, { fix: 'see /iceberg/v1/config' })

async function config(parts: IcebergServing, request: FastifyRequest): Promise<Reply> {
  await callerOf(parts.answerer, request)
  const { warehouse = '' } = request.query as { warehouse?: string }
  if (!WAREHOUSES.includes(warehouse) && warehouse !== parts.manifest().project)
    throw new MillraceError('MR_LAKE_WAREHOUSE_UNKNOWN', `there is no warehouse ${warehouse}`, { fix: 'leave it out, or use millrace' })
  const body = { defaults: {}, overrides: {}, endpoints: parts.vendor ? ENDPOINTS : WITHOUT_VENDOR, 'idempotency-key-lifetime': 'PT30M' }
  return { status: 200, text: JSON.stringify(body) }
}

/** @throws MR_ACCESS_ORIGIN unless the request was made on this machine: who cannot read its files has no use for their names. */
function mustBeLocal({ raw, headers }: FastifyRequest): void {
  const address = raw.socket.remoteAddress ?? ''
  const isLoopback = address === '::1' || /^(::ffff:)?127\./.test(address)
  if (isLoopback && headers['x-forwarded-for'] === undefined && headers.forwarded === undefined) return
  throw new MillraceError('MR_ACCESS_ORIGIN', 'the Iceberg catalog serves files of this machine, on its loopback address only', {
    fix: 'run the engine on the machine of the server, or ask through SQL',
  })
}

async function answer(parts: IcebergServing, once: ReturnType<typeof makeOnce>, route: Route, request: FastifyRequest): Promise<Reply> {
  const caller = await callerOf(parts.answerer, request)
  const call = readCall(request, caller)
  const action = `iceberg:${route.method} ${route.path}`
  const object = objectOf(call)
  if (route.isReport || route.method === 'GET' || route.method === 'HEAD')
    return refusalsRecorded(parts, caller, action, object, () => route.handle(parts, call))
  const key = request.headers['idempotency-key']
  const asked = { caller, key: typeof key === 'string' ? key : undefined, what: [request.method, request.url, String(request.body ?? '')] }
  const run = async (finish: Call['finish']): Promise<Reply> => {
    const reply = await route.handle(parts, { ...call, finish })
    // What is done is done: a record that cannot be written is no reason to tell the client otherwise.
    await parts.record(caller, action, object, 'ok').catch((cause) => parts.onError(asMillraceError(cause), request))
    return reply
  }
  return refusalsRecorded(parts, caller, action, object, () => once(asked, run, (replay) => again(parts, call, replay)))
}

/** What a request is about, for the audit trail: the names in its address and in its body. */
function objectOf({ namespace, entry, body }: Call): string {
  const path = [...namespace, entry].filter((level) => level !== '')
  const { name, namespace: made, source, destination, 'table-changes': changes } = body as Record<string, unknown>
  if (Array.isArray(made)) return made.join('.')
  if (namespace.length > 0) return [...path, ...(entry === '' && typeof name === 'string' ? [name] : [])].join('.')
  const identifiers = Array.isArray(changes) ? changes.map((change) => change?.identifier) : [source, destination]
  return identifiers.flatMap((one) => (Array.isArray(one?.namespace) ? [[...one.namespace, one.name].join('.')] : [])).join(', ')
}

async function refusalsRecorded(
  parts: IcebergServing,
  caller: Caller,
  action: string,
  object: string,
  run: () => Promise<Reply>,
): Promise<Reply> {
  try {
    return await run()
  } catch (cause) {
    const { code, status } = asMillraceError(cause)
    if (status === 403) await parts.record(caller, action, object, code)
    throw cause
  }
}

/** The answer to a request that was carried out before. */
async function again(parts: IcebergServing, call: Omit<Call, 'finish'>, replay: Replay): Promise<Reply> {
  if ('table' in replay) {
    mustLoad(parts.manifest(), call.caller, nameOf(replay.table))
    return loadReply(parts, await parts.lake.table(nameOf(replay.table)), call, { refs: false })
  }
  return 'view' in replay ? viewReply(await parts.lake.views.load(named(replay.view))) : replay
}

function readCall(request: FastifyRequest, caller: Caller): Call {
  const segments = (request.raw.url ?? '').split('?')[0]!.split('/').slice(1)
  const [, , collection, namespace = '', , entry = ''] = segments
  const isNamed = collection === 'namespaces'
  return {
    caller,
    namespace: isNamed && namespace !== '' ? decode(namespace).split('\u001f') : [],
    entry: isNamed ? decode(entry) : '',
    query: request.query as Record<string, string>,
    headers: request.headers,
    body: readBody(request.body),
    finish: () => undefined,
  }
}

/** Clients encode names as forms do: a plus sign is a space. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment.replaceAll('+', ' '))
  } catch {
    throw badRequest(`${segment} is not percent-encoded text`)
  }
}

function readBody(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'string' || body === '') return {}
  let json: unknown
  try {
    json = parseJson(body)
  } catch {
    throw badRequest('the body is not JSON')
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw badRequest('the body is not a JSON object')
  return json as Readonly<Record<string, unknown>>
}

const send = (reply: FastifyReply, { status, text, headers }: Reply): FastifyReply =>
  text === undefined
    ? reply
        .code(status)
        .headers(headers ?? {})
        .send()
    : reply
        .code(status)
        .headers(headers ?? {})
        .type('application/json')
        .send(text)

function sendError(parts: IcebergServing, request: FastifyRequest, reply: FastifyReply, cause: unknown): FastifyReply {
  const known = asMillraceError(cause)
  const { statusCode, code } = cause as { statusCode?: number; code?: string }
  const error =
    code === 'FST_ERR_CTP_BODY_TOO_LARGE'
      ? new MillraceError('MR_INGEST_TOO_LARGE', 'the body is larger than allowed', { fix: 'commit less at once' })
      : known.code === 'MR_INTERNAL' && statusCode !== undefined && statusCode < 500
        ? badRequest(known.message)
        : known
  if (error.status >= 500) parts.onError(error, { method: request.method, url: request.url })
  // What failed inside is told in the log, not to the client.
  const told =
    error.code === 'MR_INTERNAL' ? new MillraceError('MR_INTERNAL', 'something went wrong inside; the log has the details') : error
  return send(reply, { status: told.status, text: JSON.stringify(icebergError(told)) })
}
