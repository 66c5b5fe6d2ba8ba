// `model`: a relation computed by SQL. Its row type comes from binding the SQL (`millrace-env.d.ts`) or, as a contract,
// from `columns`. How it is computed follows from `refresh` and `fresh`.

import type { Duration } from '../core/duration.ts'
import type { Any } from './any.ts'
import type { Fields } from './field.ts'
import type { PartitionOfRow, RelationHow } from './how.ts'
import { placeOf } from './place.ts'
import { type ColumnsOfRow, type Declared, declaredRelation, openRelation, type Relation } from './relation.ts'
import type { MillraceRows, RowNamed } from './rows.ts'
import type { Sql } from './sql.ts'
import type { ColumnName } from './tile.ts'

interface CommonHow<R> extends Omit<RelationHow, 'fresh'> {
  /** `'live'`: computed as the rows arrive. A duration: refreshed at least so often. Absent: when its inputs commit. */
  readonly fresh?: Duration | 'live'
  /** Columns that identify a row. */
  readonly key?: ColumnName<R> | readonly ColumnName<R>[]
  readonly partition?: readonly PartitionOfRow<R>[]
  readonly cluster?: readonly ColumnName<R>[]
}

interface WholeHow<R> extends CommonHow<R> {
  /** view: computed by each question; full (default): computed anew by each refresh. */
  readonly refresh?: 'view' | 'full'
}

interface LiveHow<R> extends CommonHow<R> {
  readonly refresh?: 'live'
  readonly fresh?: 'live'
  /** final (default): a window's row appears when the window is closed; changes: it is updated while the window is open. */
  readonly emit?: 'final' | 'changes'
}

interface IncrementalHow<R> extends CommonHow<R> {
  readonly refresh: 'incremental'
  /** Column of the interval that is recomputed as a whole. */
  readonly by?: ColumnName<R>
  /** Only bounds append-only inputs: rows that come later than this are counted, not recomputed. */
  readonly lookback?: Duration
  /** What happens to rows already computed when a joined relation changes. */
  readonly onChange?: 'recompute' | 'keep'
}

interface HistoryHow<R> extends CommonHow<R> {
  /** Every version of a row, by key, with `valid_from`, `valid_to` and `is_current` (a slowly changing dimension of type 2). */
  readonly refresh: 'scd2'
  readonly key: ColumnName<R> | readonly ColumnName<R>[]
}

export type ModelHow<R> = WholeHow<R> | LiveHow<R> | IncrementalHow<R> | HistoryHow<R>

/** A model whose columns come from its SQL: typed once `millrace-env.d.ts` is written, `any` until then. */
export type Model<N extends string> = Relation<N, RowNamed<N>, 'model'> &
  (N extends keyof MillraceRows ? ColumnsOfRow<MillraceRows[N]> : { readonly [column: string]: Any })

/** A model with a contract: `columns` are compared with what the SQL gives. */
export function model<const N extends string, S extends Fields>(
  name: N,
  query: Sql,
  how: { readonly columns: S } & ModelHow<{ [K in keyof S]: S[K]['$type'] }>,
): Declared<N, S, 'model'>
/** A model. `name` is the identity of its stored data. */
export function model<const N extends string>(name: N, query: Sql, how?: ModelHow<RowNamed<N>>): Model<N>
export function model(name: string, query: Sql, how: object = {}): Any {
  const parts = { $kind: 'model', $name: name, $at: placeOf(model), $how: how, $sql: query } as const
  return 'columns' in how ? declaredRelation(parts, how.columns as Fields) : openRelation(parts)
}
