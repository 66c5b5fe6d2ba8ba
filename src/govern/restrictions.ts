// A policy and masks as Iceberg's read restrictions, for callers that are engines marked as trusted: the reader enforces them, so only
// what it shows exactly as SQL here would is said that way, and anything else is refused with the part that it is about.
// Pure; what restrictions are made of is in `lake/read-restrictions.ts`.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, PredicateManifest } from '../define/manifest.ts'
import {
  type Action,
  allOf,
  anyOf,
  type Comparison,
  compare,
  isIn,
  isNull,
  notIn,
  notNull,
  type Predicate,
  type ReadRestrictions,
} from '../lake/read-restrictions.ts'
import type { SchemaJson, TableMetadata } from '../lake/table-metadata.ts'
import type { DefaultValue } from '../lake/types.ts'
import { icebergDefault } from '../lake/value/default-value.ts'
import { readDefault } from '../schema/default-value.ts'
import { type Field, fieldOf, isNested, type Shape, type Type } from '../schema/type.ts'
import { decide, findOwned, grantingRoles, listedValues, predicateValue, rowRules, type Test } from './decide.ts'
import type { HeldRole, Identity } from './identity.ts'
import { fittingMask } from './mask.ts'

/** Why something cannot be said, for the message. */
class Unsaid extends Error {}

/** Whether the caller is an engine that enforces what it is told. */
export const isTrustedEngine = (manifest: Manifest, { roles }: Identity): boolean =>
  roles.some(({ name }) => manifest.roles.some((role) => role.name === name && role.trustedEngine === true))

/**
 * What a trusted engine must leave out of a table of the project that has a policy or masks for the caller.
 * @throws MR_ACCESS_DENIED when a part of it cannot be said exactly, naming each.
 */
export function restrictionsFor(manifest: Manifest, identity: Identity, name: string, table: TableMetadata): ReadRestrictions {
  const owned = findOwned(manifest, name)!
  if (owned.part === 'rejected') throw refusal(name, ['rows that were set aside have no columns to restrict'])
  const unsaid: string[] = []
  const said = <T>(make: () => T): T | undefined => {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof Unsaid)) throw error
      unsaid.push(error.message)
      return undefined
    }
  }
  const columns = new Columns(owned.owner.shape, currentSchema(table))
  const filter = said(() => rowFilter(manifest, identity, name, columns))
  const actions = [...decide(manifest, identity, name).masks].map(([column, mask]) =>
    said(() => actionFor(columns, fieldOf(owned.shape, column)!, mask)),
  )
  const former = formerFields(table).map((field) => said(() => hidden(field.id, field.required, `the former column "${field.name}"`)))
  if (unsaid.length > 0) throw refusal(name, unsaid)
  const projections = [...actions, ...former].filter((action) => action !== undefined)
  return {
    ...(projections.length > 0 ? { 'required-column-projections': projections } : {}),
    ...(filter !== undefined && filter !== true ? { 'required-row-filter': filter } : {}),
  }
}

const refusal = (name: string, unsaid: readonly string[]): MillraceError =>
  new MillraceError('MR_ACCESS_DENIED', `${name} has a policy or mask for you that read restrictions cannot say: ${unsaid.join('; ')}`, {
    fix: 'ask through SQL: POST /sql',
  })

type FieldJson = SchemaJson['fields'][number]

const currentSchema = (table: TableMetadata): SchemaJson =>
  table.schemas.find((schema) => schema['schema-id'] === table['current-schema-id'])!

/** Columns that only snapshots of before have: no definition says any more what they hold. */
function formerFields(table: TableMetadata): readonly FieldJson[] {
  const current = new Set(currentSchema(table).fields.map(({ id }) => id))
  const former = new Map<number, FieldJson>()
  for (const field of table.schemas.flatMap(({ fields }) => fields))
    if (!current.has(field.id)) former.set(field.id, { ...field, required: field.required || former.get(field.id)?.required === true })
  return [...former.values()]
}

/** The columns of a relation, with their ids in its table. */
class Columns {
  readonly #shape: Shape
  readonly #schema: SchemaJson

  constructor(shape: Shape, schema: SchemaJson) {
    this.#shape = shape
    this.#schema = schema
  }

