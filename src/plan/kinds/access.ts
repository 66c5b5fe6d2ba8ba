// Roles, grants, policies and masks: everybody and everything that they name exists, and no tag is left without a mask.
import type { Grant, Masks, Policy, Role } from '../../define/access.ts'
import type {
  GrantManifest,
  MaskKind,
  MasksManifest,
  PolicyManifest,
  PredicateManifest,
  PredicateValue,
  Relation,
  RoleManifest,
} from '../../define/manifest.ts'
import { recordPredicate } from '../../define/predicate.ts'
import { type Field, isNested, printType, type Shape, sameType } from '../../schema/type.ts'
import { checkColumnNames } from '../names.ts'
import { fail, isMember, membersOfKind, placeIn, type Scope, warn } from '../scope.ts'
import { didYouMean } from '../suggest.ts'
import { requireFlat, shapeOf } from './fields.ts'

const MASKS: readonly MaskKind[] = ['null', 'hash', 'redact', 'last4', 'year', 'none']

export async function compileRoles(scope: Scope): Promise<readonly RoleManifest[]> {
  const roles: RoleManifest[] = []
  for (const { definition } of membersOfKind<Role>(scope, 'role')) {
    const what = `role "${definition.$name}"`
    const hasAny = Object.keys(definition.$attributes).length > 0
    const attributes: Shape = hasAny ? shapeOf(scope, what, definition.$attributes, definition.$at) : { fields: [] }
    requireFlat(scope, `${what}, attributes`, attributes, definition.$at)
    await checkColumnNames(scope, what, attributes, definition.$at, false)
    roles.push({
      name: definition.$name,
      at: placeIn(scope.root, definition.$at),
      attributes,
      ...(definition.$trustedEngine ? { trustedEngine: true } : {}),
    })
  }
  return roles
}

/** Names of those roles that are part of the project; reports the others. */
export const roleNames = (scope: Scope, roles: readonly Role[] | undefined, at: string, what: string): readonly string[] =>
  (roles ?? []).filter((role) => isMember(scope, role, at, what)).map((role) => role.$name)

export function compileGrants(scope: Scope): readonly GrantManifest[] {
  return membersOfKind<Grant>(scope, 'grant').map(({ definition }) => {
    const what = `grant "${definition.$name}"`
    const at = definition.$at
    return {
      name: definition.$name,
      at: placeIn(scope.root, at),
      to: roleNames(scope, definition.$to, at, `${what}, to`),
      on: definition.$on.flatMap((target) => targetOf(scope, what, target, at)),
      privilege: definition.$privilege,
    }
  })
}

function targetOf(scope: Scope, what: string, target: Grant['$on'][number], at: string): readonly string[] {
  if (typeof target !== 'string') return isMember(scope, target, at, `${what}, on`) ? [target.$name] : []
  if (target === '*' || scope.defined.has(target)) return [target]
  const namespaces = new Set(
    [...scope.defined.keys()].map((name) => (name.includes('.') ? `${name.slice(0, name.indexOf('.'))}.*` : 'main.*')),
  )
  if (namespaces.has(target)) return [target]
  fail(
    scope,
    'MR_PLAN_POLICY',
    at,
    `${what}: there is nothing called "${target}"`,
    didYouMean(target, namespaces, "name a relation, 'namespace.*' or '*'"),
  )
  return []
}

export function compilePolicies(scope: Scope, roles: readonly RoleManifest[]): readonly PolicyManifest[] {
  return membersOfKind<Policy>(scope, 'policy').flatMap(({ definition }) => {
    const what = `policy "${definition.$name}"`
    const at = definition.$at
    const known = [isMember(scope, definition.$on, at, `${what}, on`), isMember(scope, definition.$to, at, `${what}, to`)]
    const on = scope.relations.get(definition.$on?.$name ?? '')
    const to = roles.find((role) => role.name === definition.$to?.$name)
    if (!known.every((is) => is) || !on || !to) return []
    const rows = predicateOf(scope, what, definition, on, to)
    return rows ? [{ name: definition.$name, at: placeIn(scope.root, at), on: on.name, to: to.name, rows }] : []
  })
}

function predicateOf(scope: Scope, what: string, definition: Policy, on: Relation, to: RoleManifest): PredicateManifest | undefined {
  try {
    return resolve(scope, what, recordPredicate(definition.$rows), on, to, definition.$at)
  } catch (error) {
    fail(
      scope,
      'MR_PLAN_POLICY',
      definition.$at,
      `${what}: its rule failed: ${(error as Error).message}`,
      'return a comparison, such as row.country.eq(user.country)',
    )
    return undefined
  }
}

