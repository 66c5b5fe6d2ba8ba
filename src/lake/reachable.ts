// Every file that some snapshots need: what expiry and the removal of orphans must leave alone.
import { toPath } from './location.ts'
import { DELETED } from './manifest.ts'
import type { MetadataFiles } from './metadata-files.ts'
import type { LakeSnapshot, LakeTable } from './types.ts'

/** Paths of the manifest lists, manifests and live data and delete files of `snapshots`. */
export async function reachableFrom(files: MetadataFiles, table: LakeTable, snapshots: readonly LakeSnapshot[]): Promise<Set<string>> {
  const paths = new Set<string>()
  const seen = new Set<string>()
  for (const snapshot of snapshots) {
    paths.add(toPath(snapshot.manifestList))
    for (const manifest of await files.list(snapshot.manifestList)) {
      paths.add(manifest.path)
      if (seen.has(manifest.path)) continue
      seen.add(manifest.path)
      for (const entry of await files.namedBy(manifest, table)) if (entry.status !== DELETED) paths.add(entry.file.path)
    }
  }
  return paths
}
