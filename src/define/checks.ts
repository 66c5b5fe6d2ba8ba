// Checks: rules about a relation, each with its own severity. Row rules can set rows aside (`quarantine`); rules about
// the table as a whole warn or block. SQL is a check too: the rows that it returns are the rows that fail.
import type { Duration } from '../core/duration.ts'
import type { Definition } from './definition.ts'
import type { Severity } from './manifest.ts'
import { placeOf } from './place.ts'
import type { Column, ColumnRef, Relation } from './relation.ts'
import { isSql, type Sql } from './sql.ts'
import type { Decimal, Instant } from './values.ts'

export type CheckRule =
  | { readonly kind: 'not_null'; readonly column: ColumnRef }
  | { readonly kind: 'unique'; readonly columns: readonly ColumnRef[] }
  | { readonly kind: 'between'; readonly column: ColumnRef; readonly min?: string; readonly max?: string }
  | { readonly kind: 'in'; readonly column: ColumnRef; readonly values: readonly string[] }
  | { readonly kind: 'matches'; readonly column: ColumnRef; readonly pattern: string }
  | { readonly kind: 'references'; readonly column: ColumnRef; readonly to: ColumnRef }
  | { readonly kind: 'fresh'; readonly column: ColumnRef; readonly within: Duration }
  | { readonly kind: 'row_count'; readonly min?: number; readonly max?: number }
  | { readonly kind: 'row_count_anomaly'; readonly sigma: number }
  | { readonly kind: 'sql'; readonly sql: Sql }

/** A rule about the table: it warns (default) or blocks publication. */
export interface TableCheck {
  readonly $check: CheckRule
  readonly $severity: Severity
  warn(): this
  /** Nothing is published while it fails. */
  block(): this
}

/** A rule about each row: it can also set the failing rows aside. */
export interface RowCheck extends TableCheck {
  /** Failing rows go to `<name>__rejected`; the rest is published. */
  quarantine(): this
}

export interface CheckSet<N extends string = string> extends Definition<'checks', N> {
  readonly $checks: readonly TableCheck[]
  readonly $on: Relation
  readonly $owner?: string
}

const checkOf = (rule: CheckRule, severity: Severity = 'warn'): RowCheck =>
  Object.freeze({
    $check: Object.freeze(rule),
    $severity: severity,
    warn: () => checkOf(rule, 'warn'),
    block: () => checkOf(rule, 'block'),
    quarantine: () => checkOf(rule, 'quarantine'),
  }) as RowCheck

/** What a bound may be for a column of type `T`: exact and time types also take text. */
type Bound<T> = T extends Decimal | Instant | bigint ? T | string : T

/** No value occurs twice; several columns count together. */
export const unique = (...columns: readonly [Column, ...Column[]]): RowCheck =>
  checkOf({ kind: 'unique', columns: columns.map((column) => column.$column) })

export const notNull = (column: Column): RowCheck => checkOf({ kind: 'not_null', column: column.$column })

/** Both ends included; null is allowed (add `notNull`). */
export const between = <T>(column: Column<T>, min: Bound<NoInfer<T>> | undefined, max?: Bound<NoInfer<T>>): RowCheck =>
  checkOf({
    kind: 'between',
    column: column.$column,
    ...(min === undefined ? {} : { min: String(min) }),
    ...(max === undefined ? {} : { max: String(max) }),
  })

/** The value is one of these; null is allowed. */
export const oneOf = <T>(column: Column<T>, values: readonly Bound<NoInfer<T>>[]): RowCheck =>
  checkOf({ kind: 'in', column: column.$column, values: values.map(String) })

/** The text matches the regular expression somewhere (write `^...$` for all of it); RE2 syntax, null is allowed. */
export const matches = (column: Column<string>, pattern: RegExp | string): RowCheck =>
  checkOf({ kind: 'matches', column: column.$column, pattern: typeof pattern === 'string' ? pattern : patternText(pattern) })

/** The value occurs in the column `to`; null is allowed. */
export const references = <T>(column: Column<T>, to: Column<NoInfer<T>>): RowCheck =>
  checkOf({ kind: 'references', column: column.$column, to: to.$column })

/** The newest value of `column` is not older than `within`. */
export const fresh = (column: Column<Instant>, within: Duration): TableCheck => checkOf({ kind: 'fresh', column: column.$column, within })

export const rowCount = (bounds: { readonly min?: number; readonly max?: number }): TableCheck => checkOf({ kind: 'row_count', ...bounds })

/** The number of rows is within `sigma` deviations (default 4) of what the history says. */
export const rowCountAnomaly = (how: { readonly sigma?: number } = {}): TableCheck =>
  checkOf({ kind: 'row_count_anomaly', sigma: how.sigma ?? 4 })

/** The SQL returns no rows; what it returns are the rows that fail. Bare sql`...` in a list is the same, as a warning. */
export const noRows = (query: Sql): TableCheck => checkOf({ kind: 'sql', sql: query })

/** A set of checks on one relation. */
export function checks<const N extends string>(
  name: N,
  list: readonly (TableCheck | Sql)[],
  how: { readonly on: Relation; readonly owner?: string },
): CheckSet<N> {
  return Object.freeze({
    $kind: 'checks',
    $name: name,
    $at: placeOf(checks),
    $checks: Object.freeze(list.map((check) => (isSql(check) ? noRows(check) : check))),
    $on: how.on,
    ...(how.owner === undefined ? {} : { $owner: how.owner }),
  })
}

/** RE2 takes flags in the pattern: `/x/i` is `(?i)x`. */
const patternText = (pattern: RegExp): string => {
  const flags = [...pattern.flags].filter((flag) => 'ims'.includes(flag)).join('')
  return flags === '' ? pattern.source : `(?${flags})${pattern.source}`
}
