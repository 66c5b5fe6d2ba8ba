// Manifest lists: one a snapshot, naming its manifests with counts and the range of their partition values, by which
// whole manifests are skipped (Iceberg spec, "Manifest Lists").
import type { Random } from '../core/random.ts'
import { readContainer, readRows, writeContainer } from './avro/container.ts'
import { compileWriter } from './avro/encode.ts'
import type { AvroValue } from './avro/schema.ts'
import { toPath, toUri } from './location.ts'
import { ADDED, DELETED, type Entry, EXISTING } from './manifest.ts'
import { manifestListSchema } from './manifest-schema.ts'
import type { DataFile, PartitionValue } from './types.ts'
import { encodeValue } from './value/single-value.ts'

export interface PartitionSummary {
  readonly containsNull: boolean
  readonly lower: Uint8Array | null
  readonly upper: Uint8Array | null
}

export interface ManifestFile {
  readonly path: string
  readonly sizeBytes: number
  readonly specId: number
  /** 0: data files, 1: delete files. */
  readonly content: number
  readonly sequence: number
  readonly minSequence: number
  readonly snapshotId: bigint
  readonly files: { readonly added: number; readonly existing: number; readonly deleted: number }
  readonly rows: { readonly added: number; readonly existing: number; readonly deleted: number }
  /** One a partition field; null when the writer gave none. */
  readonly partitions: readonly PartitionSummary[] | null
  /** Version 3: where the row ids of its files begin that have none of their own; null before its first list of version 3. */
  readonly firstRowId: number | null
}

/** Whether a manifest lists data files; the others list delete files. */
export const holdsData = (manifest: ManifestFile): boolean => manifest.content === 0

/** Whether a manifest lists any file that is part of the table. */
export const isLive = ({ files }: ManifestFile): boolean => files.added + files.existing > 0

type Row = { readonly [field: string]: AvroValue }

const FORMATS = [2, 3].map((version) => {
  const schema = manifestListSchema(version)
  return { version, schema, write: compileWriter(schema) }
})

/**
 * The manifests with row ids for the data files of those that have none yet, counted on from `nextRowId`; and what comes
 * next (Iceberg spec, "First Row ID Assignment").
 */
export function assignRowIds(manifests: readonly ManifestFile[], nextRowId: number): { manifests: ManifestFile[]; nextRowId: number } {
  let next = nextRowId
  const assigned = manifests.map((manifest) => {
    if (!holdsData(manifest) || manifest.firstRowId !== null) return manifest
    const firstRowId = next
    // Rows of files that are there already count as well: those of before version 3 have no ids of their own.
    next += manifest.rows.existing + manifest.rows.added
    return { ...manifest, firstRowId }
  })
  return { manifests: assigned, nextRowId: next }
}

/** The bytes of a list; `firstRowId` is that of the snapshot, in version 3. */
export function writeManifestList(
  manifests: readonly ManifestFile[],
  snapshot: { readonly id: bigint; readonly parentId: bigint | null; readonly sequence: number },
  random: Random,
  firstRowId: number | null = null,
): Buffer {
  const { version, schema, write } = FORMATS[firstRowId === null ? 0 : 1]!
  const meta = {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': snapshot.parentId === null ? 'null' : String(snapshot.parentId),
    'sequence-number': String(snapshot.sequence),
    'format-version': String(version),
    ...(firstRowId === null ? {} : { 'first-row-id': String(firstRowId) }),
  }
  return writeContainer(schema, write, manifests.map(listRow), meta, random)
}

const listRow = (manifest: ManifestFile): Row => ({
  manifest_path: toUri(manifest.path),
  manifest_length: manifest.sizeBytes,
  partition_spec_id: manifest.specId,
  content: manifest.content,
  sequence_number: manifest.sequence,
  min_sequence_number: manifest.minSequence,
  added_snapshot_id: manifest.snapshotId,
  added_files_count: manifest.files.added,
  existing_files_count: manifest.files.existing,
  deleted_files_count: manifest.files.deleted,
  added_rows_count: manifest.rows.added,
  existing_rows_count: manifest.rows.existing,
  deleted_rows_count: manifest.rows.deleted,
  partitions:
    manifest.partitions?.map((summary) => ({
      contains_null: summary.containsNull,
      contains_nan: false,
      lower_bound: summary.lower,
      upper_bound: summary.upper,
    })) ?? null,
  key_metadata: null,
  first_row_id: manifest.firstRowId,
})

