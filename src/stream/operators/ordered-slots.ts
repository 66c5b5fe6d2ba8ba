// Slots in the order of what they hold, each with a weight, so that the n-th is found without sorting: chunks of some hundred, which know
// the weight that is in them. A slot is put in and taken out by halves; what moves for it is within a chunk. Relies on the order of slots
// that are in staying as it is. Slots are in it once.

/** About what one takes in memory, and each slot that is in it. */
export const ORDER_BYTES = 600
export const ORDERED_BYTES = 6

/** Chunks of this many are cut in two; neighbours that are a quarter of it together become one. */
const CHUNK_MAX = 256
const TOGETHER_MAX = CHUNK_MAX / 4
const FIRST = 8

interface Chunk {
  /** The first `size`, in order. */
  slots: Int32Array
  size: number
  weight: number
}

export class OrderedSlots {
  readonly #compare: (a: number, b: number) => number
  readonly #weightOf: ((slot: number) => number) | null
  /** None is empty. */
  readonly #chunks: Chunk[] = []
  #weight = 0

  /** `slots` need not be in order; `compare` is 0 for none of two. `weightOf`: as it is now, never 0; each is 1 where null. */
  constructor(slots: readonly number[], compare: (a: number, b: number) => number, weightOf: ((slot: number) => number) | null = null) {
    this.#compare = compare
    this.#weightOf = weightOf
    const sorted = slots.toSorted(compare)
    for (let at = 0; at < sorted.length; at += CHUNK_MAX / 2)
      this.#chunks.push(this.#chunkOf(Int32Array.from(sorted.slice(at, at + CHUNK_MAX / 2))))
    for (const chunk of this.#chunks) this.#weight += chunk.weight
  }

  #chunkOf(slots: Int32Array): Chunk {
    return { slots, size: slots.length, weight: this.#weightIn(slots, slots.length) }
  }

  #weightIn(slots: Int32Array, size: number): number {
    if (this.#weightOf === null) return size
    let weight = 0
    for (let i = 0; i < size; i++) weight += this.#weightOf(slots[i]!)
    return weight
  }

  get size(): number {
    let size = 0
    for (const chunk of this.#chunks) size += chunk.size
    return size
  }

  /** Of all. */
  get weight(): number {
    return this.#weight
  }

  /** The slot at which the weights from the first on go beyond `place`, from 0 on and below `weight`. */
  at(place: number): number {
    let rest = place
    let number = 0
    while (rest >= this.#chunks[number]!.weight) rest -= this.#chunks[number++]!.weight
    const { slots, size, weight } = this.#chunks[number]!
    if (this.#weightOf === null || weight === size) return slots[rest]!
    let i = 0
    for (let own = this.#weightOf(slots[i]!); rest >= own; own = this.#weightOf(slots[i]!)) {
      rest -= own
      i++
    }
    return slots[i]!
  }

  add(slot: number): void {
    const own = this.#weightOf === null ? 1 : this.#weightOf(slot)
    this.#weight += own
    const number = Math.min(this.#chunkFor(slot), this.#chunks.length - 1)
    if (number < 0) {
      this.#chunks.push(this.#chunkOf(Int32Array.of(slot)))
      return
    }
    const chunk = this.#chunks[number]!
    const at = this.#placeIn(chunk, slot)
    if (chunk.size === chunk.slots.length) chunk.slots = withRoom(chunk)
    chunk.slots.copyWithin(at + 1, at, chunk.size)
    chunk.slots[at] = slot
    chunk.size++
    chunk.weight += own
    if (chunk.size === CHUNK_MAX) this.#cut(number)
  }

  /** `weight`: that it had. */
  remove(slot: number, weight = 1): void {
    const number = this.#chunkFor(slot)
    const chunk = this.#chunks[number]!
    const at = this.#placeIn(chunk, slot)
    chunk.slots.copyWithin(at, at + 1, chunk.size)
    chunk.size--
    chunk.weight -= weight
    this.#weight -= weight
    if (chunk.size === 0) this.#chunks.splice(number, 1)
    else if (chunk.size < TOGETHER_MAX) this.#join(number)
  }

  /** The weight of a slot that is in has become another by so much. */
  weigh(slot: number, by: number): void {
    this.#chunks[this.#chunkFor(slot)]!.weight += by
    this.#weight += by
  }

  /** The first chunk whose last slot is not before this one; their number for none. */
  #chunkFor(slot: number): number {
    let [from, until] = [0, this.#chunks.length]
    while (from < until) {
      const middle = (from + until) >>> 1
      const { slots, size } = this.#chunks[middle]!
      if (this.#compare(slots[size - 1]!, slot) < 0) from = middle + 1
      else until = middle
    }
    return from
  }

  #placeIn({ slots, size }: Chunk, slot: number): number {
    let [from, until] = [0, size]
    while (from < until) {
      const middle = (from + until) >>> 1
      if (this.#compare(slots[middle]!, slot) < 0) from = middle + 1
      else until = middle
    }
    return from
  }

  #cut(number: number): void {
    const { slots, size } = this.#chunks[number]!
    this.#chunks.splice(number, 1, this.#chunkOf(slots.slice(0, size / 2)), this.#chunkOf(slots.slice(size / 2, size)))
  }

  /** With the one behind it, where they are small. */
  #join(number: number): void {
    const [chunk, next] = [this.#chunks[number]!, this.#chunks[number + 1]]
    if (!next || chunk.size + next.size > TOGETHER_MAX) return
    const slots = new Int32Array(chunk.size + next.size)
    slots.set(chunk.slots.subarray(0, chunk.size))
    slots.set(next.slots.subarray(0, next.size), chunk.size)
    this.#chunks.splice(number, 2, { slots, size: slots.length, weight: chunk.weight + next.weight })
  }
}

function withRoom({ slots, size }: Chunk): Int32Array {
  const larger = new Int32Array(Math.max(FIRST, size * 2))
  larger.set(slots)
  return larger
}
