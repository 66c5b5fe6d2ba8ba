// The lake: tables in Iceberg's format under one directory, found through the catalog. This file only puts the parts
// together; data becomes visible in `commit.ts` alone. Parquet files are written and read by the engine.
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import { diskStore } from '../objects/disk-store.ts'
import type { FileCache } from '../objects/file-cache.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import type { Catalog, Finished, TablePointer } from '../store/catalog.ts'
import {
  type BranchRetention,
  changeRefs,
  checkRefName,
  createBranch,
  type Publication,
  publishBranches,
  removeBranch,
} from './branches.ts'
import { baseAt, type CommitContext, type Committed, commit, loadBase } from './commit.ts'
import { createTable, type DropOptions, dropTable, renameTable } from './create-table.ts'
import { type Expired, type ExpireOptions, expireSnapshots } from './expire.ts'
import { checkTable, type TableCheck } from './health/check-table.ts'
import { explainDamage } from './health/explain-damage.ts'
import { Lease, type NamesIn, type Unlock } from './lease.ts'
import { chooseSnapshot, listFiles, type SnapshotChoice } from './list-files.ts'
import { toPath } from './location.ts'
import { MetadataFiles } from './metadata-files.ts'
import { Pins } from './pins.ts'
import { type CompactionGroup, type CompactionOptions, compactionOf, planCompaction } from './plan-compaction.ts'
import { type Relocated, type RelocateOptions, relocate } from './relocation/relocate.ts'
import { type Removed, removeOrphans } from './remove-orphans.ts'
import { restoreTable } from './restore.ts'
import { MANIFESTS, type ManifestOptions, type RewrittenManifests, rewriteManifests } from './rewrite-manifests.ts'
import { Staging } from './staging.ts'
import { TableLocks } from './table-locks.ts'
import type { TableMetadata } from './table-metadata.ts'
import type { CommitAlso, CreateTable, DataFile, LakeSnapshot, LakeTable, PruneTerm, TableChange } from './types.ts'
import { createStaged, type Named, registerTable, stageTable, type TableUpdate, updateTables } from './update-tables.ts'
import type { NewTable } from './updates/new-table.ts'
import { openViews, type Views } from './views/open-views.ts'

export interface LakeOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly catalog: Catalog
  /** Absolute path, or URI in an object store, under which new tables are made, one directory each. */
  readonly directory: string
  /** Other places of its own, looked after like `directory`: where new tables were made before, archives. */
  readonly formerly?: readonly string[]
  /** Object stores, the directory of staged files and the cache; absent when everything is on this machine. */
  readonly remote?: RemoteFiles
  /** For leases of files whose nested columns were renamed; absent where nothing is read. */
  readonly namesIn?: NamesIn
  /** For encrypted tables; absent where there are none. */
  readonly encrypted?: { readonly keys: KeyRing; readonly unlock: Unlock }
  /** Other absolute paths under which clients of the REST catalog may place tables. */
  readonly locations?: readonly string[]
}

export interface RemoteFiles {
  /** Serves every path, those of this machine too. */
  readonly store: ObjectStore
  readonly cache: FileCache
  readonly stagingDirectory: string
}

