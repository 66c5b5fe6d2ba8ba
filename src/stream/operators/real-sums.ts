// Exact sums of doubles, by group: two parts whose sum is exact, and Shewchuk's expansion where two are too few. Numbers are taken away by
// adding their negative. A sum that is no number, or infinite, stays so.
import { addExact, type Exact, exactValue } from '../exact-sum.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { FrozenLeaf } from '../state-tree.ts'

/** An expansion may be without parts. */
const NO_PARTS = -1

export interface SavedSums<Leaf = Packed> {
  readonly high: Leaf
  readonly low: Leaf
  readonly parts: readonly (readonly [number, readonly string[]])[]
}

export class RealSums {
  /** The exact sum is high + low, and with an expansion beside them that too. */
  readonly #high = new Doubles()
  readonly #low = new Doubles()
  #parts = new Map<number, Exact>()

  /** Two exact additions (Knuth's TwoSum); a number whose rest does not fit in two parts goes to the expansion. */
  add(group: number, x: number): void {
    const a = this.#high.at(group)
    const high = a + x
    const part = high - a
    const error = a - (high - part) + (x - part)
    const b = this.#low.at(group)
    const low = b + error
    const lowPart = low - b
    const rest = b - (low - lowPart) + (error - lowPart)
    if (rest === 0 && high - high === 0) {
      this.#high.put(group, high)
      this.#low.put(group, low)
      return
    }
    let parts = this.#parts.get(group)
    if (!parts) {
      parts = []
      this.#parts.set(group, parts)
    }
    addExact(parts, x)
  }

  /** Rounded once. */
  at(group: number): number {
    if (!this.#parts.has(group)) return this.#high.at(group) + this.#low.at(group)
    const all: Exact = []
    for (const part of this.termsOf(group)) addExact(all, part)
    return exactValue(all)
  }

  /** Numbers whose exact sum is that of the group. */
  termsOf(group: number): readonly number[] {
    return [...(this.#parts.get(group) ?? []), this.#high.at(group), this.#low.at(group)]
  }

  mergeGroup(from: RealSums, group: number, to: number): void {
    this.add(to, from.#high.at(group))
    this.add(to, from.#low.at(group))
    for (const part of from.#parts.get(group) ?? []) this.add(to, part)
  }

  clear(group: number): void {
    this.#high.put(group, 0)
    this.#low.put(group, 0)
    this.#parts.delete(group)
  }

  write(group: number, out: RecordWriter): void {
    const parts = this.#parts.get(group)
    out.number(this.#high.at(group))
    out.number(this.#low.at(group))
    out.int(parts ? parts.length : NO_PARTS)
    for (const part of parts ?? []) out.number(part)
  }

  read(group: number, from: RecordReader): void {
    this.#high.put(group, from.number())
    this.#low.put(group, from.number())
    const parts = from.int()
    if (parts !== NO_PARTS) this.#parts.set(group, Array.from({ length: parts }, () => from.number()) as Exact)
  }

  get bytes(): number {
    return this.#high.bytes + this.#low.bytes + 120 * this.#parts.size
  }

  save(size: number): SavedSums<FrozenLeaf> {
    const parts = [...this.#parts].map(([group, exact]) => [group, exact.map(String)] as const)
    return { high: this.#high.freeze(size), low: this.#low.freeze(size), parts }
  }

  restore({ high, low, parts }: SavedSums): void {
    this.#high.restore(high)
    this.#low.restore(low)
    this.#parts = new Map(parts.map(([group, exact]) => [group, exact.map(Number)]))
  }
}
