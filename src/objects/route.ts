// One store out of several, by where a path leads: absolute paths to the local disk, URIs to the store that serves their bucket.
import { MillraceError } from '../core/errors.ts'
import { isRemote, type ObjectStore } from './object-store.ts'

export interface Served {
  /** What URIs begin with: `s3://bucket/`. */
  readonly prefix: string
  readonly store: ObjectStore
}

/** @throws MR_OBJECT_STORE from every call about a URI that no store serves. */
export function routeStores(local: ObjectStore, remote: readonly Served[]): ObjectStore {
  const of = (path: string): ObjectStore => {
    if (!isRemote(path)) return local
    const found = remote.find(({ prefix }) => `${path}/`.startsWith(prefix))
    if (found) return found.store
    throw new MillraceError('MR_OBJECT_STORE', `no object store is set up for ${path}`, {
      fix: 'give the environment the variables of the lake in which this table was made, or let the project choose that lake again',
    })
  }
  return {
    read: async (path, range) => of(path).read(path, range),
    stream: async (path) => of(path).stream(path),
    put: async (path, content) => of(path).put(path, content),
    upload: async (path, from) => of(path).upload(path, from),
    list: (directory) => of(directory).list(directory),
    stat: async (path) => of(path).stat(path),
    remove: async (path) => of(path).remove(path),
    makeDirectory: async (path) => of(path).makeDirectory(path),
    presign: async (path, seconds) => of(path).presign(path, seconds),
  }
}
