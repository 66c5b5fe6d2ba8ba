// Fields to shapes, and the options that every relation shares.
import type { Definition } from '../../define/definition.ts'
import { type FieldSpec, type Fields, hasDefault, type MapKey } from '../../define/field.ts'
import type { RelationHow } from '../../define/how.ts'
import type { ModelManifest, PartitionRule, Relation } from '../../define/manifest.ts'
import { readDefault } from '../../schema/default-value.ts'
import { type Field, type Inner, isNested, type NestedType, printType, type Shape, sameType, type Type } from '../../schema/type.ts'
import { columnIn, durationOf, fail, flatColumnIn, placeIn, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'
import { keepOf } from './keep.ts'

export const RELATION_OPTIONS = ['doc', 'owner', 'tags', 'keep', 'fresh', 'partition', 'cluster', 'iceberg', 'encrypted'] as const

/** Relations whose columns the fields take their types from: they must be compiled first. */
export const originsOf = (fields: Fields): readonly string[] =>
  Object.values(fields).flatMap((field) => (field.$field?.from && !field.$field.type ? [field.$field.from.relation] : []))

/** The shape that `fields` describe. A field that cannot be is reported and left out. */
export function shapeOf(scope: Scope, what: string, fields: Fields, at: string): Shape {
  for (const [name, field] of Object.entries(fields))
    if (hasDefault(field?.$field))
      fail(
        scope,
        'MR_DEFINE_VALUE',
        at,
        `${what}, column "${name}" has a default, but no rows are sent to it`,
        'give defaults to columns of streams, tables and processors',
      )
  return describedShape(scope, what, fields, at)
}

/** As `shapeOf`, of a relation that rows are sent to: its columns may have defaults. */
export function sentShapeOf(scope: Scope, what: string, fields: Fields, at: string): Shape {
  const { fields: described } = describedShape(scope, what, fields, at)
  return { fields: described.map((field) => ({ ...field, ...defaultOf(scope, what, field, fields[field.name]!.$field, at) })) }
}

function defaultOf(scope: Scope, what: string, { name, type }: Field, spec: FieldSpec, at: string): Pick<Field, 'default'> {
  if (!hasDefault(spec)) return {}
  const read = readDefault(name, type, spec.default)
  if ('text' in read) return { default: read.text }
  fail(
    scope,
    'MR_DEFINE_VALUE',
    at,
    `${what}, column "${name}": its default does not fit: ${read.why}`,
    isNested(type) ? 'remove .default(...)' : `give .default(...) a value that ${printType(type)} takes`,
  )
  return {}
}

function describedShape(scope: Scope, what: string, fields: Fields, at: string): Shape {
  const entries = Object.entries(fields)
  if (entries.length === 0) fail(scope, 'MR_DEFINE_VALUE', at, `${what} has no columns`, 'declare at least one')
  return { fields: entries.flatMap(([name, field]) => fieldOf(scope, `${what}, column "${name}"`, name, field?.$field, at)) }
}

function fieldOf(scope: Scope, what: string, name: string, spec: FieldSpec | undefined, at: string): readonly Field[] {
  if (spec === undefined) {
    fail(scope, 'MR_DEFINE_VALUE', at, `${what} is not a field`, 'write a type of t, such as t.string(), or a column of another relation')
    return []
  }
  const origin = spec.type ? undefined : originField(scope, what, spec, at)
  const type = spec.type ?? origin?.type
  if (!type || !isSound(scope, what, type, at)) return []
  if (spec.references !== undefined) checkReference(scope, what, type, spec.references, at)
  const tag = spec.pii ?? origin?.pii
  const inner = innerTags(type).find((one) => one !== tag)
  if (inner !== undefined)
    fail(
      scope,
      'MR_PLAN_POLICY',
      at,
      tag === undefined
        ? `${what} holds personal data ("${inner}"), but masks are about whole columns`
        : `${what} is tagged "${tag}" and holds "${inner}", but masks are about whole columns`,
      tag === undefined ? `add .pii('${inner}') to the column` : `give its parts the tag "${tag}", or keep them in columns of their own`,
    )
  const known = { doc: spec.doc ?? origin?.doc, unit: spec.unit ?? origin?.unit, pii: tag ?? inner }
  return [
    {
      name,
      type,
      optional: spec.optional || (origin?.optional ?? false),
      ...(known.doc === undefined ? {} : { doc: known.doc }),
      ...(known.unit === undefined ? {} : { unit: known.unit }),
      ...(known.pii === undefined ? {} : { pii: known.pii }),
      ...(spec.was === undefined ? {} : { was: spec.was }),
    },
  ]
}

/** The column of a model that a field was taken from. Silent when the model itself could not be compiled. */
function originField(scope: Scope, what: string, spec: FieldSpec, at: string): Field | undefined {
  const shape = spec.from && scope.shapes.get(spec.from.relation)
  if (spec.from && shape) return columnIn(scope, shape, spec.from.column, at, `${what}, taken from ${spec.from.relation}`)
  if (spec.from && !scope.defined.has(spec.from.relation))
    fail(
      scope,
      'MR_PLAN_UNKNOWN',
      at,
      `${what} comes from "${spec.from.relation}", which is not part of the project`,
      'give its module to project(...)',
    )
  return undefined
}

function isSound(scope: Scope, what: string, type: Type, at: string, level = 0): boolean {
  if (isNested(type)) return isSoundNested(scope, what, type, at, level)
  if (type.kind === 'enum' && type.values.length === 0) {
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what} has no type`,
      'write a type of t, such as t.string(); a column of a model has none yet where it stands inside another type',
    )
    return false
  }
  if (type.kind === 'decimal') {
    const { precision, scale } = type
    const sound =
      Number.isInteger(precision) && Number.isInteger(scale) && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision
    if (!sound)
      fail(
        scope,
        'MR_SCHEMA_TYPE',
        at,
        `${what}: decimal(${precision}, ${scale}) does not exist`,
        'a precision is 1 to 38, a scale 0 to the precision',
      )
    return sound
  }
  if (type.kind === 'enum' && new Set(type.values).size !== type.values.length) {
    fail(scope, 'MR_DEFINE_DUPLICATE', at, `${what}: a value of the enum is listed twice`, 'remove one of them')
  }
  return true
}

const MAP_KEYS: readonly Type['kind'][] = ['string', 'enum', 'uuid', 'date', 'int', 'long'] satisfies MapKey[]

/** Deeper types are refused: rows of them would come near the deepest nesting that the scanner takes. */
const NESTED_LEVELS_MAX = 16

function isSoundNested(scope: Scope, what: string, type: NestedType, at: string, level: number): boolean {
  if (level > NESTED_LEVELS_MAX) {
    fail(scope, 'MR_SCHEMA_TYPE', at, `${what} is nested deeper than ${NESTED_LEVELS_MAX} levels`, 'make a relation of its inner part')
    return false
  }
  const isInner = (part: string, inner: Type): boolean => isSound(scope, `${what}, ${part}`, inner, at, level + 1)
  const isPlain = (part: string, inner: Inner): boolean => {
    if (inner.default === undefined) return isInner(part, inner.type)
    fail(scope, 'MR_SCHEMA_TYPE', at, `${what}, ${part} has a default, but only columns have defaults`, 'remove .default(...)')
    return false
  }
  switch (type.kind) {
    case 'list':
      return isPlain('element', type.element)
    case 'map': {
      const isKey = MAP_KEYS.includes(type.key.kind)
      if (!isKey)
        fail(scope, 'MR_SCHEMA_TYPE', at, `${what}: a map's key cannot be ${printType(type.key)}`, `keys are ${MAP_KEYS.join(', ')}`)
      return isInner('key', type.key) && isPlain('value', type.value) && isKey
    }
    case 'struct': {
      const names = type.fields.map(({ name }) => name.toLowerCase())
      const twice = type.fields.find(({ name }, index) => names.indexOf(name.toLowerCase()) !== index)
      if (twice) fail(scope, 'MR_DEFINE_DUPLICATE', at, `${what} has two members "${twice.name}" (case does not count)`, 'rename one')
      if (names.length === 0) fail(scope, 'MR_DEFINE_VALUE', at, `${what} is a struct without members`, 'declare at least one')
      const odd = type.fields.find(({ name }) => name === '' || name.includes('\0'))
      if (odd) fail(scope, 'MR_DEFINE_VALUE', at, `${what} has a member without a name, or with a zero character in it`, 'name it')
      return type.fields.every((field) => isPlain(`member "${field.name}"`, field)) && !twice && !odd && names.length > 0
    }
  }
}

