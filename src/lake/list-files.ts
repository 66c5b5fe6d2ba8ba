// The data files of a snapshot, pruned: what a scan reads. Schemas and time travel are decided here once, so that pruning
// and reading never differ in what a column name means.
import { MillraceError } from '../core/errors.ts'
import { damaged } from '../objects/seal/sealed.ts'
import { withDeletes } from './deletes/with-deletes.ts'
import { scopeOf } from './encrypted.ts'
import { checkReadable } from './format-version.ts'
import { DELETED, type ManifestEntry, mustBeParquet } from './manifest.ts'
import { holdsData } from './manifest-list.ts'
import type { MetadataFiles } from './metadata-files.ts'
import { pruner } from './prune.ts'
import { hasRenamedParts } from './renamed.ts'
import type { DataFile, LakeSchema, LakeSnapshot, LakeTable, PruneTerm } from './types.ts'

/**
 * The schema by which a snapshot is read: the table's for the current one (a column added since is there, null), the
 * snapshot's own for an earlier one.
 */
export function schemaOf(table: LakeTable, snapshot: LakeSnapshot | null): LakeSchema {
  if (!snapshot || snapshot.id === table.current?.id) return table.schema
  return table.schemas.find((schema) => schema.id === snapshot.schemaId) ?? table.schema
}

/**
 * Live files of `snapshot` that may hold rows matching all of `terms`, each with what deletes rows of it; columns are named
 * as in `schemaOf`.
 * @throws MR_LAKE_CORRUPT, MR_LAKE_VERSION
 */
export async function listFiles(
  files: MetadataFiles,
  table: LakeTable,
  snapshot: LakeSnapshot | null,
  terms: readonly PruneTerm[],
): Promise<DataFile[]> {
  if (!snapshot) return []
  checkReadable(await files.metadata(table.metadataLocation), table.metadataLocation)
  checkFieldIds(table)
  const manifests = await files.list(snapshot.manifestList)
  const keep = pruner(terms, schemaOf(table, snapshot), table.specs, table.schemas)
  const live: ManifestEntry[] = []
  for (const manifest of manifests.filter(holdsData)) {
    if (!keep.manifest(manifest)) continue
    const entries = await files.entries(manifest, table)
    if (!keep.any(entries)) continue
    for (const entry of entries) if (entry.status !== DELETED && keep.file(entry.file)) live.push(entry)
  }
  for (const { file } of live) mustBeParquet(file)
  const bare = scopeOf(table) === null ? undefined : live.find(({ file }) => !file.seal)
  if (bare) throw damaged(bare.file.path, 'is not encrypted, and all of its table is')
  const listed = await withDeletes(files, table, manifests, live)
  const isRenamed = hasRenamedParts(table.schemas) ? ({ isRenamed: true } as const) : {}
  if (table.formatVersion < 3) return 'isRenamed' in isRenamed ? listed.map((file) => ({ ...file, ...isRenamed })) : listed
  return listed.map((file, i) => ({ ...file, ...isRenamed, sequence: live[i]!.sequence }))
}

export type SnapshotChoice = { readonly id: bigint } | { readonly tag: string } | { readonly timestampMs: number }

/** Files that were added to the table as they were have no field ids: by those they would be read as nothing but nulls. */
function checkFieldIds({ name, properties }: LakeTable): void {
  if (properties[NAME_MAPPING] === undefined) return
  throw new MillraceError('MR_LAKE_VERSION', `${name} has ${NAME_MAPPING}: files without field ids, which are not read`, {
    fix: 'rewrite its data files with the engine that added them, then remove the property',
  })
}

const NAME_MAPPING = 'schema.name-mapping.default'

/** What a user calls a snapshot by: its id, or the name of a tag or branch. */
export const snapshotChoice = (text: string): SnapshotChoice => (/^\d+$/.test(text) ? { id: BigInt(text) } : { tag: text })

/**
 * The snapshot of an id, a tag or branch, or the one that was current at a time.
 * @throws MR_LAKE_SNAPSHOT_UNKNOWN, saying what there is.
 */
export function chooseSnapshot(table: LakeTable, choice: SnapshotChoice): LakeSnapshot {
  const byId = (id: bigint | undefined) => table.snapshots.find((snapshot) => snapshot.id === id)
  const found =
    'id' in choice
      ? byId(choice.id)
      : 'tag' in choice
        ? byId(Object.hasOwn(table.refs, choice.tag) ? table.refs[choice.tag]!.snapshotId : undefined)
        : byId(table.log.findLast((entry) => entry.timestampMs <= choice.timestampMs)?.snapshotId)
  if (found) return found
  throw new MillraceError('MR_LAKE_SNAPSHOT_UNKNOWN', `${table.name} has no snapshot ${describe(choice)}`, { fix: available(table) })
}

function describe(choice: SnapshotChoice): string {
  if ('id' in choice) return String(choice.id)
  return 'tag' in choice ? `named '${choice.tag}'` : `as of ${timeText(choice.timestampMs)}`
}

// A time may come from a user's question: not every number is a date.
const timeText = (ms: number): string => (Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`)

const SHOWN = 5

function available(table: LakeTable): string {
  if (table.snapshots.length === 0) return 'the table has no snapshot yet'
  const shown = table.snapshots.slice(-SHOWN).map((snapshot) => `${snapshot.id} (${timeText(snapshot.timestampMs)})`)
  const names = Object.keys(table.refs).filter((name) => name !== 'main')
  const tags = names.length > 0 ? `; named: ${names.join(', ')}` : ''
  return `${table.snapshots.length} exist, the newest are ${shown.join(', ')}${tags}`
}
