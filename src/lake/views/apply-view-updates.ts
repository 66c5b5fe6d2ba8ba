// Carries out the updates of a commit on view metadata (Iceberg REST, ViewUpdate; rules of the view spec and of the Java
// reference). Pure, like `updates/apply-updates.ts` for tables.

import type { SchemaJson } from '../table-metadata.ts'
import { readProperties, withoutKeys } from '../updates/apply-updates.ts'
import { checkSchema, isSameSchema } from '../updates/check-schema.ts'
import type { Writable } from '../updates/draft.ts'
import { checkMembers, failed, invalid, type Members, type Requirement, type Update } from '../updates/update.ts'
import type { ViewMetadata, ViewVersionJson } from './view-metadata.ts'

interface ViewDraft {
  readonly view: Writable<ViewMetadata>
  readonly isNew: boolean
  readonly nowMs: number
  readonly added: Set<number>
  lastSchemaId?: number
  lastVersionId?: number
}

const BLANK: ViewMetadata = {
  'view-uuid': '',
  'format-version': 1,
  location: '',
  schemas: [],
  'current-version-id': -1,
  versions: [],
  'version-log': [],
  properties: {},
}

/** Versions that are kept unless the view says otherwise. */
const VERSIONS_KEPT = 10

/** @throws MR_LAKE_CONFLICT when the view is another one. */
export function checkViewRequirements(base: ViewMetadata, requirements: readonly Requirement[]): void {
  for (const { uuid } of requirements)
    if (String(uuid).toLowerCase() !== base['view-uuid'])
      throw failed(`Requirement failed: view UUID does not match: expected ${String(uuid)} != ${base['view-uuid']}`)
}

/** The view after `updates`; `base` undefined for a new one. @throws MR_LAKE_UPDATE */
export function applyViewUpdates(base: ViewMetadata | undefined, updates: readonly Update[], nowMs: number): ViewMetadata {
  const draft: ViewDraft = { view: { ...(base ?? BLANK) }, isNew: base === undefined, nowMs, added: new Set() }
  for (const update of updates) APPLY[update.action]!(draft, update)
  const { view } = draft
  if (base && JSON.stringify(view) === JSON.stringify(base)) return base
  if (!view['view-uuid'] || !view.location) throw invalid('a view needs a uuid and a location')
  if (!view.versions.some((version) => version['version-id'] === view['current-version-id']))
    throw invalid('a view needs a current version')
  if (base) checkDialects(base, view)
  return forgetOldVersions(draft)
}

const APPLY: Readonly<Record<string, (draft: ViewDraft, update: Update) => void>> = {
  'assign-uuid': ({ view, isNew }, { uuid }) => {
    const wanted = String(uuid).toLowerCase()
    if (!isNew && view['view-uuid'] !== wanted) throw invalid('Cannot reassign uuid')
    view['view-uuid'] = wanted
  },
  'upgrade-format-version': (_draft, update) => {
    if (update['format-version'] !== 1)
      throw invalid(`Cannot upgrade view to unsupported format version: v${String(update['format-version'])}`)
  },
  'add-schema': (draft, update) => {
    const schema = update['schema'] as SchemaJson
    checkMembers('add-schema', schema, { fields: 'objects', 'identifier-field-ids': 'integers?' })
    checkSchema(schema, 3)
    draft.lastSchemaId = addSchema(draft.view, schema)
  },
  'set-location': ({ view }, { location }) => {
    view.location = String(location).replace(/\/+$/, '')
  },
  'set-properties': ({ view }, { updates }) => {
    view.properties = { ...view.properties, ...readProperties(updates) }
  },
  'remove-properties': ({ view }, { removals }) => {
    view.properties = withoutKeys(view.properties, removals as string[])
  },
  'add-view-version': addVersion,
  'set-current-view-version': setCurrentVersion,
}

function addSchema(view: Writable<ViewMetadata>, schema: SchemaJson): number {
  const same = view.schemas.find((other) => isSameSchema(other, schema))
  if (same) return same['schema-id']
  const id = view.schemas.reduce((most, other) => Math.max(most, other['schema-id'] + 1), 0)
  view.schemas = [...view.schemas, { ...schema, type: 'struct', 'schema-id': id }]
  return id
}

const VERSION: Members = {
  'version-id': 'integer',
  'schema-id': 'integer',
  'timestamp-ms': 'integer?',
  summary: 'object?',
  representations: 'objects',
  'default-catalog': 'text?',
  'default-namespace': 'texts',
}

