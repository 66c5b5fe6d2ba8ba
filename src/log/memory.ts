// What a partition remembers to write nothing twice: idempotency keys for a day, origins of re-driven records, the last
// emission number of each pipeline. All of it is also in the batches, from which recovery rebuilds it.
// PROTOCOL rules 3, 9 and 20.
import type { Append, RecordKind } from './log.ts'

/** Offsets under which a key or an origin was written. */
export interface Known {
  readonly hash: string
  readonly first: number
  readonly count: number
  readonly timeMs: number
}

const KIND_LETTERS: Readonly<Record<RecordKind, string>> = { rows: 'r', rejects: 'x', control: 'c' }

/** The rows and the rejects of one request carry the same key, so the kind is part of it. */
export const scopedKey = (kind: RecordKind, key: string): string => KIND_LETTERS[kind] + key

export class Memory {
  readonly keys = new Map<string, Known>()
  readonly redrives = new Map<string, Known>()
  readonly emissions = new Map<string, number>()

  /** Adds a key with a time not below those of all keys added before. */
  remember(key: string, known: Known): void {
    this.keys.delete(key) // an expired namesake must not keep its early place in the order
    this.keys.set(key, known)
  }

  emitted(pipeline: string, last: number): void {
    this.emissions.set(pipeline, Math.max(last, this.emissions.get(pipeline) ?? -1))
  }

  /** Forgets keys from before `beforeMs`; the map's order is the order of time. */
  expire(beforeMs: number): void {
    for (const [key, known] of this.keys) {
      if (known.timeMs >= beforeMs) return
      this.keys.delete(key)
    }
  }

  /** Forgets origins whose records lie below `offset`. */
  forgetRedrives(offset: number): void {
    for (const [origin, known] of this.redrives) if (known.first < offset) this.redrives.delete(origin)
  }

  /** What an append repeats: the same key or the same origin. */
  repeated(part: Append): Known | undefined {
    return (
      (part.idempotency && this.keys.get(scopedKey(part.kind, part.idempotency.key))) ??
      (part.redriveOf === undefined ? undefined : this.redrives.get(part.redriveOf))
    )
  }
}
