// What the lake's parts and its callers share: tables as of a pointer, data files, changes. Iceberg names throughout
// (https://iceberg.apache.org/spec/). Ids of 63 bits are bigint here and decimal text in the catalog.
import type { PartitionRule } from '../define/manifest.ts'
import type { Shape } from '../schema/type.ts'
import type { CommitRequest } from '../store/catalog.ts'

/** A field as stored: the id never changes, whatever the name does. */
export interface LakeField {
  readonly id: number
  readonly name: string
  readonly type: LakeType
  readonly required: boolean
  readonly doc?: string
  /** Version 3: what rows have that were written before the column; as Iceberg's JSON has it (appendix D). Never changes. */
  readonly initialDefault?: DefaultValue
  /** Version 3: what writers put where a row does not say. */
  readonly writeDefault?: DefaultValue
}

/** Numbers beyond 2^53 are bigint; decimals, dates, times and bytes (hex) are text. */
export type DefaultValue = string | number | bigint | boolean
/** Iceberg's type: 'int', 'long', 'decimal(12, 2)', 'timestamptz', ...; nested ones as its JSON has them. */
export type LakeType = string | LakeNested
export type LakeNested = LakeStruct | LakeList | LakeMap

export interface LakeStruct {
  readonly type: 'struct'
  readonly fields: readonly LakeField[]
}

export interface LakeList {
  readonly type: 'list'
  readonly 'element-id': number
  readonly element: LakeType
  readonly 'element-required': boolean
}

export interface LakeMap {
  readonly type: 'map'
  readonly 'key-id': number
  readonly key: LakeType
  readonly 'value-id': number
  readonly value: LakeType
  readonly 'value-required': boolean
}

export interface LakeSchema {
  readonly id: number
  readonly fields: readonly LakeField[]
  /** Ids of the key columns (Iceberg identifier fields). */
  readonly identifierIds: readonly number[]
}

export interface LakePartitionField {
  readonly sourceId: number
  readonly fieldId: number
  readonly name: string
  /** 'identity', 'day', 'bucket[16]', ... */
  readonly transform: string
}

export interface LakeSpec {
  readonly id: number
  readonly fields: readonly LakePartitionField[]
}

/**
 * A partition value: int, date (days), year, month, hour, bucket as number; long, time and timestamp (microseconds) and
 * decimal (unscaled) as bigint; string, uuid; boolean; null.
 */
export type PartitionValue = number | bigint | string | boolean | null

export interface DataFile {
  /** Absolute location. */
  readonly path: string
  /** As its manifest calls it, in capitals; absent: Parquet. No other is read, but kept, counted and removed like those. */
  readonly format?: string
  /** Where the file lies, when `path` is a copy on this machine (`lease.ts`). */
  readonly origin?: string
  readonly rows: number
  readonly sizeBytes: number
  readonly specId: number
  /** By partition field name. */
  readonly partition: Readonly<Record<string, PartitionValue>>
  /** By field id; bounds in Iceberg's single-value binary form. */
  readonly columns: ReadonlyMap<number, ColumnStats>
  readonly splitOffsets?: readonly number[]
  /** Version 3: the id of its first row; the others count on from it. Absent before it is given one. */
  readonly firstRowId?: number
  /** Version 3, of a file of a snapshot: its data sequence number, in which its rows changed last unless they say otherwise. */
  readonly sequence?: number
  /** The parts of the table's nested columns may have other names in it: a lease answers the file with `names`. */
  readonly isRenamed?: true
  /** Where `isRenamed`: what the file calls its columns. */
  readonly names?: readonly FileField[]
  /** Of an encrypted file: how it is opened. */
  readonly seal?: FileSeal
  /** Of an encrypted file that was just written, or that a lease made readable: its key, in base64. Never stored. */
  readonly fileKey?: string
  /** Rows of it that another writer deleted without writing it anew; absent when there are none. A scan leaves them out. */
  readonly deletes?: FileDeletes
}

/** What an encrypted Parquet file is opened by; without the data key of no use to anybody. */
export interface FileSeal {
  /** Id of the data key, in hex. */
  readonly key: string
  /** With it the key of the file, which files that were written together share; in hex. */
  readonly salt: string
  /** Of the places, nonces and tags of all encrypted parts: none was moved, left out or added. In base64. */
  readonly digest: string
  /** What the file calls its columns, when some are nested: its footer cannot be asked. */
  readonly names?: readonly FileField[]
}

/** Rows of a live data file that go without it being written anew; version 3 only. */
export interface DeletedRows {
  readonly path: string
  /** Ascending, and none that is deleted already. */
  readonly positions: Float64Array
}

/** A column of a data file, or a part of one: `inner` is what a struct holds, a list's element, a map's key and value. */
export interface FileField {
  readonly id: number | null
  readonly name: string
  readonly inner: readonly FileField[]
}

/** What deletes rows of one data file in one snapshot (Iceberg spec, "Delete Formats"). */
export interface FileDeletes {
  /** Sequence number of the data file: equality deletes are about older ones only. */
  readonly sequence: number
  /** Equal for files of one partition. */
  readonly partition: string
  /** Positions, ascending, of a deletion vector; there are then no position files. */
  readonly vector: { readonly path: string; readonly positions: Float64Array } | null
  /** Parquet files that name rows by data file and position. */
  readonly positionFiles: readonly string[]
  readonly equality: readonly EqualityDeletes[]
}

