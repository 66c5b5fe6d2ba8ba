// What checkpoints have of a shard: a base and what was added to it since, until that is as much again and the shard is
// written anew. Decision 15.
import type { ChainContent, ChainLeaf } from '../state-tree.ts'
import { SHARDS, type Shard } from './entry.ts'
import type { EntryCodec, SavedEntry, SavedTimer } from './entry-codec.ts'
import { hashOf } from './entry-log.ts'
import type { Spill } from './spill.ts'

/** What is added to a base may grow to as much as it, and so much more. */
const ADDED_MIN = 2_048

/** Its chain has grown long. Shards reach that one after another. */
export function isLong({ baseBytes, addedBytes, index, isSpilled, log }: Shard): boolean {
  return !isSpilled && baseBytes > 0 && addedBytes + log.unsaved > ADDED_MIN + baseBytes * (0.5 + index / SHARDS)
}

/** The next checkpoint takes all of it. */
export function anew(shard: Shard): void {
  shard.log.compact()
  shard.isStale = true
}

/** Its part of a checkpoint, under `$chain`; null for a shard without keys. `spill`: where it is when it is spilled. */
export function saveShard(shard: Shard, $chain: string, spill: Spill | undefined): ChainLeaf | null {
  const { log } = shard
  if (shard.isSpilled) {
    if (!shard.isStale) return { $chain, base: null, added: [] }
    const base = spill!.read($chain)
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

/** Entries of another form are written anew: what reads them, what writes them, and how many cells they have. */
export interface Rewrite {
  readonly from: EntryCodec
  readonly to: EntryCodec
  readonly cells: number
}

/** `baseBytes`: absent in checkpoints that do not tell it. */
export function loadShard(shard: Shard, leaf: ChainLeaf | ChainContent, baseBytes: number | undefined, rewrite: Rewrite | null): void {
  const parts = 'parts' in leaf ? leaf.parts : [...(leaf.base ?? []), ...leaf.added]
  shard.log.load(parts, rewrite === null)
  if (rewrite) rewriteLines(shard, rewrite)
  const bytes = parts.reduce((sum, { length }) => sum + length, 0)
  shard.baseBytes = rewrite ? 0 : (baseBytes ?? parts[0]!.length)
  shard.addedBytes = bytes - shard.baseBytes
  shard.isStale = rewrite !== null
}

function rewriteLines({ log }: Shard, { from, to, cells }: Rewrite): void {
  const texts = Array.from(log.positions(), (position) => log.text(position))
  log.clear()
  for (const text of texts) {
    const [key, saved, timers] = JSON.parse(text) as SavedEntry
    const read = Array.from<unknown>({ length: cells }).fill(null)
    from.decodeCells(saved, read)
    const line = JSON.stringify(timers ? [key, to.encodeCells(read), timers] : [key, to.encodeCells(read)])
    log.put(key, hashOf(key), `${timers ? ' ' : ''}${line}\n`)
  }
}

/** The lines that have timers. `isMarked`: only lines that say so may have some. */
export function* timersOf(
  { log }: Shard,
  isMarked: boolean,
): Generator<{ readonly position: number; readonly timers: readonly SavedTimer[] }> {
  for (const position of log.positions()) {
    if (isMarked && !log.isMarked(position)) continue
    const timers = (JSON.parse(log.text(position)) as SavedEntry)[2]
    if (timers !== undefined) yield { position, timers }
  }
}
