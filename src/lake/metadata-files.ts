// Reads and writes the immutable files of tables: metadata, manifest lists, manifests. Decoded ones stay in memory. What
// it writes is durable when it resolves, and visible to nobody until a pointer names it (`commit.ts`).
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import { diskStore } from '../objects/disk-store.ts'
import { isRemote, type ObjectStore } from '../objects/object-store.ts'
import { inParallel } from '../objects/parts.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import { damaged, isSealed, openFile, sealFile } from '../objects/seal/sealed.ts'
import { type DeleteFile, readDeleteManifest, writeDeleteManifest } from './deletes/delete-manifest.ts'
import { readDeletionVector } from './deletes/deletion-vector.ts'
import { type Placed, writePuffin } from './deletes/puffin.ts'
import { scopeOf } from './encrypted.ts'
import { readMetadata } from './format-version.ts'
import { ImmutableCache } from './immutable-cache.ts'
import { isBelow, numberOfMetadata, parentOf, toPath } from './location.ts'
import {
  type Entry,
  inheritRowIds,
  type ManifestContext,
  type ManifestEntry,
  readManifest,
  type WriteContext,
  writeManifest,
} from './manifest.ts'
import { assignRowIds, describeManifest, holdsData, type ManifestFile, readManifestList, writeManifestList } from './manifest-list.ts'
import { partitionTypes } from './partition-spec.ts'
import { printMetadata, type TableMetadata } from './table-metadata.ts'
import type { DataFile, DeletedRows, LakeTable } from './types.ts'

/** Data files held decoded over all manifests; about 1 kB each. */
const ENTRIES_MAX = 300_000
/** Positions of deletion vectors held decoded, 8 bytes each. */
const POSITIONS_MAX = 4_000_000
const METADATA_MAX = 500
const LISTED_MAX = 200_000

const REMOVE_AT_ONCE = 16

export interface SnapshotNumbers {
  readonly id: bigint
  readonly parentId: bigint | null
  readonly sequence: number
}

/** What manifests are written and read by. */
type Described = Pick<LakeTable, 'schema' | 'schemas' | 'specs' | 'properties'>
type Target = Described & Pick<LakeTable, 'location' | 'formatVersion'>

interface NewManifest<E> {
  readonly table: Target
  readonly specId: number
  readonly content: 0 | 1
  readonly write: (entries: readonly E[], context: WriteContext, random: Random) => Buffer
}

/** A list as it was written; `nextRowId` is null before version 3. */
export interface WrittenList {
  readonly uri: string
  readonly nextRowId: number | null
}

interface Located {
  readonly location: string
  readonly properties: Readonly<Record<string, string>>
}

/** What a file holds, and how it lies where it is. */
export interface StoredFile {
  readonly content: Buffer
  readonly sizeBytes: number
  /** Whose keys it is sealed with; null for a file in the clear. */
  readonly scope: string | null
}

/** The URI of the directory that metadata files of a table or view are written to. */
export const metadataDirectory = ({ location, properties }: Located): string =>
  properties['write.metadata.path']?.replace(/\/+$/, '') ?? `${location}/metadata`

export class MetadataFiles {
  /** This machine's; `store` serves every place, this machine's among them. */
  readonly disk: Disk
  readonly store: ObjectStore
  readonly #random: Random
  readonly #roots: readonly string[]
  readonly #keys: KeyRing | null
  readonly #metadata = new ImmutableCache<TableMetadata>(METADATA_MAX, () => 1)
  readonly #lists = new ImmutableCache<readonly ManifestFile[]>(LISTED_MAX, (list) => 1 + list.length)
  readonly #manifests = new ImmutableCache<readonly ManifestEntry[]>(ENTRIES_MAX, (entries) => 1 + entries.length)
  readonly #deleteManifests = new ImmutableCache<readonly Entry<DeleteFile>[]>(ENTRIES_MAX, (entries) => 1 + entries.length)
  readonly #withRowIds = new WeakMap<readonly ManifestEntry[], { readonly first: number; readonly entries: readonly ManifestEntry[] }>()
  readonly #vectors = new ImmutableCache<Float64Array>(POSITIONS_MAX, (positions) => 1 + positions.length)

