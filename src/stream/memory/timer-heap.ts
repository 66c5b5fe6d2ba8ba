// Timers by their time, the earliest first: a binary heap over typed arrays. An entry belongs to a slot and to one use of it
// (its stamp): whoever takes it out knows from the stamp whether the slot is still the same.
import { grown } from '../../core/grown.ts'

export class TimerHeap {
  #times: Float64Array = new Float64Array(16)
  #slots: Int32Array = new Int32Array(16)
  #stamps: Int32Array = new Int32Array(16)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Time of the earliest; infinite when there is none. */
  get first(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  /** Of memory. */
  get bytes(): number {
    return this.#times.byteLength + this.#slots.byteLength + this.#stamps.byteLength
  }

  push(time: number, slot: number, stamp: number): void {
    this.#times = grown(this.#times, this.#size + 1)
    this.#slots = grown(this.#slots, this.#size + 1)
    this.#stamps = grown(this.#stamps, this.#size + 1)
    let at = this.#size++
    while (at > 0) {
      const above = (at - 1) >> 1
      if (this.#times[above]! <= time) break
      this.#move(above, at)
      at = above
    }
    this.#set(at, time, slot, stamp)
  }

  pop(): { readonly slot: number; readonly stamp: number } {
    const entry = { slot: this.#slots[0]!, stamp: this.#stamps[0]! }
    const last = --this.#size
    const [time, slot, stamp] = [this.#times[last]!, this.#slots[last]!, this.#stamps[last]!]
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below >= last) break
      if (below + 1 < last && this.#times[below + 1]! < this.#times[below]!) below++
      if (this.#times[below]! >= time) break
      this.#move(below, at)
      at = below
    }
    this.#set(at, time, slot, stamp)
    return entry
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#times[from]!, this.#slots[from]!, this.#stamps[from]!)
  }

  #set(at: number, time: number, slot: number, stamp: number): void {
    this.#times[at] = time
    this.#slots[at] = slot
    this.#stamps[at] = stamp
  }
}
