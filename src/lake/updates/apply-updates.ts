// Carries out the updates of a commit on table metadata (Iceberg REST, TableUpdate; rules of appendix C of the format and of
// the Java reference where the text is silent). Pure: metadata in, metadata out; files, pointers and what may be updated at
// all are the caller's. Schemas, specs and orders are in `apply-definitions.ts`.
import { printJson } from '../../core/json.ts'
import {
  FORMAT_VERSIONS,
  type RefJson,
  readSnapshotJson,
  readStatisticsJson,
  type SnapshotJson,
  type StatisticsJson,
  type TableMetadata,
} from '../table-metadata.ts'
import {
  addSchema,
  addSortOrder,
  addSpec,
  checkDefinitions,
  setCurrentSchema,
  setDefaultSortOrder,
  setDefaultSpec,
} from './apply-definitions.ts'
import type { Draft, Writable } from './draft.ts'
import { checkMembers, failed, invalid, type Members, type Update } from './update.ts'

/** What a table begins as; the updates of its creation fill it. */
const BLANK: TableMetadata = {
  'format-version': 2,
  'table-uuid': '',
  location: '',
  'last-sequence-number': 0,
  'last-updated-ms': 0,
  'last-column-id': 0,
  'current-schema-id': -1,
  schemas: [],
  'default-spec-id': -1,
  'partition-specs': [],
  'last-partition-id': 999,
  'default-sort-order-id': -1,
  'sort-orders': [],
  properties: {},
  'current-snapshot-id': -1n,
  refs: {},
  snapshots: [],
  'snapshot-log': [],
  'metadata-log': [],
}

/**
 * The metadata after `updates`, in their order; `base` itself when they change nothing, undefined `base` for a new table.
 * @throws MR_LAKE_UPDATE for what can never be carried out, MR_LAKE_CONFLICT for what an older view of the table led to.
 */
export function applyUpdates(base: TableMetadata | undefined, updates: readonly Update[], nowMs: number): TableMetadata {
  const isNew = base === undefined
  const draft: Draft = { metadata: { ...(base ?? BLANK) }, isNew, nowMs, added: new Set() }
  for (const update of updates) APPLY[update.action]!(draft, update)
  const { metadata } = draft
  if (base && printJson(metadata) === printJson(base)) return base
  if (!metadata['table-uuid'] || !metadata.location) throw invalid('a new table needs assign-uuid and set-location')
  checkDefinitions(metadata)
  metadata['snapshot-log'] = withoutDetours(draft)
  // Never before what became current last: the clock of a client may be ahead.
  const lastMs = metadata['snapshot-log'].at(-1)?.['timestamp-ms'] ?? 0
  metadata['last-updated-ms'] = Math.max(nowMs, metadata['last-updated-ms'], lastMs)
  return metadata
}

type Apply = (draft: Draft, update: Update) => void

