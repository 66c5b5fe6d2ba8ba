// Commits to tables of the Iceberg catalog, of one table or of several in one transaction: who may is decided by the kinds of
// updates, then all of it goes through the lake's one commit.
import { MillraceError } from '../../core/errors.ts'
import { isConfined, mustCommit, mustName } from '../../govern/outside.ts'
import type { TableUpdate } from '../../lake/update-tables.ts'
import { readRequirements, readUpdates, TABLE_REQUIREMENTS, TABLE_UPDATES } from '../../lake/updates/update.ts'
import { type Identifier, nameOf } from '../../store/identifier.ts'
import {
  badRequest,
  type Call,
  type Handler,
  type IcebergParts,
  mustExist,
  NO_CONTENT,
  named,
  type Route,
  readIdentifier,
  shown,
  target,
} from './call.ts'
import { committed } from './tables.ts'

/** One change of a body, which the caller may make. @throws MR_ACCESS_DENIED, MR_LAKE_UPDATE */
async function readChange(
  parts: IcebergParts,
  call: Call,
  identifier: Identifier,
  body: Readonly<Record<string, unknown>>,
): Promise<TableUpdate> {
  const requirements = readRequirements(body['requirements'], TABLE_REQUIREMENTS)
  const updates = readUpdates(body['updates'], TABLE_UPDATES)
  const { name } = named(identifier)
  if (requirements.some(({ type }) => type === 'assert-create')) {
    if (requirements.length > 1) throw badRequest('Invalid create requirements: assert-create stands alone')
    mustName(parts.manifest(), call.caller, name)
    await mustExist(parts, identifier.namespace)
  } else {
    const actions = updates.map(({ action }) => action)
    mustCommit(parts.manifest(), call.caller, name, actions)
    if (!(await parts.lake.catalog.table(name)))
      throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `Table does not exist: ${shown(identifier)}`, { fix: 'create it first' })
  }
  return { ...named(identifier), requirements, updates, confined: isConfined(parts.manifest(), call.caller, name) }
}

const commit: Handler = async (parts, call) => {
  const identifier = target(call)
  if (call.body['identifier'] !== undefined && nameOf(readIdentifier(call.body['identifier'])) !== nameOf(identifier))
    throw badRequest('the identifier of the body is another than that of the path')
  const change = await readChange(parts, call, identifier, call.body)
  const [table] = await parts.lake.outside.update([change], call.finish({ table: identifier }))
  return committed(parts, table!)
}

const transaction: Handler = async (parts, call) => {
  const bodies = call.body['table-changes']
  if (!Array.isArray(bodies) || bodies.length === 0) throw badRequest('table-changes is not a list of changes')
  const changes: TableUpdate[] = []
  for (const body of bodies as Readonly<Record<string, unknown>>[])
    changes.push(await readChange(parts, call, readIdentifier(body?.['identifier']), body))
  const names = changes.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw badRequest(`one transaction changes ${twice} twice`)
  const tables = await parts.lake.outside.update(changes, call.finish(NO_CONTENT))
  try {
    for (const table of tables) parts.onCommitted(table)
  } catch (cause) {
    // As for one table: what fails after the commit is no refusal.
    throw new MillraceError('MR_INTERNAL', `${names.join(', ')} have changed, but not all were told so`, { cause })
  }
  return NO_CONTENT
}

export const COMMIT_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/v1/namespaces/{namespace}/tables/{table}', handle: commit },
  { method: 'POST', path: '/v1/transactions/commit', handle: transaction },
]
