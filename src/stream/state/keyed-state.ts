// The state of a processor over one partition: cells of each key and cells shared by all keys, and one handle for each
// declared state that points at the key at hand. Every change says how it is taken back, so that a row on which user code
// throws leaves no trace. Time is given by the caller: state never reads a clock. PROTOCOL rules 10 and 12. Keys lie in shards.
// Those that are used are objects, all others lines of their shard's log: what has changed is written there soon, so that a
// checkpoint finds it there, and a part that is not used can be spilled.
import { MillraceError } from '../../core/errors.ts'
import type { ChainContent, ChainLeaf } from '../state-tree.ts'
import { ownText } from './codec.ts'
import { type Entry, emptyShard, SHARDS, type Shard, shardOf, type TimeOf, type Timer } from './entry.ts'
import { type Declared, EntryCodec, type SavedEntry, type SavedTimer } from './entry-codec.ts'
import { hashOf } from './entry-log.ts'
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
  /** By shard: bytes of its base. In checkpoints without them, lines of entries that have timers do not begin with a space. */
  readonly bases?: readonly number[]
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

/** Entries that are looked at by each checkpoint, beside those of the calls, to forget those that have expired. */
const SWEEP = 1_000
/** One that has to be read from its line counts as so many. */
const SWEEP_LINE = 4
/** Entries whose sizes are looked at together. */
const TOUCHED_MAX = 1_024
/** Entries that may wait for being written to their log, and how large one may be that is not left for the checkpoint. */
const CHANGED_MAX = 1_024
const WRITTEN_SOON_BYTES = 4_096
/** What entries may take as objects, and of a limited memory so large a part. */
const USED_BYTES = 8 << 20
const USED_SHARE = 0.5
/** Entries that are looked at together to make room. */
const SEEN_MAX = 4_096
/** Of an entry without cells: itself, its place in a map, its list of cells. */
const ENTRY_BYTES = 160
const TIMER_BYTES = 96
/** What is added to a base may grow to as much as it, and so much more. */
const ADDED_MIN = 2_048
/** Of what a checkpoint writes anew though it has grown so long; the rest waits for the next one. */
const ANEW_BYTES = 1 << 20

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
  /** In the order in which they changed; some have been written since. */
  #changed: Entry[] = []
  #sweeping: { shard: number; rest: Iterator<Entry>; lines: Iterator<number> } = nothingToSweep()
  /** The shard in which room is looked for next. */
  #cooling = 0
  #tidying = 0
  /** The entry of the call at hand, and the one that was asked for last: they stay. */
  #entry: Entry | null = null
  #asked: Entry | null = null
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
    this.#changed = []
    this.#sweeping = nothingToSweep()
    this.#asked = null
    this.#spilledTimers.clear()
    this.#journal.clear()
    this.leave()
  }

  #nameOf({ index }: Shard): string {
    return `${this.#parts.name ?? ''}${index}`
  }

  /** The entry of a key, made where there is none. */
  entryOf(key: string): Entry {
    const hash = hashOf(key)
    const shard = this.#shards[shardOf(hash)]!
    shard.usedAt = ++this.#used
    if (shard.isSpilled) this.#load(shard)
    const entry = shard.entries.get(key) ?? this.#find(shard, key, hash)
    entry.isUsed = true
    this.#asked = entry
    return entry
  }

  /** From its line, or made. */
  #find(shard: Shard, key: string, hash: number): Entry {
    const position = shard.log.find(key, hash)
    if (position >= 0) return this.#read(shard, position)
    this.#keys++
    return this.#make(shard, key, hash)
  }

  #make(shard: Shard, key: string, hash: number): Entry {
    const own = ownText(key)
    const cells: unknown[] = this.#kinds.map(() => null)
    const entry: Entry = {
      key: own,
      hash,
      shard,
      cells,
      timers: null,
      isChanged: false,
      isUsed: true,
      isTouched: false,
      bytes: ENTRY_BYTES,
    }
    shard.entries.set(own, entry)
    shard.bytes += ENTRY_BYTES
    this.#bytes += ENTRY_BYTES
    // It may be made room for before it changes.
    this.#touch(entry)
    return entry
  }

  /** Its timers are in order already. */
  #read(shard: Shard, position: number): Entry {
    const [key, cells] = JSON.parse(shard.log.text(position)) as SavedEntry
    const entry = this.#make(shard, key, hashOf(key))
    this.#codec.decodeCells(cells, entry.cells)
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
    if (entry !== null) {
      entry.isUsed = true
      entry.shard.usedAt = ++this.#used
    }
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
    this.#asked = entry
    entry.shard.usedAt = ++this.#used
    if (!entry.isChanged) {
      entry.isChanged = true
      this.#changed.push(entry)
    }
    this.#touch(entry)
  }

  /** Its size may be another. */
  #touch(entry: Entry): void {
    if (entry.isTouched) return
    if (this.#touched.length >= TOUCHED_MAX) {
      this.#asked = entry
      this.settle()
    }
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
    let bytes = this.#bytes
    for (const { log } of this.#shards) bytes += log.bytes
    return bytes
  }

  get #canExpire(): boolean {
    return this.#kinds.some(({ expire }) => expire !== undefined)
  }

  get spilledShards(): number {
    return this.#shards.filter(({ isSpilled }) => isSpilled).length
  }

  /** Brings the sizes up to date, and what is above its limit elsewhere. */
  settle(): void {
    for (const entry of this.#touched) {
      entry.isTouched = false
      if (entry.shard.entries.get(entry.key) === entry) this.#resize(entry, this.#sizeOf(entry))
    }
    this.#touched = []
    if (this.#changed.length > CHANGED_MAX) this.#write(this.#changed.length - CHANGED_MAX / 2, WRITTEN_SOON_BYTES)
    this.#cool()
    this.#tidy()
    this.#makeRoom()
  }

  /** One shard in turn is written anew where its chain has grown long, so that few are left for a checkpoint. */
  #tidy(): void {
    const shard = this.#shards[this.#tidying]!
    this.#tidying = (this.#tidying + 1) % SHARDS
    if (!shard.isStale && this.#isLong(shard)) this.#anew(shard)
  }

  /** Shards reach it one after another. */
  #isLong({ baseBytes, addedBytes, index, isSpilled, log }: Shard): boolean {
    return !isSpilled && baseBytes > 0 && addedBytes + log.unsaved > ADDED_MIN + baseBytes * (0.5 + index / SHARDS)
  }

  #anew(shard: Shard): void {
    shard.log.compact()
    shard.isStale = true
  }

  #resize(entry: Entry, bytes: number): void {
    const more = bytes - entry.bytes
    entry.bytes = bytes
    entry.shard.bytes += more
    this.#bytes += more
  }

  /** The first `count` of those that have changed go to their logs; larger ones wait. */
  #write(count: number, largest: number): void {
    const later: Entry[] = []
    for (let i = 0; i < count; i++) {
      const entry = this.#changed[i]!
      if (entry.isChanged && entry.bytes > largest) later.push(entry)
      else this.#writeEntry(entry)
    }
    this.#changed = [...later, ...this.#changed.slice(count)]
  }

  #writeEntry(entry: Entry): void {
    const { shard, key, hash } = entry
    if (!entry.isChanged || shard.entries.get(key) !== entry) return
    entry.isChanged = false
    if (isEmpty(entry)) shard.log.remove(key, hash)
    else shard.log.put(key, hash, this.#codec.encode(entry))
    if (shard.log.isHalfDead) this.#anew(shard)
  }

  /** Some that were not used lately are left to their lines alone. */
  #cool(): void {
    const limitBytes = Math.min(USED_BYTES, (this.#parts.room?.limitBytes ?? Number.POSITIVE_INFINITY) * USED_SHARE)
    // Once to see what is used, once to take it away; what has timers is looked at in vain.
    for (let shards = 0, seen = 0; this.#bytes > limitBytes && shards < 2 * SHARDS && seen < SEEN_MAX; shards++) {
      const shard = this.#shards[this.#cooling]!
      this.#cooling = (this.#cooling + 1) % SHARDS
      seen += shard.entries.size
      for (const entry of shard.entries.values()) {
        if (entry.isUsed) entry.isUsed = false
        else if (entry.timers === null && entry !== this.#entry && entry !== this.#asked) this.#leaveOut(entry)
      }
    }
  }

  #leaveOut(entry: Entry): void {
    if (isEmpty(entry)) {
      this.#forget(entry)
      return
    }
    const { shard, key, bytes } = entry
    this.#writeEntry(entry)
    shard.entries.delete(key)
    shard.bytes -= bytes
    this.#bytes -= bytes
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
    for (let left = count, shards = 0; left > 0 && shards <= SHARDS; ) {
      const entry = at.rest.next()
      if (!entry.done) {
        left--
        this.#sweepEntry(entry.value)
        continue
      }
      const line = at.lines.next()
      if (!line.done) {
        left -= SWEEP_LINE
        this.#sweepLine(this.#shards[at.shard]!, line.value)
        continue
      }
      shards++
      at.shard = (at.shard + 1) % SHARDS
      const { isSpilled, entries, log } = this.#shards[at.shard]!
      at.rest = isSpilled ? [].values() : entries.values()
      at.lines = isSpilled || !this.#canExpire ? [].values() : log.positions()
    }
  }

  #sweepEntry(entry: Entry): void {
    this.#expire(entry.cells)
    if (isEmpty(entry)) this.#forget(entry)
  }

  #sweepLine({ entries, log, isSpilled }: Shard, position: number): void {
    if (isSpilled || log.isMarked(position)) return
    const [key, saved] = JSON.parse(log.text(position)) as SavedEntry
    if (entries.has(key)) return
    const cells: unknown[] = this.#kinds.map(() => null)
    this.#codec.decodeCells(saved, cells)
    this.#expire(cells)
    if (cells.some((cell) => cell !== null)) return
    log.remove(key, hashOf(key))
    this.#keys--
  }

  #forget({ key, hash, shard, bytes }: Entry): void {
    if (!shard.entries.delete(key)) return
    shard.log.remove(key, hash)
    this.#keys--
    shard.bytes -= bytes
    this.#bytes -= bytes
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
    this.#write(this.#changed.length, Number.POSITIVE_INFINITY)
    const shards: ChainLeaf[] = []
    const bases: number[] = []
    let leftBytes = ANEW_BYTES
    for (const shard of this.#shards) {
      if (leftBytes > 0 && !shard.isStale && shard.log.unsaved > 0 && this.#isLong(shard)) {
        this.#anew(shard)
        leftBytes -= shard.log.written
      }
      const leaf = this.#saveShard(shard)
      if (leaf === null) continue
      shards.push(leaf)
      bases.push(shard.baseBytes)
    }
    return { declared: this.#parts.declared, shared: this.#codec.encodeCells(this.#shared), shards, bases } satisfies Saved
  }

  /** Null for a shard without keys. */
  #saveShard(shard: Shard): ChainLeaf | null {
    const $chain = this.#nameOf(shard)
    const { log } = shard
    if (shard.isSpilled) {
      if (!shard.isStale) return { $chain, base: null, added: [] }
      const base = this.#parts.room!.spill.read($chain)
      Object.assign(shard, { isStale: false, baseBytes: base.length, addedBytes: 0 })
      return { $chain, base: [base], added: [] }
    }
    if (log.size === 0) {
      log.clear()
      Object.assign(shard, { isStale: false, baseBytes: 0, addedBytes: 0 })
      return null
    }
    if (shard.baseBytes > 0 && !shard.isStale) {
      shard.addedBytes += log.unsaved
      return { $chain, ...log.cut(false) }
    }
    Object.assign(shard, { isStale: false, baseBytes: log.written, addedBytes: 0 })
    return { $chain, ...log.cut(true) }
  }

  /** @throws MR_STREAM_MEMORY where the shard that is used now does not fit alone. */
  #makeRoom(): void {
    const { room } = this.#parts
    while (room && this.bytes > room.limitBytes) {
      let oldest: Shard | null = null
      for (const shard of this.#shards)
        if (
          !shard.isSpilled &&
          !shard.isPinned &&
          shard.log.size + shard.entries.size > 0 &&
          (oldest === null || shard.usedAt < oldest.usedAt)
        )
          oldest = shard
      if (oldest === null || oldest.usedAt === this.#used) {
        // What waits for the next record alone goes then.
        if (this.#shards.some(({ isPinned }) => isPinned)) return
        const worn = this.#shards.filter(({ log }) => log.hasDead)
        if (worn.length === 0) throw noRoom(this.bytes, room.limitBytes)
        for (const shard of worn) this.#anew(shard)
        continue
      }
      this.#evict(oldest, room)
    }
  }

  #evict(shard: Shard, { spill }: Room): void {
    for (const entry of shard.entries.values()) {
      if (isEmpty(entry)) this.#forget(entry)
      else this.#writeEntry(entry)
    }
    this.#spilledTimers.add(shard)
    if (shard.log.unsaved > 0 || shard.baseBytes === 0) shard.isStale = true
    shard.log.compact()
    spill.write(this.#nameOf(shard), shard.log.content())
    shard.log.clear()
    this.#bytes -= shard.bytes
    shard.bytes = 0
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
    shard.usedAt = ++this.#used
    shard.log.load([content], !shard.isStale)
    this.#wakeTimers(shard, true)
    this.#makeRoom()
  }

  /** Entries that have timers are objects. */
  #wakeTimers(shard: Shard, isMarked: boolean): void {
    for (const position of shard.log.positions()) {
      if (isMarked && !shard.log.isMarked(position)) continue
      const timers = (JSON.parse(shard.log.text(position)) as SavedEntry)[2]
      if (timers === undefined) continue
      const entry = this.#read(shard, position)
      for (const timer of timers) this.#parts.onTimer?.(entry, timer)
    }
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

  /** Every line, in the form of now. */
  #rewrite({ log }: Shard, codec: EntryCodec): void {
    const texts = Array.from(log.positions(), (position) => log.text(position))
    log.clear()
    for (const text of texts) {
      const [key, saved, timers] = JSON.parse(text) as SavedEntry
      const cells: unknown[] = this.#kinds.map(() => null)
      codec.decodeCells(saved, cells)
      const line = JSON.stringify(timers ? [key, this.#codec.encodeCells(cells), timers] : [key, this.#codec.encodeCells(cells)])
      log.put(key, hashOf(key), `${timers ? ' ' : ''}${line}\n`)
    }
  }

  /** States that are new, or that were declared as another kind or type, start empty. */
  restore(saved: unknown): void {
    this.#clear()
    if (!saved) return
    const { declared, shared, shards, bases } = saved as Saved
    const codec = new EntryCodec(this.#kinds, this.#parts.declared, declared)
    const isSame = JSON.stringify(declared) === JSON.stringify(this.#parts.declared)
    for (const [n, leaf] of shards.entries()) {
      const shard = this.#shards[Number(leaf.$chain.slice((this.#parts.name ?? '').length))]!
      const parts = 'parts' in leaf ? leaf.parts : [...(leaf.base ?? []), ...leaf.added]
      shard.usedAt = ++this.#used
      shard.log.load(parts, isSame)
      // What has another form is written anew.
      if (!isSame) this.#rewrite(shard, codec)
      this.#keys += shard.log.size
      this.#wakeTimers(shard, bases !== undefined || !isSame)
      const bytes = parts.reduce((sum, { length }) => sum + length, 0)
      shard.baseBytes = isSame ? (bases?.[n] ?? parts[0]!.length) : 0
      shard.addedBytes = bytes - shard.baseBytes
      shard.isStale = !isSame
      this.#makeRoom()
    }
    codec.decodeCells(shared, this.#shared)
  }
}

const nothingToSweep = () => ({ shard: 0, rest: [].values() as Iterator<Entry>, lines: [].values() as Iterator<number> })

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
