// Tables of the Iceberg catalog: list, make, load, register, rename, drop. Commits are in `commits.ts`. A load hands out where
// the files are, so it is a read of the whole table (`govern/outside.ts`).
import { createHash } from 'node:crypto'
import { MillraceError } from '../../core/errors.ts'
import { printJson } from '../../core/json.ts'
import { mayLoad, maySee, mustLoad, mustName, mustRead } from '../../govern/outside.ts'
import { restrictionsFor } from '../../govern/restrictions.ts'
import type { ReadRestrictions } from '../../lake/read-restrictions.ts'
import { printMetadata, type TableMetadata } from '../../lake/table-metadata.ts'
import type { LakeTable } from '../../lake/types.ts'
import type { NewTable } from '../../lake/updates/new-table.ts'
import { identifierOf, nameOf, namespaceName, namespaceOf } from '../../store/identifier.ts'
import { type Access, accessOf, CREDENTIALS_PATH, credentialOf, signingOf, stagedAccessOf, wantsCredentials } from './access.ts'
import {
  badRequest,
  type Call,
  type Handler,
  type IcebergParts,
  mustExist,
  NO_CONTENT,
  named,
  type Reply,
  type Route,
  readIdentifier,
  readName,
  shown,
  target,
} from './call.ts'
import { pageOf } from './page.ts'

const unknown = (call: Call): MillraceError =>
  new MillraceError('MR_LAKE_TABLE_UNKNOWN', `Table does not exist: ${shown(target(call))}`, { fix: 'create it first' })

interface Loadable {
  /** Of its metadata file. */
  readonly location: string
  /** What the caller must leave out, an engine that enforces it. */
  readonly restrictions?: ReadRestrictions
}

/** The table of the path, which the caller may load. @throws MR_ACCESS_DENIED, MR_LAKE_TABLE_UNKNOWN */
export async function loadable({ lake, manifest }: IcebergParts, call: Call): Promise<Loadable> {
  const name = nameOf(target(call))
  const access = mustRead(manifest(), call.caller, name)
  const pointer = await lake.catalog.table(name)
  if (!pointer) throw unknown(call)
  const { location } = pointer
  if (access === 'whole') return { location }
  return { location, restrictions: restrictionsFor(manifest(), call.caller, name, await lake.metadata({ metadataLocation: location })) }
}

/** Names of tables or views of a namespace that the caller sees, as a page. */
export function listed(parts: IcebergParts, call: Call, all: readonly { readonly name: string }[]): Reply {
  const namespace = namespaceName(call.namespace)
  const names = all.map(({ name }) => name).filter((name) => namespaceOf(name) === namespace && maySee(parts.manifest(), call.caller, name))
  const { page, next } = pageOf(names, (name) => name, call.query)
  return { status: 200, text: JSON.stringify({ 'next-page-token': next, identifiers: page.map(identifierOf) }) }
}

const list: Handler = async (parts, call) => {
  await mustExist(parts, call.namespace)
  return listed(parts, call, await parts.lake.catalog.tables())
}

type Pointed = Pick<LakeTable, 'name' | 'metadataLocation'>

interface LoadOptions {
  /** Of the snapshots only those that a branch or tag names. */
  readonly refs: boolean
  readonly restrictions?: ReadRestrictions | undefined
}

/** A table as the caller gets it, with credentials if asked for. */
export async function loadReply(
  parts: IcebergParts,
  table: Pointed,
  call: Pick<Call, 'caller' | 'headers'>,
  options: LoadOptions,
): Promise<Reply> {
  const metadata = await parts.lake.metadata(table)
  const reached = { name: table.name, location: metadata.location, caller: call.caller }
  return printed(table, metadata, await accessOf(parts, reached, wantsCredentials(call)), options)
}

function printed({ metadataLocation }: Pointed, metadata: TableMetadata, access: Access, options: LoadOptions): Reply {
  const { refs, restrictions } = options
  const fields = [
    `"metadata-location":${JSON.stringify(metadataLocation)}`,
    `"metadata":${printMetadata(refs ? onlyRefs(metadata) : metadata)}`,
    ...printAccess(access),
    ...(restrictions ? [`"read-restrictions":${printJson(restrictions)}`] : []),
  ]
  return {
    status: 200,
    text: `{${fields.join()}}`,
    headers: access.credentials.length > 0 ? SECRET : { etag: etagOf(metadataLocation, options) },
  }
}

