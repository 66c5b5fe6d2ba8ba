// Fields: the type of one column and what is known about it. `t.string().optional().pii('email')` is a new value at each
// step. The types here are what makes keys, times and rows check in the user's editor.

import type { Inner, Kind, Field as SchemaField, Type } from '../schema/type.ts'
import type { Any } from './any.ts'
import type { Decimal, Instant } from './values.ts'

/** What a field is at run time. */
export interface FieldSpec {
  /** Absent for the column of a model whose SQL is not bound yet; `from` then says which. */
  readonly type?: Type
  readonly from?: { readonly relation: string; readonly column: string }
  readonly optional: boolean
  readonly doc?: string
  readonly unit?: string
  readonly pii?: string
  /** What it was called before, by `was`. */
  readonly was?: string
  /** `relation.column` that it refers to, by `ref`. */
  readonly references?: string
  /** As it was given to `default`. */
  readonly default?: unknown
}

/** What `default` takes: the column's type, also as text where JavaScript has no literal for it. */
type DefaultOf<T, K extends Kind> = K extends 'struct' | 'list' | 'map' ? never : K extends 'decimal' | 'timestamp' ? T | string : T

/** A column's type in TypeScript (`T`), whether it may be null (`O`), its kind (`K`), and whether it has a default (`D`). */
export interface Field<T = Any, O extends boolean = boolean, K extends Kind = Kind, D extends boolean = boolean> {
  readonly $field: FieldSpec
  /** Type only; undefined at run time. */
  readonly $type: T
  /** Type only; undefined at run time. */
  readonly $optional: O
  /** Type only; undefined at run time. */
  readonly $of: K
  /** Type only; undefined at run time. */
  readonly $default: D
  /** May be null or absent. */
  optional(): Field<T, true, K, D>
  /** Personal data: `tag` chooses the mask (`masks`) and follows the column through models. */
  pii(tag: string): Field<T, O, K, D>
  /** Unit of measure, such as `'GBP'` or `'ms'`. */
  unit(unit: string): Field<T, O, K, D>
  doc(text: string): Field<T, O, K, D>
  /** It goes on under a new name: stored rows have their values in it. Of members of structs too. */
  was(name: string): Field<T, O, K, D>
  /**
   * What a row has that leaves the column out, and what rows have that were stored before it was there (Iceberg version 3). A row
   * that says null has null, or is refused where the column is not optional. Of columns that hold single values.
   */
  default(value: DefaultOf<T, K>): Field<T, O, K, true>
}

export type Fields = Readonly<Record<string, Field>>

/** What can stand inside another type: only columns have defaults. */
type Part = Field<Any, boolean, Kind, false>

/** A value of a field: null is one where the field is optional. */
type ValueOf<F extends Field> = F['$optional'] extends true ? F['$type'] | null : F['$type']

/** What a key of a map can be. */
export type MapKey = 'string' | 'enum' | 'uuid' | 'date' | 'int' | 'long'

type Flat<T> = { [K in keyof T]: T[K] }

/** The row that a record of fields describes. */
export type RowOf<S extends Fields> = Flat<
  { [K in keyof S as S[K]['$optional'] extends true ? never : K]: S[K]['$type'] } & {
    [K in keyof S as S[K]['$optional'] extends true ? K : never]?: S[K]['$type'] | null
  }
>

/** As `RowOf`, of a row that is sent: what has a default may be left out. */
export type InputOf<S extends Fields> = Flat<
  { [K in keyof S as S[K]['$optional'] extends true ? never : S[K]['$default'] extends true ? never : K]: S[K]['$type'] } & {
    [K in keyof S as S[K]['$optional'] extends true ? never : S[K]['$default'] extends true ? K : never]?: S[K]['$type']
  } & {
    [K in keyof S as S[K]['$optional'] extends true ? K : never]?: S[K]['$type'] | null
  }
>

export type KeyOf<S> = keyof S & string

/** Names of the columns of one of these kinds. */
export type KeysOfKind<S extends Fields, K extends Kind> = { [C in KeyOf<S>]: S[C]['$of'] extends K ? C : never }[KeyOf<S>]

/** Names of the columns that can be an event time: timestamps that are never null. */
export type TimeKeys<S extends Fields> = {
  [C in KeyOf<S>]: S[C] extends { readonly $of: 'timestamp'; readonly $optional: false } ? C : never
}[KeyOf<S>]

export const fieldOfSpec = <T, O extends boolean, K extends Kind, D extends boolean>(spec: FieldSpec): Field<T, O, K, D> =>
  Object.freeze({ ...fieldMembers(spec) }) as Field<T, O, K, D>

