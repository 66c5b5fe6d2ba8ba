// Table metadata, format version 2 (Iceberg spec, "Table Metadata and Snapshots", appendix C): the JSON file that a
// pointer names. Fields that Millrace does not know are carried along unchanged. Ids of 63 bits are bigint.
import { MillraceError } from '../core/errors.ts'
import { parseJson, printJson } from '../core/json.ts'
import type { LakeField, LakePartitionField, LakeSchema, LakeSnapshot, LakeSpec, LakeTable } from './types.ts'
import { parseIcebergType } from './value/iceberg-type.ts'

export interface SchemaJson {
  readonly type: 'struct'
  readonly 'schema-id': number
  readonly 'identifier-field-ids'?: readonly number[]
  readonly fields: readonly {
    readonly id: number
    readonly name: string
    readonly type: unknown
    readonly required: boolean
    readonly doc?: string
  }[]
}

interface SpecFieldJson {
  readonly 'source-id': number
  readonly 'field-id': number
  readonly name: string
  readonly transform: string
}

export interface SnapshotJson {
  readonly 'snapshot-id': bigint
  readonly 'parent-snapshot-id'?: bigint
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly summary: Readonly<Record<string, string>> & { readonly operation: string }
  readonly 'manifest-list': string
  readonly 'schema-id': number
}

export interface RefJson {
  readonly 'snapshot-id': bigint
  readonly type: 'branch' | 'tag'
  readonly 'min-snapshots-to-keep'?: number
  readonly 'max-snapshot-age-ms'?: number
  readonly 'max-ref-age-ms'?: number
}

export interface SortFieldJson {
  readonly 'source-id': number
  readonly transform: string
  readonly direction: 'asc' | 'desc'
  readonly 'null-order': 'nulls-first' | 'nulls-last'
}

