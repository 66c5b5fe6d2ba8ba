// Rows of a relation as a page of them, with what the policy of the caller did to them.
import type { Cell, Clocked } from './admin.ts'

export interface ColumnInfo {
  readonly name: string
  readonly type: string
  readonly unit?: string
}

/** What the caller's policy did to an answer. */
export interface PolicyNote {
  readonly rowFilter: boolean
  /** Result columns that a mask changed. */
  readonly masked: readonly string[]
}

export interface RowsPage extends Clocked {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly (readonly Cell[])[]
  /** Rows that match the filters; null when counting would read too much. */
  readonly matched: number | null
  readonly total: number | null
  readonly snapshot: { readonly id: string; readonly sequence: number } | null
  readonly tail: boolean
  readonly durationMs: number
  readonly policy: PolicyNote
}