/** A Parquet file: rows that are equal to one of its rows in all `fieldIds` are gone; null equals null. */
export interface EqualityDeletes {
  readonly path: string
  readonly fieldIds: readonly number[]
  readonly sequence: number
  /** Null for deletes that are about every partition. */
  readonly partition: string | null
}

export interface ColumnStats {
  readonly sizeBytes: number
  /** Rows, nulls included. */
  readonly values: number
  readonly nulls: number
  /** Float and double: absent when unknown. Zero is what makes `>` prune; write no bounds when there are any. */
  readonly nans?: number
  readonly lower?: Uint8Array
  readonly upper?: Uint8Array
}

export interface LakeSnapshot {
  readonly id: bigint
  readonly parentId: bigint | null
  readonly sequence: number
  readonly timestampMs: number
  readonly operation: 'append' | 'overwrite' | 'replace' | 'delete'
  readonly summary: Readonly<Record<string, string>>
  readonly schemaId: number
  readonly manifestList: string
}

/** A table as of one metadata file: immutable. */
export interface LakeTable {
  readonly name: string
  /** Of Iceberg. Millrace writes 2, and 3 where it is asked for. */
  readonly formatVersion: number
  readonly uuid: string
  readonly location: string
  readonly metadataLocation: string
  readonly schema: LakeSchema
  readonly schemas: readonly LakeSchema[]
  readonly spec: LakeSpec
  readonly specs: readonly LakeSpec[]
  /** Field ids by which files are sorted. */
  readonly sort: readonly number[]
  readonly properties: Readonly<Record<string, string>>
  readonly snapshots: readonly LakeSnapshot[]
  readonly current: LakeSnapshot | null
  /** Which snapshot was current from when on, oldest first: what a question as of a time goes by. */
  readonly log: readonly { readonly snapshotId: bigint; readonly timestampMs: number }[]
  /** Named snapshots: branches and tags. */
  readonly refs: Readonly<Record<string, { readonly snapshotId: bigint; readonly kind: 'branch' | 'tag' }>>
}

export interface CreateTable {
  readonly name: string
  readonly shape: Shape
  readonly partition: readonly PartitionRule[]
  readonly cluster: readonly string[]
  readonly key: readonly string[]
  readonly properties?: Readonly<Record<string, string>>
  /** Of Iceberg; default 2. */
  readonly formatVersion?: 2 | 3
}

/**
 * A comparison that prunes files; terms are joined by AND, everything else prunes nothing. Values are in the column's own
 * domain: numbers and bigint for numeric columns (decimals by value, never unscaled, or as decimal text); days or
 * 'YYYY-MM-DD' for date; microseconds since 1970 UTC or ISO text for timestamp; microseconds or text for time; text for
 * string and uuid. A value of another domain prunes nothing.
 */
export interface PruneTerm {
  readonly column: string
  readonly op: '=' | '<' | '<=' | '>' | '>=' | 'in' | 'is null' | 'is not null'
  readonly values: readonly (string | number | bigint | boolean)[]
}

export interface TableChange {
  readonly table: string
  readonly operation: 'append' | 'overwrite' | 'replace' | 'delete'
  readonly add: readonly DataFile[]
  /** Paths of live files that go. */
  readonly remove: readonly string[]
  /**
   * Version 3: rows of other files that go, by a deletion vector of each. A file of which no row is left goes with its rows.
   * The commit fails with MR_LAKE_CONFLICT when such a file is not live any more or one of these rows was deleted meanwhile.
   */
  readonly delete?: readonly DeletedRows[]
  /**
   * Serializable isolation: the commit fails with MR_LAKE_CONFLICT when a snapshot after this one added files, or when a
   * file of `remove` is no longer live. Absent for appends, which never conflict.
   */
  readonly validateFrom?: bigint | null
  /**
   * The snapshot that `remove` was read from, where added files do not matter: the commit fails with MR_LAKE_CONFLICT when
   * another writer deleted rows since, which the files to remove may hold.
   */
  readonly readFrom?: bigint
  /** With `validateFrom`: only added files that may hold matching rows conflict. Absent = any added file does. */
  readonly validateWhere?: readonly PruneTerm[]
  readonly summary?: Readonly<Record<string, string>>
  /** A higher format version than the table has; what it has stays readable. */
  readonly formatVersion?: 3
  /** Applies a new shape before the snapshot (add, drop, rename, widen). */
  readonly shape?: Shape
  /** Old name to new name of columns that `shape` has under another name. */
  readonly renames?: Readonly<Record<string, string>>
  /** A new partition spec for files written from now on; existing files keep theirs. */
  readonly partition?: readonly PartitionRule[]
  /** Columns by which files are sorted from now on. */
  readonly cluster?: readonly string[]
  /** Set on top of those that the table has; null removes one. */
  readonly properties?: Readonly<Record<string, string | null>>
}

/** What travels in the same transaction as the pointers. */
export type CommitAlso = Pick<CommitRequest, 'pipeline' | 'refresh' | 'cursors' | 'finished'>
