// The state of a processor over one partition: cells of each key and cells shared by all keys, and one handle for each
// declared state that points at the key at hand. Every change says how it is taken back, so that a row on which user code
// throws leaves no trace. Time is given by the caller: state never reads a clock. PROTOCOL rules 10 and 12. Keys lie in shards,
// so that no growth touches more than one part of 256, and a part that is not used can be spilled.
import { MillraceError } from '../../core/errors.ts'
import type { ChainContent, ChainLeaf } from '../state-tree.ts'
import { ownText } from './codec.ts'
import { type Entry, emptyShard, SHARDS, type Shard, shardOf, type TimeOf, type Timer } from './entry.ts'
import { bytesOfLines, type Declared, EntryCodec, listed, type SavedTimer, savedEntries } from './entry-codec.ts'
import { Journal } from './journal.ts'
import { kindOf } from './kind-of.ts'
import type { Kind } from './slot.ts'
import { Cursor, OwnSlot, SharedSlot } from './slots.ts'
import type { Room } from './spill.ts'
import { isBefore, SpilledTimers } from './spilled-timers.ts'

interface Saved {
  readonly declared: Declared
  readonly shared: readonly unknown[]
  readonly shards: readonly (ChainLeaf | ChainContent)[]
}

/** The timers of entries that come back from where they were kept. */
export type OnTimer = (entry: Entry, timer: SavedTimer) => void

export interface KeyedStateParts {
  readonly declared: Declared
  readonly journal?: Journal
  readonly onTimer?: OnTimer
  /** Unlike that of other partitions. */
  readonly name?: string
  readonly room?: Room
}

/** Entries that are looked at by each checkpoint, beside one for each call, to forget those that have expired. */
const SWEEP = 20_000
/** Entries whose sizes are looked at together. */
const TOUCHED_MAX = 1_024
/** Of an entry without cells: itself, its place in a map, its list of cells. */
const ENTRY_BYTES = 160
const TIMER_BYTES = 96
/** What is added to a base may grow to as much as it, and so much more. */
const ADDED_MIN = 2_048

export class KeyedState {
  /** What user code gets as `state`, by the declared names. */
  readonly handles: Readonly<Record<string, object>>
  readonly #parts: KeyedStateParts
  readonly #kinds: readonly Kind<unknown>[]
  readonly #codec: EntryCodec
  readonly #journal: Journal
  readonly #cursor = new Cursor()
  #shards: Shard[] = []
  readonly #shared: unknown[]
  #keys = 0
  #bytes = 0
  #used = 0
  #touched: Entry[] = []
  #sweeping: { shard: number; rest: Iterator<Entry> } = { shard: 0, rest: [][Symbol.iterator]() }
  /** The entry of the call at hand. */
  #entry: Entry | null = null
  readonly #spilledTimers = new SpilledTimers()

