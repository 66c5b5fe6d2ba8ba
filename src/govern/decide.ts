// The decision: may this identity read this relation, which rows, which columns in the clear. Deny by default; grants open,
// policies and masks only narrow; several roles: rows are OR-ed, the most visible mask wins. Pure: definitions in, data out.
import { createHash } from 'node:crypto'
import type { Manifest, MaskKind, PredicateManifest, PredicateValue, Relation } from '../define/manifest.ts'
import { archiveName, lateName, lateShape, REJECTED_SHAPE, rejectedName, storedShape } from '../define/system-columns.ts'
import { quoteName, quoteText } from '../engine/sql-text.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { type Field, fieldOf, type Shape } from '../schema/type.ts'
import type { HeldRole, Identity } from './identity.ts'

export interface Decision {
  readonly readable: boolean
  /** SQL over the raw columns; null = every row. */
  readonly rowFilter: string | null
  /** Masks that are not `none`, by column. */
  readonly masks: ReadonlyMap<string, MaskKind>
  /** Equal for decisions that show the same. */
  readonly hash: string
}

const DENIED: Decision = { readable: false, rowFilter: 'false', masks: new Map(), hash: 'denied' }
const OPEN: Decision = { readable: true, rowFilter: null, masks: new Map(), hash: 'open' }

/** The definition that a relation name belongs to: `clicks__late` belongs to `clicks`. */
export interface Owned {
  readonly owner: Relation
  readonly part: 'own' | 'late' | 'rejected' | 'archive'
  readonly shape: Shape
}

export function findOwned(manifest: Manifest, name: string): Owned | undefined {
  for (const owner of manifest.relations) {
    if (owner.name === name) return { owner, part: 'own', shape: storedShape(owner) }
    // Whether or not it is archived to any more: what lies there has the same policies.
    if (owner.kind !== 'model' && archiveName(owner.name) === name) return { owner, part: 'archive', shape: storedShape(owner) }
    if (owner.kind === 'model' && owner.refresh !== 'live') continue
    if (owner.kind === 'stream' && lateName(owner.name) === name) return { owner, part: 'late', shape: lateShape(owner) }
    if (rejectedName(owner.name) === name) return { owner, part: 'rejected', shape: REJECTED_SHAPE }
  }
  return undefined
}

/** Whether a grant's list names the relation: by name, by namespace (`main` has no prefix), or with everything. */
export function grantsTo(on: readonly string[], name: string): boolean {
  const namespace = name.includes('.') ? name.slice(0, name.indexOf('.')) : 'main'
  return on.some((pattern) => pattern === '*' || pattern === name || pattern === `${namespace}.*`)
}

export function decide(manifest: Manifest, identity: Identity, name: string): Decision {
  const owned = findOwned(manifest, name)
  if (!owned) return DENIED
  if (identity.isAdmin) return OPEN
  const rejectedOf = (relation: string): Decision => decide(manifest, identity, rejectedName(relation))
  // A live model sets aside rows of what it reads.
  if (owned.owner.kind === 'model' && owned.part === 'rejected') return combineRejected(owned.owner.inputs.map(rejectedOf))
  const granting = grantingRoles(manifest, identity, owned.owner)
  if (granting.length === 0) return DENIED
  const rules = rowRules(manifest, granting, owned.owner)
  const filters = rules?.map((all) => all.map(({ rows, role }) => `(${printPredicate(rows, role, owned.owner.shape)})`).join(' AND '))
  const rowFilter = filters ? [...new Set(filters)].map((filter) => `(${filter})`).join(' OR ') : null
  const masks = new Map<string, MaskKind>()
  for (const field of storedShape(owned.owner).fields) {
    const mask = fieldMask(manifest, granting, field)
    if (mask !== 'none') masks.set(field.name, mask)
  }
  if (owned.part === 'rejected') {
    const own = decideRejected(rowFilter, masks)
    // A processor sets aside rows of its input, beside those that it emitted.
    const from = manifest.processors.find((processor) => processor.name === owned.owner.name)?.from
    return from === undefined ? own : combineRejected([own, rejectedOf(from)])
  }
  return seal(rowFilter, masks)
}

/** A refused line has no columns: no filter can choose among them, so whoever has one sees none; a mask hides what quotes values. */
const decideRejected = (rowFilter: string | null, masks: ReadonlyMap<string, MaskKind>): Decision =>
  seal(
    rowFilter === null ? null : 'false',
    new Map(masks.size === 0 ? [] : (['raw', 'message'] as const).map((column) => [column, 'null'])),
  )

/** What was set aside of several relations at once: shown to those who may see what was set aside of each, as they may. */
function combineRejected(decisions: readonly Decision[]): Decision {
  if (decisions.length === 0 || decisions.some(({ readable }) => !readable)) return DENIED
  const masks = new Map(decisions.flatMap((decision) => [...decision.masks]))
  return seal(decisions.some(({ rowFilter }) => rowFilter !== null) ? 'false' : null, masks)
}

function seal(rowFilter: string | null, masks: ReadonlyMap<string, MaskKind>): Decision {
  if (rowFilter === null && masks.size === 0) return OPEN
  const hash = createHash('sha256')
    .update(JSON.stringify([rowFilter, [...masks]]))
    .digest('hex')
    .slice(0, 12)
  return { readable: true, rowFilter, masks, hash }
}

