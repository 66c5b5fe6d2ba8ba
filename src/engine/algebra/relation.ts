// The logical operators of live models as plain data: a tree from the streams that are scanned to the rows of the model. Rows of
// an operator are final (they never change once given out) or replaced by key; which of both is said by `LiveQuery.result`
// and, inside of the tree, by `GroupRelation.replaces`. Rows of tables and of groups may go as well (`LiveQuery.loses`). Columns of one
// relation have unlike names.
import { allOf, type ComputedExpression, type Expression, isOptional, type ValueType } from './expression.ts'

export interface NamedExpression {
  readonly name: string
  readonly value: Expression
}

interface Timed {
  /** A column. */
  readonly time: Expression
  /** How far rows that are still to come may lie behind the watermark: 0 for a stream's own time, more over windows. Microseconds. */
  readonly delayUs?: number
}

/** Length of time in microseconds; windows begin at multiples of `slideUs` since 1970. */
export type Window =
  | (Timed & { readonly kind: 'tumble'; readonly widthUs: number })
  | (Timed & { readonly kind: 'hop'; readonly widthUs: number; readonly slideUs: number })
  /** Rows of one key that follow each other within less than the gap; it ends a gap after its last row. */
  | (Timed & { readonly kind: 'session'; readonly gapUs: number; readonly by: Expression })
  /** Rows of one value of the time, such as the start of a window: `window_start` is that time, `window_end` is not read. */
  | (Timed & { readonly kind: 'instant' })

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
  | 'string_agg'
  | VarianceFunction
  | QuantileFunction

export type RankFunction = 'row_number' | 'rank' | 'dense_rank'

export type VarianceFunction = 'var_samp' | 'var_pop' | 'stddev_samp' | 'stddev_pop'

export type QuantileFunction = 'quantile_cont' | 'quantile_disc'

export interface TextListing {
  /** What stands between two texts. */
  readonly separator: string
  /** From the last to the first. */
  readonly descending: boolean
}

