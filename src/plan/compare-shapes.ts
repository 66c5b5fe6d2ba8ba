// What a change of columns means for rows that are stored already, column by column, in plain words.
import { printDefault } from '../schema/default-value.ts'
import { type Field, formerOf, type Inner, printType, type Shape, type Type } from '../schema/type.ts'

/**
 * additive: stored rows stay valid and readers keep working; setting: only descriptions; policy: who sees what;
 * breaking: possible, but readers or stored rows lose something; refused: stored rows cannot take the new shape.
 */
export type ColumnEffect = 'additive' | 'setting' | 'policy' | 'breaking' | 'refused'

export interface ColumnChange {
  readonly effect: ColumnEffect
  readonly reason: string
}

/** `formatVersion`: of the table, afterwards; from version 3 on stored rows have the default of a column that is added. */
export function compareShapes(before: Shape, after: Shape, formatVersion = 2): readonly ColumnChange[] {
  return compareFields(before.fields, after.fields, (name) => `column "${name}"`, formatVersion)
}

/** `called` names a field in a reason. */
function compareFields(
  before: readonly Field[],
  after: readonly Field[],
  called: (name: string) => string,
  formatVersion = 2,
): readonly ColumnChange[] {
  const pairs = after.map((field) => [formerOf(field, before, after), field] as const)
  const removed = before
    .filter((field) => !pairs.some(([old]) => old === field))
    .map(({ name }): ColumnChange => ({ effect: 'breaking', reason: `${called(name)} is removed: who reads it fails` }))
  const renamed = pairs.flatMap(([old, { name }]): ColumnChange[] =>
    old && old.name !== name
      ? [{ effect: 'breaking', reason: `${called(old.name)} is called "${name}" now: who reads or sends it by its old name fails` }]
      : [],
  )
  return [...removed, ...renamed, ...pairs.flatMap(([old, field]) => compareField(called(field.name), old, field, formatVersion))]
}

function compareField(column: string, before: Field | undefined, after: Field, formatVersion: number): readonly ColumnChange[] {
  if (!before) return [fieldAdded(column, after, formatVersion)]
  const changes: ColumnChange[] = [...compareInner(column, before, after), ...compareDefaults(column, before, after)]
  if (before.pii !== after.pii)
    changes.push({
      effect: 'policy',
      reason: `${column} ${after.pii === undefined ? `is no longer tagged "${before.pii}"` : `is tagged "${after.pii}"`}`,
    })
  if (before.doc !== after.doc || before.unit !== after.unit)
    changes.push({ effect: 'setting', reason: `${column} is described differently` })
  return changes
}

function fieldAdded(column: string, { type, optional, default: text }: Field, formatVersion: number): ColumnChange {
  const none = `${column} is added and may not be null, but rows stored before have no value`
  if (text === undefined)
    return optional
      ? { effect: 'additive', reason: `${column} is added; rows stored before have null` }
      : { effect: 'refused', reason: none }
  const value = `its default ${printDefault(type, text)}`
  if (formatVersion >= 3) return { effect: 'additive', reason: `${column} is added; rows stored before have ${value}` }
  const fix = `with iceberg: { version: 3 } they have ${value}`
  return optional
    ? { effect: 'additive', reason: `${column} is added; rows stored before have null (${fix})` }
    : { effect: 'refused', reason: `${none}: ${fix}` }
}

function compareDefaults(column: string, before: Field, after: Field): readonly ColumnChange[] {
  if (before.default === after.default) return []
  const is = after.optional ? 'have null' : 'are refused'
  if (after.default === undefined)
    return [{ effect: after.optional ? 'setting' : 'breaking', reason: `${column} has no default any more: rows that leave it out ${is}` }]
  const value = printDefault(after.type, after.default)
  return before.default === undefined
    ? [{ effect: 'additive', reason: `${column} has the default ${value}: rows may leave it out` }]
    : [
        {
          effect: 'setting',
          reason: `${column} has the default ${value}, no longer ${printDefault(before.type, before.default)}; stored rows keep theirs`,
        },
      ]
}

/** What a column is, or a part of one. */
function compareInner(column: string, before: Inner, after: Inner): readonly ColumnChange[] {
  const changes: ColumnChange[] = []
  if (before.optional && !after.optional)
    changes.push({ effect: 'refused', reason: `${column} may no longer be null, but stored rows may hold null` })
  if (!before.optional && after.optional) changes.push({ effect: 'additive', reason: `${column} may now be null` })
  return [...changes, ...compareNested(column, before.type, after.type)]
}

function compareNested(column: string, before: Type, after: Type): readonly ColumnChange[] {
  if (before.kind === 'struct' && after.kind === 'struct')
    return compareFields(before.fields, after.fields, (name) => `member "${name}" of ${column}`)
  if (before.kind === 'list' && after.kind === 'list') return compareInner(`an element of ${column}`, before.element, after.element)
  if (before.kind === 'map' && after.kind === 'map')
    return [
      ...compareNested(`a key of ${column}`, before.key, after.key),
      ...compareInner(`a value of ${column}`, before.value, after.value),
    ]
  const effect = compareTypes(before, after)
  return effect ? [{ effect, reason: `${column} changes from ${printType(before)} to ${printType(after)}` }] : []
}

/** Iceberg's promotions, and values of an enum, which is stored as text. Undefined when nothing changes. */
function compareTypes(before: Type, after: Type): ColumnEffect | undefined {
  if (printType(before) === printType(after)) return undefined
  const isText = (type: Type): boolean => type.kind === 'string' || type.kind === 'enum' || type.kind === 'json'
  if (before.kind === 'enum' && after.kind === 'enum')
    return before.values.every((value) => after.values.includes(value)) ? 'additive' : 'breaking'
  if (isText(before) && isText(after)) return after.kind === 'string' ? 'additive' : 'breaking'
  if (before.kind === 'int' && after.kind === 'long') return 'additive'
  if (before.kind === 'float' && after.kind === 'double') return 'additive'
  if (before.kind === 'decimal' && after.kind === 'decimal')
    return before.scale === after.scale && after.precision > before.precision ? 'additive' : 'refused'
  return 'refused'
}
