// New rows of a commit whose table others changed after the commit had begun: the same manifests in a new list, behind what is
// there now. Only where other tables of the commit have it already; a commit that nobody has is staged anew by the lake.
// Manifests that the append joined are not among them: the table has their files in the manifests that it has now.
import type { MetadataFiles } from '../metadata-files.ts'
import type { SnapshotJson, TableMetadata } from '../table-metadata.ts'
import type { Update } from '../updates/update.ts'
import { addedSnapshots, type TableCommit, updatesBetween } from '../updates/updates-between.ts'

export interface Restage {
  /** What the commit was computed from, what it was to make of it, and what there is now; the same table. */
  readonly before: TableMetadata
  readonly after: TableMetadata
  readonly now: TableMetadata
}

/** Whether nothing else changes than new rows, and properties. */
export const isBareAppend = (before: TableMetadata, after: TableMetadata): boolean =>
  addedSnapshots(before, after).every((snapshot) => snapshot.summary.operation === 'append') &&
  definitions(before, after).every(isOfProperties)

const isOfProperties = ({ action }: Update): boolean => action.endsWith('-properties')

/** The updates but those of snapshots. */
const definitions = (before: TableMetadata, after: TableMetadata): readonly Update[] =>
  updatesBetween(before, after).updates.filter(({ action }) => action !== 'add-snapshot' && action !== 'set-snapshot-ref')

/** Null when it is more than one append, or of a table whose rows have ids (version 3). */
export async function restageAppend(
  { files }: { readonly files: MetadataFiles },
  { before, after, now }: Restage,
): Promise<TableCommit | null> {
  const [mine, another] = addedSnapshots(before, after)
  if (!mine) return updatesBetween(before, after)
  if (another || !isBareAppend(before, after) || now['format-version'] >= 3) return null
  const head = now.snapshots.find((one) => one['snapshot-id'] === now['current-snapshot-id'])
  const id = mine['snapshot-id']
  const sequence = now['last-sequence-number'] + 1
  const added = (await files.list(mine['manifest-list'])).filter((manifest) => manifest.snapshotId === id && manifest.files.added > 0)
  const others = head ? await files.list(head['manifest-list']) : []
  const numbers = { id, parentId: head?.['snapshot-id'] ?? null, sequence }
  // Entries that a manifest adds have the sequence number that the list gives to the manifest.
  const manifests = [...added.map((manifest) => ({ ...manifest, sequence, minSequence: sequence })), ...others]
  const { uri: list } = await files.writeList(manifests, after, numbers, mine['timestamp-ms'])
  const { 'parent-snapshot-id': _, ...rest } = mine
  const snapshot: SnapshotJson = {
    ...rest,
    ...(head ? { 'parent-snapshot-id': head['snapshot-id'] } : {}),
    'sequence-number': sequence,
    'timestamp-ms': Math.max(mine['timestamp-ms'], now['last-updated-ms']),
    'manifest-list': list,
    summary: { ...rest.summary, ...totals(rest.summary, head?.summary) },
  }
  const main = now.refs['main']
  return {
    requirements: [
      { type: 'assert-table-uuid', uuid: now['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': head?.['snapshot-id'] ?? null },
    ],
    updates: [
      ...definitions(before, after),
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', 'ref-name': 'main', ...main, type: 'branch', 'snapshot-id': id },
    ],
  }
}

/** What the append adds, on top of what there is now. */
const totals = (mine: SnapshotJson['summary'], head: SnapshotJson['summary'] | undefined): Record<string, string> =>
  Object.fromEntries(
    Object.keys(mine)
      .filter((key) => key.startsWith('total-'))
      .map((key) => [key, String(Number(head?.[key] ?? 0) + Number(mine[key.replace('total-', 'added-')] ?? 0))]),
  )
