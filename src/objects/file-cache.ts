// Copies of immutable objects on the local disk, so that the engine opens plain files. An entry's name holds what it is a copy
// of, the object's etag and the checksum of the bytes: what was cut or garbled on the disk is noticed and read again. Least
// recently used copies go when there are more bytes than allowed, but none that somebody holds.
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import { retry } from '../core/retry.ts'
import type { ObjectStore } from './object-store.ts'

export interface FileCacheOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly store: ObjectStore
  readonly directory: string
  readonly sizeMaxBytes: number
}

/** Since the start, and the bytes that there are now. */
export interface CacheFigures {
  readonly hits: number
  readonly misses: number
  readonly readBytes: number
  readonly evicted: number
  /** Copies that were found damaged. */
  readonly damaged: number
  readonly sizeBytes: number
}

export interface Held {
  /** Absolute path of the copy; it stays until `release`. */
  readonly path: string
  release(): void
}

interface Entry {
  readonly file: string
  readonly sha256: string
  readonly sizeBytes: number
  /** Of the file when its bytes were last known to be right; null = not since the start. */
  checked: { readonly sizeBytes: number; readonly modifiedMs: number } | null
}

const DIGITS = 32
const nameOf = (path: string): string => createHash('sha256').update(path).digest('hex').slice(0, DIGITS)
const NAME = /^([0-9a-f]{32})-([0-9a-f]{8})-([0-9a-f]{64})$/
const CHUNK_BYTES = 4 << 20
const DOWNLOAD = { tryMax: 4, waitMs: 200, waitMaxMs: 5_000 }

export class FileCache {
  readonly #options: FileCacheOptions
  /** By `nameOf`, the least recently used first. */
  readonly #entries = new Map<string, Entry>()
  readonly #holds = new Map<string, number>()
  readonly #loading = new Map<string, Promise<void>>()
  #sizeBytes = 0
  #figures = { hits: 0, misses: 0, readBytes: 0, evicted: 0, damaged: 0 }

  private constructor(options: FileCacheOptions) {
    this.#options = options
  }

  /** Opens the cache with what an earlier process left; unfinished downloads go. */
  static async open(options: FileCacheOptions): Promise<FileCache> {
    const { disk, directory } = options
    const cache = new FileCache(options)
    await disk.makeDirectory(directory)
    const found: (Entry & { name: string; modifiedMs: number })[] = []
    for (const file of await disk.list(directory)) {
      const stat = await disk.stat(`${directory}/${file}`)
      const match = NAME.exec(file)
      if (!match) await disk.remove(`${directory}/${file}`)
      else if (stat) found.push({ name: match[1]!, file, sha256: match[3]!, checked: null, ...stat })
    }
    for (const { name, ...entry } of found.sort((a, b) => a.modifiedMs - b.modifiedMs)) cache.#keep(name, entry)
    await cache.#shrink()
    return cache
  }

