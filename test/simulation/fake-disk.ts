// A disk in memory that behaves as badly as POSIX allows, for simulations of whatever stands on `Disk` (log, lake, commit).
//   crash()   power loss: each change that no sync covered is kept, lost or torn at 512 bytes, whatever the seed decides;
//             names not covered by a directory sync may be missing, or back, each on its own and in any order
//   kill()    death of the process only: everything that was written is still there, though not yet durable
//   crashAt   the end comes at the Nth call from now, in the midst of it: every await on I/O is a possible crash point.
//             Whether power was lost or the process died is told afterwards, by crash() or kill()
//   failAt    the Nth call from now fails with EIO or ENOSPC, or a write is cut short. After a failed sync the changes
//             it covered are visible but can never become durable ("fsyncgate"), even if a later sync succeeds; names
//             are not lost that way, since file systems keep them in a journal
// A crashed or killed disk answers every further call with SimulatedCrash; the survivor is a new FakeDisk, so that what
// still runs of the old process cannot touch it. All chance comes from `random`: the same seed gives the same run.
import { basename, dirname } from 'node:path'
import type { Disk, DiskFile } from '../../src/core/disk.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { integer, type Random } from '../../src/core/random.ts'

export type DiskOperation =
  | ('open' | 'create' | 'read' | 'write' | 'sync' | 'truncate' | 'size' | 'close')
  | ('readFile' | 'syncDirectory' | 'makeDirectory' | 'list' | 'stat' | 'rename' | 'remove')

export interface DiskCall {
  /** Counts all calls of this disk, from 1. `writeNew` and `makeDirectory` are several calls. */
  readonly number: number
  readonly operation: DiskOperation
  readonly path: string
}

/** `short`: part of a write is done, then it fails as `Disk` promises; the same as EIO for other operations. */
export type DiskFault = 'EIO' | 'ENOSPC' | 'short'

export interface FakeDiskOptions {
  /** Bytes in files beyond which writes fail with ENOSPC. Default: no limit. */
  readonly capacityBytes?: number
  /** Time for `modifiedMs`. Default: always 0. */
  readonly nowMs?: () => number
}

/** What a call on a crashed disk throws. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash'
}

type Change = { readonly position: number; readonly bytes: Buffer } | { readonly sizeBytes: number }

interface FileNode {
  content: Buffer
  /** Since the last sync; those that a failed sync covered are not among them and not in `durable` either. */
  changes: Change[]
  durable: Buffer
  modifiedMs: number
}

interface DirectoryNode {
  readonly entries: Map<string, Node>
  readonly durable: Map<string, Node>
  /** Since the last directory sync. A rename within or across directories is one change: all of it or nothing. */
  changes: { readonly change: object; readonly name: string; readonly node: Node | undefined }[]
}

type Node = FileNode | DirectoryNode

interface Trap {
  left: number
  readonly fault: DiskFault | 'crash'
  readonly matches: (call: DiskCall) => boolean
}

const SECTOR_BYTES = 512

const isDirectory = (node: Node | undefined): node is DirectoryNode => node !== undefined && 'entries' in node
const newFile = (content: Buffer, modifiedMs: number): FileNode => ({ content, changes: [], durable: content, modifiedMs })
const newDirectory = (): DirectoryNode => ({ entries: new Map(), durable: new Map(), changes: [] })

function errno(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, path, syscall: operation })
}

/** `content` after a change, as a new buffer. */
function applied(content: Buffer, change: Change): Buffer {
  if ('sizeBytes' in change) {
    const resized = Buffer.alloc(change.sizeBytes)
    content.copy(resized)
    return resized
  }
  const grown = Buffer.alloc(Math.max(content.length, change.position + change.bytes.length))
  content.copy(grown)
  change.bytes.copy(grown, change.position)
  return grown
}

