// The admin API's routes: who calls, then one function each. Acting as another role is a header, checked by the answerer.
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MillraceError } from '../../core/errors.ts'
import type { Manifest } from '../../define/manifest.ts'
import { ADMIN } from '../../govern/identity.ts'
import { shortName } from '../../store/identifier.ts'
import type { Answerer, Caller } from '../answer.ts'
import type { RunRequest } from '../answers/runs.ts'
import type { Session } from '../answers/session.ts'
import { backfillState, startBackfill } from './backfill.ts'
import { dashboardDetail, dashboards, tileAnswer } from './dashboards.ts'
import { streamEvents } from './events.ts'
import { readMoment } from './freshness.ts'
import { lineage } from './lineage.ts'
import { overview } from './overview.ts'
import { type AdminParts, type BackfillRequest, isVisible } from './parts.ts'
import { qualityPage } from './quality-page.ts'
import { relationDetail, summaries } from './relations.ts'
import { rowsPage } from './rows-page.ts'
import { mayRun, resumeRun, runDetail, runs, startRun } from './runs.ts'
import { schemaPage } from './schema-page.ts'
import { snapshotsPage } from './snapshots-page.ts'
import { advice, createBranch, maintain, publish, removeBranch, removeTag, restore, setTag, tags } from './storage.ts'
import { streamDetail, streams } from './streams.ts'
import { verifyAll } from './verify.ts'

/** The caller of a request, as the role that its headers ask for. */
export async function callerOf(answerer: Answerer, request: FastifyRequest): Promise<Caller> {
  const role = request.headers['millrace-as']
  if (typeof role !== 'string') return answerer.authenticate(request.headers.authorization)
  return answerer.authenticate(request.headers.authorization, { role, attributes: attributesOf(request.headers['millrace-as-attributes']) })
}

function attributesOf(header: string | string[] | undefined): Record<string, unknown> {
  if (typeof header !== 'string') return {}
  try {
    return JSON.parse(header) as Record<string, unknown>
  } catch {
    throw new MillraceError('MR_USAGE', 'Millrace-As-Attributes is not JSON', { fix: 'send {"country": "France"}' })
  }
}

type Handler = (caller: Caller, request: { params: Record<string, string>; query: Record<string, string>; body: unknown }) => unknown

export function addAdmin(app: FastifyInstance, parts: AdminParts): void {
  const route = (method: 'GET' | 'POST', url: string, handler: Handler): void => {
    app.route({
      method,
      url: `/admin${url}`,
      handler: async (request) =>
        handler(await callerOf(parts.answerer, request), {
          params: paramsOf(request.params as Record<string, string>),
          query: request.query as Record<string, string>,
          body: request.body,
        }),
    })
  }
  route('GET', '/session', (caller) => session(parts, caller))
  route('GET', '/overview', (caller) => overview(parts, caller))
  route('GET', '/relations', async (caller) => {
    const moment = await readMoment(parts)
    return { nowMs: moment.nowMs, relations: await summaries(parts, caller, moment) }
  })
  route('GET', '/relations/:name', (caller, { params }) => relationDetail(parts, caller, params['name']!))
  route('GET', '/relations/:name/rows', (caller, { params, query }) => rowsPage(parts, caller, params['name']!, query))
  route('GET', '/relations/:name/schema', (caller, { params }) => schemaPage(parts, caller, params['name']!))
  route('GET', '/relations/:name/quality', (caller, { params }) => qualityPage(parts, caller, params['name']!))
  route('GET', '/relations/:name/snapshots', (caller, { params, query }) => snapshotsPage(parts, caller, params['name']!, query))
  route('GET', '/relations/:name/lineage', (caller, { params, query }) =>
    lineage(parts, caller, { name: params['name']!, up: Number(query['up'] ?? 2), down: Number(query['down'] ?? 2) }),
  )
  route('GET', '/lineage', (caller) => lineage(parts, caller))
  route('GET', '/streams', (caller) => streams(parts, caller))
  route('GET', '/streams/:name', (caller, { params, query }) => streamDetail(parts, caller, params['name']!, query['range']))
  route('GET', '/runs', (caller, { query }) => runs(parts, caller, query))
  route('GET', '/runs/:id', (caller, { params }) => runDetail(parts, caller, params['id']!))
  route('POST', '/runs', (caller, { body }) => startRun(parts, caller, (body ?? {}) as RunRequest))
  route('POST', '/runs/:id/resume', (caller, { params }) => resumeRun(parts, caller, params['id']!))
  route('GET', '/dashboards', (caller) => dashboards(parts, caller))
  route('GET', '/dashboards/:name', (caller, { params }) => dashboardDetail(parts, caller, params['name']!))
  route('GET', '/dashboards/:name/tiles/:index', (caller, { params }) =>
    tileAnswer(parts, caller, params['name']!, Number(params['index'])),
  )
  route('GET', '/tokens', async (caller) => ({ tokens: await forAdmin(caller, () => parts.tokens.list()) }))
  route('POST', '/tokens', (caller, { body }) => forAdmin(caller, () => parts.tokens.create(tokenRequest(parts.manifest(), body))))
  route('POST', '/tokens/:id/revoke', (caller, { params }) =>
    forAdmin(caller, async () => {
      await parts.tokens.revoke(params['id']!)
      return { id: params['id'] }
    }),
  )
  route('POST', '/verify', (caller) => forAdmin(caller, () => verifyAll(parts, caller)))
  route('GET', '/advice', (caller) => forAdmin(caller, () => advice(parts)))
  route('POST', '/relations/:name/backfill', (caller, { params, body }) =>
    forAdmin(caller, () => startBackfill(parts, caller, params['name']!, (body ?? {}) as BackfillRequest)),
  )
  route('GET', '/relations/:name/backfill', (caller, { params }) => forAdmin(caller, async () => backfillState(parts, params['name']!)))
  route('POST', '/relations/:name/restore', (caller, { params, body }) =>
    forAdmin(caller, () => restore(parts, caller, params['name']!, body)),
  )
  route('POST', '/publish', (caller, { body }) => forAdmin(caller, () => publish(parts, caller, body)))
  route('POST', '/relations/:name/branches', (caller, { params, body }) =>
    forAdmin(caller, () => createBranch(parts, caller, params['name']!, body)),
  )
  route('POST', '/relations/:name/branches/:branch/remove', (caller, { params }) =>
    forAdmin(caller, () => removeBranch(parts, caller, params['name']!, params['branch']!)),
  )
  route('POST', '/maintain', (caller, { body }) => forAdmin(caller, () => maintain(parts, caller, body)))
  route('GET', '/relations/:name/tags', (caller, { params }) => forAdmin(caller, () => tags(parts, params['name']!)))
  route('POST', '/relations/:name/tags', (caller, { params, body }) => forAdmin(caller, () => setTag(parts, caller, params['name']!, body)))
  route('POST', '/relations/:name/tags/:tag/remove', (caller, { params }) =>
    forAdmin(caller, () => removeTag(parts, caller, params['name']!, params['tag']!)),
  )
  app.get('/admin/events', async (request, reply) => {
    streamEvents(parts, await callerOf(parts.answerer, request), reply)
  })
}

