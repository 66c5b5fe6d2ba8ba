// Texts, bytes and decimals too long for numbers, in numbered slots of one growing piece of memory.
import type { compareBytes } from '../../core/bytes.ts'
import type { BytesColumn, Column } from '../../schema/batch.ts'
import type { Packed } from './pack.ts'
import type { Bytes } from './paged.ts'
import type { RecordReader, RecordWriter } from './record.ts'
import { TextMemory } from './text-memory.ts'
import { isNullAt, keepExtremes, keepSame, NULL, Nulls, putAll, VALUE, type ValueLane } from './value-lane.ts'

type CompareBytes = typeof compareBytes

/** Decimals of one scale as text. */
export const compareDigits: CompareBytes = (a, aStart, aLength, b, bStart, bLength) => {
  const [x, y] = [digitsAt(a, aStart, aLength), digitsAt(b, bStart, bLength)]
  return x < y ? -1 : x > y ? 1 : 0
}

const digitsAt = (bytes: Uint8Array, start: number, length: number): bigint =>
  BigInt(
    Buffer.from(bytes.buffer, bytes.byteOffset + start, length)
      .toString('latin1')
      .replace('.', ''),
  )

export class BytesLane implements ValueLane {
  readonly #compare: CompareBytes
  readonly #texts = new TextMemory()
  readonly #nulls = new Nulls()

  constructor(compare: CompareBytes) {
    this.#compare = compare
  }

  put(slot: number, column: Column, row: number): void {
    const { bytes, start, length } = column as BytesColumn
    const isNull = isNullAt(column, row)
    this.#nulls.put(slot, isNull)
    if (isNull) this.#texts.put(slot, bytes, 0, 0)
    else this.#texts.put(slot, bytes, start[row]!, length[row]!)
  }

  putAll(slots: Int32Array, column: Column, rows: Int32Array | null, count: number): void {
    putAll(this, slots, column, rows, count)
  }

  copy(slot: number, from: ValueLane, other: number): void {
    const lane = from as BytesLane
    const { bytes, start, length } = lane.#texts.at(other)
    this.#nulls.put(slot, lane.isNull(other))
    this.#texts.put(slot, bytes, start, length)
  }

  isNull(slot: number): boolean {
    return this.#nulls.at(slot)
  }

  holds(slot: number, column: Column, row: number): boolean {
    if (isNullAt(column, row)) return this.isNull(slot)
    const { bytes, start, length } = column as BytesColumn
    return !this.isNull(slot) && this.#texts.holds(slot, bytes, start[row]!, length[row]!)
  }

  keepSame(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, other: number): void {
    keepSame(this, slots, column, rows, count, other)
  }

  compareRow(slot: number, column: Column, row: number): number {
    const { bytes, start, length } = column as BytesColumn
    const own = this.#texts.at(slot)
    return this.#compare(bytes, start[row]!, length[row]!, own.bytes, own.start, own.length)
  }

  compareSlot(slot: number, from: ValueLane, other: number): number {
    const [a, b] = [(from as BytesLane).#texts.at(other), this.#texts.at(slot)]
    return this.#compare(a.bytes, a.start, a.length, b.bytes, b.start, b.length)
  }

  keepExtremes(slots: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1, seen: Bytes): void {
    keepExtremes(this, slots, column, rows, count, sign, seen)
  }

  column(slots: Int32Array, count: number): BytesColumn {
    return { ...this.#texts.column(slots, count), nulls: this.#nulls.of(slots, count) }
  }

  write(slot: number, out: RecordWriter): void {
    out.byte(this.isNull(slot) ? NULL : VALUE)
    if (this.isNull(slot)) return
    const { bytes, start, length } = this.#texts.at(slot)
    out.text(bytes, start, length)
  }

  read(slot: number, from: RecordReader): void {
    const isNull = from.byte() === NULL
    const length = isNull ? 0 : from.int()
    this.#nulls.put(slot, isNull)
    this.#texts.put(slot, from.bytes, from.skip(length), length)
  }

  isSame(slot: number, from: RecordReader): boolean {
    if (from.byte() === NULL) return this.isNull(slot)
    const length = from.int()
    return !this.isNull(slot) && this.#texts.holds(slot, from.bytes, from.skip(length), length)
  }

  get bytes(): number {
    return this.#texts.bytes + this.#nulls.bytes
  }

  save(slots: number): unknown {
    return [...this.#texts.save(slots), this.#nulls.freeze(slots)]
  }

  restore(saved: unknown): void {
    const [memory, start, length, nulls] = saved as [Packed, Packed, Packed, Packed]
    this.#texts.restore(memory, start, length)
    this.#nulls.restore(nulls)
  }
}
