// Row rules of policies, built by `row.country.eq(user.country).and(...)` into plain data. Names are recorded as they
// come; whether they exist is for `plan/compile.ts` to say, together with everything else that is wrong.
import type { Any } from './any.ts'
import type { Fields } from './field.ts'
import type { PredicateManifest, PredicateValue } from './manifest.ts'
import type { Column } from './relation.ts'
import type { Decimal, Instant } from './values.ts'

/** An attribute of the caller. */
export interface Attribute<T = Any> {
  readonly $attribute: string
  /** Type only; undefined at run time. */
  readonly $type: T
}

type Operand<T> = (T extends Decimal | Instant | bigint ? T | string : T) | Attribute<T>

export interface Predicate {
  readonly $predicate: PredicateManifest
  and(other: Predicate): Predicate
  or(other: Predicate): Predicate
  not(): Predicate
}

/** A column in a row rule. Comparisons with null are not true. */
export interface PredicateColumn<T = Any> {
  eq(value: Operand<T>): Predicate
  ne(value: Operand<T>): Predicate
  lt(value: Operand<T>): Predicate
  lte(value: Operand<T>): Predicate
  gt(value: Operand<T>): Predicate
  gte(value: Operand<T>): Predicate
  in(values: readonly Operand<T>[]): Predicate
  isNull(): Predicate
  isNotNull(): Predicate
}

export type PredicateColumns<T> = {
  readonly [C in keyof T as C extends `$${string}` ? never : C]: T[C] extends Column<infer V> ? PredicateColumn<V> : Any
}

export type UserAttributes<A extends Fields> = { readonly [K in keyof A]: Attribute<A[K]['$type']> }

const predicateOf = (manifest: PredicateManifest): Predicate =>
  Object.freeze({
    $predicate: manifest,
    and: (other: Predicate) => predicateOf({ kind: 'and', of: [manifest, other.$predicate] }),
    or: (other: Predicate) => predicateOf({ kind: 'or', of: [manifest, other.$predicate] }),
    not: () => predicateOf({ kind: 'not', of: manifest }),
  })

function operandOf(value: unknown): PredicateValue {
  if (typeof value === 'object' && value !== null && '$attribute' in value)
    return { kind: 'attribute', name: (value as Attribute).$attribute }
  if (typeof value === 'number' || typeof value === 'boolean') return { kind: 'constant', value, type: '' }
  return { kind: 'constant', value: String(value), type: '' }
}

const predicateColumn = (column: string): PredicateColumn => {
  const compare = (op: '=' | '<>' | '<' | '<=' | '>' | '>=') => (value: unknown) =>
    predicateOf({ kind: 'compare', column, op, value: operandOf(value) })
  return {
    eq: compare('='),
    ne: compare('<>'),
    lt: compare('<'),
    lte: compare('<='),
    gt: compare('>'),
    gte: compare('>='),
    in: (values) => predicateOf({ kind: 'in', column, values: values.map(operandOf) }),
    isNull: () => predicateOf({ kind: 'null', column, negated: false }),
    isNotNull: () => predicateOf({ kind: 'null', column, negated: true }),
  }
}

/** The rule that `rows` describes, with every column and attribute that it names; types of constants are left empty. */
export function recordPredicate(rows: (row: never, user: never) => Predicate): PredicateManifest {
  const row = new Proxy({}, { get: (_target, name) => predicateColumn(String(name)) })
  const user = new Proxy({}, { get: (_target, name) => ({ $attribute: String(name) }) })
  return rows(row as never, user as never).$predicate
}
