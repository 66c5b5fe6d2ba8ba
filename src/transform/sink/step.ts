// Which snapshots of a table a sink goes through, from the one that it has written to the current one. Pure.
import type { LakeSnapshot, LakeTable } from '../../lake/types.ts'

/** How far a sink is. */
export interface SinkPosition {
  /** All of this snapshot is written; null: nothing is. */
  readonly snapshot: string | null
  /** The step that is under way: up to which snapshot, and how many of its messages are written. */
  readonly under: { readonly to: string; readonly done: number } | null
}

export interface Step {
  readonly to: LakeSnapshot
  /** Nothing but rows that were added. */
  readonly isAppend: boolean
}

/** Small commits are taken together up to so many rows. */
const ROWS_TOGETHER = 50_000

/**
 * The next step; null when the sink is where the table is; 'unknown' when its snapshot is not one that the table remembers. Snapshots
 * between that have expired are gone through in one.
 */
export function nextStep(table: LakeTable, { snapshot, under }: SinkPosition): Step | null | 'unknown' {
  const { current } = table
  if (!current || current.id.toString() === snapshot) return null
  if (snapshot !== null && !table.snapshots.some(({ id }) => id.toString() === snapshot)) return 'unknown'
  const line = lineOf(table, snapshot)
  const isWhole = (line[0]!.parentId?.toString() ?? null) === snapshot
  if (under) {
    const end = line.findIndex(({ id }) => id.toString() === under.to)
    // It was pinned: that it is gone means that another history was put in its place.
    return end < 0 ? 'unknown' : { to: line[end]!, isAppend: isWhole && line.slice(0, end + 1).every(isHarmless) }
  }
  if (!isWhole || !isHarmless(line[0]!)) return { to: line[0]!, isAppend: false }
  let end = 0
  let rows = rowsOf(line[0]!)
  while (end + 1 < line.length && isHarmless(line[end + 1]!) && rows + rowsOf(line[end + 1]!) <= ROWS_TOGETHER) rows += rowsOf(line[++end]!)
  return { to: line[end]!, isAppend: true }
}

/** From the one behind `from`, or the oldest that is known, to the current one. */
function lineOf(table: LakeTable, from: string | null): LakeSnapshot[] {
  const byId = new Map(table.snapshots.map((snapshot) => [snapshot.id, snapshot]))
  const line: LakeSnapshot[] = []
  for (let at = table.current ?? undefined; at && at.id.toString() !== from; at = at.parentId === null ? undefined : byId.get(at.parentId))
    line.unshift(at)
  return line
}

/** A `replace` has the rows of before in other files (Iceberg spec, "Snapshots"). */
const isHarmless = ({ operation }: LakeSnapshot): boolean => operation === 'append' || operation === 'replace'

const rowsOf = ({ operation, summary }: LakeSnapshot): number => (operation === 'append' ? Number(summary['added-records'] ?? 0) : 0)
