// Which rows of a table changed between two snapshots: rows of added files minus rows of removed ones, and the other way
// round. Rewrites that change nothing (compaction) cancel out.
import { scanSql } from '../engine/scan.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { DataFile, LakeTable } from '../lake/types.ts'

export interface InputState {
  readonly table: LakeTable | null
  /** Snapshot that was read last; null = nothing was. */
  readonly from: string | null
}

/** SQL of the changed rows, with the table's columns; null when nothing changed. */
export async function changedRows(lake: Lake, { table, from }: InputState): Promise<string | null> {
  if (!table?.current || table.current.id.toString() === from) return null
  const now = await lake.files(table)
  const before = from === null ? [] : await filesAt(lake, table, BigInt(from))
  if (before === null) return scanSql({ table, files: now, tails: [] })
  const beforePaths = new Set(before.map((file) => file.path))
  const nowPaths = new Set(now.map((file) => file.path))
  const added = now.filter((file) => !beforePaths.has(file.path))
  const removed = before.filter((file) => !nowPaths.has(file.path))
  if (added.length === 0 && removed.length === 0) return null
  const plus = scanSql({ table, files: added, tails: [] })
  if (removed.length === 0) return plus
  const minus = scanSql({ table, files: removed, tails: [] })
  return `((${plus}) EXCEPT ALL (${minus})) UNION ALL ((${minus}) EXCEPT ALL (${plus}))`
}

/** Files of an older snapshot; null when it has expired, and then everything counts as changed. */
async function filesAt(lake: Lake, table: LakeTable, id: bigint): Promise<readonly DataFile[] | null> {
  const snapshot = table.snapshots.find((candidate) => candidate.id === id)
  return snapshot ? lake.files(table, snapshot) : null
}