  get figures(): CacheFigures {
    return { ...this.#figures, sizeBytes: this.#sizeBytes }
  }

  /** A copy of the object, made when there is none. @throws what the store throws; MR_DATA_FULL */
  async hold(path: string): Promise<Held> {
    const name = nameOf(path)
    this.#holds.set(name, (this.#holds.get(name) ?? 0) + 1)
    let isHeld = true
    const release = (): void => {
      if (!isHeld) return
      isHeld = false
      const left = this.#holds.get(name)! - 1
      if (left > 0) this.#holds.set(name, left)
      else this.#holds.delete(name)
      if (this.#sizeBytes > this.#options.sizeMaxBytes) void this.#shrink()
    }
    try {
      const known = this.#entries.get(name)
      if (known && (await this.#isWhole(name, known))) this.#figures.hits++
      else {
        this.#figures.misses++
        if (!this.#entries.has(name)) await this.#loaded(name, path)
      }
      const entry = this.#entries.get(name)!
      this.#entries.delete(name)
      this.#entries.set(name, entry)
      return { path: this.#fileOf(entry), release }
    } catch (error) {
      release()
      throw error
    }
  }

  /** Takes a file of this machine as the copy of an object that has just been made from it. */
  async adopt(path: string, from: string): Promise<void> {
    const { disk, store } = this.#options
    const name = nameOf(path)
    const facts = await store.stat(path)
    if (!facts || this.#entries.has(name)) return disk.remove(from)
    await this.#publish(name, facts.etag, from, await this.#sum(from))
  }

  /** Drops the copy of an object that is gone, or is thought to be damaged. */
  async forget(path: string): Promise<void> {
    const name = nameOf(path)
    const entry = this.#entries.get(name)
    if (entry && !this.#holds.has(name)) await this.#drop(name, entry)
  }

  #fileOf = (entry: Entry): string => `${this.#options.directory}/${entry.file}`

  #loaded(name: string, path: string): Promise<void> {
    const loading =
      this.#loading.get(name) ??
      this.#load(name, path).finally(() => {
        this.#loading.delete(name)
      })
    this.#loading.set(name, loading)
    return loading
  }

  async #load(name: string, path: string): Promise<void> {
    const { clock, random, directory, disk } = this.#options
    const target = `${directory}/${uuidV7(clock.nowMs(), random)}.tmp`
    try {
      const { etag, sha256 } = await retry(clock, random, DOWNLOAD, () => this.#download(path, target))
      await this.#publish(name, etag, target, sha256)
    } catch (error) {
      await disk.remove(target).catch(() => {})
      throw error
    }
    await this.#shrink()
  }

  async #download(path: string, target: string): Promise<{ etag: string; sha256: string }> {
    const { disk, store } = this.#options
    await disk.remove(target)
    const { etag, chunks } = await store.stream(path)
    const file = await disk.open(target, 'create')
    const hash = createHash('sha256')
    try {
      let at = 0
      for await (const chunk of chunks) {
        hash.update(chunk)
        await file.write([chunk], at)
        at += chunk.byteLength
      }
      this.#figures.readBytes += at
    } finally {
      await file.close()
    }
    return { etag, sha256: hash.digest('hex') }
  }

  /** Not synced: what a power cut damages is noticed by its checksum. */
  async #publish(name: string, etag: string, from: string, sha256: string): Promise<void> {
    const { disk, directory } = this.#options
    const file = `${name}-${createHash('sha256').update(etag).digest('hex').slice(0, 8)}-${sha256}`
    // Whoever was faster has made the same copy, which may be held.
    if (this.#entries.has(name)) return disk.remove(from)
    await disk.rename(from, `${directory}/${file}`)
    const stat = await disk.stat(`${directory}/${file}`)
    if (!stat) throw new MillraceError('MR_DATA_DIRECTORY', `${directory}/${file} went away while it was written`)
    this.#keep(name, { file, sha256, sizeBytes: stat.sizeBytes, checked: stat })
  }

  async #isWhole(name: string, entry: Entry): Promise<boolean> {
    const stat = await this.#options.disk.stat(this.#fileOf(entry))
    const { checked } = entry
    if (stat && checked && stat.modifiedMs === checked.modifiedMs && stat.sizeBytes === checked.sizeBytes) return true
    if (stat && (await this.#sum(this.#fileOf(entry))) === entry.sha256) {
      entry.checked = stat
      return true
    }
    this.#figures.damaged++
    await this.#drop(name, entry)
    return false
  }

  async #sum(path: string): Promise<string> {
    const hash = createHash('sha256')
    const file = await this.#options.disk.open(path, 'read')
    try {
      for (let at = 0; ; at += CHUNK_BYTES) {
        const chunk = await file.read(at, CHUNK_BYTES)
        hash.update(chunk)
        if (chunk.length < CHUNK_BYTES) return hash.digest('hex')
      }
    } finally {
      await file.close()
    }
  }

  #keep(name: string, entry: Entry): void {
    this.#entries.set(name, entry)
    this.#sizeBytes += entry.sizeBytes
  }

  async #drop(name: string, entry: Entry): Promise<void> {
    // Two readers may have found the same damage.
    if (this.#entries.get(name) !== entry) return
    this.#entries.delete(name)
    this.#sizeBytes -= entry.sizeBytes
    await this.#options.disk.remove(this.#fileOf(entry))
  }

  async #shrink(): Promise<void> {
    for (const [name, entry] of this.#entries) {
      if (this.#sizeBytes <= this.#options.sizeMaxBytes) return
      if (this.#holds.has(name)) continue
      this.#figures.evicted++
      await this.#drop(name, entry)
    }
  }
}
