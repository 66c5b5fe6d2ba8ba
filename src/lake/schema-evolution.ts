// What a column or a part of one may become without rewriting its files (Iceberg spec, "Schema Evolution", version 2): int to
// long, float to double, more decimal digits, required to optional; a struct may gain optional members and lose any.
// Everything else is refused with the way out. Ids are given once and never again, also inside.
import { MillraceError } from '../core/errors.ts'
import { type Field, formerOf, type Inner, type Type } from '../schema/type.ts'
import { partsOf, printLakeType, typeWith } from './nested-type.ts'
import type { LakeField, LakeNested, LakeType } from './types.ts'
import { parseIcebergType } from './value/iceberg-type.ts'

/** Gives the next id that the table never gave out. */
export type NextId = () => number

/** A part of a type in the words of the definition. */
type Wanted = Pick<Field, 'name' | 'doc' | 'was'> & Inner

const FLAT: { readonly [K in Exclude<Type['kind'], 'struct' | 'list' | 'map'>]: (type: Extract<Type, { kind: K }>) => string } = {
  boolean: () => 'boolean',
  int: () => 'int',
  long: () => 'long',
  float: () => 'float',
  double: () => 'double',
  decimal: ({ precision, scale }) => `decimal(${precision}, ${scale})`,
  date: () => 'date',
  time: () => 'time',
  timestamp: () => 'timestamptz',
  datetime: () => 'timestamp',
  string: () => 'string',
  uuid: () => 'uuid',
  binary: () => 'binary',
  json: () => 'string',
  enum: () => 'string',
}

function wantedParts(type: Type): readonly Wanted[] {
  switch (type.kind) {
    case 'struct':
      return type.fields
    case 'list':
      return [{ name: 'element', ...type.element }]
    case 'map':
      return [
        { name: 'key', type: type.key, optional: false },
        { name: 'value', ...type.value },
      ]
    default:
      return []
  }
}

const described = ({ name, optional, doc }: Wanted) => ({ name, required: !optional, ...(doc === undefined ? {} : { doc }) })

/** A field that the table did not have. */
export function newField(wanted: Wanted, nextId: NextId): LakeField {
  const id = nextId()
  return { id, ...described(wanted), type: newType(wanted.type, nextId) }
}

function newType(type: Type, nextId: NextId): LakeType {
  if (type.kind === 'struct' || type.kind === 'list' || type.kind === 'map')
    return typeWith(
      type.kind,
      wantedParts(type).map((part) => newField(part, nextId)),
    )
  return (FLAT[type.kind] as (type: Type) => string)(type)
}

/** The field after the change; `place` is its name in messages. @throws MR_SCHEMA_EVOLUTION */
export function evolveField(old: LakeField, wanted: Wanted, nextId: NextId, place = old.name): LakeField {
  const type = evolveType(old.type, wanted.type, nextId, place)
  if (!wanted.optional && !old.required) {
    throw new MillraceError('MR_SCHEMA_EVOLUTION', `the column ${place} is optional and cannot become required: stored rows may lack it`, {
      fix: `leave ${place} optional and add a not_null check`,
    })
  }
  return { id: old.id, ...described(wanted), type }
}

function evolveType(old: LakeType, wanted: Type, nextId: NextId, place: string): LakeType {
  const isSameKind = typeof old !== 'string' && old.type === wanted.kind
  if (isSameKind) return evolveParts(old, wantedParts(wanted), nextId, place)
  const after = newType(wanted, () => 0)
  if (isReadableAs(old, after)) return after
  throw new MillraceError(
    'MR_SCHEMA_EVOLUTION',
    `the column ${place} is a ${printLakeType(old)} and cannot become a ${printLakeType(after)}`,
    {
      fix: `allowed are int to long, float to double and more digits before the point of a decimal; otherwise add a new column, or drop ${place} and give the new one another name`,
    },
  )
}

/** Members of a struct go by name, or by the name that they had; whatever else is inside has one place. */
function evolveParts(old: LakeNested, wanted: readonly Wanted[], nextId: NextId, place: string): LakeNested {
  const parts = wanted.map((part) => {
    const known = formerOf(part, partsOf(old), wanted)
    const inner = `${place}.${part.name}`
    if (known) return evolveField(known, part, nextId, inner)
    if (!part.optional) throw requiredAdded(inner)
    return newField(part, nextId)
  })
  return typeWith(old.type, parts)
}

/** `text`: its default, which tables of version 2 do not keep. */
export const requiredAdded = (place: string, text?: string): MillraceError =>
  new MillraceError('MR_SCHEMA_EVOLUTION', `the new column ${place} is required, but rows written before do not have it`, {
    fix:
      text === undefined
        ? `declare ${place} as optional, or give the data a new table`
        : `write iceberg: { version: 3 }, and they have the default, or declare ${place} as optional`,
  })

function isReadableAs(from: LakeType, to: LakeType): boolean {
  if (typeof from !== 'string' || typeof to !== 'string') return false
  if (from === to) return true
  const [a, b] = [parseIcebergType(from), parseIcebergType(to)]
  if (a.kind === 'decimal' && b.kind === 'decimal') return a.scale === b.scale && b.precision >= a.precision
  return (a.kind === 'int' && b.kind === 'long') || (a.kind === 'float' && b.kind === 'double')
}
