// Which snapshots of a table a sink goes through, from the one that it has written to the current one. Pure.
import type { SinkManifest } from '../../define/manifest.ts'
import type { LakeSnapshot, LakeTable } from '../../lake/types.ts'

/** How far a sink is. */
export interface SinkPosition {
  /** All of this snapshot is written; null: nothing is. */
  readonly snapshot: string | null
  /** The step that is under way: up to which snapshot, and how many of its messages are written, by a sink of this form. */
  readonly under: { readonly to: string; readonly done: number; readonly form: string } | null
}

/** What says which messages a step has, and in which order. */
export const formOf = ({ shape, key }: Pick<SinkManifest, 'shape' | 'key'>): string =>
  JSON.stringify({ columns: shape.fields.map(({ name }) => name), key })

export interface Step {
  readonly to: LakeSnapshot
  /** It has the rows of before, in other files. */
  readonly isSame: boolean
}

/** Small commits are taken together up to so many rows. */
const ROWS_TOGETHER = 50_000

/**
 * The next step; null when the sink is where the table is; 'unknown' when its snapshot is not one that the table remembers. Snapshots
 * between that have expired are gone through in one. A `replace` has the rows of before (Iceberg spec, "Snapshots"): compaction.
 */
export function nextStep(table: LakeTable, { snapshot, under }: SinkPosition): Step | null | 'unknown' {
  const { current } = table
  if (!current || current.id.toString() === snapshot) return null
  if (snapshot !== null && !table.snapshots.some(({ id }) => id.toString() === snapshot)) return 'unknown'
  const line = lineOf(table, snapshot)
  if (under) {
    const to = line.find(({ id }) => id.toString() === under.to)
    // It was pinned: that it is gone means that another history was put in its place.
    return to ? { to, isSame: false } : 'unknown'
  }
  const [first] = line as [LakeSnapshot]
  const isNext = (first.parentId?.toString() ?? null) === snapshot
  if (!isNext || first.operation !== 'append') return { to: first, isSame: isNext && first.operation === 'replace' }
  let end = 0
  let rows = rowsOf(first)
  while (line[end + 1]?.operation === 'append' && rows + rowsOf(line[end + 1]!) <= ROWS_TOGETHER) rows += rowsOf(line[++end]!)
  return { to: line[end]!, isSame: false }
}

/** From the one behind `from`, or the oldest that is known, to the current one. */
function lineOf(table: LakeTable, from: string | null): LakeSnapshot[] {
  const byId = new Map(table.snapshots.map((snapshot) => [snapshot.id, snapshot]))
  const line: LakeSnapshot[] = []
  for (let at = table.current ?? undefined; at && at.id.toString() !== from; at = at.parentId === null ? undefined : byId.get(at.parentId))
    line.unshift(at)
  return line
}

const rowsOf = ({ summary }: LakeSnapshot): number => Number(summary['added-records'] ?? 0)