  field(column: string): Field | undefined {
    return fieldOf(this.#shape, column)
  }

  stored(column: string): FieldJson {
    const found = this.#schema.fields.find(({ name }) => name === column)
    if (!found) throw new Unsaid(`the table has no column "${column}" yet`)
    return found
  }
}

function actionFor(columns: Columns, field: Field, mask: Parameters<typeof fittingMask>[1]): Action {
  const { id, required } = columns.stored(field.name)
  switch (fittingMask(field, mask)) {
    case 'null':
      return hidden(id, required, `the column "${field.name}"`)
    case 'year':
      return { 'field-id': id, action: 'truncate-to-year' }
    default:
      throw new Unsaid(`the mask ${mask} of the column "${field.name}"`)
  }
}

function hidden(id: number, required: boolean, what: string): Action {
  if (required) throw new Unsaid(`null in place of ${what}, which is required`)
  return { 'field-id': id, action: 'replace-with-null' }
}

function rowFilter(manifest: Manifest, identity: Identity, name: string, columns: Columns): Predicate {
  const { owner } = findOwned(manifest, name)!
  const rules = rowRules(manifest, grantingRoles(manifest, identity, owner), owner)
  return rules === null ? true : anyOf(rules.map((all) => allOf(all.map(({ rows, role }) => holds(columns, rows, role, true)))))
}

/** When a rule is true or, with `wanted` false, when it is false: of three values, what is neither is in neither. */
function holds(columns: Columns, rule: PredicateManifest, role: HeldRole, wanted: boolean): Predicate {
  switch (rule.kind) {
    case 'and':
    case 'or': {
      const parts = rule.of.map((inner) => holds(columns, inner, role, wanted))
      return (rule.kind === 'and') === wanted ? allOf(parts) : anyOf(parts)
    }
    case 'not':
      return holds(columns, rule.of, role, !wanted)
    default:
      return testHolds(columns, rule, role, wanted)
  }
}

const COMPARISONS: Readonly<Record<string, readonly [Comparison, Comparison]>> = {
  '=': ['eq', 'not-eq'],
  '<>': ['not-eq', 'eq'],
  '<': ['lt', 'gt-eq'],
  '<=': ['lt-eq', 'gt'],
  '>': ['gt', 'lt-eq'],
  '>=': ['gt-eq', 'lt'],
}

function testHolds(columns: Columns, test: Test, role: HeldRole, wanted: boolean): Predicate {
  const field = columns.field(test.column)
  // As in SQL here: a comparison with nothing is neither true nor false.
  if (!field) return false
  const { id } = columns.stored(test.column)
  if (isNested(field.type)) throw new Unsaid(`a rule on the nested column "${field.name}"`)
  if (test.kind === 'null') return test.negated === wanted ? notNull(id) : isNull(id)
  if (test.kind === 'compare') {
    const value = literal(field, predicateValue(test.value, role))
    if (value === null) return false
    const type = COMPARISONS[test.op]![wanted ? 0 : 1]
    if (type !== 'eq' && type !== 'not-eq' && !isOrdered(field.type)) throw new Unsaid(`the order of the column "${field.name}"`)
    return compare(id, type, value)
  }
  const listed = listedValues(test.values, role).map((value) => literal(field, value))
  const values = listed.filter((value) => value !== null)
  if (wanted) return isIn(id, values)
  // In a list with null nothing is surely not; an empty one is false for null too.
  return listed.length === 0 ? true : values.length < listed.length ? false : notIn(id, values)
}

/** Whether readers agree on which of two values is less. */
const isOrdered = ({ kind }: Type): boolean => kind !== 'uuid' && kind !== 'boolean'

const NUMBER = /^-?\d{1,38}(\.\d{1,38})?$/

/** A value of the column as Iceberg's JSON has it; null for what SQL here takes for null. */
function literal({ name, type }: Field, value: unknown): DefaultValue | null {
  if (type.kind === 'float' || type.kind === 'double') throw new Unsaid(`a comparison of the column "${name}", a ${type.kind}`)
  const text = typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
  if (text === null || type.kind === 'binary') return null
  const plain: Type = type.kind === 'enum' || type.kind === 'json' ? { kind: 'string' } : type
  const isNumber = plain.kind === 'int' || plain.kind === 'long' || plain.kind === 'decimal'
  if (isNumber && !(NUMBER.test(text) && text.length <= 39)) return null
  if (plain.kind === 'boolean' && text !== 'true' && text !== 'false') return null
  const read = readDefault(name, plain, given(plain, text))
  if ('why' in read) throw new Unsaid(`${JSON.stringify(text)} as a value of the column "${name}"`)
  return icebergDefault(plain, read.text)
}

function given({ kind }: Type, text: string): unknown {
  if (kind === 'boolean') return text === 'true'
  if ((kind === 'int' || kind === 'long') && !text.includes('.')) return BigInt(text)
  return text
}