export interface Lake {
  readonly catalog: Catalog
  /** In the lake's directory, or another one of those that it looks after. @throws MR_LAKE_TABLE_EXISTS, MR_LAKE_SPEC, MR_DEFINE_NAME */
  create(table: CreateTable, directory?: string): Promise<LakeTable>
  /** The table as it is now. @throws MR_LAKE_TABLE_UNKNOWN */
  table(name: string): Promise<LakeTable>
  /** Those that can be read: one whose files are damaged hides no other. */
  tables(): Promise<readonly LakeTable[]>
  /** The table as a pointer has it: what `catalog.progress` answered together with its offsets (PROTOCOL rule 16). */
  at(pointer: TablePointer): Promise<LakeTable>
  /** The metadata of a table as clients of other engines see it. */
  metadata(table: Pick<LakeTable, 'metadataLocation'>): Promise<TableMetadata>
  /** @throws MR_LAKE_METADATA_MISSING when the file is gone, which what is held in memory hides. */
  mustBeStored(location: string): Promise<void>
  /** Removes the table from the catalog; its files become orphans. @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_CONFLICT */
  drop(name: string, options?: DropOptions): Promise<void>
  /** @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_TABLE_EXISTS, MR_LAKE_CONFLICT */
  rename(name: string, to: string, finished?: Finished): Promise<void>
  /** Commits of other engines, see `update-tables.ts`. */
  readonly outside: {
    update(updates: readonly TableUpdate[], finished?: Finished): Promise<readonly LakeTable[]>
    stage(name: string, asked: NewTable & { readonly location?: string | null }): Promise<TableMetadata>
    create(named: Named, metadata: TableMetadata, finished?: Finished): Promise<LakeTable>
    register(named: Named, at: { location: string; overwrite: boolean }, finished?: Finished): Promise<LakeTable>
  }
  readonly views: Views
  /** See `commit.ts`: all changes and `also` in one transaction. */
  commit(changes: readonly TableChange[], also?: CommitAlso): Promise<Committed>
  /**
   * Live files of a snapshot (the current one when absent) that may hold rows matching all terms; columns are named as in
   * `schemaOf(table, snapshot)`.
   */
  files(table: LakeTable, snapshot?: LakeSnapshot | null, prune?: readonly PruneTerm[]): Promise<DataFile[]>
  /** @throws MR_LAKE_SNAPSHOT_UNKNOWN, saying what there is. */
  snapshotAt(table: LakeTable, choice: SnapshotChoice): LakeSnapshot
  /** Keeps a snapshot's files from expiry until the answered function is called. In this process only. */
  pin(table: LakeTable, snapshot: LakeSnapshot): () => void
  /** Data files that can be opened on this machine, until the lease is released. */
  lease(): Lease
  /** Path on this machine of the directory for the table's Parquet files, before their commit. `writeParquet` makes it. */
  dataDirectory(table: LakeTable): string
  /** Names a snapshot, so that it does not expire; a name that exists moves. @throws MR_LAKE_SNAPSHOT_UNKNOWN, MR_LAKE_SPEC */
  setTag(table: string, tag: string, snapshotId: bigint, options?: { readonly maxAgeMs?: number }): Promise<LakeTable>
  removeTag(table: string, tag: string): Promise<LakeTable>
  /** See `branches.ts`. */
  createBranch(table: string, branch: string, options?: BranchRetention & { readonly snapshotId?: bigint }): Promise<LakeTable>
  removeBranch(table: string, branch: string): Promise<LakeTable>
  publish(publications: readonly Publication[]): Promise<readonly LakeTable[]>
  /**
   * Whether the files of each retained snapshot are there and whole, newest first. Works also when the current metadata is
   * damaged: then the newest before it that can be read is gone by. @throws MR_LAKE_CORRUPT when there is none.
   */
  check(name: string): Promise<TableCheck>
  /** See `restore.ts`: the rows of an earlier snapshot again, in a new one. */
  restore(table: string, snapshotId: bigint): Promise<LakeTable>
  /** See `explain-damage.ts`: a damaged file's error with what is still good of the table and the way back. */
  explain(table: string, error: unknown, damaged?: readonly string[]): Promise<unknown>
  /** `olderThanMs` is an age. Files go only after the pointer has moved. */
  expire(table: string, options: ExpireOptions): Promise<Expired>
  /** Removes files older than this age that nothing reaches. */
  removeOrphans(olderThanMs: number): Promise<Removed>
  /** See `rewrite-manifests.ts`; null when there is nothing to gain. */
  rewriteManifests(table: string, options?: Partial<ManifestOptions>): Promise<RewrittenManifests | null>
  /** See `relocation/relocate.ts`: all tables and views of one place are at another. */
  relocate(options: RelocateOptions): Promise<Relocated>
  planCompaction(table: LakeTable, options?: Partial<CompactionOptions>): Promise<readonly CompactionGroup[]>
}