/** The rule with the types of its constants; undefined after a finding about a name or a type. */
function resolve(
  scope: Scope,
  what: string,
  rule: PredicateManifest,
  on: Relation,
  to: RoleManifest,
  at: string,
): PredicateManifest | undefined {
  switch (rule.kind) {
    case 'and':
    case 'or': {
      const of = rule.of.map((inner) => resolve(scope, what, inner, on, to, at))
      return of.every((inner) => inner !== undefined) ? { kind: rule.kind, of } : undefined
    }
    case 'not': {
      const of = resolve(scope, what, rule.of, on, to, at)
      return of && { kind: 'not', of }
    }
    default: {
      const field = on.shape.fields.find((candidate) => candidate.name === rule.column)
      if (!field) {
        const known = on.shape.fields.map(({ name }) => name)
        fail(
          scope,
          'MR_PLAN_POLICY',
          at,
          `${what}: "${on.name}" has no column "${rule.column}"`,
          didYouMean(rule.column, known, 'name one of its columns'),
        )
        return undefined
      }
      if (rule.kind === 'null') return rule
      const values = (rule.kind === 'in' ? rule.values : [rule.value]).map((value) => resolveValue(scope, what, value, field, to, at))
      if (!values.every((value) => value !== undefined)) return undefined
      return rule.kind === 'in' ? { ...rule, values } : { ...rule, value: values[0]! }
    }
  }
}

function resolveValue(
  scope: Scope,
  what: string,
  value: PredicateValue,
  field: Field,
  to: RoleManifest,
  at: string,
): PredicateValue | undefined {
  if (isNested(field.type)) {
    fail(
      scope,
      'MR_PLAN_POLICY',
      at,
      `${what}: "${field.name}" is ${printType(field.type)}`,
      'compare a flat column, or test it with isNull()',
    )
    return undefined
  }
  if (value.kind === 'constant') return { ...value, type: printType(field.type) }
  const attribute = to.attributes.fields.find(({ name }) => name === value.name)
  const known = to.attributes.fields.map(({ name }) => name)
  if (!attribute) {
    fail(
      scope,
      'MR_PLAN_POLICY',
      at,
      `${what}: role "${to.name}" has no attribute "${value.name}"`,
      didYouMean(value.name, known, `write role('${to.name}', { ${value.name}: t.${field.type.kind}() })`),
    )
    return undefined
  }
  if (sameType(attribute.type, field.type)) return value
  fail(
    scope,
    'MR_PLAN_POLICY',
    at,
    `${what}: "${field.name}" is ${printType(field.type)}, the attribute "${value.name}" is ${printType(attribute.type)}`,
    'give both one type',
  )
  return undefined
}

export function compileMasks(scope: Scope): readonly MasksManifest[] {
  const tags = tagsOf([...scope.relations.values()])
  const all = membersOfKind<Masks>(scope, 'masks')
  if (all.length === 0 && tags.size > 0) {
    const [tag, where] = [...tags][0]!
    warn(
      scope,
      'MR_PLAN_POLICY',
      scope.project.$at,
      `columns are tagged as personal data ("${tag}": ${where}), but nothing masks them`,
      `export const hidden = masks('hidden', { ${[...tags.keys()].map((name) => `${name}: 'hash'`).join(', ')} })`,
    )
  }
  return all.map(({ definition }) => {
    const at = definition.$at
    const what = `masks "${definition.$name}"`
    for (const [tag, where] of tags)
      if (!(tag in definition.$by))
        fail(
          scope,
          'MR_PLAN_POLICY',
          at,
          `${what} says nothing about the tag "${tag}" (${where})`,
          `add ${tag}: 'hash' (${MASKS.join(', ')})`,
        )
    for (const [tag, mask] of Object.entries(definition.$by)) {
      if (!tags.has(tag))
        fail(scope, 'MR_PLAN_POLICY', at, `${what}: no column has the tag "${tag}"`, didYouMean(tag, tags.keys(), 'remove it'))
      if (!MASKS.includes(mask))
        fail(scope, 'MR_PLAN_POLICY', at, `${what}: there is no mask "${mask}"`, didYouMean(mask, MASKS, `choose ${MASKS.join(', ')}`))
    }
    return {
      name: definition.$name,
      at: placeIn(scope.root, at),
      by: { ...definition.$by },
      except: roleNames(scope, definition.$except, at, `${what}, except`),
    }
  })
}

/** Every tag with the first column that has it, in the order of the relations. */
export function tagsOf(relations: readonly Relation[]): ReadonlyMap<string, string> {
  const tags = new Map<string, string>()
  for (const relation of relations)
    for (const field of relation.shape.fields)
      if (field.pii !== undefined && !tags.has(field.pii)) tags.set(field.pii, `${relation.name}.${field.name}`)
  return tags
}
