// Views of the catalog: metadata files and pointers of their own, changed by the same compare-and-set as tables
// (`Catalog.commit`). They show no rows of Millrace's, so nothing follows their changes.
import { MillraceError } from '../../core/errors.ts'
import { printJson } from '../../core/json.ts'
import { uuidV7 } from '../../core/random.ts'
import type { Finished, ViewPointer } from '../../store/catalog.ts'
import { checkPath, freeLocation } from '../check-location.ts'
import type { CommitContext } from '../commit.ts'
import { toPath } from '../location.ts'
import { metadataDirectory } from '../metadata-files.ts'
import type { SchemaJson } from '../table-metadata.ts'
import type { Named } from '../update-tables.ts'
import type { Requirement, Update } from '../updates/update.ts'
import { applyViewUpdates, checkViewRequirements } from './apply-view-updates.ts'
import { parseView, type ViewMetadata, type ViewVersionJson } from './view-metadata.ts'

export interface LakeView {
  readonly name: string
  readonly metadataLocation: string
  readonly metadata: ViewMetadata
}

export interface NewView {
  readonly schema: SchemaJson
  readonly 'view-version': ViewVersionJson
  readonly properties?: Readonly<Record<string, string>>
  readonly location?: string | null
}

export interface Views {
  list(): Promise<readonly ViewPointer[]>
  /** @throws MR_LAKE_VIEW_UNKNOWN, MR_LAKE_METADATA_MISSING, MR_LAKE_CORRUPT */
  load(named: Named): Promise<LakeView>
  /** @throws MR_LAKE_VIEW_EXISTS, MR_LAKE_TABLE_EXISTS, MR_LAKE_UPDATE, MR_LAKE_LOCATION */
  create(named: Named, asked: NewView, finished?: Finished): Promise<LakeView>
  /** @throws MR_LAKE_VIEW_UNKNOWN, MR_LAKE_CONFLICT, MR_LAKE_UPDATE, MR_LAKE_LOCATION */
  update(named: Named, requirements: readonly Requirement[], updates: readonly Update[], finished?: Finished): Promise<LakeView>
  /** Gives a name to metadata that is there already. */
  register(named: Named, location: string, finished?: Finished): Promise<LakeView>
  rename(named: Named, to: Named, finished?: Finished): Promise<void>
  /** The metadata file becomes an orphan. */
  drop(named: Named, finished?: Finished): Promise<void>
}

const TRY_MAX = 20

export function openViews(context: CommitContext): Views {
  const { catalog, files } = context
  const find = async ({ name, shown }: Named): Promise<ViewPointer> => {
    const pointer = await catalog.view(name)
    if (pointer) return pointer
    throw new MillraceError('MR_LAKE_VIEW_UNKNOWN', `View does not exist: ${shown}`, { fix: 'create it first' })
  }
  const read = async (location: string): Promise<ViewMetadata> => {
    if (!(await files.exists(location)))
      throw new MillraceError('MR_LAKE_METADATA_MISSING', `Failed to open input stream for file: ${location}`, {
        fix: 'restore it from a backup',
      })
    return parseView((await files.read(location)).toString(), location)
  }
  const move = async (
    named: Named,
    from: string | null,
    metadata: ViewMetadata,
    finished?: Finished,
    at?: string,
  ): Promise<LakeView | null> => {
    checkPath(context, metadata.location)
    checkPath(context, `${metadataDirectory(metadata)}/x`)
    const nowMs = context.clock.nowMs()
    await files.makeDirectory(toPath(metadataDirectory(metadata)))
    const to = at ?? (await files.writeView(metadata, printJson(metadata), from, nowMs))
    const also = finished ? { finished } : {}
    const outcome = await catalog.commit({ tables: [], views: [{ name: named.name, from, to }], ...also, nowMs })
    if (outcome.kind === 'committed') {
      const placed = outcome.placed?.[named.name]
      return { name: named.name, metadataLocation: placed ?? to, metadata: placed ? await read(placed) : metadata }
    }
    if (!at) await files.discard([to])
    return null
  }
  const mustBeFree = async ({ name, shown }: Named): Promise<void> => {
    const fix = 'drop it, or choose another name'
    if (await catalog.table(name)) throw new MillraceError('MR_LAKE_TABLE_EXISTS', `Table with same name already exists: ${shown}`, { fix })
    if (await catalog.view(name)) throw new MillraceError('MR_LAKE_VIEW_EXISTS', `View already exists: ${shown}`, { fix })
  }
  const create = async (named: Named, metadata: ViewMetadata, finished?: Finished, at?: string): Promise<LakeView> => {
    await mustBeFree(named)
    const made = await move(named, null, metadata, finished, at)
    if (made) return made
    await mustBeFree(named)
    throw new MillraceError('MR_LAKE_CONFLICT', `${named.shown} was dropped while it was made`, { fix: 'try again' })
  }
  return {
    list: () => catalog.views(),
    async load(named) {
      const { location } = await find(named)
      return { name: named.name, metadataLocation: location, metadata: await read(location) }
    },
    async create(named, asked, finished) {
      await mustBeFree(named)
      const uuid = uuidV7(context.clock.nowMs(), context.random)
      const location = asked.location ?? freeLocation(context, named.name, uuid)
      return create(named, applyViewUpdates(undefined, creation(asked, uuid, location), context.clock.nowMs()), finished)
    },
    update: (named, requirements, updates, finished) =>
      context.locks.run([named.name], async () => {
        for (let attempt = 1; attempt <= TRY_MAX; attempt++) {
          const { location } = await find(named)
          const base = await read(location)
          checkViewRequirements(base, requirements)
          const next = applyViewUpdates(base, updates, context.clock.nowMs())
          if (next === base) return { name: named.name, metadataLocation: location, metadata: base }
          const moved = await move(named, location, next, finished)
          if (moved) return moved
        }
        throw new MillraceError('MR_LAKE_CONFLICT', `Cannot commit to view ${named.shown}: other writers were faster`, { fix: 'try again' })
      }),
    async register(named, location, finished) {
      checkPath(context, location)
      await mustBeFree(named)
      return create(named, await read(location), finished, location)
    },
    async rename(named, to, finished) {
      const { location } = await find(named)
      const outcome = await catalog.rename(named.name, location, to.name, context.clock.nowMs(), finished)
      if (outcome.kind === 'committed') return
      await mustBeFree(to)
      throw new MillraceError('MR_LAKE_CONFLICT', `the view ${named.shown} changed while it was renamed`, { fix: 'rename it again' })
    },
    async drop(named, finished) {
      const { location } = await find(named)
      const outcome = await catalog.drop(named.name, location, context.clock.nowMs(), finished)
      if (outcome.kind === 'committed') return
      throw new MillraceError('MR_LAKE_CONFLICT', `the view ${named.shown} changed while it was dropped`, { fix: 'drop it again' })
    },
  }
}

function creation(asked: NewView, uuid: string, location: string): Update[] {
  return [
    { action: 'assign-uuid', uuid },
    { action: 'set-location', location },
    { action: 'add-schema', schema: asked.schema },
    { action: 'add-view-version', 'view-version': { ...asked['view-version'], 'schema-id': -1 } },
    { action: 'set-current-view-version', 'view-version-id': -1 },
    { action: 'set-properties', updates: asked.properties ?? {} },
  ]
}
