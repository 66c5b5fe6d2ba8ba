// Messages of Avro as rows: plain ones of one schema, or those that begin with the id of a registry's schema. The package avsc decodes
// the bytes; how values are spelled is in `avro-json.ts`.
import type { Type as AvroType } from 'avsc'
import { MillraceError } from '../../core/errors.ts'
import { optional } from '../../core/optional.ts'
import type { Field } from '../../schema/type.ts'
import { type AvroComplex, type AvroSchema, avroRowWriter, isPrimitive } from './avro-json.ts'
import { type ReadBody, registeredDecoder } from './decode-registered.ts'
import { type Decoder, Undecodable } from './decoder.ts'
import type { SchemaRegistry } from './schema-registry.ts'

export type Avro = typeof import('avsc')

export interface AvroSource {
  /** JSON. With a registry: what its messages are read as. */
  readonly schema?: string
  readonly registry?: SchemaRegistry
}

/** @throws MR_PACKAGE_MISSING; MR_KAFKA_SCHEMA for a schema that is none. */
export async function avroDecoder({ schema, registry }: AvroSource, fields: readonly Field[]): Promise<Decoder> {
  const module = await loadAvro('messages of Avro')
  const reader = schema === undefined ? undefined : compileSchema(module, schema)
  if (!registry) {
    const decode = lineOf(reader!, reader!, fields)
    return { line: (value) => decode(Buffer.from(value.buffer, value.byteOffset, value.byteLength)) }
  }
  return registeredDecoder(async (id) => {
    const found = await registry.schema(id, 'AVRO')
    if (!found) return null
    if (found.references.length > 0)
      throw new MillraceError('MR_KAFKA_SCHEMA', `the Avro schema ${id} refers to others`, { fix: 'register a schema that stands alone' })
    const writer = compileSchema(module, found.text)
    return lineOf(writer, reader ?? writer, fields)
  })
}

/** The package as CommonJS modules are imported. */
export async function loadAvro(neededBy: string): Promise<Avro> {
  const module = await optional<Avro & { readonly default?: Avro }>('avsc', neededBy)
  return module.default ?? module
}

export interface CompiledSchema {
  readonly json: AvroSchema
  readonly type: AvroType
}

/** Longs are bigint, values of unions are wrapped by the names of their branches. @throws MR_KAFKA_SCHEMA */
export function compileSchema({ Type, types }: Avro, text: string): CompiledSchema {
  try {
    const json = JSON.parse(text) as AvroSchema
    const long = types.LongType.__with({
      fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
      toBuffer: (value: bigint) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64LE(value)
        return bytes
      },
      fromJSON: BigInt,
      toJSON: String,
      isValid: (value: unknown) => typeof value === 'bigint',
      compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
    })
    const type = Type.forSchema(withoutLogical(json) as Parameters<typeof Type.forSchema>[0], { registry: { long }, wrapUnions: 'always' })
    return { json, type }
  } catch (cause) {
    throw new MillraceError('MR_KAFKA_SCHEMA', `an Avro schema cannot be used: ${(cause as Error).message}`, {
      cause,
      fix: 'correct the schema',
    })
  }
}

/** The library makes a type of its own of a primitive with a logical type, past the one that it was given. */
function withoutLogical(schema: AvroSchema): AvroSchema {
  if (Array.isArray(schema)) return schema.map(withoutLogical)
  if (typeof schema === 'string') return schema
  const { type, items, values, fields, ...rest } = schema as AvroComplex
  if (isPrimitive(type)) return type
  return {
    ...rest,
    type: withoutLogical(type),
    ...(items === undefined ? {} : { items: withoutLogical(items) }),
    ...(values === undefined ? {} : { values: withoutLogical(values) }),
    ...(fields === undefined ? {} : { fields: fields.map((field) => ({ ...field, type: withoutLogical(field.type) })) }),
  }
}

function lineOf(writer: CompiledSchema, reader: CompiledSchema, fields: readonly Field[]): ReadBody {
  const write = avroRowWriter(reader.json, fields)
  let resolver: ReturnType<AvroType['createResolver']> | undefined
  try {
    resolver = writer === reader ? undefined : reader.type.createResolver(writer.type)
  } catch (cause) {
    throw new MillraceError('MR_KAFKA_SCHEMA', `messages cannot be read by the given Avro schema: ${(cause as Error).message}`, {
      cause,
      fix: 'give a schema that the writers’ one can be read as, or none',
    })
  }
  return (bytes) => {
    let value: unknown
    try {
      value = reader.type.fromBuffer(bytes, resolver)
    } catch (cause) {
      throw new Undecodable(`the message is not of its Avro schema: ${(cause as Error).message}`)
    }
    return write(value)
  }
}
