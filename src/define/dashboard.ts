// `dashboard`: a page of tiles, seen by some roles, under their policies.
import type { Role } from './access.ts'
import type { Definition } from './definition.ts'
import { placeOf } from './place.ts'
import type { Tile } from './tile.ts'

export interface DashboardHow {
  /** Default: the name, with spaces. */
  readonly title?: string
  /** Roles that see it; absent: administrators only. */
  readonly allow?: readonly Role[]
}

export interface Dashboard<N extends string = string> extends Definition<'dashboard', N> {
  readonly $tiles: readonly Tile[]
  readonly $how: DashboardHow
}

export function dashboard<const N extends string>(name: N, tiles: readonly Tile[], how: DashboardHow = {}): Dashboard<N> {
  return Object.freeze({ $kind: 'dashboard', $name: name, $at: placeOf(dashboard), $tiles: Object.freeze([...tiles]), $how: how })
}
