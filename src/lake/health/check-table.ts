// A whole table looked at: its metadata and every snapshot that it retains. Expiry leaves the snapshots alone meanwhile.
import { type CommitContext, pointerOf } from '../commit.ts'
import type { Pins } from '../pins.ts'
import type { LakeTable } from '../types.ts'
import { openCheck, type SnapshotCheck } from './check-snapshots.ts'
import { readSound } from './sound-table.ts'

export interface TableCheck {
  readonly table: LakeTable
  /** The pointer's metadata file when it cannot be read; the table is then that of the newest before it. */
  readonly damagedMetadata: string | null
  /** Newest first. */
  readonly snapshots: readonly SnapshotCheck[]
}

/** @throws MR_LAKE_TABLE_UNKNOWN; MR_LAKE_CORRUPT when no metadata can be read; MR_LAKE_VERSION. */
export async function checkTable(context: CommitContext, pins: Pins, name: string): Promise<TableCheck> {
  const pointer = await pointerOf(context, name)
  const fresh = context.files.fresh()
  const { table, location } = await readSound(fresh, pointer)
  const releases = table.snapshots.map((snapshot) => pins.hold(name, snapshot.id))
  try {
    const check = openCheck(fresh, table)
    const snapshots: SnapshotCheck[] = []
    for (const snapshot of table.snapshots.toReversed()) snapshots.push(await check(snapshot))
    return { table, damagedMetadata: location === pointer.location ? null : pointer.location, snapshots }
  } finally {
    for (const release of releases) release()
  }
}
