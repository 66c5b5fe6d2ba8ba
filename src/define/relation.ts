// Relations as values: a stream, table or model whose columns are its properties. A column is a field as well, so that
// other shapes can reuse it. Relies on nothing but names: no data, no engine.

import type { Kind } from '../schema/type.ts'
import type { Any } from './any.ts'
import type { Definition } from './definition.ts'
import { type Field, type FieldSpec, type Fields, fieldMembers, type RowOf } from './field.ts'

export type RelationKind = 'stream' | 'table' | 'model'

/** Which column, under which name of its relation. */
export interface ColumnRef {
  readonly relation: string
  readonly alias?: string
  readonly name: string
}

/** A column: a hole in `sql`, an argument of checks, and a field for other shapes. */
export interface Column<T = Any, O extends boolean = boolean, K extends Kind = Kind> extends Field<T, O, K, false> {
  readonly $column: ColumnRef
}

/** A relation named `N` with rows of type `R`. */
export interface Relation<N extends string = string, R = Any, K extends RelationKind = RelationKind> extends Definition<K, N> {
  /** Type only (`type Order = typeof orders.$row`); undefined at run time. */
  readonly $row: R
  readonly $alias?: string
  /** The same relation under another name in SQL: `FROM ${o}` prints `"orders" AS "o"`, `${o.amount}` prints `"o"."amount"`. */
  $as(alias: string): this
}

export type ColumnsOf<S extends Fields> = { readonly [C in keyof S]: Column<S[C]['$type'], S[C]['$optional'], S[C]['$of']> }

/** The columns of a row type, where fields are not declared. */
export type ColumnsOfRow<R> = {
  readonly [C in keyof R]-?: Column<NonNullable<R[C]>, undefined extends R[C] ? true : null extends R[C] ? true : false>
}

/** A relation whose columns are declared. */
export type Declared<N extends string, S extends Fields, K extends RelationKind = RelationKind> = Relation<N, RowOf<S>, K> & {
  readonly $shape: S
} & ColumnsOf<S>

/** What a relation holds beside its columns. */
export interface RelationParts {
  readonly $kind: RelationKind
  readonly $name: string
  readonly $at: string
  readonly $how: unknown
  readonly $sql?: unknown
  readonly $alias?: string
}

/** What a column was called before is its own affair: as a field of another relation it was never there. Nor is what rows of one relation may leave out said of another's. */
const columnOf = (parts: RelationParts, name: string, spec: FieldSpec | undefined) => {
  const { was: _, default: _default, ...own } = spec ?? {}
  return Object.freeze({
    $column: Object.freeze({ relation: parts.$name, ...(parts.$alias === undefined ? {} : { alias: parts.$alias }), name }),
    ...fieldMembers(own as FieldSpec),
  })
}

/** A relation with declared columns. */
export function declaredRelation(parts: RelationParts, fields: Fields): unknown {
  const columns = Object.entries(fields).map(([name, field]) => [name, columnOf(parts, name, field.$field)])
  return Object.freeze({
    ...Object.fromEntries(columns),
    ...parts,
    $shape: Object.freeze({ ...fields }),
    $as: (alias: string) => declaredRelation({ ...parts, $alias: alias }, fields),
  })
}

/** A relation whose columns are known only once its SQL is bound: any name that does not start with `$` is a column. */
export function openRelation(parts: RelationParts): unknown {
  const own = Object.freeze({ ...parts, $as: (alias: string) => openRelation({ ...parts, $alias: alias }) })
  return new Proxy(own, {
    get(target, name) {
      if (typeof name === 'symbol' || name.startsWith('$')) return Reflect.get(target, name)
      return columnOf(parts, name, { from: { relation: parts.$name, column: name }, optional: false })
    },
  })
}