const APPLY: Readonly<Record<string, Apply>> = {
  'assign-uuid': ({ metadata, isNew }, { uuid }) => {
    const wanted = String(uuid).toLowerCase()
    if (!isNew && metadata['table-uuid'].toLowerCase() !== wanted) throw invalid('Cannot reassign uuid')
    metadata['table-uuid'] = wanted
  },
  'upgrade-format-version': upgrade,
  'add-schema': addSchema,
  'set-current-schema': setCurrentSchema,
  'add-spec': addSpec,
  'set-default-spec': setDefaultSpec,
  'add-sort-order': addSortOrder,
  'set-default-sort-order': setDefaultSortOrder,
  'add-snapshot': addSnapshot,
  'set-snapshot-ref': setRef,
  'remove-snapshots': removeSnapshots,
  'remove-snapshot-ref': ({ metadata }, update) => removeRef(metadata, String(update['ref-name'])),
  'set-location': ({ metadata }, { location }) => {
    metadata.location = String(location).replace(/\/+$/, '')
  },
  'set-properties': ({ metadata }, { updates }) => {
    metadata.properties = { ...metadata.properties, ...readProperties(updates) }
  },
  'remove-properties': ({ metadata }, { removals }) => {
    metadata.properties = withoutKeys(metadata.properties, removals as string[])
  },
  'set-statistics': ({ metadata }, { statistics }) => {
    metadata.statistics = putStatistics(metadata.statistics, statistics)
  },
  'remove-statistics': ({ metadata }, update) => {
    metadata.statistics = dropStatistics(metadata.statistics, [idOf(update)])
  },
  'set-partition-statistics': ({ metadata }, update) => {
    metadata['partition-statistics'] = putStatistics(metadata['partition-statistics'], update['partition-statistics'])
  },
  'remove-partition-statistics': ({ metadata }, update) => {
    metadata['partition-statistics'] = dropStatistics(metadata['partition-statistics'], [idOf(update)])
  },
  'remove-partition-specs': ({ metadata }, update) => {
    const ids = update['spec-ids'] as number[]
    if (ids.includes(metadata['default-spec-id'])) throw invalid('Cannot remove the default partition spec')
    metadata['partition-specs'] = metadata['partition-specs'].filter((spec) => !ids.includes(spec['spec-id']))
  },
  'remove-schemas': ({ metadata }, update) => {
    const ids = update['schema-ids'] as number[]
    if (ids.includes(metadata['current-schema-id'])) throw invalid('Cannot remove the current schema')
    metadata.schemas = metadata.schemas.filter((schema) => !ids.includes(schema['schema-id']))
  },
  'add-encryption-key': ({ metadata }, update) => {
    const key = update['encryption-key'] as { 'key-id': string }
    checkMembers('add-encryption-key', key, { 'key-id': 'text' })
    const keys = metadata['encryption-keys'] ?? []
    if (!keys.some((other) => other['key-id'] === key['key-id'])) metadata['encryption-keys'] = [...keys, key]
  },
  'remove-encryption-key': ({ metadata }, update) => {
    metadata['encryption-keys'] = (metadata['encryption-keys'] ?? []).filter((key) => key['key-id'] !== update['key-id'])
  },
}

/** Names of properties are text, and so are their values. @throws MR_LAKE_UPDATE */
export function readProperties(json: unknown): Record<string, string> {
  const entries = Object.entries((json ?? {}) as Record<string, unknown>)
  const odd = entries.find(([, value]) => typeof value !== 'string')
  if (odd) throw invalid(`the property ${odd[0]} is not text`)
  return Object.fromEntries(entries) as Record<string, string>
}

export const withoutKeys = (record: Readonly<Record<string, string>>, keys: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(record).filter(([key]) => !keys.includes(key)))

function upgrade({ metadata, isNew }: Draft, update: Update): void {
  const version = update['format-version'] as number
  if (!FORMAT_VERSIONS.includes(version)) throw invalid(`Cannot upgrade table to unsupported format version: v${version}`)
  if (!isNew && version < metadata['format-version']) throw invalid(`Cannot downgrade v${metadata['format-version']} table to v${version}`)
  metadata['format-version'] = version
  if (version >= 3) metadata['next-row-id'] ??= 0
}

const idOf = (update: Update): bigint => BigInt(update['snapshot-id'] as number | bigint)

const SNAPSHOT: Members = {
  'snapshot-id': 'id',
  'parent-snapshot-id': 'id?',
  'sequence-number': 'integer?',
  'timestamp-ms': 'integer',
  'manifest-list': 'text',
  summary: 'object?',
  'schema-id': 'integer?',
  'first-row-id': 'integer?',
  'added-rows': 'integer?',
}

function addSnapshot({ metadata, added }: Draft, update: Update): void {
  const json = update['snapshot'] as SnapshotJson
  checkMembers('add-snapshot', json, SNAPSHOT)
  const snapshot = readSnapshotJson(json)
  const id = snapshot['snapshot-id']
  if (metadata.schemas.length === 0 || metadata['partition-specs'].length === 0)
    throw invalid('Attempting to add a snapshot before a schema and a partition spec are added')
  if (metadata.snapshots.some((other) => other['snapshot-id'] === id)) throw invalid(`Snapshot already exists for id: ${id}`)
  const sequence = snapshot['sequence-number']
  const last = metadata['last-sequence-number']
  if (metadata['format-version'] > 1 && sequence <= last && snapshot['parent-snapshot-id'] !== undefined)
    throw failed(`Cannot add snapshot with sequence number ${sequence} older than last sequence number ${last}`)
  if (metadata['format-version'] >= 3) metadata['next-row-id'] = nextRowId(metadata, snapshot)
  metadata['last-sequence-number'] = Math.max(last, sequence)
  metadata.snapshots = [...metadata.snapshots, snapshot]
  added.add(id)
}

