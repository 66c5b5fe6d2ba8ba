// The idempotency keys of a partition over a day, in 52 bytes a slot and outside the garbage collector's reach: a thousand
// requests a second are 86 million keys, which no Map of objects holds. A ring in the order of time, and an index of open
// addressing over it. Keys are kept as 128 bits of SHA-256 (no two that occur are alike), bodies as 64.
import { hash as digest } from 'node:crypto'

/** A key as it is stored: `key` 32 and `body` 16 hexadecimal digits. */
export interface KeyEntry {
  readonly key: string
  readonly body: string
  readonly first: number
  readonly count: number
  readonly timeMs: number
}

const KEY_DIGITS = 32
const BODY_DIGITS = 16
const CAPACITY_MIN = 64
/** Places in the index for one entry in the ring: at most half of them are taken. */
const PLACES = 2

export const digestKey = (key: string): string => digest('sha256', key, 'hex').slice(0, KEY_DIGITS)
export const digestBody = (body: string): string => digest('sha256', body, 'hex').slice(0, BODY_DIGITS)

const word = (hex: string, at: number): number => Number.parseInt(hex.slice(at * 8, at * 8 + 8), 16)
const hexOf = (words: Uint32Array, from: number, count: number): string => {
  let hex = ''
  for (let at = from; at < from + count; at++) hex += words[at]!.toString(16).padStart(8, '0')
  return hex
}

export class KeyTable {
  #capacity = CAPACITY_MIN
  /** Entries are numbered; entry `n` lies in slot `n % capacity`. */
  #oldest = 0
  #next = 0
  #keys = new Uint32Array(4 * CAPACITY_MIN)
  #bodies = new Uint32Array(2 * CAPACITY_MIN)
  #firsts = new Float64Array(CAPACITY_MIN)
  #times = new Float64Array(CAPACITY_MIN)
  #counts = new Uint32Array(CAPACITY_MIN)
  /** Slot + 1 of the entry that has this place, 0 for none. */
  #index = new Uint32Array(PLACES * CAPACITY_MIN)

  get size(): number {
    return this.#next - this.#oldest
  }

  get(key: string): KeyEntry | undefined {
    const place = this.#find(word(key, 0), word(key, 1), word(key, 2), word(key, 3))
    const slot = this.#index[place]!
    return slot === 0 ? undefined : this.#entry(slot - 1)
  }

  /** Adds an entry whose time is not below that of any other. A namesake, which must have expired, is replaced. */
  add(entry: KeyEntry): void {
    if (this.size === this.#capacity) this.#grow()
    const slot = this.#next % this.#capacity
    for (let at = 0; at < 4; at++) this.#keys[4 * slot + at] = word(entry.key, at)
    for (let at = 0; at < 2; at++) this.#bodies[2 * slot + at] = word(entry.body, at)
    this.#firsts[slot] = entry.first
    this.#times[slot] = entry.timeMs
    this.#counts[slot] = entry.count
    this.#next++
    this.#index[this.#placeOf(slot)] = slot + 1
  }

  /** Forgets entries from before `beforeMs`. */
  expire(beforeMs: number): void {
    while (this.size > 0 && this.#times[this.#oldest % this.#capacity]! < beforeMs) {
      const slot = this.#oldest % this.#capacity
      const place = this.#placeOf(slot)
      // A namesake that came later has the place; then there is nothing to free.
      if (this.#index[place] === slot + 1) this.#free(place)
      this.#oldest++
    }
  }

  /** Entries whose offsets are at or after `offset`, oldest first. Offsets ascend with time. */
  from(offset: number): KeyEntry[] {
    let number = this.#next
    while (number > this.#oldest && this.#firsts[(number - 1) % this.#capacity]! >= offset) number--
    return Array.from({ length: this.#next - number }, (_, at) => this.#entry((number + at) % this.#capacity))
  }

  #entry(slot: number): KeyEntry {
    return {
      key: hexOf(this.#keys, 4 * slot, 4),
      body: hexOf(this.#bodies, 2 * slot, 2),
      first: this.#firsts[slot]!,
      count: this.#counts[slot]!,
      timeMs: this.#times[slot]!,
    }
  }

  #placeOf(slot: number): number {
    const keys = this.#keys
    return this.#find(keys[4 * slot]!, keys[4 * slot + 1]!, keys[4 * slot + 2]!, keys[4 * slot + 3]!)
  }

  /** The place of the key, or the free one where it belongs. */
  #find(a: number, b: number, c: number, d: number): number {
    const keys = this.#keys
    const mask = this.#index.length - 1
    for (let place = a & mask; ; place = (place + 1) & mask) {
      const slot = this.#index[place]! - 1
      if (slot < 0) return place
      const at = 4 * slot
      if (keys[at] === a && keys[at + 1] === b && keys[at + 2] === c && keys[at + 3] === d) return place
    }
  }

  /** Empties a place and moves back those behind it that would not be found over the gap (Knuth 6.4, algorithm R). */
  #free(place: number): void {
    const mask = this.#index.length - 1
    let gap = place
    for (let at = (gap + 1) & mask; this.#index[at] !== 0; at = (at + 1) & mask) {
      const home = this.#keys[4 * (this.#index[at]! - 1)]! & mask
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      this.#index[gap] = this.#index[at]!
      gap = at
    }
    this.#index[gap] = 0
  }

  #grow(): void {
    const start = this.#oldest % this.#capacity
    const count = this.size
    this.#keys = doubled(this.#keys, 4 * start)
    this.#bodies = doubled(this.#bodies, 2 * start)
    this.#firsts = doubled(this.#firsts, start)
    this.#times = doubled(this.#times, start)
    this.#counts = doubled(this.#counts, start)
    this.#capacity *= 2
    this.#oldest = 0
    this.#next = count
    this.#index = new Uint32Array(PLACES * this.#capacity)
    for (let slot = 0; slot < count; slot++) this.#index[this.#placeOf(slot)] = slot + 1
  }
}

/** A full ring that begins at `start`, straightened into an array of twice the size. */
function doubled<T extends Uint32Array | Float64Array>(ring: T, start: number): T {
  const larger = new (ring.constructor as new (length: number) => T)(2 * ring.length)
  larger.set(ring.subarray(start))
  larger.set(ring.subarray(0, start), ring.length - start)
  return larger
}
