// Which assets there are, what each needs, and in which order a set of them runs. Pure.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, Relation } from '../define/manifest.ts'

export interface Asset {
  readonly name: string
  readonly kind: 'load' | 'model'
  /** Assets that must run before it when both are in one run: direct and through views and streams. */
  readonly needs: readonly string[]
  /** Every stored relation that it reads, views expanded: whose commits make it stale. */
  readonly reads: readonly string[]
  readonly freshMs?: number
}

const isStored = (relation: Relation): boolean => !(relation.kind === 'model' && relation.refresh === 'view')

export const isAsset = (relation: Relation): boolean =>
  relation.kind === 'table' ? relation.source.kind === 'files' : relation.kind === 'model' && !['view', 'live'].includes(relation.refresh)

/** Stored relations under a relation's inputs, views expanded. */
export const readsOf = (manifest: Manifest, relation: Relation): string[] =>
  relation.kind === 'model' ? storedUnder(manifest, relation.inputs) : []

/** Stored relations that a question over `names` reads: the names themselves, views expanded. */
export function storedUnder(manifest: Manifest, names: readonly string[]): string[] {
  const byName = new Map(manifest.relations.map((other) => [other.name, other]))
  const reads = new Set<string>()
  const visit = (name: string): void => {
    const input = byName.get(name)
    if (!input || isStored(input)) reads.add(name)
    else for (const inner of (input as Extract<Relation, { kind: 'model' }>).inputs) visit(inner)
  }
  for (const name of names) visit(name)
  return [...reads]
}

/** Assets in an order in which each comes after what it needs (relations of a manifest already are). */
export function assetsOf(manifest: Manifest): Asset[] {
  const names = new Set(manifest.relations.filter(isAsset).map((relation) => relation.name))
  return manifest.relations.filter(isAsset).map((relation) => {
    const reads = readsOf(manifest, relation)
    return {
      name: relation.name,
      kind: relation.kind === 'table' ? 'load' : 'model',
      needs: reads.filter((read) => names.has(read)),
      reads,
      ...(relation.freshMs === undefined ? {} : { freshMs: relation.freshMs }),
    }
  })
}

/** The chosen assets, in order. @throws MR_PLAN_UNKNOWN for a name that is no asset. */
export function chooseAssets(assets: readonly Asset[], names: readonly string[]): Asset[] {
  const unknown = names.find((name) => !assets.some((asset) => asset.name === name))
  if (unknown)
    throw new MillraceError('MR_PLAN_UNKNOWN', `"${unknown}" is nothing that runs`, {
      fix: `assets that run: ${assets.map((asset) => asset.name).join(', ') || 'none'}`,
    })
  const wanted = new Set(names)
  return assets.filter((asset) => wanted.has(asset.name))
}

/** Assets that read any of the changed relations, directly or through other assets. */
export function downstream(assets: readonly Asset[], changed: readonly string[]): Asset[] {
  const touched = new Set(changed)
  return assets.filter((asset) => {
    if (!asset.reads.some((read) => touched.has(read))) return false
    touched.add(asset.name)
    return true
  })
}