/** What holds credentials has no name by which it could be kept. */
const SECRET = { 'cache-control': 'no-store' }

const printAccess = ({ config, credentials }: Access): string[] => [
  `"config":${JSON.stringify(config)}`,
  ...(credentials.length > 0 ? [`"storage-credentials":${JSON.stringify(credentials)}`] : []),
]

const onlyRefs = (metadata: TableMetadata): TableMetadata => {
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  return { ...metadata, snapshots: metadata.snapshots.filter((snapshot) => named.has(snapshot['snapshot-id'])) }
}

/** Other restrictions are another answer: whoever has the one must not go on with it. */
const etagOf = (metadataLocation: string, { refs, restrictions }: LoadOptions): string => {
  const what = `${metadataLocation} ${refs}${restrictions ? ` ${printJson(restrictions)}` : ''}`
  return `"${createHash('sha256').update(what).digest('base64url').slice(0, 27)}"`
}

const load: Handler = async (parts, call) => {
  const { snapshots = 'all' } = call.query
  if (snapshots !== 'all' && snapshots !== 'refs') throw badRequest(`snapshots is ${snapshots}, not all or refs`)
  const { location, restrictions } = await loadable(parts, call)
  const options = { refs: snapshots === 'refs', restrictions }
  const etag = etagOf(location, options)
  if (
    !(parts.vendor && wantsCredentials(call)) &&
    String(call.headers['if-none-match'] ?? '')
      .split(/,\s*/)
      .includes(etag)
  )
    return { status: 304, headers: { etag } }
  await parts.lake.mustBeStored(location)
  if (restrictions) await parts.record(call.caller, 'iceberg:read restrictions', shown(target(call)), 'ok')
  return loadReply(parts, { name: nameOf(target(call)), metadataLocation: location }, call, options)
}

const credentials: Handler = async (parts, call) => {
  const { location } = await loadable(parts, call)
  const name = nameOf(target(call))
  const table = await parts.lake.metadata({ metadataLocation: location })
  const credential = await credentialOf(parts, { name, location: table.location, caller: call.caller })
  if (credential) return { status: 200, text: JSON.stringify({ 'storage-credentials': [credential] }), headers: SECRET }
  throw new MillraceError('MR_NOT_FOUND', `there are no credentials for the files of ${shown(target(call))}`, {
    fix: parts.vendor ? `they lie at ${table.location}, for which the store gives none` : 'set `vend` in the lake of the environment',
  })
}

const exists: Handler = async ({ lake, manifest }, call) => {
  const name = nameOf(target(call))
  if (!maySee(manifest(), call.caller, name)) mustLoad(manifest(), call.caller, name)
  if (!(await lake.catalog.table(name))) throw unknown(call)
  return NO_CONTENT
}

const create: Handler = async (parts, call) => {
  const identifier = { namespace: call.namespace, name: readName(call.body['name']) }
  const { name, shown: words } = named(identifier)
  mustName(parts.manifest(), call.caller, name)
  await mustExist(parts, call.namespace)
  await mustBeFree(parts, name, words)
  const metadata = await parts.lake.outside.stage(name, call.body as unknown as NewTable & { location?: string | null })
  const reached = { name, location: metadata.location, caller: call.caller }
  // Who makes a table may write it, and not always read it.
  const isVended = wantsCredentials(call) && mayLoad(parts.manifest(), call.caller, name)
  if (call.body['stage-create'] === true) return stagedReply(metadata, await stagedAccessOf(parts, reached, isVended))
  // Before the table is made: that there are no credentials is a refusal then.
  const access = await accessOf(parts, reached, isVended)
  const table = await parts.lake.outside.create(named(identifier), metadata, call.finish({ table: identifier }))
  return committed(parts, table, access)
}

const stagedReply = (metadata: TableMetadata, access: Access): Reply => ({
  status: 200,
  text: `{"metadata":${printMetadata(metadata)},${printAccess(access).join()}}`,
  headers: access.credentials.length > 0 ? SECRET : {},
})

/** @throws MR_LAKE_TABLE_EXISTS, MR_LAKE_VIEW_EXISTS in the words that clients know. */
async function mustBeFree({ lake }: IcebergParts, name: string, words: string): Promise<void> {
  const fix = 'load it, or choose another name'
  if (await lake.catalog.table(name)) throw new MillraceError('MR_LAKE_TABLE_EXISTS', `Table already exists: ${words}`, { fix })
  if (await lake.catalog.view(name)) throw new MillraceError('MR_LAKE_VIEW_EXISTS', `View with same name already exists: ${words}`, { fix })
}

