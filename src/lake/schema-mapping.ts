// Shapes to Iceberg schemas and back. Field ids are given once and never again: a dropped column's id stays dead, a column
// that comes back under its old name is a new column (Iceberg spec, "Schemas", "Column Projection").
import { MillraceError } from '../core/errors.ts'
import { type Field, formerOf, type Inner, type Shape, type Type } from '../schema/type.ts'
import { partsOf, twinsOf } from './nested-type.ts'
import { evolveField, newField, requiredAdded } from './schema-evolution.ts'
import type { LakeField, LakeNested, LakeSchema, LakeType } from './types.ts'
import { icebergDefault } from './value/default-value.ts'
import { isIcebergType, parseIcebergType } from './value/iceberg-type.ts'

/** A schema and the highest field id that its table ever gave out. */
export interface Numbered {
  readonly schema: LakeSchema
  readonly lastColumnId: number
}

export interface MappingOptions {
  /** Key columns; they become identifier fields when all of them are required. */
  readonly key?: readonly string[]
  /** Old name to new name, of columns that go on under another name. */
  readonly renames?: Readonly<Record<string, string>>
  /** Field ids that partition, sort order or key rely on: they may not be dropped. */
  readonly inUse?: ReadonlyMap<number, string>
  /** Of the table; defaults are kept from version 3 on. Default 2. */
  readonly formatVersion?: number
}

/**
 * The schema of a shape. With `previous` it is what that evolves to: columns are matched by name after `renames`, or by
 * the name that they had (`was`); the
 * same schema comes back when nothing is different. A column that is added with a default has it in rows stored before. The id of a changed schema is the caller's to give.
 * @throws MR_SCHEMA_EVOLUTION when a column changes in a way that old files could not be read by.
 */
export function shapeToSchema(shape: Shape, previous?: Numbered, options: MappingOptions = {}): Numbered {
  const oldNames = new Map(Object.entries(options.renames ?? {}).map(([from, to]) => [to, from]))
  const before = new Map(previous?.schema.fields.map((field) => [field.name, field]) ?? [])
  checkRenames(options.renames ?? {}, before, shape)
  let lastColumnId = previous?.lastColumnId ?? 0
  const nextId = (): number => ++lastColumnId
  const hasDefaults = (options.formatVersion ?? 2) >= 3
  const fields = shape.fields.map((field): LakeField => {
    const old = before.get(oldNames.get(field.name) ?? field.name) ?? formerOf(field, previous?.schema.fields ?? [], shape.fields)
    const isSame = old !== undefined && (oldNames.has(field.name) || !Object.hasOwn(options.renames ?? {}, old.name))
    const now = hasDefaults ? writeDefaultOf(field) : {}
    if (isSame) return { ...evolveField(old, field, nextId), ...initialDefaultOf(old), ...now }
    if (!previous) return { ...newField(field, nextId), ...now }
    if (!field.optional && now.writeDefault === undefined) throw requiredAdded(field.name, field.default)
    return { ...newField(field, nextId), ...(now.writeDefault === undefined ? {} : { initialDefault: now.writeDefault }), ...now }
  })
  checkDropped(previous?.schema.fields ?? [], fields, options.inUse)
  const identifierIds = identifiers(fields, previous?.schema, options.key)
  const schema = { id: previous?.schema.id ?? 0, fields, identifierIds }
  return previous && sameSchema(schema, previous.schema) ? previous : { schema, lastColumnId }
}

/** Stored rows that lack the column rely on it, whoever gave it: it never changes (Iceberg spec, "Default values"). */
const initialDefaultOf = ({ initialDefault }: LakeField): Pick<LakeField, 'initialDefault'> =>
  initialDefault === undefined ? {} : { initialDefault }

/** What writers put where a row does not say is what the definition says, and nothing where it says nothing. */
export const writeDefaultOf = (field: Field): Pick<LakeField, 'writeDefault'> =>
  field.default === undefined ? {} : { writeDefault: icebergDefault(field.type, field.default) }

