// Rows as messages of Avro: the schema follows from the columns, so that everything that a row holds is in it exactly; with a registry it
// is registered and its id stands before the data. Values come as JSON in the spelling of answers. Source: Avro specification 1.12.

import { assert } from '../../core/errors.ts'
import { textOf } from '../../core/json.ts'
import { Instant } from '../../schema/instant.ts'
import { readDate, readDatetime, readTime } from '../../schema/scan/read-time.ts'
import type { Field, Inner, Shape, Type } from '../../schema/type.ts'
import type { AvroComplex, AvroSchema } from './avro-json.ts'
import { compileSchema, loadAvro } from './decode-avro.ts'
import { readRow } from './read-row.ts'
import type { RegistryTarget } from './schema-registry.ts'
import { headOf } from './wire-format.ts'

export interface AvroTarget {
  /** Name of the record. */
  readonly name: string
  readonly shape: Shape
  readonly registry?: RegistryTarget
}

/** @throws MR_PACKAGE_MISSING, MR_KAFKA_SCHEMA */
export async function avroEncoder({ name, shape, registry }: AvroTarget): Promise<(json: Uint8Array) => Uint8Array> {
  const schema = JSON.stringify(avroSchemaOf(name, shape))
  const { type } = compileSchema(await loadAvro('messages of Avro'), schema)
  const head = registry
    ? headOf(await registry.client.register(registry.subject, { type: 'AVRO', text: schema, references: [] }))
    : Buffer.alloc(0)
  return (json) => Buffer.concat([head, type.toBuffer(recordValue(shape.fields, readRow(json, shape), name))])
}

/** The schema of rows of a shape. */
export const avroSchemaOf = (name: string, { fields }: Shape): AvroSchema => recordSchema(name, fields)

const recordSchema = (name: string, fields: readonly Field[]): AvroComplex =>
  ({
    type: 'record',
    name,
    fields: fields.map((field) => ({
      name: field.name,
      type: innerSchema(`${name}_${field.name}`, field),
      ...(field.optional ? { default: null } : {}),
      ...(field.doc === undefined ? {} : { doc: field.doc }),
    })),
  }) as AvroComplex

const innerSchema = (name: string, { type, optional }: Inner): AvroSchema =>
  optional ? ['null', schemaOf(name, type)] : schemaOf(name, type)

function schemaOf(name: string, type: Type): AvroSchema {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'float':
    case 'double':
      return type.kind
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale }
    case 'date':
      return { type: 'int', logicalType: 'date' }
    case 'time':
      return { type: 'long', logicalType: 'time-micros' }
    case 'timestamp':
      return { type: 'long', logicalType: 'timestamp-micros' }
    case 'datetime':
      return { type: 'long', logicalType: 'local-timestamp-micros' }
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' }
    case 'binary':
      return 'bytes'
    case 'string':
    case 'json':
    case 'enum':
      return 'string'
    case 'struct':
      return recordSchema(name, type.fields)
    case 'list':
      return { type: 'array', items: innerSchema(`${name}_item`, type.element) }
    case 'map':
      return { type: 'map', values: innerSchema(`${name}_value`, type.value) }
  }
}

/** The name under which the library wraps a value of a union. */
function branchOf(name: string, type: Type): string {
  const schema = schemaOf(name, type)
  if (typeof schema === 'string') return schema
  const { type: kind, name: own } = schema as AvroComplex
  return own ?? (kind as string)
}

const recordValue = (fields: readonly Field[], row: Readonly<Record<string, unknown>>, name: string): Record<string, unknown> =>
  Object.fromEntries(fields.map((field) => [field.name, innerValue(`${name}_${field.name}`, field, row[field.name])]))

function innerValue(name: string, { type, optional }: Inner, value: unknown): unknown {
  if (value === null || value === undefined) return null
  const own = avroValue(name, type, value)
  return optional ? { [branchOf(name, type)]: own } : own
}

function avroValue(name: string, type: Type, value: unknown): unknown {
  switch (type.kind) {
    case 'boolean':
      return value
    case 'int':
    case 'float':
    case 'double':
      return Number(textOf(value))
    case 'long':
      return BigInt(textOf(value))
    case 'decimal':
      return decimalBytes(textOf(value), type.scale)
    case 'date':
      return timeOf(readDate, textOf(value))
    case 'time':
      return BigInt(timeOf(readTime, textOf(value)))
    case 'timestamp':
      return BigInt(Instant.fromIso(textOf(value)).epochMicros)
    case 'datetime':
      return BigInt(timeOf(readDatetime, textOf(value)))
    case 'binary':
      return Buffer.from(textOf(value), 'base64')
    case 'json':
    case 'string':
    case 'uuid':
    case 'enum':
      return value
    case 'struct':
      return recordValue(type.fields, value as Readonly<Record<string, unknown>>, name)
    case 'list':
      return (value as readonly unknown[]).map((item) => innerValue(`${name}_item`, type.element, item))
    case 'map':
      return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, innerValue(`${name}_value`, type.value, item)]))
  }
}

function timeOf(read: typeof readDate, text: string): number {
  const bytes = Buffer.from(`${text}"`)
  const out = new Float64Array(1)
  assert(read(bytes, 0, out) === bytes.length - 1, `the engine prints the time ${text}`)
  return out[0]!
}

/** Two's complement, big end first, in as few bytes as hold it. */
export function decimalBytes(text: string, scale: number): Buffer {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  const magnitude = BigInt(whole! + fraction.padEnd(scale, '0'))
  const raw = sign === '-' ? -magnitude : magnitude
  let size = 1
  while (raw < -(1n << BigInt(size * 8 - 1)) || raw >= 1n << BigInt(size * 8 - 1)) size++
  return Buffer.from(
    BigInt.asUintN(size * 8, raw)
      .toString(16)
      .padStart(size * 2, '0'),
    'hex',
  )
}
