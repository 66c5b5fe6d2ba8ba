// Which rows of a table changed between two snapshots: rows of added files minus rows of removed ones, and the other way
// round. Rewrites that change nothing (compaction) cancel out. Of a file that lost rows to a vector only those are looked at.
import { pickedSql } from '../engine/lineage.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteName } from '../engine/sql-text.ts'
import { contentKey } from '../lake/deletes/with-deletes.ts'
import type { Lake } from '../lake/open-lake.ts'
import { RETAINED_BY, RETAINED_FROM } from '../lake/snapshot-summary.ts'
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
  const differs = (file: DataFile, keys: ReadonlySet<string>): boolean => !keys.has(contentKey(file))
  const gone = vectorsOnly(
    before.filter((file) => differs(file, nowKeys)),
    now,
  )
  const added = now.filter((file) => differs(file, beforeKeys) && !gone.has(file.path))
  const removed = before.filter((file) => differs(file, nowKeys) && !gone.has(file.path))
  if (added.length === 0 && removed.length === 0 && gone.size === 0) return 'none'
  const scan = async (files: readonly DataFile[]): Promise<string> => scanSql({ table, files: await lease.local(files), tails: [] })
  const plus = await scan(added)
  const minus = [
    ...(removed.length > 0 || gone.size === 0 ? [await scan(removed)] : []),
    ...(gone.size > 0 ? [await picked(table, gone, lease)] : []),
  ].join(' UNION ALL ')
  const both = `((${plus}) EXCEPT ALL (${minus})) UNION ALL ((SELECT * FROM (${minus}) WHERE ${notRetained(table)}) EXCEPT ALL (${plus}))`
  return { changed: removed.length === 0 && gone.size === 0 ? plus : both, before: await scan(before) }
}

interface Gone {
  readonly file: DataFile
  readonly positions: Float64Array
}

/** Of files that are in both snapshots, and of which only a deletion vector has grown: the rows that went, by path. */
function vectorsOnly(before: readonly DataFile[], now: readonly DataFile[]): Map<string, Gone> {
  const later = new Map(now.map((file) => [file.path, file]))
  return new Map(
    before.flatMap((file): [string, Gone][] => {
      const [old, next] = [positionsOf(file), positionsOf(later.get(file.path))]
      if (!old || !next || [...old].some((position) => !next.has(position))) return []
      return [[file.path, { file, positions: Float64Array.from([...next].filter((position) => !old.has(position))) }]]
    }),
  )
}

/** What a vector says; null for a file that has other deletes. */
function positionsOf(file: DataFile | undefined): Set<number> | null {
  if (!file) return null
  const { vector = null, positionFiles = [], equality = [] } = file.deletes ?? {}
  return positionFiles.length + equality.length > 0 ? null : new Set(vector?.positions)
}

async function picked(table: LakeTable, gone: ReadonlyMap<string, Gone>, lease: RefreshParts['lease']): Promise<string> {
  const all = [...gone.values()]
  const local = await lease.local(all.map(({ file }) => file))
  return pickedSql(
    table,
    local.map((file, i) => ({ file, positions: all[i]!.positions })),
  )
}

/** Rows that left because they were old are no change: what was made of them stays as it was. */
export function notRetained({ snapshots, schema }: LakeTable): string {
  const cuts = new Map<string, number>()
  for (const { summary } of snapshots) {
    const [by, from] = [summary[RETAINED_BY], Number(summary[RETAINED_FROM])]
    if (by !== undefined) cuts.set(by, Math.max(cuts.get(by) ?? from, from))
  }
  const terms = schema.fields.flatMap(({ id, name, type }) => {
    const from = cuts.get(String(id))
    if (from === undefined) return []
    const old = type === 'date' ? `${quoteName(name)} < DATE '1970-01-01' + ${from}` : `epoch_us(${quoteName(name)}) < ${from}`
    return [`(${old}) IS NOT TRUE`]
  })
  return terms.length === 0 ? 'true' : terms.join(' AND ')
}

/** Files of an older snapshot; null when it has expired. */
export async function filesAt(lake: Lake, table: LakeTable, id: bigint): Promise<readonly DataFile[] | null> {
  const snapshot = table.snapshots.find((candidate) => candidate.id === id)
  return snapshot ? lake.files(table, snapshot) : null
}
