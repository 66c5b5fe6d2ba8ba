// An object store whose objects are files of a directory: what lies in a bucket can be looked at, and files go through staging and
// the cache as they do with a real one (test/objects/, test/contract/ have those).
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { nodeDisk } from '../../src/core/disk.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import type { ObjectStore } from '../../src/objects/object-store.ts'

export function bucketStore(prefix: string, directory: string): ObjectStore {
  const local = diskStore(nodeDisk)
  const at = (path: string): string => `${directory}/${path.slice(prefix.length)}`
  const made = (path: string): string => {
    mkdirSync(dirname(at(path)), { recursive: true })
    return at(path)
  }
  const back = <T extends { readonly path: string }>(object: T): T => ({
    ...object,
    path: `${prefix}${object.path.slice(directory.length + 1)}`,
  })
  return {
    read: (path, range) => local.read(at(path), range),
    stream: (path) => local.stream(at(path)),
    put: (path, content) => local.put(made(path), content),
    upload: (path, from) => local.upload(made(path), from),
    async *list(path) {
      for await (const object of local.list(at(path))) yield back(object)
    },
    stat: async (path) => {
      const facts = await local.stat(at(path))
      return facts && back(facts)
    },
    remove: (path) => local.remove(at(path)),
    makeDirectory: async () => {},
    presign: async () => undefined,
  }
}
