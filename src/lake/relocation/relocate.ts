// The relocation of a warehouse: every table and view whose metadata lies below one place is below another afterwards, with all
// retained snapshots, tags and branches. Absolute paths stand in metadata, lists, manifests, position deletes and footers of
// Puffin files: those are written anew under new names; data files are copied, or were by somebody else. All pointers move in
// one transaction: a crash leaves the old warehouse or the new one, and what is left of an attempt is orphans.
import { MillraceError } from '../../core/errors.ts'
import { printJson } from '../../core/json.ts'
import { uuidV7 } from '../../core/random.ts'
import { retry } from '../../core/retry.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { isRemote } from '../../objects/object-store.ts'
import { type CommitContext, movePointers, syncDataFiles } from '../commit.ts'
import { readMetadata } from '../format-version.ts'
import { isBelow, parentOf, toPath, toUri } from '../location.ts'
import { DELETED } from '../manifest.ts'
import type { StoredFile } from '../metadata-files.ts'
import type { Staged } from '../stage-change.ts'
import type { TableMetadata } from '../table-metadata.ts'
import { parseView } from '../views/view-metadata.ts'
import { type Move, movedPath, movedUri } from './move.ts'
import { movedPuffin } from './moved-puffin.ts'
import { movedFile, type Row, replaceRows } from './moved-rows.ts'

export interface RelocateOptions extends Move {
  /** False: somebody has copied all files already, and the old place may be gone. */
  readonly copy: boolean
  /** Where checkpoints lie and are to lie, when they are copied too. */
  readonly checkpoints?: Move
  /** Absolute path of a directory on this machine, for what goes from one object store to another. */
  readonly spool: string
  /** Counts only. */
  readonly dryRun?: boolean
  /** Removes the files of the old place once the pointers have moved. */
  readonly removeOld?: boolean
  /** A Parquet file of position deletes with other paths in it: the engine's. */
  readonly rewritePositions: (bytes: Buffer, move: Move) => Promise<Buffer>
  readonly onProgress?: (done: Relocated) => void
}

export interface Relocated {
  readonly tables: number
  readonly views: number
  /** Copied, or found where they were copied to. */
  readonly files: number
  readonly bytes: number
  /** Of `files`, those that an earlier attempt had copied. */
  readonly already: number
  /** Written anew because paths stand in them. */
  readonly rewritten: number
  /** At the old place, after the pointers had moved. */
  readonly removed: number
}

/** Nobody may write to the tables meanwhile. @throws MR_LAKE_CORRUPT when a file is missing; MR_LAKE_CONFLICT when somebody did. */
export async function relocate(context: CommitContext, options: RelocateOptions): Promise<Relocated> {
  const relocation = new Relocation(context, options)
  const { catalog, clock } = context
  const isAffected = ({ location }: { readonly location: string }): boolean => isBelow(toPath(location), options.from)
  const tables = (await catalog.tables()).filter(isAffected)
  const views = (await catalog.views()).filter(isAffected)
  return context.locks.run(
    [...tables, ...views].map(({ name }) => name),
    async () => {
      const staged: Staged[] = []
      for (const { name, location } of tables) staged.push(await relocation.table(name, location))
      const movedViews: { name: string; from: string; to: string }[] = []
      for (const { name, location } of views) movedViews.push({ name, from: location, to: await relocation.view(location) })
      if (options.checkpoints) await relocation.checkpoints(options.checkpoints)
      const done = { ...relocation.done, tables: tables.length, views: views.length }
      if (options.dryRun) return done
      await relocation.settle()
      const moved = options.copy ? options.checkpoints : { from: options.from, to: options.to }
      const outcome = await movePointers(context, staged, { views: movedViews, ...(moved ? { moved } : {}) }, clock.nowMs())
      if (outcome.kind !== 'committed')
        throw new MillraceError('MR_LAKE_CONFLICT', 'a table or view changed while the warehouse was relocated', {
          fix: 'stop whatever writes to it, and repeat the command: files that are copied already are not copied again',
        })
      return { ...done, removed: options.removeOld ? await relocation.removeOld() : 0 }
    },
  )
}

