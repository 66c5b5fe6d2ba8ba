// Updates and requirements of Iceberg's REST protocol as they come over the wire (rest-catalog-open-api.yaml, TableUpdate,
// ViewUpdate, TableRequirement): every kind there is, with the members that it must have. An unknown kind is refused, since
// a commit that was carried out in part would be worse than none. What they mean is in the files beside this.
import { MillraceError } from '../../core/errors.ts'

type Kind = 'text' | 'integer' | 'id' | 'object' | 'texts' | 'integers' | 'ids' | 'objects'
/** What a JSON object must hold; with a question mark it may be absent or null. */
export type Members = Readonly<Record<string, Kind | `${Kind}?`>>

export const TABLE_UPDATES: Readonly<Record<string, Members>> = {
  'assign-uuid': { uuid: 'text' },
  'upgrade-format-version': { 'format-version': 'integer' },
  'add-schema': { schema: 'object' },
  'set-current-schema': { 'schema-id': 'integer' },
  'add-spec': { spec: 'object' },
  'set-default-spec': { 'spec-id': 'integer' },
  'add-sort-order': { 'sort-order': 'object' },
  'set-default-sort-order': { 'sort-order-id': 'integer' },
  'add-snapshot': { snapshot: 'object' },
  'set-snapshot-ref': {
    'ref-name': 'text',
    type: 'text',
    'snapshot-id': 'id',
    'min-snapshots-to-keep': 'integer?',
    'max-snapshot-age-ms': 'integer?',
    'max-ref-age-ms': 'integer?',
  },
  'remove-snapshots': { 'snapshot-ids': 'ids' },
  'remove-snapshot-ref': { 'ref-name': 'text' },
  'set-location': { location: 'text' },
  'set-properties': { updates: 'object' },
  'remove-properties': { removals: 'texts' },
  'set-statistics': { statistics: 'object' },
  'remove-statistics': { 'snapshot-id': 'id' },
  'set-partition-statistics': { 'partition-statistics': 'object' },
  'remove-partition-statistics': { 'snapshot-id': 'id' },
  'remove-partition-specs': { 'spec-ids': 'integers' },
  'remove-schemas': { 'schema-ids': 'integers' },
  'add-encryption-key': { 'encryption-key': 'object' },
  'remove-encryption-key': { 'key-id': 'text' },
}

export const VIEW_UPDATES: Readonly<Record<string, Members>> = {
  'assign-uuid': { uuid: 'text' },
  'upgrade-format-version': { 'format-version': 'integer' },
  'add-schema': { schema: 'object' },
  'set-location': { location: 'text' },
  'set-properties': { updates: 'object' },
  'remove-properties': { removals: 'texts' },
  'add-view-version': { 'view-version': 'object' },
  'set-current-view-version': { 'view-version-id': 'integer' },
}

export const TABLE_REQUIREMENTS: Readonly<Record<string, Members>> = {
  'assert-create': {},
  'assert-table-uuid': { uuid: 'text' },
  'assert-ref-snapshot-id': { ref: 'text', 'snapshot-id': 'id?' },
  'assert-last-assigned-field-id': { 'last-assigned-field-id': 'integer' },
  'assert-current-schema-id': { 'current-schema-id': 'integer' },
  'assert-last-assigned-partition-id': { 'last-assigned-partition-id': 'integer' },
  'assert-default-spec-id': { 'default-spec-id': 'integer' },
  'assert-default-sort-order-id': { 'default-sort-order-id': 'integer' },
}

export const VIEW_REQUIREMENTS: Readonly<Record<string, Members>> = { 'assert-view-uuid': { uuid: 'text' } }

/** An update whose kind is known and whose members are there; what they hold is checked where they are applied. */
export interface Update {
  readonly action: string
  readonly [member: string]: unknown
}

export interface Requirement {
  readonly type: string
  readonly [member: string]: unknown
}

/** @throws MR_LAKE_UPDATE for what is no list, an unknown kind or a missing member. */
export const readUpdates = (json: unknown, known: typeof TABLE_UPDATES): Update[] => readAll(json, 'action', 'updates', known) as Update[]

/** @throws MR_LAKE_UPDATE likewise. */
export const readRequirements = (json: unknown, known: typeof TABLE_REQUIREMENTS): Requirement[] =>
  readAll(json ?? [], 'type', 'requirements', known) as Requirement[]

function readAll(json: unknown, by: string, what: string, known: typeof TABLE_UPDATES): unknown[] {
  if (!Array.isArray(json)) throw invalid(`${what} is not a list`)
  for (const one of json as Record<string, unknown>[]) {
    const kind = one?.[by]
    if (typeof kind !== 'string' || !Object.hasOwn(known, kind)) throw invalid(`unknown ${by} in ${what}: ${String(kind)}`)
    checkMembers(kind, one, known[kind]!)
  }
  return json
}

/** @throws MR_LAKE_UPDATE for a member that is missing or of another kind. */
export function checkMembers(what: string, json: unknown, members: Members): void {
  const object = (json ?? {}) as Readonly<Record<string, unknown>>
  for (const [member, expected] of Object.entries(members)) {
    const value = object[member]
    const isOptional = expected.endsWith('?')
    if (isOptional && (value === undefined || value === null)) continue
    if (!KINDS[(isOptional ? expected.slice(0, -1) : expected) as Kind](value)) throw invalid(`${what}: ${member} is missing or wrong`)
  }
}

const isId = (value: unknown): boolean => typeof value === 'bigint' || Number.isSafeInteger(value)
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)
const isList =
  (of: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.every(of)

const KINDS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  integer: (value) => Number.isSafeInteger(value),
  id: isId,
  object: isObject,
  texts: isList((value) => typeof value === 'string'),
  integers: isList((value) => Number.isSafeInteger(value)),
  ids: isList(isId),
  objects: isList(isObject),
}

/** What cannot be carried out as it was asked for, whatever the state of the table. */
export const invalid = (message: string): MillraceError =>
  new MillraceError('MR_LAKE_UPDATE', message, { fix: 'see the Iceberg REST specification for what a commit may hold' })

/** What the table is not ready for: another was faster, or the client saw an older table. */
export const failed = (message: string): MillraceError =>
  new MillraceError('MR_LAKE_CONFLICT', message, { fix: 'read the table anew and repeat the operation' })