/** Parameters and attributes are single values. */
export function requireFlat(scope: Scope, what: string, { fields }: Shape, at: string): void {
  for (const { name, type } of fields)
    if (isNested(type)) fail(scope, 'MR_SCHEMA_TYPE', at, `${what}: "${name}" is ${printType(type)}`, 'take its parts one by one')
}

/** Tags inside a column: a mask is about the whole of it. */
const innerTags = (type: Type): readonly string[] => {
  const of = ({ type: inner, pii }: Inner): readonly string[] => [...(pii === undefined ? [] : [pii]), ...innerTags(inner)]
  switch (type.kind) {
    case 'struct':
      return type.fields.flatMap(of)
    case 'list':
      return of(type.element)
    case 'map':
      return of(type.value)
    default:
      return []
  }
}

function checkReference(scope: Scope, what: string, type: Type, to: string, at: string): void {
  const dot = to.lastIndexOf('.')
  const relation = to.slice(0, dot)
  const definition = scope.defined.get(relation) as { $shape?: Fields } | undefined
  if (!definition) {
    fail(
      scope,
      'MR_PLAN_UNKNOWN',
      at,
      `${what} refers to "${to}", but there is no relation "${relation}"`,
      didYouMean(relation, scope.defined.keys(), 'define it'),
    )
    return
  }
  const shape = scope.shapes.get(relation)
  const target =
    definition.$shape?.[to.slice(dot + 1)]?.$field.type ?? shape?.fields.find((field) => field.name === to.slice(dot + 1))?.type
  if (target && !sameType(target, type))
    fail(scope, 'MR_PLAN_TYPE', at, `${what} is ${printType(type)}, but "${to}" is ${printType(target)}`, 'give both one type')
  if (!target && (definition.$shape || shape))
    fail(
      scope,
      'MR_DEFINE_COLUMN',
      at,
      `${what} refers to "${to}", but "${relation}" has no such column`,
      didYouMean(to.slice(dot + 1), Object.keys(definition.$shape ?? {}), 'add it'),
    )
}

