// The metadata of a table that a client asks for (Iceberg REST, CreateTableRequest). The client numbers its columns as it
// likes; the catalog numbers them anew from 1, and partition and sort fields follow. Pure.
import type { SchemaJson, SortOrderJson, SpecFieldJson, SpecJson, TableMetadata } from '../table-metadata.ts'
import { applyUpdates, readProperties, withoutKeys } from './apply-updates.ts'
import { fieldsOf } from './check-schema.ts'
import { checkMembers, invalid, type Update } from './update.ts'

export interface NewTable {
  readonly schema: SchemaJson
  readonly 'partition-spec'?: SpecJson | null
  readonly 'write-order'?: SortOrderJson | null
  readonly properties?: Readonly<Record<string, string>> | null
}

const VERSION = 'format-version'

/** @throws MR_LAKE_UPDATE for what can be no table. */
export function newTable(asked: NewTable, { uuid, location, nowMs }: { uuid: string; location: string; nowMs: number }): TableMetadata {
  checkMembers('a new table', asked, { schema: 'object', 'partition-spec': 'object?', 'write-order': 'object?', properties: 'object?' })
  checkMembers('the schema', asked.schema, { fields: 'objects', 'identifier-field-ids': 'integers?' })
  for (const part of [asked['partition-spec'], asked['write-order']]) checkMembers('the spec or order', part, { fields: 'objects?' })
  const ids = newIds(asked.schema)
  const properties = readProperties(asked.properties)
  const sources = (field: { 'source-id'?: number }) => renumber(ids, field['source-id'])
  const spec = (asked['partition-spec']?.fields ?? []).map(({ 'field-id': _id, ...field }) => ({ ...field, 'source-id': sources(field) }))
  const order = (asked['write-order']?.fields ?? []).map((field) => ({ ...field, 'source-id': sources(field) }))
  const key = asked.schema['identifier-field-ids']?.map((id) => renumber(ids, id))
  const updates: Update[] = [
    { action: 'assign-uuid', uuid },
    { action: 'upgrade-format-version', 'format-version': Number(properties[VERSION] ?? 2) },
    { action: 'add-schema', schema: { ...renumberType(asked.schema, ids), ...(key ? { 'identifier-field-ids': key } : {}) } },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec: { fields: spec as SpecFieldJson[] } },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': { fields: order } },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-location', location },
    { action: 'set-properties', updates: withoutKeys(properties, [VERSION]) },
  ]
  return applyUpdates(undefined, updates, nowMs)
}

/** Old id -> new id: the columns first, then what is inside the first of them, as the reference numbers them. */
function newIds(schema: SchemaJson): Map<number, number> {
  const ids = new Map<number, number>()
  for (const { id } of fieldsOf({ ...schema, type: 'struct' })) ids.set(id, ids.size + 1)
  return ids
}

function renumber(ids: ReadonlyMap<number, number>, id: number | undefined): number {
  const renumbered = id === undefined ? undefined : ids.get(id)
  if (renumbered === undefined) throw invalid(`Cannot find source column: ${id}`)
  return renumbered
}

function renumberType<T>(type: T, ids: ReadonlyMap<number, number>): T {
  if (typeof type !== 'object' || type === null) return type
  const { fields, element, key, value, ...rest } = type as Record<string, unknown>
  const id = (member: string) => (rest[member] === undefined ? {} : { [member]: ids.get(rest[member] as number) })
  return {
    ...rest,
    ...id('element-id'),
    ...id('key-id'),
    ...id('value-id'),
    ...(fields === undefined ? {} : { fields: (fields as { id: number; type: unknown }[]).map((field) => renumberField(field, ids)) }),
    ...(element === undefined ? {} : { element: renumberType(element, ids) }),
    ...(key === undefined ? {} : { key: renumberType(key, ids) }),
    ...(value === undefined ? {} : { value: renumberType(value, ids) }),
  } as T
}

const renumberField = (field: { id: number; type: unknown }, ids: ReadonlyMap<number, number>) => ({
  ...field,
  id: ids.get(field.id),
  type: renumberType(field.type, ids),
})
