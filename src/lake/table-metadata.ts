// Table metadata (Iceberg spec, "Table Metadata and Snapshots", appendix C): the JSON file that a pointer names. Data is
// written to versions 2 and 3; tables of others of version 1 are read and kept. Fields that Millrace does not know
// are carried along unchanged. Ids of 63 bits are bigint.
import { MillraceError } from '../core/errors.ts'
import { parseJson, printJson } from '../core/json.ts'
import { isLakeType } from './nested-type.ts'
import type { DefaultValue, LakeField, LakePartitionField, LakeSchema, LakeSnapshot, LakeSpec, LakeTable } from './types.ts'

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
    readonly 'initial-default'?: DefaultValue | null
    readonly 'write-default'?: DefaultValue | null
  }[]
}

export interface SpecFieldJson {
  readonly 'source-id': number
  readonly 'field-id': number
  readonly name: string
  readonly transform: string
}

export interface SnapshotJson {
  readonly 'snapshot-id': bigint
  readonly 'parent-snapshot-id'?: bigint
  /** Zero in tables of version 1. */
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly summary: Readonly<Record<string, string>> & { readonly operation: string }
  readonly 'manifest-list': string
  readonly 'schema-id'?: number
  /** Version 3. */
  readonly 'first-row-id'?: number
  readonly 'added-rows'?: number
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

export interface SpecJson {
  readonly 'spec-id': number
  readonly fields: readonly SpecFieldJson[]
}

export interface SortOrderJson {
  readonly 'order-id': number
  readonly fields: readonly SortFieldJson[]
}

/** A statistics file, of whatever kind: what else it says is kept. */
export interface StatisticsJson {
  readonly 'snapshot-id': bigint
  readonly 'statistics-path': string
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
  readonly 'partition-specs': readonly SpecJson[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly SortOrderJson[]
  readonly properties: Readonly<Record<string, string>>
  /** -1 for none. */
  readonly 'current-snapshot-id': bigint
  readonly refs: Readonly<Record<string, RefJson>>
  readonly snapshots: readonly SnapshotJson[]
  readonly 'snapshot-log': readonly { readonly 'snapshot-id': bigint; readonly 'timestamp-ms': number }[]
  readonly 'metadata-log': readonly { readonly 'metadata-file': string; readonly 'timestamp-ms': number }[]
  readonly statistics?: readonly StatisticsJson[]
  readonly 'partition-statistics'?: readonly StatisticsJson[]
  /** Version 3. */
  readonly 'next-row-id'?: number
  readonly 'encryption-keys'?: readonly { readonly 'key-id': string }[]
}

/** The versions that are read and kept. */
export const FORMAT_VERSIONS: readonly unknown[] = [1, 2, 3]

/** Version 1 names the current schema and spec a second time, for readers that know no lists of them. */
export function printMetadata(metadata: TableMetadata): string {
  if (metadata['format-version'] !== 1) return printJson(metadata)
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id'])
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === metadata['default-spec-id'])
  return printJson({ ...metadata, schema, 'partition-spec': spec?.fields ?? [] })
}

/** @throws MR_LAKE_CORRUPT when it is not metadata; MR_LAKE_VERSION for a newer format. */
export function parseMetadata(text: string, location: string): TableMetadata {
  const raw = readObject(text, location)
  const version = raw['format-version']
  if (!FORMAT_VERSIONS.includes(version)) {
    throw new MillraceError('MR_LAKE_VERSION', `${location} has format version ${String(version)}, Millrace reads ${FORMAT_VERSIONS}`, {
      fix: 'upgrade Millrace, or rewrite the table as version 2 with the engine that wrote it',
    })
  }
  const whole = (version === 1 ? fromVersion1(raw) : raw) as unknown as TableMetadata
  const current = BigInt(whole['current-snapshot-id'] ?? -1)
  const refs = Object.entries(whole.refs ?? {}).map(([name, ref]) => [name, { ...ref, 'snapshot-id': BigInt(ref['snapshot-id']) }])
  const ofMain = current === -1n || Object.hasOwn(whole.refs ?? {}, 'main') ? {} : { main: { 'snapshot-id': current, type: 'branch' } }
  return {
    ...whole,
    properties: whole.properties ?? {},
    'current-snapshot-id': current,
    snapshots: (whole.snapshots ?? []).map(readSnapshotJson),
    refs: { ...Object.fromEntries(refs), ...ofMain },
    'snapshot-log': (whole['snapshot-log'] ?? []).map((entry) => ({ ...entry, 'snapshot-id': BigInt(entry['snapshot-id']) })),
    'metadata-log': whole['metadata-log'] ?? [],
    ...(whole.statistics ? { statistics: whole.statistics.map(readStatisticsJson) } : {}),
    ...(whole['partition-statistics'] ? { 'partition-statistics': whole['partition-statistics'].map(readStatisticsJson) } : {}),
  }
}

/** A snapshot as JSON has it: with ids of 63 bits, whatever their size. */
export const readSnapshotJson = (json: SnapshotJson): SnapshotJson => ({
  ...json,
  'snapshot-id': BigInt(json['snapshot-id']),
  ...(json['parent-snapshot-id'] == null ? {} : { 'parent-snapshot-id': BigInt(json['parent-snapshot-id']) }),
  'sequence-number': json['sequence-number'] ?? 0,
})

export const readStatisticsJson = (json: StatisticsJson): StatisticsJson => ({ ...json, 'snapshot-id': BigInt(json['snapshot-id']) })

/** Gives metadata of version 1 the lists of version 2, as appendix C, "Upgrading to version 2", says. */
function fromVersion1(raw: Record<string, unknown>): Record<string, unknown> {
  const { schema, 'partition-spec': spec, ...rest } = raw as { schema?: SchemaJson; 'partition-spec'?: readonly SpecFieldJson[] }
  const fields = (spec ?? []).map((field, index) => ({ ...field, 'field-id': field['field-id'] ?? 1000 + index }))
  const lastId = fields.reduce((most, field) => Math.max(most, field['field-id']), 999)
  return {
    'last-sequence-number': 0,
    'current-schema-id': schema?.['schema-id'] ?? 0,
    schemas: schema ? [{ ...schema, 'schema-id': schema['schema-id'] ?? 0 }] : [],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields }],
    'last-partition-id': lastId,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    ...rest,
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
    formatVersion: metadata['format-version'],
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
  return { id: json['schema-id'], fields: json.fields.map(readField), identifierIds: json['identifier-field-ids'] ?? [] }
}