interface CommonHow extends Omit<RelationHow, 'fresh'> {
  readonly fresh?: RelationHow['fresh'] | 'live'
  readonly partition?: readonly string[]
  readonly cluster?: readonly string[]
  readonly time?: string
  readonly refresh?: string
  readonly load?: string
}

/** The part of a relation's manifest that all kinds share. */
export function commonOf(
  scope: Scope,
  definition: Definition,
  how: CommonHow,
  shape: Shape,
): Omit<ModelManifest, 'kind' | 'sql' | 'inputs' | 'refresh' | 'key' | 'emit' | 'declared'> {
  const at = definition.$at
  const what = `${definition.$kind} "${definition.$name}"`
  const freshMs = how.fresh === 'live' ? undefined : durationOf(scope, at, `${what}, fresh`, how.fresh)
  return {
    name: definition.$name,
    at: placeIn(scope.root, at),
    ...(how.doc === undefined ? {} : { doc: how.doc }),
    ...(how.owner === undefined ? {} : { owner: how.owner }),
    tags: [...(how.tags ?? [])],
    shape,
    partition: (how.partition ?? []).flatMap((text) => partitionRule(scope, what, shape, text, at)),
    cluster: (how.cluster ?? []).filter((name) => flatColumnIn(scope, shape, name, at, `${what}, cluster`, 'MR_PLAN_KEY')),
    keep: keepOf(scope, { what, at, how, kind: definition.$kind as Relation['kind'], shape }),
    ...(freshMs === undefined ? {} : { freshMs }),
    ...formatVersionOf(scope, what, how.iceberg, at),
    ...encryptedOf(scope, what, how.encrypted, at),
  }
}

function encryptedOf(scope: Scope, what: string, encrypted: unknown, at: string): { encrypted?: true } {
  if (encrypted !== undefined && typeof encrypted !== 'boolean')
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: encrypted is ${JSON.stringify(encrypted)}`, 'write encrypted: true, or leave it out')
  return encrypted === true ? { encrypted: true } : {}
}

function formatVersionOf(scope: Scope, what: string, iceberg: unknown, at: string): { formatVersion?: 3 } {
  if (iceberg === undefined) return {}
  const { version, ...other } = (typeof iceberg === 'object' ? (iceberg ?? {}) : {}) as { version?: unknown }
  if ((version === 2 || version === 3) && Object.keys(other).length === 0) return version === 3 ? { formatVersion: 3 } : {}
  fail(
    scope,
    'MR_DEFINE_VALUE',
    at,
    `${what}: iceberg is ${JSON.stringify(iceberg)}`,
    'write iceberg: { version: 3 }, or leave it out for version 2',
  )
  return {}
}

const TRANSFORMS: Readonly<Record<string, readonly Type['kind'][]>> = {
  year: ['date', 'timestamp', 'datetime'],
  month: ['date', 'timestamp', 'datetime'],
  day: ['date', 'timestamp', 'datetime'],
  hour: ['timestamp', 'datetime'],
  bucket: ['int', 'long', 'decimal', 'date', 'time', 'timestamp', 'datetime', 'string', 'enum', 'uuid', 'binary'],
  identity: ['boolean', 'int', 'long', 'decimal', 'date', 'time', 'timestamp', 'datetime', 'string', 'enum', 'uuid'],
}

function partitionRule(scope: Scope, what: string, shape: Shape, text: string, at: string): readonly PartitionRule[] {
  const match = /^(?:(\w+)\((?:(\d+), *)?(\w+)\)|(\w+))$/.exec(text)
  const transform = match?.[1] ?? 'identity'
  const kinds = TRANSFORMS[transform]
  if (!match || !kinds || (transform === 'bucket') !== (match[2] !== undefined) || (transform === 'identity' && match[1])) {
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what}: "${text}" is not a partition`,
      "write a column, 'day(seen)' (year, month, day, hour) or 'bucket(16, id)'",
    )
    return []
  }
  const field = columnIn(scope, shape, match[3] ?? match[4]!, at, `${what}, partition "${text}"`, 'MR_PLAN_KEY')
  if (!field) return []
  if (!kinds.includes(field.type.kind)) {
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what}: ${transform} of "${field.name}" is not possible, it is ${printType(field.type)}`,
      `${transform} takes ${kinds.join(', ')}`,
    )
    return []
  }
  const buckets = match[2] === undefined ? undefined : Number(match[2])
  return [{ transform: transform as PartitionRule['transform'], column: field.name, ...(buckets === undefined ? {} : { buckets }) }]
}
