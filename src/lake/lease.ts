// Data files as the engine can open them: those of an object store by copies in the local cache, which stay there until the
// lease is released. Whatever scans files takes one for as long as its SQL may run.
import { MillraceError } from '../core/errors.ts'
import type { FileCache } from '../objects/file-cache.ts'
import { isRemote } from '../objects/object-store.ts'
import { inParallel } from '../objects/parts.ts'
import type { DataFile } from './types.ts'

const AT_ONCE = 8

export class Lease {
  readonly #cache: FileCache | null
  readonly #releases: (() => void)[] = []

  constructor(cache: FileCache | null) {
    this.#cache = cache
  }

  /** The same files, delete files included, with paths of this machine; `origin` says where they lie. */
  async local(files: readonly DataFile[]): Promise<readonly DataFile[]> {
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
