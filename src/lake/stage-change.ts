// Turns one change of one table into files: manifests, a manifest list and the next metadata. Everything here is written
// and durable but invisible; `commit.ts` makes it visible or throws it away.
import { MillraceError } from '../core/errors.ts'
import { type Random, snapshotId } from '../core/random.ts'
import { applyDefinition } from './apply-definition.ts'
import { type DeletesStage, joinDeleted, readLiveDeletes, type StagedDeletes, stageDeletes } from './deletes/stage-deletes.ts'
import { checkWritable } from './format-version.ts'
import { toUri } from './location.ts'
import { ADDED, DELETED, EXISTING, type ManifestEntry } from './manifest.ts'
import { holdsData, isLive, type ManifestFile } from './manifest-list.ts'
import type { MetadataFiles, SnapshotNumbers, WrittenList } from './metadata-files.ts'
import { summarizeSnapshot } from './snapshot-summary.ts'
import { type SnapshotJson, type TableMetadata, toLakeTable } from './table-metadata.ts'
import type { DataFile, LakeTable, TableChange } from './types.ts'

/** Manifests of one spec from which small ones are merged, and the size from which one is left alone. */
const MERGE_COUNT = 100
const MERGE_BYTES = 8 * 1024 * 1024

/** A table as the pointer had it when the commit began. */
export interface Base {
  readonly name: string
  /** Null for a table that is created. */
  readonly location: string | null
  readonly metadata: TableMetadata
  readonly table: LakeTable
}

/** What a pointer may be set to, and the files written for it. */
export interface Staged {
  readonly name: string
  readonly from: string | null
  readonly to: string
  readonly metadata: TableMetadata
  readonly written: readonly string[]
  /** Metadata files that fell out of the log: to be removed once the pointer has moved. */
  readonly outdated: readonly string[]
}

export interface StageContext {
  readonly files: MetadataFiles
  readonly random: Random
  readonly nowMs: number
}

/** @throws MR_LAKE_CONFLICT when a file to remove is not live any more, or rows to delete were deleted; MR_LAKE_VERSION; MR_SCHEMA_EVOLUTION; MR_LAKE_SPEC. */
export async function stageChange(base: Base, change: TableChange, context: StageContext): Promise<Staged> {
  checkWritable(base.name, base.metadata)
  const nowMs = Math.max(context.nowMs, base.metadata['last-updated-ms'])
  const defined = applyDefinition(base.metadata, change)
  const written: string[] = []
  const deleted = change.delete ?? []
  if (change.add.length === 0 && change.remove.length === 0 && deleted.length === 0)
    return stageMetadata(base, { ...defined, 'last-updated-ms': nowMs }, context, written)
  const table = toLakeTable(base.name, base.table.metadataLocation, defined)
  const snapshot: SnapshotNumbers = {
    id: snapshotId(context.random),
    parentId: base.table.current?.id ?? null,
    sequence: defined['last-sequence-number'] + 1,
  }
  const plan: Plan = { change, table, snapshot, nowMs, context, written }
  if (deleted.length > 0) mustHaveVectors(table)
  const { manifests, removed, deletes } = await nextManifests(base, plan)
  const list = await context.files.writeList(manifests, table, snapshot, nowMs, nextRowIdOf(defined))
  written.push(list.uri)
  const files = { added: change.add, removed, deletes }
  const summary = summarizeSnapshot(change.operation, files, base.table.current?.summary, change.summary)
  return stageMetadata(base, withSnapshot(defined, { snapshot, summary, list, nowMs }), context, written)
}

/** What row ids of a next snapshot begin with; null before version 3. */
export const nextRowIdOf = (metadata: TableMetadata): number | null =>
  metadata['format-version'] >= 3 ? (metadata['next-row-id'] ?? 0) : null

function mustHaveVectors({ name, formatVersion }: LakeTable): void {
  if (formatVersion >= 3) return
  throw new MillraceError('MR_LAKE_VERSION', `${name} has format version ${formatVersion}, which has no deletion vectors`, {
    fix: 'write the files without the rows, or give the table version 3',
  })
}

