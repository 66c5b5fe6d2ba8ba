// The decision: may this identity read this relation, which rows, which columns in the clear. Deny by default; grants open,
// policies and masks only narrow; several roles: rows are OR-ed, the most visible mask wins. Pure: definitions in, data out.
import { createHash } from 'node:crypto'
import type { Manifest, MaskKind, PredicateManifest, PredicateValue, Relation } from '../define/manifest.ts'
import { lateName, lateShape, REJECTED_SHAPE, rejectedName, storedShape } from '../define/system-columns.ts'
import { literal, quoteName } from '../engine/sql-text.ts'
import type { Field, Shape } from '../schema/type.ts'
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
  readonly part: 'own' | 'late' | 'rejected'
  readonly shape: Shape
}

export function findOwned(manifest: Manifest, name: string): Owned | undefined {
  for (const owner of manifest.relations) {
    if (owner.name === name) return { owner, part: 'own', shape: storedShape(owner) }
    if (owner.kind === 'model') continue
    if (owner.kind === 'stream' && lateName(owner.name) === name) return { owner, part: 'late', shape: lateShape(owner) }
    if (rejectedName(owner.name) === name) return { owner, part: 'rejected', shape: REJECTED_SHAPE }
  }
  return undefined
}

export const grantsTo = (on: readonly string[], name: string): boolean =>
  on.some((pattern) => pattern === '*' || pattern === name || (pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1))))

export function decide(manifest: Manifest, identity: Identity, name: string): Decision {
  const owned = findOwned(manifest, name)
  if (!owned) return DENIED
  if (identity.isAdmin) return OPEN
  const granting = identity.roles.filter((role) =>
    manifest.grants.some((grant) => grant.privilege === 'read' && grant.to.includes(role.name) && grantsTo(grant.on, owned.owner.name)),
  )
  if (granting.length === 0) return DENIED
  const filters = granting.map((role) => roleFilter(manifest, role, owned.owner.name))
  const rowFilter = filters.includes(null) ? null : [...new Set(filters)].map((filter) => `(${filter})`).join(' OR ')
  const masks = new Map<string, MaskKind>()
  for (const field of storedShape(owned.owner).fields) {
    const mask = fieldMask(manifest, granting, field)
    if (mask !== 'none') masks.set(field.name, mask)
  }
  if (owned.part === 'rejected')
    return seal(
      null,
      rowFilter !== null || masks.size > 0
        ? new Map([
            ['raw', 'null' as const],
            ['message', 'null' as const],
          ])
        : new Map(),
    )
  return seal(rowFilter, masks)
}

function seal(rowFilter: string | null, masks: ReadonlyMap<string, MaskKind>): Decision {
  if (rowFilter === null && masks.size === 0) return OPEN
  const hash = createHash('sha256')
    .update(JSON.stringify([rowFilter, [...masks]]))
    .digest('hex')
    .slice(0, 12)
  return { readable: true, rowFilter, masks, hash }
}

/** Every policy for the role narrows; null = no policy, every row. */
function roleFilter(manifest: Manifest, role: HeldRole, relation: string): string | null {
  const policies = manifest.policies.filter((policy) => policy.on === relation && policy.to === role.name)
  return policies.length === 0 ? null : policies.map((policy) => printPredicate(policy.rows, role)).join(' AND ')
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

function printPredicate(predicate: PredicateManifest, role: HeldRole): string {
  switch (predicate.kind) {
    case 'compare':
      return `${quoteName(predicate.column)} ${predicate.op} ${printValue(predicate.value, role)}`
    case 'in':
      return predicate.values.length === 0
        ? 'false'
        : `${quoteName(predicate.column)} IN (${predicate.values.map((value) => printValue(value, role)).join(', ')})`
    case 'null':
      return `${quoteName(predicate.column)} IS ${predicate.negated ? 'NOT ' : ''}NULL`
    case 'not':
      return `NOT (${printPredicate(predicate.of, role)})`
    default:
      return `(${predicate.of.map((inner) => printPredicate(inner, role)).join(predicate.kind === 'and' ? ' AND ' : ' OR ')})`
  }
}

/** An attribute that the role does not carry is NULL: comparisons with it are not true, so nothing is shown by mistake. */
function printValue(value: PredicateValue, role: HeldRole): string {
  if (value.kind === 'constant') return literal(value.value)
  const held = role.attributes[value.name]
  if (Array.isArray(held)) return held.length === 0 ? 'NULL' : held.map((item) => literal(item as string)).join(', ')
  return typeof held === 'string' || typeof held === 'number' || typeof held === 'boolean' ? literal(held) : 'NULL'
}

/** May the identity append to this stream or table over HTTP? */
export const mayWrite = (manifest: Manifest, identity: Identity, name: string): boolean =>
  identity.isAdmin ||
  identity.roles.some((role) =>
    manifest.grants.some((grant) => grant.privilege === 'write' && grant.to.includes(role.name) && grantsTo(grant.on, name)),
  )