  constructor(parts: KeyedStateParts) {
    const { declared, journal = new Journal() } = parts
    const names = Object.keys(declared)
    this.#parts = parts
    this.#kinds = names.map((name) => kindOf(declared[name]!) as Kind<unknown>)
    this.#codec = new EntryCodec(this.#kinds, declared)
    this.#journal = journal
    this.#shared = names.map(() => null)
    this.#clear()
    const slotOf = (name: string, index: number): OwnSlot | SharedSlot =>
      new (declared[name]!.scope === 'partition' ? SharedSlot : OwnSlot)(this.#cursor, index, name, journal)
    this.handles = Object.fromEntries(names.map((name, index) => [name, this.#kinds[index]!.handle(slotOf(name, index))]))
  }

  #clear(): void {
    for (const shard of this.#shards) if (shard.isSpilled) this.#parts.room?.spill.remove(this.#nameOf(shard))
    this.#shards = Array.from({ length: SHARDS }, (_, index) => emptyShard(index))
    this.#shared.fill(null)
    this.#keys = 0
    this.#bytes = 0
    this.#touched = []
    this.#sweeping = { shard: 0, rest: [][Symbol.iterator]() }
    this.#spilledTimers.clear()
    this.#journal.clear()
    this.leave()
  }

  #nameOf({ index }: Shard): string {
    return `${this.#parts.name ?? ''}${index}`
  }

  /** The entry of a key, made where there is none. */
  entryOf(key: string): Entry {
    const shard = this.#shards[shardOf(key)]!
    shard.usedAt = ++this.#used
    if (shard.isSpilled) this.#load(shard)
    return shard.entries.get(key) ?? this.#make(shard, key)
  }

  #make(shard: Shard, key: string): Entry {
    const own = ownText(key)
    const cells = this.#kinds.map(() => null)
    const entry: Entry = { key: own, shard, cells, timers: null, isChanged: false, isTouched: false, bytes: ENTRY_BYTES }
    shard.entries.set(own, entry)
    shard.bytes += ENTRY_BYTES
    this.#bytes += ENTRY_BYTES
    this.#keys++
    return entry
  }

  /** Points the handles at a key, or at shared state alone. `floorUs`: no later call has a time before it. */
  enter(key: string | null, nowUs: number, floorUs: number): void {
    this.#note()
    this.at(key === null ? null : this.entryOf(key), nowUs, floorUs)
  }

  /** As `enter`, for whoever has the entry. */
  at(entry: Entry | null, nowUs: number, floorUs: number): void {
    const cursor = this.#cursor
    this.#note()
    this.#entry = entry
    if (entry !== null) entry.shard.usedAt = ++this.#used
    cursor.own = entry === null ? null : entry.cells
    cursor.shared = this.#shared
    cursor.nowUs = nowUs
    cursor.floorUs = floorUs
  }

  /** What was noted to take back says whether the call changed anything. */
  #note(): void {
    if (this.#entry !== null && this.#journal.isEmpty === false) this.touch(this.#entry)
    this.#journal.clear()
  }

  /** The entry changes: when room is made here, its part of the keys stays. */
  touch(entry: Entry): void {
    entry.shard.usedAt = ++this.#used
    if (!entry.isChanged) {
      entry.isChanged = true
      entry.shard.changed.push(entry)
    }
    if (entry.isTouched) return
    if (this.#touched.length >= TOUCHED_MAX) this.settle()
    entry.isTouched = true
    this.#touched.push(entry)
  }

  /** Takes back every change since `enter`. */
  undo(): void {
    this.#journal.undo()
  }

  /** Until the next `enter` the handles refuse to work. */
  leave(): void {
    this.#note()
    this.#entry = null
    this.#cursor.own = null
    this.#cursor.shared = null
  }

  /** Keys that have something to remember, or had a moment ago. */
  get keys(): number {
    return this.#keys
  }

  /** About how much memory the keys take that are not spilled. */
  get bytes(): number {
    return this.#bytes
  }

  get spilledShards(): number {
    return this.#shards.filter(({ isSpilled }) => isSpilled).length
  }

  /** Brings the sizes up to date. What is above the limit is spilled by whoever knows all partitions. */
  settle(): void {
    for (const entry of this.#touched) {
      entry.isTouched = false
      const bytes = this.#sizeOf(entry)
      const more = bytes - entry.bytes
      entry.bytes = bytes
      entry.shard.bytes += more
      this.#bytes += more
    }
    this.#touched = []
    this.#makeRoom()
  }

  #sizeOf({ key, cells, timers }: Entry): number {
    let bytes = ENTRY_BYTES + key.length + 8 * cells.length
    for (let index = 0; index < cells.length; index++) if (cells[index] !== null) bytes += this.#kinds[index]!.sizeOf(cells[index])
    for (let timer = timers; timer !== null; timer = timer.next) bytes += TIMER_BYTES
    return bytes
  }

  /** Forgets some entries whose state has expired: in turn, so that all are looked at in time. */
  sweep(count: number): void {
    const at = this.#sweeping
    let shards = 0
    for (let left = count; left > 0 && shards <= SHARDS; ) {
      const { done, value } = at.rest.next()
      if (done) {
        at.shard = (at.shard + 1) % SHARDS
        const next = this.#shards[at.shard]!
        at.rest = next.isSpilled ? [][Symbol.iterator]() : next.entries.values()
        shards++
        continue
      }
      left--
      this.#expire(value.cells)
      if (isEmpty(value)) this.#forget(value)
    }
  }

  #forget({ key, shard, bytes }: Entry): void {
    if (!shard.entries.delete(key)) return
    this.#keys--
    shard.bytes -= bytes
    this.#bytes -= bytes
    if (shard.baseBytes > 0) shard.gone.push(key)
  }

  #expire(cells: unknown[]): void {
    const { floorUs } = this.#cursor
    for (let index = 0; index < cells.length; index++)
      if (cells[index] !== null && this.#kinds[index]!.expire?.(cells[index], floorUs)) cells[index] = null
  }

  /** What has changed since the last one; later changes do not show in it. */
  save(): unknown {
    this.#note()
    this.settle()
    this.#expire(this.#shared)
    this.sweep(SWEEP)
    const shards = this.#shards.map((shard) => this.#saveShard(shard)).filter((leaf) => leaf !== null)
    return { declared: this.#parts.declared, shared: this.#codec.encodeCells(this.#shared), shards } satisfies Saved
  }

  /** Null for a shard without keys. */
  #saveShard(shard: Shard): ChainLeaf | null {
    const $chain = this.#nameOf(shard)
    const { changed, gone } = shard
    if (shard.isSpilled) {
      if (!shard.isStale) return { $chain, base: null, added: null }
      const base = this.#parts.room!.spill.read($chain)
      Object.assign(shard, { isStale: false, baseBytes: base.length, addedBytes: 0 })
      return { $chain, base, added: null }
    }
    shard.changed = []
    shard.gone = []
    for (const entry of changed) entry.isChanged = false
    if (shard.entries.size === 0) {
      Object.assign(shard, { isStale: false, baseBytes: 0, addedBytes: 0 })
      return null
    }
    const isThere = shard.baseBytes > 0 && !shard.isStale
    if (isThere && changed.length === 0 && gone.length === 0) return { $chain, base: null, added: null }
    if (isThere) {
      const own = changed.filter((entry) => shard.entries.get(entry.key) === entry)
      const added = bytesOfLines([...gone.map((key) => `${JSON.stringify([key])}\n`), ...own.map((entry) => this.#codec.encode(entry))])
      // Shards reach it one after another, not all at one checkpoint.
      if (shard.addedBytes + added.length <= ADDED_MIN + shard.baseBytes * (0.5 + shard.index / SHARDS)) {
        shard.addedBytes += added.length
        return { $chain, base: null, added }
      }
    }
    const base = this.#encodeShard(shard)
    Object.assign(shard, { isStale: false, baseBytes: base.length, addedBytes: 0 })
    return { $chain, base, added: null }
  }

  #encodeShard({ entries }: Shard): Uint8Array {
    return bytesOfLines([...entries.values()].map((entry) => this.#codec.encode(entry)))
  }

  /** @throws MR_STREAM_MEMORY where the shard that is used now does not fit alone. */
  #makeRoom(): void {
    const { room } = this.#parts
    while (room && this.#bytes > room.limitBytes) {
      let oldest: Shard | null = null
      for (const shard of this.#shards)
        if (!shard.isSpilled && !shard.isPinned && shard.entries.size > 0 && (oldest === null || shard.usedAt < oldest.usedAt))
          oldest = shard
      if (oldest === null || oldest.usedAt === this.#used) {
        // What waits for the next record alone goes then.
        if (this.#shards.some(({ isPinned }) => isPinned)) return
        throw noRoom(this.#bytes, room.limitBytes)
      }
      this.#evict(oldest, room)
    }
  }

  #evict(shard: Shard, { spill }: Room): void {
    this.#spilledTimers.add(shard)
    spill.write(this.#nameOf(shard), this.#encodeShard(shard))
    if (shard.changed.length > 0 || shard.gone.length > 0 || shard.baseBytes === 0) shard.isStale = true
    this.#bytes -= shard.bytes
    shard.changed = []
    shard.gone = []
    shard.entries.clear()
    shard.isSpilled = true
  }

  #load(shard: Shard): void {
    this.settle()
    const { spill } = this.#parts.room!
    const content = spill.read(this.#nameOf(shard))
    spill.remove(this.#nameOf(shard))
    this.#spilledTimers.remove(shard)
    shard.isSpilled = false
    shard.bytes = 0
    const keys = this.#keys
    this.#read(shard, content, this.#codec)
    this.#keys = keys
    shard.usedAt = ++this.#used
    this.#makeRoom()
  }

  /** Has the shard come back that holds the timer which is due first; `next`: the first of those in memory. */
  wake(by: TimeOf, untilUs: number, next: () => Timer | undefined): void {
    const { first } = this.#spilledTimers
    for (let due = first[by]; due !== null && due.atUs <= untilUs; due = first[by]) {
      const other = next()
      if (other && isBefore(other, due)) return
      this.#load(due.shard)
    }
  }

  /** Earliest timer by arrival of what is spilled; infinite when there is none. */
  get spilledArrivalUs(): number {
    return this.#spilledTimers.first.arrival?.atUs ?? Number.POSITIVE_INFINITY
  }

  #read(shard: Shard, content: Uint8Array, codec: EntryCodec): void {
    for (const [key, cells, timers] of savedEntries(content)) {
      const entry = shard.entries.get(key) ?? this.#make(shard, key)
      if (cells === undefined) {
        this.#drop(entry)
        continue
      }
      codec.decodeCells(cells, entry.cells)
      this.#turnOff(entry)
      for (const timer of timers ?? []) this.#parts.onTimer?.(entry, timer)
      const bytes = this.#sizeOf(entry)
      shard.bytes += bytes - entry.bytes
      this.#bytes += bytes - entry.bytes
      entry.bytes = bytes
    }
  }

  #drop(entry: Entry): void {
    this.#turnOff(entry)
    const { shard } = entry
    const { baseBytes } = shard
    shard.baseBytes = 0
    this.#forget(entry)
    shard.baseBytes = baseBytes
  }

  #turnOff(entry: Entry): void {
    for (const timer of listed(entry.timers)) timer.isOff = true
    entry.timers = null
  }

  /** States that are new, or that were declared as another kind or type, start empty. */
  restore(saved: unknown): void {
    this.#clear()
    if (!saved) return
    const { declared, shared, shards } = saved as Saved
    const codec = new EntryCodec(this.#kinds, this.#parts.declared, declared)
    const isSame = JSON.stringify(declared) === JSON.stringify(this.#parts.declared)
    for (const leaf of shards) {
      const shard = this.#shards[Number(leaf.$chain.slice((this.#parts.name ?? '').length))]!
      const parts = 'parts' in leaf ? leaf.parts : [leaf.base, leaf.added].filter((part) => part !== null)
      for (const part of parts) this.#read(shard, part, codec)
      // What has another form is written anew.
      shard.baseBytes = isSame ? parts[0]!.length : 0
      shard.addedBytes = parts.slice(1).reduce((sum, { length }) => sum + length, 0)
      shard.isStale = !isSame
      shard.usedAt = ++this.#used
      this.#makeRoom()
    }
    codec.decodeCells(shared, this.#shared)
  }
}

function isEmpty({ cells, timers }: Entry): boolean {
  if (timers !== null) return false
  for (const cell of cells) if (cell !== null) return false
  return true
}

const noRoom = (bytes: number, limitBytes: number): MillraceError =>
  new MillraceError('MR_STREAM_MEMORY', `the state of a part of the keys takes ${bytes} bytes, more than its memory of ${limitBytes}`, {
    fix: 'raise `memory`, or let the state expire',
  })

export const keyedState = (declared: Declared, journal?: Journal): KeyedState =>
  new KeyedState({ declared, ...(journal ? { journal } : {}) })
