// The data directory: where everything lives, who holds it, and how other commands find the process that does. The lock is
// one of the operating system, held by SQLite through an open file: it ends with the process, however that ends.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'

/** What a running server writes for the command line, in `<data>/server.json`. */
export interface ServerFile {
  readonly url: string
  readonly pid: number
  readonly ports: Readonly<Record<string, number>>
}

export interface DataDirectory {
  readonly path: string
  readonly log: string
  readonly lake: string
  readonly checkpoints: string
  readonly temp: string
  /** Data files on their way to an object store. Empty at the start. */
  readonly staging: string
  /** Copies of objects. */
  readonly cache: string
  readonly control: string
  /** Data keys, wrapped. */
  readonly keys: string
  announce(server: ServerFile): void
  /** Frees the lock. */
  release(): void
}

/** Data keys, wrapped; replaced as a whole, so that whoever does not hold the directory may read it. */
export const keysFile = (path: string): string => join(path, 'keys.json')

/** Takes the directory for this process. @throws MR_DATA_LOCKED naming the process that has it; MR_DATA_DIRECTORY */
export function takeDataDirectory(path: string): DataDirectory {
  const lock = takeLock(path)
  writeFileSync(join(path, 'holder.pid'), `${process.pid}\n`)
  rmSync(join(path, 'server.json'), { force: true })
  const temp = join(path, 'temp')
  const staging = join(path, 'staging')
  for (const left of [temp, staging]) rmSync(left, { recursive: true, force: true })
  for (const name of ['log', 'lake', 'checkpoints', 'temp']) mkdirSync(join(path, name), { recursive: true })
  return {
    path,
    log: join(path, 'log'),
    lake: join(path, 'lake'),
    checkpoints: join(path, 'checkpoints'),
    temp,
    staging,
    cache: join(path, 'cache'),
    control: join(path, 'control.db'),
    keys: keysFile(path),
    announce: (server) => writeFileSync(join(path, 'server.json'), `${JSON.stringify(server)}\n`),
    release() {
      rmSync(join(path, 'server.json'), { force: true })
      rmSync(join(path, 'holder.pid'), { force: true })
      lock.close()
    },
  }
}

const SQLITE_BUSY = 5

function takeLock(path: string): DatabaseSync {
  let lock: DatabaseSync | undefined
  try {
    mkdirSync(path, { recursive: true })
    lock = new DatabaseSync(join(path, 'lock.db'))
    lock.exec('PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock?.close()
    if ((cause as { errcode?: number }).errcode === SQLITE_BUSY)
      throw new MillraceError('MR_DATA_LOCKED', `${path} is used by process ${readHolder(path) ?? 'unknown'}`, {
        fix: 'use that one, stop it, or choose another directory with --data',
      })
    throw new MillraceError('MR_DATA_DIRECTORY', `${path} cannot be used: ${(cause as Error).message}`, {
      cause,
      fix: 'see that the directory can be written and its disk has room, or choose another with --data',
    })
  }
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(join(path, 'holder.pid'), 'utf8').trim()
  } catch {
    return undefined
  }
}

/** The server that runs on a data directory, if one has announced itself. */
export function findServer(path: string): (ServerFile & { token: string | undefined }) | undefined {
  try {
    const server = JSON.parse(readFileSync(join(path, 'server.json'), 'utf8')) as ServerFile
    return { ...server, token: readToken(path) }
  } catch {
    return undefined
  }
}

/** The administrator's token that `dev` leaves for the command line, mode 0600. */
export function readToken(path: string): string | undefined {
  try {
    return readFileSync(join(path, 'token'), 'utf8').trim()
  } catch {
    return undefined
  }
}

export const writeToken = (path: string, token: string): void => writeFileSync(join(path, 'token'), `${token}\n`, { mode: 0o600 })

/** A secret of this data directory, made once. */
export function secretOf(path: string, name: string): Buffer {
  const file = join(path, `${name}.key`)
  try {
    return readFileSync(file)
  } catch {
    const key = Buffer.from(systemRandom.bytes(32))
    writeFileSync(file, key, { mode: 0o600, flag: 'wx' })
    return key
  }
}
