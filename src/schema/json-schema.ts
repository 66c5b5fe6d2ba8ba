// The type table of JSON Schema (2020-12, as OpenAPI 3.1 uses it): how values look in the JSON that Millrace takes and
// gives: docs/reference/http.md.
import { jsonOfDefault } from './default-value.ts'
import type { Field, Inner, Shape, Type } from './type.ts'

/** A JSON Schema as plain JSON. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

const DATETIME = '^[0-9]{4}-[0-1][0-9]-[0-3][0-9][Tt ][0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?$'
const LONG = '^-?(0|[1-9][0-9]*)$'

/** The schema of a value that is not null. */
export function toJsonSchema(type: Type): JsonSchema {
  switch (type.kind) {
    case 'boolean':
      return { type: 'boolean' }
    case 'int':
      return { type: 'integer', format: 'int32', minimum: -2_147_483_648, maximum: 2_147_483_647 }
    case 'long':
      return { type: ['integer', 'string'], format: 'int64', pattern: LONG, description: 'a string beyond 2^53 - 1' }
    case 'float':
    case 'double':
      return { type: ['number', 'string'], format: type.kind, pattern: '^(NaN|-?Infinity)$', description: 'NaN and infinities are strings' }
    case 'decimal':
      return { type: ['string', 'number'], format: 'decimal', pattern: decimalPattern(type.precision, type.scale) }
    case 'date':
      return { type: 'string', format: 'date' }
    case 'time':
      return { type: 'string', format: 'partial-time', pattern: '^[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?$' }
    case 'timestamp':
      return { type: 'string', format: 'date-time' }
    case 'datetime': // a date-time has to have an offset
      return { type: 'string', format: 'date-time-local', pattern: DATETIME }
    case 'string':
      return { type: 'string' }
    case 'uuid':
      return { type: 'string', format: 'uuid' }
    case 'binary':
      return { type: 'string', contentEncoding: 'base64' }
    case 'json':
      return {}
    case 'enum':
      return { type: 'string', enum: [...type.values] }
    case 'struct':
      return shapeToJsonSchema(type)
    case 'list':
      return { type: 'array', items: innerSchema(type.element) }
    case 'map':
      return { type: 'object', additionalProperties: innerSchema(type.value) }
  }
}

function decimalPattern(precision: number, scale: number): string {
  const whole = precision > scale ? `(0|[1-9][0-9]{0,${precision - scale - 1}})` : '0'
  return `^-?${whole}${scale > 0 ? `(\\.[0-9]{1,${scale}})?` : ''}$`
}

/** The schema of a row that is sent: an object with a property a field. Optional fields may be absent or null, those with a default absent. */
export function shapeToJsonSchema(shape: Shape): JsonSchema {
  const properties = Object.fromEntries(shape.fields.map((field) => [field.name, fieldSchema(field)]))
  const required = shape.fields.filter((field) => !field.optional && field.default === undefined).map((field) => field.name)
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false }
}

function fieldSchema(field: Field): JsonSchema {
  const schema = toJsonSchema(field.type)
  const about = [field.doc, field.unit && `unit: ${field.unit}`, schema['description']].filter(Boolean).join('; ')
  const described = about ? { ...schema, description: about } : schema
  const whole = field.default === undefined ? described : { ...described, default: jsonOfDefault(field.type, field.default) }
  return field.optional ? allowNull(whole) : whole
}

const innerSchema = ({ type, optional }: Inner): JsonSchema => (optional ? allowNull(toJsonSchema(type)) : toJsonSchema(type))

/** `type` and `enum` both have to admit null. */
function allowNull(schema: JsonSchema): JsonSchema {
  const { type, enum: values } = schema
  if (type === undefined) return schema
  return { ...schema, type: [type, 'null'].flat(), ...(Array.isArray(values) ? { enum: [...values, null] } : {}) }
}
