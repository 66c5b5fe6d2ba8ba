// Dashboards: their layout, and the rows of a tile.
import type { DashboardManifest, TileManifest } from '../../define/manifest.ts'
import type { Cell, Clocked } from './admin.ts'
import type { Freshness } from './relations.ts'
import type { ColumnInfo, PolicyNote } from './rows.ts'

export interface Dashboards extends Clocked {
  readonly dashboards: readonly {
    readonly name: string
    readonly title: string
    readonly at: string
    readonly tiles: number
    readonly inputs: readonly string[]
  }[]
}

export interface DashboardDetail extends Clocked {
  readonly dashboard: Omit<DashboardManifest, 'tiles' | 'allow'>
  /** Without their SQL's text where a policy limits the caller. */
  readonly tiles: readonly Pick<TileManifest, 'kind' | 'title' | 'inputs' | 'x' | 'y' | 'by' | 'unit' | 'span'>[]
}

/**
 * The rows of one tile. number: first row; `y[0]` is the figure, every further column is a line below it. line, bar: `x`,
 * one series for each of `y`, or one for each value of `by`. heat: `x` across, `by` down, `y[0]` the shade. table: as is.
 */
export interface TileAnswer extends Clocked {
  readonly columns: readonly ColumnInfo[]
  readonly rows: readonly (readonly Cell[])[]
  readonly sources: readonly { readonly relation: string; readonly freshness: Freshness }[]
  readonly policy: PolicyNote
}