export interface TableMetadata {
  readonly 'format-version': number
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  readonly 'last-updated-ms': number
  readonly 'last-column-id': number
  readonly 'current-schema-id': number
  readonly schemas: readonly SchemaJson[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly { readonly 'spec-id': number; readonly fields: readonly SpecFieldJson[] }[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly { readonly 'order-id': number; readonly fields: readonly SortFieldJson[] }[]
  readonly properties: Readonly<Record<string, string>>
  /** -1 for none. */
  readonly 'current-snapshot-id': bigint
  readonly refs: Readonly<Record<string, RefJson>>
  readonly snapshots: readonly SnapshotJson[]
  readonly 'snapshot-log': readonly { readonly 'snapshot-id': bigint; readonly 'timestamp-ms': number }[]
  readonly 'metadata-log': readonly { readonly 'metadata-file': string; readonly 'timestamp-ms': number }[]
}

export const printMetadata = (metadata: TableMetadata): string => printJson(metadata)

/** @throws MR_LAKE_CORRUPT when it is not metadata; MR_LAKE_VERSION for a format other than 2. */
export function parseMetadata(text: string, location: string): TableMetadata {
  const raw = readObject(text, location)
  const version = raw['format-version']
  if (version !== 2) {
    throw new MillraceError('MR_LAKE_VERSION', `${location} has format version ${String(version)}, Millrace reads version 2`, {
      fix: 'upgrade or rewrite the table as version 2 with the engine that wrote it',
    })
  }
  const snapshots = (raw['snapshots'] ?? []) as SnapshotJson[]
  const log = (raw['snapshot-log'] ?? []) as TableMetadata['snapshot-log']
  const refs = Object.entries((raw['refs'] ?? {}) as Record<string, RefJson>)
  return {
    ...(raw as unknown as TableMetadata),
    properties: (raw['properties'] ?? {}) as Record<string, string>,
    'current-snapshot-id': BigInt((raw['current-snapshot-id'] as number | bigint | null | undefined) ?? -1),
    snapshots: snapshots.map((snapshot) => ({
      ...snapshot,
      'snapshot-id': BigInt(snapshot['snapshot-id']),
      ...(snapshot['parent-snapshot-id'] == null ? {} : { 'parent-snapshot-id': BigInt(snapshot['parent-snapshot-id']) }),
    })),
    refs: Object.fromEntries(refs.map(([name, ref]) => [name, { ...ref, 'snapshot-id': BigInt(ref['snapshot-id']) }])),
    'snapshot-log': log.map((entry) => ({ ...entry, 'snapshot-id': BigInt(entry['snapshot-id']) })),
    'metadata-log': (raw['metadata-log'] ?? []) as TableMetadata['metadata-log'],
  }
}

function readObject(text: string, location: string): Record<string, unknown> {
  try {
    const value = parseJson(text)
    if (typeof value === 'object' && value !== null && 'table-uuid' in value) return value as Record<string, unknown>
  } catch {
    // Not JSON: the same answer as for JSON that is no table.
  }
  throw new MillraceError('MR_LAKE_CORRUPT', `${location} is not Iceberg table metadata`, { fix: 'restore the file from a backup' })
}

/** The table as its callers see it. */
export function toLakeTable(name: string, metadataLocation: string, metadata: TableMetadata): LakeTable {
  const schemas = metadata.schemas.map(readSchema)
  const specs = metadata['partition-specs'].map(readSpec)
  const snapshots = metadata.snapshots.map(readSnapshot)
  const sortOrder = metadata['sort-orders'].find((order) => order['order-id'] === metadata['default-sort-order-id'])
  const refs = Object.entries(metadata.refs)
  return {
    name,
    uuid: metadata['table-uuid'],
    location: metadata.location,
    metadataLocation,
    schema: found(schemas, metadata['current-schema-id'], metadataLocation),
    schemas,
    spec: found(specs, metadata['default-spec-id'], metadataLocation),
    specs,
    sort: sortOrder?.fields.map((field) => field['source-id']) ?? [],
    properties: metadata.properties,
    snapshots,
    current: snapshots.find((snapshot) => snapshot.id === metadata['current-snapshot-id']) ?? null,
    log: metadata['snapshot-log'].map((entry) => ({ snapshotId: entry['snapshot-id'], timestampMs: entry['timestamp-ms'] })),
    refs: Object.fromEntries(refs.map(([ref, value]) => [ref, { snapshotId: value['snapshot-id'], kind: value.type }])),
  }
}

function found<T extends { readonly id: number }>(all: readonly T[], id: number, location: string): T {
  const one = all.find((other) => other.id === id)
  if (!one) throw new MillraceError('MR_LAKE_CORRUPT', `${location} names a schema or spec ${id} that it does not hold`)
  return one
}

function readSchema(json: SchemaJson): LakeSchema {
  const fields = json.fields.map((field): LakeField => {
    const type = typeof field.type === 'string' ? field.type : `nested column ${field.name}`
    parseIcebergType(type)
    return { id: field.id, name: field.name, type, required: field.required, ...(field.doc === undefined ? {} : { doc: field.doc }) }
  })
  return { id: json['schema-id'], fields, identifierIds: json['identifier-field-ids'] ?? [] }
}

const readSpec = (json: TableMetadata['partition-specs'][number]): LakeSpec => ({
  id: json['spec-id'],
  fields: json.fields.map(
    (field): LakePartitionField => ({
      sourceId: field['source-id'],
      fieldId: field['field-id'],
      name: field.name,
      transform: field.transform,
    }),
  ),
})

const readSnapshot = (json: SnapshotJson): LakeSnapshot => ({
  id: json['snapshot-id'],
  parentId: json['parent-snapshot-id'] ?? null,
  sequence: json['sequence-number'],
  timestampMs: json['timestamp-ms'],
  operation: json.summary.operation as LakeSnapshot['operation'],
  summary: json.summary,
  schemaId: json['schema-id'],
  manifestList: json['manifest-list'],
})

export const schemaJson = (schema: LakeSchema): SchemaJson => ({
  type: 'struct',
  'schema-id': schema.id,
  ...(schema.identifierIds.length > 0 ? { 'identifier-field-ids': schema.identifierIds } : {}),
  fields: schema.fields.map(({ id, name, required, type, doc }) => ({ id, name, required, type, ...(doc === undefined ? {} : { doc }) })),
})

export const specFieldsJson = (spec: LakeSpec): SpecFieldJson[] =>
  spec.fields.map((field) => ({
    'source-id': field.sourceId,
    'field-id': field.fieldId,
    transform: field.transform,
    name: field.name,
  }))
