// Data files as the engine can open them: those of an object store by copies in the local cache, which stay there until the
// lease is released. Whatever scans files takes one for as long as its SQL may run.
import { MillraceError } from '../core/errors.ts'
import type { FileCache } from '../objects/file-cache.ts'
import { isRemote } from '../objects/object-store.ts'
import { inParallel } from '../objects/parts.ts'
import type { DataFile, FileField } from './types.ts'

const AT_ONCE = 8

/** What Parquet files of this machine call their columns, by path. */
export type NamesIn = (paths: readonly string[]) => Promise<ReadonlyMap<string, readonly FileField[]>>

/** Encrypted files of this machine with the keys that they are read with, in their order. @throws MR_SEAL_DAMAGED, MR_KEY_UNKNOWN */
export type Unlock = (files: readonly DataFile[]) => Promise<readonly DataFile[]>

export class Lease {
  readonly #cache: FileCache | null
  readonly #namesIn: NamesIn | null
  readonly #unlock: Unlock | null
  readonly #releases: (() => void)[] = []

  constructor(cache: FileCache | null, namesIn: NamesIn | null = null, unlock: Unlock | null = null) {
    this.#cache = cache
    this.#namesIn = namesIn
    this.#unlock = unlock
  }

  /**
   * The same files, delete files included, with paths of this machine; `origin` says where they lie. With `names` where those
   * matter.
   */
  async local(files: readonly DataFile[]): Promise<readonly DataFile[]> {
    const copied = await this.#copied(files)
    return this.#named(await this.#unlocked(copied))
  }

  async #unlocked(files: readonly DataFile[]): Promise<readonly DataFile[]> {
    const sealed = files.filter(({ seal }) => seal)
    if (sealed.length === 0) return files
    if (!this.#unlock) throw new MillraceError('MR_ASSERT', 'cannot be: encrypted files are read in a lake that cannot open them')
    const open = (await this.#unlock(sealed)).values()
    return files.map((file) => (file.seal ? open.next().value! : file))
  }

  async #named(files: readonly DataFile[]): Promise<readonly DataFile[]> {
    const renamed = files.filter(({ isRenamed }) => isRenamed)
    if (renamed.length === 0) return files
    if (!this.#namesIn) throw new MillraceError('MR_ASSERT', 'cannot be: files are read in a lake that cannot read their names')
    const names = await this.#namesIn(renamed.flatMap(({ path, seal }) => (seal ? [] : [path])))
    return files.map((file) => (file.isRenamed ? { ...file, names: file.seal?.names ?? names.get(file.path) ?? [] } : file))
  }

  async #copied(files: readonly DataFile[]): Promise<readonly DataFile[]> {
    const remote = new Set(files.flatMap(pathsOf).filter(isRemote))
    if (remote.size === 0) return files
    const copies = new Map<string, string>()
    await inParallel(
      [...remote],
      async (path) => {
        const held = await this.#mustCache().hold(path)
        this.#releases.push(held.release)
        copies.set(path, held.path)
      },
      AT_ONCE,
    )
    return files.map((file) => localized(file, (path) => copies.get(path) ?? path))
  }

  #mustCache(): FileCache {
    if (this.#cache) return this.#cache
    throw new MillraceError('MR_ASSERT', 'cannot be: a lake without a cache has a file of an object store')
  }

  [Symbol.dispose](): void {
    this.release()
  }

  release(): void {
    for (const release of this.#releases.splice(0)) release()
  }
}

const pathsOf = ({ path, deletes }: DataFile): string[] => [
  path,
  ...(deletes?.positionFiles ?? []),
  ...(deletes?.equality ?? []).map((file) => file.path),
]

function localized(file: DataFile, copyOf: (path: string) => string): DataFile {
  const { path, deletes } = file
  const local = { ...file, path: copyOf(path), origin: path }
  if (!deletes) return local
  const equality = deletes.equality.map((one) => ({ ...one, path: copyOf(one.path) }))
  return { ...local, deletes: { ...deletes, positionFiles: deletes.positionFiles.map(copyOf), equality } }
}

/** Where a file lies, also of one that a lease made local. */
export const originOf = (file: Pick<DataFile, 'path' | 'origin'>): string => file.origin ?? file.path