/** Writes `metadata` as the successor of the base's. */
export async function stageMetadata(
  base: Omit<Base, 'table'>,
  metadata: TableMetadata,
  { files }: StageContext,
  written: string[] = [],
): Promise<Staged> {
  const { log, outdated } = nextMetadataLog(base, metadata)
  const next = { ...metadata, 'metadata-log': log }
  const to = await files.writeMetadata(next, base.location)
  return { name: base.name, from: base.location, to, metadata: next, written: [...written, to], outdated }
}

/** Earlier metadata files that the log keeps, unless the table says otherwise; they are removed when they leave it. */
const METADATA_LOG_MAX = 100

function nextMetadataLog(base: Omit<Base, 'table'>, next: TableMetadata): { log: TableMetadata['metadata-log']; outdated: string[] } {
  if (base.location === null) return { log: [], outdated: [] }
  const entry = { 'metadata-file': base.location, 'timestamp-ms': base.metadata['last-updated-ms'] }
  const all = [...base.metadata['metadata-log'], entry]
  const most = Math.max(1, Number(next.properties['write.metadata.previous-versions-max'] ?? METADATA_LOG_MAX) || METADATA_LOG_MAX)
  const cut = Math.max(0, all.length - most)
  return { log: all.slice(cut), outdated: all.slice(0, cut).map((old) => old['metadata-file']) }
}

interface Plan {
  readonly change: TableChange
  readonly table: LakeTable
  readonly snapshot: SnapshotNumbers
  readonly nowMs: number
  readonly context: StageContext
  readonly written: string[]
}

interface Next {
  readonly manifests: ManifestFile[]
  readonly removed: DataFile[]
  readonly deletes: Pick<StagedDeletes, 'added' | 'removed'>
}

async function nextManifests(base: Base, plan: Plan): Promise<Next> {
  const { change, context } = plan
  const before = base.table.current ? await context.files.list(base.table.current.manifestList) : []
  const live = before.filter(isLive)
  const data = live.filter(holdsData)
  const stage: DeletesStage = { ...plan, files: context.files }
  const liveDeletes = await readLiveDeletes(stage, change.remove.length > 0 || change.delete ? live : [])
  const asked = change.delete ?? []
  const joined = await joinDeleted(stage, asked, asked.length > 0 ? await liveEntries(data, plan) : [], liveDeletes)
  const { kept, removed } = await removeFiles(data, [...change.remove, ...joined.emptied], plan)
  const merged = await mergeManifests(kept, plan)
  const added: ManifestFile[] = []
  for (const specId of new Set(change.add.map((file) => file.specId))) {
    if (!plan.table.specs.some((spec) => spec.id === specId))
      throw new MillraceError('MR_LAKE_SPEC', `${change.table}: a file names the partition spec ${specId}, which the table does not have`)
    const entries = change.add.filter((file) => file.specId === specId).map((file) => newEntry(file, plan))
    added.push(await write(entries, specId, plan))
  }
  if (liveDeletes.length === 0 && joined.vectors.length === 0)
    return { manifests: [...added, ...merged, ...live.filter((manifest) => !holdsData(manifest))], removed, deletes: NO_DELETES }
  const gone = new Set(removed.map((file) => file.path))
  const oldestSequence = Math.min(...[...added, ...merged].filter(isLive).map((manifest) => manifest.minSequence))
  const { manifests, ...deletes } = await stageDeletes(stage, liveDeletes, { vectors: joined.vectors, gone, oldestSequence })
  return { manifests: [...added, ...merged, ...manifests], removed, deletes }
}

const NO_DELETES = { added: [], removed: [] }

async function liveEntries(manifests: readonly ManifestFile[], { context, table }: Plan): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = []
  for (const manifest of manifests)
    for (const entry of await context.files.entries(manifest, table)) if (entry.status !== DELETED) entries.push(entry)
  return entries
}

const newEntry = (file: DataFile, { snapshot }: Plan): ManifestEntry => ({
  status: ADDED,
  snapshotId: snapshot.id,
  sequence: snapshot.sequence,
  fileSequence: snapshot.sequence,
  sortOrderId: null,
  file,
})

async function write(entries: readonly ManifestEntry[], specId: number, plan: Plan): Promise<ManifestFile> {
  const manifest = await plan.context.files.writeManifest(entries, plan.table, specId, plan.snapshot, plan.nowMs)
  plan.written.push(toUri(manifest.path))
  return manifest
}

