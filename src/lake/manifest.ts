// Manifests: lists of data files with their partition values and column statistics (Iceberg spec, "Manifests"). Bytes to
// entries and back; where they lie and which exist is not known here.
import { MillraceError } from '../core/errors.ts'
import { printJson } from '../core/json.ts'
import type { Random } from '../core/random.ts'
import { readContainer, readRows, writeContainer } from './avro/container.ts'
import { compileWriter } from './avro/encode.ts'
import type { AvroRecord, AvroSchema, AvroValue } from './avro/schema.ts'
import { readSeal, sealBytes } from './encrypted.ts'
import { toPath, toUri } from './location.ts'
import { avroName, manifestSchema } from './manifest-schema.ts'
import { partitionTypes } from './partition-spec.ts'
import { schemaJson, specFieldsJson } from './table-metadata.ts'
import type { ColumnStats, DataFile, LakeSchema, LakeSpec, PartitionValue } from './types.ts'
import { decimalBytes, decimalFromBytes, decimalSize } from './value/decimal.ts'
import { parseIcebergType } from './value/iceberg-type.ts'
import { uuidText } from './value/single-value.ts'

export const EXISTING = 0
export const ADDED = 1
export const DELETED = 2

/** A file in a manifest. Sequence numbers are null only until the manifest is in a list, and then inherited from it. */
export interface Entry<F> {
  readonly status: typeof EXISTING | typeof ADDED | typeof DELETED
  /** The snapshot that added it, or for a deleted one removed it. */
  readonly snapshotId: bigint
  readonly sequence: number
  readonly fileSequence: number
  readonly file: F
}

export interface ManifestEntry extends Entry<DataFile> {
  readonly sortOrderId: number | null
}

/** What a reader needs to know of the table: how its partition values are typed. */
export interface ManifestContext {
  readonly schema: LakeSchema
  readonly schemas: readonly LakeSchema[]
  readonly spec: LakeSpec
}

export interface WriteContext extends ManifestContext {
  readonly formatVersion: number
}

/** A record of a manifest as Avro has it. */
export type ManifestRow = { readonly [field: string]: AvroValue }
type Row = ManifestRow

/** The bytes of a manifest of data files, all of one partition spec. */
export function writeManifest(entries: readonly ManifestEntry[], context: WriteContext, random: Random): Buffer {
  const toRow = fileRows(context)
  return writeEntries(entries, context, 'data', random, ({ file, sortOrderId, status }) => ({
    content: 0,
    ...toRow(file),
    sort_order_id: sortOrderId,
    ...NO_VECTOR,
    // Null for a new file: it inherits from the list, as its sequence number does.
    first_row_id: status === ADDED ? null : (file.firstRowId ?? null),
  }))
}

const NO_VECTOR: Row = { referenced_data_file: null, content_offset: null, content_size_in_bytes: null }

/** The bytes of a manifest of data or delete files, of one partition spec; `toRow` says what an entry's file is. */
export function writeEntries<E extends Entry<unknown>>(
  entries: readonly E[],
  context: WriteContext,
  content: 'data' | 'deletes',
  random: Random,
  toRow: (entry: E) => ManifestRow,
): Buffer {
  const schema = manifestSchema(context.spec, partitionTypes(context.spec, context.schemas), context.formatVersion)
  const rows = entries.map((entry) => entryRow(entry, toRow(entry)))
  const meta = {
    schema: printJson(schemaJson(context.schema)),
    'schema-id': String(context.schema.id),
    'partition-spec': JSON.stringify(specFieldsJson(context.spec)),
    'partition-spec-id': String(context.spec.id),
    'format-version': String(context.formatVersion),
    content,
  }
  return writeContainer(schema, compileWriter(schema), rows, meta, random)
}

function entryRow(entry: Entry<unknown>, file: Row): Row {
  const isNew = entry.status === ADDED
  return {
    status: entry.status,
    snapshot_id: entry.snapshotId,
    // Null for a new file: its numbers are those of the list that the manifest ends in.
    sequence_number: isNew ? null : entry.sequence,
    file_sequence_number: isNew ? null : entry.fileSequence,
    data_file: file,
  }
}