  /** Nothing is ever removed outside of `roots`. */
  constructor(
    disk: Disk,
    random: Random,
    roots: readonly string[] = [],
    store: ObjectStore = diskStore(disk),
    keys: KeyRing | null = null,
  ) {
    this.disk = disk
    this.store = store
    this.#random = random
    this.#roots = roots
    this.#keys = keys
  }

  /** The same files with nothing of them in memory; removes none. */
  fresh(): MetadataFiles {
    return new MetadataFiles(this.disk, this.#random, [], this.store, this.#keys)
  }

  /** @throws MR_LAKE_CORRUPT when it is missing or damaged; MR_LAKE_VERSION for a format that is not read. */
  metadata(location: string): Promise<TableMetadata> {
    return this.#metadata.get(location, async () => readMetadata((await this.read(location)).toString(), location))
  }

  /** The manifests of a snapshot, of data and of delete files. */
  list(location: string): Promise<readonly ManifestFile[]> {
    return this.#lists.get(location, async () => readManifestList(await this.read(location), location))
  }

  /** The files of a manifest of data files, deleted ones included. */
  async entries(manifest: ManifestFile, table: Described): Promise<readonly ManifestEntry[]> {
    const entries = await this.#manifests.get(inListOf(manifest), async () =>
      readManifest(await this.#readWhole(manifest, table), manifest, contextOf(table, manifest.specId)),
    )
    const first = manifest.firstRowId
    if (first === null) return entries
    // What a manifest inherits is in its list: one of before version 3 gets row ids later than it was written.
    const known = this.#withRowIds.get(entries)
    if (known?.first === first) return known.entries
    const inherited = inheritRowIds(entries, first)
    this.#withRowIds.set(entries, { first, entries: inherited })
    return inherited
  }

  /** The files of a manifest of delete files, removed ones included. */
  deleteEntries(manifest: ManifestFile, table: Described): Promise<readonly Entry<DeleteFile>[]> {
    return this.#deleteManifests.get(inListOf(manifest), async () =>
      readDeleteManifest(await this.#readWhole(manifest, table), manifest, contextOf(table, manifest.specId)),
    )
  }

  /** The positions of a deletion vector. @throws MR_LAKE_CORRUPT when it is missing or damaged. */
  vector(file: DeleteFile): Promise<Float64Array> {
    const { path, offset, lengthBytes, rows } = file
    return this.#vectors.get(`${path} ${offset}`, async () =>
      readDeletionVector((await this.read(path)).subarray(offset, offset + lengthBytes), rows, path),
    )
  }

  /** The files that a manifest names, of either kind, removed ones included. */
  async namedBy(
    manifest: ManifestFile,
    table: Described,
  ): Promise<readonly Entry<{ readonly path: string; readonly sizeBytes: number }>[]> {
    return holdsData(manifest) ? this.entries(manifest, table) : this.deleteEntries(manifest, table)
  }

