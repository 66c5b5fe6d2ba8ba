// Views of the Iceberg catalog. They are other engines' definitions: Millrace keeps them and runs none. Their SQL may tell
// about tables, so they go by the same grants as tables that the project does not define.

import { printJson } from '../../core/json.ts'
import { maySee, mustLoad, mustName } from '../../govern/outside.ts'
import { readRequirements, readUpdates, VIEW_REQUIREMENTS, VIEW_UPDATES } from '../../lake/updates/update.ts'
import type { LakeView, NewView } from '../../lake/views/open-views.ts'
import { nameOf } from '../../store/identifier.ts'
import { badRequest, type Handler, mustExist, NO_CONTENT, named, type Reply, type Route, readIdentifier, readName, target } from './call.ts'
import { listed, mustNotMeet } from './tables.ts'

export const viewReply = ({ metadataLocation, metadata }: LakeView): Reply => ({
  status: 200,
  text: printJson({ 'metadata-location': metadataLocation, metadata, config: {} }),
})

const list: Handler = async (parts, call) => {
  await mustExist(parts, call.namespace)
  return listed(parts, call, await parts.lake.views.list())
}

const create: Handler = async (parts, call) => {
  const identifier = { namespace: call.namespace, name: readName(call.body['name']) }
  mustName(parts.manifest(), call.caller, nameOf(identifier))
  await mustExist(parts, call.namespace)
  const asked = call.body as unknown as NewView
  if (!Array.isArray(asked.schema?.fields) || typeof asked['view-version'] !== 'object')
    throw badRequest('a view needs a schema and a view-version')
  return viewReply(await parts.lake.views.create(named(identifier), asked, call.finish({ view: identifier })))
}

const load: Handler = async (parts, call) => {
  mustLoad(parts.manifest(), call.caller, nameOf(target(call)))
  return viewReply(await parts.lake.views.load(named(target(call))))
}

const exists: Handler = async (parts, call) => {
  const name = nameOf(target(call))
  if (!maySee(parts.manifest(), call.caller, name)) mustLoad(parts.manifest(), call.caller, name)
  await parts.lake.views.load(named(target(call)))
  return NO_CONTENT
}

const replace: Handler = async (parts, call) => {
  const requirements = readRequirements(call.body['requirements'], VIEW_REQUIREMENTS)
  const updates = readUpdates(call.body['updates'], VIEW_UPDATES)
  const identifier = target(call)
  mustLoad(parts.manifest(), call.caller, nameOf(identifier))
  mustName(parts.manifest(), call.caller, nameOf(identifier))
  return viewReply(await parts.lake.views.update(named(identifier), requirements, updates, call.finish({ view: identifier })))
}

const drop: Handler = async (parts, call) => {
  mustName(parts.manifest(), call.caller, nameOf(target(call)))
  await parts.lake.views.drop(named(target(call)), call.finish(NO_CONTENT))
  return NO_CONTENT
}

const rename: Handler = async (parts, call) => {
  const [from, to] = [readIdentifier(call.body['source']), readIdentifier(call.body['destination'])]
  for (const identifier of [from, to]) mustName(parts.manifest(), call.caller, nameOf(identifier))
  mustLoad(parts.manifest(), call.caller, nameOf(from))
  await parts.lake.views.load(named(from))
  await mustExist(parts, to.namespace)
  await mustNotMeet(parts, from, to)
  await parts.lake.views.rename(named(from), named(to), call.finish(NO_CONTENT))
  return NO_CONTENT
}

const register: Handler = async (parts, call) => {
  const identifier = { namespace: call.namespace, name: readName(call.body['name']) }
  mustName(parts.manifest(), call.caller, nameOf(identifier))
  await mustExist(parts, call.namespace)
  const location = readName(call.body['metadata-location'])
  return viewReply(await parts.lake.views.register(named(identifier), location, call.finish({ view: identifier })))
}

export const VIEW_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v1/namespaces/{namespace}/views', handle: list },
  { method: 'POST', path: '/v1/namespaces/{namespace}/views', handle: create },
  { method: 'HEAD', path: '/v1/namespaces/{namespace}/views/{view}', handle: exists },
  { method: 'GET', path: '/v1/namespaces/{namespace}/views/{view}', handle: load },
  { method: 'POST', path: '/v1/namespaces/{namespace}/views/{view}', handle: replace },
  { method: 'DELETE', path: '/v1/namespaces/{namespace}/views/{view}', handle: drop },
  { method: 'POST', path: '/v1/views/rename', handle: rename },
  { method: 'POST', path: '/v1/namespaces/{namespace}/register-view', handle: register },
]