function checkRenames(renames: Readonly<Record<string, string>>, before: ReadonlyMap<string, LakeField>, shape: Shape): void {
  for (const [from, to] of Object.entries(renames)) {
    if (!before.has(from)) throw new MillraceError('MR_SCHEMA_EVOLUTION', `the column ${from} cannot be renamed: it does not exist`)
    if (!shape.fields.some((field) => field.name === to))
      throw new MillraceError('MR_SCHEMA_EVOLUTION', `the column ${from} is renamed to ${to}, which the new shape lacks`)
  }
}

function checkDropped(before: readonly LakeField[], after: readonly LakeField[], inUse: MappingOptions['inUse']): void {
  const kept = new Set(after.map((field) => field.id))
  for (const field of before) {
    const use = kept.has(field.id) ? undefined : inUse?.get(field.id)
    if (use === undefined) continue
    throw new MillraceError('MR_SCHEMA_EVOLUTION', `the column ${field.name} cannot be dropped: it is part of the table's ${use}`, {
      fix: `keep ${field.name}, or change the ${use} first`,
    })
  }
}

function identifiers(
  fields: readonly LakeField[],
  previous: LakeSchema | undefined,
  key: readonly string[] | undefined,
): readonly number[] {
  const ids = key ? fields.filter((field) => key.includes(field.name)).map((field) => field.id) : (previous?.identifierIds ?? [])
  return ids.every((id) => fields.some((field) => field.id === id && field.required)) ? ids : []
}

const sameSchema = (a: LakeSchema, b: LakeSchema): boolean =>
  JSON.stringify([a.fields.map(printable), a.identifierIds]) === JSON.stringify([b.fields.map(printable), b.identifierIds])

const printable = ({ id, name, type, required, doc, initialDefault, writeDefault }: LakeField): readonly unknown[] => [
  id,
  name,
  typeof type === 'string' ? type : [type.type, ...partsOf(type).map(printable)],
  required,
  doc ?? null,
  initialDefault === undefined ? null : String(initialDefault),
  writeDefault === undefined ? null : String(writeDefault),
]

/**
 * The shape of a schema. What a file does not say (enum values, JSON, units, tags) is not in it: enum and json come back as string.
 * @throws MR_SCHEMA_TYPE for a type that there is not here, and for names that SQL cannot tell apart.
 */
export function schemaToShape({ fields }: LakeSchema): Shape {
  const twins = twinsOf(fields)
  if (twins)
    throw new MillraceError(
      'MR_SCHEMA_TYPE',
      `the names ${twins.join(' and ')} differ in case alone, and SQL cannot tell such columns apart`,
      {
        fix: 'have the engine that wrote the table rename one of them',
      },
    )
  return { fields: fields.map((field) => fieldOf(field, field.name)) }
}

/** `place` is the name in messages. */
const fieldOf = (field: LakeField, place: string): Field => ({
  name: field.name,
  type: typeOf(field.type, place),
  optional: !field.required,
  ...(field.doc === undefined ? {} : { doc: field.doc }),
})

function typeOf(stored: LakeType, place: string): Type {
  if (typeof stored !== 'string') return nestedOf(stored, place)
  if (!isIcebergType(stored))
    throw new MillraceError('MR_SCHEMA_TYPE', `the column ${place} has the Iceberg type ${stored}, which is not supported`, {
      fix: 'have the engine that wrote the table drop the column, or write a copy without it: no row of such a table is read here',
    })
  const type = parseIcebergType(stored)
  switch (type.kind) {
    case 'timestamptz':
    case 'timestamptz_ns':
      return { kind: 'timestamp' }
    case 'fixed':
      return { kind: 'binary' }
    case 'timestamp':
    case 'timestamp_ns':
      return { kind: 'datetime' }
    default:
      return type as Type // the kinds that are left have the same names in both systems
  }
}

function nestedOf(stored: LakeNested, place: string): Type {
  const parts = partsOf(stored).map((part) => fieldOf(part, `${place}.${part.name}`))
  if (stored.type === 'struct') return { kind: 'struct', fields: parts }
  const [first, second] = parts.map(({ type, optional }) => ({ type, optional })) as [Inner, Inner]
  return stored.type === 'list' ? { kind: 'list', element: first } : { kind: 'map', key: first.type, value: second }
}
