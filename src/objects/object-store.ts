// What the lake needs of immutable files, wherever they lie: this machine's disk, S3, Azure Blob, Google Cloud Storage, HDFS.
// Places are absolute paths, or URIs (`s3://bucket/key`) taken as they stand, without percent-encoding. A file is written once,
// under a name that nobody used before, and never changed; what makes it visible is the catalog's pointer, not the store.
import type { DiskFile } from '../core/disk.ts'

export interface StoredObject {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

export interface ObjectFacts extends StoredObject {
  /** Changes with the content. */
  readonly etag: string
}

export interface ObjectStream {
  readonly etag: string
  readonly sizeBytes: number
  /** All bytes, or an error. @throws MR_OBJECT_BUSY when the connection breaks: begin again. */
  readonly chunks: AsyncIterable<Uint8Array>
}

export interface Range {
  readonly start: number
  readonly length: number
}

/**
 * Every call does all of it or throws. Errors: MR_OBJECT_MISSING, MR_OBJECT_EXISTS, MR_OBJECT_DENIED, MR_OBJECT_BUCKET, and
 * MR_OBJECT_BUSY once the store's own retries are used up.
 */
export interface ObjectStore {
  /** The whole file, or the bytes of a range: fewer where the file ends. @throws MR_OBJECT_MISSING */
  read(path: string, range?: Range): Promise<Buffer>
  stream(path: string): Promise<ObjectStream>
  /**
   * A new file, durable when it resolves. Of several writers of one path one succeeds; a repetition after a lost answer does
   * not count as another writer. @throws MR_OBJECT_EXISTS
   */
  put(path: string, content: Uint8Array): Promise<void>
  /** The same from a file of this machine, in parts when it is large. */
  upload(path: string, from: Pick<DiskFile, 'size' | 'read'>): Promise<void>
  /** Files below a directory, at any depth; none when it is absent. In no order. */
  list(directory: string): AsyncIterable<StoredObject>
  stat(path: string): Promise<ObjectFacts | undefined>
  /** No error when absent. */
  remove(path: string): Promise<void>
  /** Makes a place for files, durably; nothing to do where there are no directories. */
  makeDirectory(path: string): Promise<void>
  /** A URL by which whoever has it may read the file for that long; undefined where the store cannot. */
  presign(path: string, seconds: number): Promise<string | undefined>
}

/** Whether a place is in an object store rather than on this machine's disk. */
export const isRemote = (path: string): boolean => path.includes('://') && !path.startsWith('file:')

/** Names relative to a directory. */
export const below = (directory: string): string => (directory.endsWith('/') ? directory : `${directory}/`)