export interface Aggregate {
  readonly name: string
  readonly function: AggregateFunction
  /** Empty for count(*). */
  readonly of: readonly Expression[]
  readonly distinct: boolean
  /** Of quantiles, from 0 to 1: a decimal, or a double, which has an exponent. */
  readonly fraction?: string
  /** Of string_agg, whose texts stand in their own order. */
  readonly list?: TextListing
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
  | ScanRelation
  | { readonly op: 'filter'; readonly input: Relation; readonly where: Expression }
  | { readonly op: 'project'; readonly input: Relation; readonly columns: readonly NamedExpression[] }
  | ComputeRelation
  | ExpandRelation
  | UnnestRelation
  | UnionRelation
  | JoinRelation
  | LagRelation
  | FrameRelation
  | GroupRelation
  | LatestRelation
  | TopRelation

export interface ScanRelation {
  readonly op: 'scan'
  readonly stream: string
  /** Of a table whose rows are read: they are replaced, and go, by these columns. */
  readonly key?: readonly string[]
}

/**
 * The rows of an input whose rows are replaced by these columns, and go by them: of each the row of before is known, so that what
 * stands above takes it out again.
 */
export interface LatestRelation {
  readonly op: 'latest'
  readonly input: Relation
  readonly key: readonly string[]
}

/** All columns of the input, and those that DuckDB computes of each row. */
export interface ComputeRelation {
  readonly op: 'compute'
  readonly input: Relation
  readonly columns: readonly (NamedExpression & { readonly value: ComputedExpression })[]
}

/** Every row once for each window that it falls into, with `window_start` and `window_end` after its own columns, of which they hide those of their names. */
export interface ExpandRelation {
  readonly op: 'expand'
  readonly input: Relation
  readonly window: Extract<Window, { kind: 'hop' }>
}

/**
 * Every row once for each element of its list, with the element and its place, from 1 on, after all of its own columns. Rows whose list
 * is null or empty are left out, or there once with nulls where `isOuter`.
 */
export interface UnnestRelation {
  readonly op: 'unnest'
  readonly input: Relation
  readonly list: Expression
  readonly item: string
  readonly type: ValueType
  readonly position: string
  readonly isOuter: boolean
}

/** The rows of all inputs (UNION ALL), which have the same columns. */
export interface UnionRelation {
  readonly op: 'union'
  readonly inputs: readonly Relation[]
}

export interface JoinSide {
  readonly input: Relation
  /** Equal to those of the other side, by place; null equals nothing. */
  readonly keys: readonly Expression[]
  /** A column that is not null; null where no time bounds the join. */
  readonly time: Expression | null
  /** As of a window. */
  readonly delayUs: number
}

/** Pairs of rows of two inputs: all columns of the left, then all of the right. */
export interface JoinRelation {
  readonly op: 'join'
  /**
   * What becomes of rows without a partner: for `left` those of the left side are given out with nulls, and so on. `semi`, of an
   * interval: of the pairs of a left row one, and of its columns those of the left alone may be read.
   */
  readonly kind: 'inner' | 'left' | 'right' | 'full' | 'semi'
  readonly left: JoinSide
  readonly right: JoinSide
  readonly on: JoinBound
  /** A further condition of a pair, over the columns of both. */
  readonly where: Expression | null
}

export type JoinBound =
  /** The right time minus the left time lies between these, microseconds. */
  | { readonly kind: 'interval'; readonly fromUs: number; readonly untilUs: number }
  /**
   * ASOF: of the right rows whose time is at or before the left one (before it where strict) the newest; of several of one time
   * the last in the order of `ties`, columns of the right side. `kind` is inner or left, there is no further condition.
   */
  | { readonly kind: 'latest'; readonly isStrict: boolean; readonly ties: readonly Expression[] }
  /**
   * No time bounds the pair: rows are kept for good. `unique`: of the rows of that side with one key only the first in the order of
   * the log counts, and rows of the other side are kept until they have met it. `kind` is inner.
   */
  | { readonly kind: 'unbounded'; readonly unique: 'left' | 'right' | null }
  /**
   * The right side is a table: its row of the key as it was when the left row came, by append time, the times of both sides. Of
   * versions of one time the last in the order of `ties`. `kind` is inner or left; the further condition is of the pair.
   */
  | { readonly kind: 'lookup'; readonly table: string; readonly ties: readonly Expression[] }

/** The value of the row that is so many rows before, null where there is none. */
export interface LagColumn extends NamedExpression {
  readonly offset: number
}

/** Values of rows before, of the same partition in the order of time; all columns of the input come first. */
export interface LagRelation {
  readonly op: 'lag'
  readonly input: Relation
  readonly partition: readonly Expression[]
  readonly time: Expression
  readonly delayUs: number
  /** Order of rows of one time: nothing else puts them in order. */
  readonly ties: readonly Expression[]
  readonly columns: readonly LagColumn[]
}

/**
 * The rows of a frame, which ends with the row itself. `rows`: it and so many rows before it. `range`: those that are at most so many
 * microseconds before it, and all of its own time. Null: all of the partition up to there.
 */
export interface Frame {
  readonly unit: 'rows' | 'range'
  readonly preceding: number | null
}

/** Aggregates over the frame of each row, of the same partition in the order of time; all columns of the input come first. */
export interface FrameRelation extends Omit<LagRelation, 'op' | 'columns'> {
  readonly op: 'frame'
  readonly frame: Frame
  readonly aggregates: readonly Aggregate[]
}

/** Gives `window_start` and `window_end` (when there is a window), the keys and the aggregates. */
export interface GroupRelation {
  readonly op: 'group'
  readonly input: Relation
  readonly window: Window | null
  /** Without keys and a window there is one group, which is there before any row is. */
  readonly keys: readonly NamedExpression[]
  readonly aggregates: readonly Aggregate[]
  /** The input's rows are replaced by key, and the group follows. */
  readonly replaces?: true
  /**
   * A row that is replaced can leave its group: what is grouped by is not part of its key, or a condition takes it away. Groups go
   * whose last row has gone, as they do over `latest`.
   */
  readonly loses?: true
}

/** The columns by which rows of an operator go, which says of each whether it is there; null where none goes. */
export function goingBy(relation: Relation): readonly string[] | null {
  if (relation.op === 'group') return isLosing(relation) ? relation.keys.map(({ name }) => name) : null
  return relation.op === 'top' && relation.input.op === 'latest' ? relation.input.key : null
}

/** Groups go whose last row has gone. */
export const isLosing = ({ input, loses }: Pick<GroupRelation, 'input' | 'loses'>): boolean => loses === true || input.op === 'latest'

/**
 * The first `limit` rows of each partition, all columns of the input and the rank as `name`. Rows that are equal in order
 * keep the order of the log (append time, partition, offset); `rank` and `dense_rank` keep all of them. With a window, for each window, whose bounds
 * are there as `ExpandRelation` has them; those of an instant are not. Over `latest` rows go by its key, and others take their place.
 */
export interface TopRelation {
  readonly op: 'top'
  readonly input: Relation
  readonly window: Window | null
  readonly partition: readonly Expression[]
  readonly order: readonly OrderBy[]
  readonly function: RankFunction
  readonly limit: number
  readonly name: string
  /** Of groups of a window that come out together: the rank is within `window_start`. */
  readonly overGroups?: true
  /** Where it is not a stream's rows that are numbered: order of rows that are equal in `order`. Absent: the order of the log. */
  readonly ties?: readonly Expression[]
}

export interface LiveQuery {
  readonly root: Relation
  /** That it reads, each once. */
  readonly streams: readonly string[]
  /**
   * append: rows come out as they come in; closing: rows of a window when the watermark has passed its end; keyed: the latest
   * row of each key.
   */
  readonly result: 'append' | 'closing' | 'keyed'
  /** Of a keyed result: the columns that make a row one, by name; null equals null, as in GROUP BY. Empty: there is one row. */
  readonly key: readonly string[]
  /** Of a keyed result: rows go by their key too, with the row of a table or because a condition on groups no longer holds. */
  readonly loses?: true
}

/** Whether a column of the result may be null, as far as the SQL says. */
export const mayBeNull = ({ root }: LiveQuery, name: string): boolean =>
  root.op === 'project' && root.columns.some((column) => column.name === name && isOptional(column.value))

/** The rows that fulfil all of the conditions. */
export function filtered(input: Relation, conditions: readonly Expression[]): Relation {
  const where = allOf(conditions)
  return where ? { op: 'filter', input, where } : input
}

/** The group whose rows are numbered, below its filters. */
export const groupBelow = (relation: Relation): GroupRelation =>
  relation.op === 'group' ? relation : groupBelow((relation as Extract<Relation, { input: Relation }>).input)

/** Direct inputs, from left to right. */
export function inputsOf(relation: Relation): readonly Relation[] {
  switch (relation.op) {
    case 'scan':
      return []
    case 'union':
      return relation.inputs
    case 'join':
      return [relation.left.input, relation.right.input]
    default:
      return [relation.input]
  }
}
