// Slots in an order that others know, each with a weight, in chunks that know the weight that is in them: what comes in or goes moves no
// more than its chunk, and the n-th is found without looking at all before. Relies on the order of slots that are in staying as it is.
import { grown } from '../../core/grown.ts'

/** About what one takes in memory, and each slot that is in it. */
export const ORDER_BYTES = 500
export const ORDERED_BYTES = 7

/** Chunks of this many are cut in two, and neighbours that are half of it together become one. */
const CHUNK_MAX = 256
const CHUNK_BEGUN = CHUNK_MAX / 2
const ROOM_MIN = 8

const one = (): number => 1

interface Chunk {
  /** The first `size`, in order. */
  slots: Int32Array
  size: number
  weight: number
}

/** Between slots, or at the end: the slot that stands there, and all behind it, are at or behind the place. Holds until something changes. */
export interface Place {
  readonly chunk: number
  readonly at: number
}

export class OrderedSlots {
  readonly #weightOf: (slot: number) => number
  /** At least one; none is empty, but for the only one. */
  readonly #chunks: Chunk[]
  #size: number
  #weight: number

  /** `sorted`: in order. `weightOf`: a whole number above 0, as it is now. */
  constructor(sorted: readonly number[] = [], weightOf: (slot: number) => number = one) {
    this.#weightOf = weightOf
    this.#chunks = [this.#chunkOf(sorted, 0)]
    for (let from = CHUNK_BEGUN; from < sorted.length; from += CHUNK_BEGUN) this.#chunks.push(this.#chunkOf(sorted, from))
    this.#size = sorted.length
    this.#weight = this.#chunks.reduce((sum, { weight }) => sum + weight, 0)
  }

  /** Of those from there on, as many as one begins with. */
  #chunkOf(sorted: ArrayLike<number>, from: number): Chunk {
    const size = Math.min(sorted.length - from, CHUNK_BEGUN)
    const slots = new Int32Array(Math.max(size, ROOM_MIN))
    let weight = 0
    for (let i = 0; i < size; i++) {
      slots[i] = sorted[from + i]!
      weight += this.#weightOf(slots[i]!)
    }
    return { slots, size, weight }
  }

  get size(): number {
    return this.#size
  }

  /** Of all. */
  get weight(): number {
    return this.#weight
  }

  /** Behind all slots that come before, as the caller says; those are the first ones. */
  behind(isBefore: (slot: number) => boolean): Place {
    let [chunk, last] = [0, this.#chunks.length - 1]
    while (chunk < last) {
      const middle = (chunk + last) >> 1
      const { slots, size } = this.#chunks[middle]!
      if (isBefore(slots[size - 1]!)) chunk = middle + 1
      else last = middle
    }
    const { slots, size } = this.#chunks[chunk]!
    let [at, end] = [0, size]
    while (at < end) {
      const middle = (at + end) >> 1
      if (isBefore(slots[middle]!)) at = middle + 1
      else end = middle
    }
    return { chunk, at }
  }

  /** Undefined at the end. */
  slotAt({ chunk, at }: Place): number | undefined {
    const { slots, size } = this.#chunks[chunk]!
    return at < size ? slots[at] : undefined
  }

  /** How many slots come before the place, and no more than `most`, for which it looks at few chunks. */
  count({ chunk, at }: Place, most: number): number {
    let before = 0
    for (let i = 0; i < chunk && before < most; i++) before += this.#chunks[i]!.size
    return Math.min(before + at, most)
  }

  /** The slot at which the weights from the first on go beyond this one, which is from 0 on and below `weight`. */
  slotBeyond(weight: number): number {
    let [index, rest] = [0, weight]
    while (rest >= this.#chunks[index]!.weight) rest -= this.#chunks[index++]!.weight
    const chunk = this.#chunks[index]!
    // Each weighs 1.
    if (chunk.weight === chunk.size) return chunk.slots[rest]!
    let at = 0
    for (let own = this.#weightOf(chunk.slots[at]!); rest >= own; own = this.#weightOf(chunk.slots[++at]!)) rest -= own
    return chunk.slots[at]!
  }

  /** The slots from one place in their order to before another; none where there are none. */
  slice(from = 0, until = this.#size): number[] {
    const out: number[] = []
    if (from >= until) return out
    let first = 0
    for (const { slots, size } of this.#chunks) {
      if (first >= until) break
      for (let i = Math.max(0, from - first); i < Math.min(size, until - first); i++) out.push(slots[i]!)
      first += size
    }
    return out
  }

  /** Puts all in order into `out`, from there on. Answers where the last one ends. */
  copyTo(out: Int32Array, from: number): number {
    let at = from
    for (const chunk of this.#chunks) at = copyChunk(chunk, out, at)
    return at
  }

  insert({ chunk: index, at }: Place, slot: number): void {
    const chunk = this.#chunks[index]!
    chunk.slots = grown(chunk.slots, chunk.size + 1)
    chunk.slots.copyWithin(at + 1, at, chunk.size)
    chunk.slots[at] = slot
    chunk.size++
    this.#size++
    this.#weigh(chunk, this.#weightOf(slot))
    if (chunk.size < CHUNK_MAX) return
    this.#chunks.splice(index, 1, this.#chunkOf(chunk.slots, 0), this.#chunkOf(chunk.slots, CHUNK_BEGUN))
  }

  /** The slot that stands there. `weight`: that it had. */
  remove({ chunk: index, at }: Place, weight = 1): void {
    const chunk = this.#chunks[index]!
    chunk.slots.copyWithin(at, at + 1, chunk.size)
    chunk.size--
    this.#size--
    this.#weigh(chunk, -weight)
    if (chunk.size === 0 && this.#chunks.length > 1) this.#chunks.splice(index, 1)
    this.#join(index)
    this.#join(index - 1)
  }

  /** The weight of the slot that stands there has become another by so much. */
  weigh({ chunk }: Place, by: number): void {
    this.#weigh(this.#chunks[chunk]!, by)
  }

  #weigh(chunk: Chunk, by: number): void {
    chunk.weight += by
    this.#weight += by
  }

  /** A chunk with the next one, where both are small. */
  #join(index: number): void {
    const [chunk, next] = [this.#chunks[index], this.#chunks[index + 1]]
    if (!chunk || !next || chunk.size + next.size > CHUNK_BEGUN) return
    const slots = [...chunk.slots.subarray(0, chunk.size), ...next.slots.subarray(0, next.size)]
    this.#chunks.splice(index, 2, this.#chunkOf(slots, 0))
  }
}

/** By hand, since most are of few slots; a function of its own, since one that runs once is not compiled. */
function copyChunk({ slots, size }: Chunk, out: Int32Array, at: number): number {
  for (let i = 0; i < size; i++) out[at + i] = slots[i]!
  return at + size
}
