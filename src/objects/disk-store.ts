// Files of this machine's disk as an object store. A file is made under its final name, which fails when that exists, and is
// durable together with its directory entry.
import type { Disk, DiskFile } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'

const CHUNK_BYTES = 4 << 20

const codeOf = (cause: unknown): string | undefined => (cause as NodeJS.ErrnoException | undefined)?.code
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** Errors of the system, in the words of object stores. */
async function named<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') throw new MillraceError('MR_OBJECT_MISSING', `${path} is missing`, { cause })
    if (codeOf(cause) === 'EEXIST') throw new MillraceError('MR_OBJECT_EXISTS', `${path} exists already`, { cause })
    throw cause
  }
}

export function diskStore(disk: Disk): ObjectStore {
  async function* list(directory: string): AsyncIterable<StoredObject> {
    for (const name of await disk.list(directory)) {
      const path = `${directory}/${name}`
      const stat = await disk.stat(path)
      if (stat?.isDirectory) yield* list(path)
      else if (stat) yield { path, sizeBytes: stat.sizeBytes, modifiedMs: stat.modifiedMs }
    }
  }
  const facts = async (path: string) => {
    const stat = await disk.stat(path)
    if (!stat || stat.isDirectory) return undefined
    return { path, sizeBytes: stat.sizeBytes, modifiedMs: stat.modifiedMs, etag: `${stat.sizeBytes}-${stat.modifiedMs}` }
  }
  return {
    async read(path, range) {
      if (!range) return named(path, disk.readFile(path))
      const file = await named(path, disk.open(path, 'read'))
      try {
        return await file.read(range.start, range.length)
      } finally {
        await file.close()
      }
    },
    async stream(path) {
      const file = await named(path, disk.open(path, 'read'))
      const { etag, sizeBytes } = (await facts(path)) ?? { etag: '', sizeBytes: await file.size() }
      return { etag, sizeBytes, chunks: chunksOf(file, sizeBytes) }
    },
    put: (path, content) => named(path, disk.writeNew(path, content)),
    async upload(path, from) {
      const file = await named(path, disk.open(path, 'create'))
      try {
        const sizeBytes = await from.size()
        for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) await file.write([await from.read(at, CHUNK_BYTES)], at)
        await file.sync()
      } finally {
        await file.close()
      }
      await disk.syncDirectory(parentOf(path))
    },
    list,
    stat: facts,
    remove: (path) => disk.remove(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    presign: async () => undefined,
  }
}

async function* chunksOf(file: DiskFile, sizeBytes: number): AsyncIterable<Uint8Array> {
  try {
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) yield await file.read(at, CHUNK_BYTES)
  } finally {
    await file.close()
  }
}
