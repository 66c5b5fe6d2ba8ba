// The routes of port 4100, put together: health, streams, SQL, endpoints, the Iceberg catalog, metrics, OpenAPI, the admin
// API and the console.
import type { FastifyInstance } from 'fastify'
import { nodeDisk } from '../core/disk.ts'
import type { MillraceError } from '../core/errors.ts'
import { MillraceError as Failure } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { Manifest } from '../define/manifest.ts'
import { partitionKeyIndex } from '../define/partition-key.ts'
import { hasDoor } from '../define/system-columns.ts'
import type { CollectRequest } from '../ingest/collect.ts'
import { storedUnder } from '../orchestrate/graph.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { AdminParts } from './admin/parts.ts'
import { addAdmin, callerOf } from './admin/routes.ts'
import { mayCount } from './admin/shown.ts'
import type { Caller } from './answer.ts'
import { addDeletes } from './delete-rows.ts'
import type { DoorThreads } from './doors/door-threads.ts'
import type { DoorDefinition } from './doors/messages.ts'
import { type HttpServer, startHttp } from './http.ts'
import { addIceberg, type IcebergServing } from './iceberg/routes.ts'
import { shownMetrics } from './metrics.ts'
import { openApi } from './openapi.ts'
import { addRest } from './rest.ts'
import { addSql } from './sql.ts'
import { addConsole } from './static.ts'

export interface ServeParts {
  readonly host: string
  readonly port: number
  readonly bodyBytesMax: number
  readonly doorThreads: DoorThreads
  readonly random: Random
  readonly admin: AdminParts
  readonly cursorKey: Uint8Array
  /** Directory of the built console. */
  readonly consoleDirectory: string
  readonly iceberg: Pick<IcebergServing, 'onCommitted' | 'record' | 'verifyToken' | 'isShared' | 'signer'>
  /** See `ingest/delete-rows.ts`. */
  deleteRows(name: string, request: Omit<CollectRequest, 'idempotencyKey'>): Promise<{ readonly accepted: number }>
  isReady(): boolean
  printMetrics(): Promise<{ type: string; text: string }>
  onCollected(stream: string, accepted: number, rejected: number, bytes: number, tookMs: number): void
  readonly onError: (error: MillraceError, request: { method: string; url: string }) => void
}

const BEARER = 'Bearer '

export function serveHttp(parts: ServeParts): Promise<HttpServer> {
  const { admin } = parts
  const definitions = admin
    .manifest()
    .relations.filter(hasDoor)
    .map((relation): DoorDefinition => {
      const partitions = relation.kind === 'stream' ? relation.partitions : 1
      return { topic: relation.name, partitions, keyIndex: partitionKeyIndex(relation), shape: relation.shape }
    })
  const doors = new Map(definitions.map(({ shape, ...door }) => [door.topic, { ...door, scanner: compileScanner(shape) }]))
  return startHttp({
    doors: definitions,
    doorThreads: parts.doorThreads,
    random: parts.random,
    host: parts.host,
    port: parts.port,
    bodyBytesMax: parts.bodyBytesMax,
    origins: [],
    clock: admin.clock,
    onError: parts.onError,
    log: admin.log,
    streams: {
      log: admin.log,
      limits: { bodyBytesMax: parts.bodyBytesMax },
      door: (name) => doors.get(name),
      mayWrite(authorization, stream) {
        const check = (caller: Caller): { id: string } => {
          // The same answer for a stream that does not exist: who may not write to it does not learn whether it does.
          if (!admin.answerer.mayWrite(caller, stream))
            throw new Failure('MR_ACCESS_DENIED', `you may not write to ${stream}`, { fix: 'ask for a role with a write grant' })
          return { id: caller.tokenId }
        }
        // The tens of thousands of requests a second that come with the same few tokens do not wait for a promise each.
        const known = authorization?.startsWith(BEARER) ? admin.tokens.known(authorization.slice(BEARER.length)) : undefined
        return known ? check(known) : admin.answerer.authenticate(authorization).then(check)
      },
      onCollected: parts.onCollected,
      monotonicMs: () => admin.clock.monotonicMs(),
    },
    routes: (app) => addRoutes(app, parts),
  })
}

function addRoutes(app: FastifyInstance, parts: ServeParts): void {
  const { admin } = parts
  app.get('/health', () => ({ status: 'ok', version: admin.version }))
  app.get('/ready', (_request, reply) => {
    const components = {
      log: admin.log.healthy ? 'ok' : 'failing',
      pipelines: admin.pipelines().some((pipeline) => pipeline.stopped) ? 'failing' : 'ok',
      ...(admin.flows().length === 0 ? {} : { topics: admin.flows().some(({ stopped }) => stopped) ? 'failing' : 'ok' }),
    }
    const isReady = parts.isReady()
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'not ready', version: admin.version, components })
  })
  app.get('/openapi.json', async (request) => {
    const isAnonymous = request.headers.authorization === undefined
    const caller = await callerOf(admin.answerer, request).catch((error: MillraceError) => {
      if (isAnonymous && error.code === 'MR_AUTH_MISSING') return undefined
      throw error
    })
    return openApi(callableBy(admin, caller), admin.version)
  })
  app.get('/metrics', async (request, reply) => {
    const caller = await callerOf(admin.answerer, request)
    const { type, text } = await parts.printMetrics()
    return reply.type(type).send(caller.isAdmin ? text : shownMetrics(text, (name) => mayCount(admin, caller, name)))
  })
  addDeletes(app, { answerer: admin.answerer, deleteRows: parts.deleteRows })
  addSql(app, admin.answerer)
  addRest(app, {
    answerer: admin.answerer,
    endpoints: () => admin.manifest().endpoints,
    reads: (endpoint) => storedUnder(admin.manifest(), endpoint.inputs),
    key: parts.cursorKey,
    onChange: (listener) => admin.onChange(([kind, name]) => (kind === 'relation' && name ? listener(name) : undefined)),
    after: (ms, action) => admin.clock.after(ms, action),
  })
  addIceberg(app, {
    clock: admin.clock,
    lake: admin.lake,
    answerer: admin.answerer,
    manifest: () => admin.manifest(),
    onError: parts.onError,
    ...parts.iceberg,
  })
  addAdmin(app, admin)
  addConsole(app, nodeDisk, parts.consoleDirectory)
}

/** What of the project a caller may call; nothing without one. */
function callableBy(admin: AdminParts, caller: Caller | undefined): Pick<Manifest, 'project' | 'relations' | 'endpoints'> {
  const { project, relations, endpoints } = admin.manifest()
  if (!caller) return { project, relations: [], endpoints: [] }
  if (caller.isAdmin) return { project, relations, endpoints }
  const held = caller.roles.map((role) => role.name)
  return {
    project,
    relations: relations.filter((relation) => admin.answerer.mayWrite(caller, relation.name)),
    endpoints: endpoints.filter((endpoint) => endpoint.allow.some((role) => held.includes(role))),
  }
}