/** The properties of a field, for values that are a field and more. */
export function fieldMembers(spec: FieldSpec) {
  return {
    $field: Object.freeze(spec),
    optional: () => fieldOfSpec({ ...spec, optional: true }),
    pii: (tag: string) => fieldOfSpec({ ...spec, pii: tag }),
    unit: (unit: string) => fieldOfSpec({ ...spec, unit }),
    doc: (text: string) => fieldOfSpec({ ...spec, doc: text }),
    was: (name: string) => fieldOfSpec({ ...spec, was: name }),
    default: (value: unknown) => fieldOfSpec({ ...spec, default: value }),
  }
}

const of = <T, const K extends Kind>(type: Type & { readonly kind: K }): Field<T, false, K, false> => fieldOfSpec({ type, optional: false })

/** The types of columns. */
export const t = Object.freeze({
  boolean: () => of<boolean, 'boolean'>({ kind: 'boolean' }),
  /** 32 bits, signed. */
  int: () => of<number, 'int'>({ kind: 'int' }),
  /** 64 bits, signed; a `bigint` in TypeScript, a string in JSON beyond 2^53. */
  long: () => of<bigint, 'long'>({ kind: 'long' }),
  float: () => of<number, 'float'>({ kind: 'float' }),
  double: () => of<number, 'double'>({ kind: 'double' }),
  /** Exact: `precision` digits (1 to 38), `scale` of them behind the point; a `Decimal` in TypeScript, a string in JSON. */
  decimal: (precision: number, scale: number) => of<Decimal, 'decimal'>({ kind: 'decimal', precision, scale }),
  /** `'2026-03-01'`. */
  date: () => of<string, 'date'>({ kind: 'date' }),
  /** `'14:05:00.000000'`. */
  time: () => of<string, 'time'>({ kind: 'time' }),
  /** An instant with microseconds, UTC. */
  timestamp: () => of<Instant, 'timestamp'>({ kind: 'timestamp' }),
  /** A reading of a wall clock, of no zone, with microseconds: `'2026-03-01T14:05:00.000000'`. */
  datetime: () => of<string, 'datetime'>({ kind: 'datetime' }),
  string: () => of<string, 'string'>({ kind: 'string' }),
  uuid: () => of<string, 'uuid'>({ kind: 'uuid' }),
  /** Bytes; base64 in JSON. */
  binary: () => of<Uint8Array, 'binary'>({ kind: 'binary' }),
  /** Any JSON value. */
  json: <T = unknown>() => of<T, 'json'>({ kind: 'json' }),
  /** One of `values`. */
  enum: <const V extends readonly [string, ...string[]]>(...values: V) => of<V[number], 'enum'>({ kind: 'enum', values }),
  /** Named members, each a field of its own: an object in TypeScript and JSON. */
  struct: <S extends Readonly<Record<string, Part>>>(members: S) =>
    of<RowOf<S>, 'struct'>({ kind: 'struct', fields: Object.entries(members).map(([name, member]) => ({ name, ...memberOf(member) })) }),
  /** Any number of values of one type, in order. `t.list(t.string().optional())` may hold null. */
  list: <F extends Part>(element: F) => of<ValueOf<F>[], 'list'>({ kind: 'list', element: innerOf(element) }),
  /** Values by key: an object in TypeScript and JSON, whose keys are the keys' texts. */
  map: <K extends Field<Any, false, MapKey, false>, V extends Part>(key: K, value: V) =>
    of<Record<string, ValueOf<V>>, 'map'>({
      kind: 'map',
      key: innerOf(key).type,
      value: { ...innerOf(value, key?.$field?.pii), ...defaultIn(key) },
    }),
})

/** What has no type of its own, which `check` reports. */
export const UNTYPED: Type = { kind: 'enum', values: [] }

function innerOf(field: Field | undefined, otherTag?: string): Inner {
  const { type = UNTYPED, optional = false, pii = otherTag } = field?.$field ?? {}
  return { type, optional, ...(pii === undefined ? {} : { pii }), ...defaultIn(field) }
}

/** For `check` to refuse. */
const defaultIn = (field: Field | undefined): Pick<Inner, 'default'> => (hasDefault(field?.$field) ? { default: '' } : {})

export const hasDefault = (spec: FieldSpec | undefined): boolean => spec !== undefined && 'default' in spec

function memberOf(field: Field | undefined): Omit<SchemaField, 'name'> {
  const { doc, unit, was } = field?.$field ?? {}
  return {
    ...innerOf(field),
    ...(doc === undefined ? {} : { doc }),
    ...(unit === undefined ? {} : { unit }),
    ...(was === undefined ? {} : { was }),
  }
}

/**
 * A field that refers to `relation.column`, for circles and self-references, where the other value does not exist yet.
 * `check` verifies that the column exists and has this type.
 */
export function ref<T, O extends boolean, K extends Kind, D extends boolean>(
  to: `${string}.${string}`,
  field: Field<T, O, K, D>,
): Field<T, O, K, D> {
  return fieldOfSpec({ ...field.$field, references: to })
}
