// The one type system. A closed union: every target (Iceberg, DuckDB, JSON Schema, TypeScript, ...) has one table keyed
// by `kind`, so that a new kind does not compile until each target knows it. Nested kinds come later.

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
  | { readonly kind: 'string' } // UTF-8
  | { readonly kind: 'uuid' }
  | { readonly kind: 'binary' } // bytes; base64 in JSON
  | { readonly kind: 'json' } // any JSON value, stored as its text
  | { readonly kind: 'enum'; readonly values: readonly string[] } // stored as string

export type Kind = Type['kind']

/** One column: its name, type, whether it may be null, and what people and policies know about it. */
export interface Field {
  readonly name: string
  readonly type: Type
  readonly optional: boolean
  readonly doc?: string
  readonly unit?: string
  /** Personal-data tag, such as 'email'; masks are chosen by it and it follows lineage. */
  readonly pii?: string
}

/** The columns of a relation, in order. Names are unique. */
export interface Shape {
  readonly fields: readonly Field[]
}

export const fieldOf = (shape: Shape, name: string): Field | undefined => shape.fields.find((field) => field.name === name)

/** Equal as stored: enum values and tags do not matter to what is on disk. */
export function sameType(a: Type, b: Type): boolean {
  if (a.kind === 'decimal' && b.kind === 'decimal') return a.precision === b.precision && a.scale === b.scale
  return storedKind(a) === storedKind(b)
}

const storedKind = (type: Type): Kind => (type.kind === 'enum' || type.kind === 'json' ? 'string' : type.kind)

/** The type as a reader writes it: `decimal(12, 2)`, `enum('home', 'cart')`. */
export function printType(type: Type): string {
  if (type.kind === 'decimal') return `decimal(${type.precision}, ${type.scale})`
  if (type.kind === 'enum') return `enum(${type.values.map((value) => `'${value}'`).join(', ')})`
  return type.kind
}
