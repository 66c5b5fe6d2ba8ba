// The one type system. A closed union: every target (Iceberg, DuckDB, JSON Schema, TypeScript, ...) has one table keyed
// by `kind`, so that a new kind does not compile until each target knows it.

export type Type =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'int' } // 32 bits, signed
  | { readonly kind: 'long' } // 64 bits, signed
  | { readonly kind: 'float' } // IEEE 754, 32 bits
  | { readonly kind: 'double' } // IEEE 754, 64 bits
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number } // precision 1 to 38
  | { readonly kind: 'date' } // days, proleptic Gregorian
  | { readonly kind: 'time' } // microseconds of a day
  | { readonly kind: 'timestamp' } // an instant: microseconds since 1970 UTC
  | { readonly kind: 'datetime' } // a reading of a wall clock, which has no zone: microseconds since 1970-01-01T00:00:00 on that clock
  | { readonly kind: 'string' } // UTF-8
  | { readonly kind: 'uuid' }
  | { readonly kind: 'binary' } // bytes; base64 in JSON
  | { readonly kind: 'json' } // any JSON value, stored as its text
  | { readonly kind: 'enum'; readonly values: readonly string[] } // stored as string
  | { readonly kind: 'struct'; readonly fields: readonly Field[] } // at least one; names differ by more than case
  | { readonly kind: 'list'; readonly element: Inner }
  | { readonly kind: 'map'; readonly key: Type; readonly value: Inner } // keys are flat and never null; an object in JSON

export type Kind = Type['kind']

export type StructType = Extract<Type, { kind: 'struct' }>
export type MapType = Extract<Type, { kind: 'map' }>
export type NestedType = Extract<Type, { kind: 'struct' | 'list' | 'map' }>

/** What stands inside a list or a map, and whether null may stand there. */
export interface Inner {
  readonly type: Type
  readonly optional: boolean
  /** As a field's; of a map's values also that of its keys. */
  readonly pii?: string
  /** `check` refuses it in here: only columns have defaults. */
  readonly default?: string
}

/** One column or member of a struct: its name, type, whether it may be null, and what people and policies know about it. */
export interface Field {
  readonly name: string
  readonly type: Type
  readonly optional: boolean
  readonly doc?: string
  readonly unit?: string
  /** Personal-data tag, such as 'email'; masks are chosen by it and it follows lineage. */
  readonly pii?: string
  /** What it was called before: matters where stored data has that name and not this one. */
  readonly was?: string
  /** What a row has that leaves it out: the text of a value, in the one spelling of `default-value.ts`. Of flat columns only. */
  readonly default?: string
}

/** The columns of a relation, in order. Names are unique. */
export interface Shape {
  readonly fields: readonly Field[]
}

export const fieldOf = (shape: Shape, name: string): Field | undefined => shape.fields.find((field) => field.name === name)

export const isNested = (type: Type): type is NestedType => type.kind === 'struct' || type.kind === 'list' || type.kind === 'map'

/** Whether it is a datetime or has one inside. */
export function holdsDatetime(type: Type): boolean {
  if (type.kind === 'struct') return type.fields.some((field) => holdsDatetime(field.type))
  if (type.kind === 'list') return holdsDatetime(type.element.type)
  return type.kind === 'map' ? holdsDatetime(type.key) || holdsDatetime(type.value.type) : type.kind === 'datetime'
}

/** The one of `before` that goes on as `field` in `after`: the one of its name, or of the name that it had. */
export function formerOf<F extends { readonly name: string }>(
  field: Pick<Field, 'name' | 'was'>,
  before: readonly F[],
  after: readonly { readonly name: string }[],
): F | undefined {
  const named = (name: string | undefined) => before.find((other) => other.name === name)
  const isTaken = after.some(({ name }) => name === field.was)
  return named(field.name) ?? (isTaken ? undefined : named(field.was))
}

/** Equal as stored: enum values and tags do not matter to what is on disk, nor does here whether parts may be null. */
export function sameType(a: Type, b: Type): boolean {
  if (a.kind === 'struct' && b.kind === 'struct')
    return (
      a.fields.length === b.fields.length &&
      a.fields.every(({ name, type }, index) => name === b.fields[index]!.name && sameType(type, b.fields[index]!.type))
    )
  if (a.kind === 'list' && b.kind === 'list') return sameType(a.element.type, b.element.type)
  if (a.kind === 'map' && b.kind === 'map') return sameType(a.key, b.key) && sameType(a.value.type, b.value.type)
  if (a.kind === 'decimal' && b.kind === 'decimal') return a.precision === b.precision && a.scale === b.scale
  return storedKind(a) === storedKind(b)
}

const storedKind = (type: Type): Kind => (type.kind === 'enum' || type.kind === 'json' ? 'string' : type.kind)

/** The type as a reader writes it: `decimal(12, 2)`, `enum('home', 'cart')`, `list(struct(sku string, count int optional))`. */
export function printType(type: Type): string {
  switch (type.kind) {
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`
    case 'enum':
      return `enum(${type.values.map((value) => `'${value}'`).join(', ')})`
    case 'struct':
      return `struct(${type.fields.map((field) => `${printName(field.name)} ${printInner(field)}`).join(', ')})`
    case 'list':
      return `list(${printInner(type.element)})`
    case 'map':
      return `map(${printType(type.key)}, ${printInner(type.value)})`
    default:
      return type.kind
  }
}

const printInner = ({ type, optional }: Inner): string => `${printType(type)}${optional ? ' optional' : ''}`

const printName = (name: string): string => (/^\w+$/.test(name) ? name : JSON.stringify(name))
