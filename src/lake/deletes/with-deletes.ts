// Data files of a snapshot together with what deletes rows of them: the step between manifests and a scan. Deletion vectors
// are read here, since the engine cannot; position and equality delete files are Parquet and read by the scan itself.
import { DELETED, type Entry, type ManifestEntry, mustBeParquet } from '../manifest.ts'
import { holdsData, isLive, type ManifestFile } from '../manifest-list.ts'
import type { MetadataFiles } from '../metadata-files.ts'
import { partitionKey } from '../snapshot-summary.ts'
import type { DataFile, LakeTable } from '../types.ts'
import type { DeleteFile } from './delete-manifest.ts'
import { matchDeletes } from './match-deletes.ts'

/**
 * The files of `live`, entries of the snapshot whose manifests are given.
 * @throws MR_LAKE_CORRUPT when a delete manifest or vector is damaged; MR_LAKE_VERSION for a kind of deletes that is not read.
 */
export async function withDeletes(
  files: MetadataFiles,
  table: LakeTable,
  manifests: readonly ManifestFile[],
  live: readonly ManifestEntry[],
): Promise<DataFile[]> {
  const find = await finderOf(files, table, manifests)
  if (!find) return live.map((entry) => entry.file)
  return Promise.all(
    live.map(async ({ file, sequence }): Promise<DataFile> => {
      const found = find(file, sequence)
      if (!found) return file
      const { vector, positions, equality } = found
      return {
        ...file,
        deletes: {
          sequence,
          partition: partitionKey(file),
          vector: vector && { path: vector.file.path, positions: await files.vector(vector.file) },
          positionFiles: positions.map((entry) => entry.file.path),
          equality: equality.map((entry) => ({
            path: entry.file.path,
            fieldIds: entry.file.equalityIds,
            sequence: entry.sequence,
            partition: entry.isGlobal ? null : partitionKey(entry.file),
          })),
        },
      }
    }),
  )
}

type Finder = ReturnType<typeof matchDeletes>

/** By a snapshot's list, which stays in memory as long as it is asked for. */
const finders = new WeakMap<readonly ManifestFile[], Finder | null>()

/** Finds the deletes of a data file; null when the snapshot has none. */
async function finderOf(files: MetadataFiles, table: LakeTable, manifests: readonly ManifestFile[]): Promise<Finder | null> {
  const known = finders.get(manifests)
  if (known !== undefined) return known
  const deletes = await liveDeletes(files, table, manifests)
  for (const { file } of deletes) mustBeParquet(file)
  const finder = deletes.length === 0 ? null : matchDeletes(deletes, table.specs)
  finders.set(manifests, finder)
  return finder
}

/** Delete files that are part of a snapshot. */
async function liveDeletes(files: MetadataFiles, table: LakeTable, manifests: readonly ManifestFile[]): Promise<Entry<DeleteFile>[]> {
  const entries: Entry<DeleteFile>[] = []
  for (const manifest of manifests) {
    if (holdsData(manifest) || !isLive(manifest)) continue
    for (const entry of await files.deleteEntries(manifest, table)) if (entry.status !== DELETED) entries.push(entry)
  }
  return entries
}

/** Equal for a data file in two snapshots when the same rows of it are there. */
export function contentKey({ path, deletes }: DataFile): string {
  if (!deletes) return path
  const { vector, positionFiles, equality } = deletes
  const vectorKey = vector ? [`${vector.path} ${vector.positions.length}`] : []
  return JSON.stringify([path, ...[...vectorKey, ...positionFiles, ...equality.map((one) => one.path)].sort()])
}
