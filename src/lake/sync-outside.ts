// Makes durable what another engine wrote before its commit (PROTOCOL rule 14): the lists and manifests of the snapshots that
// it adds, and the files that those add. Best effort by nature: what cannot be read or found is the other engine's affair,
// and the commit goes on; what is there is synced, so that a power cut cannot take it back after the commit.
import { isRemote } from '../objects/object-store.ts'
import { type CommitContext, syncDataFiles } from './commit.ts'
import { isBelow, toPath } from './location.ts'
import { ADDED } from './manifest.ts'
import { type ManifestFile, readManifestList } from './manifest-list.ts'
import { type SnapshotJson, type TableMetadata, toLakeTable } from './table-metadata.ts'

export async function syncOutside(context: CommitContext, before: TableMetadata | undefined, after: TableMetadata): Promise<void> {
  const known = new Set(before?.snapshots.map((snapshot) => snapshot['snapshot-id']))
  for (const snapshot of after.snapshots) {
    // What lies in a store was durable when the store answered.
    if (known.has(snapshot['snapshot-id']) || isRemote(snapshot['manifest-list'])) continue
    const lists = [toPath(snapshot['manifest-list'])]
    const manifests = await ofSnapshot(context, snapshot)
    const files = await Promise.all(manifests.map((manifest) => addedBy(context, manifest, after)))
    await syncPresent(context, [...files.flat(), ...manifests.map(({ path }) => path), ...lists])
  }
}

/** The manifests that a snapshot wrote itself. */
async function ofSnapshot({ files }: CommitContext, snapshot: SnapshotJson): Promise<ManifestFile[]> {
  const location = snapshot['manifest-list']
  try {
    const manifests = readManifestList(await files.read(location), location)
    return manifests.filter((manifest) => manifest.snapshotId === snapshot['snapshot-id'])
  } catch {
    return []
  }
}

async function addedBy({ files }: CommitContext, manifest: ManifestFile, metadata: TableMetadata): Promise<string[]> {
  try {
    const entries = await files.namedBy(manifest, toLakeTable('', '', metadata))
    return entries.filter((entry) => entry.status === ADDED).map((entry) => toPath(entry.file.path))
  } catch {
    return []
  }
}

async function syncPresent(context: CommitContext, paths: readonly string[]): Promise<void> {
  const present: string[] = []
  for (const path of paths) {
    const isOurs = !isRemote(path) && context.roots.some((root) => isBelow(path, root))
    if (isOurs && (await context.files.disk.stat(path))) present.push(path)
  }
  await syncDataFiles(context, present)
}
