// Whether all that a commit from outside adds lies in the table's own directory. Millrace shows the rows of such a table under
// that table's rules: a manifest that named the files of another table would show rows past the rules of that one.
import { MillraceError } from '../core/errors.ts'
import type { CommitContext } from './commit.ts'
import { isBelow, toPath } from './location.ts'
import { DELETED } from './manifest.ts'
import { type ManifestFile, readManifestList } from './manifest-list.ts'
import { type TableMetadata, toLakeTable } from './table-metadata.ts'

/** What the parent of a new snapshot has already is taken as it is. @throws MR_LAKE_LOCATION, MR_LAKE_CORRUPT, MR_LAKE_VERSION */
export async function mustConfine(context: CommitContext, before: TableMetadata | undefined, after: TableMetadata): Promise<void> {
  const directory = toPath(after.location)
  const check = (path: string): void => {
    if (isBelow(toPath(path), directory)) return
    throw new MillraceError('MR_LAKE_LOCATION', `${path} is outside of the table's directory ${directory}`, {
      fix: 'write the files of a table of the project below its location',
    })
  }
  for (const snapshot of after.snapshots) {
    const find = (id: bigint | undefined) => before?.snapshots.find((one) => one['snapshot-id'] === id)
    if (find(snapshot['snapshot-id'])) continue
    const parent = find(snapshot['parent-snapshot-id'])
    const known = new Set(parent ? (await manifestsOf(context, parent['manifest-list'])).map(({ path }) => path) : [])
    check(snapshot['manifest-list'])
    for (const manifest of await manifestsOf(context, snapshot['manifest-list'])) {
      if (known.has(manifest.path)) continue
      check(manifest.path)
      const entries = await context.files.namedBy(manifest, toLakeTable('', '', after))
      for (const entry of entries) if (entry.status !== DELETED) check(entry.file.path)
    }
  }
}

const manifestsOf = async ({ files }: CommitContext, list: string): Promise<ManifestFile[]> =>
  readManifestList(await files.read(list), list)
