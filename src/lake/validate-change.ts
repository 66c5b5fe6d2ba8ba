// Serializable isolation (PROTOCOL, "The one commit"): a change that was computed from a snapshot may only follow it when
// nothing was added since that it should have seen. Appends depend on nothing.
import { MillraceError } from '../core/errors.ts'
import type { DeleteFile } from './deletes/delete-manifest.ts'
import { DELETED, type Entry } from './manifest.ts'
import { holdsData, isLive } from './manifest-list.ts'
import type { MetadataFiles } from './metadata-files.ts'
import { pruner } from './prune.ts'
import { RESTORED_FROM } from './snapshot-summary.ts'
import type { Base } from './stage-change.ts'
import type { LakeSnapshot, LakeTable, TableChange } from './types.ts'

/**
 * @throws MR_LAKE_CONFLICT when files were added after `validateFrom`, when rows of files that go were deleted after it or
 * after `readFrom`, or when that snapshot is not an ancestor any more.
 */
export async function validateChange(base: Base, change: TableChange, files: MetadataFiles): Promise<void> {
  const from = change.validateFrom === undefined ? change.readFrom : change.validateFrom
  if (from === undefined) return
  const since = snapshotsSince(base.table, from)
  if (since === null) {
    throw new MillraceError('MR_LAKE_CONFLICT', `${change.table}: the snapshot ${from} that was read is not part of its history now`, {
      fix: 'read the table anew and repeat the operation',
    })
  }
  // Files that a restore brought back were added long ago, and rows that it brought back were deleted in what was read.
  const restored = since.find(isRestore)
  if (restored && (change.remove.length > 0 || change.delete || change.validateFrom !== undefined))
    throw new MillraceError('MR_LAKE_CONFLICT', `${change.table}: snapshot ${restored.id} went back to an earlier one meanwhile`, {
      fix: 'read the table anew and repeat the operation',
    })
  if (change.remove.length > 0) await checkDeletes(base.table, since, change.remove, files)
  if (change.validateFrom === undefined) return
  const adding = since.filter(addsRows)
  if (adding.length === 0 || !(await addedMatching(base.table, since, change, files))) return
  throw new MillraceError(
    'MR_LAKE_CONFLICT',
    `${change.table}: snapshot ${adding[0]!.id} added rows after ${change.validateFrom ?? 'the start'}`,
    {
      fix: 'read the table anew and repeat the operation',
    },
  )
}

/** Files written anew hold rows that others may have deleted from the old ones meanwhile. */
async function checkDeletes(
  table: LakeTable,
  since: readonly LakeSnapshot[],
  remove: readonly string[],
  files: MetadataFiles,
): Promise<void> {
  if (since.length === 0 || !table.current) return
  const [ids, removed] = [new Set(since.map((snapshot) => snapshot.id)), new Set(remove)]
  // Deletes of which it is not known what they are about may be about any file.
  const matters = ({ status, snapshotId, file }: Entry<DeleteFile>): boolean =>
    status !== DELETED && ids.has(snapshotId) && (file.dataFile === null || removed.has(file.dataFile))
  for (const manifest of await files.list(table.current.manifestList)) {
    if (holdsData(manifest) || !isLive(manifest) || !ids.has(manifest.snapshotId)) continue
    const added = (await files.deleteEntries(manifest, table)).find(matters)
    if (!added) continue
    throw new MillraceError('MR_LAKE_CONFLICT', `${table.name}: snapshot ${added.snapshotId} deleted rows meanwhile`, {
      fix: 'read the table anew and repeat the operation',
    })
  }
}

/** Snapshots after `from`, newest first; null when `from` is not among the ancestors of the current one. */
export function snapshotsSince(table: LakeTable, from: bigint | null): LakeSnapshot[] | null {
  const byId = new Map(table.snapshots.map((snapshot) => [snapshot.id, snapshot]))
  const since: LakeSnapshot[] = []
  for (let at = table.current?.id ?? null; at !== from; ) {
    const snapshot = at === null ? undefined : byId.get(at)
    if (!snapshot) return null
    since.push(snapshot)
    at = snapshot.parentId
  }
  return since
}

const isRestore = (snapshot: LakeSnapshot): boolean => snapshot.summary[RESTORED_FROM] !== undefined

// A compaction ('replace') adds files but no rows.
const addsRows = (snapshot: LakeSnapshot): boolean => snapshot.operation === 'append' || snapshot.operation === 'overwrite'

// Files of compactions count as well: they may hold rows of an added file that is gone again.
async function addedMatching(
  table: LakeTable,
  snapshots: readonly LakeSnapshot[],
  change: TableChange,
  files: MetadataFiles,
): Promise<boolean> {
  if (!change.validateWhere || !table.current) return true
  const { manifest: mayHold, file: mayMatch } = pruner(change.validateWhere, table.schema, table.specs, table.schemas)
  const ids = new Set(snapshots.map((snapshot) => snapshot.id))
  for (const manifest of await files.list(table.current.manifestList)) {
    if (!holdsData(manifest) || !mayHold(manifest)) continue
    for (const entry of await files.entries(manifest, table)) {
      if (entry.status !== DELETED && ids.has(entry.snapshotId) && mayMatch(entry.file)) return true
    }
  }
  return false
}
