// Read restrictions as the REST protocol has them (apache/iceberg#13879: ReadRestrictions, Predicate, Action): which rows a reader
// leaves out, judged by the raw values, and what it shows of columns instead of them. Plain data; what is restricted for whom is
// said in `govern/restrictions.ts`, and only the reader enforces it.
import type { DefaultValue } from './types.ts'

interface Reference {
  readonly type: 'reference'
  /** Field id. */
  readonly id: number
}

interface Literal {
  readonly type: 'literal'
  readonly value: DefaultValue
}

export type Comparison = 'eq' | 'not-eq' | 'lt' | 'lt-eq' | 'gt' | 'gt-eq'

export type Predicate =
  | boolean
  | { readonly type: 'and' | 'or'; readonly left: Predicate; readonly right: Predicate }
  | { readonly type: 'is-null' | 'not-null'; readonly child: Reference }
  | { readonly type: Comparison; readonly left: Reference; readonly right: Literal }
  | { readonly type: 'in' | 'not-in'; readonly child: Reference; readonly values: readonly DefaultValue[] }

export interface Action {
  readonly 'field-id': number
  readonly action: 'replace-with-null' | 'truncate-to-year'
}

export interface ReadRestrictions {
  readonly 'required-column-projections'?: readonly Action[]
  readonly 'required-row-filter'?: Predicate
}

const reference = (id: number): Reference => ({ type: 'reference', id })

/** All of them; without the ones that change nothing. */
export const allOf = (predicates: readonly Predicate[]): Predicate =>
  predicates.includes(false)
    ? false
    : fold(
        'and',
        predicates.filter((one) => one !== true),
        true,
      )

/** Any of them. */
export const anyOf = (predicates: readonly Predicate[]): Predicate =>
  predicates.includes(true)
    ? true
    : fold(
        'or',
        predicates.filter((one) => one !== false),
        false,
      )

const fold = (type: 'and' | 'or', predicates: readonly Predicate[], none: boolean): Predicate =>
  predicates.length === 0 ? none : predicates.reduce((left, right) => ({ type, left, right }))

export const isNull = (id: number): Predicate => ({ type: 'is-null', child: reference(id) })
export const notNull = (id: number): Predicate => ({ type: 'not-null', child: reference(id) })

// Iceberg's own evaluator has null below every value and unequal to each, engines have SQL's logic: with the test for null both agree.

/** False for null, whichever way the reader compares it. */
export const compare = (id: number, type: Comparison, value: DefaultValue): Predicate => {
  const test: Predicate = { type, left: reference(id), right: { type: 'literal', value } }
  return type === 'not-eq' || type === 'lt' || type === 'lt-eq' ? allOf([notNull(id), test]) : test
}

export const isIn = (id: number, values: readonly DefaultValue[]): Predicate =>
  values.length === 0 ? false : { type: 'in', child: reference(id), values }

/** False for null. */
export const notIn = (id: number, values: readonly DefaultValue[]): Predicate =>
  values.length === 0 ? notNull(id) : allOf([notNull(id), { type: 'not-in', child: reference(id), values }])
