// The keys of a processor's partition and their cells, in shards. Those that are used are objects, all others lines of their
// shard's log: what has changed is written there soon, so that a checkpoint finds it there, and a part that is not used can
// be spilled. Which state the cells are, and whether one has expired, is the caller's.
import { MillraceError } from '../../core/errors.ts'
import type { ChainContent, ChainLeaf } from '../state-tree.ts'
import { ownText } from './codec.ts'
import { ENTRY_BYTES, type Entry, emptyShard, isEmpty, SHARDS, type Shard, shardOf, sizeOf, type TimeOf, type Timer } from './entry.ts'
import type { EntryCodec, OnTimer, SavedEntry } from './entry-codec.ts'
import { hashOf } from './entry-log.ts'
import { anew, isLong, loadShard, saveShard, timersOf } from './shard-chain.ts'
import type { Kind } from './slot.ts'
import type { Room } from './spill.ts'
import { isBefore, SpilledTimers } from './spilled-timers.ts'
import { Turn } from './turn.ts'

export interface EntryStoreParts {
  readonly kinds: readonly Kind<unknown>[]
  readonly codec: EntryCodec
  /** Empties the cells whose state has expired. */
  readonly expire: (cells: unknown[]) => void
  readonly onTimer?: OnTimer
  /** Unlike that of other partitions. */
  readonly name?: string
  readonly room?: Room
}

/** Entries that are looked at by each checkpoint, beside those of the calls, to forget those that have expired. */
const SWEEP = 1_000
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
/** Of what a checkpoint writes anew though it has grown so long; the rest waits for the next one. */
const ANEW_BYTES = 1 << 20

export class EntryStore {
  readonly #parts: EntryStoreParts
  #shards: Shard[] = Array.from({ length: SHARDS }, (_, index) => emptyShard(index))
  #keys = 0
  #bytes = 0
  #used = 0
  #touched: Entry[] = []
  /** In the order in which they changed; some have been written since. */
  #changed: Entry[] = []
  #turn = new Turn()
  /** The shard in which room is looked for next. */
  #cooling = 0
  #tidying = 0
  /** The entry of the call at hand, and the one that was asked for last: they stay. */
  #held: Entry | null = null
  #asked: Entry | null = null
  readonly #spilledTimers = new SpilledTimers()

  constructor(parts: EntryStoreParts) {
    this.#parts = parts
  }

  clear(): void {
    for (const shard of this.#shards) if (shard.isSpilled) this.#parts.room?.spill.remove(this.#nameOf(shard))
    this.#shards = Array.from({ length: SHARDS }, (_, index) => emptyShard(index))
    this.#keys = 0
    this.#bytes = 0
    this.#touched = []
    this.#changed = []
    this.#turn = new Turn()
    this.#held = null
    this.#asked = null
    this.#spilledTimers.clear()
  }

  #nameOf({ index }: Shard): string {
    return `${this.#parts.name ?? ''}${index}`
  }

  /** The entry of a key, made where there is none. */
  of(key: string): Entry {
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
    const cells: unknown[] = this.#parts.kinds.map(() => null)
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
    this.#parts.codec.decodeCells(cells, entry.cells)
    return entry
  }

  get held(): Entry | null {
    return this.#held
  }

  /** The entry of the call at hand. */
  hold(entry: Entry | null): void {
    this.#held = entry
    if (entry === null) return
    entry.isUsed = true
    entry.shard.usedAt = ++this.#used
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

  get spilledShards(): number {
    return this.#shards.filter(({ isSpilled }) => isSpilled).length
  }

  /** Brings the sizes up to date, and what is above its limit elsewhere. */
  settle(): void {
    for (const entry of this.#touched) {
      entry.isTouched = false
      if (entry.shard.entries.get(entry.key) === entry) this.#resize(entry, sizeOf(entry, this.#parts.kinds))
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
    if (!shard.isStale && isLong(shard)) anew(shard)
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
    else shard.log.put(key, hash, this.#parts.codec.encode(entry))
    if (shard.log.isHalfDead) anew(shard)
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
        else if (entry.timers === null && entry !== this.#held && entry !== this.#asked) this.#leaveOut(entry)
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

  /** Forgets some entries whose state has expired: in turn, so that all are looked at in time. */
  sweep(count: number): void {
    const canExpire = this.#parts.kinds.some(({ expire }) => expire !== undefined)
    for (const { shard, entry, position } of this.#turn.take(this.#shards, count, canExpire)) {
      if (entry) this.#sweepEntry(entry)
      else this.#sweepLine(shard, position)
    }
  }

  #sweepEntry(entry: Entry): void {
    this.#parts.expire(entry.cells)
    if (isEmpty(entry)) this.#forget(entry)
  }

  #sweepLine({ entries, log, isSpilled }: Shard, position: number): void {
    if (isSpilled || log.isMarked(position)) return
    const [key, saved] = JSON.parse(log.text(position)) as SavedEntry
    if (entries.has(key)) return
    const cells: unknown[] = this.#parts.kinds.map(() => null)
    this.#parts.codec.decodeCells(saved, cells)
    this.#parts.expire(cells)
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

  /** What has changed since the last one; later changes do not show in it. */
  save(): { readonly shards: readonly ChainLeaf[]; readonly bases: readonly number[] } {
    this.settle()
    this.sweep(SWEEP)
    this.#write(this.#changed.length, Number.POSITIVE_INFINITY)
    const shards: ChainLeaf[] = []
    const bases: number[] = []
    let leftBytes = ANEW_BYTES
    for (const shard of this.#shards) {
      if (leftBytes > 0 && !shard.isStale && shard.log.unsaved > 0 && isLong(shard)) {
        anew(shard)
        leftBytes -= shard.log.written
      }
      const leaf = saveShard(shard, this.#nameOf(shard), this.#parts.room?.spill)
      if (leaf === null) continue
      shards.push(leaf)
      bases.push(shard.baseBytes)
    }
    return { shards, bases }
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
        for (const shard of worn) anew(shard)
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
    for (const { position, timers } of timersOf(shard, isMarked)) {
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

  /**
   * `bases` by shard: bytes of its base; in checkpoints without them, lines of entries that have timers are not marked.
   * `codec`: what reads entries that have another form; null when they have that of now.
   */
  restore(shards: readonly (ChainLeaf | ChainContent)[], bases: readonly number[] | undefined, codec: EntryCodec | null): void {
    for (const [n, leaf] of shards.entries()) {
      const shard = this.#shards[Number(leaf.$chain.slice((this.#parts.name ?? '').length))]!
      shard.usedAt = ++this.#used
      loadShard(shard, leaf, bases?.[n], codec && { from: codec, to: this.#parts.codec, cells: this.#parts.kinds.length })
      this.#keys += shard.log.size
      this.#wakeTimers(shard, bases !== undefined || codec !== null)
      this.#makeRoom()
    }
  }
}

const noRoom = (bytes: number, limitBytes: number): MillraceError =>
  new MillraceError('MR_STREAM_MEMORY', `the state of a part of the keys takes ${bytes} bytes, more than its memory of ${limitBytes}`, {
    fix: 'raise `memory`, or let the state expire',
  })