/** The store tries a request again by itself; this is for what breaks off in the middle. */
const DOWNLOAD = { tryMax: 4, waitMs: 200, waitMaxMs: 5_000 }

class Relocation {
  readonly done = { tables: 0, views: 0, files: 0, bytes: 0, already: 0, rewritten: 0, removed: 0 }
  /** Files of the old place that nothing needs once the pointers have moved. */
  readonly #old = new Set<string>()
  readonly #oldCheckpoints: string[] = []
  readonly #context: CommitContext
  readonly #options: RelocateOptions
  readonly #store: ObjectStore
  readonly #moved = new Map<string, Promise<{ uri: string; sizeBytes: number }>>()
  readonly #directories = new Map<string, Promise<void>>()
  /** Of this machine, put there by somebody who may not have synced them. */
  readonly #found = new Set<string>()

  constructor(context: CommitContext, options: RelocateOptions) {
    this.#context = context
    this.#options = options
    this.#store = context.files.store
  }

  async table(name: string, location: string): Promise<Staged> {
    const before = readMetadata((await this.#read(location)).toString(), location)
    for (const entry of before['metadata-log']) this.#isOld(toPath(entry['metadata-file']))
    const snapshots: TableMetadata['snapshots'][number][] = []
    for (const snapshot of before.snapshots) {
      const list = await this.#list(snapshot['manifest-list'], snapshot['snapshot-id'])
      snapshots.push({ ...snapshot, 'manifest-list': list.uri })
    }
    const metadata: TableMetadata = {
      ...before,
      location: this.#uri(before.location),
      properties: this.#properties(before.properties),
      snapshots,
      // Earlier metadata files speak of the old place.
      'metadata-log': [],
      ...(before.statistics ? { statistics: await this.#statistics(before.statistics) } : {}),
      ...(before['partition-statistics'] ? { 'partition-statistics': await this.#statistics(before['partition-statistics']) } : {}),
    }
    this.#isOld(toPath(location))
    if (this.#options.dryRun) return { name, from: location, to: location, metadata, written: [], outdated: [] }
    await this.#makeDirectory(`${toPath(metadata.properties['write.metadata.path'] ?? `${metadata.location}/metadata`)}/x`)
    const to = await this.#context.files.writeMetadata(metadata, location)
    this.done.rewritten++
    return { name, from: location, to, metadata, written: [to], outdated: [] }
  }

  async view(location: string): Promise<string> {
    const before = parseView((await this.#read(location)).toString(), location)
    const view = { ...before, location: this.#uri(before.location), properties: this.#properties(before.properties) }
    this.#isOld(toPath(location))
    if (this.#options.dryRun) return location
    await this.#makeDirectory(`${toPath(view.properties['write.metadata.path'] ?? `${view.location}/metadata`)}/x`)
    this.done.rewritten++
    return this.#context.files.writeView(view, printJson(view), location, this.#context.clock.nowMs())
  }

  /** Whole folders: a checkpoint needs pieces of those before it. */
  async checkpoints({ from, to }: Move): Promise<void> {
    const found = await Array.fromAsync(this.#store.list(from))
    for (const { path, sizeBytes } of found) {
      await this.#bring(path, `${to}${path.slice(from.length)}`, sizeBytes)
      this.#oldCheckpoints.push(path)
    }
  }

  /** Once the pointers have moved. Answers how many went: failing is no error, nothing needs what is left. */
  async removeOld(): Promise<number> {
    let removed = (await this.#context.files.discard(this.#old)).length
    for (const path of this.#oldCheckpoints)
      await this.#store.remove(path).then(
        () => removed++,
        () => {},
      )
    return removed
  }

  /** Makes durable what was found at the new place (PROTOCOL rule 14): a plain copy is not, and the old place may go next. */
  async settle(): Promise<void> {
    const { disk } = this.#context.files
    await syncDataFiles(this.#context, [...this.#found])
    const directories = new Set<string>()
    for (const path of this.#found) {
      directories.add(parentOf(path))
      for (let at = parentOf(path); at === this.#options.to || isBelow(at, this.#options.to); at = parentOf(at)) directories.add(at)
    }
    if (directories.size > 0) directories.add(parentOf(this.#options.to))
    for (const directory of directories) await disk.syncDirectory(directory)
  }

  #list(uri: string, snapshotId: bigint): Promise<{ uri: string; sizeBytes: number }> {
    const name = `snap-${snapshotId}-1-${this.#unique()}.avro`
    return this.#rewrite(toPath(uri), name, (bytes) =>
      this.#rows(bytes, uri, async (row) => {
        const { uri: to, sizeBytes } = await this.#manifest(row['manifest_path'] as string)
        return { ...row, manifest_path: to, manifest_length: sizeBytes }
      }),
    )
  }

  #manifest(uri: string): Promise<{ uri: string; sizeBytes: number }> {
    return this.#rewrite(toPath(uri), `${this.#unique()}-m0.avro`, (bytes) =>
      this.#rows(bytes, uri, async (row) => {
        const file = row['data_file'] as Row
        return { ...row, data_file: row['status'] === DELETED ? movedFile(this.#options, file) : await this.#file(file) }
      }),
    )
  }

  async #file(file: Row): Promise<Row> {
    const [path, sizeBytes] = [toPath(file['file_path'] as string), Number(file['file_size_in_bytes'])]
    const moved = movedFile(this.#options, file)
    if (Number(file['content'] ?? 0) !== 1) {
      await this.#copyOnce(path, sizeBytes)
      return moved
    }
    const isPuffin = String(file['file_format']).toUpperCase() === 'PUFFIN'
    const name = `${this.#unique()}-deletes.${isPuffin ? 'puffin' : 'parquet'}`
    const written = await this.#rewrite(path, name, async (bytes) =>
      isPuffin ? movedPuffin(this.#options, bytes, path) : this.#options.rewritePositions(bytes, this.#options),
    )
    return { ...moved, file_path: written.uri, file_size_in_bytes: written.sizeBytes }
  }

  async #statistics<T extends { readonly 'statistics-path': string }>(all: readonly T[]): Promise<T[]> {
    const moved: T[] = []
    for (const one of all) {
      await this.#copyOnce(toPath(one['statistics-path']), null)
      moved.push({ ...one, 'statistics-path': this.#uri(one['statistics-path']) })
    }
    return moved
  }

  /** Writes a file anew, once however many name it. */
  #rewrite(path: string, name: string, change: (bytes: Buffer) => Promise<Buffer>): Promise<{ uri: string; sizeBytes: number }> {
    const known = this.#moved.get(path)
    if (known) return known
    const work = async () => {
      const { content, scope } = await this.#stored(path)
      const bytes = await change(content)
      const to = `${parentOf(movedPath(this.#options, path))}/${name}`
      this.done.rewritten++
      this.#isOld(path)
      if (!this.#options.dryRun) {
        await this.#makeDirectory(to)
        return { uri: toUri(to), sizeBytes: await this.#context.files.put(to, bytes, scope) }
      }
      return { uri: toUri(to), sizeBytes: bytes.length }
    }
    const made = work()
    this.#moved.set(path, made)
    return made
  }

  async #copyOnce(path: string, sizeBytes: number | null): Promise<void> {
    const known = this.#moved.get(path)
    if (known) return void (await known)
    const work = this.#copy(path, sizeBytes).then((size) => ({ uri: toUri(movedPath(this.#options, path)), sizeBytes: size }))
    this.#moved.set(path, work)
    await work
  }

  /** Answers the size. */
  async #copy(path: string, sizeBytes: number | null): Promise<number> {
    const { copy } = this.#options
    const to = movedPath(this.#options, path)
    const isCopied = copy && to !== path
    const source = await this.#store.stat(isCopied ? path : to)
    if (!source || (sizeBytes !== null && source.sizeBytes !== sizeBytes)) throw missing(copy ? path : to, sizeBytes, source?.sizeBytes)
    if (isCopied) {
      await this.#bring(path, to, source.sizeBytes)
      this.#isOld(path)
    } else {
      this.#count(source.sizeBytes)
      if (!isRemote(to)) this.#found.add(to)
    }
    return source.sizeBytes
  }

  #count(sizeBytes: number): void {
    this.done.files++
    this.done.bytes += sizeBytes
    this.#options.onProgress?.(this.done)
  }

  /** A file to another place, unless an earlier attempt has brought it. */
  async #bring(path: string, to: string, sizeBytes: number): Promise<void> {
    const there = await this.#store.stat(to)
    if (there?.sizeBytes === sizeBytes) {
      this.done.already++
      if (!isRemote(to)) this.#found.add(to)
    } else if (!this.#options.dryRun) await this.#transfer(path, to, sizeBytes)
    this.#count(sizeBytes)
  }

  /** Under its own name a file is whole: a store has it so or not at all, and on this machine it gets its name last. */
  async #transfer(path: string, to: string, sizeBytes: number): Promise<void> {
    const { disk } = this.#context.files
    await this.#makeDirectory(to)
    if (!isRemote(to)) {
      await this.#save(path, `${to}.part`, sizeBytes)
      await disk.rename(`${to}.part`, to)
      return disk.syncDirectory(parentOf(to))
    }
    await this.#store.remove(to)
    const from = isRemote(path) ? `${this.#options.spool}/relocate.part` : path
    if (isRemote(path)) await this.#save(path, from, sizeBytes)
    const file = await disk.open(from, 'read')
    try {
      await this.#store.upload(to, file)
    } finally {
      await file.close()
    }
    if (isRemote(path)) await disk.remove(from)
  }

  /** A copy on this machine, durable but for its name. */
  #save(path: string, to: string, sizeBytes: number): Promise<void> {
    const { clock, random, files } = this.#context
    return retry(clock, random, DOWNLOAD, async () => {
      await files.disk.remove(to)
      const file = await files.disk.open(to, 'create')
      try {
        let at = 0
        for await (const chunk of (await this.#store.stream(path)).chunks) {
          await file.write([chunk], at)
          at += chunk.length
        }
        if (at !== sizeBytes) throw missing(path, sizeBytes, at)
        await file.sync()
      } finally {
        await file.close()
      }
    })
  }

  #rows(bytes: Buffer, name: string, replace: (row: Row) => Promise<Row>): Promise<Buffer> {
    return replaceRows(bytes, name, replace, this.#context.random)
  }

  /** From where it lies now: without copying, that is the new place already. */
  async #read(location: string): Promise<Buffer> {
    return (await this.#stored(toPath(location))).content
  }

  #stored(path: string): Promise<StoredFile> {
    return this.#context.files.stored(this.#options.copy ? path : movedPath(this.#options, path))
  }

  #makeDirectory(path: string): Promise<void> {
    const directory = parentOf(path)
    const known = this.#directories.get(directory) ?? this.#context.files.makeDirectory(directory)
    this.#directories.set(directory, known)
    return known
  }

  // What was written anew stays at the new place under its old name where nothing was copied: also no longer needed.
  #isOld(path: string): void {
    if (this.#options.copy && !isBelow(path, this.#options.from)) return
    this.#old.add(this.#options.copy ? path : movedPath(this.#options, path))
  }

  #properties(all: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(all).map(([key, value]) => [key, this.#uri(value)]))
  }

  #uri(uri: string): string {
    return movedUri(this.#options, uri)
  }

  #unique(): string {
    return uuidV7(this.#context.clock.nowMs(), this.#context.random)
  }
}

const missing = (path: string, expected: number | null, found: number | undefined): MillraceError =>
  new MillraceError('MR_LAKE_CORRUPT', `${path} ${found === undefined ? 'is missing' : `has ${found} bytes instead of ${expected}`}`, {
    fix: 'copy the whole warehouse, or restore the file from a backup; no table was relocated',
  })