/** Writes manifests that hold a file to remove anew, with that file marked deleted; the others stay. */
async function removeFiles(
  live: readonly ManifestFile[],
  paths: readonly string[],
  plan: Plan,
): Promise<{ kept: ManifestFile[]; removed: DataFile[] }> {
  const missing = new Set(paths)
  if (missing.size === 0) return { kept: [...live], removed: [] }
  const kept: ManifestFile[] = []
  const removed: DataFile[] = []
  for (const manifest of live) {
    const entries = (await plan.context.files.entries(manifest, plan.table)).filter((entry) => entry.status !== DELETED)
    const gone = entries.filter((entry) => missing.delete(entry.file.path))
    if (gone.length === 0) {
      kept.push(manifest)
      continue
    }
    for (const { file } of gone) removed.push(file)
    const dropped = new Set(gone)
    const next = entries.map(
      (entry): ManifestEntry =>
        dropped.has(entry) ? { ...entry, status: DELETED, snapshotId: plan.snapshot.id } : { ...entry, status: EXISTING },
    )
    kept.push(await write(next, manifest.specId, plan))
  }
  if (missing.size > 0) throw notLive(plan.change, missing)
  return { kept, removed }
}

const notLive = (change: TableChange, missing: ReadonlySet<string>): MillraceError =>
  new MillraceError('MR_LAKE_CONFLICT', `${change.table}: ${missing.size} file(s) to remove are not live, such as ${[...missing][0]}`, {
    fix: 'read the table anew and repeat the operation',
  })

/** Many small manifests of one spec become one, so that planning a scan does not open hundreds of files. */
async function mergeManifests(manifests: readonly ManifestFile[], plan: Plan): Promise<ManifestFile[]> {
  const { files } = plan.context
  const small = manifests.filter(
    (manifest) => manifest.specId === plan.table.spec.id && manifest.sizeBytes < MERGE_BYTES && isOld(manifest, plan),
  )
  if (small.length < MERGE_COUNT) return [...manifests]
  const entries: ManifestEntry[] = []
  for (const manifest of small) {
    for (const entry of await files.entries(manifest, plan.table))
      if (entry.status !== DELETED) entries.push({ ...entry, status: EXISTING })
  }
  const one = await write(entries, plan.table.spec.id, plan)
  return [one, ...manifests.filter((manifest) => !small.includes(manifest))]
}

// A manifest of this very snapshot names what it deleted: that is kept for one snapshot.
const isOld = (manifest: ManifestFile, plan: Plan): boolean => manifest.snapshotId !== plan.snapshot.id

export interface NewSnapshot {
  readonly snapshot: SnapshotNumbers
  readonly summary: SnapshotJson['summary']
  readonly list: WrittenList
  readonly nowMs: number
}

/** The metadata with a snapshot that is current from now on. */
export function withSnapshot(metadata: TableMetadata, { snapshot, summary, list, nowMs }: NewSnapshot): TableMetadata {
  const firstRowId = nextRowIdOf(metadata)
  const json: SnapshotJson = {
    'snapshot-id': snapshot.id,
    ...(snapshot.parentId === null ? {} : { 'parent-snapshot-id': snapshot.parentId }),
    'sequence-number': snapshot.sequence,
    'timestamp-ms': nowMs,
    summary,
    'manifest-list': list.uri,
    'schema-id': metadata['current-schema-id'],
    ...(firstRowId === null || list.nextRowId === null ? {} : { 'first-row-id': firstRowId, 'added-rows': list.nextRowId - firstRowId }),
  }
  return {
    ...metadata,
    'last-sequence-number': snapshot.sequence,
    'last-updated-ms': nowMs,
    ...(list.nextRowId === null ? {} : { 'next-row-id': list.nextRowId }),
    'current-snapshot-id': snapshot.id,
    snapshots: [...metadata.snapshots, json],
    refs: { ...metadata.refs, main: { ...metadata.refs['main'], type: 'branch', 'snapshot-id': snapshot.id } },
    'snapshot-log': [...metadata['snapshot-log'], { 'snapshot-id': snapshot.id, 'timestamp-ms': nowMs }],
  }
}