/** Whatever a table is called by, it is looked up by the catalog's name. */
const paramsOf = (params: Record<string, string>): Record<string, string> =>
  params['name'] === undefined ? params : { ...params, name: shortName(params['name']) }

function forAdmin<T>(caller: Caller, action: () => Promise<T>): Promise<T> {
  if (!caller.isAdmin) throw new MillraceError('MR_ACCESS_DENIED', 'this is for administrators', { fix: 'ask an administrator' })
  return action()
}

function tokenRequest(manifest: Manifest, body: unknown): Parameters<AdminParts['tokens']['create']>[0] {
  const { user, roles, attributes, expiresInMs } = (body ?? {}) as Record<string, unknown>
  if (typeof user !== 'string' || user === '')
    throw new MillraceError('MR_USAGE', 'a token needs a user', { fix: 'send {"user": "ann", "roles": ["analyst"]}' })
  if (!Array.isArray(roles) || roles.some((role) => typeof role !== 'string'))
    throw new MillraceError('MR_USAGE', 'roles must be a list of names', { fix: 'send {"roles": ["analyst"]}' })
  const held = (attributes ?? {}) as Record<string, unknown>
  checkRoles(manifest, roles as string[], held)
  return {
    user,
    roles: roles as string[],
    attributes: held,
    ...(typeof expiresInMs === 'number' ? { expiresInMs } : {}),
  }
}

/** A token for a role that does not exist, or without an attribute of it, would see nothing and not say why. */
function checkRoles(manifest: Manifest, names: readonly string[], attributes: Readonly<Record<string, unknown>>): void {
  const roles = names.filter((name) => name !== ADMIN).map((name) => ({ name, role: manifest.roles.find((role) => role.name === name) }))
  const unknown = roles.find(({ role }) => !role)
  if (unknown)
    throw new MillraceError('MR_ACCESS_UNKNOWN_ROLE', `there is no role "${unknown.name}"`, {
      fix: `roles: ${[ADMIN, ...manifest.roles.map((role) => role.name)].join(', ')}`,
    })
  const fields = roles.flatMap(({ role }) => role!.attributes.fields)
  const missing = fields.find((field) => !field.optional && attributes[field.name] === undefined)
  if (missing)
    throw new MillraceError('MR_ACCESS_ATTRIBUTE', `the attribute "${missing.name}" is missing`, { fix: `give --attr ${missing.name}=...` })
  const extra = Object.keys(attributes).find((name) => !fields.some((field) => field.name === name))
  if (extra)
    throw new MillraceError('MR_ACCESS_ATTRIBUTE', `no role of the token has an attribute "${extra}"`, {
      fix: `attributes: ${fields.map((field) => field.name).join(', ') || 'none'}`,
    })
}

async function session(parts: AdminParts, caller: Caller): Promise<Session> {
  const manifest = parts.manifest()
  const visible = manifest.relations.filter((relation) => isVisible(parts, caller, relation))
  const steps = await parts.history.lastSteps()
  const roles = parts.answerer.rolesOf(caller)
  return {
    nowMs: parts.clock.nowMs(),
    project: manifest.project,
    environment: parts.environment,
    deployment: 'embedded',
    version: parts.version,
    code: parts.code(),
    user: caller.user,
    role: caller.isAdmin ? 'admin' : (caller.roles[0]?.name ?? ''),
    roles: roles.map((name) => ({
      name,
      attributes: (manifest.roles.find((role) => role.name === name)?.attributes.fields ?? []).map((field) => ({
        name: field.name,
        type: field.type.kind,
      })),
    })),
    mayRun: mayRun(caller),
    counts: {
      relations: visible.length,
      streams: streams(parts, caller).streams.length,
      dashboards: dashboards(parts, caller).dashboards.length,
      failing: steps.filter((step) => step.status === 'failed' && visible.some((relation) => relation.name === step.relation)).length,
    },
  }
}
