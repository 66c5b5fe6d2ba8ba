// The logical operators of live models as plain data. A live query is a chain over one stream: filters and projections, at
// most one operator with state (a group or a top), then filters and projections over its result. No behaviour here.
import type { Expression, ValueType } from './expression.ts'

export interface NamedExpression {
  readonly name: string
  readonly value: Expression
}

/** Length of time in microseconds; windows begin at multiples of `slideUs` since 1970. */
export type Window =
  | { readonly kind: 'tumble'; readonly time: Expression; readonly widthUs: number }
  | { readonly kind: 'hop'; readonly time: Expression; readonly widthUs: number; readonly slideUs: number }
  /** Rows of one key that follow each other within less than the gap; it ends a gap after its last row. */
  | { readonly kind: 'session'; readonly time: Expression; readonly gapUs: number; readonly by: Expression }

export type AggregateFunction =
  | 'count'
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'arg_min'
  | 'arg_max'
  | 'bool_and'
  | 'bool_or'
  | 'approx_count_distinct'

export interface Aggregate {
  readonly name: string
  readonly function: AggregateFunction
  /** Empty for count(*). */
  readonly of: readonly Expression[]
  readonly distinct: boolean
  /** FILTER (WHERE ...). */
  readonly where: Expression | null
  readonly type: ValueType
}

export interface OrderBy {
  readonly value: Expression
  readonly descending: boolean
  readonly nullsFirst: boolean
}

export type Relation =
  | { readonly op: 'scan'; readonly stream: string }
  | { readonly op: 'filter'; readonly input: Relation; readonly where: Expression }
  | { readonly op: 'project'; readonly input: Relation; readonly columns: readonly NamedExpression[] }
  | GroupRelation
  | TopRelation

/** Gives `window_start` and `window_end` (when there is a window), the keys and the aggregates. */
export interface GroupRelation {
  readonly op: 'group'
  readonly input: Relation
  readonly window: Window | null
  readonly keys: readonly NamedExpression[]
  readonly aggregates: readonly Aggregate[]
}

/**
 * The first `limit` rows of each partition, all columns of the input and the rank as `name`. Rows that are equal in order
 * keep the order of the log (append time, partition, offset); `rank` keeps all of them. With a window, for each window.
 */
export interface TopRelation {
  readonly op: 'top'
  readonly input: Relation
  readonly window: Window | null
  readonly partition: readonly Expression[]
  readonly order: readonly OrderBy[]
  readonly function: 'row_number' | 'rank'
  readonly limit: number
  readonly name: string
}

export interface LiveQuery {
  readonly root: Relation
  readonly stream: string
  /**
   * append: rows come out as they come in; closing: rows of a window when the watermark has passed its end; keyed: the latest
   * row of each key.
   */
  readonly result: 'append' | 'closing' | 'keyed'
  /** Of a keyed result: the columns that make a row one, by name. */
  readonly key: readonly string[]
}
