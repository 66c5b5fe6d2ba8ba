// What a partition of a processor remembers of one key: its cells and its timers. The unit of checkpoints and of what is spilled.

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
  readonly shard: Shard
  /** By the order of the declared states; null for nothing. Those of shared states stay null. */
  readonly cells: unknown[]
  /** The first of its timers. */
  timers: Timer | null
  /** Since the last checkpoint. */
  isChanged: boolean
  /** Waits for its size to be looked at again. */
  isTouched: boolean
  /** About how much memory it takes. */
  bytes: number
}

/** A part of the keys, by their hash. It is in memory whole, or spilled whole. */
export interface Shard {
  readonly index: number
  readonly entries: Map<string, Entry>
  isSpilled: boolean
  /** Of its entries, as of when each was looked at last. */
  bytes: number
  /** Counts up: the least is what was used longest ago. */
  usedAt: number
  // Since the last checkpoint.
  changed: Entry[]
  /** Keys that are in the last checkpoint and are no more. */
  gone: string[]
  /** It holds timers that wait for the next record: it stays. */
  isPinned: boolean
  /** It was spilled with changes: the next checkpoint takes all of it. */
  isStale: boolean
  // In the last checkpoint: bytes of its base and of what was added since; 0 when it is not there.
  baseBytes: number
  addedBytes: number
}

export const SHARDS = 256

/** Of the key's UTF-16 units: FNV-1a, folded to a byte. */
export function shardOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & (SHARDS - 1)
}

export const emptyShard = (index: number): Shard => ({
  index,
  entries: new Map(),
  isSpilled: false,
  bytes: 0,
  usedAt: 0,
  changed: [],
  gone: [],
  isPinned: false,
  isStale: false,
  baseBytes: 0,
  addedBytes: 0,
})
