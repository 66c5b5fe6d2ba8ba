// Which rows of a table changed between two snapshots: rows of added files minus rows of removed ones, and the other way
// round. Rewrites that change nothing (compaction) cancel out.
import { scanSql } from '../engine/scan.ts'
import { contentKey } from '../lake/deletes/with-deletes.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { DataFile, LakeTable } from '../lake/types.ts'
import type { RefreshParts } from './inputs.ts'

export interface ChangedRows {
  /** SQL of rows that came or went, with the table's columns. */
  readonly changed: string
  /** SQL of the table as it was. */
  readonly before: string
}

/**
 * Since snapshot `from` (null = since it was empty). 'none' when no file differs; 'unknown' when that snapshot has expired or
 * the table was made anew.
 */
export async function changedRows(
  { lake, lease }: Omit<RefreshParts, 'engine'>,
  table: LakeTable | null,
  from: string | null,
): Promise<ChangedRows | 'none' | 'unknown'> {
  if (!table || (table.current?.id.toString() ?? null) === from) return 'none'
  const now = table.current ? await lake.files(table) : []
  const before = from === null ? [] : await filesAt(lake, table, BigInt(from))
  if (before === null) return 'unknown'
  const [beforeKeys, nowKeys] = [new Set(before.map(contentKey)), new Set(now.map(contentKey))]
  const added = now.filter((file) => !beforeKeys.has(contentKey(file)))
  const removed = before.filter((file) => !nowKeys.has(contentKey(file)))
  if (added.length === 0 && removed.length === 0) return 'none'
  const scan = async (files: readonly DataFile[]): Promise<string> => scanSql({ table, files: await lease.local(files), tails: [] })
  const [plus, minus] = [await scan(added), await scan(removed)]
  const both = `((${plus}) EXCEPT ALL (${minus})) UNION ALL ((${minus}) EXCEPT ALL (${plus}))`
  return { changed: removed.length === 0 ? plus : both, before: await scan(before) }
}

/** Files of an older snapshot; null when it has expired. */
async function filesAt(lake: Lake, table: LakeTable, id: bigint): Promise<readonly DataFile[] | null> {
  const snapshot = table.snapshots.find((candidate) => candidate.id === id)
  return snapshot ? lake.files(table, snapshot) : null
}
