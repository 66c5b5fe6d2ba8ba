// The state of a processor over one partition: cells of each key and cells shared by all keys, and one handle for each
// declared state that points at the key at hand. Every change says how it is taken back, so that a row on which user code
// throws leaves no trace. Time is given by the caller: state never reads a clock. PROTOCOL rules 10 and 12.
import type { ChainContent, ChainLeaf } from '../state-tree.ts'
import type { Entry, TimeOf, Timer } from './entry.ts'
import { type Declared, EntryCodec, type OnTimer } from './entry-codec.ts'
import { EntryStore } from './entry-store.ts'
import { Journal } from './journal.ts'
import { kindOf } from './kind-of.ts'
import type { Kind } from './slot.ts'
import { Cursor, OwnSlot, SharedSlot } from './slots.ts'
import type { Room } from './spill.ts'

interface Saved {
  readonly declared: Declared
  readonly shared: readonly unknown[]
  readonly shards: readonly (ChainLeaf | ChainContent)[]
  /** By shard: bytes of its base. In checkpoints without them, lines of entries that have timers do not begin with a space. */
  readonly bases?: readonly number[]
}

export interface KeyedStateParts {
  readonly declared: Declared
  readonly journal?: Journal
  readonly onTimer?: OnTimer
  /** Unlike that of other partitions. */
  readonly name?: string
  readonly room?: Room
}

export class KeyedState {
  /** What user code gets as `state`, by the declared names. */
  readonly handles: Readonly<Record<string, object>>
  readonly #parts: KeyedStateParts
  readonly #kinds: readonly Kind<unknown>[]
  readonly #codec: EntryCodec
  readonly #journal: Journal
  readonly #cursor = new Cursor()
  readonly #entries: EntryStore
  readonly #shared: unknown[]

  constructor(parts: KeyedStateParts) {
    const { declared, journal = new Journal() } = parts
    const names = Object.keys(declared)
    this.#parts = parts
    this.#kinds = names.map((name) => kindOf(declared[name]!) as Kind<unknown>)
    this.#codec = new EntryCodec(this.#kinds, declared)
    this.#journal = journal
    this.#shared = names.map(() => null)
    this.#entries = new EntryStore({ ...parts, kinds: this.#kinds, codec: this.#codec, expire: (cells) => this.#expire(cells) })
    const slotOf = (name: string, index: number): OwnSlot | SharedSlot =>
      new (declared[name]!.scope === 'partition' ? SharedSlot : OwnSlot)(this.#cursor, index, name, journal)
    this.handles = Object.fromEntries(names.map((name, index) => [name, this.#kinds[index]!.handle(slotOf(name, index))]))
  }

  /** The entry of a key, made where there is none. */
  entryOf(key: string): Entry {
    return this.#entries.of(key)
  }

  /** Points the handles at a key, or at shared state alone. `floorUs`: no later call has a time before it. */
  enter(key: string | null, nowUs: number, floorUs: number): void {
    this.#note()
    this.at(key === null ? null : this.#entries.of(key), nowUs, floorUs)
  }

  /** As `enter`, for whoever has the entry. */
  at(entry: Entry | null, nowUs: number, floorUs: number): void {
    const cursor = this.#cursor
    this.#note()
    this.#entries.hold(entry)
    cursor.own = entry === null ? null : entry.cells
    cursor.shared = this.#shared
    cursor.nowUs = nowUs
    cursor.floorUs = floorUs
  }

  /** What was noted to take back says whether the call changed anything. */
  #note(): void {
    const { held } = this.#entries
    if (held !== null && this.#journal.isEmpty === false) this.#entries.touch(held)
    this.#journal.clear()
  }

  /** The entry changes: when room is made here, its part of the keys stays. */
  touch(entry: Entry): void {
    this.#entries.touch(entry)
  }

  /** Takes back every change since `enter`. */
  undo(): void {
    this.#journal.undo()
  }

  /** Until the next `enter` the handles refuse to work. */
  leave(): void {
    this.#note()
    this.#entries.hold(null)
    this.#cursor.own = null
    this.#cursor.shared = null
  }

  /** Keys that have something to remember, or had a moment ago. */
  get keys(): number {
    return this.#entries.keys
  }

  /** About how much memory the keys take that are not spilled. */
  get bytes(): number {
    return this.#entries.bytes
  }

  get spilledShards(): number {
    return this.#entries.spilledShards
  }

  /** Earliest timer by arrival of what is spilled; infinite when there is none. */
  get spilledArrivalUs(): number {
    return this.#entries.spilledArrivalUs
  }

  /** Brings the sizes up to date, and what is above its limit elsewhere. */
  settle(): void {
    this.#entries.settle()
  }

  /** Forgets some entries whose state has expired: in turn, so that all are looked at in time. */
  sweep(count: number): void {
    this.#entries.sweep(count)
  }

  /** Has the shard come back that holds the timer which is due first; `next`: the first of those in memory. */
  wake(by: TimeOf, untilUs: number, next: () => Timer | undefined): void {
    this.#entries.wake(by, untilUs, next)
  }

  #expire(cells: unknown[]): void {
    const { floorUs } = this.#cursor
    for (let index = 0; index < cells.length; index++)
      if (cells[index] !== null && this.#kinds[index]!.expire?.(cells[index], floorUs)) cells[index] = null
  }

  /** What has changed since the last one; later changes do not show in it. */
  save(): unknown {
    this.#note()
    this.#expire(this.#shared)
    const { shards, bases } = this.#entries.save()
    return { declared: this.#parts.declared, shared: this.#codec.encodeCells(this.#shared), shards, bases } satisfies Saved
  }

  /** States that are new, or that were declared as another kind or type, start empty. */
  restore(saved: unknown): void {
    this.#entries.clear()
    this.#shared.fill(null)
    this.#journal.clear()
    this.leave()
    if (!saved) return
    const { declared, shared, shards, bases } = saved as Saved
    const codec = new EntryCodec(this.#kinds, this.#parts.declared, declared)
    const isSame = JSON.stringify(declared) === JSON.stringify(this.#parts.declared)
    this.#entries.restore(shards, bases, isSame ? null : codec)
    codec.decodeCells(shared, this.#shared)
  }
}

export const keyedState = (declared: Declared, journal?: Journal): KeyedState =>
  new KeyedState({ declared, ...(journal ? { journal } : {}) })
