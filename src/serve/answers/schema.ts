// The columns of a relation with what is known of their values, and how they have changed.
import type { Cell, Clocked } from './admin.ts'
import type { ColumnInfo } from './rows.ts'

export interface SchemaPage extends Clocked {
  readonly columns: readonly ColumnDetail[]
  readonly profiledAtMs: number | null
  /** Newest first. */
  readonly changes: readonly {
    readonly atMs: number
    readonly kind: 'first' | 'compatible' | 'breaking'
    /** '`orders` added, long'. */
    readonly summary: string
    readonly code: string | null
  }[]
}

export interface ColumnDetail extends ColumnInfo {
  readonly optional: boolean
  readonly key: boolean
  readonly doc?: string
  readonly pii?: string
  /** `relation.column` that it is made from. */
  readonly from: readonly string[]
  /** From the lake's column statistics or a profile; null parts are not known. */
  readonly profile: {
    readonly nullShare: number | null
    readonly distinct: number | null
    readonly least: Cell
    readonly greatest: Cell
    /** Counts of equally wide bins between least and greatest. */
    readonly spread: readonly number[] | null
  } | null
}