/** The roles by which an identity reads a relation. */
export const grantingRoles = (manifest: Manifest, identity: Identity, { name }: Relation): readonly HeldRole[] =>
  identity.roles.filter((role) =>
    manifest.grants.some((grant) => grant.privilege === 'read' && grant.to.includes(role.name) && grantsTo(grant.on, name)),
  )

export interface RoleRule {
  readonly role: HeldRole
  readonly rows: PredicateManifest
}

/** By role its policies, which must all hold; a row is seen by any of the roles. Null when one of them has none: every row. */
export function rowRules(manifest: Manifest, roles: readonly HeldRole[], relation: Relation): readonly (readonly RoleRule[])[] | null {
  const rules = roles.map((role) =>
    manifest.policies.filter((policy) => policy.on === relation.name && policy.to === role.name).map(({ rows }) => ({ role, rows })),
  )
  return rules.some((all) => all.length === 0) ? null : rules
}

/** From most to least visible. */
const VISIBILITY: readonly MaskKind[] = ['none', 'year', 'last4', 'hash', 'redact', 'null']

/** Among mask sets the least visible counts for a role; among roles the most visible. A tag that no set names is hidden. */
function fieldMask(manifest: Manifest, roles: readonly HeldRole[], field: Field): MaskKind {
  if (field.pii === undefined || manifest.masks.length === 0) return 'none'
  const perRole = roles.map((role) => {
    const kinds = manifest.masks.map((set): MaskKind => (set.except.includes(role.name) ? 'none' : (set.by[field.pii!] ?? 'null')))
    return kinds.reduce((least, kind) => (VISIBILITY.indexOf(kind) > VISIBILITY.indexOf(least) ? kind : least), 'none')
  })
  return perRole.reduce((most, kind) => (VISIBILITY.indexOf(kind) < VISIBILITY.indexOf(most) ? kind : most))
}

function printPredicate(predicate: PredicateManifest, role: HeldRole, shape: Shape): string {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      if (predicate.of.length === 0) return predicate.kind === 'and' ? 'true' : 'false'
      return `(${predicate.of.map((inner) => printPredicate(inner, role, shape)).join(predicate.kind === 'and' ? ' AND ' : ' OR ')})`
    case 'not':
      return `(NOT ${printPredicate(predicate.of, role, shape)})`
    default:
      return `(${printTest(predicate, role, shape)})`
  }
}

export type Test = Exclude<PredicateManifest, { kind: 'and' | 'or' | 'not' }>

function printTest(test: Test, role: HeldRole, shape: Shape): string {
  const field = fieldOf(shape, test.column)
  if (!field) return 'NULL::BOOLEAN'
  const column = quoteName(field.name)
  if (test.kind === 'null') return `${column} IS ${test.negated ? 'NOT ' : ''}NULL`
  if (test.kind === 'compare') return `${column} ${test.op} ${typedLiteral(field, predicateValue(test.value, role))}`
  const values = listedValues(test.values, role)
  return values.length === 0 ? 'false' : `${column} IN (${values.map((value) => typedLiteral(field, value)).join(', ')})`
}

/** What a list of values names for a caller: an attribute may hold several. */
export const listedValues = (values: readonly PredicateValue[], role: HeldRole): readonly unknown[] =>
  values.map((value) => predicateValue(value, role)).flatMap((value) => (Array.isArray(value) ? value : [value]))

export const predicateValue = (value: PredicateValue, role: HeldRole): unknown =>
  value.kind === 'constant' ? value.value : Object.hasOwn(role.attributes, value.name) ? role.attributes[value.name] : null

/**
 * A value as SQL of the column's type. What is missing or does not fit is NULL: no comparison with it is true, nor is its
 * negation, so a mistake hides rows and never shows them.
 */
function typedLiteral({ type }: Field, value: unknown): string {
  const text = typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
  if (text === null) return 'NULL'
  switch (type.kind) {
    case 'string':
    case 'enum':
    case 'json':
      return `${quoteText(text)}::VARCHAR`
    case 'int':
    case 'long':
    case 'decimal':
    case 'float':
    case 'double':
      return /^-?\d{1,38}(\.\d{1,38})?$/.test(text) && text.length <= 39 ? text : 'NULL'
    case 'boolean':
      return text === 'true' || text === 'false' ? text : 'NULL'
    case 'binary':
      return 'NULL'
    case 'datetime':
      // The engine would pass over an offset.
      return /:\d\d(\.\d+)?\s*[Zz+-]/.test(text) ? 'NULL' : `TRY_CAST(${quoteText(text)} AS TIMESTAMP)`
    default:
      return `TRY_CAST(${quoteText(text)} AS ${toDuckType(type)})`
  }
}

/** May the identity append to this stream or table over HTTP? */
export const mayWrite = (manifest: Manifest, identity: Identity, name: string): boolean =>
  identity.isAdmin ||
  identity.roles.some((role) =>
    manifest.grants.some((grant) => grant.privilege === 'write' && grant.to.includes(role.name) && grantsTo(grant.on, name)),
  )