/** What is left of a change that no sync covered: all, nothing, or of a write any of its sectors. */
function survivingParts(change: Change, random: Random): Change[] {
  const fate = random.next()
  if (fate < 0.35) return [change]
  if (fate < 0.65 || 'sizeBytes' in change) return []
  const parts: Change[] = []
  const end = change.position + change.bytes.length
  for (let from = change.position; from < end; ) {
    const to = Math.min(end, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES)
    if (random.next() < 0.5) parts.push({ position: from, bytes: change.bytes.subarray(from - change.position, to - change.position) })
    from = to
  }
  return parts
}

export class FakeDisk implements Disk {
  readonly #random: Random
  readonly #options: FakeDiskOptions
  readonly #root: DirectoryNode
  #traps: Trap[] = []
  #calls = 0
  #isCrashed = false

  constructor(random: Random, options: FakeDiskOptions = {}, root: DirectoryNode = newDirectory()) {
    this.#random = random
    this.#options = options
    this.#root = root
  }

  /** Calls so far: how many crash points a run has. */
  get calls(): number {
    return this.#calls
  }

  get isCrashed(): boolean {
    return this.#isCrashed
  }

  /** The end comes during the `n`th call from now (1 is the next) among those that `matches` accepts. */
  crashAt(n: number, matches: (call: DiskCall) => boolean = () => true): void {
    this.#traps.push({ left: n, fault: 'crash', matches })
  }

  /** The `n`th call from now (1 is the next) among those that `matches` accepts fails; those after it do not. */
  failAt(n: number, fault: DiskFault, matches: (call: DiskCall) => boolean = () => true): void {
    this.#traps.push({ left: n, fault, matches })
  }

  /** Takes back crashes and failures that have not happened yet. */
  disarm(): void {
    this.#traps = []
  }

  /** Power loss. The disk as the next process finds it; this one is dead. */
  crash(options: FakeDiskOptions = this.#options): FakeDisk {
    this.#isCrashed = true
    return new FakeDisk(this.#random, options, this.#survivor(this.#root, new Map(), new Map()) as DirectoryNode)
  }

  /** Death of the process. Nothing is lost, nothing becomes durable; this one is dead. */
  kill(options: FakeDiskOptions = this.#options): FakeDisk {
    this.#isCrashed = true
    return new FakeDisk(this.#random, options, this.#root)
  }

  /** A copy of what is visible now, all of it durable, to be damaged by `replace`. This one lives on. */
  copy(options: FakeDiskOptions = this.#options): FakeDisk {
    const duplicate = (node: Node): Node => {
      if (!isDirectory(node)) return newFile(node.content, node.modifiedMs)
      const entries = new Map([...node.entries].map(([name, child]) => [name, duplicate(child)]))
      return { entries, durable: new Map(entries), changes: [] }
    }
    return new FakeDisk(this.#random, options, duplicate(this.#root) as DirectoryNode)
  }

  /** Paths of all visible files, sorted. Not a call: it cannot fail and nothing crashes at it. */
  paths(): string[] {
    const under = (node: DirectoryNode, path: string): string[] =>
      [...node.entries].flatMap(([name, child]) => (isDirectory(child) ? under(child, `${path}/${name}`) : [`${path}/${name}`]))
    return under(this.#root, '').sort()
  }

  /** Content of a visible file. Not a call. */
  peek(path: string): Buffer {
    return Buffer.from(this.#file(path, 'peek').content)
  }

  /** Gives a visible file another content, durably: for tests of damage. Not a call. */
  replace(path: string, content: Buffer): void {
    Object.assign(this.#file(path, 'replace'), newFile(Buffer.from(content), 0))
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    const node = await this.#call(mode === 'create' ? 'create' : 'open', path, () => {
      if (mode !== 'create') return this.#file(path, 'open')
      if (this.#lookUp(path)) throw errno('EEXIST', 'open', path)
      const made = newFile(Buffer.alloc(0), this.#nowMs())
      this.#link(path, made, {})
      return made
    })
    return this.#handle(path, node, mode !== 'read')
  }

  async readFile(path: string): Promise<Buffer> {
    return this.#call('readFile', path, () => Buffer.from(this.#file(path, 'open').content))
  }

  async writeNew(path: string, content: Uint8Array | string): Promise<void> {
    const file = await this.open(path, 'create')
    try {
      await file.write([Buffer.from(content)], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.syncDirectory(dirname(path))
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#call('syncDirectory', path, () => {
      const node = this.#directory(path, 'fsync')
      for (const { name, node: child } of node.changes) setOrDelete(node.durable, name, child)
      node.changes = []
    })
  }

  async makeDirectory(path: string): Promise<void> {
    const first = await this.#call('makeDirectory', path, () => this.#makeMissing(path))
    // As the real one: only the entry of the uppermost new directory is made durable.
    if (first) await this.syncDirectory(dirname(first))
  }

  async list(path: string): Promise<string[]> {
    return this.#call('list', path, () => {
      const node = this.#lookUp(path)
      if (node && !isDirectory(node)) throw errno('ENOTDIR', 'scandir', path)
      return node ? [...node.entries.keys()].sort() : []
    })
  }

  async stat(path: string): Promise<{ sizeBytes: number; modifiedMs: number; isDirectory: boolean } | undefined> {
    return this.#call('stat', path, () => {
      const node = this.#lookUp(path)
      if (!node) return undefined
      if (isDirectory(node)) return { sizeBytes: 0, modifiedMs: 0, isDirectory: true }
      return { sizeBytes: node.content.length, modifiedMs: node.modifiedMs, isDirectory: false }
    })
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#call('rename', from, () => {
      const node = this.#lookUp(from)
      if (!node) throw errno('ENOENT', 'rename', from)
      if (isDirectory(this.#lookUp(to))) throw errno('EISDIR', 'rename', to)
      const change = {}
      this.#link(to, node, change)
      this.#link(from, undefined, change)
    })
  }

  async remove(path: string): Promise<void> {
    await this.#call('remove', path, () => {
      const node = this.#lookUp(path)
      if (isDirectory(node)) throw errno('EISDIR', 'rm', path)
      if (node) this.#link(path, undefined, {})
    })
  }