/** What a manifest says of files of any kind. */
export function fileRows({ spec, schemas }: ManifestContext): (file: Omit<DataFile, 'deletes'>) => Row {
  const types = partitionTypes(spec, schemas)
  return (file) => fileRow(file, spec, types)
}

function fileRow(file: Omit<DataFile, 'deletes'>, spec: LakeSpec, types: readonly string[]): Row {
  const columns = [...file.columns].sort(([a], [b]) => a - b)
  const pairs = (pick: (stats: ColumnStats) => AvroValue): AvroValue =>
    columns.flatMap(([key, stats]) => {
      const value = pick(stats)
      return value === undefined ? [] : [{ key, value }]
    })
  return {
    file_path: toUri(file.path),
    file_format: file.format ?? PARQUET,
    partition: Object.fromEntries(spec.fields.map((field, i) => [avroName(field.name), toAvro(types[i]!, file.partition[field.name])])),
    record_count: file.rows,
    file_size_in_bytes: file.sizeBytes,
    column_sizes: pairs((stats) => stats.sizeBytes),
    value_counts: pairs((stats) => stats.values),
    null_value_counts: pairs((stats) => stats.nulls),
    nan_value_counts: pairs((stats) => stats.nans),
    lower_bounds: pairs((stats) => stats.lower),
    upper_bounds: pairs((stats) => stats.upper),
    key_metadata: file.seal ? sealBytes(file.seal) : null,
    split_offsets: file.splitOffsets ?? null,
    equality_ids: null,
  }
}

const PARQUET = 'PARQUET'

/** @throws MR_LAKE_VERSION for a file that the engine does not read. */
export function mustBeParquet({ path, format }: Pick<DataFile, 'path' | 'format'>): void {
  if (format === undefined) return
  throw new MillraceError('MR_LAKE_VERSION', `${path} is a file of ${format}; only those of Parquet are read`, {
    fix: 'rewrite the table as Parquet with the engine that wrote it',
  })
}

/** Where the manifest stands in its list: what its new entries inherit. */
export interface Inherited {
  readonly path: string
  readonly sequence: number
  readonly snapshotId: bigint
  readonly specId: number
}

/** @throws MR_LAKE_CORRUPT when it cannot be read; MR_LAKE_VERSION when it holds other than data files. */
export function readManifest(bytes: Buffer, from: Inherited, context: ManifestContext): ManifestEntry[] {
  const entries = readEntries(bytes, from, context, (row, file) => {
    if ((row['content'] ?? 0) === 0) return { row, file }
    throw new MillraceError('MR_LAKE_VERSION', `${from.path} lists ${String(row['file_path'])}, which is not a data file`, {
      fix: 'rewrite the table with the engine that wrote it',
    })
  })
  return entries.map((entry) => ({
    ...entry,
    sortOrderId: (entry.file.row['sort_order_id'] as number | null | undefined) ?? null,
    file: entry.file.file,
  }))
}

/**
 * The entries of a manifest of data or delete files; `read` makes of each what it holds.
 * @throws MR_LAKE_CORRUPT when it cannot be read.
 */
export function readEntries<F>(
  bytes: Buffer,
  from: Inherited,
  context: ManifestContext,
  read: (row: ManifestRow, file: DataFile) => F,
): Entry<F>[] {
  const { rows, schema } = readContainer(bytes, from.path)
  const types = partitionTypes(context.spec, context.schemas)
  const names = partitionNames(schema, context.spec)
  return readRows(from.path, rows, (value): Entry<F> => {
    const row = value as Row
    const data = row['data_file'] as Row
    return {
      status: row['status'] as Entry<F>['status'],
      snapshotId: BigInt((row['snapshot_id'] as number | bigint | null) ?? from.snapshotId),
      sequence: Number(row['sequence_number'] ?? from.sequence),
      fileSequence: Number(row['file_sequence_number'] ?? from.sequence),
      file: read(data, readFile(data, from, context.spec, types, names)),
    }
  })
}

