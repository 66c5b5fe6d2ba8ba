// Slots by time, so that those before a time are found without looking at the others: lists of a tenth of a second, and a heap of
// the lists. A slot is given up only after it was taken out here: slots are used again.
import { grown } from '../../core/grown.ts'
import type { Doubles } from './paged.ts'
import { TimerHeap } from './timer-heap.ts'

const WIDTH_US = 100_000

interface Bucket {
  slots: Int32Array
  count: number
}

export class TimeBuckets {
  #buckets = new Map<number, Bucket>()
  #starts = new TimerHeap()
  /** The last bucket that was added to: rows come nearly in order. */
  #last: Bucket | null = null
  #lastStart = Number.NaN

  add(timeUs: number, slot: number): void {
    const start = Math.floor(timeUs / WIDTH_US)
    const bucket = start === this.#lastStart ? this.#last! : this.#bucketAt(start)
    bucket.slots = grown(bucket.slots, bucket.count + 1)
    bucket.slots[bucket.count++] = slot
  }

  #bucketAt(start: number): Bucket {
    let bucket = this.#buckets.get(start)
    if (!bucket) {
      bucket = { slots: new Int32Array(4), count: 0 }
      this.#buckets.set(start, bucket)
      this.#starts.push(start, 0, 0)
    }
    this.#last = bucket
    this.#lastStart = start
    return bucket
  }

  /** Takes out the slots whose time is before `beforeUs`; `times` are those of the slots. Each is given once. */
  take(beforeUs: number, times: Doubles): number[] {
    const taken: number[] = []
    const before = Math.floor(beforeUs / WIDTH_US)
    while (this.#starts.first <= before) {
      const start = this.#starts.first
      const bucket = this.#buckets.get(start)!
      let kept = 0
      for (let i = 0; i < bucket.count; i++) {
        const slot = bucket.slots[i]!
        if (start < before || times.at(slot) < beforeUs) taken.push(slot)
        else bucket.slots[kept++] = slot
      }
      bucket.count = kept
      if (kept > 0) break
      this.#starts.pop()
      this.#buckets.delete(start)
      if (start === this.#lastStart) this.#lastStart = Number.NaN
    }
    return taken
  }
}
