// Turns one change of one table into files: manifests, a manifest list and the next metadata. Everything here is written
// and durable but invisible; `commit.ts` makes it visible or throws it away.
import { MillraceError } from '../core/errors.ts'
import { type Random, snapshotId } from '../core/random.ts'
import { applyDefinition } from './apply-definition.ts'
import { checkWritable } from './format-version.ts'
import { toUri } from './location.ts'
import { ADDED, DELETED, EXISTING, type ManifestEntry } from './manifest.ts'
import { holdsData, isLive, type ManifestFile } from './manifest-list.ts'
import type { MetadataFiles, SnapshotNumbers } from './metadata-files.ts'
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

/** @throws MR_LAKE_CONFLICT when a file to remove is not live any more; MR_LAKE_VERSION; MR_SCHEMA_EVOLUTION; MR_LAKE_SPEC. */
export async function stageChange(base: Base, change: TableChange, context: StageContext): Promise<Staged> {
  checkWritable(base.name, base.metadata)
  const nowMs = Math.max(context.nowMs, base.metadata['last-updated-ms'])
  const defined = applyDefinition(base.metadata, change)
  const written: string[] = []
  if (change.add.length === 0 && change.remove.length === 0)
    return stageMetadata(base, { ...defined, 'last-updated-ms': nowMs }, context, written)
  const table = toLakeTable(base.name, base.table.metadataLocation, defined)
  const snapshot: SnapshotNumbers = {
    id: snapshotId(context.random),
    parentId: base.table.current?.id ?? null,
    sequence: defined['last-sequence-number'] + 1,
  }
  const plan: Plan = { change, table, snapshot, nowMs, context, written }
  const { manifests, removed } = await nextManifests(base, plan)
  const list = await context.files.writeList(manifests, table.location, snapshot, nowMs)
  written.push(list)
  const summary = summarizeSnapshot(change.operation, change.add, removed, base.table.current?.summary, change.summary)
  return stageMetadata(base, withSnapshot(defined, { snapshot, summary, list, nowMs }), context, written)
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

async function nextManifests(base: Base, plan: Plan): Promise<{ manifests: ManifestFile[]; removed: DataFile[] }> {
  const { change, context } = plan
  const before = base.table.current ? await context.files.list(base.table.current.manifestList) : []
  const live = before.filter(isLive)
  const { kept, removed } = await removeFiles(live.filter(holdsData), plan)
  const merged = await mergeManifests(kept, plan)
  const added: ManifestFile[] = []
  for (const specId of new Set(change.add.map((file) => file.specId))) {
    if (!plan.table.specs.some((spec) => spec.id === specId))
      throw new MillraceError('MR_LAKE_SPEC', `${change.table}: a file names the partition spec ${specId}, which the table does not have`)
    const entries = change.add.filter((file) => file.specId === specId).map((file) => newEntry(file, plan))
    added.push(await write(entries, specId, plan))
  }
  // Delete files of others stay: those about files that are gone do no harm.
  return { manifests: [...added, ...merged, ...live.filter((manifest) => !holdsData(manifest))], removed }
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
async function removeFiles(live: readonly ManifestFile[], plan: Plan): Promise<{ kept: ManifestFile[]; removed: DataFile[] }> {
  const missing = new Set(plan.change.remove)
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
    removed.push(...gone.map((entry) => entry.file))
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
  readonly list: string
  readonly nowMs: number
}

/** The metadata with a snapshot that is current from now on. */
export function withSnapshot(metadata: TableMetadata, { snapshot, summary, list, nowMs }: NewSnapshot): TableMetadata {
  const json: SnapshotJson = {
    'snapshot-id': snapshot.id,
    ...(snapshot.parentId === null ? {} : { 'parent-snapshot-id': snapshot.parentId }),
    'sequence-number': snapshot.sequence,
    'timestamp-ms': nowMs,
    summary,
    'manifest-list': list,
    'schema-id': metadata['current-schema-id'],
  }
  return {
    ...metadata,
    'last-sequence-number': snapshot.sequence,
    'last-updated-ms': nowMs,
    'current-snapshot-id': snapshot.id,
    snapshots: [...metadata.snapshots, json],
    refs: { ...metadata.refs, main: { ...metadata.refs['main'], type: 'branch', 'snapshot-id': snapshot.id } },
    'snapshot-log': [...metadata['snapshot-log'], { 'snapshot-id': snapshot.id, 'timestamp-ms': nowMs }],
  }
}