/** Opens the lake in a directory; it is made with its first table. */
export function openLake(options: LakeOptions): Lake {
  const { disk, clock, random, catalog, directory, locations = [] } = options
  const { remote } = options
  const own = [directory, ...(options.formerly ?? [])]
  const roots = [...own, ...locations]
  const store = remote?.store ?? diskStore(disk)
  const files = new MetadataFiles(disk, random, roots, store, options.encrypted?.keys)
  const staging = remote ? new Staging({ disk, store, cache: remote.cache, directory: remote.stagingDirectory }) : null
  const locks = new TableLocks()
  const context: CommitContext = { catalog, files, clock, random, locks, inFlight: new Set(), unsynced: new Set(), roots, staging }
  const pins = new Pins()
  const explained = async <T>(name: string, work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (cause) {
      throw await explainDamage(context, name, cause)
    }
  }
  const at = (pointer: TablePointer) =>
    explained(
      pointer.name,
      baseAt(files, pointer).then(({ table }) => table),
    )
  const listed = (table: LakeTable, snapshot?: LakeSnapshot | null, prune: readonly PruneTerm[] = []) =>
    explained(table.name, listFiles(files, table, snapshot === undefined ? table.current : snapshot, prune))
  return {
    catalog,
    create: (table, place = directory) => createTable(context, place, table),
    table: (name) =>
      explained(
        name,
        loadBase(context, name).then(({ table }) => table),
      ),
    tables: async () =>
      (await Promise.allSettled((await catalog.tables()).map((pointer) => baseAt(files, pointer)))).flatMap((read) =>
        read.status === 'fulfilled' ? [read.value.table] : [],
      ),
    at,
    metadata: ({ metadataLocation }) => files.metadata(metadataLocation),
    mustBeStored: (location) => mustBeStored(files, location),
    drop: (name, how) => dropTable(context, pins, name, how),
    rename: (name, to, finished) => renameTable(context, name, to, finished),
    outside: {
      update: (updates, finished) => updateTables(context, updates, finished),
      stage: (name, asked) => stageTable(context, name, asked),
      create: (named, metadata, finished) => createStaged(context, named, metadata, finished),
      register: (named, at, finished) => registerTable(context, named, at, finished),
    },
    views: openViews(context),
    commit: (changes, also) => commit(context, changes, also),
    files: listed,
    snapshotAt: chooseSnapshot,
    pin: (table, snapshot) => pins.hold(table.name, snapshot.id),
    lease: () => new Lease(remote?.cache ?? null, options.namesIn ?? null, options.encrypted?.unlock ?? null),
    dataDirectory: (table) => {
      const directory = `${toPath(table.location)}/data`
      return staging?.directoryFor(directory) ?? directory
    },
    setTag: (table, tag, snapshotId, { maxAgeMs } = {}) =>
      changeRefs(context, table, (refs, known) => {
        checkRefName(table, tag, 'tag', refs)
        chooseSnapshot(known, { id: snapshotId })
        const age = maxAgeMs === undefined ? {} : { 'max-ref-age-ms': maxAgeMs }
        return { ...refs, [tag]: { 'snapshot-id': snapshotId, type: 'tag', ...age } }
      }),
    removeTag: (table, tag) =>
      changeRefs(context, table, (refs, known) => {
        checkRefName(table, tag, 'tag', refs)
        chooseSnapshot(known, { tag })
        return Object.fromEntries(Object.entries(refs).filter(([name]) => name !== tag))
      }),
    createBranch: (table, branch, how) => createBranch(context, table, branch, how),
    removeBranch: (table, branch) => removeBranch(context, table, branch),
    publish: (publications) => publishBranches(context, publications),
    check: (name) => checkTable(context, pins, name),
    restore: (table, snapshotId) => restoreTable(context, table, snapshotId),
    explain: (table, error, damaged) => explainDamage(context, table, error, damaged),
    expire: (table, expiry) => expireSnapshots(context, pins, table, expiry),
    removeOrphans: async (olderThanMs) => {
      const removed: Removed[] = []
      for (const place of own) removed.push(await removeOrphans(context, place, olderThanMs))
      if (staging) removed.push(await staging.sweep(clock.nowMs() - olderThanMs, (target) => context.inFlight.has(target)))
      const total = (of: (one: Removed) => number): number => removed.reduce((sum, one) => sum + of(one), 0)
      return { files: total((one) => one.files), bytes: total((one) => one.bytes) }
    },
    rewriteManifests: (table, limits) => rewriteManifests(context, table, { ...MANIFESTS, ...limits }),
    relocate: (how) => relocate(context, how),
    planCompaction: async (table, limits) => planCompaction(table, await listed(table), { ...compactionOf(table), ...limits }),
  }
}

async function mustBeStored(files: MetadataFiles, location: string): Promise<void> {
  if (await files.exists(location)) return
  throw new MillraceError('MR_LAKE_METADATA_MISSING', `Failed to open input stream for file: ${location}`, {
    fix: 'restore the file from a backup',
  })
}
