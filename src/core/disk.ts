// The file system, behind one interface, so that log and lake run on a simulated disk that loses un-synced data.
// Paths are absolute. Every call either does all of it or throws; a short write is an error, never a shrug.
import { constants, promises as fs } from 'node:fs'
import { MillraceError } from './errors.ts'

export interface DiskFile {
  readonly path: string
  /** Bytes [position, position + length), fewer only at the end of the file. */
  read(position: number, length: number): Promise<Buffer>
  /** Writes all of `parts` from `position` on. Not durable before `sync`. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>
  /** Makes what was written durable (fdatasync). An error is fatal for the file: never sync it again. */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface Disk {
  /** `create` fails when the file exists; `write` needs it to exist. */
  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile>
  /** The whole file. @throws the system's ENOENT when absent. */
  readFile(path: string): Promise<Buffer>
  /** Writes a new file, durably together with its directory entry. Fails when it exists. */
  writeNew(path: string, content: Uint8Array | string): Promise<void>
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>
  makeDirectory(path: string): Promise<void>
  /** Names in a directory, sorted; empty when it is absent. */
  list(path: string): Promise<string[]>
  /** Undefined when absent. */
  stat(path: string): Promise<{ sizeBytes: number; modifiedMs: number; isDirectory: boolean } | undefined>
  rename(from: string, to: string): Promise<void>
  /** No error when absent. */
  remove(path: string): Promise<void>
}

const isErrno = (error: unknown, code: string): boolean => (error as NodeJS.ErrnoException | undefined)?.code === code

/** True for the errors by which a disk, or what stands on one, says that it has no room. */
export const isDiskFull = (error: unknown): boolean =>
  isErrno(error, 'ENOSPC') || isErrno(error, 'EDQUOT') || isErrno(error, 'MR_DATA_FULL')

async function openNode(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
  const flags = { read: constants.O_RDONLY, write: constants.O_RDWR, create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL }
  const handle = await fs.open(path, flags[mode])
  return {
    path,
    async read(position, length) {
      const buffer = Buffer.allocUnsafe(length)
      let done = 0
      while (done < length) {
        const { bytesRead } = await handle.read(buffer, done, length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return buffer.subarray(0, done)
    },
    async write(parts, position) {
      const total = parts.reduce((sum, part) => sum + part.byteLength, 0)
      const { bytesWritten } = await handle.writev(parts as Uint8Array[], position)
      if (bytesWritten === total) return
      // A short write: go on with what is left, so that the reason (no space, say) surfaces as an error.
      const rest = Buffer.concat(parts).subarray(bytesWritten)
      for (let done = 0; done < rest.length; ) {
        const again = await handle.write(rest, done, rest.length - done, position + bytesWritten + done)
        if (again.bytesWritten === 0) throw new MillraceError('MR_DATA_FULL', `${path}: the disk took no more bytes`)
        done += again.bytesWritten
      }
    },
    sync: () => handle.datasync(),
    truncate: (sizeBytes) => handle.truncate(sizeBytes),
    size: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}

async function syncPath(path: string, flags: number): Promise<void> {
  const handle = await fs.open(path, flags)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

/** The machine's own file system. */
export const nodeDisk: Disk = {
  open: openNode,
  readFile: (path) => fs.readFile(path),
  async writeNew(path, content) {
    const file = await openNode(path, 'create')
    try {
      await file.write([typeof content === 'string' ? Buffer.from(content) : content], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await nodeDisk.syncDirectory(parentOf(path))
  },
  syncDirectory: (path) => syncPath(path, constants.O_RDONLY),
  async makeDirectory(path) {
    const first = await fs.mkdir(path, { recursive: true })
    // Every new level is an entry of the one above it.
    for (let made = path; first && made.length >= first.length; made = parentOf(made)) await nodeDisk.syncDirectory(parentOf(made))
  },
  async list(path) {
    try {
      return (await fs.readdir(path)).sort()
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return []
      throw error
    }
  },
  async stat(path) {
    try {
      const stat = await fs.stat(path)
      return { sizeBytes: stat.size, modifiedMs: stat.mtimeMs, isDirectory: stat.isDirectory() }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.rm(path, { force: true }),
}
