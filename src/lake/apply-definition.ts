// Metadata of a new table, and what a changed definition (shape, partition, order, properties) makes of existing
// metadata. Pure: nothing is read or written.
import { MillraceError } from '../core/errors.ts'
import { buildSpec, FIRST_PARTITION_ID } from './partition-spec.ts'
import { shapeToSchema } from './schema-mapping.ts'
import { type SortFieldJson, schemaJson, specFieldsJson, type TableMetadata, toLakeTable } from './table-metadata.ts'
import type { CreateTable, LakeSchema, LakeTable, TableChange } from './types.ts'

export interface NewTable {
  readonly create: CreateTable
  readonly uuid: string
  /** URI of the table's directory. */
  readonly location: string
  readonly nowMs: number
}

/** Metadata without a snapshot. @throws MR_LAKE_SPEC for partition, sort or key columns that are not possible. */
export function newMetadata({ create, uuid, location, nowMs }: NewTable): TableMetadata {
  for (const column of create.key) requireColumn(create.shape.fields, column, 'key')
  const { schema, lastColumnId } = shapeToSchema(create.shape, undefined, {
    key: create.key,
    formatVersion: create.formatVersion ?? 2,
  })
  const { spec, lastFieldId } = buildSpec(create.partition, schema, [], FIRST_PARTITION_ID - 1)
  const sorted = create.cluster.length > 0
  return {
    'format-version': create.formatVersion ?? 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': 0,
    'last-updated-ms': nowMs,
    'last-column-id': lastColumnId,
    'current-schema-id': 0,
    schemas: [schemaJson(schema)],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: specFieldsJson(spec) }],
    'last-partition-id': lastFieldId,
    'default-sort-order-id': sorted ? 1 : 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }, ...(sorted ? [{ 'order-id': 1, fields: sortFields(create.cluster, schema) }] : [])],
    properties: create.properties ?? {},
    'current-snapshot-id': -1n,
    refs: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    ...(create.formatVersion === 3 ? { 'next-row-id': 0 } : {}),
  }
}

function requireColumn(fields: readonly { readonly name: string }[], column: string, use: string): void {
  if (fields.some((field) => field.name === column)) return
  throw new MillraceError('MR_LAKE_SPEC', `the ${use} column ${column} is not one of ${fields.map((field) => field.name).join(', ')}`)
}

function sortFields(cluster: readonly string[], schema: LakeSchema): SortFieldJson[] {
  return cluster.map((column) => {
    requireColumn(schema.fields, column, 'cluster')
    const id = schema.fields.find((field) => field.name === column)!.id
    return { 'source-id': id, transform: 'identity', direction: 'asc', 'null-order': 'nulls-last' }
  })
}

/** Applies what a change says of the definition. @throws MR_SCHEMA_EVOLUTION, MR_LAKE_SPEC */
export function applyDefinition(metadata: TableMetadata, change: TableChange): TableMetadata {
  let next = change.formatVersion ? withVersion(metadata, change.formatVersion) : metadata
  if (change.shape) next = withShape(next, change, change.shape)
  if (change.partition) next = withPartition(next, change.partition)
  if (change.cluster) next = withCluster(next, change.cluster)
  if (change.properties) next = withProperties(next, change.properties)
  return next
}

/** Files and deletes of before stay as they are; row ids begin with the next snapshot (Iceberg spec, "Row Lineage for Upgraded Tables"). */
const withVersion = (metadata: TableMetadata, version: 3): TableMetadata =>
  metadata['format-version'] >= version ? metadata : { ...metadata, 'format-version': version, 'next-row-id': metadata['next-row-id'] ?? 0 }

const view = (metadata: TableMetadata): LakeTable => toLakeTable('', '', metadata)

function withShape(metadata: TableMetadata, change: TableChange, shape: CreateTable['shape']): TableMetadata {
  const table = view(metadata)
  const previous = { schema: table.schema, lastColumnId: metadata['last-column-id'] }
  const inUse = columnsInUse(table, change)
  const changed = shapeToSchema(shape, previous, {
    inUse,
    formatVersion: metadata['format-version'],
    ...(change.renames ? { renames: change.renames } : {}),
  })
  if (changed === previous) return metadata
  const id = Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1
  return {
    ...metadata,
    'last-column-id': changed.lastColumnId,
    'current-schema-id': id,
    schemas: [...metadata.schemas, schemaJson({ ...changed.schema, id })],
  }
}

// What the same change replaces is not in use: the new spec or order is built on the new schema and checked there.
function columnsInUse(table: LakeTable, change: TableChange): Map<number, string> {
  const uses: (readonly [number, string])[] = [
    ...(change.cluster ? [] : table.sort).map((id) => [id, 'cluster columns'] as const),
    ...(change.partition ? [] : table.spec.fields).map((field) => [field.sourceId, 'partition'] as const),
    ...table.schema.identifierIds.map((id) => [id, 'key'] as const),
  ]
  return new Map(uses)
}

function withPartition(metadata: TableMetadata, rules: NonNullable<TableChange['partition']>): TableMetadata {
  const table = view(metadata)
  const { spec, lastFieldId } = buildSpec(rules, table.schema, table.specs, metadata['last-partition-id'])
  const isKnown = table.specs.some((other) => other.id === spec.id)
  const specs = metadata['partition-specs']
  return {
    ...metadata,
    'default-spec-id': spec.id,
    'partition-specs': isKnown ? specs : [...specs, { 'spec-id': spec.id, fields: specFieldsJson(spec) }],
    'last-partition-id': lastFieldId,
  }
}

function withCluster(metadata: TableMetadata, cluster: readonly string[]): TableMetadata {
  const fields = sortFields(cluster, view(metadata).schema)
  const same = metadata['sort-orders'].find((order) => JSON.stringify(order.fields) === JSON.stringify(fields))
  const id = same?.['order-id'] ?? Math.max(...metadata['sort-orders'].map((order) => order['order-id'])) + 1
  return {
    ...metadata,
    'default-sort-order-id': id,
    'sort-orders': same ? metadata['sort-orders'] : [...metadata['sort-orders'], { 'order-id': id, fields }],
  }
}

function withProperties(metadata: TableMetadata, changes: Readonly<Record<string, string | null>>): TableMetadata {
  const kept = Object.entries({ ...metadata.properties, ...changes }).filter((entry): entry is [string, string] => entry[1] !== null)
  return { ...metadata, properties: Object.fromEntries(kept) }
}