function nextRowId(metadata: TableMetadata, snapshot: SnapshotJson): number {
  const next = metadata['next-row-id'] ?? 0
  const { 'first-row-id': first, 'added-rows': rows } = snapshot
  if (first == null || rows == null) throw invalid('Cannot add a snapshot: first-row-id or added-rows is missing')
  if (first < next) throw failed(`Cannot add a snapshot, first-row-id is behind table next-row-id: ${first} < ${next}`)
  return next + rows
}

function setRef({ metadata, added, nowMs }: Draft, update: Update): void {
  const { action: _action, 'ref-name': name, ...rest } = update as Update & { 'ref-name': string }
  const id = idOf(update)
  const snapshot = metadata.snapshots.find((one) => one['snapshot-id'] === id)
  if (!snapshot) throw invalid(`Cannot set ${name} to unknown snapshot: ${id}`)
  if (rest['type'] !== 'branch' && rest['type'] !== 'tag') throw invalid(`a ref is a branch or a tag, not ${String(rest['type'])}`)
  if (name === 'main' && rest['type'] === 'tag') throw invalid('main is a branch')
  const before = Object.hasOwn(metadata.refs, name) ? metadata.refs[name] : undefined
  metadata.refs = { ...metadata.refs, [name]: { ...dropNulls(rest), 'snapshot-id': id } as unknown as RefJson }
  if (name !== 'main' || before?.['snapshot-id'] === id) return
  metadata['current-snapshot-id'] = id
  // Back to an older snapshot is a change of now; a new one became current when it was made.
  const timestampMs = added.has(id) ? snapshot['timestamp-ms'] : nowMs
  metadata['snapshot-log'] = [...metadata['snapshot-log'], { 'snapshot-id': id, 'timestamp-ms': timestampMs }]
}

const dropNulls = (record: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value != null))

function removeRef(metadata: Writable<TableMetadata>, name: string): void {
  if (name === 'main') metadata['current-snapshot-id'] = -1n
  metadata.refs = Object.fromEntries(Object.entries(metadata.refs).filter(([other]) => other !== name))
}

function removeSnapshots({ metadata }: Draft, update: Update): void {
  const ids = (update['snapshot-ids'] as (number | bigint)[]).map(BigInt)
  metadata.snapshots = metadata.snapshots.filter((snapshot) => !ids.includes(snapshot['snapshot-id']))
  for (const [name, ref] of Object.entries(metadata.refs)) if (ids.includes(ref['snapshot-id'])) removeRef(metadata, name)
  metadata.statistics = dropStatistics(metadata.statistics, ids)
  metadata['partition-statistics'] = dropStatistics(metadata['partition-statistics'], ids)
}

function putStatistics(all: readonly StatisticsJson[] | undefined, json: unknown): StatisticsJson[] {
  checkMembers('a statistics file', json, { 'snapshot-id': 'id', 'statistics-path': 'text' })
  const read = readStatisticsJson(json as StatisticsJson)
  return [...(all ?? []).filter((other) => other['snapshot-id'] !== read['snapshot-id']), read]
}

// Undefined stays so: metadata without statistics is not changed by removing none.
const dropStatistics = (all: readonly StatisticsJson[] | undefined, ids: readonly bigint[]) =>
  all?.filter((file) => !ids.includes(file['snapshot-id'])) as StatisticsJson[]

/**
 * The log of what was current: without snapshots that this commit made current only on the way, and with nothing before the
 * last one that is gone, since a gap would answer a time wrongly.
 */
function withoutDetours({ metadata, added }: Draft): TableMetadata['snapshot-log'] {
  const known = new Set(metadata.snapshots.map((snapshot) => snapshot['snapshot-id']))
  const log = metadata['snapshot-log'].filter(({ 'snapshot-id': id }) => !added.has(id) || id === metadata['current-snapshot-id'])
  return log.slice(log.findLastIndex((entry) => !known.has(entry['snapshot-id'])) + 1)
}
