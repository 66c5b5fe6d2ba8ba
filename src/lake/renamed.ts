// Whether the nested columns of a table can be read by the names that their parts have now. The engine finds columns by field
// id, but what is inside of one by name: where names were given to other fields, or fields to other names, what each file
// calls them decides (`FileField`). Pure.
import { partsOf } from './nested-type.ts'
import type { LakeField, LakeSchema } from './types.ts'

/** In doubt true. Schemas that are no longer listed may have had any names. */
export function hasRenamedParts(schemas: readonly LakeSchema[]): boolean {
  if (!schemas.some(({ fields }) => fields.some(({ type }) => partsOf(type).length > 0))) return false
  if (schemas.some(({ id }, index) => id !== index)) return true
  const nameOf = new Map<number, string>()
  const idOf = new Map<string, number>()
  const isNew = (parent: LakeField, part: LakeField): boolean => {
    const name = part.name.toLowerCase()
    const place = `${parent.id} ${name}`
    const isSame = (nameOf.get(part.id) ?? name) === name && (idOf.get(place) ?? part.id) === part.id
    nameOf.set(part.id, name)
    idOf.set(place, part.id)
    return !isSame || partsOf(part.type).some((inner) => isNew(part, inner))
  }
  const parts = schemas.flatMap(({ fields }) => fields.flatMap((field) => partsOf(field.type).map((part) => [field, part] as const)))
  return parts.some(([field, part]) => isNew(field, part)) || hasLostAll(schemas)
}

/** A struct without a member that it had before: then there is no name in common. */
function hasLostAll(schemas: readonly LakeSchema[]): boolean {
  const membersOf = new Map<number, ReadonlySet<number>[]>()
  const visit = (field: LakeField): void => {
    const parts = partsOf(field.type)
    membersOf.set(field.id, [...(membersOf.get(field.id) ?? []), new Set(parts.map(({ id }) => id))])
    for (const part of parts) visit(part)
  }
  for (const { fields } of schemas) for (const field of fields) visit(field)
  return [...membersOf.values()].some((sets) =>
    sets.some((set) => set.size > 0 && sets.some((other) => other.size > 0 && [...set].every((id) => !other.has(id)))),
  )
}
