// Tiles of a dashboard: a figure, a line, bars, rows, or a heat map over SQL or a whole relation.
import type { Any } from './any.ts'
import { placeOf } from './place.ts'
import type { Relation } from './relation.ts'
import type { Sql } from './sql.ts'

/** The columns of `R`; any text while `R` is not known. */
export type ColumnName<R> = 0 extends 1 & R ? string : unknown extends R ? string : keyof R & string

export interface TileHow<R = Any> {
  readonly unit?: string
  /** Width in twelfths of the page. Default: number 3, others 6. */
  readonly span?: number
  /** Column of the horizontal axis. */
  readonly x?: ColumnName<R>
  /** Columns of the figures. */
  readonly y?: ColumnName<R> | readonly ColumnName<R>[]
  /** Column that splits the rows into series (line, bar), or the vertical axis (heat). */
  readonly by?: ColumnName<R>
}

export type TileKind = 'number' | 'line' | 'bar' | 'table' | 'heat'

export interface Tile {
  readonly $tile: TileKind
  readonly $at: string
  readonly title: string
  readonly what: Sql | Relation
  readonly how: TileHow
}

type What<R> = Sql | Relation<string, R>

type WithAxes<R> = TileHow<R> & { readonly x: ColumnName<R>; readonly y: ColumnName<R> | readonly ColumnName<R>[] }

export const tileOf = (kind: TileKind, title: string, what: Sql | Relation, how: TileHow, at: string): Tile =>
  Object.freeze({ $tile: kind, $at: at, title, what, how })

/** One figure: the first column of the first row. */
export function number<R>(title: string, what: What<R>, how: Pick<TileHow<R>, 'unit' | 'span'> = {}): Tile {
  return tileOf('number', title, what, how, placeOf(number))
}

/** Lines over `x`. */
export function line<R>(title: string, what: What<R>, how: WithAxes<R>): Tile {
  return tileOf('line', title, what, how, placeOf(line))
}

/** Bars over `x`. */
export function bar<R>(title: string, what: What<R>, how: WithAxes<R>): Tile {
  return tileOf('bar', title, what, how, placeOf(bar))
}

/** A grid of `x` and `by`, shaded by `y`. */
export function heat<R>(title: string, what: What<R>, how: WithAxes<R> & { readonly by: ColumnName<R> }): Tile {
  return tileOf('heat', title, what, how, placeOf(heat))
}
