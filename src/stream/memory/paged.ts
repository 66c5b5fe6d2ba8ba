// Numbers in numbered slots, in pages: they grow without moving what is there, and a cut of them is taken without copying it. What
// is written after a cut notes what stood there before, until the checkpoint has read it. Hot loops read `pages` themselves.
// Relies on writers to `touch` the slots that they write in pages; slots behind the cut need not be.
import type { FrozenLeaf } from '../state-tree.ts'
import type { Packed } from './pack.ts'

/** Slot `s` is `pages[s >>> PAGE_BITS][s & PAGE_MASK]`. */
export const PAGE_BITS = 15
const PAGE = 1 << PAGE_BITS
export const PAGE_MASK = PAGE - 1
const FIRST_MIN = 16

type Page = Float64Array | Int32Array | Uint8Array | BigInt64Array

interface PageKind<P extends Page> {
  new (length: number): P
  new (buffer: ArrayBuffer, offset?: number, length?: number): P
  readonly BYTES_PER_ELEMENT: number
}

const bytesOf = (page: Page): Uint8Array => new Uint8Array(page.buffer, page.byteOffset, page.byteLength)

abstract class Paged<P extends Page> {
  readonly pages: P[] = []
  /** Slots that there is room for. */
  length = 0
  /** The cut that is being read. */
  frozen: Frozen<P> | null = null
  readonly #kind: PageKind<P>
  /** What a slot holds that was never written. */
  readonly fill: number

  constructor(kind: PageKind<P>, fill: number) {
    this.#kind = kind
    this.fill = fill
  }

  fit(slots: number): void {
    while (this.length < slots) this.#grow(slots)
  }

  /** The first page grows, so that small tables are small. */
  #grow(slots: number): void {
    const { pages } = this
    const first = pages[0]
    if (first && first.length === PAGE) pages.push(this.#page(PAGE))
    else {
      const larger = this.#page(Math.min(PAGE, Math.max(FIRST_MIN, slots, this.length * 2)))
      if (first) larger.set(first as never)
      pages[0] = larger
    }
    this.length = (pages.length - 1) * PAGE + pages.at(-1)!.length
  }

  #page(length: number): P {
    const page = new this.#kind(length)
    if (this.fill !== 0) (page as Int32Array).fill(this.fill)
    return page
  }

  /** These slots are about to be written. */
  touch(slots: Int32Array, count: number): void {
    const { frozen } = this
    if (frozen !== null) for (let i = 0; i < count; i++) frozen.note(slots[i]!)
  }

  /** The first `slots` as they are now, for a checkpoint. One at a time: an earlier one that was not released copies what it has left. */
  freeze(slots: number): FrozenLeaf {
    this.fit(slots)
    this.frozen?.settle()
    this.frozen = new Frozen(this, this.#kind, slots)
    return this.frozen
  }

  clear(): void {
    this.pages.length = 0
    this.length = 0
    this.frozen = null
  }

  /** Forgets all, and holds what was saved; answers how many slots. */
  restore(packed: Packed): number {
    const bytes = typeof packed === 'string' ? Buffer.from(packed, 'base64') : packed
    const { BYTES_PER_ELEMENT: width } = this.#kind
    this.clear()
    for (let at = 0; at < bytes.length; at += PAGE * width) {
      const part = bytes.subarray(at, at + PAGE * width)
      const isShort = at > 0 && part.length < PAGE * width
      const page = isShort ? this.#page(PAGE) : new this.#kind(part.length / width)
      bytesOf(page).set(part)
      this.pages.push(page)
      this.length += page.length
    }
    return bytes.length / width
  }

  get bytes(): number {
    return this.length * this.#kind.BYTES_PER_ELEMENT
  }
}

const NONE = -1

/** A list that is only added to. */
class Notes<P extends Page> {
  readonly #kind: PageKind<P>
  readonly #pages: P[] = []

  constructor(kind: PageKind<P>) {
    this.#kind = kind
  }

  at(note: number): number | bigint {
    return this.#pages[note >>> PAGE_BITS]![note & PAGE_MASK]!
  }

  put(note: number, value: number | bigint): void {
    const page = this.#pages[note >>> PAGE_BITS] ?? this.#add()
    page[note & PAGE_MASK] = value as never
  }

  #add(): P {
    const page = new this.#kind(PAGE)
    this.#pages.push(page)
    return page
  }
}

class Frozen<P extends Page> implements FrozenLeaf {
  readonly $frozen = true
  readonly length: number
  readonly #of: Paged<P>
  readonly #kind: PageKind<P>
  readonly #slots: number
  #pages: readonly P[]
  /** Slots that were written since have a bit. Of each what stood there, in one list a page, which begins at its head. */
  #isNoted: Uint8Array | null = null
  #heads = new Int32Array(0)
  readonly #next = new Notes(Int32Array)
  readonly #slot = new Notes(Int32Array)
  readonly #before: Notes<P>
  #notes = 0

