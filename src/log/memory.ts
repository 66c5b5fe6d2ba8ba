// What a partition remembers to write nothing twice: idempotency keys for a day, origins of re-driven records, the last
// emission number of each pipeline. All of it is also in the batches, from which recovery rebuilds it.
// PROTOCOL rules 3, 9 and 20.
import { digestBody, digestKey, type KeyEntry, KeyTable } from './key-table.ts'
import type { RecordKind } from './log.ts'

/** Offsets under which a key or an origin was written. */
export interface Known {
  readonly first: number
  readonly count: number
}

const KIND_LETTERS: Readonly<Record<RecordKind, string>> = { rows: 'r', rejects: 'x', control: 'c', deletes: 'd', changes: 'm' }

/** The rows and the rejects of one request carry the same key, so the kind is part of it. */
export const scopedKey = (kind: RecordKind, key: string): string => KIND_LETTERS[kind] + key

export class Memory {
  readonly keys = new KeyTable()
  readonly redrives = new Map<string, Known>()
  readonly emissions = new Map<string, number>()
  /** The last key that was asked for: most are asked for twice in a row. */
  #asked: { readonly key: string; readonly entry: KeyEntry | undefined } | undefined

  /** Where a scoped key was written, and whether with this body. */
  find(key: string, hash: string): (Known & { readonly isSameBody: boolean }) | undefined {
    if (this.#asked?.key !== key) this.#asked = { key, entry: this.keys.get(digestKey(key)) }
    const { entry } = this.#asked
    return entry && { first: entry.first, count: entry.count, isSameBody: entry.body === digestBody(hash) }
  }

  /** Adds a scoped key with a time and an offset not below those of all keys added before. */
  remember(key: string, hash: string, first: number, count: number, timeMs: number): void {
    this.recall([{ key: digestKey(key), body: digestBody(hash), first, count, timeMs }])
  }

  /** Adds keys in their stored form. */
  recall(entries: readonly KeyEntry[]): void {
    this.#asked = undefined
    for (const entry of entries) this.keys.add(entry)
  }

  emitted(pipeline: string, last: number): void {
    this.emissions.set(pipeline, Math.max(last, this.emissions.get(pipeline) ?? -1))
  }

  /** Forgets keys from before `beforeMs`. */
  expire(beforeMs: number): void {
    this.#asked = undefined
    this.keys.expire(beforeMs)
  }

  /** Forgets origins whose records lie below `offset`. */
  forgetRedrives(offset: number): void {
    for (const [origin, known] of this.redrives) if (known.first < offset) this.redrives.delete(origin)
  }
}
