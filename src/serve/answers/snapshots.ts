// The snapshots of a relation: what each one added, and what it was made from.
import type { Clocked } from './admin.ts'

export interface SnapshotInfo {
  readonly id: string
  readonly sequence: number
  readonly committedAtMs: number
  readonly operation: 'append' | 'overwrite' | 'replace' | 'delete'
  readonly run: { readonly id: string; readonly name: string } | null
  readonly added: number | null
  readonly removed: number | null
  readonly rows: number | null
  readonly files: number | null
  readonly bytes: number | null
  /** Snapshots of the inputs that it was made from. */
  readonly inputs: readonly { readonly relation: string; readonly sequence: number; readonly id: string }[]
  readonly code: string | null
  /** Branch or tag names that point at it. */
  readonly refs: readonly string[]
  /** 'compaction', 'code change', '26 days' and the like. */
  readonly note: string | null
}

export interface SnapshotsPage extends Clocked {
  readonly snapshots: readonly SnapshotInfo[]
  readonly total: number
  readonly bytes: number | null
  readonly keepMs: number | null
}
