// Commits of clients of the REST catalog: updates of metadata with what they rely on, of one table or several at once. The
// client has written data files, manifests and lists; here the metadata is computed, checked, written and published in the
// one commit (`commit.ts`). A lost race is tried again while the client's requirements still hold.
import { MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/random.ts'
import type { Finished } from '../store/catalog.ts'
import { checkLocation, checkPath, freeLocation } from './check-location.ts'
import { type CommitContext, publishAny } from './commit.ts'
import { mustConfine } from './confine.ts'
import { ENCRYPTED, scopeOf } from './encrypted.ts'
import { toPath } from './location.ts'
import { metadataDirectory } from './metadata-files.ts'
import { type Base, stageMetadata } from './stage-change.ts'
import { syncOutside } from './sync-outside.ts'
import type { TableMetadata } from './table-metadata.ts'
import type { LakeTable } from './types.ts'
import { checkDefinitions } from './updates/apply-definitions.ts'
import { applyUpdates } from './updates/apply-updates.ts'
import { checkRequirements } from './updates/check-requirements.ts'
import { type NewTable, newTable } from './updates/new-table.ts'
import type { Requirement, Update } from './updates/update.ts'

/** A table or view by its name in the catalog, and how messages call it. */
export interface Named {
  readonly name: string
  readonly shown: string
}

export interface TableUpdate extends Named {
  /** Whether what it adds must lie in the table's directory, see `confine.ts`. */
  readonly confined?: boolean
  readonly requirements: readonly Requirement[]
  readonly updates: readonly Update[]
}

const isCreation = ({ requirements }: TableUpdate): boolean => requirements.some(({ type }) => type === 'assert-create')

/**
 * All of it or nothing; answers the tables as they are after it, in the order of the updates.
 * @throws MR_LAKE_CONFLICT when a requirement fails: certainly nothing has changed. MR_LAKE_UPDATE, MR_LAKE_LOCATION,
 *   MR_LAKE_TABLE_UNKNOWN, MR_LAKE_TABLE_EXISTS, MR_LAKE_VIEW_EXISTS likewise. Any other error: the outcome is not known.
 */
export async function updateTables(
  context: CommitContext,
  updates: readonly TableUpdate[],
  finished?: Finished,
): Promise<readonly LakeTable[]> {
  const names = updates.map(({ name }) => name)
  const { tables } = await publishAny(context, names, finished ? { finished } : {}, async (bases, stage, keep) => {
    for (const [index, update] of updates.entries()) {
      const base = bases[index] ?? null
      if (!base) await mustCreate(context, update)
      checkRequirements(update.shown, base?.metadata, update.requirements)
      const next = applyUpdates(base?.metadata, update.updates, stage.nowMs)
      mustBeInTheClear(update.shown, [...(base ? [base.metadata] : []), next])
      if (base?.metadata === next) continue
      if (!base || isMoved(base.metadata, next)) await place(context, update.name, next)
      if (update.confined) await mustConfine(context, base?.metadata, next)
      await syncOutside(context, base?.metadata, next)
      keep(await stageMetadata({ name: update.name, location: base?.location ?? null, metadata: base?.metadata ?? next }, next, stage))
    }
  })
  return tables
}

/** Engines outside write no encrypted files, and could make a table unreadable by saying that it has them. */
function mustBeInTheClear(shown: string, metadata: readonly TableMetadata[]): void {
  if (metadata.every((one) => scopeOf(one) === null)) return
  throw new MillraceError('MR_KEY_SHARED', `${shown} is encrypted, or is to have ${ENCRYPTED}: only Millrace writes such tables`, {
    fix: 'write to a stream or table that is fed over HTTP',
  })
}

async function mustCreate(context: CommitContext, update: TableUpdate): Promise<void> {
  if (await context.catalog.view(update.name)) throw viewExists(update.shown)
  if (isCreation(update)) return
  throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `Table does not exist: ${update.shown}`, { fix: 'create it first' })
}

const viewExists = (shown: string): MillraceError =>
  new MillraceError('MR_LAKE_VIEW_EXISTS', `View with same name already exists: ${shown}`, { fix: 'drop it, or choose another name' })

const isMoved = (before: TableMetadata, after: TableMetadata): boolean =>
  before.location !== after.location || metadataDirectory(before) !== metadataDirectory(after)

async function place(context: CommitContext, name: string, metadata: TableMetadata): Promise<void> {
  await checkLocation(context, name, metadata)
  await context.files.makeDirectory(`${toPath(metadata.location)}/data`)
  await context.files.makeDirectory(toPath(metadataDirectory(metadata)))
}

/** The metadata that a new table would begin with; nothing is written. @throws MR_LAKE_UPDATE, MR_LAKE_LOCATION */
export async function stageTable(
  context: CommitContext,
  name: string,
  asked: NewTable & { readonly location?: string | null },
): Promise<TableMetadata> {
  const nowMs = context.clock.nowMs()
  const uuid = uuidV7(nowMs, context.random)
  const metadata = newTable(asked, { uuid, location: asked.location ?? freeLocation(context, name, uuid), nowMs })
  mustBeInTheClear(name, [metadata])
  await checkLocation(context, name, metadata)
  return metadata
}

/** A table as `stageTable` made it, published. @throws MR_LAKE_TABLE_EXISTS, MR_LAKE_VIEW_EXISTS, MR_LAKE_LOCATION */
export async function createStaged(context: CommitContext, named: Named, metadata: TableMetadata, finished?: Finished): Promise<LakeTable> {
  const { name } = named
  const { tables } = await publishAny(context, [name], finished ? { finished } : {}, async ([base], stage, keep) => {
    await mustBeNew(context, named, base)
    await place(context, name, metadata)
    keep(await stageMetadata({ name, location: null, metadata }, metadata, stage))
  })
  return tables[0]!
}

async function mustBeNew({ catalog }: CommitContext, { name, shown }: Named, base: Base | null | undefined): Promise<void> {
  if (base) throw new MillraceError('MR_LAKE_TABLE_EXISTS', `Table already exists: ${shown}`, { fix: 'load it, or choose another name' })
  if (await catalog.view(name)) throw viewExists(shown)
}

/**
 * Gives a name to metadata that is there already: of a table that was dropped, or made elsewhere. With `overwrite` a table
 * of that name is replaced. @throws as `createStaged`, and MR_LAKE_CORRUPT, MR_LAKE_VERSION for what cannot be read.
 */
export async function registerTable(
  context: CommitContext,
  named: Named,
  { location, overwrite }: { readonly location: string; readonly overwrite: boolean },
  finished?: Finished,
): Promise<LakeTable> {
  checkPath(context, location)
  const { name } = named
  const metadata = await context.files.metadata(location)
  checkDefinitions(metadata)
  mustBeInTheClear(named.shown, [metadata])
  const { tables } = await publishAny(context, [name], finished ? { finished } : {}, async ([base], _stage, keep) => {
    if (!base || !overwrite) await mustBeNew(context, named, base)
    await checkLocation(context, name, metadata)
    keep({ name, from: base?.location ?? null, to: location, metadata, written: [], outdated: [] })
  })
  return tables[0]!
}
