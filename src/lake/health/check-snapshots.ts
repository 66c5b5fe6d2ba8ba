// Are the files of snapshots there and whole? Lists and manifests are read again from the disk, deletion vectors with their
// checksums, data and delete files by their sizes. What is inside of Parquet files is the engine's to look at.
import { asMillraceError } from '../../core/errors.ts'
import type { DeleteFile } from '../deletes/delete-manifest.ts'
import { toPath } from '../location.ts'
import { DELETED, type Entry } from '../manifest.ts'
import { holdsData, type ManifestFile } from '../manifest-list.ts'
import type { MetadataFiles } from '../metadata-files.ts'
import type { DataFile, LakeSnapshot, LakeTable } from '../types.ts'

export interface Damage {
  readonly path: string
  /** In words that follow the path: 'is missing'. */
  readonly what: string
}

export interface SnapshotCheck {
  readonly snapshot: LakeSnapshot
  readonly damage: readonly Damage[]
  /** Its data files, whole or not. */
  readonly dataFiles: readonly DataFile[]
  /** All of its files with their sizes, as far as they could be found. */
  readonly files: readonly (readonly [path: string, sizeBytes: number])[]
}

/**
 * A check of snapshots of one table, each file once however many snapshots have it. `files` should be new: what it has
 * decoded it does not read again.
 */
export function openCheck(files: MetadataFiles, table: LakeTable): (snapshot: LakeSnapshot) => Promise<SnapshotCheck> {
  const manifests = new Map<string, Promise<Found>>()
  const sizes = new Map<string, Promise<Damage[]>>()
  const once = <T>(known: Map<string, Promise<T>>, path: string, look: () => Promise<T>): Promise<T> => {
    const found = known.get(path) ?? look()
    known.set(path, found)
    return found
  }
  const sized = (path: string, sizeBytes: number) => once(sizes, path, () => checkSize(files, path, sizeBytes))
  const read = (manifest: ManifestFile) =>
    once(manifests, manifest.path, () =>
      holdsData(manifest) ? readData(files, table, manifest, sized) : readDeletes(files, table, manifest, sized),
    )
  return async (snapshot) => {
    const path = toPath(snapshot.manifestList)
    try {
      const parts = await Promise.all((await files.list(snapshot.manifestList)).map(read))
      const [damage, dataFiles] = [parts.flatMap((part) => part.damage), parts.flatMap((part) => part.dataFiles)]
      return {
        snapshot,
        damage: damage.length > 0 ? damage : tooFew(path, snapshot, dataFiles.length),
        dataFiles,
        files: [[path, 0], ...parts.flatMap((part) => part.files)],
      }
    } catch (cause) {
      return { snapshot, damage: [damageOf(path, cause)], dataFiles: [], files: [[path, 0]] }
    }
  }
}

// A list that was cut between two blocks is a whole, shorter one. More files than its snapshot says are no sign of that:
// a writer that does not count leaves the totals too low.
function tooFew(path: string, { summary }: SnapshotCheck['snapshot'], count: number): Damage[] {
  const total = Number(summary['total-data-files'] ?? 0)
  return count < total ? [{ path, what: `names ${count} data files, its snapshot says ${total}` }] : []
}

interface Found {
  readonly damage: readonly Damage[]
  readonly dataFiles: readonly DataFile[]
  readonly files: SnapshotCheck['files']
}

type Sized = (path: string, sizeBytes: number) => Promise<Damage[]>

async function readData(files: MetadataFiles, table: LakeTable, manifest: ManifestFile, sized: Sized): Promise<Found> {
  try {
    const dataFiles = live(await files.entries(manifest, table))
    const damage = await Promise.all(dataFiles.map((file) => sized(file.path, file.sizeBytes)))
    return found(manifest, dataFiles, damage.flat(), dataFiles)
  } catch (cause) {
    return found(manifest, [], [damageOf(manifest.path, cause)])
  }
}

async function readDeletes(files: MetadataFiles, table: LakeTable, manifest: ManifestFile, sized: Sized): Promise<Found> {
  try {
    const deletes = live(await files.deleteEntries(manifest, table))
    const damage = await Promise.all(deletes.map((file) => checkDeletes(files, file, sized)))
    return found(manifest, deletes, damage.flat())
  } catch (cause) {
    return found(manifest, [], [damageOf(manifest.path, cause)])
  }
}

async function checkDeletes(files: MetadataFiles, file: DeleteFile, sized: Sized): Promise<Damage[]> {
  const damage = await sized(file.path, file.sizeBytes)
  if (damage.length > 0 || file.kind !== 'vector') return damage
  return files.vector(file).then(
    () => [],
    (cause) => [damageOf(file.path, cause)],
  )
}

const live = <F>(entries: readonly Entry<F>[]): F[] => entries.filter((entry) => entry.status !== DELETED).map((entry) => entry.file)

const found = (
  manifest: ManifestFile,
  members: readonly { readonly path: string; readonly sizeBytes: number }[],
  damage: readonly Damage[],
  dataFiles: readonly DataFile[] = [],
): Found => ({
  damage,
  dataFiles,
  files: [[manifest.path, manifest.sizeBytes], ...members.map((file) => [file.path, file.sizeBytes] as const)],
})

async function checkSize({ store }: MetadataFiles, path: string, sizeBytes: number): Promise<Damage[]> {
  const stat = await store.stat(path)
  if (!stat) return [{ path, what: 'is missing' }]
  return stat.sizeBytes === sizeBytes ? [] : [{ path, what: `has ${stat.sizeBytes} bytes instead of ${sizeBytes}` }]
}

/** Our errors begin with the path. @throws what may pass by itself: a store that does not answer is no damage. */
function damageOf(path: string, cause: unknown): Damage {
  const error = asMillraceError(cause)
  if (error.retryable) throw error
  const { message } = error
  const uri = message.indexOf(path)
  return { path, what: uri < 0 ? `cannot be read: ${message}` : message.slice(uri + path.length).trim() }
}
