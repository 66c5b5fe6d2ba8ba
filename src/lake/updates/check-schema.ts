// Schemas that come from outside, nested ones too: known types of the table's format version, field ids given once, key
// columns that exist. Pure. Types that Millrace does not read itself are allowed: the table is not ours alone.
import { printJson } from '../../core/json.ts'
import type { SchemaJson } from '../table-metadata.ts'
import { invalid } from './update.ts'

/** A field at any depth; elements, keys and values of lists and maps count as fields. */
export interface NestedField {
  readonly id: number
  readonly type: unknown
  readonly 'initial-default'?: unknown
}

const PLAIN =
  /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|string|uuid|binary|fixed\[\d+\]|decimal\(\s*\d+\s*,\s*\d+\s*\))$/
const VERSION_3 = /^(unknown|variant|timestamp_ns|timestamptz_ns|geometry(\(.*\))?|geography(\(.*\))?)$/

/** Fields of a type, those inside first-level ones after them. @throws MR_LAKE_UPDATE for what is no type. */
export function fieldsOf(type: unknown): NestedField[] {
  if (typeof type === 'string') return []
  const { type: kind, ...of } = (type ?? {}) as { type?: unknown; [member: string]: unknown }
  if (kind === 'struct' && Array.isArray(of['fields'])) {
    const fields = of['fields'] as NestedField[]
    if (fields.every((field) => Number.isSafeInteger(field?.id) && field.type !== undefined))
      return [...fields, ...fields.flatMap((field) => fieldsOf(field.type))]
  }
  if (kind === 'list' && Number.isSafeInteger(of['element-id'])) return nested([[of['element-id'], of['element']]])
  if (kind === 'map' && Number.isSafeInteger(of['key-id']) && Number.isSafeInteger(of['value-id']))
    return nested([
      [of['key-id'], of['key']],
      [of['value-id'], of['value']],
    ])
  throw invalid(`not an Iceberg type: ${JSON.stringify(type)}`)
}

const nested = (fields: readonly (readonly [unknown, unknown])[]): NestedField[] => [
  ...fields.map(([id, type]) => ({ id: id as number, type })),
  ...fields.flatMap(([, type]) => fieldsOf(type)),
]

export const highestId = (schema: SchemaJson): number =>
  fieldsOf({ ...schema, type: 'struct' }).reduce((most, { id }) => Math.max(most, id), 0)

/** @throws MR_LAKE_UPDATE, naming what is wrong. */
export function checkSchema(schema: SchemaJson, formatVersion: number): void {
  const fields = fieldsOf({ ...schema, type: 'struct' })
  const ids = new Set(fields.map(({ id }) => id))
  if (ids.size < fields.length) throw invalid('a field id occurs twice in the schema')
  const names = schema.fields.map(({ name }) => name)
  const odd = names.find((name, index) => typeof name !== 'string' || names.indexOf(name) !== index)
  if (odd !== undefined) throw invalid(`the schema has two columns called ${odd}, or one without a name`)
  for (const { id, type, 'initial-default': initial } of fields) {
    if (initial != null && formatVersion < 3)
      throw invalid(`Invalid initial default for field ${id}: non-null default is not supported until v3`)
    if (typeof type !== 'string' || PLAIN.test(type)) continue
    if (!VERSION_3.test(type)) throw invalid(`not an Iceberg type: ${type}`)
    if (formatVersion < 3) throw invalid(`Invalid type: ${type} is not supported until v3`)
  }
  const key = schema['identifier-field-ids']?.find((id) => !ids.has(id))
  if (key !== undefined) throw invalid(`Cannot add field ${key} as an identifier field: it is not in the schema`)
}

/** Equal but for their ids. */
export const isSameSchema = (a: SchemaJson, b: SchemaJson): boolean => essence(a) === essence(b)

function essence(schema: SchemaJson): string {
  const ids = [...(schema['identifier-field-ids'] ?? [])].sort((a, b) => a - b)
  return printJson([ids, sorted(schema.fields)])
}

// Members in one order, so that equal schemas of different writers are equal text.
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  )
}
