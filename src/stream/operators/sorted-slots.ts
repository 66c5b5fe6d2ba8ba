// Slots in an order that others know, in chunks: where one comes in or goes, no more than its chunk moves, however many there are.

/** Slots of a chunk: what has more is cut in two, and small neighbours become one. */
const CHUNK_MAX = 512
const CHUNK_SMALL = CHUNK_MAX / 4

/** Between slots, or at the end: the slot that stands there, and all behind it, are at or behind the place. Holds until something changes. */
export interface Place {
  readonly chunk: number
  readonly at: number
}

export class SortedSlots {
  readonly #chunks: number[][] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Behind all slots that come before, as the caller says; those are the first ones. */
  behind(isBefore: (slot: number) => boolean): Place {
    const chunk = firstNot(this.#chunks.length, (index) => isBefore(this.#chunks[index]!.at(-1)!))
    const slots = this.#chunks[chunk]
    return { chunk, at: slots ? firstNot(slots.length, (index) => isBefore(slots[index]!)) : 0 }
  }

  /** Behind all slots. */
  get end(): Place {
    return { chunk: this.#chunks.length, at: 0 }
  }

  insert({ chunk, at }: Place, slot: number): void {
    this.#size++
    if (this.#chunks.length === 0) this.#chunks.push([])
    const grown = Math.min(chunk, this.#chunks.length - 1)
    const slots = this.#chunks[grown]!
    slots.splice(grown === chunk ? at : slots.length, 0, slot)
    if (slots.length > CHUNK_MAX) this.#chunks.splice(grown + 1, 0, slots.splice(CHUNK_MAX / 2))
  }

  /** The slot that stands there. */
  remove({ chunk, at }: Place): void {
    const slots = this.#chunks[chunk]!
    this.#size--
    slots.splice(at, 1)
    if (slots.length === 0) this.#chunks.splice(chunk, 1)
    this.#join(chunk)
    this.#join(chunk - 1)
  }

  /** With the next chunk, where both are small. */
  #join(chunk: number): void {
    const [slots, next] = [this.#chunks[chunk], this.#chunks[chunk + 1]]
    if (!slots || !next || slots.length + next.length > CHUNK_SMALL) return
    slots.push(...next)
    this.#chunks.splice(chunk + 1, 1)
  }

  /** Undefined at the end. */
  slotAt({ chunk, at }: Place): number | undefined {
    return this.#chunks[chunk]?.[at]
  }

  /** How many slots come before the place, and no more than `most`, for which it looks at few chunks. */
  count({ chunk, at }: Place, most: number): number {
    let before = 0
    for (let i = 0; i < chunk && before < most; i++) before += this.#chunks[i]!.length
    return Math.min(before + at, most)
  }

  /** The slots from one place in their order to before another; none where there are none. */
  slice(from: number, until: number): number[] {
    const out: number[] = []
    let first = 0
    for (const slots of this.#chunks) {
      if (first >= until) break
      if (first + slots.length > from) out.push(...slots.slice(Math.max(0, from - first), until - first))
      first += slots.length
    }
    return out
  }

  /** Puts all in order into `out`, from there on. Answers where the last one ends. */
  copyTo(out: Int32Array, from: number): number {
    let at = from
    for (const slots of this.#chunks) {
      out.set(slots, at)
      at += slots.length
    }
    return at
  }

  /** In order. */
  *[Symbol.iterator](): Generator<number> {
    for (const slots of this.#chunks) yield* slots
  }
}

/** The first index below `size` of which it does not hold, which it does of all before and of none behind; `size` where it holds of all. */
function firstNot(size: number, holds: (index: number) => boolean): number {
  let [low, high] = [0, size]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) low = middle + 1
    else high = middle
  }
  return low
}
