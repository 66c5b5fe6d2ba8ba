// Data files on their way to an object store. The engine writes only to this machine's disk: a table that lies elsewhere has a
// directory here, of which every file has one place there. The commit uploads files before its transaction (PROTOCOL rule 14);
// then they become the first copies in the cache. What a crash leaves here is nothing, what it leaves there an orphan.
import type { Disk } from '../core/disk.ts'
import { diskStore } from '../objects/disk-store.ts'
import type { FileCache } from '../objects/file-cache.ts'
import { isRemote, type ObjectStore } from '../objects/object-store.ts'
import { inParallel } from '../objects/parts.ts'
import { isBelow } from './location.ts'
import type { DataFile } from './types.ts'

export interface StagingParts {
  readonly disk: Disk
  readonly store: ObjectStore
  readonly cache: FileCache
  /** Absolute path; empty at the start of the process. */
  readonly directory: string
}

export class Staging {
  readonly #parts: StagingParts
  /** Files that were uploaded and whose commit is not known to have succeeded: an attempt that is repeated uploads none twice. */
  readonly #uploaded = new Set<string>()

  constructor(parts: StagingParts) {
    this.#parts = parts
  }

  /** Where the engine writes what belongs into `directory`: `s3://lake/orders/data` is `<staging>/s3/lake/orders/data`. */
  directoryFor(directory: string): string {
    return isRemote(directory) ? `${this.#parts.directory}/${directory.replace('://', '/')}` : directory
  }

  /**
   * Where a staged file goes; null for other files. Directories of partitions are left out: they are not needed there, and
   * their names hold values of users.
   */
  targetOf(path: string): string | null {
    const { directory } = this.#parts
    if (!isBelow(path, directory)) return null
    const [scheme, ...rest] = path.slice(directory.length + 1).split('/')
    return `${scheme}://${rest.filter((part, i) => i === rest.length - 1 || !/^__\w+=/.test(part)).join('/')}`
  }

  /** The files with the places that they go to. */
  placed<F extends Pick<DataFile, 'path'>>(files: readonly F[]): F[] {
    return files.map((file) => ({ ...file, path: this.targetOf(file.path) ?? file.path }))
  }

  /** Uploads staged files; durable when it resolves. */
  async upload(files: readonly Pick<DataFile, 'path'>[]): Promise<void> {
    const { disk, store } = this.#parts
    await inParallel(files, async ({ path }) => {
      const target = this.targetOf(path)
      if (target === null || this.#uploaded.has(target)) return
      const file = await disk.open(path, 'read')
      try {
        await store.upload(target, file)
      } finally {
        await file.close()
      }
      this.#uploaded.add(target)
    })
  }

  /** Removes what was written before `beforeMs` and belongs to no commit on its way: the files of commits that lost. */
  async sweep(beforeMs: number, isOnItsWay: (target: string) => boolean): Promise<{ readonly files: number; readonly bytes: number }> {
    const { disk, directory } = this.#parts
    const local = diskStore(disk)
    let [files, bytes] = [0, 0]
    for await (const { path, modifiedMs, sizeBytes } of local.list(directory)) {
      const target = this.targetOf(path)
      if (target === null || modifiedMs >= beforeMs || isOnItsWay(target)) continue
      await local.remove(path)
      this.#uploaded.delete(target)
      files++
      bytes += sizeBytes
    }
    return { files, bytes }
  }

  /** After their commit: the local files are copies of what is there now. Failing costs a download, no more. */
  async settle(files: readonly Pick<DataFile, 'path'>[]): Promise<void> {
    for (const { path } of files) {
      const target = this.targetOf(path)
      if (target === null) continue
      this.#uploaded.delete(target)
      await this.#parts.cache.adopt(target, path).catch(() => {})
    }
  }
}
