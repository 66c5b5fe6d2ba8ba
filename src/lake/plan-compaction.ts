// Which small files should become larger ones: per partition, in the table's sort order so that the new files stay
// clustered. Only a plan: the engine rewrites each group and commits it as 'replace'.

import { comparableOf, compare } from './prune-literal.ts'
import { partitionKey } from './snapshot-summary.ts'
import type { DataFile, LakeTable, PartitionValue } from './types.ts'
import { flatType } from './value/iceberg-type.ts'
import { decodeValue } from './value/single-value.ts'

export interface CompactionOptions {
  /** Size of a group, and so about of the file it becomes. */
  readonly targetBytes: number
  /** Files below it are small. */
  readonly smallBytes: number
  /** Small files that a partition must have before it is worth it. */
  readonly minFiles: number
  /** Also files, however large, that lack a column whose default their rows have: not every engine's filters know of it. */
  readonly fillDefaults?: boolean
}

const MIB = 1024 * 1024
const USUAL: CompactionOptions = { targetBytes: 128 * MIB, smallBytes: 32 * MIB, minFiles: 16 }

/** Of tables whose files a merge by key writes anew: what few keys cost is the size of the files that hold them. */
const REWRITTEN: CompactionOptions = { targetBytes: 16 * MIB, smallBytes: 4 * MIB, minFiles: 16 }

/** Version 3 has deletion vectors for keys that are replaced. */
export const compactionOf = ({ schema, formatVersion }: LakeTable): CompactionOptions =>
  schema.identifierIds.length > 0 && formatVersion < 3 ? REWRITTEN : USUAL

/** Share of a file's rows from which deleted ones are worth writing it anew: every scan reads them to leave them out. */
const DELETED_SHARE = 0.1

/** Files to be rewritten as one. */
export interface CompactionGroup {
  readonly specId: number
  readonly partition: Readonly<Record<string, PartitionValue>>
  readonly files: readonly DataFile[]
  readonly sizeBytes: number
}

/** Groups of small files, and single files of which many rows are deleted or that lack what is asked for; those of an earlier partition spec are left as they are. */
export function planCompaction(
  table: LakeTable,
  files: readonly DataFile[],
  options: CompactionOptions = compactionOf(table),
): CompactionGroup[] {
  const partitions = new Map<string, DataFile[]>()
  const isWorn = (file: DataFile): boolean => (file.deletes?.vector?.positions.length ?? 0) >= file.rows * DELETED_SHARE
  const given = options.fillDefaults ? table.schema.fields.filter(({ initialDefault }) => initialDefault !== undefined) : []
  const lacks = (file: DataFile): boolean => given.some(({ id }) => !file.columns.has(id))
  const worn = files.filter((file) => file.specId === table.spec.id && (isWorn(file) || lacks(file)))
  for (const file of files) {
    if (file.sizeBytes >= options.smallBytes || file.specId !== table.spec.id) continue
    const key = partitionKey(file)
    partitions.set(key, [...(partitions.get(key) ?? []), file])
  }
  const joined = [...partitions.values()]
    .filter((small) => small.length >= options.minFiles)
    .flatMap((small) => pack(inSortOrder(table, small), options.targetBytes))
  const taken = new Set(joined.flatMap((group) => group.files))
  return [...joined, ...worn.filter((file) => !taken.has(file)).map((file) => groupOf([file]))]
}

const groupOf = (files: readonly [DataFile, ...DataFile[]]): CompactionGroup => ({
  specId: files[0].specId,
  partition: files[0].partition,
  files,
  sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
})

function inSortOrder(table: LakeTable, files: readonly DataFile[]): DataFile[] {
  const [first] = table.sort
  const field = table.schema.fields.find((other) => other.id === first)
  if (!field) return [...files]
  const keyOf = (file: DataFile) => {
    const lower = file.columns.get(field.id)?.lower
    return lower ? comparableOf(decodeValue(flatType(field.type), lower)) : null
  }
  const keyed = files.map((file) => ({ file, key: keyOf(file) }))
  keyed.sort((a, b) => (a.key === null || b.key === null ? Number(a.key === null) - Number(b.key === null) : compare(a.key, b.key)))
  return keyed.map(({ file }) => file)
}

function pack(files: readonly DataFile[], targetBytes: number): CompactionGroup[] {
  const groups: { files: DataFile[]; sizeBytes: number }[] = []
  for (const file of files) {
    const last = groups.at(-1)
    if (last && last.sizeBytes + file.sizeBytes <= targetBytes) {
      last.files.push(file)
      last.sizeBytes += file.sizeBytes
    } else {
      groups.push({ files: [file], sizeBytes: file.sizeBytes })
    }
  }
  return groups
    .filter((group) => group.files.length > 1)
    .map(({ files: [...members], sizeBytes }) => ({
      specId: members[0]!.specId,
      partition: members[0]!.partition,
      files: members,
      sizeBytes,
    }))
}
