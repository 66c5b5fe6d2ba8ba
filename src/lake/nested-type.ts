// The parts of nested types in one form: a struct's fields, a list's element, a map's key and value are all fields with an id
// (Iceberg spec, "Nested Types"). Pure; what a type is elsewhere is said in `schema-mapping.ts` and in engine/.
import type { LakeField, LakeNested, LakeSchema, LakeType } from './types.ts'

export const isNestedType = (type: LakeType): type is LakeNested => typeof type !== 'string'

/** Whether what stands in metadata has the form of a type; which flat ones there are is another question. */
export function isLakeType(json: unknown): json is LakeType {
  if (typeof json === 'string') return true
  const { type, fields, element, key, value } = (json ?? {}) as Record<string, unknown>
  if (type === 'list') return isLakeType(element)
  if (type === 'map') return isLakeType(key) && isLakeType(value)
  return type === 'struct' && Array.isArray(fields) && fields.every((field) => isLakeType((field as LakeField | null)?.type))
}

/** The fields directly inside: none of a flat type; `element`; `key` and `value`. */
export function partsOf(type: LakeType): readonly LakeField[] {
  if (typeof type === 'string') return []
  switch (type.type) {
    case 'struct':
      return type.fields
    case 'list':
      return [{ id: type['element-id'], name: 'element', type: type.element, required: type['element-required'] }]
    case 'map':
      return [
        { id: type['key-id'], name: 'key', type: type.key, required: true },
        { id: type['value-id'], name: 'value', type: type.value, required: type['value-required'] },
      ]
  }
}

/** The type of this kind with these parts: the inverse of `partsOf`. */
export function typeWith(kind: LakeNested['type'], parts: readonly LakeField[]): LakeNested {
  if (kind === 'struct') return { type: 'struct', fields: parts }
  const [first, second] = parts as [LakeField, LakeField]
  if (kind === 'list') return { type: 'list', 'element-id': first.id, element: first.type, 'element-required': first.required }
  return { type: 'map', 'key-id': first.id, key: first.type, 'value-id': second.id, value: second.type, 'value-required': second.required }
}

/** Two of the fields, or of the members of one struct inside of them, whose names differ in case alone: SQL cannot tell them apart. */
export function twinsOf(fields: readonly LakeField[]): readonly [string, string] | undefined {
  const seen = new Map<string, string>()
  for (const { name } of fields) {
    const other = seen.get(name.toLowerCase())
    if (other !== undefined) return [other, name]
    seen.set(name.toLowerCase(), name)
  }
  for (const { type } of fields) {
    const inside = twinsOf(partsOf(type))
    if (inside) return inside
  }
  return undefined
}

/** The field and all fields inside it, outer ones first. */
export const withInner = (field: LakeField): LakeField[] => [field, ...partsOf(field.type).flatMap(withInner)]

/** Fields of all levels that stand in structs only: what a partition or a key can be made from. */
const inStructs = (field: LakeField): LakeField[] => [
  field,
  ...(typeof field.type !== 'string' && field.type.type === 'struct' ? field.type.fields.flatMap(inStructs) : []),
]

/** The field of an id, a column or a member of a struct, in the newest schema that has it. */
export function fieldById(schemas: readonly LakeSchema[], id: number): LakeField | undefined {
  for (let i = schemas.length - 1; i >= 0; i--) {
    const field = schemas[i]!.fields.flatMap(inStructs).find((other) => other.id === id)
    if (field) return field
  }
  return undefined
}

/** `decimal(12, 2)`, `struct<a: int, b: list<string>>`: for messages. */
export function printLakeType(type: LakeType): string {
  if (typeof type === 'string') return type
  const parts = partsOf(type).map((part) => `${type.type === 'struct' ? `${part.name}: ` : ''}${printLakeType(part.type)}`)
  return `${type.type}<${parts.join(', ')}>`
}
