// What is left of a table when one of its files is damaged: the newest metadata that can be read, and the snapshots whose
// files are all there. Answers what somebody needs who has to choose the snapshot to go back to.
import { MillraceError } from '../../core/errors.ts'
import type { TablePointer } from '../../store/catalog.ts'
import { numberOfMetadata, parentOf, toPath } from '../location.ts'
import type { MetadataFiles } from '../metadata-files.ts'
import { type TableMetadata, toLakeTable } from '../table-metadata.ts'
import type { LakeSnapshot, LakeTable } from '../types.ts'
import { openCheck } from './check-snapshots.ts'

export interface SoundTable {
  readonly table: LakeTable
  readonly metadata: TableMetadata
  /** Where it was read; not where the pointer is when that file is damaged. */
  readonly location: string
}

/**
 * The table by its pointer's metadata or, when that cannot be read, by the newest before it.
 * @throws MR_LAKE_CORRUPT when none can be read; MR_LAKE_VERSION for a format that is not read.
 */
export async function readSound(files: MetadataFiles, pointer: TablePointer): Promise<SoundTable> {
  const read = async (location: string): Promise<SoundTable> => {
    const metadata = await files.metadata(location)
    return { table: toLakeTable(pointer.name, location, metadata), metadata, location }
  }
  try {
    return await read(pointer.location)
  } catch (first) {
    if (!isCorrupt(first)) throw first
    for (const location of await earlier(files, pointer.location)) {
      const found = await read(location).catch(() => null)
      if (found) return found
    }
    throw first
  }
}

const isCorrupt = (cause: unknown): boolean => cause instanceof MillraceError && cause.code === 'MR_LAKE_CORRUPT'

/** Metadata files of the table before this one, newest first. */
async function earlier({ store }: MetadataFiles, location: string): Promise<string[]> {
  const directory = parentOf(location)
  const listed = await Array.fromAsync(store.list(toPath(directory)), ({ path }) => path.slice(toPath(directory).length + 1))
  const names = listed.filter((name) => name.endsWith('.metadata.json'))
  const at = location.slice(directory.length + 1)
  return names
    .filter((name) => numberOfMetadata(name) < numberOfMetadata(at))
    .sort((a, b) => numberOfMetadata(b) - numberOfMetadata(a))
    .map((name) => `${directory}/${name}`)
}

/** Names begin with a number that counts up, or with `v` and a number. */

/** Snapshots that are whole and have no file of `damaged`, newest first; at most `most` of them. */
export async function goodSnapshots(
  files: MetadataFiles,
  table: LakeTable,
  most: number,
  damaged: ReadonlySet<string> = new Set(),
): Promise<LakeSnapshot[]> {
  const check = openCheck(files.fresh(), table)
  const good: LakeSnapshot[] = []
  for (const snapshot of table.snapshots.toReversed()) {
    const { damage, dataFiles } = await check(snapshot)
    if (damage.length === 0 && !dataFiles.some((file) => damaged.has(file.path))) good.push(snapshot)
    if (good.length === most) break
  }
  return good
}
