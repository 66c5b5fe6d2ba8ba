// `sql`: SQL with holes. A relation is its quoted name and a dependency, a column its qualified name, SQL is spliced, and
// any other value is a value: it can never become SQL. The parts are kept; `render-sql.ts` prints them.

import { MillraceError } from '../core/errors.ts'
import type { Kind, Type } from '../schema/type.ts'
import type { Any } from './any.ts'
import { isDefinition } from './definition.ts'
import { placeOf } from './place.ts'
import type { Column, ColumnRef, Relation } from './relation.ts'
import type { Decimal, Instant } from './values.ts'

/** A parameter of an endpoint, as its `sql` callback gets it. */
export interface Param<T = Any, O extends boolean = boolean, K extends Kind = Kind> {
  readonly $param: string
  readonly $paramType: Type
  /** Type only; undefined at run time. */
  readonly $type: T
  /** Type only; undefined at run time. */
  readonly $optional: O
  /** Type only; undefined at run time. */
  readonly $of: K
}

/** What may stand in a hole. A plain object or array may not. */
export type SqlHole = { readonly $name: string; readonly $as: unknown } | { readonly $column: ColumnRef } | Param | Sql | SqlValue

export type SqlValue = string | number | bigint | boolean | null | Decimal | Instant

export type SqlPart =
  | { readonly kind: 'text'; readonly text: string; readonly place: string; readonly line: number }
  | { readonly kind: 'relation'; readonly relation: Relation }
  | { readonly kind: 'column'; readonly column: ColumnRef }
  | { readonly kind: 'param'; readonly name: string; readonly type: Type }
  | { readonly kind: 'value'; readonly value: SqlValue }

export interface Sql {
  readonly $sql: readonly SqlPart[]
  readonly $at: string
}

export const isSql = (value: unknown): value is Sql => typeof value === 'object' && value !== null && Array.isArray((value as Sql).$sql)

/**
 * SQL in DuckDB's dialect: sql`SELECT ${orders.amount} FROM ${orders} WHERE ${orders.status} = ${'paid'}`.
 * @throws MR_DEFINE_VALUE for a hole that is undefined (two files that import each other) or an object of another kind.
 */
export function sql(strings: TemplateStringsArray, ...holes: readonly SqlHole[]): Sql {
  const at = placeOf(sql)
  const parts: SqlPart[] = []
  let line = 0
  for (const [i, text] of strings.entries()) {
    if (text !== '') parts.push({ kind: 'text', text, place: at, line })
    line += newlines(strings.raw[i]!)
    if (i < holes.length) parts.push(...partsOf(holes[i], i, at))
  }
  return Object.freeze({ $sql: Object.freeze(parts), $at: at })
}

const newlines = (text: string): number => text.split('\n').length - 1

function partsOf(hole: SqlHole | undefined, index: number, at: string): readonly SqlPart[] {
  if (isSql(hole)) return hole.$sql
  if (hole !== null && typeof hole === 'object') {
    if ('$column' in hole) return [{ kind: 'column', column: (hole as Column).$column }]
    if ('$param' in hole) return [{ kind: 'param', name: hole.$param, type: hole.$paramType }]
    if (isDefinition(hole) && '$as' in hole) return [{ kind: 'relation', relation: hole as Relation }]
    if (isExact(hole)) return [{ kind: 'value', value: hole as SqlValue }]
  } else if (hole !== undefined && typeof hole !== 'function' && typeof hole !== 'symbol')
    return [{ kind: 'value', value: hole as SqlValue }]
  throw new MillraceError('MR_DEFINE_VALUE', `hole ${index + 1} of the SQL is ${hole === undefined ? 'undefined' : describe(hole)}`, {
    at,
    fix:
      hole === undefined
        ? 'two files probably import each other: write the name of the relation in plain SQL there'
        : 'a hole takes a relation, a column, sql`...`, a parameter, or a plain value',
  })
}

const isExact = (value: object): boolean => value.constructor !== Object && value.constructor !== undefined && !Array.isArray(value)

const describe = (value: unknown): string =>
  Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
