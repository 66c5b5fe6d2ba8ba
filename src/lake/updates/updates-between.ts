// From two states of a table to the updates and requirements that bring a catalog from one to the other (Iceberg REST,
// CommitTableRequest): the inverse of `apply-updates.ts`. Pure. Times and logs are not carried over, a catalog keeps its own.
import { printJson } from '../../core/json.ts'
import type { RefJson, StatisticsJson, TableMetadata } from '../table-metadata.ts'
import type { Requirement, Update } from './update.ts'

export interface TableCommit {
  readonly requirements: readonly Requirement[]
  readonly updates: readonly Update[]
}

/**
 * What makes `after` of `before`; undefined `before` for a table that is to be created. The requirements hold what the updates
 * rely on: the table, the branches and tags that they move, and the definitions that they replace.
 */
export function updatesBetween(before: TableMetadata | undefined, after: TableMetadata): TableCommit {
  const updates = [
    ...identity(before, after),
    ...definitions(before, after),
    ...propertiesBetween(before?.properties ?? {}, after.properties),
    ...snapshots(before, after),
    ...leftovers(before, after),
  ]
  return { requirements: before ? requirementsOf(before, after) : [{ type: 'assert-create' }], updates }
}

function identity(before: TableMetadata | undefined, after: TableMetadata): Update[] {
  const updates: Update[] = []
  if (!before) updates.push({ action: 'assign-uuid', uuid: after['table-uuid'] })
  if (before?.['format-version'] !== after['format-version'])
    updates.push({ action: 'upgrade-format-version', 'format-version': after['format-version'] })
  if (before?.location !== after.location) updates.push({ action: 'set-location', location: after.location })
  return updates
}

function definitions(before: TableMetadata | undefined, after: TableMetadata): Update[] {
  const schemas = added(before?.schemas, after.schemas, (schema) => schema['schema-id'])
  const specs = added(before?.['partition-specs'], after['partition-specs'], (spec) => spec['spec-id'])
  const orders = added(before?.['sort-orders'], after['sort-orders'], (order) => order['order-id'])
  const current = (action: string, member: string, of: keyof TableMetadata): Update[] =>
    before?.[of] === after[of] ? [] : [{ action, [member]: after[of] }]
  return [
    ...schemas.map((schema) => ({ action: 'add-schema', schema })),
    ...current('set-current-schema', 'schema-id', 'current-schema-id'),
    ...specs.map((spec) => ({ action: 'add-spec', spec })),
    ...current('set-default-spec', 'spec-id', 'default-spec-id'),
    ...orders.map((order) => ({ action: 'add-sort-order', 'sort-order': order })),
    ...current('set-default-sort-order', 'sort-order-id', 'default-sort-order-id'),
  ]
}

function added<T>(before: readonly T[] | undefined, after: readonly T[], idOf: (one: T) => unknown): readonly T[] {
  const known = new Set(before?.map(idOf))
  return after.filter((one) => !known.has(idOf(one)))
}

/** The updates that turn one set of properties into another; of views too. */
export function propertiesBetween(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): Update[] {
  const set = Object.entries(after).filter(([key, value]) => !Object.hasOwn(before, key) || before[key] !== value)
  const removals = Object.keys(before).filter((key) => !Object.hasOwn(after, key))
  return [
    ...(set.length > 0 ? [{ action: 'set-properties', updates: Object.fromEntries(set) }] : []),
    ...(removals.length > 0 ? [{ action: 'remove-properties', removals }] : []),
  ]
}

function snapshots(before: TableMetadata | undefined, after: TableMetadata): Update[] {
  const refs = changedRefs(before, after)
  return [
    ...addedSnapshots(before, after).map((snapshot) => ({ action: 'add-snapshot', snapshot })),
    ...refs.flatMap(({ name, now }) => (now ? [{ action: 'set-snapshot-ref', 'ref-name': name, ...now }] : [])),
    ...refs.flatMap(({ name, now }) => (now ? [] : [{ action: 'remove-snapshot-ref', 'ref-name': name }])),
  ]
}

export const addedSnapshots = (before: TableMetadata | undefined, after: TableMetadata): TableMetadata['snapshots'] =>
  added(before?.snapshots, after.snapshots, (snapshot) => snapshot['snapshot-id'])

interface ChangedRef {
  readonly name: string
  readonly was: RefJson | undefined
  readonly now: RefJson | undefined
}

