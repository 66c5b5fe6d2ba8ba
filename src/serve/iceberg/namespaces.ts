// Namespaces of the Iceberg catalog: list, make, look at, change their properties, remove. A caller sees those that hold
// something it may see, and those that a grant covers.
import { MillraceError } from '../../core/errors.ts'
import { maySee, maySeeNamespace, mustManage } from '../../govern/outside.ts'
import { readProperties } from '../../lake/updates/apply-updates.ts'
import { levelsOf, MAIN, namespaceName } from '../../store/identifier.ts'
import {
  badRequest,
  type Call,
  type Handler,
  type IcebergParts,
  NO_CONTENT,
  namespaceUnknown,
  type Reply,
  type Route,
  readLevels,
} from './call.ts'
import { pageOf } from './page.ts'

/** Names of namespaces that the caller sees, sorted. */
async function visible({ lake, manifest }: IcebergParts, { caller }: Call): Promise<string[]> {
  const all = (await lake.catalog.namespaces()).map(({ name }) => name)
  if (caller.isAdmin) return all
  const held = [...(await lake.catalog.tables()), ...(await lake.catalog.views())].map(({ name }) => name)
  const seen = held.filter((name) => maySee(manifest(), caller, name))
  // A name in `main` has no prefix; any other lies in a namespace and in those around it.
  const holds = (namespace: string) => seen.some((name) => (namespace === MAIN ? !name.includes('.') : name.startsWith(`${namespace}.`)))
  return all.filter((name) => holds(name) || maySeeNamespace(manifest(), caller, name))
}

/** @throws MR_LAKE_NAMESPACE_UNKNOWN, also for one that the caller may not see. */
async function find(parts: IcebergParts, call: Call): Promise<{ name: string; properties: Readonly<Record<string, string>> }> {
  const name = namespaceName(call.namespace)
  const found = (await parts.lake.catalog.namespaces()).find((namespace) => namespace.name === name)
  if (!found || !(await visible(parts, call)).includes(name)) throw namespaceUnknown(call.namespace)
  return found
}

const list: Handler = async (parts, call) => {
  const parent = call.query['parent'] ? call.query['parent'].split('\u001f') : []
  const names = await visible(parts, call)
  if (parent.length > 0 && !names.includes(namespaceName(parent))) throw namespaceUnknown(parent)
  const children = names.filter((name) => {
    const levels = levelsOf(name)
    return levels.length === parent.length + 1 && parent.every((level, index) => levels[index] === level)
  })
  const { page, next } = pageOf(children, (name) => name, call.query)
  return json(200, { 'next-page-token': next, namespaces: page.map(levelsOf) })
}

const json = (status: number, body: unknown): Reply => ({ status, text: JSON.stringify(body) })

const create: Handler = async ({ lake, manifest, clock }, call) => {
  const namespace = readLevels(call.body['namespace'])
  const properties = readProperties(call.body['properties'])
  mustManage(manifest(), call.caller, namespaceName(namespace))
  const reply = json(200, { namespace, properties })
  const isNew = await lake.catalog.createNamespace({ name: namespaceName(namespace), properties }, clock.nowMs(), call.finish(reply))
  if (isNew) return reply
  throw new MillraceError('MR_LAKE_NAMESPACE_EXISTS', `Namespace already exists: ${namespace.join('.')}`, {
    fix: 'use it, or choose another name',
  })
}

const load: Handler = async (parts, call) => json(200, { namespace: call.namespace, properties: (await find(parts, call)).properties })

const exists: Handler = async (parts, call) => {
  await find(parts, call)
  return NO_CONTENT
}

const alter: Handler = async (parts, call) => {
  const set = readProperties(call.body['updates'])
  const remove = (call.body['removals'] ?? []) as unknown[]
  if (!Array.isArray(remove) || !remove.every((key) => typeof key === 'string')) throw badRequest('removals is a list of names')
  const both = remove.find((key) => Object.hasOwn(set, key))
  if (both !== undefined) throw new MillraceError('MR_LAKE_SAME_KEY', `Cannot set and remove the same property: ${both}`)
  const { name, properties } = await find(parts, call)
  mustManage(parts.manifest(), call.caller, name)
  const isThere = (key: string) => Object.hasOwn(properties, key)
  const reply = json(200, { updated: Object.keys(set), removed: remove.filter(isThere), missing: remove.filter((key) => !isThere(key)) })
  const before = await parts.lake.catalog.alterNamespace(name, { set, remove }, parts.clock.nowMs(), call.finish(reply))
  if (!before) throw namespaceUnknown(call.namespace)
  return reply
}

const drop: Handler = async (parts, call) => {
  const { name } = await find(parts, call)
  mustManage(parts.manifest(), call.caller, name)
  const outcome = await parts.lake.catalog.dropNamespace(name, parts.clock.nowMs(), call.finish(NO_CONTENT))
  if (outcome === 'unknown') throw namespaceUnknown(call.namespace)
  if (outcome === 'full')
    throw new MillraceError('MR_LAKE_NAMESPACE_FULL', `Namespace ${call.namespace.join('.')} is not empty`, {
      fix: 'drop what it holds first',
    })
  return NO_CONTENT
}

export const NAMESPACE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v1/namespaces', handle: list },
  { method: 'POST', path: '/v1/namespaces', handle: create },
  { method: 'HEAD', path: '/v1/namespaces/{namespace}', handle: exists },
  { method: 'GET', path: '/v1/namespaces/{namespace}', handle: load },
  { method: 'DELETE', path: '/v1/namespaces/{namespace}', handle: drop },
  { method: 'POST', path: '/v1/namespaces/{namespace}/properties', handle: alter },
]
