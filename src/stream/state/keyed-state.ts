// The state of a processor over one partition: cells of each key and cells shared by all keys, and one handle for each
// declared state that points at the key at hand. Every change says how it is taken back, so that a row on which user code
// throws leaves no trace. Time is given by the caller: state never reads a clock. PROTOCOL rules 10 and 12. Keys lie in shards,
// each a map of its own, so that no growth touches more than one part of 256.
import { MillraceError } from '../../core/errors.ts'
import type { StateManifest } from '../../define/manifest.ts'
import { ownText } from './codec.ts'
import { type Entry, SHARDS, shardOf, type TimeOf, type Timer } from './entry.ts'
import { Journal } from './journal.ts'
import { kindOf } from './kind-of.ts'
import type { Kind, Slot } from './slot.ts'

type Cells = unknown[]

export type SavedTimer = readonly [name: string, atUs: number, by: TimeOf, seq: number]
export type SavedEntry = readonly [key: string, cells: readonly unknown[], timers?: readonly SavedTimer[]]

interface Saved {
  readonly declared: Readonly<Record<string, StateManifest>>
  readonly keys: readonly SavedEntry[]
  readonly shared: readonly unknown[]
}

/** What the handles point at. */
class Cursor {
  own: Cells | null = null
  shared: Cells | null = null
  nowUs = 0
  floorUs = Number.NEGATIVE_INFINITY
}

/** One class for keyed and one for shared state: each reads its cell without asking which it is. */
class OwnSlot implements Slot<unknown> {
  readonly #at: Cursor
  readonly #index: number
  readonly #name: string
  readonly #journal: Journal
  constructor(at: Cursor, index: number, name: string, journal: Journal) {
    this.#at = at
    this.#index = index
    this.#name = name
    this.#journal = journal
  }

