// The type table of JSON Schema (2020-12): what rows look like in JSON, for OpenAPI. Decimals and longs may be text.
import type { Shape, Type } from './type.ts'

export type JsonSchema = Record<string, unknown>

export function toJsonSchema(type: Type): JsonSchema {
  switch (type.kind) {
    case 'boolean':
      return { type: 'boolean' }
    case 'int':
      return { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }
    case 'long':
      return { type: ['integer', 'string'], format: 'int64', pattern: '^-?[0-9]+$' }
    case 'float':
    case 'double':
      return { type: 'number', format: type.kind }
    case 'decimal':
      return {
        type: ['string', 'number'],
        format: 'decimal',
        description: `at most ${type.precision} digits, ${type.scale} after the point`,
      }
    case 'date':
      return { type: 'string', format: 'date' }
    case 'time':
      return { type: 'string', format: 'time' }
    case 'timestamp':
      return { type: 'string', format: 'date-time' }
    case 'uuid':
      return { type: 'string', format: 'uuid' }
    case 'binary':
      return { type: 'string', contentEncoding: 'base64' }
    case 'json':
      return {}
    case 'enum':
      return { type: 'string', enum: [...type.values] }
    case 'string':
      return { type: 'string' }
  }
}

/** A row. Unknown fields are refused by the door, so the schema is closed. */
export function shapeToJsonSchema(shape: Shape): JsonSchema {
  const properties = Object.fromEntries(
    shape.fields.map((field) => [field.name, { ...toJsonSchema(field.type), ...(field.doc ? { description: field.doc } : {}) }]),
  )
  return {
    type: 'object',
    properties,
    required: shape.fields.filter((field) => !field.optional).map((field) => field.name),
    additionalProperties: false,
  }
}