  #handle(path: string, node: FileNode, isWritable: boolean): DiskFile {
    let isOpen = true
    const usable = (operation: string): void => {
      if (!isOpen) throw errno('EBADF', operation, path)
    }
    const writable = (operation: string): void => {
      usable(operation)
      if (!isWritable) throw errno('EBADF', operation, path)
    }
    return {
      path,
      read: (position, length) =>
        this.#call('read', path, () => {
          usable('read')
          return Buffer.from(node.content.subarray(position, position + length))
        }),
      write: (parts, position) => {
        const bytes = Buffer.concat(parts)
        const write = (count: number) => {
          writable('write')
          this.#change(node, { position, bytes: bytes.subarray(0, count) })
        }
        const whole = () => {
          const room = this.#room() + Math.max(0, node.content.length - position)
          write(Math.min(bytes.length, room))
          if (bytes.length > room) throw errno('ENOSPC', 'write', path)
        }
        return this.#call('write', path, whole, () => write(integer(this.#random, bytes.length + 1)))
      },
      sync: () =>
        this.#sync(path, () => {
          usable('fdatasync')
          return node
        }),
      truncate: (sizeBytes) =>
        this.#call('truncate', path, () => {
          writable('ftruncate')
          this.#change(node, { sizeBytes })
        }),
      size: () =>
        this.#call('size', path, () => {
          usable('fstat')
          return node.content.length
        }),
      close: () =>
        this.#call('close', path, () => {
          usable('close')
          isOpen = false
        }),
    }
  }

  #change(node: FileNode, change: Change): void {
    node.content = applied(node.content, change)
    node.changes.push(change)
    node.modifiedMs = this.#nowMs()
  }

  #sync(path: string, find: () => FileNode): Promise<void> {
    const commit = () => {
      const node = find()
      for (const change of node.changes) node.durable = applied(node.durable, change)
      node.changes = []
    }
    return this.#call('sync', path, commit, () => {
      find().changes = []
    })
  }

  /**
   * One call: a few turns of the event loop, then what a trap makes of it. A crash leaves the effect there or not;
   * a fault leaves what `fail` does.
   */
  async #call<T>(operation: DiskOperation, path: string, effect: () => T, fail: () => void = () => {}): Promise<T> {
    const call = { number: ++this.#calls, operation, path }
    for (let turns = integer(this.#random, 3); turns > 0; turns--) await undefined
    if (this.#isCrashed) throw new SimulatedCrash(`${operation} ${path} on a crashed disk`)
    const fault = this.#trapped(call)
    if (fault === undefined) return effect()
    if (fault === 'crash') {
      if (this.#random.next() < 0.5) effect()
      this.#isCrashed = true
      throw new SimulatedCrash(`the end at call ${call.number}, ${operation} ${path}`)
    }
    fail()
    if (fault === 'short' && operation === 'write') throw new MillraceError('MR_DATA_FULL', `${path}: the disk took no more bytes`)
    throw errno(fault === 'short' ? 'EIO' : fault, operation, path)
  }

  #trapped(call: DiskCall): DiskFault | 'crash' | undefined {
    for (const trap of this.#traps) if (trap.matches(call)) trap.left--
    const sprung = this.#traps.find((trap) => trap.left <= 0)
    this.#traps = this.#traps.filter((trap) => trap !== sprung)
    return sprung?.fault
  }

  #nowMs(): number {
    return this.#options.nowMs?.() ?? 0
  }

  /** Bytes by which files may still grow. */
  #room(): number {
    if (this.#options.capacityBytes === undefined) return Number.POSITIVE_INFINITY
    return this.#options.capacityBytes - this.paths().reduce((sum, path) => sum + this.#file(path, 'stat').content.length, 0)
  }

  #lookUp(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/').filter((part) => part !== '')) node = isDirectory(node) ? node.entries.get(name) : undefined
    return node
  }

  #file(path: string, operation: string): FileNode {
    const node = this.#lookUp(path)
    if (!node) throw errno('ENOENT', operation, path)
    if (isDirectory(node)) throw errno('EISDIR', operation, path)
    return node
  }

  #directory(path: string, operation: string): DirectoryNode {
    const node = this.#lookUp(path)
    if (!node) throw errno('ENOENT', operation, path)
    if (!isDirectory(node)) throw errno('ENOTDIR', operation, path)
    return node
  }

  #link(path: string, node: Node | undefined, change: object): void {
    const parent = this.#directory(dirname(path), 'open')
    setOrDelete(parent.entries, basename(path), node)
    parent.changes.push({ change, name: basename(path), node })
  }

  /** Path of the uppermost directory that had to be made. */
  #makeMissing(path: string): string | undefined {
    const node = this.#lookUp(path)
    if (isDirectory(node)) return undefined
    if (node) throw errno('EEXIST', 'mkdir', path)
    const above = this.#makeMissing(dirname(path))
    this.#link(path, newDirectory(), {})
    return above ?? path
  }

  #survivor(node: Node, fates: Map<object, boolean>, seen: Map<Node, Node>): Node {
    const known = seen.get(node)
    if (known) return known
    const survivor = isDirectory(node) ? newDirectory() : newFile(this.#survivingContent(node), node.modifiedMs)
    seen.set(node, survivor)
    if (!isDirectory(node) || !isDirectory(survivor)) return survivor
    const names = new Map(node.durable)
    for (const { change, name, node: child } of node.changes) {
      const isKept = fates.get(change) ?? this.#random.next() < 0.5
      fates.set(change, isKept)
      if (isKept) setOrDelete(names, name, child)
    }
    for (const [name, child] of names) survivor.entries.set(name, this.#survivor(child, fates, seen))
    for (const [name, child] of survivor.entries) survivor.durable.set(name, child)
    return survivor
  }

  #survivingContent(node: FileNode): Buffer {
    let content = node.durable
    for (const change of node.changes) for (const part of survivingParts(change, this.#random)) content = applied(content, part)
    return content
  }
}

function setOrDelete(entries: Map<string, Node>, name: string, node: Node | undefined): void {
  if (node) entries.set(name, node)
  else entries.delete(name)
}