function readFile(row: Row, from: Inherited, spec: LakeSpec, types: readonly string[], names: ReadonlyMap<number, string>): DataFile {
  const partition = row['partition'] as Row
  const seal = readSeal(row['key_metadata'] as Uint8Array | null | undefined)
  const splitOffsets = row['split_offsets'] as readonly number[] | null | undefined
  const format = String(row['file_format']).toUpperCase()
  return {
    path: toPath(row['file_path'] as string),
    ...(format === PARQUET ? {} : { format }),
    rows: Number(row['record_count']),
    sizeBytes: Number(row['file_size_in_bytes']),
    specId: from.specId,
    partition: Object.fromEntries(
      spec.fields.map((field, i) => [field.name, fromAvro(types[i]!, partition[names.get(field.fieldId) ?? ''] ?? null)]),
    ),
    columns: readColumns(row),
    ...(splitOffsets ? { splitOffsets } : {}),
    ...(seal ? { seal } : {}),
    ...(row['first_row_id'] == null ? {} : { firstRowId: Number(row['first_row_id']) }),
  }
}

/**
 * The entries of a manifest whose row ids begin at `firstRowId`: files that have none yet follow each other from there
 * (Iceberg spec, "First Row ID Inheritance").
 */
export function inheritRowIds(entries: readonly ManifestEntry[], firstRowId: number): ManifestEntry[] {
  let next = firstRowId
  return entries.map((entry) => {
    if (entry.status === DELETED || entry.file.firstRowId !== undefined) return entry
    const file = { ...entry.file, firstRowId: next }
    next += file.rows
    return { ...entry, file }
  })
}

// A column whose counts are unknown gets no statistics at all: nothing is pruned by half of them.
function readColumns(row: Row): Map<number, ColumnStats> {
  const byId = (name: string) =>
    new Map(((row[name] ?? []) as readonly { key: number; value: AvroValue }[]).map(({ key, value }) => [key, value] as const))
  const [sizes, nulls, nans] = [byId('column_sizes'), byId('null_value_counts'), byId('nan_value_counts')]
  const [lower, upper] = [byId('lower_bounds') as Map<number, Uint8Array>, byId('upper_bounds') as Map<number, Uint8Array>]
  const columns = new Map<number, ColumnStats>()
  for (const [id, values] of byId('value_counts')) {
    if (!nulls.has(id)) continue
    columns.set(id, {
      sizeBytes: Number(sizes.get(id) ?? 0),
      values: Number(values),
      nulls: Number(nulls.get(id)),
      ...(nans.has(id) ? { nans: Number(nans.get(id)) } : {}),
      ...(lower.has(id) ? { lower: lower.get(id)! } : {}),
      ...(upper.has(id) ? { upper: upper.get(id)! } : {}),
    })
  }
  return columns
}

// Writers make Avro names in their own ways: the partition fields are found by id.
function partitionNames(schema: AvroSchema, spec: LakeSpec): Map<number, string> {
  const field = (of: AvroSchema | undefined, name: string): AvroSchema | undefined =>
    (of as AvroRecord | undefined)?.fields?.find((inner) => inner.name === name)?.type
  const record = field(field(schema, 'data_file'), 'partition') as AvroRecord | undefined
  const names = new Map(spec.fields.map((inner) => [inner.fieldId, avroName(inner.name)]))
  for (const inner of record?.fields ?? []) if (inner['field-id'] !== undefined) names.set(inner['field-id'], inner.name)
  return names
}

function toAvro(typeText: string, value: PartitionValue | undefined): AvroValue {
  if (value === null || value === undefined) return null
  const type = parseIcebergType(typeText)
  switch (type.kind) {
    case 'decimal':
      return decimalBytes(BigInt(value), decimalSize(type.precision))
    case 'uuid':
      return Buffer.from(String(value).replaceAll('-', ''), 'hex')
    case 'binary':
    case 'fixed':
      return Buffer.from(String(value), 'hex')
    default:
      return value
  }
}

function fromAvro(typeText: string, value: AvroValue): PartitionValue {
  if (value === null || value === undefined) return null
  switch (parseIcebergType(typeText).kind) {
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return BigInt(value as number | bigint)
    case 'decimal':
      return decimalFromBytes(value as Uint8Array)
    case 'uuid':
      return uuidText(value as Uint8Array)
    case 'binary':
    case 'fixed':
      return Buffer.from(value as Uint8Array).toString('hex')
    default:
      return value as PartitionValue
  }
}
