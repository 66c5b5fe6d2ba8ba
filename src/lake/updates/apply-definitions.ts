// The updates that change what a table is: schemas, partition specs, sort orders. Equal ones are found again and not added
// twice; -1 is the last one that the same commit added. Pure; part of `apply-updates.ts`.
import type { SchemaJson, SortOrderJson, SpecFieldJson, SpecJson, TableMetadata } from '../table-metadata.ts'
import { checkSchema, fieldsOf, highestId, isSameSchema } from './check-schema.ts'
import type { Draft } from './draft.ts'
import { checkMembers, invalid, type Members, type Update } from './update.ts'

const FIRST_PARTITION_ID = 1000

const nextId = (ids: readonly number[], first: number): number => ids.reduce((most, id) => Math.max(most, id + 1), first)

export function addSchema(draft: Draft, update: Update): void {
  const { metadata } = draft
  const schema = update['schema'] as SchemaJson
  checkMembers('add-schema', schema, { fields: 'objects', 'identifier-field-ids': 'integers?' })
  checkSchema(schema, metadata['format-version'])
  const same = metadata.schemas.find((other) => isSameSchema(other, schema))
  const id =
    same?.['schema-id'] ??
    nextId(
      metadata.schemas.map((other) => other['schema-id']),
      0,
    )
  draft.lastSchemaId = id
  metadata['last-column-id'] = Math.max(metadata['last-column-id'], highestId(schema))
  if (!same) metadata.schemas = [...metadata.schemas, { ...schema, type: 'struct', 'schema-id': id }]
}

export function setCurrentSchema({ metadata, lastSchemaId }: Draft, update: Update): void {
  const id = chosen(update['schema-id'], lastSchemaId, 'schema')
  if (!metadata.schemas.some((schema) => schema['schema-id'] === id)) throw invalid(`Cannot set current schema to unknown schema: ${id}`)
  metadata['current-schema-id'] = id
}

function chosen(given: unknown, last: number | undefined, what: string): number {
  if (given !== -1) return given as number
  if (last === undefined) throw invalid(`Cannot set last added ${what}: no ${what} has been added`)
  return last
}

const SPEC_FIELD: Members = { name: 'text', transform: 'text', 'source-id': 'integer?', 'source-ids': 'integers?', 'field-id': 'integer?' }
const SORT_FIELD: Members = {
  transform: 'text',
  direction: 'text',
  'null-order': 'text',
  'source-id': 'integer?',
  'source-ids': 'integers?',
}

export function addSpec(draft: Draft, update: Update): void {
  const { metadata } = draft
  const { fields } = update['spec'] as SpecJson
  checkMembers('add-spec', update['spec'], { fields: 'objects' })
  for (const field of fields) checkMembers('a partition field', field, SPEC_FIELD)
  const same = metadata['partition-specs'].find((spec) => isSameSpec(spec.fields, fields))
  const id =
    same?.['spec-id'] ??
    nextId(
      metadata['partition-specs'].map((spec) => spec['spec-id']),
      0,
    )
  draft.lastSpecId = id
  if (same) return
  const numbered = numberSpecFields(fields, metadata)
  if (metadata['format-version'] === 1 && numbered.some((field, index) => field['field-id'] !== FIRST_PARTITION_ID + index))
    throw invalid('Spec does not use sequential IDs that are required in v1')
  metadata['partition-specs'] = [...metadata['partition-specs'], { 'spec-id': id, fields: numbered }]
  metadata['last-partition-id'] = Math.max(metadata['last-partition-id'], ...numbered.map((field) => field['field-id']))
}

const isSameSpec = (a: readonly SpecFieldJson[], b: readonly SpecFieldJson[]): boolean => essence(a) === essence(b)
const essence = (fields: readonly SpecFieldJson[]): string =>
  JSON.stringify(fields.map((field) => [field['source-id'], field.transform, field.name]))

/** Gives an id to each field that has none: the one that the same field has in an earlier spec, or a new one. */
export function numberSpecFields(fields: readonly SpecFieldJson[], metadata: TableMetadata): SpecFieldJson[] {
  let last = metadata['last-partition-id']
  const known = metadata['partition-specs'].flatMap((spec) => spec.fields)
  return fields.map((field) => {
    if (field['field-id'] != null) return field
    const same = known.find((other) => other['source-id'] === field['source-id'] && other.transform === field.transform)
    return { ...field, 'field-id': same?.['field-id'] ?? ++last }
  })
}

export function setDefaultSpec({ metadata, lastSpecId }: Draft, update: Update): void {
  const id = chosen(update['spec-id'], lastSpecId, 'spec')
  if (!metadata['partition-specs'].some((spec) => spec['spec-id'] === id))
    throw invalid(`Cannot set default partition spec to unknown: ${id}`)
  metadata['default-spec-id'] = id
}

export function addSortOrder(draft: Draft, update: Update): void {
  const { metadata } = draft
  const { fields } = update['sort-order'] as SortOrderJson
  checkMembers('add-sort-order', update['sort-order'], { fields: 'objects' })
  for (const field of fields) checkMembers('a sort field', field, SORT_FIELD)
  const orders = metadata['sort-orders']
  const same = orders.find((order) => JSON.stringify(order.fields) === JSON.stringify(fields))
  // Zero is the order of what is not sorted, and of nothing else.
  const id =
    same?.['order-id'] ??
    (fields.length === 0
      ? 0
      : nextId(
          orders.map((order) => order['order-id']),
          1,
        ))
  draft.lastOrderId = id
  if (!same) metadata['sort-orders'] = [...orders, { 'order-id': id, fields }]
}

export function setDefaultSortOrder({ metadata, lastOrderId }: Draft, update: Update): void {
  const id = chosen(update['sort-order-id'], lastOrderId, 'sort order')
  if (!metadata['sort-orders'].some((order) => order['order-id'] === id)) throw invalid(`Cannot set default sort order to unknown: ${id}`)
  metadata['default-sort-order-id'] = id
}

const TRANSFORM = /^(identity|year|month|day|hour|void|bucket\[\d+\]|truncate\[\d+\])$/

/** The current schema has what the default spec and order are made from. @throws MR_LAKE_UPDATE */
export function checkDefinitions(metadata: TableMetadata): void {
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id'])
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id'])
  const order = metadata['sort-orders'].find((one) => one['order-id'] === metadata['default-sort-order-id'])
  if (!schema || !spec || !order) throw invalid('a table needs a current schema, a default partition spec and a default sort order')
  const types = new Map(fieldsOf({ ...schema, type: 'struct' }).map(({ id, type }) => [id, type]))
  for (const field of spec.fields) {
    if (!TRANSFORM.test(field.transform)) throw invalid(`Unknown partition transform ${field.transform} of ${field.name}`)
    if (field.transform === 'void' || field['source-id'] === undefined) continue
    if (!types.has(field['source-id'])) throw invalid(`Cannot find source column for partition field: ${field.name}`)
    if (typeof types.get(field['source-id']) !== 'string') throw invalid(`Cannot partition by non-primitive source field: ${field.name}`)
  }
  for (const field of order.fields)
    if (field['source-id'] !== undefined && !types.has(field['source-id']))
      throw invalid(`Cannot find source column for sort field: ${field['source-id']}`)
}