// Java's library keeps `_partition` for a column of its own: its scans refuse a table that has one of this name. So the column is called
// otherwise in metadata, and nowhere else. A table whose metadata has it under its own name is read as well.
const KEPT_BY_JAVA = '_partition'
const IN_METADATA = '_log_partition'

// What is no type that Millrace holds is refused when the column is read, not when the table is looked up.
const readField = (field: SchemaJson['fields'][number]): LakeField => ({
  id: field.id,
  name: field.name === IN_METADATA ? KEPT_BY_JAVA : field.name,
  type: isLakeType(field.type) ? field.type : `of the column ${field.name}`,
  required: field.required,
  ...(field.doc === undefined ? {} : { doc: field.doc }),
  ...(field['initial-default'] == null ? {} : { initialDefault: field['initial-default'] }),
  ...(field['write-default'] == null ? {} : { writeDefault: field['write-default'] }),
})

const readSpec = (json: SpecJson): LakeSpec => ({
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
  operation: (json.summary?.operation ?? 'append') as LakeSnapshot['operation'],
  summary: json.summary ?? {},
  schemaId: json['schema-id'] ?? -1,
  manifestList: json['manifest-list'],
})

export const schemaJson = (schema: LakeSchema): SchemaJson => ({
  type: 'struct',
  'schema-id': schema.id,
  ...(schema.identifierIds.length > 0 ? { 'identifier-field-ids': schema.identifierIds } : {}),
  fields: schema.fields.map(({ id, name, required, type, doc, initialDefault, writeDefault }) => ({
    id,
    name: name === KEPT_BY_JAVA ? IN_METADATA : name,
    required,
    type,
    ...(doc === undefined ? {} : { doc }),
    ...(initialDefault === undefined ? {} : { 'initial-default': initialDefault }),
    ...(writeDefault === undefined ? {} : { 'write-default': writeDefault }),
  })),
})

export const specFieldsJson = (spec: LakeSpec): SpecFieldJson[] =>
  spec.fields.map((field) => ({
    'source-id': field.sourceId,
    'field-id': field.fieldId,
    transform: field.transform,
    name: field.name,
  }))
