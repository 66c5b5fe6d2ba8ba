// Dashboards: each tile's SQL binds, and its axes are columns of the result.
import type { Dashboard } from '../../define/dashboard.ts'
import type { DashboardManifest, TileManifest } from '../../define/manifest.ts'
import { quoteRelation } from '../../define/render-sql.ts'
import { isSql, type Sql } from '../../define/sql.ts'
import type { Tile } from '../../define/tile.ts'
import { checkOptions, columnIn, fail, isMember, listOf, membersOfKind, placeIn, type Scope } from '../scope.ts'
import { roleNames } from './access.ts'
import { bindSql, readSql } from './query.ts'
import { resultShape } from './result.ts'

export async function compileDashboards(scope: Scope): Promise<readonly DashboardManifest[]> {
  const dashboards: DashboardManifest[] = []
  for (const { definition } of membersOfKind<Dashboard>(scope, 'dashboard')) {
    const { $how: how, $at: at, $name: name } = definition
    checkOptions(scope, definition, how, ['title', 'allow'])
    const tiles: TileManifest[] = []
    for (const tile of definition.$tiles) {
      const compiled = await compileTile(scope, `dashboard "${name}", tile "${tile.title}"`, tile, at)
      if (compiled) tiles.push(compiled)
    }
    const title = how.title ?? name[0]!.toUpperCase() + name.slice(1).replaceAll('_', ' ')
    dashboards.push({
      name,
      at: placeIn(scope.root, at),
      title,
      tiles,
      allow: roleNames(scope, how.allow, at, `dashboard "${name}", allow`),
    })
  }
  return dashboards
}

async function compileTile(scope: Scope, what: string, tile: Tile, boardAt: string): Promise<TileManifest | undefined> {
  const at = tile.$at === '' ? boardAt : tile.$at
  const query = isSql(tile.what) || isMember(scope, tile.what, at, what) ? await readSql(scope, what, sqlOf(tile), 'inline') : undefined
  const bound = query && (await bindSql(scope, what, query))
  if (!bound) return undefined
  const shape = resultShape(scope, what, bound.columns, at)
  const { x, by, unit } = tile.how
  const y = listOf(tile.how.y)
  for (const axis of [x, by, ...y]) if (axis !== undefined) columnIn(scope, shape, axis, at, what)
  const span = tile.how.span ?? (tile.$tile === 'number' ? 3 : 6)
  if (!Number.isInteger(span) || span < 1 || span > 12)
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: a span of ${span} is not possible`, 'choose 1 to 12 twelfths')
  return {
    kind: tile.$tile,
    title: tile.title,
    sql: { text: query.rendered.text, params: query.rendered.params },
    inputs: query.inputs,
    ...(x === undefined ? {} : { x }),
    ...(y.length === 0 ? {} : { y }),
    ...(by === undefined ? {} : { by }),
    ...(unit === undefined ? {} : { unit }),
    span,
  }
}

const sqlOf = (tile: Tile): Sql =>
  isSql(tile.what)
    ? tile.what
    : { $at: tile.$at, $sql: [{ kind: 'text', text: `SELECT * FROM ${quoteRelation(tile.what.$name)}`, place: tile.$at, line: 0 }] }