function changedRefs(before: TableMetadata | undefined, after: TableMetadata): ChangedRef[] {
  const [olds, news] = [new Map(Object.entries(before?.refs ?? {})), new Map(Object.entries(after.refs))]
  return [...new Set([...olds.keys(), ...news.keys()])]
    .map((name) => ({ name, was: olds.get(name), now: news.get(name) }))
    .filter(({ was, now }) => printRef(was) !== printRef(now))
}

const printRef = (ref: RefJson | undefined): string => (ref ? printJson(Object.entries(ref).sort(([a], [b]) => (a < b ? -1 : 1))) : '')

/** Statistics, and what is removed: last, when nothing refers to it any more. */
function leftovers(before: TableMetadata | undefined, after: TableMetadata): Update[] {
  const gone = <T>(olds: readonly T[] | undefined, news: readonly T[], idOf: (one: T) => unknown) =>
    added(news, olds ?? [], idOf).map((one) => idOf(one))
  const dropped = gone(before?.snapshots, after.snapshots, (snapshot) => snapshot['snapshot-id']) as bigint[]
  const specs = gone(before?.['partition-specs'], after['partition-specs'], (spec) => spec['spec-id'])
  const schemas = gone(before?.schemas, after.schemas, (schema) => schema['schema-id'])
  const keys = (metadata: TableMetadata | undefined) => metadata?.['encryption-keys'] ?? []
  const keyId = (key: { readonly 'key-id': string }) => key['key-id']
  return [
    ...statistics(before?.statistics, after.statistics, dropped, ''),
    ...statistics(before?.['partition-statistics'], after['partition-statistics'], dropped, 'partition-'),
    ...(dropped.length > 0 ? [{ action: 'remove-snapshots', 'snapshot-ids': dropped }] : []),
    ...(specs.length > 0 ? [{ action: 'remove-partition-specs', 'spec-ids': specs }] : []),
    ...(schemas.length > 0 ? [{ action: 'remove-schemas', 'schema-ids': schemas }] : []),
    ...added(keys(before), keys(after), keyId).map((key) => ({ action: 'add-encryption-key', 'encryption-key': key })),
    ...gone(keys(before), keys(after), keyId).map((id) => ({ action: 'remove-encryption-key', 'key-id': id })),
  ]
}

function statistics(
  before: readonly StatisticsJson[] = [],
  after: readonly StatisticsJson[] = [],
  dropped: readonly bigint[],
  kind: '' | 'partition-',
): Update[] {
  const member = `${kind}statistics`
  const set = added(before, after, (file) => printJson(file))
  const gone = added(after, before, (file) => file['snapshot-id']).map((file) => file['snapshot-id'])
  return [
    ...set.map((file) => ({ action: `set-${member}`, [member]: file })),
    ...gone.filter((id) => !dropped.includes(id)).map((id) => ({ action: `remove-${member}`, 'snapshot-id': id })),
  ]
}

function requirementsOf(before: TableMetadata, after: TableMetadata): Requirement[] {
  const differs = (...members: (keyof TableMetadata)[]) => members.some((member) => printJson(before[member]) !== printJson(after[member]))
  const same = (type: string, member: string, of: keyof TableMetadata): Requirement => ({ type, [member]: before[of] })
  const isExpiry = after.snapshots.length < before.snapshots.length + addedSnapshots(before, after).length
  // What expires must not have been given a name meanwhile.
  const refs = isExpiry ? Object.keys(before.refs) : changedRefs(before, after).map(({ name }) => name)
  return [
    same('assert-table-uuid', 'uuid', 'table-uuid'),
    ...refs.map((ref) => ({
      type: 'assert-ref-snapshot-id',
      ref,
      'snapshot-id': Object.hasOwn(before.refs, ref) ? before.refs[ref]!['snapshot-id'] : null,
    })),
    ...(differs('schemas', 'current-schema-id')
      ? [
          same('assert-current-schema-id', 'current-schema-id', 'current-schema-id'),
          same('assert-last-assigned-field-id', 'last-assigned-field-id', 'last-column-id'),
        ]
      : []),
    ...(differs('partition-specs', 'default-spec-id')
      ? [
          same('assert-default-spec-id', 'default-spec-id', 'default-spec-id'),
          same('assert-last-assigned-partition-id', 'last-assigned-partition-id', 'last-partition-id'),
        ]
      : []),
    ...(differs('sort-orders', 'default-sort-order-id')
      ? [same('assert-default-sort-order-id', 'default-sort-order-id', 'default-sort-order-id')]
      : []),
  ]
}
