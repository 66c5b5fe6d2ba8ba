// Avro schemas as far as Iceberg uses them, with the `field-id` attributes that Iceberg adds (spec, appendix A).

export type AvroSchema =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'bytes'
  | 'string'
  | AvroRecord
  | { readonly type: 'array'; readonly items: AvroSchema; readonly 'element-id'?: number; readonly logicalType?: string }
  | { readonly type: 'map'; readonly values: AvroSchema }
  | { readonly type: 'fixed'; readonly name: string; readonly size: number; readonly logicalType?: string }
  | { readonly type: 'enum'; readonly name: string; readonly symbols: readonly string[] }
  | { readonly type: 'int' | 'long' | 'bytes' | 'string' | 'boolean' | 'float' | 'double'; readonly logicalType?: string }
  | readonly AvroSchema[]

export interface AvroRecord {
  readonly type: 'record'
  readonly name: string
  readonly fields: readonly AvroField[]
}

export interface AvroField {
  readonly name: string
  readonly type: AvroSchema
  readonly 'field-id'?: number
  readonly default?: null
}

/** Values: null, boolean, number or bigint for int and long, number, bytes, string, arrays, and records as objects. */
export type AvroValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly AvroValue[]
  | { readonly [field: string]: AvroValue }
