// The delete manifests of a new snapshot: vectors of rows that go now, joined with those that their files have already, and
// without what is about files that are gone (Iceberg spec, "Deletion Vectors", "Delete Formats"). Files are written, nothing is
// visible yet; which data files go is decided before (`stage-change.ts`).
import { MillraceError } from '../../core/errors.ts'
import { ADDED, DELETED, type Entry, EXISTING, type ManifestEntry } from '../manifest.ts'
import { holdsData, type ManifestFile } from '../manifest-list.ts'
import type { MetadataFiles, SnapshotNumbers } from '../metadata-files.ts'
import type { DataFile, DeletedRows, LakeTable } from '../types.ts'
import type { DeleteFile } from './delete-manifest.ts'
import { joinPositions } from './deletion-vector.ts'

type Deletes = Entry<DeleteFile>

export interface DeletesStage {
  readonly files: MetadataFiles
  readonly table: LakeTable
  readonly snapshot: SnapshotNumbers
  readonly nowMs: number
  /** Paths of what is written, to be removed when the commit fails. */
  readonly written: string[]
}

/** The delete manifests of the table as it is, with their live entries. */
export interface LiveDeletes {
  readonly manifest: ManifestFile
  readonly entries: readonly Deletes[]
}

export async function readLiveDeletes(
  { files, table }: Pick<DeletesStage, 'files' | 'table'>,
  manifests: readonly ManifestFile[],
): Promise<LiveDeletes[]> {
  const live: LiveDeletes[] = []
  for (const manifest of manifests.filter((one) => !holdsData(one)))
    live.push({ manifest, entries: (await files.deleteEntries(manifest, table)).filter((entry) => entry.status !== DELETED) })
  return live
}

/** Rows that go from files that stay, all that the vector of each says from now on; and files that lose their last row. */
export interface Joined {
  readonly vectors: readonly (DeletedRows & { readonly file: DataFile })[]
  readonly emptied: readonly string[]
}

/**
 * Joins the rows to delete with the vectors that their files have.
 * @throws MR_LAKE_CONFLICT when a file is not among `data` any more, or one of the rows is deleted already.
 */
export async function joinDeleted(
  { files, table }: Pick<DeletesStage, 'files' | 'table'>,
  asked: readonly DeletedRows[],
  data: readonly ManifestEntry[],
  live: readonly LiveDeletes[],
): Promise<Joined> {
  const byPath = new Map(data.map((entry) => [entry.file.path, entry.file]))
  const vectorOf = new Map(live.flatMap(({ entries }) => entries.filter(isVector)).map((entry) => [entry.file.dataFile, entry]))
  const vectors: (DeletedRows & { file: DataFile })[] = []
  const emptied: string[] = []
  for (const { path, positions } of asked) {
    const file = byPath.get(path)
    if (!file) throw conflict(table, `${path} is not live any more`)
    const before = vectorOf.get(path)
    const all = before ? joinPositions(await files.vector(before.file), positions) : positions
    if (!all) throw conflict(table, `rows of ${path} were deleted meanwhile`)
    if (all.length === file.rows) emptied.push(path)
    else vectors.push({ path, positions: all, file })
  }
  return { vectors, emptied }
}

const isVector = (entry: Deletes): boolean => entry.file.kind === 'vector'

const conflict = (table: LakeTable, what: string): MillraceError =>
  new MillraceError('MR_LAKE_CONFLICT', `${table.name}: ${what}`, { fix: 'read the table anew and repeat the operation' })

export interface StagedDeletes {
  readonly manifests: ManifestFile[]
  readonly added: readonly DeleteFile[]
  readonly removed: readonly DeleteFile[]
}

/**
 * The delete manifests after the commit. `gone`: data files that are no part of the table from now on; `oldestSequence`: the
 * least data sequence number of those that are, by which deletes of before are about nothing.
 */
export async function stageDeletes(
  stage: DeletesStage,
  live: readonly LiveDeletes[],
  { vectors, gone, oldestSequence }: Pick<Joined, 'vectors'> & { readonly gone: ReadonlySet<string>; readonly oldestSequence: number },
): Promise<StagedDeletes> {
  const replaced = new Set([...gone, ...vectors.map(({ path }) => path)])
  const isOver = ({ sequence, file }: Deletes): boolean =>
    file.kind === 'vector'
      ? replaced.has(file.dataFile!)
      : sequence < oldestSequence || (file.kind === 'position' && file.dataFile !== null && gone.has(file.dataFile))
  const manifests: ManifestFile[] = []
  const removed: DeleteFile[] = []
  for (const { manifest, entries } of live) {
    const over = new Set(entries.filter(isOver))
    if (over.size === 0) {
      manifests.push(manifest)
      continue
    }
    for (const { file } of over) removed.push(file)
    const next = entries.map(
      (entry): Deletes => (over.has(entry) ? { ...entry, status: DELETED, snapshotId: stage.snapshot.id } : { ...entry, status: EXISTING }),
    )
    manifests.push(await write(stage, next, manifest.specId))
  }
  const added = await writeVectors(stage, vectors)
  for (const specId of new Set(added.map((file) => file.specId))) {
    const entries = added.filter((file) => file.specId === specId).map((file) => newEntry(file, stage))
    manifests.unshift(await write(stage, entries, specId))
  }
  return { manifests, added, removed }
}

const newEntry = (file: DeleteFile, { snapshot: { id, sequence } }: DeletesStage): Deletes => ({
  status: ADDED,
  snapshotId: id,
  sequence,
  fileSequence: sequence,
  file,
})

async function write(
  { files, table, snapshot, nowMs, written }: DeletesStage,
  entries: readonly Deletes[],
  specId: number,
): Promise<ManifestFile> {
  const manifest = await files.writeDeleteManifest(entries, table, specId, snapshot, nowMs)
  written.push(manifest.path)
  return manifest
}

async function writeVectors({ files, table, nowMs, written }: DeletesStage, vectors: Joined['vectors']): Promise<DeleteFile[]> {
  if (vectors.length === 0) return []
  const { path, sizeBytes, placed } = await files.writeVectors(vectors, table, nowMs)
  written.push(path)
  return placed.map(({ offset, lengthBytes, positions }, i): DeleteFile => {
    const { file } = vectors[i]!
    const { specId, partition } = file
    const about = { kind: 'vector', path, sizeBytes, specId, partition, dataFile: file.path, offset, lengthBytes } as const
    return { ...about, rows: positions.length, columns: new Map(), equalityIds: [] }
  })
}
