// Bytes in numbered slots: their content lies in pages that grow by appending, so that a cut of them is taken without copying. A value
// lies in one page; one that is longer than a page has a run of pages. What a cut holds is not written over until it was read.
import { copyBytes } from '../../core/bytes.ts'
import type { BytesColumn } from '../../schema/batch.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import type { Packed } from './pack.ts'
import { Ints } from './paged.ts'

const BITS = 16
const PAGE = 1 << BITS
export const PAGE_MASK = PAGE - 1
/** The first page grows, so that small tables are small. */
const FIRST_MIN = 256
const EMPTY = new Uint8Array(0)
/** By the lowest bits of a slot: where in a column it, or another with these bits, came last; what is left of other columns is compared. */
const LAST_MASK = 4_095
const lastOf = new Int32Array(LAST_MASK + 1)

export interface Text {
  readonly bytes: Uint8Array
  readonly start: number
  readonly length: number
}

export class TextMemory {
  #pages: Uint8Array[] = []
  #used = 0
  /** Bytes that slots hold; the rest of what is used was replaced. */
  #held = 0
  /** Counted over all pages. */
  readonly #start = new Ints()
  readonly #length = new Ints()
  #frozen: FrozenText | null = null

  at(slot: number): Text {
    const start = this.#start.at(slot)
    return { bytes: this.pageOf(start), start: start & PAGE_MASK, length: this.#length.at(slot) }
  }

  holds(slot: number, bytes: Uint8Array, start: number, length: number): boolean {
    if (this.#length.at(slot) !== length) return false
    if (length === 0) return true
    const position = this.#start.at(slot)
    const page = this.#pages[position >>> BITS]!
    const from = position & PAGE_MASK
    for (let i = 0; i < length; i++) if (page[from + i] !== bytes[start + i]) return false
    return true
  }

  /** `bytes` may be memory of this very object. */
  put(slot: number, bytes: Uint8Array, start: number, length: number): void {
    const at = this.place(slot, length)
    copyBytes(bytes, start, length, this.pageOf(at), at & PAGE_MASK)
  }

  /** Where so many bytes are to be written, which are the slot's: from `& PAGE_MASK` on in the page. */
  place(slot: number, length: number): number {
    const before = this.#length.at(slot)
    let at = this.#start.at(slot)
    this.#held -= before
    if (length > before || (length > 0 && this.#frozen !== null && at < this.#frozen.length)) {
      this.#length.put(slot, 0)
      at = this.#room(length)
    }
    this.#start.put(slot, at)
    this.#length.put(slot, length)
    this.#held += length
    return at
  }

  pageOf(at: number): Uint8Array {
    return this.#pages[at >>> BITS] ?? EMPTY
  }

  /** Where so many bytes may be written. */
  #room(length: number): number {
    const end = this.#used + length
    if (length > 0 && this.#used >>> BITS === (end - 1) >>> BITS && end <= this.#roomEnd) return this.#take(length)
    if (end > PAGE && this.#held * 2 < this.#used) this.#move()
    if (this.#pages.length <= 1 && this.#used + length <= PAGE) this.#growFirst(this.#used + length)
    else if ((this.#used & PAGE_MASK) + length > PAGE || this.#used === this.#pages.length << BITS) this.#addPages(length)
    return this.#take(length)
  }

  /** Where the memory ends that there is. */
  get #roomEnd(): number {
    return this.#pages.length === 0 ? 0 : ((this.#pages.length - 1) << BITS) + this.#pages.at(-1)!.length
  }

  #take(length: number): number {
    const at = this.#used
    this.#used += length
    return at
  }

  #growFirst(length: number): void {
    const before = this.#pages[0] ?? EMPTY
    if (before.length >= length) return
    const page = new Uint8Array(Math.min(PAGE, Math.max(FIRST_MIN, length, before.length * 2)))
    page.set(before)
    this.#pages[0] = page
  }

  #addPages(length: number): void {
    if (this.#pages.length === 1) this.#growFirst(PAGE)
    this.#used = this.#pages.length << BITS
    const count = Math.max(1, Math.ceil(length / PAGE))
    const run = new Uint8Array(count << BITS)
    for (let i = 0; i < count; i++) this.#pages.push(run.subarray(i << BITS))
  }

  /** Into new memory without what was replaced. */
  #move(): void {
    const before = this.#pages
    this.#pages = []
    this.#used = 0
    this.#held = 0
    this.#frozen?.settle()
    this.#frozen = null
    for (let slot = 0; slot < this.#length.length; slot++) {
      const length = this.#length.at(slot)
      if (length === 0) continue
      const start = this.#start.at(slot)
      this.#length.put(slot, 0)
      this.put(slot, before[start >>> BITS]!, start & PAGE_MASK, length)
    }
  }

  /** Copies of the values of some slots. One that comes again soon is not copied again: rows of a join have the same partners. */
  column(slots: Int32Array, count: number): Pick<BytesColumn, 'kind' | 'bytes' | 'start' | 'length'> {
    const start = new Int32Array(count)
    const length = new Int32Array(count)
    const same = new Int32Array(count)
    let size = 0
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      const before = lastOf[slot & LAST_MASK]!
      lastOf[slot & LAST_MASK] = i
      const isAgain = before < i && slots[before] === slot
      same[i] = isAgain ? before : i
      length[i] = isAgain ? length[before]! : this.#length.at(slot)
      if (!isAgain) size += length[i]!
    }
    const bytes = new Uint8Array(size)
    let at = 0
    for (let i = 0; i < count; i++) {
      if (same[i] !== i) {
        start[i] = start[same[i]!]!
        continue
      }
      const position = this.#start.at(slots[i]!)
      start[i] = at
      copyBytes(this.pageOf(position), position & PAGE_MASK, length[i]!, bytes, at)
      at += length[i]!
    }
    return { kind: 'bytes', bytes, start, length }
  }

  get bytes(): number {
    return this.#roomEnd + this.#start.bytes + this.#length.bytes
  }

  /** Content, places and lengths of the first `slots`. */
  save(slots: number): readonly [FrozenLeaf, FrozenLeaf, FrozenLeaf] {
    this.#frozen?.settle()
    this.#frozen = new FrozenText(this.#pages.slice(), this.#used, (frozen) => {
      if (this.#frozen === frozen) this.#frozen = null
    })
    return [this.#frozen, this.#start.freeze(slots), this.#length.freeze(slots)]
  }

  restore(memory: Packed, start: Packed, length: Packed): void {
    const content = typeof memory === 'string' ? Buffer.from(memory, 'base64') : memory
    const size = this.#start.restore(start)
    this.#length.restore(length)
    this.#frozen = null
    this.#used = content.length
    this.#held = 0
    const all = new Uint8Array(content.length > PAGE ? Math.ceil(content.length / PAGE) << BITS : content.length)
    all.set(content)
    this.#pages = Array.from({ length: Math.ceil(all.length / PAGE) }, (_, page) => all.subarray(page << BITS))
    // The last page ends where memory does, the others where the next begins, unless a value goes on into it.
    let isCut = false
    for (let slot = 0; slot < size; slot++) {
      this.#held += this.#length.at(slot)
      isCut ||=
        this.#length.at(slot) > 0 &&
        (this.#start.at(slot) & PAGE_MASK) + this.#length.at(slot) > PAGE &&
        (this.#start.at(slot) & PAGE_MASK) > 0
    }
    // Memory of before had no pages.
    if (isCut) this.#move()
  }
}

class FrozenText implements FrozenLeaf {
  readonly $frozen = true
  readonly length: number
  #pages: readonly Uint8Array[]
  readonly #onRelease: (self: FrozenText) => void

  constructor(pages: readonly Uint8Array[], length: number, onRelease: (self: FrozenText) => void) {
    this.#pages = pages
    this.length = length
    this.#onRelease = onRelease
  }

  block(start: number, size: number): Uint8Array {
    const out = new Uint8Array(size)
    for (let at = start; at < start + size; ) {
      const until = Math.min(((at >>> BITS) + 1) << BITS, start + size)
      out.set(this.#pages[at >>> BITS]!.subarray(at & PAGE_MASK, (at & PAGE_MASK) + until - at), at - start)
      at = until
    }
    return out
  }

  /** From here on it shares nothing. */
  settle(): void {
    this.#pages = this.#pages.map((page) => page.slice(0, PAGE))
  }

  release(): void {
    this.#onRelease(this)
  }
}
