// The Avro schemas of manifests and manifest lists, versions 2 and 3 (Iceberg spec, "Manifests", "Manifest Lists", appendix A).
// The partition record differs from table to table; the rest is fixed.
import type { AvroField, AvroRecord, AvroSchema } from './avro/schema.ts'
import type { LakeSpec } from './types.ts'
import { decimalSize } from './value/decimal.ts'
import { parseIcebergType } from './value/iceberg-type.ts'

const must = (name: string, id: number, type: AvroSchema): AvroField => ({ name, type, 'field-id': id })
const may = (name: string, id: number, type: AvroSchema): AvroField => ({ name, type: ['null', type], default: null, 'field-id': id })

// A map with integer keys: an array of pairs, marked as a map.
const byColumn = (name: string, id: number, key: number, value: number, type: AvroSchema): AvroField =>
  may(name, id, {
    type: 'array',
    logicalType: 'map',
    items: { type: 'record', name: `k${key}_v${value}`, fields: [must('key', key, 'int'), must('value', value, type)] },
  })

/** The Avro type of a partition value. */
export function avroTypeOf(icebergType: string): AvroSchema {
  const type = parseIcebergType(icebergType)
  switch (type.kind) {
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
    case 'timestamptz': {
      const zone = { 'adjust-to-utc': type.kind === 'timestamptz' }
      return { type: 'long', logicalType: 'timestamp-micros', ...zone }
    }
    case 'timestamp_ns':
    case 'timestamptz_ns': {
      const zone = { 'adjust-to-utc': type.kind === 'timestamptz_ns' }
      return { type: 'long', logicalType: 'timestamp-nanos', ...zone }
    }
    case 'uuid':
      return { type: 'fixed', name: 'uuid_fixed', size: 16, logicalType: 'uuid' }
    case 'fixed':
      return { type: 'fixed', name: `fixed_${type.length}`, size: type.length }
    case 'decimal': {
      const { precision, scale } = type
      const digits = { precision, scale }
      return { type: 'fixed', name: `decimal_${precision}_${scale}`, size: decimalSize(precision), logicalType: 'decimal', ...digits }
    }
    case 'binary':
      return 'bytes'
    default:
      return type.kind
  }
}

/** Avro names are letters, digits and underscores; others are written as `_x` and their code (as Iceberg's own library does). */
export function avroName(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_]/g, (char) => `_x${char.codePointAt(0)!.toString(16).toUpperCase()}`)
  return /^[0-9]/.test(safe) ? `_${safe}` : safe
}

// A named Avro type may be defined only once in a schema: later uses are its name.
function definedOnce(types: readonly AvroSchema[]): AvroSchema[] {
  const seen = new Set<string>()
  return types.map((type) => {
    if (typeof type !== 'object' || !('name' in type)) return type
    if (seen.has(type.name)) return type.name as AvroSchema
    seen.add(type.name)
    return type
  })
}

function partitionRecord(spec: LakeSpec, types: readonly string[]): AvroRecord {
  const avro = definedOnce(types.map(avroTypeOf))
  return { type: 'record', name: 'r102', fields: spec.fields.map((field, i) => may(avroName(field.name), field.fieldId, avro[i]!)) }
}

/** What version 3 says of a file beside: where its row ids begin and, of a deletion vector, where it lies and what it is about. */
const VERSION_3: readonly AvroField[] = [
  may('first_row_id', 142, 'long'),
  may('referenced_data_file', 143, 'string'),
  may('content_offset', 144, 'long'),
  may('content_size_in_bytes', 145, 'long'),
]

/** Schema of a manifest's entries; `partitionTypes[i]` is the Iceberg type of the values of `spec.fields[i]`. */
export function manifestSchema(spec: LakeSpec, partitionTypes: readonly string[], formatVersion: number): AvroRecord {
  const file: AvroRecord = {
    type: 'record',
    name: 'r2',
    fields: [
      must('content', 134, 'int'),
      must('file_path', 100, 'string'),
      must('file_format', 101, 'string'),
      must('partition', 102, partitionRecord(spec, partitionTypes)),
      must('record_count', 103, 'long'),
      must('file_size_in_bytes', 104, 'long'),
      byColumn('column_sizes', 108, 117, 118, 'long'),
      byColumn('value_counts', 109, 119, 120, 'long'),
      byColumn('null_value_counts', 110, 121, 122, 'long'),
      byColumn('nan_value_counts', 137, 138, 139, 'long'),
      byColumn('lower_bounds', 125, 126, 127, 'bytes'),
      byColumn('upper_bounds', 128, 129, 130, 'bytes'),
      may('key_metadata', 131, 'bytes'),
      may('split_offsets', 132, { type: 'array', items: 'long', 'element-id': 133 }),
      may('equality_ids', 135, { type: 'array', items: 'int', 'element-id': 136 }),
      may('sort_order_id', 140, 'int'),
      ...(formatVersion >= 3 ? VERSION_3 : []),
    ],
  }
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      must('status', 0, 'int'),
      may('snapshot_id', 1, 'long'),
      may('sequence_number', 3, 'long'),
      may('file_sequence_number', 4, 'long'),
      must('data_file', 2, file),
    ],
  }
}

const SUMMARY: AvroRecord = {
  type: 'record',
  name: 'r508',
  fields: [
    must('contains_null', 509, 'boolean'),
    may('contains_nan', 518, 'boolean'),
    may('lower_bound', 510, 'bytes'),
    may('upper_bound', 511, 'bytes'),
  ],
}

/** Schema of a manifest list's rows. */
export const manifestListSchema = (formatVersion: number): AvroRecord => ({
  type: 'record',
  name: 'manifest_file',
  fields: [
    must('manifest_path', 500, 'string'),
    must('manifest_length', 501, 'long'),
    must('partition_spec_id', 502, 'int'),
    must('content', 517, 'int'),
    must('sequence_number', 515, 'long'),
    must('min_sequence_number', 516, 'long'),
    must('added_snapshot_id', 503, 'long'),
    must('added_files_count', 504, 'int'),
    must('existing_files_count', 505, 'int'),
    must('deleted_files_count', 506, 'int'),
    must('added_rows_count', 512, 'long'),
    must('existing_rows_count', 513, 'long'),
    must('deleted_rows_count', 514, 'long'),
    may('partitions', 507, { type: 'array', items: SUMMARY, 'element-id': 508 }),
    may('key_metadata', 519, 'bytes'),
    ...(formatVersion >= 3 ? [may('first_row_id', 520, 'long')] : []),
  ],
})