  constructor(of: Paged<P>, kind: PageKind<P>, slots: number) {
    this.#of = of
    this.#kind = kind
    this.#slots = slots
    this.#before = new Notes(kind)
    this.#pages = of.pages.slice()
    this.length = slots * kind.BYTES_PER_ELEMENT
  }

  note(slot: number): void {
    if (slot >= this.#slots) return
    this.#isNoted ??= this.#begin()
    const bit = 1 << (slot & 7)
    if ((this.#isNoted[slot >> 3]! & bit) !== 0) return
    this.#isNoted[slot >> 3]! |= bit
    const page = slot >>> PAGE_BITS
    const note = this.#notes++
    this.#slot.put(note, slot)
    this.#before.put(note, this.#pages[page]![slot & PAGE_MASK]!)
    this.#next.put(note, this.#heads[page]!)
    this.#heads[page] = note
  }

  #begin(): Uint8Array {
    this.#heads = new Int32Array(this.#pages.length).fill(NONE)
    return new Uint8Array((this.#slots >> 3) + 1)
  }

  block(start: number, size: number): Uint8Array {
    const width = this.#kind.BYTES_PER_ELEMENT
    const slots = Math.ceil(size / width)
    const from = start / width
    const block = new this.#kind(slots)
    const out = bytesOf(block)
    for (let slot = from; slot < from + slots; ) {
      const page = slot >>> PAGE_BITS
      const base = page << PAGE_BITS
      const until = Math.min(base + PAGE, from + slots)
      out.set(bytesOf(this.#pages[page]!).subarray((slot - base) * width, (until - base) * width), (slot - from) * width)
      for (let note = this.#heads[page] ?? NONE; note !== NONE; note = this.#next.at(note) as number) {
        const at = (this.#slot.at(note) as number) - from
        if (at >= 0 && at < slots) block[at] = this.#before.at(note) as never
      }
      slot = until
    }
    return out
  }

  /** From here on it shares nothing. */
  settle(): void {
    const whole = this.block(0, this.length)
    this.#pages = Array.from({ length: this.#pages.length }, (_, page) => {
      const start = page * PAGE * this.#kind.BYTES_PER_ELEMENT
      const bytes = whole.slice(start, start + PAGE * this.#kind.BYTES_PER_ELEMENT)
      return new this.#kind(bytes.buffer)
    })
    this.#isNoted = null
    this.#heads = new Int32Array(0)
    this.#notes = 0
  }

  release(): void {
    if (this.#of.frozen === (this as unknown)) this.#of.frozen = null
  }
}

// One class a type, so that each reads one kind of page.

export class Doubles extends Paged<Float64Array> {
  constructor() {
    super(Float64Array as PageKind<Float64Array>, 0)
  }

  at(slot: number): number {
    return slot < this.length ? this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]! : 0
  }

  put(slot: number, value: number): void {
    if (slot >= this.length) this.fit(slot + 1)
    if (this.frozen !== null) this.frozen.note(slot)
    this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK] = value
  }

  /** The value of row `rows[i]` (i where null) into `slots[i]`. */
  putAll(slots: Int32Array, values: Float64Array, rows: Int32Array | null, count: number): void {
    let needed = 0
    for (let i = 0; i < count; i++) if (slots[i]! >= needed) needed = slots[i]! + 1
    this.fit(needed)
    this.touch(slots, count)
    const { pages } = this
    for (let i = 0; i < count; i++) pages[slots[i]! >>> PAGE_BITS]![slots[i]! & PAGE_MASK] = values[rows === null ? i : rows[i]!]!
  }
}

export class Ints extends Paged<Int32Array> {
  constructor(fill = 0) {
    super(Int32Array as PageKind<Int32Array>, fill)
  }

  at(slot: number): number {
    return slot < this.length ? this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]! : this.fill
  }

  put(slot: number, value: number): void {
    if (slot >= this.length) this.fit(slot + 1)
    if (this.frozen !== null) this.frozen.note(slot)
    this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK] = value
  }
}

export class Bytes extends Paged<Uint8Array> {
  constructor() {
    super(Uint8Array as PageKind<Uint8Array>, 0)
  }

  at(slot: number): number {
    return slot < this.length ? this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]! : 0
  }

  put(slot: number, value: number): void {
    if (slot >= this.length) this.fit(slot + 1)
    if (this.frozen !== null) this.frozen.note(slot)
    this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK] = value
  }
}

export class Longs extends Paged<BigInt64Array> {
  constructor() {
    super(BigInt64Array as PageKind<BigInt64Array>, 0)
  }

  at(slot: number): bigint {
    return slot < this.length ? this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK]! : 0n
  }

  put(slot: number, value: bigint): void {
    if (slot >= this.length) this.fit(slot + 1)
    if (this.frozen !== null) this.frozen.note(slot)
    this.pages[slot >>> PAGE_BITS]![slot & PAGE_MASK] = value
  }
}