  // Cut at the end of a block it would still be a whole Avro file, with fewer entries.
  async #readWhole({ path, sizeBytes }: ManifestFile, table: Described): Promise<Buffer> {
    const stored = await this.stored(path)
    if (stored.sizeBytes !== sizeBytes)
      throw new MillraceError('MR_LAKE_CORRUPT', `${path} has ${stored.sizeBytes} bytes instead of ${sizeBytes}`, {
        fix: 'restore the file from a backup, or read an earlier snapshot',
      })
    if (stored.scope === null && scopeOf(table) !== null) throw damaged(path, 'is not encrypted, and all of its table is')
    return stored.content
  }

  /** What the file holds, sealed or not. @throws MR_LAKE_CORRUPT when it is missing; MR_SEAL_DAMAGED, MR_KEY_UNKNOWN */
  async read(location: string): Promise<Buffer> {
    return (await this.stored(location)).content
  }

  /** As `read`, with how the file lies there. */
  async stored(location: string): Promise<StoredFile> {
    const bytes = await this.#bytesOf(location)
    if (!isSealed(bytes)) return { content: bytes, sizeBytes: bytes.length, scope: null }
    if (!this.#keys) throw new MillraceError('MR_KEY_MISSING', `${location} is encrypted, and nothing is opened here`)
    return { ...openFile(this.#keys, nameOf(location), bytes), sizeBytes: bytes.length }
  }

  /** Writes a file, sealed for `scope` unless that is null; durable when it resolves. Answers the bytes that it has there. */
  async put(path: string, content: Buffer, scope: string | null): Promise<number> {
    if (scope !== null && !this.#keys) throw new MillraceError('MR_KEY_MISSING', `${path} is to be encrypted, and there are no keys here`)
    const bytes = scope === null ? content : sealFile(await this.#keys!.forWriting(scope), nameOf(path), content, this.#random)
    await this.store.put(path, bytes)
    return bytes.length
  }

  async #bytesOf(location: string): Promise<Buffer> {
    try {
      return await this.store.read(toPath(location))
    } catch (cause) {
      if (!(cause instanceof MillraceError) || cause.code !== 'MR_OBJECT_MISSING') throw cause
      throw new MillraceError('MR_LAKE_CORRUPT', `${location} is missing`, {
        fix: 'when its snapshot has just expired read a newer one, otherwise restore the file from a backup',
        cause,
      })
    }
  }

  /**
   * Makes a directory and those above it, durably. Also those that are there already: an attempt that died may have made
   * them and not synced them.
   */
  async makeDirectory(path: string): Promise<void> {
    await this.store.makeDirectory(path)
    if (isRemote(path)) return
    for (let at = path; at !== ''; at = parentOf(at)) await syncIfAllowed(this.disk, parentOf(at) || '/')
  }

  /** Writes entries of one spec as a new manifest of a snapshot. */
  async writeManifest(
    entries: readonly ManifestEntry[],
    table: Target,
    specId: number,
    snapshot: SnapshotNumbers,
    nowMs: number,
  ): Promise<ManifestFile> {
    const made = await this.#putManifest(entries, { table, specId, content: 0, write: writeManifest }, snapshot, nowMs)
    this.#manifests.put(inListOf(made), entries)
    return made
  }

  /** The same for delete files. */
  async writeDeleteManifest(
    entries: readonly Entry<DeleteFile>[],
    table: Target,
    specId: number,
    snapshot: SnapshotNumbers,
    nowMs: number,
  ): Promise<ManifestFile> {
    const made = await this.#putManifest(entries, { table, specId, content: 1, write: writeDeleteManifest }, snapshot, nowMs)
    this.#deleteManifests.put(inListOf(made), entries)
    return made
  }

  async #putManifest<E extends Entry<Pick<DataFile, 'rows' | 'partition'>>>(
    entries: readonly E[],
    { table, specId, content, write }: NewManifest<E>,
    snapshot: SnapshotNumbers,
    nowMs: number,
  ): Promise<ManifestFile> {
    const context = { ...contextOf(table, specId), formatVersion: table.formatVersion }
    const { spec, schemas } = context
    const path = `${toPath(table.location)}/metadata/${uuidV7(nowMs, this.#random)}-m0.avro`
    const bytes = write(entries, context, this.#random)
    const sizeBytes = await this.put(path, bytes, scopeOf(table))
    const written = { path, sizeBytes, specId, content, sequence: snapshot.sequence, snapshotId: snapshot.id }
    return describeManifest(entries, written, { names: spec.fields.map((field) => field.name), types: partitionTypes(spec, schemas) })
  }

  /** Writes deletion vectors as one Puffin file; answers its path, size and where they lie in it. */
  async writeVectors(
    vectors: readonly DeletedRows[],
    table: Target,
    nowMs: number,
  ): Promise<{ path: string; sizeBytes: number; placed: readonly Placed[] }> {
    const path = `${toPath(table.location)}/data/${uuidV7(nowMs, this.#random)}-deletes.puffin`
    const { bytes, placed } = writePuffin(vectors)
    const sizeBytes = await this.put(path, bytes, scopeOf(table))
    for (const { offset, positions } of placed) this.#vectors.put(`${path} ${offset}`, positions)
    return { path, sizeBytes, placed }
  }

  /** `nextRowId`: of the table before the snapshot, in version 3; its manifests get row ids counted on from there. */
  async writeList(
    manifests: readonly ManifestFile[],
    table: Located,
    snapshot: SnapshotNumbers,
    nowMs: number,
    nextRowId: number | null = null,
  ): Promise<WrittenList> {
    const uri = `${table.location}/metadata/snap-${snapshot.id}-1-${uuidV7(nowMs, this.#random)}.avro`
    const assigned = nextRowId === null ? { manifests, nextRowId } : assignRowIds(manifests, nextRowId)
    await this.put(toPath(uri), writeManifestList(assigned.manifests, snapshot, this.#random, nextRowId), scopeOf(table))
    this.#lists.put(uri, assigned.manifests)
    return { uri, nextRowId: assigned.nextRowId }
  }

  /** Answers the metadata's URI: its name begins with a number one above that of the metadata before it. */
  async writeMetadata(metadata: TableMetadata, before: string | null): Promise<string> {
    const uri = this.#nextUri(metadata, before, metadata['last-updated-ms'])
    await this.put(toPath(uri), Buffer.from(printMetadata(metadata)), scopeOf(metadata))
    this.#metadata.put(uri, metadata)
    return uri
  }

  /** The same for a view, whose metadata this does not read. */
  async writeView(view: Located, text: string, before: string | null, nowMs: number): Promise<string> {
    const uri = this.#nextUri(view, before, nowMs)
    await this.store.put(toPath(uri), Buffer.from(text))
    return uri
  }

  #nextUri(located: Located, before: string | null, nowMs: number): string {
    const number = before === null ? 0 : numberOfMetadata(before) + 1
    return `${metadataDirectory(located)}/${String(number).padStart(5, '0')}-${uuidV7(nowMs, this.#random)}.metadata.json`
  }

  /** Whether a file is there now, whatever is held in memory. */
  async exists(location: string): Promise<boolean> {
    return (await this.store.stat(toPath(location))) !== undefined
  }

  /** Removes files that no pointer reaches. Answers those that went: failing is no error, what is left is an orphan. */
  async discard(locations: Iterable<string>): Promise<string[]> {
    const paths = [...locations]
    const removed = await inParallel(paths, (location) => this.#discard(location), paths.some(isRemote) ? REMOVE_AT_ONCE : 1)
    return paths.filter((_, index) => removed[index])
  }

  async #discard(location: string): Promise<boolean> {
    // Names of files come from other writers too: a path that leads elsewhere is not ours to remove.
    if (!this.#roots.some((root) => isBelow(toPath(location), root))) return false
    this.#metadata.delete(location)
    this.#lists.delete(location)
    // Manifests leave the cache by themselves, when others need the room.
    try {
      await this.store.remove(toPath(location))
      return true
    } catch {
      // Stays until the next removal of orphans.
      return false
    }
  }
}

// A directory that may not be read was not made by us.
async function syncIfAllowed(disk: Disk, directory: string): Promise<void> {
  try {
    await disk.syncDirectory(directory)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
  }
}

const nameOf = (location: string): string => location.slice(location.lastIndexOf('/') + 1)

/** What a manifest adds has the sequence number that its list says: a commit that follows others has it in another list. */
const inListOf = ({ path, sequence }: Pick<ManifestFile, 'path' | 'sequence'>): string => `${path} ${sequence}`

function contextOf(table: Described, specId: number): ManifestContext {
  const spec = table.specs.find((other) => other.id === specId)
  if (!spec) throw new MillraceError('MR_LAKE_CORRUPT', `a manifest has the partition spec ${specId}, which its table does not`)
  return { schema: table.schema, schemas: table.schemas, spec }
}
