// The snapshots of a relation as the console shows them, newest first, with what each added and removed. Counts are told to those
// only who see every row.
import { RESTORED_FROM, rowsLeft } from '../../lake/snapshot-summary.ts'
import type { LakeSnapshot, LakeTable } from '../../lake/types.ts'
import type { Caller } from '../answer.ts'
import type { SnapshotInfo, SnapshotsPage } from '../answers/snapshots.ts'
import type { AdminParts } from './parts.ts'
import { findRelation } from './relations.ts'
import { mayCount } from './shown.ts'

export async function snapshotsPage(
  parts: AdminParts,
  caller: Caller,
  name: string,
  query: { limit?: string; before?: string },
): Promise<SnapshotsPage> {
  const relation = findRelation(parts, caller, name)
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const limit = Math.min(200, Math.max(1, Number(query.limit ?? 50) || 50))
  const all = [...(table?.snapshots ?? [])].sort((a, b) => b.sequence - a.sequence)
  const chosen = all.filter((snapshot) => query.before === undefined || snapshot.sequence < Number(query.before)).slice(0, limit)
  const isCounted = mayCount(parts, caller, name)
  const current = isCounted ? table?.current?.summary['total-files-size'] : undefined
  return {
    nowMs: parts.clock.nowMs(),
    snapshots: chosen.map((snapshot) => snapshotInfo(table!, snapshot, isCounted)),
    total: all.length,
    bytes: current === undefined ? null : Number(current),
    keepMs: relation.keep.tableMs ?? null,
  }
}

function noteOf({ operation, summary }: LakeSnapshot): string | null {
  const from = summary[RESTORED_FROM]
  return from !== undefined ? `restored from ${from}` : operation === 'replace' ? 'compaction' : null
}

function snapshotInfo(table: LakeTable, snapshot: LakeSnapshot, isCounted: boolean): SnapshotInfo {
  const number = (key: string): number | null => (!isCounted || snapshot.summary[key] === undefined ? null : Number(snapshot.summary[key]))
  return {
    id: snapshot.id.toString(),
    sequence: snapshot.sequence,
    committedAtMs: snapshot.timestampMs,
    operation: snapshot.operation,
    run: snapshot.summary['millrace.run'] ? { id: snapshot.summary['millrace.run'], name: table.name } : null,
    added: number('added-records'),
    removed: number('deleted-records'),
    rows: isCounted ? rowsLeft(snapshot.summary) : null,
    files: number('total-data-files'),
    bytes: number('total-files-size'),
    inputs: [],
    code: null,
    refs: Object.entries(table.refs).flatMap(([ref, { snapshotId }]) => (snapshotId === snapshot.id ? [ref] : [])),
    note: noteOf(snapshot),
  }
}
