// Who may see what. Deny by default: `grant` opens; `policy` (rows) and `masks` (personal data) only narrow. Row rules
// are structured, not text, so that they print to SQL and can be shown, tested and compared.
import type { Any, NoFields } from './any.ts'
import type { Definition } from './definition.ts'
import type { Fields } from './field.ts'
import type { MaskKind } from './manifest.ts'
import { placeOf } from './place.ts'
import type { Predicate, PredicateColumns, UserAttributes } from './predicate.ts'
import type { Relation } from './relation.ts'
import type { MillraceTags } from './rows.ts'

/** A role; a caller of it carries `attributes`. */
export interface Role<N extends string = string, A extends Fields = Any> extends Definition<'role', N> {
  readonly $attributes: A
  readonly $trustedEngine: boolean
}

export interface RoleHow {
  /**
   * Callers in this role are engines that enforce Iceberg's read restrictions: the catalog gives them the files of tables that have a
   * policy or mask for them, with the rows and columns to leave out. Whoever else has such a token reads the files whole. Default: false.
   */
  readonly trustedEngine?: boolean
}

export interface Grant<N extends string = string> extends Definition<'grant', N> {
  readonly $to: readonly Role[]
  readonly $on: readonly (Relation | string)[]
  readonly $privilege: 'read' | 'write'
}

export interface Policy<N extends string = string> extends Definition<'policy', N> {
  readonly $on: Relation
  readonly $to: Role
  readonly $rows: (row: never, user: never) => Predicate
}

export interface Masks<N extends string = string> extends Definition<'masks', N> {
  readonly $by: Readonly<Record<string, MaskKind>>
  readonly $except: readonly Role[]
}

/** A mask for every tag of `millrace-env.d.ts`: a missing one does not compile. */
export type MasksByTag = keyof MillraceTags extends never
  ? Readonly<Record<string, MaskKind>>
  : { readonly [T in keyof MillraceTags]: MaskKind }

export function role<const N extends string, A extends Fields = NoFields>(name: N, attributes?: A, how: RoleHow = {}): Role<N, A> {
  return Object.freeze({
    $kind: 'role',
    $name: name,
    $at: placeOf(role),
    $attributes: Object.freeze({ ...attributes }) as A,
    $trustedEngine: how.trustedEngine === true,
  })
}

/** Opens relations, or a whole namespace (`'marts.*'`), to roles. */
export function grant<const N extends string>(
  name: N,
  how: { readonly to: readonly Role[]; readonly on: readonly (Relation | `${string}.*` | '*')[]; readonly privilege?: 'read' | 'write' },
): Grant<N> {
  return Object.freeze({
    $kind: 'grant',
    $name: name,
    $at: placeOf(grant),
    $to: Object.freeze([...how.to]),
    $on: Object.freeze([...how.on]),
    $privilege: how.privilege ?? 'read',
  })
}

/** Rows of `on` that a caller in role `to` sees. Several roles of one caller: their rows are OR-ed. */
export function policy<const N extends string, T extends Relation, A extends Fields>(
  name: N,
  how: { readonly on: T; readonly to: Role<string, A>; readonly rows: (row: PredicateColumns<T>, user: UserAttributes<A>) => Predicate },
): Policy<N> {
  return Object.freeze({ $kind: 'policy', $name: name, $at: placeOf(policy), $on: how.on, $to: how.to, $rows: how.rows })
}

/** How each kind of personal data looks to everybody but the roles of `except`. */
export function masks<const N extends string>(name: N, by: MasksByTag, how: { readonly except?: readonly Role[] } = {}): Masks<N> {
  return Object.freeze({
    $kind: 'masks',
    $name: name,
    $at: placeOf(masks),
    $by: Object.freeze({ ...by }) as Readonly<Record<string, MaskKind>>,
    $except: Object.freeze([...(how.except ?? [])]),
  })
}