/**
 * The answer to a change that is published, once its readers know of it. Whatever fails from here on is no refusal: a client
 * that was told so would remove the files that the table now has.
 */
export async function committed(parts: IcebergParts, table: LakeTable, access?: Access): Promise<Reply> {
  try {
    parts.onCommitted(table)
    const metadata = await parts.lake.metadata(table)
    const signed = { config: signingOf(parts, { name: table.name, location: metadata.location }), credentials: [] }
    return printed(table, metadata, access ?? signed, { refs: false })
  } catch (cause) {
    throw new MillraceError('MR_INTERNAL', `${table.name} has changed, but the answer could not be made`, { cause })
  }
}

const register: Handler = async (parts, call) => {
  const identifier = { namespace: call.namespace, name: readName(call.body['name']) }
  const location = readName(call.body['metadata-location'])
  mustName(parts.manifest(), call.caller, nameOf(identifier))
  await mustExist(parts, call.namespace)
  const overwrite = call.body['overwrite'] === true
  const table = await parts.lake.outside.register(named(identifier), { location, overwrite }, call.finish({ table: identifier }))
  return committed(parts, table)
}

const rename: Handler = async (parts, call) => {
  const [from, to] = [readIdentifier(call.body['source']), readIdentifier(call.body['destination'])]
  for (const identifier of [from, to]) mustName(parts.manifest(), call.caller, nameOf(identifier))
  mustLoad(parts.manifest(), call.caller, nameOf(from))
  if (!(await parts.lake.catalog.table(nameOf(from))))
    throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `Table does not exist: ${shown(from)}`, { fix: 'create it first' })
  await mustExist(parts, to.namespace)
  await mustNotMeet(parts, from, to)
  await parts.lake.rename(nameOf(from), nameOf(to), call.finish(NO_CONTENT))
  return NO_CONTENT
}

type Identified = Parameters<typeof nameOf>[0]

/** @throws MR_LAKE_TABLE_EXISTS, MR_LAKE_VIEW_EXISTS when the new name of a table or view is taken. */
export async function mustNotMeet({ lake }: IcebergParts, from: Identified, to: Identified): Promise<void> {
  const words = `Cannot rename ${shown(from)} to ${shown(to)}.`
  const fix = 'choose another name'
  if (await lake.catalog.table(nameOf(to))) throw new MillraceError('MR_LAKE_TABLE_EXISTS', `${words} Table already exists`, { fix })
  if (await lake.catalog.view(nameOf(to))) throw new MillraceError('MR_LAKE_VIEW_EXISTS', `${words} View already exists`, { fix })
}

const drop: Handler = async (parts, call) => {
  mustName(parts.manifest(), call.caller, nameOf(target(call)))
  const name = nameOf(target(call))
  if (!(await parts.lake.catalog.table(name))) throw unknown(call)
  const finished = call.finish(NO_CONTENT)
  await parts.lake.drop(name, { purge: call.query['purgeRequested']?.toLowerCase() === 'true', ...(finished ? { finished } : {}) })
  return NO_CONTENT
}

/** Reports of scans and commits: taken, so that clients do not complain, and of no use here yet. */
const metrics: Handler = async (parts, call) => {
  await loadable(parts, call)
  return NO_CONTENT
}

export const TABLE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/v1/namespaces/{namespace}/tables', handle: list },
  { method: 'POST', path: '/v1/namespaces/{namespace}/tables', handle: create },
  { method: 'HEAD', path: '/v1/namespaces/{namespace}/tables/{table}', handle: exists },
  { method: 'GET', path: '/v1/namespaces/{namespace}/tables/{table}', handle: load },
  { method: 'GET', path: CREDENTIALS_PATH, handle: credentials },
  { method: 'DELETE', path: '/v1/namespaces/{namespace}/tables/{table}', handle: drop },
  { method: 'POST', path: '/v1/namespaces/{namespace}/register', handle: register },
  { method: 'POST', path: '/v1/tables/rename', handle: rename },
  { method: 'POST', path: '/v1/namespaces/{namespace}/tables/{table}/metrics', handle: metrics, isReport: true },
]