  get(): unknown {
    const { own } = this.#at
    if (own === null) throw refused(this.#at, this.#name)
    return own[this.#index]
  }

  set(cell: unknown): void {
    const { own } = this.#at
    if (own === null) throw refused(this.#at, this.#name)
    this.#journal.note(putCell, own, this.#index, own[this.#index])
    own[this.#index] = cell
  }

  onUndo(...noted: Parameters<Journal['note']>): void {
    this.#journal.note(...noted)
  }

  get nowUs(): number {
    return this.#at.nowUs
  }

  get floorUs(): number {
    return this.#at.floorUs
  }
}

class SharedSlot implements Slot<unknown> {
  readonly #at: Cursor
  readonly #index: number
  readonly #name: string
  readonly #journal: Journal
  constructor(at: Cursor, index: number, name: string, journal: Journal) {
    this.#at = at
    this.#index = index
    this.#name = name
    this.#journal = journal
  }

  get(): unknown {
    const { shared } = this.#at
    if (shared === null) throw refused(this.#at, this.#name)
    return shared[this.#index]
  }

  set(cell: unknown): void {
    const { shared } = this.#at
    if (shared === null) throw refused(this.#at, this.#name)
    this.#journal.note(putCell, shared, this.#index, shared[this.#index])
    shared[this.#index] = cell
  }

  onUndo(...noted: Parameters<Journal['note']>): void {
    this.#journal.note(...noted)
  }

  get nowUs(): number {
    return this.#at.nowUs
  }

  get floorUs(): number {
    return this.#at.floorUs
  }
}

const putCell = (cells: Cells, index: number, before: unknown): void => {
  cells[index] = before
}

function refused(at: Cursor, name: string): MillraceError {
  return at.shared === null
    ? new MillraceError('MR_PROCESSOR', `the state "${name}" was used after the call that it belongs to`, {
        fix: 'use state only before `on` returns: it must not be async',
      })
    : new MillraceError('MR_PROCESSOR', `the state "${name}" has no key here`, {
        fix: 'a row that is broadcast belongs to no key: keep it in shared.* state',
      })
}

export class KeyedState {
  /** What user code gets as `state`, by the declared names. */
  readonly handles: Readonly<Record<string, object>>
  readonly #declared: Readonly<Record<string, StateManifest>>
  readonly #kinds: readonly Kind<unknown>[]
  readonly #journal: Journal
  readonly #cursor = new Cursor()
  readonly #shards: Map<string, Entry>[] = Array.from({ length: SHARDS }, () => new Map())
  readonly #shared: Cells

  constructor(declared: Readonly<Record<string, StateManifest>>, journal = new Journal()) {
    const names = Object.keys(declared)
    this.#declared = declared
    this.#kinds = names.map((name) => kindOf(declared[name]!) as Kind<unknown>)
    this.#journal = journal
    this.#shared = names.map(() => null)
    const slotOf = (name: string, index: number): Slot<unknown> =>
      declared[name]!.scope === 'partition'
        ? new SharedSlot(this.#cursor, index, name, journal)
        : new OwnSlot(this.#cursor, index, name, journal)
    this.handles = Object.fromEntries(names.map((name, index) => [name, this.#kinds[index]!.handle(slotOf(name, index))]))
  }

  /** The entry of a key, made where there is none. */
  entryOf(key: string): Entry {
    const shard = this.#shards[shardOf(key)]!
    let entry = shard.get(key)
    if (entry === undefined) {
      const own = ownText(key)
      entry = { key: own, cells: this.#kinds.map(() => null), timers: null, isChanged: false }
      shard.set(own, entry)
    }
    return entry
  }

  /** Points the handles at a key, or at shared state alone. `floorUs`: no later call has a time before it. */
  enter(key: string | null, nowUs: number, floorUs: number): void {
    this.at(key === null ? null : this.entryOf(key), nowUs, floorUs)
  }

  /** As `enter`, for whoever has the entry. */
  at(entry: Entry | null, nowUs: number, floorUs: number): void {
    const cursor = this.#cursor
    cursor.own = entry === null ? null : entry.cells
    cursor.shared = this.#shared
    cursor.nowUs = nowUs
    cursor.floorUs = floorUs
    this.#journal.clear()
  }

  /** Takes back every change since `enter`. */
  undo(): void {
    this.#journal.undo()
  }

  /** Until the next `enter` the handles refuse to work. */
  leave(): void {
    this.#cursor.own = null
    this.#cursor.shared = null
  }

  /** Keys that have something to remember. */
  get keys(): number {
    let keys = 0
    for (const shard of this.#shards) for (const entry of shard.values()) if (!isEmpty(entry)) keys++
    return keys
  }

  #expire(cells: Cells): void {
    const { floorUs } = this.#cursor
    for (let index = 0; index < cells.length; index++)
      if (cells[index] !== null && this.#kinds[index]!.expire?.(cells[index], floorUs)) cells[index] = null
  }

  #encode(cells: Cells): unknown[] {
    return this.#kinds.map((kind, index) => (cells[index] === null ? null : kind.encode(cells[index])))
  }

  #encodeEntry({ key, cells, timers }: Entry): SavedEntry {
    if (timers === null) return [key, this.#encode(cells)]
    const saved: SavedTimer[] = []
    for (let timer: Timer | null = timers; timer !== null; timer = timer.next) saved.push([timer.name, timer.atUs, timer.by, timer.seq])
    return [key, this.#encode(cells), saved]
  }

  /** Plain JSON of all keys, without what has expired; later changes do not show in it. */
  save(): unknown {
    this.#expire(this.#shared)
    const keys: SavedEntry[] = []
    for (const shard of this.#shards)
      for (const entry of shard.values()) {
        this.#expire(entry.cells)
        if (isEmpty(entry)) shard.delete(entry.key)
        else keys.push(this.#encodeEntry(entry))
      }
    return { declared: this.#declared, keys, shared: this.#encode(this.#shared) } satisfies Saved
  }

  /** States that are new, or that were declared as another kind or type, start empty. Calls `onTimer` with each timer. */
  restore(saved: unknown, onTimer: (entry: Entry, timer: SavedTimer) => void = () => {}): void {
    for (const shard of this.#shards) shard.clear()
    this.#shared.fill(null)
    this.#journal.clear()
    this.leave()
    if (!saved) return
    const { declared: then, keys, shared } = saved as Saved
    const savedNames = Object.keys(then)
    const isSame = (name: string): boolean => JSON.stringify(then[name]) === JSON.stringify(this.#declared[name])
    const from = Object.keys(this.#declared).map((name) => (isSame(name) ? savedNames.indexOf(name) : -1))
    const decode = (of: readonly unknown[], into: Cells): void => {
      for (const [own, index] of from.entries())
        into[own] = index < 0 || (of[index] ?? null) === null ? null : this.#kinds[own]!.decode(of[index])
    }
    for (const [key, cells, timers] of keys) {
      const entry = this.entryOf(key)
      decode(cells, entry.cells)
      for (const timer of timers ?? []) onTimer(entry, timer)
    }
    decode(shared, this.#shared)
  }
}

function isEmpty({ cells, timers }: Entry): boolean {
  if (timers !== null) return false
  for (const cell of cells) if (cell !== null) return false
  return true
}

export const keyedState = (declared: Readonly<Record<string, StateManifest>>, journal?: Journal): KeyedState =>
  new KeyedState(declared, journal)
