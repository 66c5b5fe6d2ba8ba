// Whether one key has a large part of the rows of a stream: everything that goes by that key is then as fast as one partition.
// A sample of recent rows, counted by Misra and Gries ("Finding repeated elements", 1982): the count of a key is too low by one part in
// seventeen at most. Keys are compared and never told.
import type { Column } from '../schema/batch.ts'

const EVERY = 32
const COUNTERS = 16
/** Of sampled rows: from so many on older ones count half. */
const RECENT = 1 << 14
/** Fewer say nothing. */
const ENOUGH = 512

export class HotKey {
  #counts = new Map<string | number, number>()
  #sampled = 0
  #offset = 0

  take(column: Column, rows: number): void {
    let row = this.#offset
    for (; row < rows; row += EVERY) this.#count(valueAt(column, row))
    this.#offset = row - rows
    if (this.#sampled >= RECENT) this.#age()
  }

  /** The part of the rows that the most frequent key has, 0 to 1, at least; null while there are too few rows. */
  get share(): number | null {
    return this.#sampled < ENOUGH ? null : Math.max(0, ...this.#counts.values()) / this.#sampled
  }

  #count(key: string | number): void {
    this.#sampled++
    const known = this.#counts.get(key)
    if (known !== undefined || this.#counts.size < COUNTERS) this.#counts.set(key, (known ?? 0) + 1)
    else this.#takeAway((count) => count - 1)
  }

  #age(): void {
    this.#sampled /= 2
    this.#takeAway((count) => count / 2)
  }

  #takeAway(less: (count: number) => number): void {
    for (const [key, count] of this.#counts) {
      if (less(count) < 1) this.#counts.delete(key)
      else this.#counts.set(key, less(count))
    }
  }
}

function valueAt(column: Column, row: number): string | number {
  if (column.nulls?.[row] === 1) return ''
  if (column.kind !== 'bytes') return column.kind === 'integer' && column.big ? String(column.big[row]) : column.values[row]!
  const { bytes, start, length } = column
  return Buffer.from(bytes.buffer, bytes.byteOffset + start[row]!, length[row]!).toString('latin1')
}
