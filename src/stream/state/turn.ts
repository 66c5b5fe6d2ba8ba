// Goes through the keys of all shards, a few at a time and round and round, so that each is looked at in time.
import { type Entry, SHARDS, type Shard } from './entry.ts'

/** An entry, or the place of a line in its shard's log. */
export interface Looked {
  readonly shard: Shard
  readonly entry: Entry | null
  readonly position: number
}

/** A line has to be read: it counts as so many entries. */
const LINE = 4

export class Turn {
  #shard = 0
  #rest: Iterator<Entry> = [].values()
  #lines: Iterator<number> = [].values();

  /** The next ones, `count` in all, of what is not spilled; each shard once at most. */
  *take(shards: readonly Shard[], count: number, withLines: boolean): Generator<Looked> {
    for (let left = count, done = 0; left > 0 && done <= SHARDS; ) {
      const shard = shards[this.#shard]!
      const entry = this.#rest.next()
      if (!entry.done) {
        left--
        yield { shard, entry: entry.value, position: -1 }
        continue
      }
      const line = this.#lines.next()
      if (!line.done) {
        left -= LINE
        yield { shard, entry: null, position: line.value }
        continue
      }
      done++
      this.#shard = (this.#shard + 1) % SHARDS
      const { isSpilled, entries, log } = shards[this.#shard]!
      this.#rest = isSpilled ? [].values() : entries.values()
      this.#lines = isSpilled || !withLines ? [].values() : log.positions()
    }
  }
}