/** @throws MR_LAKE_CORRUPT when it cannot be read. */
export function readManifestList(bytes: Buffer, path: string): ManifestFile[] {
  return readRows(path, readContainer(bytes, path).rows, (value): ManifestFile => {
    const row = value as Row
    const count = (name: string) => Number(row[name] ?? 0)
    return {
      path: toPath(row['manifest_path'] as string),
      sizeBytes: count('manifest_length'),
      specId: count('partition_spec_id'),
      content: count('content'),
      sequence: count('sequence_number'),
      minSequence: count('min_sequence_number'),
      snapshotId: BigInt(row['added_snapshot_id'] as number | bigint),
      files: { added: count('added_files_count'), existing: count('existing_files_count'), deleted: count('deleted_files_count') },
      rows: { added: count('added_rows_count'), existing: count('existing_rows_count'), deleted: count('deleted_rows_count') },
      partitions: ((row['partitions'] ?? null) as readonly Row[] | null)?.map(readSummary) ?? null,
      firstRowId: row['first_row_id'] == null ? null : Number(row['first_row_id']),
    }
  })
}

const readSummary = (row: Row): PartitionSummary => ({
  containsNull: row['contains_null'] as boolean,
  lower: (row['lower_bound'] ?? null) as Uint8Array | null,
  upper: (row['upper_bound'] ?? null) as Uint8Array | null,
})

/** What a list says of a manifest just written: counts, least sequence number and partition ranges. */
export function describeManifest(
  entries: readonly Entry<Pick<DataFile, 'rows' | 'partition'>>[],
  written: {
    readonly path: string
    readonly sizeBytes: number
    readonly specId: number
    readonly content: number
    readonly sequence: number
    readonly snapshotId: bigint
  },
  partition: { readonly names: readonly string[]; readonly types: readonly string[] },
): ManifestFile {
  const files = { added: 0, existing: 0, deleted: 0 }
  const rows = { added: 0, existing: 0, deleted: 0 }
  let minSequence = written.sequence
  for (const entry of entries) {
    const state = STATE[entry.status]
    files[state]++
    rows[state] += entry.file.rows
    if (entry.status !== DELETED) minSequence = Math.min(minSequence, entry.sequence)
  }
  const partitions = partition.names.map((name, i) =>
    summarize(
      entries.map((entry) => entry.file.partition[name] ?? null),
      partition.types[i]!,
    ),
  )
  return { ...written, minSequence, files, rows, partitions, firstRowId: null }
}

const STATE = { [EXISTING]: 'existing', [ADDED]: 'added', [DELETED]: 'deleted' } as const

function summarize(values: readonly PartitionValue[], type: string): PartitionSummary {
  let [lower, upper]: [Comparable | null, Comparable | null] = [null, null]
  for (const value of values) {
    if (value === null) continue
    const key = comparable(value)
    if (lower === null || isLess(key, lower)) lower = key
    if (upper === null || isLess(upper, key)) upper = key
  }
  const bytes = (key: Comparable | null) => (key === null ? null : encodeValue(type, key.value))
  return { containsNull: values.includes(null), lower: bytes(lower), upper: bytes(upper) }
}

interface Comparable {
  readonly value: Exclude<PartitionValue, null>
  readonly bytes: Buffer | null
}

// Text is ordered by its UTF-8 bytes, which JavaScript's own order of UTF-16 units is not.
const comparable = (value: Exclude<PartitionValue, null>): Comparable => ({
  value,
  bytes: typeof value === 'string' ? Buffer.from(value) : null,
})

const isLess = (a: Comparable, b: Comparable): boolean => (a.bytes && b.bytes ? Buffer.compare(a.bytes, b.bytes) < 0 : a.value < b.value)
