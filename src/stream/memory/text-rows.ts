// Several texts of a row in numbered slots: those of one row lie one behind another, so that wherever a row lies, it is found and copied
// as one piece of memory. A row begins with the lengths of its texts, of one byte each or of five.
import { copyBytes } from '../../core/bytes.ts'
import type { BytesColumn } from '../../schema/batch.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import type { Packed } from './pack.ts'
import { PAGE_MASK, type Text, TextMemory } from './text-memory.ts'
import { isNullAt, Nulls } from './value-lane.ts'

/** The first byte of a length that has four more. */
const LONG = 255
/** What `readLength` read. */
const read = new Int32Array(1)

export class TextRows {
  readonly #memory = new TextMemory()
  readonly #nulls: readonly Nulls[]

  /** `width`: how many texts a row has. */
  constructor(width: number) {
    this.#nulls = Array.from({ length: width }, () => new Nulls())
  }

  /** Copies row `row` of the columns, one for each text. */
  put(slot: number, columns: readonly BytesColumn[], row: number): void {
    let size = 0
    for (let i = 0; i < columns.length; i++) {
      const length = lengthAt(columns[i]!, row)
      size += length + (length < LONG ? 1 : 5)
      this.#nulls[i]!.put(slot, isNullAt(columns[i]!, row))
    }
    const place = this.#memory.place(slot, size)
    const bytes = this.#memory.pageOf(place)
    let at = place & PAGE_MASK
    for (let i = 0; i < columns.length; i++) at = writeLength(bytes, at, lengthAt(columns[i]!, row))
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!
      const length = lengthAt(column, row)
      copyBytes(column.bytes, column.start[row]!, length, bytes, at)
      at += length
    }
  }

  putAll(slots: Int32Array, columns: readonly BytesColumn[], rows: Int32Array | null, count: number): void {
    for (let i = 0; i < count; i++) this.put(slots[i]!, columns, rows === null ? i : rows[i]!)
  }

  isNull(slot: number, text: number): boolean {
    return this.#nulls[text]!.at(slot)
  }

  /** Empty where the slot was never put. */
  at(slot: number, text: number): Text {
    const { bytes, start, length } = this.#memory.at(slot)
    if (length === 0) return { bytes, start, length }
    let at = start
    let before = 0
    let own = 0
    for (let i = 0; i < this.#nulls.length; i++) {
      at = readLength(bytes, at)
      if (i < text) before += read[0]!
      if (i === text) own = read[0]!
    }
    return { bytes, start: at + before, length: own }
  }

  /** All texts of some rows, a column each; they share their bytes. */
  columns(slots: Int32Array, count: number): BytesColumn[] {
    const { bytes, start, length } = this.#memory.column(slots, count)
    const starts = this.#nulls.map(() => new Int32Array(count))
    const lengths = this.#nulls.map(() => new Int32Array(count))
    for (let i = 0; i < count; i++) {
      if (length[i] === 0) continue
      let at = start[i]!
      for (let text = 0; text < lengths.length; text++) {
        at = readLength(bytes, at)
        lengths[text]![i] = read[0]!
      }
      for (let text = 0; text < lengths.length; text++) {
        starts[text]![i] = at
        at += lengths[text]![i]!
      }
    }
    return this.#nulls.map((nulls, text) => ({
      kind: 'bytes',
      bytes,
      start: starts[text]!,
      length: lengths[text]!,
      nulls: nulls.of(slots, count),
    }))
  }

  /** One text of some rows. */
  column(text: number, slots: Int32Array, count: number): BytesColumn {
    const [start, length] = [new Int32Array(count), new Int32Array(count)]
    let size = 0
    for (let i = 0; i < count; i++) {
      length[i] = this.at(slots[i]!, text).length
      size += length[i]!
    }
    const bytes = new Uint8Array(size)
    for (let i = 0, at = 0; i < count; i++) {
      const own = this.at(slots[i]!, text)
      copyBytes(own.bytes, own.start, own.length, bytes, at)
      start[i] = at
      at += own.length
    }
    return { kind: 'bytes', bytes, start, length, nulls: this.#nulls[text]!.of(slots, count) }
  }

  get bytes(): number {
    return this.#nulls.reduce((sum, { bytes }) => sum + bytes, this.#memory.bytes)
  }

  save(slots: number): { readonly memory: readonly FrozenLeaf[]; readonly nulls: readonly unknown[] } {
    return { memory: this.#memory.save(slots), nulls: this.#nulls.map((nulls) => nulls.freeze(slots)) }
  }

  restore(saved: unknown): void {
    const { memory, nulls } = saved as { memory: readonly [Packed, Packed, Packed]; nulls: readonly Packed[] }
    this.#memory.restore(...memory)
    for (const [text, own] of this.#nulls.entries()) own.restore(nulls[text]!)
  }
}

const lengthAt = (column: BytesColumn, row: number): number => (isNullAt(column, row) ? 0 : column.length[row]!)

/** Answers where it ends. */
function writeLength(bytes: Uint8Array, at: number, length: number): number {
  if (length < LONG) {
    bytes[at] = length
    return at + 1
  }
  bytes[at] = LONG
  for (let i = 0; i < 4; i++) bytes[at + 1 + i] = length >>> (8 * i)
  return at + 5
}

/** Answers where it ends; `read[0]` is the length. */
function readLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!
  if (first < LONG) {
    read[0] = first
    return at + 1
  }
  read[0] = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 24)
  return at + 5
}
