// Every file that some snapshots need: what expiry and the removal of orphans must leave alone.
import { toPath } from './location.ts'
import { DELETED } from './manifest.ts'
import type { MetadataFiles } from './metadata-files.ts'
import type { LakeSnapshot, LakeTable } from './types.ts'

/**
 * Paths of the manifest lists, manifests and live data and delete files of `snapshots`, each with its bytes; those of lists are
 * written down nowhere and count as none.
 */
export async function reachableFrom(
  files: MetadataFiles,
  table: LakeTable,
  snapshots: readonly LakeSnapshot[],
): Promise<Map<string, number>> {
  const paths = new Map<string, number>()
  const seen = new Set<string>()
  for (const snapshot of snapshots) {
    paths.set(toPath(snapshot.manifestList), 0)
    for (const manifest of await files.list(snapshot.manifestList)) {
      paths.set(manifest.path, manifest.sizeBytes)
      if (seen.has(manifest.path)) continue
      seen.add(manifest.path)
      for (const entry of await files.namedBy(manifest, table))
        if (entry.status !== DELETED) paths.set(entry.file.path, entry.file.sizeBytes)
    }
  }
  return paths
}