function addVersion(draft: ViewDraft, update: Update): void {
  const { view, lastSchemaId } = draft
  const given = update['view-version'] as ViewVersionJson
  checkMembers('add-view-version', given, VERSION)
  const dialects = dialectsOf(given)
  const twice = dialects.find((dialect, index) => dialects.indexOf(dialect) !== index)
  if (twice) throw invalid(`Invalid view version: Cannot add multiple queries for dialect ${twice}`)
  const schemaId = given['schema-id'] === -1 ? lastSchemaId : given['schema-id']
  if (schemaId === undefined) throw invalid('Cannot set last added schema: no schema has been added')
  if (!view.schemas.some((schema) => schema['schema-id'] === schemaId)) throw invalid(`Cannot add version with unknown schema: ${schemaId}`)
  const version = {
    ...given,
    summary: given.summary ?? {},
    'timestamp-ms': given['timestamp-ms'] ?? draft.nowMs,
    'schema-id': schemaId,
  }
  const same = view.versions.find((other) => isSameVersion(other, version))
  const id = same?.['version-id'] ?? view.versions.reduce((most, other) => Math.max(most, other['version-id'] + 1), given['version-id'])
  draft.lastVersionId = id
  if (same) return
  view.versions = [...view.versions, { ...version, 'version-id': id }]
  draft.added.add(id)
}

const dialectsOf = (version: ViewVersionJson): string[] =>
  version.representations.flatMap(({ type, dialect }) => (type === 'sql' && typeof dialect === 'string' ? [dialect.toLowerCase()] : []))

/** Whether they would behave the same: their ids, times and operations do not matter. */
const isSameVersion = (a: ViewVersionJson, b: ViewVersionJson): boolean => behaviour(a) === behaviour(b)
const behaviour = (version: ViewVersionJson): string =>
  JSON.stringify([
    Object.entries(version.summary).sort(),
    version.representations.map(({ type, dialect, sql }) => [type, dialect, sql]),
    version['default-catalog'] ?? null,
    version['default-namespace'],
    version['schema-id'],
  ])

function setCurrentVersion({ view, added, nowMs, lastVersionId }: ViewDraft, update: Update): void {
  const given = update['view-version-id'] as number
  if (given === -1 && lastVersionId === undefined) throw invalid('Cannot set last version id: no current version id has been set')
  const id = given === -1 ? lastVersionId! : given
  const version = view.versions.find((one) => one['version-id'] === id)
  if (!version) throw invalid(`Cannot set current version to unknown version: ${id}`)
  if (view['current-version-id'] === id) return
  view['current-version-id'] = id
  const timestampMs = added.has(id) ? version['timestamp-ms'] : nowMs
  view['version-log'] = [...view['version-log'], { 'timestamp-ms': timestampMs, 'version-id': id }]
}

const current = (view: ViewMetadata): ViewVersionJson =>
  view.versions.find((version) => version['version-id'] === view['current-version-id'])!

/** A replaced view still answers every engine that it answered before, unless it says that it need not. */
function checkDialects(before: ViewMetadata, after: ViewMetadata): void {
  if (after.properties['replace.drop-dialect.allowed'] === 'true') return
  const kept = dialectsOf(current(after))
  const lost = dialectsOf(current(before)).filter((dialect) => !kept.includes(dialect))
  if (lost.length > 0)
    throw invalid(`Cannot replace view due to loss of view dialects (replace.drop-dialect.allowed=false): ${lost.join(', ')}`)
}

function forgetOldVersions({ view, added }: ViewDraft): ViewMetadata {
  const wanted = Number(view.properties['version.history.num-entries'] ?? VERSIONS_KEPT)
  if (!(wanted > 0)) throw invalid(`version.history.num-entries must be positive but was ${wanted}`)
  const keep = Math.max(wanted, new Set([...added, view['current-version-id']]).size)
  if (view.versions.length <= keep) return view
  const others = view.versions.filter((version) => version['version-id'] !== view['current-version-id'])
  const newest = others.toSorted((a, b) => b['version-id'] - a['version-id']).slice(0, keep - 1)
  const versions = view.versions.filter((version) => newest.includes(version) || version['version-id'] === view['current-version-id'])
  const known = new Set(versions.map((version) => version['version-id']))
  const log = view['version-log']
  return { ...view, versions, 'version-log': log.slice(log.findLastIndex((entry) => !known.has(entry['version-id'])) + 1) }
}
