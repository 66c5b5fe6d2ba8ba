// Who may see what, in obvious code: no SQL, no sharing with src/govern. A row is a plain object; a mask is only named. The
// random worlds of decide.test.ts hold the real thing against this.
import type { Manifest, MaskKind, PredicateManifest, PredicateValue } from '../../src/define/manifest.ts'
import type { HeldRole, Identity } from '../../src/govern/identity.ts'

export type Value = string | number | boolean | null
export type Row = Readonly<Record<string, Value>>
type Truth = boolean | null

/** Roles of the caller that a grant lets read the relation. */
export function readingRoles(manifest: Manifest, identity: Identity, relation: string): HeldRole[] {
  const namespace = relation.includes('.') ? relation.split('.')[0]! : 'main'
  const names = new Set<string>()
  for (const grant of manifest.grants) {
    if (grant.privilege !== 'read') continue
    for (const on of grant.on) if (on === '*' || on === relation || on === `${namespace}.*`) for (const to of grant.to) names.add(to)
  }
  return identity.roles.filter((role) => names.has(role.name))
}

/** Whether the caller sees the row. */
export function seesRow(manifest: Manifest, identity: Identity, relation: string, row: Row): boolean {
  if (identity.isAdmin) return true
  for (const role of readingRoles(manifest, identity, relation)) {
    let isVisible = true
    for (const policy of manifest.policies)
      if (policy.on === relation && policy.to === role.name && truthOf(policy.rows, role, row) !== true) isVisible = false
    if (isVisible) return true
  }
  return false
}

/** How the caller sees the column with this tag. */
export function seesColumn(manifest: Manifest, identity: Identity, relation: string, tag: string | undefined): MaskKind {
  if (identity.isAdmin || tag === undefined || manifest.masks.length === 0) return 'none'
  const order: MaskKind[] = ['none', 'year', 'last4', 'hash', 'redact', 'null']
  let best = order.length - 1
  for (const role of readingRoles(manifest, identity, relation)) {
    let worst = 0
    for (const masks of manifest.masks) {
      const kind = masks.except.includes(role.name) ? 'none' : (masks.by[tag] ?? 'null')
      worst = Math.max(worst, order.indexOf(kind))
    }
    best = Math.min(best, worst)
  }
  return order[best]!
}

/** Three-valued, as SQL: what is unknown stays unknown when negated. */
function truthOf(rule: PredicateManifest, role: HeldRole, row: Row): Truth {
  switch (rule.kind) {
    case 'and': {
      const parts = rule.of.map((inner) => truthOf(inner, role, row))
      return parts.includes(false) ? false : parts.includes(null) ? null : true
    }
    case 'or': {
      const parts = rule.of.map((inner) => truthOf(inner, role, row))
      return parts.includes(true) ? true : parts.includes(null) ? null : false
    }
    case 'not': {
      const inner = truthOf(rule.of, role, row)
      return inner === null ? null : !inner
    }
    case 'null':
      return (row[rule.column] === null) !== rule.negated
    case 'compare':
      return compare(row[rule.column]!, rule.op, resolve(rule.value, role))
    case 'in': {
      const parts = rule.values.map((value) => compare(row[rule.column]!, '=', resolve(value, role)))
      return parts.includes(true) ? true : parts.includes(null) ? null : false
    }
  }
}

function resolve(value: PredicateValue, role: HeldRole): Value {
  if (value.kind === 'constant') return value.value
  return (role.attributes[value.name] as Value | undefined) ?? null
}

function compare(left: Value, op: string, right: Value): Truth {
  if (left === null || right === null) return null
  const order =
    typeof left === 'number' ? left - (right === '' ? Number.NaN : Number(right)) : left < String(right) ? -1 : left > String(right) ? 1 : 0
  if (Number.isNaN(order)) return null
  return { '=': order === 0, '<>': order !== 0, '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[op]!
}
