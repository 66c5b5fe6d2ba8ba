// What changed between two shapes of a relation, and whether data written under the old one can be read under the new
// one (Iceberg, "Schema Evolution"): as data, so that `plan` can print it and refuse what would break. Fields are matched
// by name; a rename is a drop and an addition to whoever compares shapes alone.
import { type Field, fieldOf, printType, type Shape, sameType, type Type } from './type.ts'

export interface Change {
  readonly kind:
    | 'added'
    | 'dropped'
    | 'widened'
    | 'relaxed'
    | 'tightened'
    | 'values-added'
    | 'values-removed'
    | 'reinterpreted'
    | 'incompatible'
  readonly field: string
  readonly from: Field | null
  readonly to: Field | null
  /** Whether rows of the old shape are rows of the new one as they stand. */
  readonly safe: boolean
  /** The change in words, with types. */
  readonly message: string
}

/** All changes from `before` to `after`, in the order of the new shape, dropped fields last. Documentation does not count. */
export function compareShapes(before: Shape, after: Shape): Change[] {
  const kept = after.fields.flatMap((to) => {
    const from = fieldOf(before, to.name)
    return from ? [...compareTypes(from, to), ...compareOptional(from, to)] : [added(to)]
  })
  const dropped = before.fields.filter(({ name }) => !fieldOf(after, name))
  return [...kept, ...dropped.map((from) => change('dropped', from, null, true, 'is dropped; old values stay in old snapshots'))]
}

/** Whether the new shape can read everything that the old one wrote. */
export const isSafeEvolution = (before: Shape, after: Shape): boolean => compareShapes(before, after).every(({ safe }) => safe)

function change(kind: Change['kind'], from: Field | null, to: Field | null, safe: boolean, what: string): Change {
  const field = (to ?? from)!.name
  return { kind, field, from, to, safe, message: `field ${field} ${what}` }
}

function added(to: Field): Change {
  const how = to.optional ? 'is added; old rows have null' : 'is added as required, which old rows do not have'
  return change('added', null, to, to.optional, how)
}

function compareOptional(from: Field, to: Field): Change[] {
  if (from.optional === to.optional) return []
  if (to.optional) return [change('relaxed', from, to, true, 'may be null now')]
  return [change('tightened', from, to, false, 'may not be null any more, which old rows may be')]
}

function compareTypes(from: Field, to: Field): Change[] {
  const types = `${printType(from.type)} -> ${printType(to.type)}`
  if (printType(from.type) === printType(to.type)) return []
  if (from.type.kind === 'enum' && to.type.kind === 'enum') return compareValues(from, to, from.type.values, to.type.values)
  if (isWidening(from.type, to.type)) return [change('widened', from, to, true, `is widened: ${types}`)]
  if (to.type.kind === 'string' && sameType(from.type, to.type))
    return [change('reinterpreted', from, to, true, `is text as before: ${types}`)]
  if (sameType(from.type, to.type))
    return [change('reinterpreted', from, to, false, `is stored as before, but old text may not be valid: ${types}`)]
  return [change('incompatible', from, to, false, `changes its type: ${types}`)]
}

/** Iceberg's promotions. */
function isWidening(from: Type, to: Type): boolean {
  if (from.kind === 'int') return to.kind === 'long'
  if (from.kind === 'float') return to.kind === 'double'
  return from.kind === 'decimal' && to.kind === 'decimal' && from.scale === to.scale && to.precision > from.precision
}

function compareValues(from: Field, to: Field, before: readonly string[], after: readonly string[]): Change[] {
  const more = after.filter((value) => !before.includes(value))
  const less = before.filter((value) => !after.includes(value))
  return [
    ...(more.length > 0 ? [change('values-added', from, to, true, `also takes ${more.join(', ')}`)] : []),
    ...(less.length > 0 ? [change('values-removed', from, to, false, `no longer takes ${less.join(', ')}, which old rows may have`)] : []),
  ]
}
