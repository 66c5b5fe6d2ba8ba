// What a question asks a table for: as it is, or as it was. Which snapshot that is, and by which schema its columns are called.
import { chooseSnapshot, schemaOf, snapshotChoice } from './list-files.ts'
import type { LakeSchema, LakeSnapshot, LakeTable } from './types.ts'

export interface Moment {
  /** A snapshot's id, or the name of a tag or branch. */
  readonly version?: string
  readonly timestampMs?: number
}

/** Null for a table without rows. @throws MR_LAKE_SNAPSHOT_UNKNOWN */
export function snapshotAt(table: LakeTable | null, at: Moment | undefined): LakeSnapshot | null {
  if (!at || !table) return table?.current ?? null
  return chooseSnapshot(table, at.timestampMs === undefined ? snapshotChoice(at.version!) : { timestampMs: at.timestampMs })
}

/**
 * The schema that a reader sees of a table that no definition describes: the table's, which is that of its branches too, and the one of then
 * for an earlier snapshot, as Spark has it. @throws MR_LAKE_SNAPSHOT_UNKNOWN
 */
export function schemaAt(table: LakeTable, at: Moment | undefined): LakeSchema {
  const isBranch = Object.hasOwn(table.refs, at?.version ?? '') && table.refs[at!.version!]!.kind === 'branch'
  return !at || isBranch ? table.schema : schemaOf(table, snapshotAt(table, at))
}
