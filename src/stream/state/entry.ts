// What a partition of a processor remembers of one key: its cells and its timers. Entries that are used are here as objects, all others
// only as lines of their shard's log, which is what checkpoints and spills hold.
import { EntryLog } from './entry-log.ts'
import type { Kind } from './slot.ts'

export type TimeOf = 'event' | 'arrival'

/** One for each key and name. They fire in the order of their times, of equal ones in the order in which they were set. */
export interface Timer {
  readonly entry: Entry
  readonly name: string
  readonly atUs: number
  readonly by: TimeOf
  readonly seq: number
  /** Of the same key. */
  next: Timer | null
  /** Was replaced, cancelled or taken back: it only waits to be dropped. */
  isOff: boolean
}

export interface Entry {
  readonly key: string
  readonly hash: number
  readonly shard: Shard
  /** By the order of the declared states; null for nothing. Those of shared states stay null. */
  readonly cells: unknown[]
  /** The first of its timers. */
  timers: Timer | null
  /** It is not as its line is, or has none. */
  isChanged: boolean
  /** Since it was looked at to make room. */
  isUsed: boolean
  /** Waits for its size to be looked at again. */
  isTouched: boolean
  /** About how much memory it takes. */
  bytes: number
}

/** A part of the keys, by their hash. It is in memory whole, or spilled whole. */
export interface Shard {
  readonly index: number
  /** Those that are used; of those that have timers, all. */
  readonly entries: Map<string, Entry>
  readonly log: EntryLog
  isSpilled: boolean
  /** Of the entries that are used, as of when each was looked at last. */
  bytes: number
  /** Counts up: the least is what was used longest ago. */
  usedAt: number
  /** It holds timers that wait for the next record: it stays. */
  isPinned: boolean
  /** It was spilled with changes: the next checkpoint takes all of it. */
  isStale: boolean
  // In the last checkpoint: bytes of its base and of what was added since; 0 when it is not there.
  baseBytes: number
  addedBytes: number
}

/** Of an entry without cells: itself, its place in a map, its list of cells. */
export const ENTRY_BYTES = 160
const TIMER_BYTES = 96

/** About how much memory it takes. */
export function sizeOf({ key, cells, timers }: Entry, kinds: readonly Kind<unknown>[]): number {
  let bytes = ENTRY_BYTES + key.length + 8 * cells.length
  for (let index = 0; index < cells.length; index++) if (cells[index] !== null) bytes += kinds[index]!.sizeOf(cells[index])
  for (let timer = timers; timer !== null; timer = timer.next) bytes += TIMER_BYTES
  return bytes
}

export function isEmpty({ cells, timers }: Entry): boolean {
  if (timers !== null) return false
  for (const cell of cells) if (cell !== null) return false
  return true
}

export const SHARDS = 256

/** The hash folded to a byte. */
export const shardOf = (hash: number): number => (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & (SHARDS - 1)

export const emptyShard = (index: number): Shard => ({
  index,
  entries: new Map(),
  log: new EntryLog(),
  isSpilled: false,
  bytes: 0,
  usedAt: 0,
  isPinned: false,
  isStale: false,
  baseBytes: 0,
  addedBytes: 0,
})
